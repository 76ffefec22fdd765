//! Where things are in the repository.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The folder of build output, as cargo chooses it.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The program in the release profile.
pub fn tidegate_program() -> PathBuf {
    target_dir().join("release").join(format!("tidegate{}", std::env::consts::EXE_SUFFIX))
}

/// The text of a file of the repository.
pub fn read(path: &str) -> Result<String, Failure> {
    let path = root().join(path);
    std::fs::read_to_string(&path).map_err(Failure::file(&path))
}
