//! Recorded streams of a real store, replayed through the matcher and the range lock.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use prost::Message;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tikv_cdc::key_range::KeyRange;
use tikv_cdc::range_lock::{LockId, LockOutcome, RangeLock, RegionVersion};
use tikv_cdc::spilling::{LogEntry, LogId, Replay as LogReplay, Resolved, SpillingMatcher};
use tikv_cdc::{Op, RowChange};
use tikv_proto::cdcpb::event::{Event as Content, LogType, Row, row::OpType};
use tikv_proto::cdcpb::{ChangeDataEvent, Error};

/// A recording.
struct Tape {
    /// Its name.
    name: String,
    /// Where the registrations started.
    start_ts: u64,
    /// The regions with their encoded ranges.
    regions: Vec<(u64, KeyRange)>,
    /// What the store sent, in order.
    items: Vec<Item>,
}

/// One thing that concerns one region.
#[derive(Clone, Debug)]
struct Item {
    /// Which region.
    region: u64,
    /// What happened.
    what: What,
}

/// Content of an item.
#[derive(Clone, Debug)]
enum What {
    /// Rows of one event.
    Rows(Vec<Row>),
    /// Resolved ts.
    Resolved(u64),
    /// The region was split: these take its place.
    Split(Vec<(u64, KeyRange)>),
}

/// Folder with the recordings; `None` (said plainly) if there is none.
fn golden() -> Option<PathBuf> {
    let dir = std::env::var_os("TIDEGATE_GOLDEN").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/golden")),
        PathBuf::from,
    );
    let cluster = dir.join("cluster");
    if cluster.is_dir() {
        return Some(cluster);
    }
    println!("SKIPPED: no recordings at {} (set TIDEGATE_GOLDEN)", cluster.display());
    None
}

/// Reads all recordings.
fn tapes() -> Vec<Tape> {
    let Some(cluster) = golden() else { return Vec::new() };
    let mut folders: Vec<_> =
        std::fs::read_dir(cluster).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let tapes: Vec<Tape> = folders.iter().map(|folder| read(folder)).collect();
    assert!(!tapes.is_empty(), "the folder of recordings is empty");
    tapes
}

/// Reads one recording.
fn read(folder: &Path) -> Tape {
    let tape: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("tape.json")).unwrap()).unwrap();
    let number = |value: &serde_json::Value| {
        value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).unwrap()
    };
    let regions = tape["regions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|region| {
            let range = KeyRange::new(unhex(&region["start_key_hex"]), unhex(&region["end_key_hex"]));
            (number(&region["id"]), range)
        })
        .collect();
    let bytes = std::fs::read(folder.join("feed.bin")).unwrap();
    let mut items = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let frame = ChangeDataEvent::decode(&rest[12..12 + length]).unwrap();
        rest = &rest[12 + length..];
        for event in frame.events {
            match event.event {
                Some(Content::Entries(entries)) => {
                    items.push(Item { region: event.region_id, what: What::Rows(entries.entries) });
                }
                Some(Content::ResolvedTs(ts)) => {
                    items.push(Item { region: event.region_id, what: What::Resolved(ts) });
                }
                Some(Content::Error(Error { epoch_not_match: Some(error), .. })) => {
                    let regions = error
                        .current_regions
                        .into_iter()
                        .map(|region| (region.id, KeyRange::new(region.start_key, region.end_key)))
                        .collect();
                    items.push(Item { region: event.region_id, what: What::Split(regions) });
                }
                other => panic!("unexpected event {other:?}"),
            }
        }
        if let Some(resolved) = frame.resolved_ts {
            for region in resolved.regions {
                items.push(Item { region, what: What::Resolved(resolved.ts) });
            }
        }
    }
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    Tape { name, start_ts: number(&tape["start_ts"]), regions, items }
}

/// Bytes of a hexadecimal JSON string.
fn unhex(text: &serde_json::Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The whole key space as one subscription, driven by items.
struct Replay {
    /// Where the subscription started.
    start_ts: u64,
    /// Pieces and their resolved ts.
    locks: RangeLock<()>,
    /// Registrations by region.
    regions: HashMap<u64, (LockId, SpillingMatcher)>,
    /// Versions given to registrations.
    version: u64,
    /// What came out, in order, by region.
    rows: BTreeMap<u64, Vec<RowChange>>,
    /// The resolved ts that was published last.
    published: u64,
    /// True if nothing may wait in memory.
    thrifty: bool,
    /// Logs of spilled transactions.
    logs: BTreeMap<LogId, Vec<LogEntry>>,
    /// Rows that came out of logs.
    joined: usize,
}

impl Replay {
    /// Registers all regions.
    fn new(tape: &Tape) -> Self {
        let mut replay = Self {
            start_ts: tape.start_ts,
            locks: RangeLock::new(KeyRange::new(Vec::new(), Vec::new()), tape.start_ts),
            regions: HashMap::new(),
            version: 1,
            rows: BTreeMap::new(),
            published: tape.start_ts,
            thrifty: false,
            logs: BTreeMap::new(),
            joined: 0,
        };
        for (id, range) in &tape.regions {
            assert_eq!(replay.register(*id, range), tape.start_ts);
        }
        assert_eq!(replay.locks.unlocked().count(), 0, "the regions of the tape cover everything");
        replay
    }

    /// Registers a region; returns where it starts.
    fn register(&mut self, id: u64, range: &KeyRange) -> u64 {
        self.version += 1;
        match self.locks.lock(range, RegionVersion { id, version: self.version }, ()) {
            LockOutcome::Locked { lock, checkpoint_ts, .. } => {
                self.regions.insert(id, (lock, SpillingMatcher::new(self.start_ts, checkpoint_ts)));
                checkpoint_ts
            }
            other => panic!("{other:?}"),
        }
    }

    /// The registration is lost.
    fn lose(&mut self, id: u64) {
        let (lock, _) = self.regions.remove(&id).unwrap();
        assert!(self.locks.unlock(lock).0.is_some());
    }

    /// Takes one item.
    fn take(&mut self, item: &Item) {
        if let What::Split(regions) = &item.what {
            self.lose(item.region);
            for (id, range) in regions {
                self.register(*id, range);
            }
            return;
        }
        let (lock, matcher) = self.regions.get_mut(&item.region).unwrap();
        match &item.what {
            What::Rows(rows) => {
                let (mut out, mut entries) = (Vec::new(), Vec::new());
                for row in rows {
                    matcher.on_row(row.clone(), &mut out, &mut entries).unwrap();
                }
                if self.thrifty {
                    let created = matcher.spill(1 << 10, &mut entries).unwrap();
                    self.logs.extend(created.into_iter().map(|log| (log, Vec::new())));
                }
                for entry in entries {
                    self.logs.get_mut(&entry.log).unwrap().push(entry);
                }
                if matcher.matcher().is_initialized() {
                    self.locks.set_initialized(*lock);
                }
                for row in &out {
                    assert!(row.commit_ts > self.published, "a row came after its resolved ts was published");
                    assert_eq!(row.op == Op::Delete, row.value.is_empty());
                }
                self.rows.entry(item.region).or_default().append(&mut out);
            }
            What::Resolved(ts) => {
                match matcher.on_resolved(*ts) {
                    Resolved::Ignored => {}
                    Resolved::Moved => {
                        self.locks.advance(*lock, *ts);
                    }
                    Resolved::Held => self.join(item.region),
                }
                let resolved = self.locks.resolved_ts().unwrap();
                assert!(resolved >= self.published);
                self.published = resolved;
            }
            What::Split(_) => unreachable!(),
        }
    }

    /// Joins logs of a region until its resolved ts moves.
    fn join(&mut self, region: u64) {
        let (lock, matcher) = self.regions.get_mut(&region).unwrap();
        loop {
            let join = matcher.next_join().unwrap();
            let mut entries = self.logs.remove(&join.sealed).unwrap();
            entries.sort_by(|left, right| {
                (left.row.start_ts, &left.row.key, left.order).cmp(&(
                    right.row.start_ts,
                    &right.row.key,
                    right.order,
                ))
            });
            let mut replay = LogReplay::new(join);
            let (mut out, mut left) = (Vec::new(), Vec::new());
            for entry in entries {
                replay.take(entry.order, entry.row, &mut out, &mut left).unwrap();
            }
            replay.finish(&mut out, &mut left).unwrap();
            assert!(out.iter().all(|row| row.commit_ts > self.published));
            self.joined += out.len();
            self.rows.entry(region).or_default().append(&mut out);
            let any = !left.is_empty();
            self.logs.insert(join.fresh, left);
            let (resolved, unused) = matcher.joined(any);
            if let Some(log) = unused {
                self.logs.remove(&log);
            }
            if let Some(ts) = resolved {
                self.locks.advance(*lock, ts);
                return;
            }
        }
    }

    /// All rows in the order of the sorter, repeated deliveries once.
    fn sorted(&self) -> Vec<RowChange> {
        let mut rows: Vec<RowChange> = self.rows.values().flatten().cloned().collect();
        rows.sort_by(|left, right| {
            (left.commit_ts, left.start_ts, &left.key).cmp(&(right.commit_ts, right.start_ts, &right.key))
        });
        rows.dedup();
        rows
    }
}

/// Replays a tape as it was recorded.
fn straight(tape: &Tape) -> Replay {
    let mut replay = Replay::new(tape);
    tape.items.iter().for_each(|item| replay.take(item));
    replay
}

#[test]
fn recorded_streams_give_rows_and_a_growing_resolved_ts() {
    for tape in tapes() {
        let replay = straight(&tape);
        let rows = replay.sorted();
        let total: usize = replay.rows.values().map(Vec::len).sum();
        let splits = tape.items.iter().filter(|item| matches!(item.what, What::Split(_))).count();
        assert!(rows.len() == total || splits > 0, "{}: a change was delivered twice", tape.name);
        assert!(!rows.is_empty());
        assert!(replay.published > tape.start_ts && replay.locks.is_initialized());
        // Every committed change that the store mentions is delivered, and nothing else.
        let mut told = HashSet::new();
        for item in &tape.items {
            let What::Rows(entries) = &item.what else { continue };
            for row in entries {
                let commits =
                    matches!(LogType::try_from(row.r#type), Ok(LogType::Commit | LogType::Committed));
                if commits && row.commit_ts > tape.start_ts {
                    told.insert((row.start_ts, row.commit_ts, row.key.clone()));
                }
            }
        }
        let delivered: HashSet<_> =
            rows.iter().map(|row| (row.start_ts, row.commit_ts, row.key.clone())).collect();
        assert_eq!(told, delivered, "{}", tape.name);
        println!(
            "{}: {} rows of {total}, {splits} splits, resolved to {}",
            tape.name,
            rows.len(),
            replay.published
        );
    }
}

#[test]
fn recorded_streams_give_the_same_rows_when_nothing_may_wait_in_memory() {
    let mut joined = 0;
    let tapes = tapes();
    for tape in &tapes {
        let expected = straight(tape);
        let mut replay = Replay::new(tape);
        replay.thrifty = true;
        tape.items.iter().for_each(|item| replay.take(item));
        assert_eq!(replay.published, expected.published, "{}", tape.name);
        // What the tape does not resolve any more is still in logs.
        let resolved = |replay: &Replay| {
            let mut rows = replay.sorted();
            rows.retain(|row| row.commit_ts <= replay.published);
            rows
        };
        compare(&resolved(&replay), &resolved(&expected));
        joined += replay.joined;
    }
    println!("{joined} rows came out of logs");
    assert!(tapes.is_empty() || joined > 1000, "too few rows were spilled to show anything");
}

#[test]
fn frames_of_different_regions_may_come_in_any_order() {
    for tape in tapes() {
        let expected = straight(&tape);
        for seed in 0..6_u64 {
            println!("{} seed {seed}", tape.name);
            let mut random = SmallRng::seed_from_u64(seed);
            let mut queues: BTreeMap<u64, VecDeque<&Item>> = BTreeMap::new();
            let families = families(&tape);
            for item in &tape.items {
                queues
                    .entry(families.get(&item.region).copied().unwrap_or(item.region))
                    .or_default()
                    .push_back(item);
            }
            let mut queues: Vec<_> = queues.into_values().collect();
            let mut replay = Replay::new(&tape);
            while !queues.is_empty() {
                let pick = random.random_range(0..queues.len());
                for _ in 0..random.random_range(1..40) {
                    let Some(item) = queues[pick].pop_front() else { break };
                    replay.take(item);
                }
                if queues[pick].is_empty() {
                    queues.swap_remove(pick);
                }
            }
            assert_eq!(replay.rows.len(), expected.rows.len());
            for (region, rows) in &replay.rows {
                compare(rows, &expected.rows[region]);
            }
            assert_eq!(replay.published, expected.published);
        }
    }
}

/// Compares rows, showing only the first that differs.
fn compare(rows: &[RowChange], expected: &[RowChange]) {
    for (at, (row, expected)) in rows.iter().zip(expected).enumerate() {
        assert_eq!(row, expected, "row {at}");
    }
    assert_eq!(rows.len(), expected.len());
}

/// Regions whose items depend on each other, because one came out of the other; each with the name of its family.
fn families(tape: &Tape) -> HashMap<u64, u64> {
    let mut families: HashMap<u64, u64> = HashMap::new();
    for item in &tape.items {
        let What::Split(regions) = &item.what else { continue };
        let family = families.get(&item.region).copied().unwrap_or(item.region);
        families.insert(item.region, family);
        for (id, _) in regions {
            families.insert(*id, family);
        }
    }
    families
}

/// What a store would send for a new registration in the middle of the tape: the scan of what it has by then.
fn rescan(all: &[RowChange], tape: &Tape, region: u64, upto: usize, checkpoint_ts: u64) -> Vec<Item> {
    // Locks and commits that the store has seen by then.
    let mut locks: BTreeMap<(Vec<u8>, u64), Row> = BTreeMap::new();
    let mut committed: HashSet<(u64, u64, Vec<u8>)> = HashSet::new();
    for item in tape.items[..upto].iter().filter(|item| item.region == region) {
        let What::Rows(rows) = &item.what else { continue };
        for row in rows {
            let write = (row.key.to_vec(), row.start_ts);
            match LogType::try_from(row.r#type).unwrap() {
                LogType::Prewrite => {
                    locks.insert(write, row.clone());
                }
                LogType::Commit | LogType::Committed => {
                    locks.remove(&write);
                    committed.insert((row.start_ts, row.commit_ts, row.key.to_vec()));
                }
                LogType::Rollback => {
                    locks.remove(&write);
                }
                _ => {}
            }
        }
    }
    let mut rows: Vec<Row> = locks.into_values().collect();
    rows.extend(
        all.iter()
            .filter(|row| row.commit_ts > checkpoint_ts)
            .filter(|row| committed.contains(&(row.start_ts, row.commit_ts, row.key.to_vec())))
            .map(|row| Row {
                start_ts: row.start_ts,
                commit_ts: row.commit_ts,
                r#type: LogType::Committed as i32,
                op_type: if row.op == Op::Put { OpType::Put } else { OpType::Delete } as i32,
                key: row.key.clone(),
                value: row.value.clone(),
                old_value: row.old_value.clone(),
                ..Row::default()
            }),
    );
    // Key order, the lock first, then commits from new to old.
    rows.sort_by(|left, right| {
        (&left.key, left.commit_ts != 0, std::cmp::Reverse(left.commit_ts)).cmp(&(
            &right.key,
            right.commit_ts != 0,
            std::cmp::Reverse(right.commit_ts),
        ))
    });
    rows.push(Row { r#type: LogType::Initialized as i32, ..Row::default() });
    rows.chunks(17).map(|rows| Item { region, what: What::Rows(rows.to_vec()) }).collect()
}

#[test]
fn a_stream_that_breaks_anywhere_goes_on_from_the_last_resolved_ts() {
    for tape in tapes() {
        if tape.items.iter().any(|item| matches!(item.what, What::Split(_))) {
            println!("{}: left out, its regions change", tape.name);
            continue;
        }
        let whole = straight(&tape);
        let expected = whole.sorted();
        for seed in 0..4_u64 {
            println!("{} seed {seed}", tape.name);
            let mut random = SmallRng::seed_from_u64(seed);
            let mut replay = Replay::new(&tape);
            let mut cuts: Vec<usize> = (0..3).map(|_| random.random_range(1..tape.items.len())).collect();
            cuts.sort_unstable();
            let mut renewed = HashSet::new();
            // Items of a scan that still has to be delivered, mixed with live ones.
            let mut scans: HashMap<u64, VecDeque<Item>> = HashMap::new();
            for (at, item) in tape.items.iter().enumerate() {
                if cuts.contains(&at) {
                    let (id, range) = &tape.regions[random.random_range(0..tape.regions.len())];
                    replay.lose(*id);
                    renewed.insert(*id);
                    let checkpoint_ts = replay.register(*id, range);
                    let rows = &whole.rows.get(id).cloned().unwrap_or_default();
                    scans.insert(*id, rescan(rows, &tape, *id, at, checkpoint_ts).into());
                }
                if let Some(scan) = scans.get_mut(&item.region) {
                    // The resolved ts is only sent when the scan is complete.
                    let whole = matches!(item.what, What::Resolved(_));
                    let count = if whole { scan.len() } else { random.random_range(0..=scan.len()) };
                    scan.drain(..count).for_each(|item| replay.take(&item));
                    if scan.is_empty() {
                        scans.remove(&item.region);
                    }
                }
                let mut item = item.clone();
                if let What::Rows(rows) = &mut item.what
                    && renewed.contains(&item.region)
                {
                    // The recorded registration's own scan is over for the new one.
                    rows.retain(|row| row.r#type != LogType::Initialized as i32);
                }
                replay.take(&item);
            }
            scans.into_values().flatten().for_each(|item| replay.take(&item));
            compare(&replay.sorted(), &expected);
            assert!(replay.published <= whole.published);
        }
    }
}

/// What a store would send for a range that is registered in the middle of the tape: the scan of what it has by then,
/// whichever regions the rows came from.
fn rescan_range(
    all: &[RowChange],
    told: &[Item],
    range: &KeyRange,
    region: u64,
    checkpoint_ts: u64,
) -> Vec<Item> {
    let inside = |key: &[u8]| {
        let key = KeyRange::encode(key, b"").start;
        range.start <= key && (range.end.is_empty() || key < range.end)
    };
    let mut locks: BTreeMap<(Vec<u8>, u64), Row> = BTreeMap::new();
    let mut ended: HashSet<(Vec<u8>, u64)> = HashSet::new();
    let mut committed: HashSet<(u64, u64, Vec<u8>)> = HashSet::new();
    for item in told {
        let What::Rows(rows) = &item.what else { continue };
        for row in rows.iter().filter(|row| inside(&row.key)) {
            let write = (row.key.to_vec(), row.start_ts);
            match LogType::try_from(row.r#type).unwrap() {
                LogType::Prewrite if !ended.contains(&write) => {
                    locks.insert(write, row.clone());
                }
                LogType::Commit | LogType::Committed => {
                    locks.remove(&write);
                    committed.insert((row.start_ts, row.commit_ts, row.key.to_vec()));
                    ended.insert(write);
                }
                LogType::Rollback => {
                    locks.remove(&write);
                    ended.insert(write);
                }
                _ => {}
            }
        }
    }
    let mut rows: Vec<Row> = locks.into_values().collect();
    let commits = all.iter().filter(|row| row.commit_ts > checkpoint_ts && inside(&row.key));
    rows.extend(
        commits.filter(|row| committed.contains(&(row.start_ts, row.commit_ts, row.key.to_vec()))).map(
            |row| Row {
                start_ts: row.start_ts,
                commit_ts: row.commit_ts,
                r#type: LogType::Committed as i32,
                op_type: if row.op == Op::Put { OpType::Put } else { OpType::Delete } as i32,
                key: row.key.clone(),
                value: row.value.clone(),
                old_value: row.old_value.clone(),
                ..Row::default()
            },
        ),
    );
    rows.sort_by_key(|row| (row.key.clone(), row.commit_ts != 0, std::cmp::Reverse(row.commit_ts)));
    rows.push(Row { r#type: LogType::Initialized as i32, ..Row::default() });
    rows.chunks(17).map(|rows| Item { region, what: What::Rows(rows.to_vec()) }).collect()
}

#[test]
fn a_connection_that_is_cut_anywhere_is_resumed_with_all_its_regions() {
    let first: u64 = std::env::var("TIDEGATE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    for tape in tapes() {
        let whole = straight(&tape);
        let expected = whole.sorted();
        for seed in first..first + 3 {
            println!("{} seed {seed}", tape.name);
            let mut random = SmallRng::seed_from_u64(seed);
            let mut replay = Replay::new(&tape);
            let cuts: HashSet<usize> = (0..2).map(|_| random.random_range(1..tape.items.len())).collect();
            // Ranges of the present regions, and those that were registered again: their recorded end of the scan is not
            // that of the new registration.
            let mut ranges: HashMap<u64, KeyRange> = tape.regions.iter().cloned().collect();
            let mut renewed: HashSet<u64> = HashSet::new();
            for (at, item) in tape.items.iter().enumerate() {
                if cuts.contains(&at) {
                    let mut regions: Vec<_> = ranges.iter().map(|(id, range)| (*id, range.clone())).collect();
                    regions.sort_by_key(|(id, _)| *id);
                    for (id, range) in regions {
                        replay.lose(id);
                        let checkpoint_ts = replay.register(id, &range);
                        renewed.insert(id);
                        let scan = rescan_range(&expected, &tape.items[..at], &range, id, checkpoint_ts);
                        scan.iter().for_each(|item| replay.take(item));
                    }
                }
                let mut item = item.clone();
                match &mut item.what {
                    What::Split(regions) => {
                        ranges.remove(&item.region);
                        renewed.remove(&item.region);
                        for (id, range) in regions {
                            renewed.remove(id);
                            ranges.insert(*id, range.clone());
                        }
                    }
                    What::Rows(rows) if renewed.contains(&item.region) => {
                        rows.retain(|row| row.r#type != LogType::Initialized as i32);
                    }
                    _ => {}
                }
                replay.take(&item);
            }
            compare(&replay.sorted(), &expected);
            assert_eq!(replay.published, whole.published, "it comes as far as without the cut");
        }
    }
}
