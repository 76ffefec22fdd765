//! The incremental scan: what a feed missed before it subscribed.
//!
//! Per key, in key order: first the lock, then the commits after the checkpoint from the newest to the oldest, each
//! with the value before it.

use super::hub::Subscription;
use crate::engine::{EngineError, Snapshot};
use crate::keys::{self, EncodedKey};
use crate::mvcc::{self, VersionIter, Versions};
use crate::record::{Lock, LockKind, WriteKind, WriteRecord};
use bytes::Bytes;
use std::ops::Bound;
use std::sync::Arc;
use tikv_proto::cdcpb::event::{LogType, Row, row::OpType};

/// A step returns once it has rows of this size, in bytes.
const STEP_BYTES: usize = 256 * 1024;
/// A step returns after so many versions, whether it found rows or not.
const STEP_VERSIONS: usize = 16 * 1024;
/// After so many versions of no use the scan seeks to the next key.
const SEEK_AFTER: usize = 8;

/// A scan under way.
pub(super) struct IncrementalScan {
    view: Snapshot,
    subscription: Arc<Subscription>,
    end: Bound<Vec<u8>>,
    iter: VersionIter,
    locks: std::vec::IntoIter<(Vec<u8>, Arc<Lock>)>,
    next_lock: Option<(Vec<u8>, Arc<Lock>)>,
    /// Memcomparable key that is being looked at.
    current: Vec<u8>,
    /// Its raw form; decoded when first needed.
    raw: Option<Bytes>,
    /// The commit that waits for its old value: the next older version.
    pending: Option<Row>,
    /// Nothing more is wanted of the current key.
    settled: bool,
    useless: usize,
    rows: Vec<Row>,
    bytes: usize,
}

impl IncrementalScan {
    /// Scans `view` for a subscription; `locks` are those of its range at the same moment, in key order.
    pub(super) fn new(
        view: Snapshot,
        subscription: Arc<Subscription>,
        locks: Vec<(Vec<u8>, Arc<Lock>)>,
    ) -> Self {
        let (start, end) = subscription.range.encoded();
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        let iter = view.range(Bound::Included(start), end.clone());
        let mut locks = locks.into_iter();
        let next_lock = locks.next();
        Self {
            view,
            subscription,
            end,
            iter,
            locks,
            next_lock,
            current: Vec::new(),
            raw: None,
            pending: None,
            settled: true,
            useless: 0,
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Goes on for a bounded time; returns the rows found and whether the scan is complete.
    pub(super) fn step(&mut self) -> Result<(Vec<Row>, bool), EngineError> {
        for _ in 0..STEP_VERSIONS {
            if self.bytes >= STEP_BYTES {
                break;
            }
            if !self.advance()? {
                self.finish_key();
                while self.next_lock.is_some() && self.bytes < STEP_BYTES {
                    self.emit_lock()?;
                }
                let complete = self.next_lock.is_none();
                return Ok((self.take_rows(), complete));
            }
        }
        Ok((self.take_rows(), false))
    }

    fn take_rows(&mut self) -> Vec<Row> {
        self.bytes = 0;
        std::mem::take(&mut self.rows)
    }

    /// Looks at the next version; false at the end.
    fn advance(&mut self) -> Result<bool, EngineError> {
        let Some(version) = self.iter.next() else { return Ok(false) };
        let version = version?;
        let (user, commit_ts) = version.split()?;
        if user != self.current.as_slice() {
            self.start_key(user)?;
        }
        if self.settled {
            self.useless += 1;
            if self.useless > SEEK_AFTER {
                let mut past = self.current.clone();
                past.extend_from_slice(&[u8::MAX; 8]);
                self.iter = self.view.range(Bound::Excluded(past), self.end.clone());
                self.useless = 0;
            }
            return Ok(true);
        }
        let record = version.record()?;
        if !record.kind.changes_data() {
            return Ok(true);
        }
        self.visit(commit_ts, &record)?;
        Ok(true)
    }

    fn start_key(&mut self, user: &[u8]) -> Result<(), EngineError> {
        self.finish_key();
        self.current.clear();
        self.current.extend_from_slice(user);
        self.raw = None;
        self.settled = false;
        self.useless = 0;
        if self.next_lock.is_some() {
            let raw = self.raw_key()?;
            while self.next_lock.as_ref().is_some_and(|(key, _)| key.as_slice() <= &*raw) {
                self.emit_lock()?;
            }
        }
        Ok(())
    }

    /// A data version of the current key: the old value of the one before it, and perhaps a commit to send.
    fn visit(&mut self, commit_ts: u64, record: &WriteRecord) -> Result<(), EngineError> {
        let is_new = commit_ts > self.subscription.checkpoint_ts;
        if self.pending.is_none() && !is_new {
            self.settled = true;
            return Ok(());
        }
        let raw = self.raw_key()?;
        let value = mvcc::value_of(&self.view, &EncodedKey::new(&raw), record.start_ts, &record.value)?;
        if let Some(mut row) = self.pending.take() {
            row.old_value = value.clone();
            self.push(row);
        }
        if !is_new {
            self.settled = true;
            return Ok(());
        }
        let is_put = record.kind == WriteKind::Put;
        self.pending = Some(Row {
            start_ts: record.start_ts,
            commit_ts,
            r#type: LogType::Committed.into(),
            op_type: if is_put { OpType::Put } else { OpType::Delete }.into(),
            key: raw,
            value,
            txn_source: record.txn_source,
            ..Row::default()
        });
        Ok(())
    }

    /// The current key has no older version.
    fn finish_key(&mut self) {
        if let Some(row) = self.pending.take() {
            self.push(row);
        }
    }

    fn emit_lock(&mut self) -> Result<(), EngineError> {
        let Some((key, lock)) = std::mem::replace(&mut self.next_lock, self.locks.next()) else {
            return Ok(());
        };
        let encoded = EncodedKey::new(&key);
        let read_ts = lock.for_update_ts.max(lock.start_ts);
        let row = Row {
            start_ts: lock.start_ts,
            r#type: LogType::Prewrite.into(),
            op_type: if lock.kind == LockKind::Put { OpType::Put } else { OpType::Delete }.into(),
            value: mvcc::value_of(&self.view, &encoded, lock.start_ts, &lock.value)?,
            old_value: mvcc::get(&self.view, &encoded, read_ts)?.unwrap_or_default(),
            key: key.into(),
            txn_source: lock.txn_source,
            ..Row::default()
        };
        self.push(row);
        Ok(())
    }

    fn push(&mut self, row: Row) {
        if self.subscription.wants(&row.key, row.txn_source) {
            self.bytes += super::row::row_size(&row);
            self.rows.push(row);
        }
    }

    fn raw_key(&mut self) -> Result<Bytes, EngineError> {
        if let Some(raw) = &self.raw {
            return Ok(raw.clone());
        }
        let raw = keys::decode(&self.current).ok_or(EngineError::Key(self.current.len()))?;
        Ok(self.raw.insert(raw.into()).clone())
    }
}
