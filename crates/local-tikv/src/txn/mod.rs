//! Percolator commands as pure functions of a version view and the lock table.
//!
//! A command reads, decides, and leaves its effects in a [`WriteSet`]; nothing changes until the store applies it.

mod commit;
mod error;
mod gc;
mod pessimistic;
mod prewrite;
mod rollback;
mod status;

pub(crate) use commit::commit;
pub(crate) use error::{Conflict, TxnError};
pub(crate) use gc::collect_garbage;
pub(crate) use pessimistic::{LockOutcome, LockRequest, LockTarget, pessimistic_lock, pessimistic_rollback};
pub(crate) use prewrite::{Mutation, OnePhase, PessimisticCheck, Prewrite, prewrite};
pub(crate) use rollback::{batch_rollback, cleanup, resolve};
pub(crate) use status::{
    CheckStatus, SecondaryStatus, TxnStatus, check_secondary, check_txn_status, heart_beat,
};

#[cfg(test)]
mod model_tests;

use crate::cdc::{OldValue, RowChange, RowKind};
use crate::engine::{Change, EngineError, Family};
use crate::keys::EncodedKey;
use crate::mvcc::{self, Versions};
use crate::record::{Lock, LockKind, SHORT_VALUE_MAX_LEN, ValueRef, WriteKind, WriteRecord};
use crate::store::{InFlightGuard, LockChange, LockTable, MaxTs};
use bytes::Bytes;
use std::sync::Arc;

/// Effects of one command, applied atomically.
#[derive(Default)]
pub(crate) struct WriteSet {
    /// Changes of the engine.
    pub(crate) changes: Vec<Change>,
    /// Changes of the lock table.
    pub(crate) locks: Vec<LockChange>,
    /// What change feeds are told.
    pub(crate) rows: Vec<RowChange>,
    /// Size of `changes`, in bytes.
    pub(crate) bytes: usize,
}

impl WriteSet {
    /// Whether there is nothing to apply.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.locks.is_empty() && self.rows.is_empty()
    }

    fn push(&mut self, family: Family, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.changes.push(Change { family, key, value });
    }
}

/// A key in both forms.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// As the client sent it.
    pub(crate) raw: Bytes,
    /// As it is stored.
    pub(crate) encoded: EncodedKey,
}

impl Key {
    /// Encodes a raw key.
    pub(crate) fn new(raw: Bytes) -> Self {
        let encoded = EncodedKey::new(&raw);
        Self { raw, encoded }
    }
}

/// What a command works with.
pub(crate) struct Execution<'a, V> {
    /// Committed versions; stable for the latched keys.
    pub(crate) view: &'a V,
    /// All locks; stable for the latched keys.
    pub(crate) locks: &'a Arc<LockTable>,
    /// Largest timestamp that anybody may have read at.
    pub(crate) max_ts: &'a MaxTs,
    /// Region that the keys belong to.
    pub(crate) region_id: u64,
    /// Somebody listens to the region: read old values now, while the versions are at hand.
    pub(crate) wants_old_values: bool,
    /// Effects so far.
    pub(crate) writes: WriteSet,
    /// Announcement of a one-phase commit, to be kept until the effects are applied.
    pub(crate) in_flight: Option<InFlightGuard>,
}

impl<V: Versions> Execution<'_, V> {
    /// The lock of a key, if it belongs to the transaction.
    fn own_lock(&self, key: &Key, start_ts: u64) -> Option<Arc<Lock>> {
        self.locks.get(&key.raw).filter(|lock| lock.start_ts == start_ts)
    }

    fn put_lock(&mut self, key: &Key, lock: Lock) {
        if lock.kind != LockKind::Pessimistic {
            self.writes.push(Family::Lock, key.encoded.as_bytes().to_vec(), Some(lock.encode()));
        }
        self.writes.locks.push(LockChange { key: Box::from(&*key.raw), lock: Some(Arc::new(lock)) });
    }

    fn remove_lock(&mut self, key: &Key, lock: &Lock) {
        if lock.kind != LockKind::Pessimistic {
            self.writes.push(Family::Lock, key.encoded.as_bytes().to_vec(), None);
        }
        self.writes.locks.push(LockChange { key: Box::from(&*key.raw), lock: None });
    }

    fn put_version(&mut self, key: &Key, commit_ts: u64, record: &WriteRecord) {
        self.writes.push(Family::Write, key.encoded.version(commit_ts), Some(record.encode()));
    }

    /// Says where the value goes; a long one is written to its place.
    fn store_value(&mut self, key: &Key, start_ts: u64, value: &Bytes) -> ValueRef {
        if value.len() <= SHORT_VALUE_MAX_LEN {
            // A copy: the slice of the request would keep the whole request in memory.
            return ValueRef::Short(Bytes::copy_from_slice(value));
        }
        self.writes.push(Family::Default, key.encoded.version(start_ts), Some(value.to_vec()));
        ValueRef::Long(u32::try_from(value.len()).unwrap_or(u32::MAX))
    }

    /// Leaves the mark that the transaction can never commit on this key.
    fn mark_rollback(&mut self, key: &Key, start_ts: u64) -> Result<(), EngineError> {
        let at_start = self.view.versions(&key.encoded, start_ts).next().transpose()?;
        let record = match at_start {
            Some((ts, record)) if ts == start_ts && record.kind != WriteKind::Rollback => {
                WriteRecord { overlapped_rollback: true, ..record }
            }
            _ => WriteRecord::rollback(start_ts),
        };
        self.put_version(key, start_ts, &record);
        Ok(())
    }

    /// Undoes a lock of the transaction, with the mark.
    fn roll_back_lock(&mut self, key: &Key, lock: &Lock) -> Result<(), EngineError> {
        self.undo_lock(key, lock);
        self.mark_rollback(key, lock.start_ts)
    }

    /// Undoes a lock of the transaction, without a trace.
    fn undo_lock(&mut self, key: &Key, lock: &Lock) {
        self.remove_lock(key, lock);
        if matches!(lock.value, ValueRef::Long(_)) {
            self.writes.push(Family::Default, key.encoded.version(lock.start_ts), None);
        }
        if lock.kind.changes_data() {
            self.writes.rows.push(RowChange {
                kind: RowKind::Rollback,
                key: key.raw.clone(),
                start_ts: lock.start_ts,
                commit_ts: 0,
                is_put: false,
                value: Bytes::new(),
                old_value: OldValue::Known(Bytes::new()),
                txn_source: lock.txn_source,
            });
        }
    }

    /// The value before a write, if somebody listens: what was visible at `read_ts`.
    fn old_value(
        &self,
        key: &Key,
        read_ts: u64,
        newest: Option<Option<&(u64, WriteRecord)>>,
    ) -> Result<OldValue, EngineError> {
        if !self.wants_old_values {
            return Ok(OldValue::Unread { read_ts });
        }
        let value = match newest {
            Some(None) => None,
            Some(Some((commit_ts, record))) if *commit_ts <= read_ts => {
                Some(mvcc::value_of(self.view, &key.encoded, record.start_ts, &record.value)?)
            }
            _ => mvcc::get(self.view, &key.encoded, read_ts)?,
        };
        Ok(OldValue::Known(value.unwrap_or_default()))
    }
}
