//! The commands against a model: a list of commits, a map of locks and a set of rollback marks.

use super::*;
use crate::cdc::RowKind;
use crate::keys::KeyRange;
use crate::mvcc::{Found, Override, VersionIter};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use tikv_proto::kvrpcpb::AssertionLevel;

/// The two keyspaces, in memory.
#[derive(Default)]
struct Memory {
    write: BTreeMap<Vec<u8>, Vec<u8>>,
    default: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Versions for Memory {
    fn range(&self, start: Bound<Vec<u8>>, end: Bound<Vec<u8>>) -> VersionIter {
        let found: Vec<_> = self
            .write
            .range((start, end))
            .map(|(key, value)| {
                Ok(crate::mvcc::RawVersion { key: key.as_slice().into(), value: value.as_slice().into() })
            })
            .collect();
        Box::new(found.into_iter())
    }

    fn long_value(&self, key: &EncodedKey, start_ts: u64) -> Result<Option<Bytes>, EngineError> {
        Ok(self.default.get(&key.version(start_ts)).map(|value| Bytes::copy_from_slice(value)))
    }
}

/// The system under test.
#[derive(Default)]
struct System {
    memory: Memory,
    locks: Arc<LockTable>,
    max_ts: MaxTs,
}

impl System {
    fn run<R, E>(
        &mut self,
        command: impl FnOnce(&mut Execution<'_, Memory>) -> Result<R, E>,
    ) -> Result<(R, Vec<RowChange>), E> {
        let mut exec = Execution {
            view: &self.memory,
            locks: &self.locks,
            max_ts: &self.max_ts,
            region_id: 1,
            wants_old_values: true,
            writes: WriteSet::default(),
            in_flight: None,
        };
        let output = command(&mut exec)?;
        let (writes, in_flight) = (exec.writes, exec.in_flight);
        for change in writes.changes {
            let family = match change.family {
                Family::Write => &mut self.memory.write,
                Family::Default => &mut self.memory.default,
                Family::Lock | Family::Meta => continue,
            };
            match change.value {
                Some(value) => family.insert(change.key, value),
                None => family.remove(&change.key),
            };
        }
        self.locks.apply(1, writes.locks);
        drop(in_flight);
        Ok((output, writes.rows))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct ModelLock {
    start_ts: u64,
    kind: LockKind,
}

#[derive(Clone, Debug)]
struct Commit {
    commit_ts: u64,
    start_ts: u64,
    /// `None`: a deletion. `Some(None)` does not occur; a lock-only commit has no entry here but in `touched`.
    value: Option<Vec<u8>>,
    is_data: bool,
}

/// The specification.
#[derive(Default)]
struct Model {
    commits: BTreeMap<u8, Vec<Commit>>,
    locks: BTreeMap<u8, ModelLock>,
    rolled_back: BTreeSet<(u8, u64)>,
    safe_point: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Locked,
    Conflict,
    LockLost,
    LockNotFound,
    Committed,
    RolledBack,
}

impl Model {
    fn visible(&self, key: u8, ts: u64) -> Option<Vec<u8>> {
        let commits = self.commits.get(&key)?;
        let newest = commits.iter().filter(|c| c.is_data && c.commit_ts <= ts).max_by_key(|c| c.commit_ts)?;
        newest.value.clone()
    }

    fn own_commit(&self, key: u8, start_ts: u64) -> Option<u64> {
        self.commits.get(&key)?.iter().find(|c| c.start_ts == start_ts).map(|c| c.commit_ts)
    }

    fn newest(&self, key: u8) -> u64 {
        self.commits.get(&key).into_iter().flatten().map(|c| c.commit_ts).max().unwrap_or(0)
    }

    /// What prewrite says about one key; `Ok(true)` means that it is to be locked.
    fn prewrite(&self, key: u8, start_ts: u64, pessimistic: bool) -> Result<bool, Verdict> {
        match self.locks.get(&key) {
            Some(lock) if lock.start_ts != start_ts && pessimistic => self.lost(key, start_ts),
            Some(lock) if lock.start_ts != start_ts => Err(Verdict::Locked),
            Some(lock) => Ok(lock.kind == LockKind::Pessimistic),
            None if pessimistic => {
                if self.newest(key) >= start_ts || self.rolled_back.contains(&(key, start_ts)) {
                    self.lost(key, start_ts)
                } else {
                    Ok(true)
                }
            }
            None if self.own_commit(key, start_ts).is_some() => Ok(false),
            None if self.newest(key) > start_ts || self.rolled_back.contains(&(key, start_ts)) => {
                Err(Verdict::Conflict)
            }
            None => Ok(true),
        }
    }

    fn lost(&self, key: u8, start_ts: u64) -> Result<bool, Verdict> {
        if self.own_commit(key, start_ts).is_some() { Ok(false) } else { Err(Verdict::LockLost) }
    }

    fn commit(&mut self, key: u8, start_ts: u64, commit_ts: u64, kind: LockKind) {
        self.locks.remove(&key);
        self.commits.entry(key).or_default().push(Commit {
            commit_ts,
            start_ts,
            value: (kind == LockKind::Put).then(|| value_for(key, start_ts)),
            is_data: kind.changes_data(),
        });
    }
}

fn verdict(error: &TxnError) -> Verdict {
    match error {
        TxnError::Locked(_) => Verdict::Locked,
        TxnError::Conflict(_) => Verdict::Conflict,
        TxnError::PessimisticLockNotFound { .. } => Verdict::LockLost,
        TxnError::TxnLockNotFound { .. } => Verdict::LockNotFound,
        TxnError::Committed { .. } => Verdict::Committed,
        TxnError::PessimisticLockRolledBack { .. } => Verdict::RolledBack,
        other => panic!("unexpected error: {other}"),
    }
}

/// Some values are short, some are long.
fn value_for(key: u8, start_ts: u64) -> Vec<u8> {
    let len = if start_ts.is_multiple_of(3) { 300 } else { 4 };
    vec![key ^ start_ts as u8; len]
}

fn user_key(key: u8) -> Key {
    Key::new(Bytes::from(vec![b'k', key]))
}

fn raw_key(key: u8) -> Vec<u8> {
    vec![b'k', key]
}

const KEYS: u8 = 4;

/// One step of a history. Transactions are named by their number.
#[derive(Clone, Debug)]
enum Step {
    Begin { pessimistic: bool },
    Prewrite { txn: usize, keys: BTreeSet<u8>, kind: LockKind, one_phase: bool },
    Commit { txn: usize, keys: BTreeSet<u8> },
    Rollback { txn: usize, keys: BTreeSet<u8> },
    Lock { txn: usize, key: u8 },
    Unlock { txn: usize, key: u8 },
    Resolve { txn: usize, commit: bool },
    Read { back: u64 },
    Collect { back: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keys = || proptest::collection::btree_set(0..KEYS, 1..=KEYS as usize);
    let kind = prop_oneof![3 => Just(LockKind::Put), 1 => Just(LockKind::Delete), 1 => Just(LockKind::Lock)];
    let txn = 0usize..6;
    let step = prop_oneof![
        3 => any::<bool>().prop_map(|pessimistic| Step::Begin { pessimistic }),
        6 => (txn.clone(), keys(), kind, prop::bool::weighted(0.3))
            .prop_map(|(txn, keys, kind, one_phase)| Step::Prewrite { txn, keys, kind, one_phase }),
        5 => (txn.clone(), keys()).prop_map(|(txn, keys)| Step::Commit { txn, keys }),
        2 => (txn.clone(), keys()).prop_map(|(txn, keys)| Step::Rollback { txn, keys }),
        3 => (txn.clone(), 0..KEYS).prop_map(|(txn, key)| Step::Lock { txn, key }),
        1 => (txn.clone(), 0..KEYS).prop_map(|(txn, key)| Step::Unlock { txn, key }),
        2 => (txn, any::<bool>()).prop_map(|(txn, commit)| Step::Resolve { txn, commit }),
        2 => (0u64..6).prop_map(|back| Step::Read { back }),
        1 => (4u64..12).prop_map(|back| Step::Collect { back }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// The system and the model side by side.
#[derive(Default)]
struct Bench {
    system: System,
    model: Model,
    clock: u64,
    txns: Vec<(u64, bool)>,
    /// Largest timestamp that was read at.
    read_ts: u64,
}

impl Bench {
    fn now(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn txn(&self, number: usize) -> Option<(u64, bool)> {
        // The newest transactions have the small numbers.
        self.txns.iter().rev().nth(number).copied()
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin { pessimistic } => {
                let start_ts = self.now();
                self.txns.push((start_ts, *pessimistic));
            }
            Step::Prewrite { txn, keys, kind, one_phase } => {
                if let Some((start_ts, pessimistic)) = self.txn(*txn) {
                    self.prewrite(start_ts, pessimistic, keys, *kind, *one_phase);
                }
            }
            Step::Commit { txn, keys } => {
                if let Some((start_ts, _)) = self.txn(*txn) {
                    self.commit(start_ts, keys);
                }
            }
            Step::Rollback { txn, keys } => {
                if let Some((start_ts, _)) = self.txn(*txn) {
                    self.rollback(start_ts, keys);
                }
            }
            Step::Lock { txn, key } => {
                if let Some((start_ts, true)) = self.txn(*txn) {
                    self.lock(start_ts, *key);
                }
            }
            Step::Unlock { txn, key } => {
                if let Some((start_ts, true)) = self.txn(*txn) {
                    self.unlock(start_ts, *key);
                }
            }
            Step::Resolve { txn, commit } => {
                if let Some((start_ts, _)) = self.txn(*txn) {
                    self.resolve(start_ts, *commit);
                }
            }
            Step::Read { back } => {
                let ts = self.clock.saturating_sub(*back);
                self.read_ts = self.read_ts.max(ts);
                self.system.max_ts.update(ts);
            }
            Step::Collect { back } => self.collect(self.clock.saturating_sub(*back)),
        }
        self.compare();
    }

    fn prewrite(
        &mut self,
        start_ts: u64,
        pessimistic: bool,
        keys: &BTreeSet<u8>,
        kind: LockKind,
        one_phase: bool,
    ) {
        let command = Prewrite {
            primary: Bytes::from(raw_key(0)),
            start_ts,
            ttl_ms: 3000,
            for_update_ts: if pessimistic { self.clock } else { 0 },
            min_commit_ts: 0,
            txn_size: 0,
            txn_source: 0,
            skip_constraint_check: false,
            assertion_level: AssertionLevel::Off,
            one_phase: one_phase.then_some(OnePhase { max_commit_ts: 0 }),
            mutations: keys
                .iter()
                .map(|key| Mutation {
                    key: user_key(*key),
                    kind: Some(kind),
                    value: if kind == LockKind::Put {
                        value_for(*key, start_ts).into()
                    } else {
                        Bytes::new()
                    },
                    must_be_new: false,
                    assertion: Default::default(),
                    check: if pessimistic {
                        PessimisticCheck::Locked { expected_for_update_ts: 0 }
                    } else {
                        PessimisticCheck::None
                    },
                })
                .collect(),
        };
        let judged: Vec<_> =
            keys.iter().map(|key| self.model.prewrite(*key, start_ts, pessimistic)).collect();
        let first_hard = judged.iter().find_map(|j| j.err().filter(|v| *v != Verdict::Locked));
        let expected = first_hard.or_else(|| judged.iter().find_map(|j| j.err())).unwrap_or(Verdict::Ok);
        let own_locks = keys.iter().any(|key| {
            self.model
                .locks
                .get(key)
                .is_some_and(|l| l.start_ts == start_ts && l.kind != LockKind::Pessimistic)
        });
        match self.system.run(|exec| prewrite(exec, &command)) {
            Err(errors) => assert_eq!(verdict(errors.last().unwrap()), expected),
            Ok((done, rows)) => {
                assert_eq!(expected, Verdict::Ok);
                let is_committed = done.one_pc_commit_ts != 0;
                for row in &rows {
                    let key = row.key[1];
                    assert_eq!(row.kind, if is_committed { RowKind::Committed } else { RowKind::Prewrite });
                    let at = if is_committed {
                        done.one_pc_commit_ts - 1
                    } else {
                        command.for_update_ts.max(start_ts)
                    };
                    let old = self.model.visible(key, at).unwrap_or_default();
                    assert_eq!(row.old_value, OldValue::Known(old.into()));
                }
                if is_committed {
                    let already = keys.iter().any(|key| self.model.own_commit(*key, start_ts).is_some());
                    assert!(!own_locks || already);
                    if already {
                        return;
                    }
                    assert!(done.one_pc_commit_ts > self.read_ts && done.one_pc_commit_ts > start_ts);
                    for key in keys {
                        self.model.commit(*key, start_ts, done.one_pc_commit_ts, kind);
                    }
                } else {
                    assert!(!one_phase || own_locks);
                    for (key, judged) in keys.iter().zip(judged) {
                        if judged == Ok(true) {
                            self.model.locks.insert(*key, ModelLock { start_ts, kind });
                        }
                    }
                }
            }
        }
    }

    fn commit(&mut self, start_ts: u64, keys: &BTreeSet<u8>) {
        let commit_ts = self.now();
        let fits = |key: &u8| {
            self.model.locks.get(key).is_some_and(|lock| lock.start_ts == start_ts)
                || self.model.own_commit(*key, start_ts).is_some()
        };
        let expected = if keys.iter().all(fits) { Verdict::Ok } else { Verdict::LockNotFound };
        let result = self
            .system
            .run(|exec| keys.iter().try_for_each(|key| commit(exec, &user_key(*key), start_ts, commit_ts)));
        match result {
            Err(error) => assert_eq!(verdict(&error), expected),
            Ok(_) => {
                assert_eq!(expected, Verdict::Ok);
                for key in keys {
                    if let Some(lock) =
                        self.model.locks.get(key).copied().filter(|lock| lock.start_ts == start_ts)
                    {
                        self.model.commit(*key, start_ts, commit_ts, lock.kind);
                    }
                }
            }
        }
    }

    fn rollback(&mut self, start_ts: u64, keys: &BTreeSet<u8>) {
        self.read_ts = self.read_ts.max(start_ts);
        let held = |key: &u8| self.model.locks.get(key).is_some_and(|lock| lock.start_ts == start_ts);
        let expected = if keys.iter().any(|key| !held(key) && self.model.own_commit(*key, start_ts).is_some())
        {
            Verdict::Committed
        } else {
            Verdict::Ok
        };
        let result = self
            .system
            .run(|exec| keys.iter().try_for_each(|key| batch_rollback(exec, &user_key(*key), start_ts)));
        match result {
            Err(error) => assert_eq!(verdict(&error), expected),
            Ok(_) => {
                assert_eq!(expected, Verdict::Ok);
                for key in keys {
                    if self.model.locks.get(key).is_some_and(|lock| lock.start_ts == start_ts) {
                        self.model.locks.remove(key);
                    }
                    self.model.rolled_back.insert((*key, start_ts));
                }
            }
        }
    }

    fn lock(&mut self, start_ts: u64, key: u8) {
        let for_update_ts = self.clock;
        let request = LockRequest {
            primary: Bytes::from(raw_key(0)),
            start_ts,
            for_update_ts,
            ttl_ms: 3000,
            min_commit_ts: 0,
            return_values: true,
            check_existence: false,
            lock_only_if_exists: false,
            targets: vec![LockTarget { key: user_key(key), must_be_new: false }],
        };
        self.read_ts = self.read_ts.max(for_update_ts);
        let result = self.system.run(|exec| pessimistic_lock(exec, &request));
        let held = self.model.locks.get(&key).copied();
        match (result, held) {
            (Err(TxnError::Invalid(_)), Some(lock)) => assert_eq!(lock.start_ts, start_ts),
            (Err(error), Some(lock)) => {
                assert_eq!(verdict(&error), Verdict::Locked);
                assert_ne!(lock.start_ts, start_ts);
            }
            (Err(error), None) => {
                let expected = if self.model.newest(key) > for_update_ts {
                    Verdict::Conflict
                } else if self.model.own_commit(key, start_ts).is_some() {
                    Verdict::Committed
                } else {
                    assert!(self.model.rolled_back.contains(&(key, start_ts)));
                    Verdict::RolledBack
                };
                assert_eq!(verdict(&error), expected);
            }
            (Ok((locked, _)), held) => {
                assert!(
                    held.is_none_or(|lock| lock.start_ts == start_ts && lock.kind == LockKind::Pessimistic)
                );
                assert_eq!(locked[0].value.as_deref().map(<[u8]>::to_vec), self.model.visible(key, u64::MAX));
                self.model.locks.insert(key, ModelLock { start_ts, kind: LockKind::Pessimistic });
            }
        }
    }

    fn unlock(&mut self, start_ts: u64, key: u8) {
        let undone = self.system.run(|exec| {
            pessimistic_rollback(exec, &user_key(key), start_ts, u64::MAX);
            Ok::<_, TxnError>(())
        });
        assert!(undone.is_ok_and(|(_, rows)| rows.is_empty()));
        if self.model.locks.get(&key) == Some(&ModelLock { start_ts, kind: LockKind::Pessimistic }) {
            self.model.locks.remove(&key);
        }
    }

    fn resolve(&mut self, start_ts: u64, commit: bool) {
        let commit_ts = if commit { self.now() } else { 0 };
        let held: Vec<u8> = self
            .model
            .locks
            .iter()
            .filter(|(_, lock)| lock.start_ts == start_ts)
            .map(|(key, _)| *key)
            .collect();
        if !commit && !held.is_empty() {
            self.read_ts = self.read_ts.max(start_ts);
        }
        for key in held {
            let kind = self.model.locks[&key].kind;
            self.system.run(|exec| resolve(exec, &user_key(key), start_ts, commit_ts)).map(|_| ()).unwrap();
            if commit {
                self.model.commit(key, start_ts, commit_ts, kind);
            } else {
                self.model.locks.remove(&key);
                self.model.rolled_back.insert((key, start_ts));
            }
        }
    }

    fn collect(&mut self, safe_point: u64) {
        if self.model.locks.values().any(|lock| lock.start_ts <= safe_point) {
            return;
        }
        let mut from = None;
        loop {
            let at = from.take();
            let step = self.system.run(|exec| {
                let batch = collect_garbage(exec.view, &KeyRange::default(), safe_point, at)?;
                exec.writes = batch.writes;
                Ok::<_, EngineError>(batch.next)
            });
            let Ok((next, _)) = step else { panic!("collection failed") };
            if next.is_none() {
                break;
            }
            from = next;
        }
        self.model.safe_point = self.model.safe_point.max(safe_point);
        // What is known about transactions before the safe point is forgotten; nobody may ask any more.
        self.txns.retain(|(start_ts, _)| *start_ts > safe_point);
    }

    /// Every readable snapshot and the locks are the same on both sides.
    fn compare(&self) {
        for key in 0..KEYS {
            let lock = self.system.locks.get(&raw_key(key)).map(|lock| (lock.start_ts, lock.kind));
            assert_eq!(lock, self.model.locks.get(&key).map(|lock| (lock.start_ts, lock.kind)));
            for ts in self.model.safe_point..=self.clock + 2 {
                let seen = mvcc::get(&self.system.memory, &user_key(key).encoded, ts).unwrap();
                assert_eq!(
                    seen.map(|value| value.to_vec()),
                    self.model.visible(key, ts),
                    "key {key} at {ts}"
                );
            }
        }
        let ts = self.clock;
        let all: Vec<_> =
            (0..KEYS).filter_map(|key| Some((raw_key(key), self.model.visible(key, ts)?))).collect();
        for reverse in [false, true] {
            let overrides: BTreeMap<Vec<u8>, Override<()>> = BTreeMap::new();
            let found =
                mvcc::scan(&self.system.memory, &KeyRange::default(), ts, 3, reverse, &overrides).unwrap();
            let found: Vec<_> = found
                .into_iter()
                .map(|(key, found)| match found {
                    Found::Value(value) => (key, value.to_vec()),
                    Found::Blocked(()) => panic!("no lock was given"),
                })
                .collect();
            let mut expected = all.clone();
            if reverse {
                expected.reverse();
            }
            expected.truncate(3);
            assert_eq!(found, expected);
        }
        let oldest =
            self.model.locks.values().filter(|lock| lock.kind.changes_data()).map(|lock| lock.start_ts).min();
        assert_eq!(self.system.locks.oldest_change(1), oldest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn commands_agree_with_the_model(steps in steps()) {
        let mut bench = Bench::default();
        for step in &steps {
            bench.take(step);
        }
    }
}
