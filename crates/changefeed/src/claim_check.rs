//! Claim-check: messages that are too large for Kafka are put into files, and consumers are told where.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use change_format::claim_check_object;

use crate::FeedError;

/// Ending of the files' names.
const EXTENSION: &str = "json";

/// A folder for large messages. Nothing in it is ever removed: only consumers know what they have read.
#[derive(Debug, Clone)]
pub(crate) struct ClaimCheckFolder {
    /// The folder.
    folder: PathBuf,
    /// Files hold the bare message.
    raw_value: bool,
}

impl ClaimCheckFolder {
    /// Makes the folder if it must, and proves that files can be written. Blocks.
    pub(crate) fn open(folder: &str, raw_value: bool) -> Result<Self, FeedError> {
        let opened = Self { folder: PathBuf::from(folder), raw_value };
        let probe = || {
            std::fs::create_dir_all(&opened.folder)?;
            let path = opened.folder.join(file_name());
            write_durably(&path, b"")?;
            std::fs::remove_file(&path)
        };
        probe().map_err(|e| {
            let message =
                format!("claim-check-storage-uri: cannot write to {}: {e}", opened.folder.display());
            FeedError::new("CDC:ErrFailToCreateExternalStorage", message)
        })?;
        Ok(opened)
    }

    /// A place that no message has yet: its path, and its name for consumers.
    pub(crate) fn place(&self) -> (PathBuf, String) {
        let path = self.folder.join(file_name());
        let location = format!("file://{}", path.display());
        (path, location)
    }

    /// Stores a message. It is on disk when this returns. Blocks.
    pub(crate) fn store(&self, path: &Path, message: &[u8]) -> Result<(), FeedError> {
        write_durably(path, &claim_check_object(message, self.raw_value)).map_err(|e| {
            let message = format!("cannot store a large message in {}: {e}", path.display());
            FeedError::new("CDC:ErrExternalStorageAPI", message)
        })
    }
}

/// Writes a new file and makes sure that it and its name are on disk.
fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A random UUID of version 4 with the ending.
fn file_name() -> String {
    let mut bits: u128 = rand::random();
    bits = bits & !(0xF << 76) | 4 << 76;
    bits = bits & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    let (a, b, c, d, e) = (part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32));
    format!("{a}-{b}-{c}-{d}-{e}.{EXTENSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_random_uuids_of_version_4() {
        let (first, second) = (file_name(), file_name());
        assert_ne!(first, second);
        let stem = first.strip_suffix(".json").expect("the ending");
        let lengths: Vec<usize> = stem.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&stem[14..15], "4");
        assert!(matches!(&stem[19..20], "8" | "9" | "a" | "b"), "{stem}");
    }

    #[test]
    fn a_message_is_in_its_file_when_it_is_stored() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path().join("new").join("folder");
        let checks = ClaimCheckFolder::open(root.to_str().expect("text"), false).expect("opened");
        let (path, location) = checks.place();
        assert_eq!(location, format!("file://{}", path.display()));
        checks.store(&path, b"{}").expect("stored");
        assert_eq!(std::fs::read(&path).expect("file"), br#"{"key":null,"value":"e30="}"#);
        let error = checks.store(&path, b"other").expect_err("never written over");
        assert_eq!(error.code, "CDC:ErrExternalStorageAPI");
        assert_eq!(std::fs::read_dir(&root).expect("folder").count(), 1, "the probe is gone");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("file");
        let below = file.path().join("folder");
        let error = ClaimCheckFolder::open(below.to_str().expect("text"), true).expect_err("refused");
        assert_eq!(error.code, "CDC:ErrFailToCreateExternalStorage");
    }
}
