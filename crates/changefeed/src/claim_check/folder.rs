//! Large messages in files.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::FeedError;

/// A folder for large messages. Nothing in it is ever removed: only consumers know what they have read.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder if it must, and proves that files can be written. Blocks.
    pub(super) fn open(folder: &str) -> Result<Self, FeedError> {
        let opened = Self(PathBuf::from(folder));
        let probe = || {
            std::fs::create_dir_all(&opened.0)?;
            let path = opened.0.join(super::object_name());
            write_durably(&path, b"")?;
            std::fs::remove_file(&path)
        };
        probe().map_err(|e| {
            let message = format!("claim-check-storage-uri: cannot write to {}: {e}", opened.0.display());
            FeedError::new("CDC:ErrFailToCreateExternalStorage", message)
        })?;
        Ok(opened)
    }

    /// A folder that is only read.
    pub(super) fn of(folder: &str) -> Self {
        Self(PathBuf::from(folder))
    }

    /// What consumers are told of a message.
    pub(super) fn location(&self, name: &str) -> String {
        format!("file://{}", self.0.join(name).display())
    }

    /// Reads a message. Blocks.
    pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.0.join(name))
    }

    /// Stores a message. It is on disk when this returns. Blocks.
    pub(super) fn store(&self, name: &str, content: &[u8]) -> io::Result<()> {
        write_durably(&self.0.join(name), content)
    }
}

/// Writes a new file and makes sure that it and its name are on disk.
fn write_durably(path: &std::path::Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_in_its_file_when_it_is_stored() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path().join("new").join("folder");
        let checks = Folder::open(root.to_str().expect("text")).expect("opened");
        assert_eq!(checks.location("a.json"), format!("file://{}/a.json", root.display()));
        checks.store("a.json", b"{}").expect("stored");
        assert_eq!(std::fs::read(root.join("a.json")).expect("file"), b"{}");
        checks.store("a.json", b"other").expect_err("never written over");
        assert_eq!(std::fs::read_dir(&root).expect("folder").count(), 1, "the probe is gone");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("file");
        let below = file.path().join("folder");
        let error = Folder::open(below.to_str().expect("text")).expect_err("refused");
        assert_eq!(error.code, "CDC:ErrFailToCreateExternalStorage");
    }
}
