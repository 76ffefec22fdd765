//! Percolator transactions.

mod buffer;
mod commit;
mod heartbeat;
mod locking;
mod plan;
mod prewrite;
mod reads;
mod rollback;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::client::TikvClient;
use crate::error::{Error, KeyText, Result};
use crate::snapshot::Snapshot;

pub use buffer::Savepoint;
pub use locking::{KeyLock, LockOptions, LockWait, LockedKey};

use buffer::WriteBuffer;
use heartbeat::Heartbeat;

/// How conflicts with other transactions are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransactionMode {
    /// At commit.
    #[default]
    Optimistic,
    /// By locks that are taken before, see [`Transaction::lock_keys`].
    Pessimistic,
}

/// How a transaction is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommitMode {
    /// Prewrite everywhere, then commit the primary key, then the others behind the caller's back.
    #[default]
    TwoPhase,
    /// One request if all keys fit into one request to one region, else as `TwoPhase`.
    OnePc,
}

/// How a transaction is to be run.
#[derive(Debug, Clone, Default)]
pub struct TransactionOptions {
    /// How conflicts are found.
    pub mode: TransactionMode,
    /// How it is committed.
    pub commit_mode: CommitMode,
    /// Its start timestamp; a fresh one if `None`.
    pub start_ts: Option<u64>,
    /// Marks the transaction's origin in the change stream; 0 for ordinary writes.
    pub txn_source: u64,
    /// Who asks, for the store's statistics.
    pub request_source: String,
    /// Latest commit timestamp that the store may choose in a one-request commit; 0 for no limit.
    pub max_commit_ts: u64,
}

impl TransactionOptions {
    /// An optimistic transaction.
    pub fn optimistic() -> Self {
        Self::default()
    }

    /// A pessimistic transaction.
    pub fn pessimistic() -> Self {
        Self { mode: TransactionMode::Pessimistic, ..Self::default() }
    }

    /// Commits in one request where that is possible.
    #[must_use]
    pub fn one_pc(mut self) -> Self {
        self.commit_mode = CommitMode::OnePc;
        self
    }
}

/// A finished commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitInfo {
    /// The transaction's start timestamp.
    pub start_ts: u64,
    /// Its commit timestamp; `None` if it wrote nothing.
    pub commit_ts: Option<u64>,
    /// Whether one request did it.
    pub one_pc: bool,
    /// Keys written.
    pub keys: usize,
}

/// How far a transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Reading and writing.
    Active,
    /// Locks are being written; it can still be rolled back.
    Prewriting,
    /// The commit of the primary key is under way: nobody but the store knows the outcome.
    Deciding,
    /// Committed.
    Committed,
    /// Rolled back, or failed and being rolled back.
    RolledBack,
}

/// What is known of a pessimistic lock that we hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HeldLock {
    /// The store has checked that the key does not exist.
    checked_absent: bool,
}

/// A transaction: reads see a snapshot and its own writes, writes are buffered until [`Transaction::commit`].
///
/// Dropping it without commit removes its locks in the background.
#[derive(Debug)]
pub struct Transaction {
    client: TikvClient,
    snapshot: Snapshot,
    options: TransactionOptions,
    state: State,
    writes: WriteBuffer,
    /// Pessimistic locks that we hold.
    locks: BTreeMap<Bytes, HeldLock>,
    /// Primary key, once a lock has been taken.
    primary: Option<Bytes>,
    /// Largest timestamp at which locks were taken.
    for_update_ts: u64,
    heartbeat: Option<Heartbeat>,
}

impl Transaction {
    /// See [`TikvClient::begin`].
    pub(crate) async fn begin(client: TikvClient, options: TransactionOptions) -> Result<Self> {
        let start_ts = match options.start_ts {
            Some(start_ts) => start_ts,
            None => client.pd().get_ts().await?,
        };
        Ok(Self {
            snapshot: client.snapshot(start_ts),
            client,
            options,
            state: State::Active,
            writes: WriteBuffer::default(),
            locks: BTreeMap::new(),
            primary: None,
            for_update_ts: 0,
            heartbeat: None,
        })
    }

    /// The start timestamp.
    pub fn start_ts(&self) -> u64 {
        self.snapshot.ts()
    }

    /// The snapshot that reads see, without the transaction's own writes.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The client.
    pub fn client(&self) -> &TikvClient {
        &self.client
    }

    /// How conflicts are found.
    pub fn mode(&self) -> TransactionMode {
        self.options.mode
    }

    /// Number of keys written so far.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether nothing has been written so far.
    pub fn is_empty(&self) -> bool {
        self.writes.len() == 0
    }

    /// Bytes of keys and values written so far.
    pub fn size(&self) -> usize {
        self.writes.bytes()
    }

    /// Whether we hold a pessimistic lock on a key.
    pub fn holds_lock(&self, key: &[u8]) -> bool {
        self.locks.contains_key(key)
    }

    /// Sets a key.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or [`Error::TransactionEnded`]; the same holds for all writes.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Result<()> {
        let (key, value) = (key.into(), value.into());
        self.check_room(&key, value.len())?;
        self.writes.put(key, value);
        Ok(())
    }

    /// Sets a key that must not exist; the store checks that at commit, unless [`Transaction::lock_keys`] has.
    ///
    /// # Errors
    /// [`Error::KeyExists`] if this transaction has written the key itself; else as [`Transaction::put`].
    pub fn insert(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Result<()> {
        let (key, value) = (key.into(), value.into());
        self.check_room(&key, value.len())?;
        self.writes.insert(key.clone(), value).map_err(|_| Error::KeyExists { key: KeyText(key) })
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// As [`Transaction::put`].
    pub fn delete(&mut self, key: impl Into<Bytes>) -> Result<()> {
        let key = key.into();
        self.check_room(&key, 0)?;
        self.writes.delete(key);
        Ok(())
    }

    /// Marks the present state of the writes, to be closed by [`Transaction::release`] or [`Transaction::rollback_to`].
    /// Savepoints nest: the last opened is closed first.
    pub fn savepoint(&mut self) -> Savepoint {
        self.writes.savepoint()
    }

    /// Closes a savepoint and keeps the writes since.
    pub fn release(&mut self, savepoint: Savepoint) {
        self.writes.release(savepoint);
    }

    /// Closes a savepoint and undoes the writes since. Locks stay.
    pub fn rollback_to(&mut self, savepoint: Savepoint) {
        self.writes.rollback_to(savepoint);
    }

    /// Refuses work after the end.
    fn check_active(&self) -> Result<()> {
        let state = match self.state {
            State::Active => return Ok(()),
            State::Committed => "committed",
            State::Prewriting | State::RolledBack => "rolled back",
            State::Deciding => "left undetermined",
        };
        Err(Error::TransactionEnded { start_ts: self.start_ts(), state })
    }

    /// Refuses entries and transactions that are too large.
    fn check_room(&self, key: &Bytes, value_len: usize) -> Result<()> {
        self.check_active()?;
        let config = self.client.config();
        let entry = key.len() + value_len;
        let too_large = |what, size, limit| Error::TooLarge { start_ts: self.start_ts(), what, size, limit };
        if entry > config.max_entry_bytes {
            return Err(too_large("entry", entry, config.max_entry_bytes));
        }
        let total = self.writes.bytes().saturating_add(entry);
        if total > config.max_transaction_bytes {
            return Err(too_large("transaction", total, config.max_transaction_bytes));
        }
        Ok(())
    }
}

/// Time that a large or pessimistic transaction's locks live without a heartbeat, the value of TiDB's own client.
const MANAGED_LOCK_TTL: Duration = Duration::from_secs(20);
