//! The thread which forces written files to disk: one sync covers everything written before it.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing::error;

use super::append::{AppendError, Appended, Reply, Round};
use crate::config::FlushPolicy;

/// Work for the sync thread. Bounded by the open files and by the requests in flight.
#[derive(Debug, Default)]
struct Pending {
    /// Files written since their last sync, by address.
    files: HashMap<usize, Arc<File>>,
    /// Outcomes to be told after the next sync.
    outcomes: Vec<(Reply, Result<Appended, AppendError>)>,
    /// The broker stops: sync what is left, then end.
    stopping: bool,
}

/// Queue and wake-up of the sync thread.
#[derive(Debug, Default)]
struct Shared {
    /// The work.
    pending: Mutex<Pending>,
    /// Rung when there is work.
    bell: Condvar,
}

/// Lets the sync thread end after a last sync when the last I/O thread is gone.
#[derive(Debug)]
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.pending.lock().stopping = true;
        self.0.bell.notify_one();
    }
}

/// Hands finished rounds of appends to disk and to their senders, as the policy asks for. One per I/O thread.
#[derive(Debug, Clone)]
pub(super) struct Syncer {
    /// The policy.
    policy: FlushPolicy,
    /// The queue.
    shared: Arc<StopOnDrop>,
}

impl Syncer {
    /// Starts the sync thread.
    pub(super) fn start(policy: FlushPolicy) -> std::io::Result<(Self, JoinHandle<()>)> {
        let shared = Arc::new(Shared::default());
        let pause = match policy {
            FlushPolicy::Background(pause) => pause,
            FlushPolicy::BeforeAck | FlushPolicy::OperatingSystem => Duration::ZERO,
        };
        let thread = {
            let shared = Arc::clone(&shared);
            thread::Builder::new().name("kafka-sync".into()).spawn(move || run(&shared, pause))?
        };
        Ok((Self { policy, shared: Arc::new(StopOnDrop(shared)) }, thread))
    }

    /// Takes over a round: outcomes are told at once or after a sync.
    pub(super) fn finish(&self, round: &mut Round) {
        if self.policy != FlushPolicy::BeforeAck {
            tell(&mut round.outcomes, false);
        }
        if self.policy == FlushPolicy::OperatingSystem {
            round.written.clear();
        }
        if round.written.is_empty() && round.outcomes.is_empty() {
            return;
        }
        let Shared { pending, bell } = &*self.shared.0;
        let mut pending = pending.lock();
        for file in round.written.drain(..) {
            pending.files.insert(Arc::as_ptr(&file) as usize, file);
        }
        pending.outcomes.append(&mut round.outcomes);
        bell.notify_one();
    }
}

/// The sync thread.
fn run(shared: &Shared, pause: Duration) {
    loop {
        let (files, mut outcomes, stopping) = {
            let mut pending = shared.pending.lock();
            while pending.files.is_empty() && pending.outcomes.is_empty() && !pending.stopping {
                shared.bell.wait(&mut pending);
            }
            let Pending { files, outcomes, stopping } = &mut *pending;
            (std::mem::take(files), std::mem::take(outcomes), *stopping)
        };
        let started = Instant::now();
        let mut failed = false;
        for file in files.values() {
            if let Err(e) = file.sync_data() {
                error!(error = %e, "cannot force records to disk");
                failed = true;
            }
        }
        tell(&mut outcomes, failed);
        if stopping {
            return;
        }
        if let Some(rest) = pause.checked_sub(started.elapsed()) {
            let mut pending = shared.pending.lock();
            let until = Instant::now() + rest;
            while !pending.stopping && !shared.bell.wait_until(&mut pending, until).timed_out() {}
        }
    }
}

/// Sends outcomes; after a failed sync nothing counts as stored.
fn tell(outcomes: &mut Vec<(Reply, Result<Appended, AppendError>)>, failed: bool) {
    for (reply, outcome) in outcomes.drain(..) {
        // A requester which is gone no longer wants the outcome.
        let _ = reply.send(if failed { Err(AppendError::Storage) } else { outcome });
    }
}
