//! A small cluster that lives at random: transactions, splits, merges, leader transfers, broken streams.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tikv_cdc::RegionRoute;
use tikv_cdc::key_range::KeyRange;
use tikv_proto::cdcpb::change_data_request::Request;
use tikv_proto::cdcpb::event::{Event as Content, LogType, Row, row::OpType};
use tikv_proto::cdcpb::{
    ChangeDataEvent, ChangeDataRequest, Congested, DuplicateRequest, Error, Event, ResolvedTs,
};
use tikv_proto::{errorpb, metapb};
use tokio::sync::mpsc;
use tonic::Status;

use super::{FakeCluster, FakeStore, FakeStream, entries, frame, initialized, peer};

/// Keys are `k000` to this.
const KEYS: u32 = 100;
/// Rows in one piece of a scan.
const SCAN_CHUNK: usize = 7;

/// A committed change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Commit {
    /// When.
    pub(crate) commit_ts: u64,
    /// By which transaction.
    pub(crate) start_ts: u64,
    /// Of which key.
    pub(crate) key: String,
    /// New value; empty for a delete.
    pub(crate) value: String,
    /// Value before; empty if there was none.
    pub(crate) old: String,
}

/// A lock.
#[derive(Clone)]
struct Lock {
    /// By which transaction.
    start_ts: u64,
    /// New value; empty for a delete.
    value: String,
    /// Value before.
    old: String,
}

/// A region.
#[derive(Clone)]
struct Region {
    /// Version of its bounds.
    version: u64,
    /// First key.
    start: String,
    /// End; empty for none.
    end: String,
    /// Store that leads it.
    leader: u64,
}

impl Region {
    /// True if the key is in the region.
    fn holds(&self, key: &str) -> bool {
        self.start.as_str() <= key && (self.end.is_empty() || key < self.end.as_str())
    }

    /// Its encoded range.
    fn range(&self) -> KeyRange {
        KeyRange::encode(self.start.as_bytes(), self.end.as_bytes())
    }
}

/// A registration of a client.
struct Registration {
    /// On which stream.
    stream: u64,
    /// What was asked for.
    request: ChangeDataRequest,
    /// Rows of the scan not sent yet; `None` before it begins.
    scan: Option<VecDeque<Row>>,
    /// True when the scan is complete.
    initialized: bool,
}

/// What streams send.
type Outgoing = mpsc::UnboundedSender<Result<ChangeDataEvent, Status>>;

/// The cluster.
pub(crate) struct World {
    /// Chance.
    random: SmallRng,
    /// The last timestamp.
    ts: u64,
    /// Regions by id.
    regions: BTreeMap<u64, Region>,
    /// The last region id.
    region_id: u64,
    /// Everything that was committed.
    pub(crate) history: Vec<Commit>,
    /// Locks by key.
    locks: BTreeMap<String, Lock>,
    /// Transactions that have a commit ts but not committed all keys: (start ts, commit ts).
    committing: Vec<(u64, u64)>,
    /// Streams by number, with their store.
    streams: BTreeMap<u64, (u64, Outgoing)>,
    /// Registrations.
    registrations: Vec<Registration>,
    /// Stores.
    stores: Vec<u64>,
    /// What the placement driver knows.
    cluster: Arc<FakeCluster>,
    /// Set at the end: nothing bad happens any more.
    calm: bool,
    /// The tasks of the stores.
    servers: Vec<tokio::task::AbortHandle>,
}

/// The number of a key as a key.
fn key(number: u32) -> String {
    format!("k{number:03}")
}

impl World {
    /// A cluster with some regions on some stores, which it serves.
    pub(crate) fn start(seed: u64, cluster: &Arc<FakeCluster>, stores: Vec<FakeStore>) -> Arc<Mutex<Self>> {
        let mut world = Self {
            random: SmallRng::seed_from_u64(seed),
            ts: 1000,
            regions: BTreeMap::new(),
            region_id: 0,
            history: Vec::new(),
            locks: BTreeMap::new(),
            committing: Vec::new(),
            streams: BTreeMap::new(),
            registrations: Vec::new(),
            stores: stores.iter().map(|store| store.id).collect(),
            cluster: Arc::clone(cluster),
            calm: false,
            servers: Vec::new(),
        };
        for store in &stores {
            cluster.stores.lock().insert(store.id, store.address.to_string());
        }
        for (start, end) in [("", "k030"), ("k030", "k060"), ("k060", "")] {
            let leader = *world.stores.choose(&mut world.random).unwrap();
            world.region_id += 1;
            let region = Region { version: 1, start: start.into(), end: end.into(), leader };
            world.regions.insert(world.region_id, region);
        }
        world.tell_placement_driver();
        let world = Arc::new(Mutex::new(world));
        for store in stores {
            let server = tokio::spawn(serve(store, Arc::clone(&world)));
            world.lock().servers.push(server.abort_handle());
        }
        world
    }

    /// The placement driver learns about the regions.
    fn tell_placement_driver(&self) {
        let addresses = self.cluster.stores.lock().clone();
        let mut routes: Vec<RegionRoute> = self
            .regions
            .iter()
            .map(|(id, region)| RegionRoute {
                id: *id,
                epoch: metapb::RegionEpoch { conf_ver: 1, version: region.version },
                range: region.range(),
                leader: peer(region.leader),
                store_address: addresses[&region.leader].clone(),
            })
            .collect();
        routes.sort_by(|left, right| left.range.start.cmp(&right.range.start));
        *self.cluster.regions.lock() = routes;
    }

    /// Ends the stores.
    pub(crate) fn stop(&mut self) {
        self.servers.drain(..).for_each(|server| server.abort());
        self.streams.clear();
    }

    /// A new timestamp.
    pub(crate) fn next_ts(&mut self) -> u64 {
        self.ts += 1;
        self.ts
    }

    /// Something happens.
    pub(crate) fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..25 => self.prewrite(),
            25..45 => self.commit_some(),
            45..50 => self.roll_back(),
            50..58 => self.commit_at_once(),
            58..75 => self.scan_some(),
            75..85 => self.resolve(),
            85..88 if !self.calm => self.split(),
            88..91 if !self.calm => self.merge(),
            91..94 if !self.calm => self.transfer(),
            94..95 if !self.calm => self.break_stream(),
            95..100 => self.tell_placement_driver(),
            _ => {}
        }
    }

    /// Ends all transactions, finishes all scans and tells how far everything is. Returns that timestamp.
    pub(crate) fn settle(&mut self) -> u64 {
        self.calm = true;
        while !self.locks.is_empty() {
            self.commit_some();
        }
        self.committing.clear();
        for _ in 0..200 {
            self.scan_some();
        }
        self.tell_placement_driver();
        self.resolve();
        self.ts
    }

    /// The committed value of a key.
    fn value(&self, key: &str) -> String {
        let last =
            self.history.iter().filter(|commit| commit.key == key).max_by_key(|commit| commit.commit_ts);
        last.map(|commit| commit.value.clone()).unwrap_or_default()
    }

    /// A random new value for a key: a delete now and then.
    fn new_value(&mut self, start_ts: u64) -> String {
        if self.random.random_bool(0.2) { String::new() } else { format!("v{start_ts}") }
    }

    /// A transaction locks some keys.
    fn prewrite(&mut self) {
        let start_ts = self.next_ts();
        for _ in 0..self.random.random_range(1..6) {
            let key = key(self.random.random_range(0..KEYS));
            if self.locks.contains_key(&key) {
                continue;
            }
            let lock = Lock { start_ts, value: self.new_value(start_ts), old: self.value(&key) };
            self.publish(&key, lock_row(&key, &lock));
            self.locks.insert(key, lock);
        }
    }

    /// A transaction commits one or more of its keys; all with the same commit ts.
    fn commit_some(&mut self) {
        let keys: Vec<String> = self.locks.keys().cloned().collect();
        let Some(chosen) = keys.choose(&mut self.random) else { return };
        let start_ts = self.locks[chosen].start_ts;
        let known = self.committing.iter().find(|(start, _)| *start == start_ts).map(|(_, commit)| *commit);
        let commit_ts = known.unwrap_or_else(|| {
            let commit_ts = self.next_ts();
            self.committing.push((start_ts, commit_ts));
            commit_ts
        });
        for key in self.locked_by(start_ts) {
            if self.random.random_bool(0.3) {
                continue;
            }
            let lock = self.locks.remove(&key).unwrap();
            let row = Row {
                r#type: LogType::Commit as i32,
                commit_ts,
                value: Bytes::new(),
                old_value: Bytes::new(),
                ..lock_row(&key, &lock)
            };
            self.publish(&key, row);
            self.history.push(Commit { commit_ts, start_ts, key, value: lock.value, old: lock.old });
        }
    }

    /// A transaction that has not begun to commit is rolled back.
    fn roll_back(&mut self) {
        let committing = &self.committing;
        let keys: Vec<String> = self
            .locks
            .iter()
            .filter(|(_, lock)| !committing.iter().any(|(start, _)| *start == lock.start_ts))
            .map(|(key, _)| key.clone())
            .collect();
        let Some(chosen) = keys.choose(&mut self.random) else { return };
        let start_ts = self.locks[chosen].start_ts;
        for key in self.locked_by(start_ts) {
            let lock = self.locks.remove(&key).unwrap();
            let row = Row {
                r#type: LogType::Rollback as i32,
                op_type: OpType::Unknown as i32,
                value: Bytes::new(),
                old_value: Bytes::new(),
                ..lock_row(&key, &lock)
            };
            self.publish(&key, row);
        }
    }

    /// A one-phase commit.
    fn commit_at_once(&mut self) {
        let key = key(self.random.random_range(0..KEYS));
        if self.locks.contains_key(&key) {
            return;
        }
        let start_ts = self.next_ts();
        let commit_ts = self.next_ts();
        let (value, old) = (self.new_value(start_ts), self.value(&key));
        let commit = Commit { commit_ts, start_ts, key: key.clone(), value, old };
        self.publish(&key, commit_row(&commit));
        self.history.push(commit);
    }

    /// Keys that a transaction has locked.
    fn locked_by(&self, start_ts: u64) -> Vec<String> {
        let locks = self.locks.iter().filter(|(_, lock)| lock.start_ts == start_ts);
        locks.map(|(key, _)| key.clone()).collect()
    }

    /// Sends a row to everybody who wants it.
    fn publish(&mut self, key: &str, row: Row) {
        let Some((id, _)) = self.regions.iter().find(|(_, region)| region.holds(key)) else { return };
        let encoded = KeyRange::encode(key.as_bytes(), b"").start;
        for registration in
            self.registrations.iter().filter(|registration| registration.request.region_id == *id)
        {
            let range =
                KeyRange::new(registration.request.start_key.clone(), registration.request.end_key.clone());
            let inside = range.start <= encoded && (range.end.is_empty() || encoded < range.end);
            if inside {
                let event = entries(&registration.request, vec![row.clone()]);
                send(&self.streams, registration.stream, Ok(frame(vec![event])));
            }
        }
    }

    /// Sends a part of a scan, beginning it if need be.
    fn scan_some(&mut self) {
        let open: Vec<usize> =
            (0..self.registrations.len()).filter(|at| !self.registrations[*at].initialized).collect();
        let Some(at) = open.choose(&mut self.random).copied() else { return };
        if self.registrations[at].scan.is_none() {
            let rows = self.scan(&self.registrations[at].request);
            self.registrations[at].scan = Some(rows);
        }
        let registration = &mut self.registrations[at];
        let scan = registration.scan.as_mut().unwrap();
        let rows: Vec<Row> = (0..SCAN_CHUNK).filter_map(|_| scan.pop_front()).collect();
        registration.initialized = scan.is_empty();
        let event = entries(&registration.request, rows);
        send(&self.streams, registration.stream, Ok(frame(vec![event])));
    }

    /// What a scan finds now: by key, the lock, then commits from new to old.
    fn scan(&self, request: &ChangeDataRequest) -> VecDeque<Row> {
        let range = KeyRange::new(request.start_key.clone(), request.end_key.clone());
        let mut rows = VecDeque::new();
        for key in (0..KEYS).map(key) {
            let encoded = KeyRange::encode(key.as_bytes(), b"").start;
            if encoded < range.start || (!range.end.is_empty() && encoded >= range.end) {
                continue;
            }
            rows.extend(self.locks.get(&key).map(|lock| lock_row(&key, lock)));
            let mut commits: Vec<&Commit> = self
                .history
                .iter()
                .filter(|commit| commit.key == key && commit.commit_ts > request.checkpoint_ts)
                .collect();
            commits.sort_by_key(|commit| std::cmp::Reverse(commit.commit_ts));
            rows.extend(commits.into_iter().map(commit_row));
        }
        rows.push_back(initialized());
        rows
    }

    /// Tells how far the regions are.
    fn resolve(&mut self) {
        let now = self.next_ts();
        let mut batches: BTreeMap<(u64, u64, u64), Vec<u64>> = BTreeMap::new();
        for registration in self.registrations.iter().filter(|registration| registration.initialized) {
            let Some(region) = self.regions.get(&registration.request.region_id) else { continue };
            let locks = self.locks.iter().filter(|(key, _)| region.holds(key));
            let ts = locks.map(|(_, lock)| lock.start_ts).min().unwrap_or(now);
            let batch = (registration.stream, registration.request.request_id, ts);
            batches.entry(batch).or_default().push(registration.request.region_id);
        }
        for ((stream, request_id, ts), regions) in batches {
            let resolved_ts = Some(ResolvedTs { regions, ts, request_id });
            send(&self.streams, stream, Ok(ChangeDataEvent { events: Vec::new(), resolved_ts }));
        }
    }

    /// Ends the registrations of a region.
    fn end_registrations(&mut self, region_id: u64, error: &Error) {
        for registration in
            self.registrations.extract_if(.., |registration| registration.request.region_id == region_id)
        {
            send(&self.streams, registration.stream, Ok(failed(&registration.request, error.clone())));
        }
    }

    /// A random region.
    fn some_region(&mut self) -> u64 {
        let ids: Vec<u64> = self.regions.keys().copied().collect();
        *ids.choose(&mut self.random).unwrap()
    }

    /// A region is split; the store may or may not tell the new regions.
    fn split(&mut self) {
        let id = self.some_region();
        let at = key(self.random.random_range(1..KEYS));
        let region = self.regions[&id].clone();
        if !region.holds(&at) || region.start == at {
            return;
        }
        self.region_id += 1;
        let version = region.version + 1;
        self.regions.insert(self.region_id, Region { version, end: at.clone(), ..region.clone() });
        self.regions.insert(id, Region { version, start: at, ..region });
        let current =
            if self.random.random_bool(0.6) { self.told(&[self.region_id, id]) } else { Vec::new() };
        self.end_registrations(id, &epoch_not_match(current));
    }

    /// A region takes over its right neighbour.
    fn merge(&mut self) {
        let id = self.some_region();
        let left = self.regions[&id].clone();
        let Some((other, right)) =
            self.regions.iter().find(|(_, right)| !left.end.is_empty() && right.start == left.end)
        else {
            return;
        };
        let (other, right) = (*other, right.clone());
        let version = left.version.max(right.version) + 1;
        self.regions.remove(&other);
        self.regions.insert(id, Region { version, end: right.end, ..left });
        self.end_registrations(id, &epoch_not_match(Vec::new()));
        self.end_registrations(other, &region_not_found(other));
    }

    /// A region is led by another store.
    fn transfer(&mut self) {
        let id = self.some_region();
        let leader = *self.stores.choose(&mut self.random).unwrap();
        self.regions.get_mut(&id).unwrap().leader = leader;
        let told = self.random.random_bool(0.6).then(|| peer(leader));
        self.end_registrations(id, &not_leader(id, told));
    }

    /// A stream breaks.
    fn break_stream(&mut self) {
        let streams: Vec<u64> = self.streams.keys().copied().collect();
        let Some(stream) = streams.choose(&mut self.random).copied() else { return };
        send(&self.streams, stream, Err(Status::unknown("broken")));
        self.forget_stream(stream);
    }

    /// A stream is gone.
    fn forget_stream(&mut self, stream: u64) {
        self.streams.remove(&stream);
        self.registrations.retain(|registration| registration.stream != stream);
    }

    /// Regions as a store tells them.
    fn told(&self, ids: &[u64]) -> Vec<metapb::Region> {
        ids.iter()
            .map(|id| {
                let region = &self.regions[id];
                let range = region.range();
                metapb::Region {
                    id: *id,
                    start_key: range.start,
                    end_key: range.end,
                    region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version: region.version }),
                    peers: self.stores.iter().map(|store| peer(*store)).collect(),
                }
            })
            .collect()
    }

    /// A reason why a store does not take a registration now.
    fn refusal(&mut self, region_id: u64) -> Error {
        match self.random.random_range(0..5) {
            0 => congested(region_id),
            1 => region_not_found(region_id),
            2 => not_leader(region_id, None),
            3 => {
                let backoff_ms = self.random.random_range(0..40);
                let busy = errorpb::ServerIsBusy { backoff_ms, ..errorpb::ServerIsBusy::default() };
                Error { server_is_busy: Some(busy), ..Error::default() }
            }
            _ => Error::default(),
        }
    }

    /// A client asks for something.
    fn on_request(&mut self, stream: u64, store: u64, request: ChangeDataRequest) {
        if matches!(request.request, Some(Request::Deregister(_))) {
            self.registrations.retain(|registration| {
                registration.stream != stream
                    || registration.request.request_id != request.request_id
                    || (request.region_id != 0 && registration.request.region_id != request.region_id)
            });
            return;
        }
        let id = request.region_id;
        let same = |registration: &Registration| {
            registration.stream == stream
                && registration.request.region_id == id
                && registration.request.request_id == request.request_id
        };
        let refusal = (!self.calm && self.random.random_bool(0.08)).then(|| self.refusal(id));
        let error = match self.regions.get(&id) {
            _ if refusal.is_some() => refusal,
            None => Some(region_not_found(id)),
            Some(region) if region.leader != store => Some(not_leader(id, Some(peer(region.leader)))),
            Some(region) if region.version != request.region_epoch.unwrap().version => {
                Some(epoch_not_match(self.told(&[id])))
            }
            Some(_) if self.registrations.iter().any(same) => Some(duplicate(id)),
            Some(_) => None,
        };
        match error {
            Some(error) => send(&self.streams, stream, Ok(failed(&request, error))),
            None => {
                self.registrations.push(Registration { stream, request, scan: None, initialized: false });
            }
        }
    }
}

/// Serves the streams of a store.
async fn serve(mut store: FakeStore, world: Arc<Mutex<World>>) {
    let mut number = store.id * 1_000_000;
    while let Some(stream) = store.try_stream().await {
        number += 1;
        tokio::spawn(serve_stream(stream, number, store.id, Arc::clone(&world)));
    }
}

/// Serves a stream.
async fn serve_stream(mut stream: FakeStream, number: u64, store: u64, world: Arc<Mutex<World>>) {
    let (sender, mut queue) = mpsc::unbounded_channel();
    world.lock().streams.insert(number, (store, sender));
    let events = stream.events();
    let pump = tokio::spawn(async move {
        while let Some(event) = queue.recv().await {
            if events.send(event).await.is_err() {
                return;
            }
        }
    });
    while let Some(request) = stream.try_request().await {
        world.lock().on_request(number, store, request);
    }
    world.lock().forget_stream(number);
    drop(stream);
    pump.await.unwrap();
}

/// Queues a frame.
fn send(streams: &BTreeMap<u64, (u64, Outgoing)>, stream: u64, frame: Result<ChangeDataEvent, Status>) {
    if let Some((_, sender)) = streams.get(&stream) {
        let _gone = sender.send(frame);
    }
}

/// A lock as a row.
fn lock_row(key: &str, lock: &Lock) -> Row {
    Row {
        start_ts: lock.start_ts,
        r#type: LogType::Prewrite as i32,
        op_type: op(&lock.value),
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(lock.value.as_bytes()),
        old_value: Bytes::copy_from_slice(lock.old.as_bytes()),
        ..Row::default()
    }
}

/// A commit as a row that is complete in itself.
fn commit_row(commit: &Commit) -> Row {
    Row {
        start_ts: commit.start_ts,
        commit_ts: commit.commit_ts,
        r#type: LogType::Committed as i32,
        op_type: op(&commit.value),
        key: Bytes::copy_from_slice(commit.key.as_bytes()),
        value: Bytes::copy_from_slice(commit.value.as_bytes()),
        old_value: Bytes::copy_from_slice(commit.old.as_bytes()),
        ..Row::default()
    }
}

/// The operation that leads to a value.
fn op(value: &str) -> i32 {
    if value.is_empty() { OpType::Delete as i32 } else { OpType::Put as i32 }
}

/// A frame with an error for a registration.
fn failed(request: &ChangeDataRequest, error: Error) -> ChangeDataEvent {
    frame(vec![Event {
        region_id: request.region_id,
        request_id: request.request_id,
        event: Some(Content::Error(error)),
        ..Event::default()
    }])
}

/// The error of that name.
fn not_leader(region_id: u64, leader: Option<metapb::Peer>) -> Error {
    Error { not_leader: Some(errorpb::NotLeader { region_id, leader }), ..Error::default() }
}

/// The error of that name.
fn epoch_not_match(current_regions: Vec<metapb::Region>) -> Error {
    Error { epoch_not_match: Some(errorpb::EpochNotMatch { current_regions }), ..Error::default() }
}

/// The error of that name.
fn region_not_found(region_id: u64) -> Error {
    Error { region_not_found: Some(errorpb::RegionNotFound { region_id }), ..Error::default() }
}

/// The error of that name.
fn congested(region_id: u64) -> Error {
    Error { congested: Some(Congested { region_id }), ..Error::default() }
}

/// The error of that name.
fn duplicate(region_id: u64) -> Error {
    Error { duplicate_request: Some(DuplicateRequest { region_id }), ..Error::default() }
}
