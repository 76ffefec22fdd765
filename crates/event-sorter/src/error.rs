//! Errors of the sorter.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the sorter refused or failed. Cheap to clone: a failed spill is reported to every table.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SorterError {
    /// The directory is in use by another sorter.
    #[error("the sorter directory {dir} is in use by another process")]
    DirectoryInUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The disk under the sorter directory is full.
    #[error("no space left for sorter files at {path}")]
    DiskFull {
        /// File or directory that could not grow.
        path: PathBuf,
    },
    /// Another error of the file system.
    #[error("sorter file {path}: {source}")]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A block read back from disk is not what was written.
    #[error("sorter file {path} is corrupt at offset {offset}: {reason}")]
    Corrupt {
        /// File.
        path: PathBuf,
        /// Offset of the block.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A row came after the resolved ts of its table had passed it: order and completeness would be lost.
    #[error("a row of table {table} committed at {commit_ts} arrived after resolved ts {resolved_ts}")]
    LateRow {
        /// Physical table id.
        table: i64,
        /// Commit ts of the row.
        commit_ts: u64,
        /// Resolved ts of the table at that time.
        resolved_ts: u64,
    },
    /// A row would have been handed out after one that comes later: a broken invariant, never expected.
    #[error("table {table}: a row committed at {commit_ts} would have been handed out too late")]
    Disorder {
        /// Physical table id.
        table: i64,
        /// Commit ts of the row.
        commit_ts: u64,
    },
    /// The table is not known: it was never added, or has been removed.
    #[error("table {table} is not in the sorter")]
    UnknownTable {
        /// Physical table id.
        table: i64,
    },
    /// The thread that writes runs could not be started.
    #[error("cannot start the spill thread: {source}")]
    Thread {
        /// What the operating system said.
        source: Arc<io::Error>,
    },
}

impl SorterError {
    /// Wraps an error of the file system.
    pub(crate) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { path, source: Arc::new(source) },
        }
    }
}
