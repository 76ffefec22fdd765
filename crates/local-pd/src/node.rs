//! The server's core: state, journal, timestamps, leases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::PdConfig;
use crate::error::{JournalFailed, StartError};
use crate::journal::Journal;
use crate::record::{Identity, Record};
use crate::state::State;
use crate::tso::{Allocation, Oracle, Stamp, wall_ms};

/// Longest sleep of the task that ends leases: a bound on what a jump of the clock can do.
const LEASE_CHECK_MAX: Duration = Duration::from_secs(60);

/// The core, shared by all services.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) identity: Identity,
    /// When the server started, in seconds since the Unix epoch.
    pub(crate) started_at: i64,
    state: Mutex<State>,
    journal: Journal,
    oracle: Oracle,
    extending: tokio::sync::Mutex<()>,
    extension_started: AtomicBool,
    /// Revision of the metadata store that is on disk.
    revision: watch::Sender<i64>,
    leases_changed: Notify,
    stop: CancellationToken,
}

/// What an operation on the state leads to.
pub(crate) struct Done<T> {
    pub(crate) value: T,
    pub(crate) record: Option<Record>,
}

impl<T> Done<T> {
    /// A read.
    pub(crate) fn read(value: T) -> Self {
        Self { value, record: None }
    }

    /// A change.
    pub(crate) fn changed(value: T, record: Option<Record>) -> Self {
        Self { value, record }
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn unix_seconds() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// A random positive id.
pub(crate) fn random_id() -> i64 {
    rand::random_range(1..i64::MAX)
}

impl Node {
    /// Reads the journal and makes the server ready to hand out timestamps.
    pub(crate) async fn open(config: &PdConfig, url: String) -> Result<Arc<Self>, StartError> {
        let dir = config.data_dir.clone();
        let opened = tokio::task::spawn_blocking(move || Journal::open(&dir)).await;
        let (journal, records) = opened.map_err(|error| StartError::Journal {
            path: config.data_dir.clone(),
            source: std::io::Error::other(error),
        })??;
        let mut state = State::restore(config, records);
        let oracle = Oracle::new(state.tso_bound_ms);
        let bound = oracle.next_bound(wall_ms());
        let identity = state.identity.unwrap_or_else(new_identity);
        state.identity = Some(identity);
        state.tso_bound_ms = bound;
        let first = Record { identity: Some(identity), tso_bound_ms: bound, ..Record::default() };
        journal.durable(journal.append(&first)).await?;
        oracle.extended(bound);
        let (revision, _) = watch::channel(state.etcd.revision());
        Ok(Arc::new(Self {
            name: config.name.clone(),
            url,
            identity,
            started_at: unix_seconds(),
            state: Mutex::new(state),
            journal,
            oracle,
            extending: tokio::sync::Mutex::new(()),
            extension_started: AtomicBool::new(false),
            revision,
            leases_changed: Notify::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Works on the state, and returns once everything that the work has seen or changed is on disk.
    pub(crate) async fn with<T, E>(&self, work: impl FnOnce(&mut State) -> Result<Done<T>, E>) -> Result<T, E>
    where
        E: From<JournalFailed>,
    {
        let _slot = self.journal.admit().await?;
        let (value, sequence, revision) = {
            let mut state = self.state.lock();
            let done = work(&mut state)?;
            let sequence = match &done.record {
                Some(record) => self.journal.append(record),
                None => self.journal.last(),
            };
            if done.record.is_some() && self.journal.wants_snapshot() {
                self.journal.rotate(&state.snapshot());
            }
            (done.value, sequence, state.etcd.revision())
        };
        self.journal.durable(sequence).await?;
        self.revision.send_if_modified(|known| {
            let newer = revision > *known;
            *known = revision.max(*known);
            newer
        });
        Ok(value)
    }

    /// Looks at the state as far as it does not matter whether it is on disk.
    pub(crate) fn peek<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// Follows the revision of the metadata store that is on disk.
    pub(crate) fn revisions(&self) -> watch::Receiver<i64> {
        self.revision.subscribe()
    }

    /// Cancelled when the server stops.
    pub(crate) fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// The time of a lease has changed.
    pub(crate) fn lease_changed(&self) {
        self.leases_changed.notify_one();
    }

    /// Takes `count` timestamps and returns the last.
    pub(crate) async fn timestamps(self: &Arc<Self>, count: u32) -> Result<Stamp, JournalFailed> {
        loop {
            match self.oracle.allocate(count, wall_ms()) {
                Allocation::Granted(stamp) => return Ok(stamp),
                Allocation::SoonMore(stamp) => {
                    self.extend_ahead();
                    return Ok(stamp);
                }
                Allocation::BoundReached if self.stop.is_cancelled() => {
                    return Err(JournalFailed { reason: "the server is shut down".to_owned() });
                }
                Allocation::BoundReached => {
                    let _one = self.extending.lock().await;
                    // Whoever was here before may have moved the bound.
                    if let Allocation::Granted(stamp) | Allocation::SoonMore(stamp) =
                        self.oracle.allocate(count, wall_ms())
                    {
                        return Ok(stamp);
                    }
                    self.extend().await?;
                }
            }
        }
    }

    /// Moves the bound of the timestamps on disk.
    async fn extend(&self) -> Result<(), JournalFailed> {
        let bound = self.oracle.next_bound(wall_ms());
        self.with(|state| {
            state.tso_bound_ms = state.tso_bound_ms.max(bound);
            let record = Record { tso_bound_ms: bound, ..Record::default() };
            Ok::<_, JournalFailed>(Done::changed((), Some(record)))
        })
        .await?;
        self.oracle.extended(bound);
        Ok(())
    }

    /// Moves the bound in the background, once at a time.
    fn extend_ahead(self: &Arc<Self>) {
        if self.extension_started.swap(true, Ordering::AcqRel) {
            return;
        }
        let node = Arc::clone(self);
        tokio::spawn(async move {
            {
                let _one = node.extending.lock().await;
                if let Err(error) = node.extend().await {
                    tracing::error!(%error, "the bound of the timestamps cannot be moved");
                }
            }
            node.extension_started.store(false, Ordering::Release);
        });
    }

    /// Ends leases when their time is over, until the server stops.
    pub(crate) async fn run_leases(self: Arc<Self>) {
        loop {
            let wake = self.peek(|state| state.etcd.leases().next_expiry());
            let latest = Instant::now() + LEASE_CHECK_MAX;
            let wake = wake.map_or(latest, |wake| wake.min(latest));
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.leases_changed.notified() => continue,
                () = tokio::time::sleep_until(wake.into()) => {}
            }
            for id in self.peek(|state| state.etcd.leases().expired()) {
                let ended = self.with(|state| {
                    // It may have been renewed or revoked meanwhile.
                    if !state.etcd.leases().expired().contains(&id) {
                        return Ok(Done::read(false));
                    }
                    let record = state.etcd.revoke(id).ok();
                    Ok::<_, JournalFailed>(Done::changed(true, record))
                });
                match ended.await {
                    Ok(true) => tracing::debug!(lease = id, "lease expired"),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::error!(%error, "leases can no longer be ended");
                        return;
                    }
                }
            }
        }
    }

    /// Ends streams and tasks.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Writes the exact end of the timestamps and closes the journal.
    pub(crate) async fn close(self: &Arc<Self>) {
        let bound = self.oracle.close();
        let exact = self.with(|state| {
            state.tso_bound_ms = bound;
            // Only a snapshot can lower the bound.
            self.journal.rotate(&state.snapshot());
            Ok::<_, JournalFailed>(Done::read(()))
        });
        if let Err(error) = exact.await {
            tracing::error!(%error, "the last state could not be written");
        }
        let node = Arc::clone(self);
        if tokio::task::spawn_blocking(move || node.journal.close()).await.is_err() {
            tracing::error!("the journal could not be closed");
        }
    }

    /// Closes the journal at once, without ceremony. Blocks for as long as a sync takes.
    pub(crate) fn abort(&self) {
        self.stop.cancel();
        self.oracle.close();
        self.journal.close();
    }
}

/// The identity of a new cluster.
fn new_identity() -> Identity {
    let id = || u64::try_from(random_id()).unwrap_or(1);
    Identity { cluster_id: id(), etcd_cluster_id: id(), member_id: id() }
}
