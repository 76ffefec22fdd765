//! Group commit: one thread turns the writes that arrive together into one batch and one disk sync.
//!
//! After the sync it applies each write set in order: change feeds first, then the lock table, so that a resolved
//! timestamp never passes an event that is not queued yet; then waiting transactions and the client are told.

use super::{LatchGuard, LockChange, LockTable, LockWaits};
use crate::cdc::{Hub, RowChange};
use crate::engine::{Engine, EngineError};
use crate::keys::EncodedKey;
use crate::mvcc;
use crate::region::{Region, WritePass};
use crate::store::InFlightGuard;
use crate::txn::WriteSet;
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

/// Write sets that may wait for the thread; beyond it senders wait.
const MAX_QUEUED: usize = 1024;
/// Write sets of one batch.
const MAX_GROUP: usize = 512;
/// A batch is closed once it holds this many bytes.
const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// What a write keeps to itself until it is applied.
#[derive(Default)]
pub(crate) struct Guards {
    /// Announcement of a one-phase commit.
    pub(crate) in_flight: Option<InFlightGuard>,
    /// Latches on its keys.
    pub(crate) latch: Option<LatchGuard>,
    /// Keeps splits away.
    pub(crate) pass: Option<WritePass>,
}

impl Guards {
    /// Lets others go on.
    pub(crate) fn release(self) {
        let Self { in_flight, latch, pass } = self;
        drop(in_flight);
        drop(latch);
        drop(pass);
    }
}

/// A write on its way to the disk.
pub(crate) struct Pending {
    /// Region of its keys.
    pub(crate) region: Arc<Region>,
    /// Its effects.
    pub(crate) writes: WriteSet,
    /// Released after application.
    pub(crate) guards: Guards,
    /// Told the outcome.
    pub(crate) done: Box<dyn FnOnce(Result<(), EngineError>) + Send>,
}

enum Message {
    Write(Pending),
    Run(Box<dyn FnOnce() + Send>),
    Stop,
}

/// What application needs.
pub(crate) struct Applier {
    /// The engine.
    pub(crate) engine: Engine,
    /// The lock table.
    pub(crate) locks: Arc<LockTable>,
    /// Change feeds.
    pub(crate) hub: Arc<Hub>,
    /// Waiting transactions.
    pub(crate) waits: Arc<LockWaits>,
}

/// Handle of the thread.
pub(crate) struct Committer {
    sender: SyncSender<Message>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Committer {
    /// Starts the thread.
    pub(crate) fn start(applier: Arc<Applier>) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(MAX_QUEUED);
        let thread = std::thread::Builder::new()
            .name("tikv-commit".to_owned())
            .spawn(move || work(&applier, &receiver))?;
        Ok(Self { sender, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a write; blocks while the queue is full.
    pub(crate) fn submit(&self, pending: Pending) {
        if let Err(refused) = self.sender.send(Message::Write(pending))
            && let Message::Write(pending) = refused.0
        {
            (pending.done)(Err(EngineError::Closed));
        }
    }

    /// Runs `task` on the thread after everything queued before has been applied. Tasks queued one after the other
    /// run in this order; returns when the task is queued.
    pub(crate) async fn run(&self, task: impl FnOnce() + Send + 'static) -> Result<(), EngineError> {
        let message = match self.sender.try_send(Message::Run(Box::new(task))) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(_)) => return Err(EngineError::Closed),
            Err(TrySendError::Full(message)) => message,
        };
        let sender = self.sender.clone();
        let queued = tokio::task::spawn_blocking(move || sender.send(message).is_ok()).await;
        if queued.unwrap_or(false) { Ok(()) } else { Err(EngineError::Closed) }
    }

    /// Finishes what is queued and ends the thread.
    pub(crate) fn close(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        // A thread that is gone already needs no message, and a panic was reported by the hook.
        let _ = self.sender.send(Message::Stop);
        let _ = thread.join();
    }
}

fn work(applier: &Applier, receiver: &Receiver<Message>) {
    let mut group: Vec<Pending> = Vec::new();
    loop {
        let Ok(mut message) = receiver.recv() else { return };
        let mut bytes = 0;
        let then = loop {
            match message {
                Message::Write(pending) => {
                    bytes += pending.writes.bytes;
                    group.push(pending);
                }
                other => break Some(other),
            }
            if group.len() >= MAX_GROUP || bytes >= MAX_GROUP_BYTES {
                break None;
            }
            match receiver.try_recv() {
                Ok(next) => message = next,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break None,
            }
        };
        applier.commit(&mut group);
        match then {
            Some(Message::Run(task)) => task(),
            Some(Message::Stop) => return,
            Some(Message::Write(_)) | None => {}
        }
    }
}

impl Applier {
    fn commit(&self, group: &mut Vec<Pending>) {
        if group.is_empty() {
            return;
        }
        let count = group.iter().map(|pending| pending.writes.changes.len()).sum();
        let changes = group.iter_mut().flat_map(|pending| std::mem::take(&mut pending.writes.changes));
        let result = self.engine.commit(changes, count);
        if let Err(error) = &result {
            tracing::error!(%error, "a write failed: the store takes no more writes until it is restarted");
        }
        for pending in group.drain(..) {
            let Pending { region, mut writes, guards, done } = pending;
            if result.is_ok() {
                region.add_written(writes.bytes as u64);
                self.emit(&region, &writes.rows);
                self.apply_locks(region.id(), std::mem::take(&mut writes.locks));
            }
            guards.release();
            done(result.clone());
        }
    }

    /// Changes the lock table and tells who waits.
    pub(crate) fn apply_locks(&self, region_id: u64, changes: Vec<LockChange>) {
        let taken: Vec<(Box<[u8]>, u64)> = if self.waits.is_empty() {
            Vec::new()
        } else {
            let taken =
                changes.iter().filter_map(|change| Some((&change.key, change.lock.as_ref()?.start_ts)));
            taken.map(|(key, holder)| (key.clone(), holder)).collect()
        };
        let freed = self.locks.apply(region_id, changes);
        for (key, holder) in taken {
            self.waits.acquired(&key, holder);
        }
        // Asked after the table changed: who queues later finds the key free.
        if !self.waits.is_empty() {
            for key in freed {
                self.waits.released(&key);
            }
        }
    }

    fn emit(&self, region: &Region, rows: &[RowChange]) {
        if !rows.is_empty() && region.subscribers.load(std::sync::atomic::Ordering::Acquire) > 0 {
            self.hub.emit(region.id(), rows, |change, read_ts| self.read_old(change, read_ts));
        }
    }

    fn read_old(&self, change: &RowChange, read_ts: u64) -> Bytes {
        match mvcc::get(&self.engine.snapshot(), &EncodedKey::new(&change.key), read_ts) {
            Ok(value) => value.unwrap_or_default(),
            Err(error) => {
                tracing::error!(%error, "cannot read an old value for a change feed");
                Bytes::new()
            }
        }
    }
}
