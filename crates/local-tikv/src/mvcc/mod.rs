//! Multi-version reads: what a key was at a timestamp, and what became of a transaction on it.
//!
//! Everything here is a pure function of a [`Versions`] view.

mod scan;

pub(crate) use scan::{Found, Override, scan};

use crate::engine::EngineError;
use crate::keys::{EncodedKey, split_version};
use crate::record::{ValueRef, WriteKind, WriteRecord};
use bytes::Bytes;
use std::ops::Bound;

/// One entry of the `write` keyspace, not yet decoded.
pub(crate) struct RawVersion {
    /// Version key: memcomparable user key and timestamp.
    pub(crate) key: fjall::Slice,
    /// Encoded [`WriteRecord`].
    pub(crate) value: fjall::Slice,
}

impl RawVersion {
    /// The memcomparable user key and the commit timestamp.
    pub(crate) fn split(&self) -> Result<(&[u8], u64), EngineError> {
        split_version(&self.key).ok_or(EngineError::Key(self.key.len()))
    }

    /// Decodes the record.
    pub(crate) fn record(&self) -> Result<WriteRecord, EngineError> {
        Ok(WriteRecord::decode(&self.value)?)
    }
}

/// Versions in key order, newest first per key.
pub(crate) type VersionIter = Box<dyn DoubleEndedIterator<Item = Result<RawVersion, EngineError>> + Send>;

/// A consistent view of all versions.
pub(crate) trait Versions {
    /// Versions between two version keys.
    fn range(&self, start: Bound<Vec<u8>>, end: Bound<Vec<u8>>) -> VersionIter;

    /// The value of a `Put` that is too long for its record.
    fn long_value(&self, key: &EncodedKey, start_ts: u64) -> Result<Option<Bytes>, EngineError>;

    /// Versions of one key with a timestamp of at most `from_ts`, newest first.
    fn versions(
        &self,
        key: &EncodedKey,
        from_ts: u64,
    ) -> impl Iterator<Item = Result<(u64, WriteRecord), EngineError>>
    where
        Self: Sized,
    {
        self.range(Bound::Included(key.version(from_ts)), Bound::Included(key.version(0))).map(|version| {
            let version = version?;
            let (_, commit_ts) = version.split()?;
            Ok((commit_ts, version.record()?))
        })
    }
}

/// The value that `record` stands for; empty for anything but a `Put`.
pub(crate) fn value_of(
    view: &impl Versions,
    key: &EncodedKey,
    start_ts: u64,
    value: &ValueRef,
) -> Result<Bytes, EngineError> {
    match value {
        ValueRef::None => Ok(Bytes::new()),
        ValueRef::Short(value) => Ok(value.clone()),
        ValueRef::Long(_) => view.long_value(key, start_ts)?.ok_or(EngineError::MissingValue { start_ts }),
    }
}

/// The newest version at or before `ts` that changed data, with its commit timestamp.
pub(crate) fn data_version(
    view: &impl Versions,
    key: &EncodedKey,
    ts: u64,
) -> Result<Option<(u64, WriteRecord)>, EngineError> {
    for version in view.versions(key, ts) {
        let (commit_ts, record) = version?;
        if record.kind.changes_data() {
            return Ok(Some((commit_ts, record)));
        }
    }
    Ok(None)
}

/// What a snapshot read at `ts` sees, locks aside.
pub(crate) fn get(view: &impl Versions, key: &EncodedKey, ts: u64) -> Result<Option<Bytes>, EngineError> {
    match data_version(view, key, ts)? {
        Some((_, record)) if record.kind == WriteKind::Put => {
            value_of(view, key, record.start_ts, &record.value).map(Some)
        }
        _ => Ok(None),
    }
}

/// What became of a transaction on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Committed there.
    Committed {
        /// When.
        commit_ts: u64,
        /// As what.
        kind: WriteKind,
    },
    /// Rolled back there.
    RolledBack,
    /// No trace of it. A version of another transaction may sit at exactly this start ts.
    Unknown {
        /// That version.
        overlapping: Option<WriteRecord>,
    },
}

/// Looks for the record of the transaction that started at `start_ts`.
pub(crate) fn fate(view: &impl Versions, key: &EncodedKey, start_ts: u64) -> Result<Fate, EngineError> {
    for version in view.versions(key, u64::MAX) {
        let (commit_ts, record) = version?;
        if commit_ts < start_ts {
            break;
        }
        if record.start_ts == start_ts {
            return Ok(match record.kind {
                WriteKind::Rollback => Fate::RolledBack,
                kind => Fate::Committed { commit_ts, kind },
            });
        }
        if commit_ts == start_ts {
            return Ok(if record.overlapped_rollback {
                Fate::RolledBack
            } else {
                Fate::Unknown { overlapping: Some(record) }
            });
        }
    }
    Ok(Fate::Unknown { overlapping: None })
}
