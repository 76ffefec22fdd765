//! Replays recordings through the encoder and compares the messages with the recorded ones.
//!
//! Usage: `cargo run -p change-format --example golden [folder]`; the folder holds `cluster/<script>/…` and defaults
//! to `TIDEGATE_GOLDEN`.

use std::process::ExitCode;

use golden::Recording;

#[path = "../tests/it/golden/mod.rs"]
mod check;

fn main() -> ExitCode {
    let root = std::env::args_os().nth(1).map_or_else(golden::root, Into::into);
    let Some(folders) = golden::folders(&root) else {
        eprintln!("no recordings at {}", root.display());
        return ExitCode::FAILURE;
    };
    let mut failed = false;
    for folder in folders {
        let recording = match Recording::load(&folder) {
            Ok(recording) => recording,
            Err(error) => {
                eprintln!("{}: {error}", folder.display());
                failed = true;
                continue;
            }
        };
        for variant in recording.variants() {
            let name = format!("{} {}", recording.name, variant.name);
            match check::check(&recording, &variant) {
                Ok(comparison) => {
                    println!("{name}: {} messages alike", comparison.alike);
                    comparison.differences.iter().for_each(|difference| println!("  {difference}"));
                    failed |= !comparison.differences.is_empty();
                }
                Err(problem) => {
                    println!("{name}: {problem}");
                    failed = true;
                }
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
