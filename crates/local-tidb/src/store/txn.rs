//! A session's transaction: reads at its own or at the newest timestamp, merged with its own writes; locks; commit.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tikv_client::{
    Error, KeyLock, KvPair, LockOptions, LockWait, Snapshot, TikvClient, Transaction, TransactionOptions,
};

use super::writes::{Write, Writes};
use crate::catalog::Schema;
use crate::storage_error::from_client;
use tidb_expr::{Result, SqlError};

/// Largest transaction in bytes of keys and values, TiDB's `txn-total-size-limit`.
pub(crate) const MAX_TRANSACTION_BYTES: usize = 100 << 20;

/// How conflicts are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxnMode {
    /// At commit.
    Optimistic,
    /// By locks on every row that a statement changes.
    Pessimistic,
}

/// A transaction under way.
#[derive(Debug)]
pub(crate) struct Txn {
    /// The transaction on the store.
    kv: Transaction,
    /// Where the running statement reads.
    view: Snapshot,
    /// What it has written so far.
    writes: Writes,
    /// How conflicts are found.
    pub(crate) mode: TxnMode,
    /// The schema that it runs on.
    pub(crate) schema: Arc<Schema>,
    /// Ids of the tables that it has written to.
    pub(crate) changed_tables: BTreeSet<i64>,
    /// Savepoints by lower-case name, each with the number of changes before it.
    savepoints: Vec<(String, usize)>,
    /// How long it waits for locks.
    lock_wait: Duration,
}

impl Txn {
    /// Starts a transaction at a fresh timestamp.
    ///
    /// # Errors
    /// The timestamp service does not answer.
    pub(crate) async fn begin(
        client: &TikvClient,
        mode: TxnMode,
        schema: Arc<Schema>,
        txn_source: u64,
        lock_wait: Duration,
    ) -> Result<Self> {
        let mut options = match mode {
            TxnMode::Optimistic => TransactionOptions::optimistic(),
            TxnMode::Pessimistic => TransactionOptions::pessimistic(),
        };
        options.txn_source = txn_source;
        options.request_source = "local-tidb".to_owned();
        let kv = client.begin(options.one_pc()).await.map_err(from_client)?;
        let view = kv.snapshot().clone();
        Ok(Self {
            kv,
            view,
            writes: Writes::default(),
            mode,
            schema,
            changed_tables: BTreeSet::new(),
            savepoints: Vec::new(),
            lock_wait,
        })
    }

    /// Start timestamp.
    pub(crate) fn start_ts(&self) -> u64 {
        self.kv.start_ts()
    }

    /// Whether every statement locks what it changes.
    pub(crate) fn is_pessimistic(&self) -> bool {
        self.mode == TxnMode::Pessimistic
    }

    /// Lets the statement that follows read the newest committed data.
    ///
    /// # Errors
    /// The timestamp service does not answer.
    pub(crate) async fn read_newest(&mut self) -> Result<()> {
        let ts = self.kv.client().pd().get_ts().await.map_err(from_client)?;
        self.view = self.kv.client().snapshot(ts);
        Ok(())
    }

    /// Lets the statement that follows read as of the transaction's start.
    pub(crate) fn read_at_start(&mut self) {
        self.view = self.kv.snapshot().clone();
    }

    /// The value of a key.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        match self.writes.get(key) {
            Some(write) => Ok(write.value.clone()),
            None => self.view.get(key).await.map_err(from_client),
        }
    }

    /// The values of those of the keys that have one.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn batch_get(&self, keys: Vec<Bytes>) -> Result<HashMap<Bytes, Bytes>> {
        let mut found = HashMap::new();
        let mut others = Vec::with_capacity(keys.len());
        for key in keys {
            match self.writes.get(&key) {
                Some(Write { value: Some(value), .. }) => {
                    found.insert(key, value.clone());
                }
                Some(_) => {}
                None => others.push(key),
            }
        }
        match others.as_slice() {
            [] => {}
            [one] => {
                if let Some(value) = self.view.get(one).await.map_err(from_client)? {
                    found.insert(one.clone(), value);
                }
            }
            _ => found.extend(self.view.batch_get(others).await.map_err(from_client)?),
        }
        Ok(found)
    }

    /// At most `limit` pairs of a range in key order, or against it.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        limit: usize,
        reverse: bool,
    ) -> Result<Vec<KvPair>> {
        let mut own: VecDeque<(Bytes, Option<Bytes>)> =
            self.writes.range(start, end).map(|(key, write)| (key.clone(), write.value.clone())).collect();
        if own.is_empty() {
            return self.view.scan(start, end, limit, reverse).await.map_err(from_client);
        }
        if reverse {
            own.make_contiguous().reverse();
        }
        // Each own delete may hide one stored pair.
        let hidden = own.iter().filter(|(_, value)| value.is_none()).count();
        let wanted = limit.saturating_add(hidden);
        let mut stored: VecDeque<KvPair> =
            self.view.scan(start, end, wanted, reverse).await.map_err(from_client)?.into();
        let comes_first = |a: &Bytes, b: &Bytes| if reverse { a > b } else { a < b };
        let mut out = Vec::with_capacity(limit.min(stored.len() + own.len()));
        while out.len() < limit {
            match (stored.front(), own.front()) {
                (None, None) => break,
                (Some(pair), Some((key, _))) if comes_first(&pair.key, key) => out.extend(stored.pop_front()),
                (Some(_), None) => out.extend(stored.pop_front()),
                (other, Some((key, _))) => {
                    if other.is_some_and(|pair| pair.key == *key) {
                        stored.pop_front();
                    }
                    if let Some((key, Some(value))) = own.pop_front() {
                        out.push(KvPair { key, value });
                    }
                }
            }
        }
        Ok(out)
    }

    /// 8004 for a transaction that is too large.
    fn check_size(&self) -> Result<()> {
        if self.writes.bytes() > MAX_TRANSACTION_BYTES {
            return Err(SqlError::new(
                8004,
                format!("Transaction is too large, size: {}", self.writes.bytes()),
            ));
        }
        Ok(())
    }

    /// Sets a key.
    ///
    /// # Errors
    /// 8004 when the transaction has grown too large.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        let must_be_new = self.writes.get(&key).is_some_and(|w| w.must_be_new);
        self.writes.set(key.into(), Write { value: Some(value.into()), must_be_new });
        self.check_size()
    }

    /// Sets a key whose absence the commit shall check. The caller has made sure that this transaction itself has
    /// not given it a value.
    ///
    /// # Errors
    /// 8004 when the transaction has grown too large.
    pub(crate) fn put_new(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<()> {
        let must_be_new = self.writes.get(&key).is_none_or(|w| w.must_be_new);
        self.writes.set(key.into(), Write { value: Some(value.into()), must_be_new });
        self.check_size()
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// 8004 when the transaction has grown too large.
    pub(crate) fn delete(&mut self, key: Vec<u8>) -> Result<()> {
        let must_be_new = self.writes.get(&key).is_some_and(|w| w.must_be_new);
        self.writes.set(key.into(), Write { value: None, must_be_new });
        self.check_size()
    }

    /// What this transaction has itself written to a key: `Some(true)` a value, `Some(false)` a delete.
    pub(crate) fn own_write(&self, key: &[u8]) -> Option<bool> {
        self.writes.get(key).map(|w| w.value.is_some())
    }

    /// The present state of the writes.
    pub(crate) fn mark(&self) -> usize {
        self.writes.mark()
    }

    /// Takes back the writes since a mark; locks stay.
    pub(crate) fn undo_to(&mut self, mark: usize) {
        self.writes.undo_to(mark);
    }

    /// A statement has ended well: nothing but savepoints may be gone back to.
    pub(crate) fn statement_done(&mut self) {
        if self.savepoints.is_empty() {
            self.writes.forget_undo();
        }
    }

    /// Sets a savepoint; one of the same name is replaced.
    pub(crate) fn savepoint(&mut self, name: &str) {
        let lower = crate::catalog::lower(name);
        self.savepoints.retain(|(n, _)| *n != lower);
        let mark = self.writes.mark();
        self.savepoints.push((lower, mark));
    }

    /// Goes back to a savepoint, which stays.
    ///
    /// # Errors
    /// 1305 when there is none of the name.
    pub(crate) fn rollback_to(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint(name)?;
        if let Some((_, mark)) = self.savepoints.get(at) {
            let mark = *mark;
            self.writes.undo_to(mark);
        }
        self.savepoints.truncate(at + 1);
        Ok(())
    }

    /// Forgets a savepoint and those after it.
    ///
    /// # Errors
    /// 1305 when there is none of the name.
    pub(crate) fn release_savepoint(&mut self, name: &str) -> Result<()> {
        let at = self.find_savepoint(name)?;
        self.savepoints.truncate(at);
        Ok(())
    }

    /// Place of a savepoint; 1305 without one.
    fn find_savepoint(&self, name: &str) -> Result<usize> {
        let lower = crate::catalog::lower(name);
        let found = self.savepoints.iter().position(|(n, _)| *n == lower);
        found.ok_or_else(|| SqlError::new(1305, format!("SAVEPOINT {name} does not exist")))
    }

    /// Locks keys that must not have changed since the statement's read.
    ///
    /// # Errors
    /// As the store answers: conflicts (repeat the statement on fresh data), timeouts, deadlocks.
    pub(crate) async fn lock(&mut self, keys: Vec<Bytes>, no_wait: bool) -> std::result::Result<(), Error> {
        if !self.is_pessimistic() {
            return Ok(());
        }
        let wanted: Vec<KeyLock> =
            keys.into_iter().filter(|k| !self.kv.holds_lock(k)).map(KeyLock::new).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wait = if no_wait { LockWait::NoWait } else { LockWait::AtMost(self.lock_wait) };
        let options = LockOptions { for_update_ts: Some(self.view.ts()), wait, ..LockOptions::default() };
        self.kv.lock_keys(wanted, options).await.map(|_| ())
    }

    /// Whether anything is to be written.
    pub(crate) fn has_writes(&self) -> bool {
        self.writes.len() > 0
    }

    /// All writes in key order: for messages about duplicates.
    pub(crate) fn all_writes(&self) -> impl Iterator<Item = (&Bytes, &Write)> {
        self.writes.iter()
    }

    /// Hands the writes over to the storage transaction.
    fn flush(&mut self) -> std::result::Result<(), Error> {
        for (key, write) in self.writes.take() {
            match write {
                Write { value: Some(value), must_be_new: true } => self.kv.insert(key, value)?,
                Write { value: Some(value), must_be_new: false } => self.kv.put(key, value)?,
                Write { value: None, must_be_new: true } => {
                    self.kv.insert(key.clone(), Bytes::from_static(b"0"))?;
                    self.kv.delete(key)?;
                }
                Write { value: None, must_be_new: false } => self.kv.delete(key)?,
            }
        }
        Ok(())
    }

    /// Commits; returns the commit timestamp, if anything was written.
    ///
    /// # Errors
    /// As the store answers; nothing is then committed unless the outcome is undetermined.
    pub(crate) async fn commit(mut self) -> std::result::Result<Option<u64>, Error> {
        self.flush()?;
        self.kv.commit().await.map(|info| info.commit_ts)
    }

    /// Gives everything up.
    pub(crate) async fn rollback(mut self) {
        if let Err(error) = self.kv.rollback().await {
            tracing::debug!(%error, "rollback");
        }
    }
}
