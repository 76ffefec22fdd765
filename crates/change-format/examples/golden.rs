//! Replays recordings through the encoder and compares the messages with the recorded ones.
//!
//! Usage: `cargo run -p change-format --example golden [folder]`; the folder holds `cluster/<script>/…` and defaults
//! to `TIDEGATE_GOLDEN`.

use std::process::ExitCode;

#[path = "../tests/it/golden/mod.rs"]
mod golden;

fn main() -> ExitCode {
    let root = std::env::args_os().nth(1).map_or_else(golden::root, Into::into);
    let Some(scripts) = golden::Recording::list(&root) else {
        eprintln!("no recordings at {}", root.display());
        return ExitCode::FAILURE;
    };
    let mut failed = false;
    for script in scripts {
        let recording = match golden::Recording::load(&script) {
            Ok(recording) => recording,
            Err(error) => {
                eprintln!("{}: {error}", script.display());
                failed = true;
                continue;
            }
        };
        for variant in recording.variants() {
            match golden::check(&recording, &variant) {
                Ok(alike) => println!("{} {}: {alike} messages alike", recording.name, variant.name),
                Err(problem) => {
                    println!("{} {}: {problem}", recording.name, variant.name);
                    failed = true;
                }
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
