//! Replays recordings through the pipeline and compares the messages with the recorded ones.
//!
//! Usage: `cargo run -p changefeed --features replay --example golden -- [folder…]`. A folder is a recording, or holds
//! recordings, or holds `cluster` with recordings in it; the default is `TIDEGATE_GOLDEN`, or `../shared/golden` beside
//! the repository. Ends with failure on any difference.

#[path = "../tests/it/golden/mod.rs"]
mod check;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use changefeed::replay::Order;
use golden::{Difference, Recording};

/// What was compared.
#[derive(Default)]
struct Totals {
    /// Recordings.
    folders: usize,
    /// Recordings times variants.
    variants: usize,
    /// Messages that are alike.
    alike: usize,
    /// Differences, and what could not be compared.
    wrong: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut roots: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if roots.is_empty() {
        roots.push(golden::root());
    }
    let mut totals = Totals::default();
    for root in roots {
        let Some(folders) = golden::folders(&root) else {
            println!(
                "no recordings at {}: name a folder that holds some, or set TIDEGATE_GOLDEN",
                root.display()
            );
            totals.wrong += 1;
            continue;
        };
        for folder in folders {
            check_folder(&folder, &mut totals).await;
        }
    }
    let Totals { folders, variants, alike, wrong } = totals;
    if folders > 0 {
        println!("{folders} recordings, {variants} changefeeds: {alike} messages alike, {wrong} differences");
    }
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Replays one recording with every variant.
async fn check_folder(folder: &Path, totals: &mut Totals) {
    let recording = match Recording::load(folder) {
        Ok(recording) => recording,
        Err(error) => {
            println!("{}: {error}", folder.display());
            totals.wrong += 1;
            return;
        }
    };
    totals.folders += 1;
    let tape = check::tape(&recording);
    for variant in recording.variants() {
        totals.variants += 1;
        let name = format!("{} {}", recording.name, variant.name);
        match check::check(&recording, tape.clone(), &variant, Order::Tape).await {
            Ok(checked) => {
                let comparison = checked.comparison;
                let count = comparison.differences.len();
                totals.alike += comparison.alike;
                totals.wrong += count;
                let watermarks = match checked.watermarks {
                    0 => String::new(),
                    count => format!(", {count} watermarks in place"),
                };
                println!("{name}: {} messages alike, {count} differences{watermarks}", comparison.alike);
                comparison.notes.iter().for_each(|note| println!("  note: {note}"));
                comparison.differences.iter().for_each(print_difference);
            }
            Err(error) => {
                println!("{name}: {error}");
                totals.wrong += 1;
            }
        }
    }
}

/// Prints both sides of a difference.
fn print_difference(difference: &Difference) {
    println!("  {difference}");
}
