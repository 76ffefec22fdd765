//! The store: engine, locks, regions and the threads that work on them.

mod committer;
mod latch;
mod lock_table;
mod lock_wait;
mod max_ts;
mod wait_graph;
mod work_pool;

pub(crate) use committer::{Applier, Committer, Guards, Pending};
pub(crate) use latch::{LatchGuard, Latches};
pub(crate) use lock_table::{InFlightGuard, LockChange, LockTable, Obstacle, ReadRules};
pub(crate) use lock_wait::{LockWaits, Ticket, Wake};
pub(crate) use max_ts::{MaxTs, is_plausible};
pub(crate) use work_pool::WorkPool;

use crate::cdc::Hub;
use crate::engine::{Engine, EngineError, Snapshot};
use crate::placement::Placement;
use crate::region::{Region, RegionError, RegionMap, check_key};
use crate::txn::Execution;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tikv_proto::{errorpb, kvrpcpb};
use tokio::sync::oneshot;

/// The store.
pub(crate) struct Store {
    /// PD's cluster id.
    pub(crate) cluster_id: u64,
    /// Link to PD.
    pub(crate) placement: Placement,
    /// The database.
    pub(crate) engine: Engine,
    /// All locks.
    pub(crate) locks: Arc<LockTable>,
    /// Serialise commands on a key.
    pub(crate) latches: Arc<Latches>,
    /// Transactions that wait for locks.
    pub(crate) waits: Arc<LockWaits>,
    /// All regions.
    pub(crate) regions: RegionMap,
    /// Bound for one-phase commits.
    pub(crate) max_ts: MaxTs,
    /// Change feeds.
    pub(crate) hub: Arc<Hub>,
    /// Group commit.
    pub(crate) committer: Committer,
    /// Applies what needs no disk.
    pub(crate) applier: Arc<Applier>,
    /// Threads for reads.
    pub(crate) reads: WorkPool,
    /// Threads for the checks of writes.
    pub(crate) commands: WorkPool,
    /// Threads for incremental scans.
    pub(crate) scans: WorkPool,
}

/// A command was not run, or its effects could not be saved.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The request went to the wrong place, or the store is busy.
    Region(RegionError),
    /// The engine failed.
    Engine(EngineError),
}

impl From<RegionError> for Refusal {
    fn from(error: RegionError) -> Self {
        Self::Region(error)
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// Permission to write some keys of a region.
pub(crate) struct Admission {
    region: Arc<Region>,
    guards: Guards,
}

impl Store {
    /// Checks that the keys belong to the region that `context` names, and takes the latches on them.
    pub(crate) async fn admit<'k>(
        &self,
        context: Option<&kvrpcpb::Context>,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
    ) -> Result<Admission, Refusal> {
        let region = self.regions.check(context)?;
        for key in keys.clone() {
            check_key(&region, key)?;
        }
        self.admit_checked(region, keys).await
    }

    /// [`Self::admit`] for a region and keys known to fit.
    pub(crate) async fn admit_checked<'k>(
        &self,
        region: Arc<Region>,
        keys: impl Iterator<Item = &'k [u8]>,
    ) -> Result<Admission, Refusal> {
        let Some(pass) = region.enter().await else {
            let asked = region.meta().region_epoch.as_ref();
            return Err(Refusal::Region(Box::new(self.regions.epoch_not_match(region.id(), asked))));
        };
        let latch = self.latches.acquire(keys).await;
        let guards = Guards { in_flight: None, latch: Some(latch), pass: Some(pass) };
        Ok(Admission { region, guards })
    }

    /// Runs a command. If it succeeds its effects are applied before this returns; else they are dropped.
    ///
    /// The command goes on when the caller goes away.
    pub(crate) async fn execute<R, E, F>(
        self: &Arc<Self>,
        admission: Admission,
        command: F,
    ) -> Result<Result<R, E>, Refusal>
    where
        R: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&mut Execution<'_, Snapshot>) -> Result<R, E> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let store = self.clone();
        let job = move || store.run(admission, command, sender);
        self.commands.submit(job).map_err(|_| busy())?;
        receiver.await.map_err(|_| EngineError::Closed)?
    }

    fn run<R, E, F>(
        &self,
        admission: Admission,
        command: F,
        answer: oneshot::Sender<Result<Result<R, E>, Refusal>>,
    ) where
        R: Send + 'static,
        E: Send + 'static,
        F: FnOnce(&mut Execution<'_, Snapshot>) -> Result<R, E>,
    {
        let Admission { region, mut guards } = admission;
        let view = self.engine.snapshot();
        let mut execution = Execution {
            view: &view,
            locks: &self.locks,
            max_ts: &self.max_ts,
            region_id: region.id(),
            wants_old_values: region.subscribers.load(Ordering::Acquire) > 0,
            writes: crate::txn::WriteSet::default(),
            in_flight: None,
        };
        let result = command(&mut execution);
        let writes = execution.writes;
        guards.in_flight = execution.in_flight;
        // Nobody may be waiting for the answer any more; the effects count all the same.
        let output = match result {
            Err(error) => {
                guards.release();
                let _ = answer.send(Ok(Err(error)));
                return;
            }
            Ok(output) => output,
        };
        if writes.changes.is_empty() && writes.rows.is_empty() {
            self.applier.apply_locks(region.id(), writes.locks);
            guards.release();
            let _ = answer.send(Ok(Ok(output)));
            return;
        }
        let done = Box::new(move |saved: Result<(), EngineError>| {
            let _ = answer.send(saved.map(|()| Ok(output)).map_err(Refusal::Engine));
        });
        self.committer.submit(Pending { region, writes, guards, done });
    }

    /// Runs a read on the threads for reads.
    pub(crate) async fn read<R: Send + 'static>(
        &self,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Refusal> {
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            // Who asked may have gone.
            let _ = sender.send(job());
        };
        self.reads.submit(job).map_err(|_| busy())?;
        receiver.await.map_err(|_| EngineError::Closed.into())
    }
}

/// The answer of a store with too much to do.
fn busy() -> Refusal {
    Refusal::Region(Box::new(errorpb::Error {
        message: "server is busy".to_owned(),
        server_is_busy: Some(errorpb::ServerIsBusy {
            reason: "too many commands are queued".to_owned(),
            ..errorpb::ServerIsBusy::default()
        }),
        ..errorpb::Error::default()
    }))
}
