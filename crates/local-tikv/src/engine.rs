//! The key-value engine under the store: fjall with one keyspace per column family of TiKV.

use crate::keys::EncodedKey;
use crate::mvcc::{RawVersion, VersionIter, Versions};
use crate::record::{Lock, RecordError};
use bytes::Bytes;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

/// Journals are cut once they hold this much in total, in bytes.
const MAX_JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// Threads that flush memtables and compact.
const BACKGROUND_THREADS: usize = 2;
/// Journal entries are compressed: rows are repetitive and the journal is written once and read rarely.
const JOURNAL_COMPRESSION: fjall::CompressionType = fjall::CompressionType::Lz4;

/// The engine failed, or holds something it should not.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The storage library failed; after a failed write the store takes no more writes.
    #[error("storage: {0}")]
    Storage(#[source] Arc<fjall::Error>),
    /// A record on disk does not decode.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A key on disk does not decode.
    #[error("malformed key of {0} bytes in the store")]
    Key(usize),
    /// A version points to a value that is not there.
    #[error("the value of version {start_ts} is missing")]
    MissingValue {
        /// Start timestamp of the version.
        start_ts: u64,
    },
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl From<fjall::Error> for EngineError {
    fn from(error: fjall::Error) -> Self {
        Self::Storage(Arc::new(error))
    }
}

/// Sizes of the engine's buffers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineOptions {
    /// Block cache, in bytes.
    pub(crate) cache_bytes: u64,
    /// Memtable of each keyspace, in bytes.
    pub(crate) memtable_bytes: u64,
}

/// Column family of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Long values by (key, start ts).
    Default,
    /// Locks by key.
    Lock,
    /// Versions by (key, commit ts).
    Write,
    /// The store's own records.
    Meta,
}

/// One change of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Where.
    pub(crate) family: Family,
    /// Full key.
    pub(crate) key: Vec<u8>,
    /// New value; `None` removes the key.
    pub(crate) value: Option<Vec<u8>>,
}

/// The open database.
#[derive(Clone)]
pub(crate) struct Engine {
    db: Database,
    default: Keyspace,
    lock: Keyspace,
    write: Keyspace,
    meta: Keyspace,
}

impl Engine {
    /// Opens or creates the database in `dir`.
    pub(crate) fn open(dir: &Path, options: EngineOptions) -> Result<Self, EngineError> {
        let db = Database::builder(dir)
            .cache_size(options.cache_bytes)
            .worker_threads(BACKGROUND_THREADS)
            .max_journaling_size(MAX_JOURNAL_BYTES)
            .journal_compression(JOURNAL_COMPRESSION)
            .manual_journal_persist(true)
            .open()?;
        let keyspace = |name: &str| {
            db.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(options.memtable_bytes))
        };
        let (default, lock) = (keyspace("default")?, keyspace("lock")?);
        let (write, meta) = (keyspace("write")?, keyspace("meta")?);
        Ok(Self { db, default, lock, write, meta })
    }

    fn family(&self, family: Family) -> &Keyspace {
        match family {
            Family::Default => &self.default,
            Family::Lock => &self.lock,
            Family::Write => &self.write,
            Family::Meta => &self.meta,
        }
    }

    /// Applies `changes` atomically; they are on disk when it returns.
    pub(crate) fn commit(
        &self,
        changes: impl Iterator<Item = Change>,
        size_hint: usize,
    ) -> Result<(), EngineError> {
        let mut batch = fjall::OwnedWriteBatch::with_capacity(self.db.clone(), size_hint)
            .durability(Some(PersistMode::SyncData));
        for change in changes {
            let keyspace = self.family(change.family);
            match change.value {
                Some(value) => batch.insert(keyspace, change.key, value),
                None => batch.remove(keyspace, change.key),
            }
        }
        Ok(batch.commit()?)
    }

    /// A consistent view of everything committed so far.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { at: self.db.snapshot(), default: self.default.clone(), write: self.write.clone() }
    }

    /// Reads one of the store's own records.
    pub(crate) fn meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.meta.get(key)?.map(|value| value.to_vec()))
    }

    /// Reads all of the store's own records whose keys start with `prefix`, in key order.
    pub(crate) fn meta_by_prefix(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, EngineError> {
        self.meta.prefix(prefix).map(|guard| Ok(guard.value()?.to_vec())).collect()
    }

    /// Every lock on disk with its raw key, in key order.
    pub(crate) fn locks(&self) -> impl Iterator<Item = Result<(Vec<u8>, Lock), EngineError>> {
        self.lock.iter().map(|guard| {
            let (key, value) = guard.into_inner()?;
            let raw = crate::keys::decode(&key).ok_or(EngineError::Key(key.len()))?;
            Ok((raw, Lock::decode(&value)?))
        })
    }

    /// Brings everything written so far to the disk.
    pub(crate) fn sync(&self) -> Result<(), EngineError> {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }
}

/// A consistent view of the store.
#[derive(Clone)]
pub(crate) struct Snapshot {
    at: fjall::Snapshot,
    default: Keyspace,
    write: Keyspace,
}

impl Versions for Snapshot {
    fn range(&self, start: Bound<Vec<u8>>, end: Bound<Vec<u8>>) -> VersionIter {
        let iter = self.at.range::<Vec<u8>, _>(&self.write, (start, end));
        Box::new(iter.map(|guard| {
            let (key, value) = guard.into_inner()?;
            Ok(RawVersion { key, value })
        }))
    }

    fn long_value(&self, key: &EncodedKey, start_ts: u64) -> Result<Option<Bytes>, EngineError> {
        Ok(self.at.get(&self.default, key.version(start_ts))?.map(|value| Bytes::copy_from_slice(&value)))
    }
}
