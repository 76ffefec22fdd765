//! Pessimistic locks.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tikv_proto::kvrpcpb;

use crate::error::{Error, KeyText, Result};

use super::heartbeat::{Heartbeat, lock_ttl_ms};
use super::{HeldLock, MANAGED_LOCK_TTL, Transaction};

/// How long a lock is waited for unless told otherwise, as MySQL does.
const DEFAULT_LOCK_WAIT: Duration = Duration::from_secs(50);
/// Longest wait inside one request; between requests the lock's owner is checked.
const WAIT_SLICE: Duration = Duration::from_secs(1);
/// Keys in one lock request.
const LOCK_BATCH_KEYS: usize = 4096;

/// A key to lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLock {
    /// The raw key.
    pub key: Bytes,
    /// Fail with [`Error::KeyExists`] if the key has a value.
    pub must_not_exist: bool,
}

impl KeyLock {
    /// Locks a key, whatever its value.
    pub fn new(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), must_not_exist: false }
    }

    /// Locks a key that must not exist.
    pub fn absent(key: impl Into<Bytes>) -> Self {
        Self { key: key.into(), must_not_exist: true }
    }
}

/// How long to wait for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockWait {
    /// 50 s.
    #[default]
    Default,
    /// Not at all.
    NoWait,
    /// That long.
    AtMost(Duration),
}

/// How locks are taken.
#[derive(Debug, Clone, Default)]
pub struct LockOptions {
    /// The keys must not have changed after this timestamp; a fresh one if `None`.
    pub for_update_ts: Option<u64>,
    /// How long to wait for other transactions.
    pub wait: LockWait,
    /// Return the values as of `for_update_ts`.
    pub return_values: bool,
    /// Return whether the keys have values.
    pub check_existence: bool,
    /// Lock only keys that have values.
    pub lock_only_if_exists: bool,
}

/// A locked key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedKey {
    /// The raw key.
    pub key: Bytes,
    /// Its value, if asked for and there is one.
    pub value: Option<Bytes>,
    /// Whether it has a value, if asked for.
    pub exists: Option<bool>,
}

/// One call of [`Transaction::lock_keys`].
struct Locking {
    options: LockOptions,
    for_update_ts: u64,
    deadline: Instant,
    locked: Vec<LockedKey>,
    /// Keys that may have been locked, for the way back.
    touched: Vec<Bytes>,
}

impl Transaction {
    /// Takes pessimistic locks. Keys that we hold already are not asked for again (their values are read if wanted).
    /// On failure the locks of this call are given back; earlier ones stay.
    ///
    /// # Errors
    /// [`Error::WriteConflict`] if a key has changed after `for_update_ts` (repeat with a fresh one),
    /// [`Error::LockWaitTimeout`], [`Error::LockBusy`], [`Error::Deadlock`], [`Error::KeyExists`],
    /// [`Error::Aborted`], [`Error::RegionUnavailable`] or what the calls fail with.
    pub async fn lock_keys(&mut self, keys: Vec<KeyLock>, options: LockOptions) -> Result<Vec<LockedKey>> {
        self.check_active()?;
        let for_update_ts = match options.for_update_ts {
            Some(ts) => ts,
            None => self.client.pd().get_ts().await?,
        };
        self.for_update_ts = self.for_update_ts.max(for_update_ts);
        let wait = match options.wait {
            LockWait::Default => DEFAULT_LOCK_WAIT,
            LockWait::NoWait => Duration::ZERO,
            LockWait::AtMost(wait) => wait,
        };
        let deadline = Instant::now() + wait;
        let mut locking =
            Locking { options, for_update_ts, deadline, locked: Vec::new(), touched: Vec::new() };
        let (held, mut wanted): (Vec<KeyLock>, Vec<KeyLock>) =
            keys.into_iter().partition(|lock| self.locks.contains_key(&lock.key));
        wanted.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        wanted.dedup_by(|a, b| {
            b.must_not_exist |= a.key == b.key && a.must_not_exist;
            a.key == b.key
        });
        let had_primary = self.primary.is_some();
        let result = match self.lock_held(held, &mut locking).await {
            Ok(()) => self.lock_new(wanted, &mut locking).await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            self.give_back(locking, had_primary).await;
            return Err(error);
        }
        Ok(locking.locked)
    }

    /// Answers for keys that we hold already.
    async fn lock_held(&mut self, held: Vec<KeyLock>, locking: &mut Locking) -> Result<()> {
        if held.is_empty() {
            return Ok(());
        }
        let wants_values = locking.options.return_values || locking.options.check_existence;
        let claims = held.iter().any(|lock| lock.must_not_exist);
        let values = if wants_values || claims {
            let keys = held.iter().map(|lock| lock.key.clone()).collect();
            self.client.snapshot(locking.for_update_ts).batch_get(keys).await?
        } else {
            Default::default()
        };
        for lock in held {
            let value = values.get(&lock.key).cloned();
            if lock.must_not_exist && value.is_some() {
                return Err(Error::KeyExists { key: KeyText(lock.key) });
            }
            if lock.must_not_exist
                && let Some(state) = self.locks.get_mut(&lock.key)
            {
                state.checked_absent = true;
            }
            let exists = wants_values.then_some(value.is_some());
            locking.locked.push(LockedKey { key: lock.key, value, exists });
        }
        Ok(())
    }

    /// Locks sorted keys; the primary key's region comes first, because the others point to it.
    async fn lock_new(&mut self, wanted: Vec<KeyLock>, locking: &mut Locking) -> Result<()> {
        let Some(first) = wanted.first() else { return Ok(()) };
        let primary = self.primary.get_or_insert_with(|| first.key.clone()).clone();
        let mut backoff = self.client.region_backoff();
        let mut open = wanted;
        while let Some(next) = open.first() {
            let region = self.client.regions().locate(&next.key).await?;
            let fitting = open
                .iter()
                .take(LOCK_BATCH_KEYS)
                .take_while(|lock| region.contains(&lock.key))
                .count()
                .max(1);
            let rest = open.split_off(fitting);
            let batch = std::mem::replace(&mut open, rest);
            let request = self.lock_request(&batch, &primary, locking);
            locking.touched.extend(batch.iter().map(|lock| lock.key.clone()));
            let context = kvrpcpb::Context {
                txn_source: self.options.txn_source,
                request_source: self.options.request_source.clone(),
                ..region.context()
            };
            let answer = self.client.call(&region, request, context, &mut backoff).await?;
            match answer {
                Some(answer) if answer.errors.is_empty() => self.took(batch, answer, locking),
                Some(answer) => {
                    self.on_lock_errors(answer.errors, locking).await?;
                    open.splice(0..0, batch);
                }
                None => {
                    open.splice(0..0, batch);
                }
            }
        }
        Ok(())
    }

    /// The request for a batch of locks.
    fn lock_request(
        &self,
        batch: &[KeyLock],
        primary: &Bytes,
        locking: &Locking,
    ) -> kvrpcpb::PessimisticLockRequest {
        let mutations = batch
            .iter()
            .map(|lock| kvrpcpb::Mutation {
                op: kvrpcpb::Op::PessimisticLock.into(),
                key: lock.key.clone(),
                value: Bytes::new(),
                assertion: if lock.must_not_exist {
                    kvrpcpb::Assertion::NotExist.into()
                } else {
                    kvrpcpb::Assertion::None.into()
                },
            })
            .collect();
        let left = locking.deadline.saturating_duration_since(Instant::now()).min(WAIT_SLICE);
        let wait_timeout = match i64::try_from(left.as_millis()) {
            Ok(0) | Err(_) => NO_WAIT,
            Ok(wait) => wait,
        };
        kvrpcpb::PessimisticLockRequest {
            mutations,
            primary_lock: primary.clone(),
            start_version: self.start_ts(),
            lock_ttl: lock_ttl_ms(self.start_ts(), MANAGED_LOCK_TTL),
            for_update_ts: locking.for_update_ts,
            is_first_lock: self.locks.is_empty() && batch.len() == 1,
            wait_timeout,
            return_values: locking.options.return_values,
            min_commit_ts: locking.for_update_ts.saturating_add(1),
            check_existence: locking.options.check_existence,
            lock_only_if_exists: locking.options.lock_only_if_exists,
            ..Default::default()
        }
    }

    /// Notes locks that were taken.
    fn took(&mut self, batch: Vec<KeyLock>, answer: kvrpcpb::PessimisticLockResponse, locking: &mut Locking) {
        let asked = locking.options.return_values || locking.options.check_existence;
        for (index, lock) in batch.into_iter().enumerate() {
            let exists = asked.then(|| !answer.not_founds.get(index).copied().unwrap_or(false));
            let value = answer.values.get(index).filter(|_| exists == Some(true)).cloned();
            let skipped = locking.options.lock_only_if_exists && exists == Some(false);
            if !skipped {
                self.locks.insert(lock.key.clone(), HeldLock { checked_absent: lock.must_not_exist });
            }
            let value = if locking.options.return_values { value } else { None };
            locking.locked.push(LockedKey { key: lock.key, value, exists });
        }
        if self.heartbeat.is_none()
            && let Some(primary) = self.primary.clone()
        {
            self.heartbeat = Some(Heartbeat::start(self.client.clone(), self.start_ts(), primary));
        }
    }

    /// Handles refused locks: removes those of ended transactions, or waits, until the deadline.
    async fn on_lock_errors(&mut self, errors: Vec<kvrpcpb::KeyError>, locking: &Locking) -> Result<()> {
        let mut locks = Vec::with_capacity(errors.len());
        for mut error in errors {
            match error.locked.take() {
                Some(lock) => locks.push(lock),
                None => return Err(Error::from_key_error(error, self.start_ts())),
            }
        }
        let clearing = self.client.lock_resolver().clear_for_write(&locks).await?;
        let Some((lock, _)) = clearing.alive else { return Ok(()) };
        if Instant::now() < locking.deadline {
            // The store has waited already, for a slice; the next request waits again.
            return Ok(());
        }
        let (key, lock_ts) = (KeyText(lock.key), lock.lock_version);
        Err(match locking.options.wait {
            LockWait::NoWait => Error::LockBusy { key, lock_ts },
            _ => Error::LockWaitTimeout { key, lock_ts },
        })
    }

    /// Gives the locks of a failed call back.
    async fn give_back(&mut self, locking: Locking, had_primary: bool) {
        for key in &locking.touched {
            self.locks.remove(key);
        }
        let resolver = self.client.lock_resolver();
        let (start_ts, for_update_ts) = (self.start_ts(), locking.for_update_ts);
        let mut backoff = self.client.region_backoff();
        if let Err(error) =
            resolver.unlock_pessimistic(start_ts, for_update_ts, locking.touched, &mut backoff).await
        {
            tracing::debug!(start_ts, %error, "locks of a failed statement stay until they expire");
        }
        if !had_primary {
            self.primary = None;
            self.heartbeat = None;
        }
    }
}

/// Tells a store not to wait.
const NO_WAIT: i64 = -1;
