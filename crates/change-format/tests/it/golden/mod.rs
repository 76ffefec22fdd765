//! Replays recordings of real systems through the encoder and compares the messages.
//!
//! Pure but for reading the files. The example `golden` runs it over a folder from the command line.

mod compare;
mod matcher;
mod recording;
mod replay;

use std::path::{Path, PathBuf};

pub(crate) use recording::{Recording, Variant};

/// The folder of recordings: `TIDEGATE_GOLDEN`, or `../shared/golden` beside the repository.
pub(crate) fn root() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden");
    std::env::var_os("TIDEGATE_GOLDEN").map_or(default, PathBuf::from)
}

/// Replays a recording with the settings of one changefeed and compares the messages; the number of those compared.
pub(crate) fn check(recording: &Recording, variant: &Variant) -> Result<usize, String> {
    let ours = replay::messages(recording, variant)?;
    compare::compare(recording, variant, &ours)
}
