//! A store at random, with the in-memory matcher as the model.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tikv_proto::cdcpb::event::row::OpType;

use super::*;

/// Schedules that run without being asked for more (`TIDEGATE_SIMULATIONS`).
const SCHEDULES: u64 = 3_000;
/// Keys of the region.
const KEYS: u8 = 12;

/// A lock of the store.
#[derive(Clone)]
struct Lock {
    start_ts: u64,
    value: String,
    generation: u64,
}

/// One region of a store, as far as a subscriber sees it.
struct Store {
    random: SmallRng,
    ts: u64,
    locks: BTreeMap<u8, Lock>,
    /// Commit ts of transactions that have one, and still locks.
    deciding: BTreeMap<u64, u64>,
    /// (start ts, commit ts, key, value).
    committed: Vec<(u64, u64, u8, String)>,
    /// Live events go here once the region is observed.
    live: Option<VecDeque<Row>>,
}

/// A row of the stream.
fn row(kind: LogType, start_ts: u64, commit_ts: u64, key: u8, value: &str, generation: u64) -> Row {
    let op = if value.is_empty() { OpType::Delete } else { OpType::Put };
    Row {
        start_ts,
        commit_ts,
        r#type: kind as i32,
        op_type: if kind == LogType::Rollback { 0 } else { op as i32 },
        // Keys of different lengths, one a prefix of the other.
        key: Bytes::from(vec![b'k'; usize::from(key) + 1]),
        value: Bytes::copy_from_slice(value.as_bytes()),
        generation,
        ..Row::default()
    }
}

impl Store {
    fn send(&mut self, row: Row) {
        if let Some(live) = &mut self.live {
            live.push_back(row);
        }
    }

    fn next_ts(&mut self) -> u64 {
        self.ts += 1;
        self.ts
    }

    fn prewrite(&mut self) {
        let start_ts = self.next_ts();
        let pipelined = self.random.random_bool(0.3);
        for _ in 0..self.random.random_range(1..8) {
            let key = self.random.random_range(0..KEYS);
            if self.locks.contains_key(&key) {
                continue;
            }
            let value = if self.random.random_bool(0.2) { String::new() } else { format!("v{start_ts}") };
            let generation = u64::from(pipelined && !value.is_empty());
            self.send(row(LogType::Prewrite, start_ts, 0, key, &value, generation));
            self.locks.insert(key, Lock { start_ts, value, generation });
        }
    }

    /// A pipelined transaction writes a key again, or tells that it lives.
    fn rewrite(&mut self) {
        let again: Vec<u8> =
            self.locks.iter().filter(|(_, lock)| lock.generation > 0).map(|(key, _)| *key).collect();
        let Some(key) = again.choose(&mut self.random).copied() else { return };
        let heartbeat = self.random.random_bool(0.3);
        let lock = self.locks.get_mut(&key).unwrap();
        if self.deciding.contains_key(&lock.start_ts) {
            return;
        }
        lock.generation += 1;
        if !heartbeat {
            lock.value = format!("{}+", lock.value);
        }
        let value = if heartbeat { String::new() } else { lock.value.clone() };
        let sent = Row {
            op_type: OpType::Put as i32,
            ..row(LogType::Prewrite, lock.start_ts, 0, key, &value, lock.generation)
        };
        self.send(sent);
    }

    fn commit(&mut self) {
        let keys: Vec<u8> = self.locks.keys().copied().collect();
        let Some(key) = keys.choose(&mut self.random) else { return };
        let start_ts = self.locks[key].start_ts;
        let commit_ts = self.deciding.get(&start_ts).copied().unwrap_or_else(|| self.next_ts());
        self.deciding.insert(start_ts, commit_ts);
        for key in keys {
            if self.locks[&key].start_ts != start_ts || self.random.random_bool(0.3) {
                continue;
            }
            let lock = self.locks.remove(&key).unwrap();
            let sent =
                Row { value: Bytes::new(), ..row(LogType::Commit, start_ts, commit_ts, key, &lock.value, 0) };
            self.send(sent);
            self.committed.push((start_ts, commit_ts, key, lock.value));
        }
        if self.locks.values().all(|lock| lock.start_ts != start_ts) {
            self.deciding.remove(&start_ts);
        }
    }

    fn roll_back(&mut self) {
        let open: Vec<u8> = self
            .locks
            .iter()
            .filter(|(_, lock)| !self.deciding.contains_key(&lock.start_ts))
            .map(|(key, _)| *key)
            .collect();
        let Some(key) = open.choose(&mut self.random) else { return };
        let start_ts = self.locks[key].start_ts;
        for key in
            open.iter().filter(|key| self.locks[*key].start_ts == start_ts).copied().collect::<Vec<_>>()
        {
            self.locks.remove(&key);
            self.send(row(LogType::Rollback, start_ts, 0, key, "", 0));
        }
    }

    fn commit_at_once(&mut self) {
        let key = self.random.random_range(0..KEYS);
        if self.locks.contains_key(&key) {
            return;
        }
        let (start_ts, commit_ts) = (self.next_ts(), self.next_ts());
        self.send(row(LogType::Committed, start_ts, commit_ts, key, "once", 0));
        self.committed.push((start_ts, commit_ts, key, "once".to_owned()));
    }

    fn step(&mut self) {
        match self.random.random_range(0..10) {
            0..4 => self.prewrite(),
            4..7 => self.commit(),
            7 => self.roll_back(),
            8 => self.rewrite(),
            _ => self.commit_at_once(),
        }
    }

    /// What a scan finds: by key the lock, then commits from new to old.
    fn scan(&self, checkpoint_ts: u64) -> VecDeque<Row> {
        let mut rows = VecDeque::new();
        for key in 0..KEYS {
            rows.extend(
                self.locks
                    .get(&key)
                    .map(|lock| row(LogType::Prewrite, lock.start_ts, 0, key, &lock.value, lock.generation)),
            );
            let mut commits: Vec<_> = self
                .committed
                .iter()
                .filter(|(_, commit_ts, at, _)| *at == key && *commit_ts > checkpoint_ts)
                .collect();
            commits.sort_by_key(|(_, commit_ts, ..)| std::cmp::Reverse(*commit_ts));
            rows.extend(commits.into_iter().map(|(start_ts, commit_ts, key, value)| {
                row(LogType::Committed, *start_ts, *commit_ts, *key, value, 0)
            }));
        }
        rows.push_back(Row { r#type: LogType::Initialized as i32, ..Row::default() });
        rows
    }

    /// The largest resolved ts that may be told now: locks of transactions without a commit ts do not hold it, as with
    /// large transactions in newer stores.
    fn resolved(&self) -> u64 {
        self.deciding.values().min().map_or(self.ts, |commit_ts| commit_ts - 1)
    }
}

/// A row by identity.
fn identity(row: &RowChange) -> (u64, u64, Bytes, Bytes) {
    (row.commit_ts, row.start_ts, row.key.clone(), row.value.clone())
}

/// A spilling matcher with logs in memory.
struct Subscriber {
    matcher: SpillingMatcher,
    logs: BTreeMap<LogId, Vec<LogEntry>>,
    rows: Vec<RowChange>,
    resolved: u64,
    joins: usize,
    /// A join that has read its log and not reported yet.
    pending: Option<(LogId, Vec<RowChange>, Vec<LogEntry>)>,
}

impl Subscriber {
    fn append(&mut self, entries: Vec<LogEntry>) {
        for entry in entries {
            self.logs.get_mut(&entry.log).expect("rows go to logs that exist").push(entry);
        }
    }

    fn on_row(&mut self, row: Row) {
        let (mut out, mut entries) = (Vec::new(), Vec::new());
        self.matcher.on_row(row, &mut out, &mut entries).unwrap();
        self.append(entries);
        self.deliver(out);
    }

    fn deliver(&mut self, rows: Vec<RowChange>) {
        for row in &rows {
            assert!(row.commit_ts > self.resolved, "{row:?} came after {}", self.resolved);
        }
        self.rows.extend(rows);
    }

    fn on_resolved(&mut self, ts: u64) {
        if self.matcher.on_resolved(ts) == Resolved::Moved {
            self.resolved = ts;
        }
    }

    fn spill(&mut self, own_log: usize) {
        let mut entries = Vec::new();
        let created = self.matcher.spill(own_log, &mut entries).unwrap();
        self.logs.extend(created.into_iter().map(|log| (log, Vec::new())));
        self.append(entries);
        assert_eq!(self.matcher.matcher().waiting_bytes(), 0);
    }

    /// Seals and reads the next log; its end is told by [`end_join`](Self::end_join).
    fn begin_join(&mut self) {
        if self.pending.is_some() {
            return;
        }
        let Some(join) = self.matcher.next_join() else { return };
        self.joins += 1;
        self.logs.insert(join.fresh, Vec::new());
        let mut entries = self.logs.remove(&join.sealed).expect("what is joined is there");
        entries.sort_by_key(|entry| {
            (entry.row.start_ts, entry.row.key.len(), entry.row.key.clone(), entry.order)
        });
        let mut replay = Replay::new(join);
        let (mut rows, mut left) = (Vec::new(), Vec::new());
        for entry in entries {
            replay.take(entry.order, entry.row, &mut rows, &mut left).unwrap();
        }
        replay.finish(&mut rows, &mut left).unwrap();
        self.pending = Some((join.fresh, rows, left));
    }

    fn end_join(&mut self) {
        let Some((fresh, rows, left)) = self.pending.take() else { return };
        assert!(left.iter().all(|entry| entry.log == fresh));
        self.deliver(rows);
        let any = !left.is_empty();
        self.append(left);
        let (resolved, unused) = self.matcher.joined(any);
        if let Some(log) = unused {
            assert!(self.logs.remove(&log).is_some_and(|entries| entries.is_empty()));
        }
        if let Some(ts) = resolved {
            assert!(ts > self.resolved);
            self.resolved = ts;
        }
    }
}

/// Runs one schedule; returns the number of joins.
fn run(seed: u64) -> usize {
    let random = SmallRng::seed_from_u64(seed);
    let mut store = Store {
        random,
        ts: 10,
        locks: BTreeMap::new(),
        deciding: BTreeMap::new(),
        committed: Vec::new(),
        live: None,
    };
    (0..store.random.random_range(0..30)).for_each(|_| store.step());
    // A subscription from some time ago, up to which the region is resolved.
    let checkpoint_ts = store.resolved();
    (0..store.random.random_range(0..20)).for_each(|_| store.step());
    store.live = Some(VecDeque::new());
    (0..store.random.random_range(0..20)).for_each(|_| store.step());
    let mut scan = store.scan(checkpoint_ts);
    // Events of before the scan that still have to be received: they come before its end.
    let mut before_scan = store.live.as_ref().map_or(0, VecDeque::len);
    let mut model = Matcher::new(checkpoint_ts, checkpoint_ts);
    let mut expected = Vec::new();
    let mut subscriber = Subscriber {
        matcher: SpillingMatcher::new(checkpoint_ts, checkpoint_ts),
        logs: BTreeMap::new(),
        rows: Vec::new(),
        resolved: checkpoint_ts,
        joins: 0,
        pending: None,
    };
    let steps = store.random.random_range(50..200);
    let spilling = store.random.random_range(0..20);
    for step in 0..steps + 40 {
        let calm = step >= steps;
        if !calm {
            store.step();
        } else {
            store.commit();
        }
        let mut rows: Vec<Row> = Vec::new();
        let live = store.live.as_mut().unwrap();
        let behind = if calm { live.len() } else { store.random.random_range(0..=live.len()) };
        rows.extend(live.drain(..behind));
        before_scan = before_scan.saturating_sub(behind);
        let most = if before_scan > 0 { scan.len() - 1 } else { scan.len() };
        let scanned = if calm { most } else { store.random.random_range(0..=most.min(7)) };
        rows.extend(scan.drain(..scanned));
        for row in rows {
            model.on_row(row.clone(), &mut expected).unwrap();
            subscriber.on_row(row);
        }
        if store.live.as_ref().unwrap().is_empty() && (calm || store.random.random_bool(0.3)) {
            let ts = store.resolved();
            model.on_resolved(ts);
            subscriber.on_resolved(ts);
        }
        match store.random.random_range(0..20) {
            at if at < spilling => subscriber.spill(store.random.random_range(0..12)),
            19 => subscriber.end_join(),
            18 => subscriber.begin_join(),
            _ => {}
        }
    }
    while store.locks.values().next().is_some() {
        store.commit();
    }
    for row in store.live.take().unwrap() {
        model.on_row(row.clone(), &mut expected).unwrap();
        subscriber.on_row(row);
    }
    let end = store.next_ts();
    assert!(model.on_resolved(end));
    subscriber.on_resolved(end);
    while subscriber.resolved < end {
        let before = (subscriber.joins, subscriber.pending.is_some());
        subscriber.begin_join();
        subscriber.end_join();
        assert!(subscriber.resolved == end || before != (subscriber.joins, false), "no way on");
    }
    let sorted = |rows: &[RowChange]| {
        let mut rows: Vec<_> = rows.iter().map(identity).collect();
        rows.sort();
        rows.dedup();
        rows
    };
    assert_eq!(sorted(&subscriber.rows), sorted(&expected));
    let wanted = store.committed.iter().filter(|(_, commit_ts, ..)| *commit_ts > checkpoint_ts).count();
    assert_eq!(sorted(&expected).len(), wanted, "the model delivers everything");
    // A lock that the scan delivers after its commit was seen stays, in memory or in a log, as in the model.
    let left: usize = subscriber.logs.values().map(Vec::len).sum();
    assert_eq!(model.pending(), subscriber.matcher.matcher().pending() + left);
    let logs = subscriber.logs.values().filter(|entries| !entries.is_empty()).count();
    assert_eq!(subscriber.matcher.logs().count(), logs, "a log without rows is removed");
    subscriber.joins
}

#[test]
fn spilling_at_any_time_gives_the_rows_of_the_matcher_in_memory() {
    let read = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = read("TIDEGATE_SEED").unwrap_or(0);
    let count = read("TIDEGATE_SIMULATIONS").unwrap_or(SCHEDULES);
    println!("seeds {first} to {}", first + count - 1);
    let mut joins = 0;
    for seed in first..first + count {
        let outcome = std::panic::catch_unwind(|| run(seed));
        joins += outcome.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    println!("{joins} joins");
    assert!(joins as u64 > count, "{joins} joins are too few to show anything");
}

/// A matcher whose scan is complete, with a transaction 5 on keys 0 to 3 that is spilled.
fn spilled(entries: &mut Vec<LogEntry>) -> SpillingMatcher {
    let mut matcher = SpillingMatcher::new(1, 1);
    let mut out = Vec::new();
    let initialized = Row { r#type: LogType::Initialized as i32, ..Row::default() };
    matcher.on_row(initialized, &mut out, entries).unwrap();
    for key in 0..4 {
        matcher.on_row(row(LogType::Prewrite, 5, 0, key, "value", 0), &mut out, entries).unwrap();
    }
    assert_eq!((matcher.spill(1, entries).unwrap().len(), entries.len()), (1, 4));
    matcher
}

#[test]
fn the_resolved_ts_waits_for_the_join_and_others_do_not_wait_for_it() {
    let (mut entries, mut out) = (Vec::new(), Vec::new());
    let mut matcher = spilled(&mut entries);
    assert!(matcher.is_spilled(5) && !matcher.is_spilled(6));
    assert_eq!(matcher.on_resolved(7), Resolved::Moved, "nothing in the log is committed");
    for kind in [LogType::Prewrite, LogType::Commit] {
        matcher.on_row(row(kind, 6, 8, 9, "small", 0), &mut out, &mut entries).unwrap();
    }
    assert_eq!((out.len(), entries.len()), (1, 4), "others are matched in memory");
    matcher.on_row(row(LogType::Commit, 5, 10, 2, "", 0), &mut out, &mut entries).unwrap();
    assert_eq!((matcher.on_resolved(9), matcher.next_join().is_none()), (Resolved::Moved, true));
    assert_eq!(matcher.on_resolved(10), Resolved::Held);
    assert_eq!(matcher.on_resolved(12), Resolved::Held);
    let join = matcher.next_join().unwrap();
    assert!(matcher.next_join().is_none(), "one at a time");
    assert_eq!(matcher.matcher().resolved_ts(), 9);
    assert_eq!(matcher.joined(true), (Some(12), None), "locks are left: the log stays");
    assert_eq!(matcher.logs().collect::<Vec<_>>(), [join.fresh]);
}

#[test]
fn a_commit_without_prewrite_is_found_by_the_join() {
    let (mut entries, mut out) = (Vec::new(), Vec::new());
    let mut matcher = spilled(&mut entries);
    matcher.on_row(row(LogType::Commit, 5, 10, 11, "", 0), &mut out, &mut entries).unwrap();
    assert_eq!(matcher.on_resolved(10), Resolved::Held);
    let mut replay = Replay::new(matcher.next_join().unwrap());
    entries.sort_by_key(|entry| (entry.row.key.len(), entry.order));
    let mut left = Vec::new();
    let outcome =
        entries.into_iter().try_for_each(|entry| replay.take(entry.order, entry.row, &mut out, &mut left));
    assert!(matches!(outcome, Err(MatchError::CommitWithoutPrewrite { start_ts: 5, commit_ts: 10, .. })));
    assert_eq!((out.len(), left.len()), (0, 4));
}

#[test]
fn the_index_of_spilled_transactions_is_bounded() {
    let mut matcher = SpillingMatcher::new(1, 1);
    let (mut entries, mut out) = (Vec::new(), Vec::new());
    let mut spill = |matcher: &mut SpillingMatcher, from: u64, count: u64| {
        for start_ts in from..from + count {
            matcher.on_row(row(LogType::Prewrite, start_ts, 0, 0, "v", 0), &mut out, &mut entries).unwrap();
        }
        entries.clear();
        matcher.spill(OWN_LOG_BYTES, &mut entries).map(|created| created.len())
    };
    let limit = MAX_SPILLED_TRANSACTIONS as u64;
    assert_eq!(spill(&mut matcher, 10, limit - 5), Ok(1));
    assert_eq!(spill(&mut matcher, limit + 10, 5), Ok(0), "small ones share a log");
    let refused = MatchError::TooManyTransactions { limit: MAX_SPILLED_TRANSACTIONS };
    assert_eq!(spill(&mut matcher, limit + 20, 1), Err(refused));
}
