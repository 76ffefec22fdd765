//! `cargo xtask golden`: recordings of the reference system through the pipeline.

use std::path::PathBuf;

use clap::Args;
use xtask::{Failure, Program, workspace};

/// Flags.
#[derive(Debug, Args)]
pub(crate) struct GoldenArgs {
    /// Folders that hold `cluster/<script>/…` [default: TIDEGATE_GOLDEN, or shared/golden beside the repository].
    folders: Vec<PathBuf>,
}

/// The folder that is taken if none is named.
pub(crate) fn default_folder() -> PathBuf {
    let beside = || workspace::root().join("../shared/golden");
    std::env::var_os("TIDEGATE_GOLDEN").map_or_else(beside, PathBuf::from)
}

/// The folder that the example wants: the parent if the folder of the recordings themselves was named.
fn recordings(folder: PathBuf) -> Option<PathBuf> {
    if folder.join("cluster").is_dir() {
        return Some(folder);
    }
    (folder.is_dir() && folder.ends_with("cluster")).then(|| folder.join(".."))
}

/// Replays the recordings of each folder.
pub(crate) fn run(args: &GoldenArgs) -> Result<(), Failure> {
    let folders = if args.folders.is_empty() { vec![default_folder()] } else { args.folders.clone() };
    for folder in folders {
        let shown = folder.display().to_string();
        let Some(folder) = recordings(folder) else {
            return Err(Failure::check(format!(
                "no recordings at {shown}: they are not part of the repository; name a folder that holds cluster/<script>/…, \
                 or set TIDEGATE_GOLDEN"
            )));
        };
        let folder = std::path::absolute(&folder).map_err(Failure::file(&folder))?;
        Program::new(
            "cargo run --release --locked --package changefeed --features replay --example golden --",
        )
        .arg(folder)
        .run()?;
    }
    Ok(())
}
