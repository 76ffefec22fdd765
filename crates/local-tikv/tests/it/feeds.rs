//! Change feeds.

use crate::cluster::{Cluster, bytes, encode, mutation, put};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::Duration;
use tikv_proto::cdcpb::change_data_request::{Deregister, KvApi, Request as Kind};
use tikv_proto::cdcpb::event::{Event as Body, LogType, Row, row::OpType};
use tikv_proto::cdcpb::{ChangeDataEvent, ChangeDataRequest, Error, Event, Header, ResolvedTs};
use tikv_proto::kvrpcpb::*;
use tikv_proto::metapb;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Streaming};

const PATIENCE: Duration = Duration::from_secs(10);

/// A stream with what it sent so far.
pub(crate) struct Feed {
    requests: mpsc::Sender<ChangeDataRequest>,
    frames: Streaming<ChangeDataEvent>,
    cluster_id: u64,
    rows: Vec<(u64, Row)>,
    errors: Vec<(u64, u64, Error)>,
    resolved: Vec<ResolvedTs>,
    region_resolved: Vec<(u64, u64)>,
}

impl Feed {
    pub(crate) async fn open(cluster: &Cluster) -> Self {
        Self::open_v2(cluster, Some("stream-multiplexing")).await.unwrap()
    }

    async fn open_v2(cluster: &Cluster, features: Option<&'static str>) -> Result<Self, tonic::Status> {
        let (requests, receiver) = mpsc::channel(64);
        let mut request = Request::new(ReceiverStream::new(receiver));
        if let Some(features) = features {
            request.metadata_mut().insert("features", features.parse().unwrap());
        }
        let frames = cluster.feeds.clone().event_feed_v2(request).await?.into_inner();
        Ok(Self::new(cluster, requests, frames))
    }

    async fn open_v1(cluster: &Cluster) -> Self {
        let (requests, receiver) = mpsc::channel(64);
        let frames =
            cluster.feeds.clone().event_feed(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        Self::new(cluster, requests, frames)
    }

    fn new(
        cluster: &Cluster,
        requests: mpsc::Sender<ChangeDataRequest>,
        frames: Streaming<ChangeDataEvent>,
    ) -> Self {
        Self {
            cluster_id: cluster.pd.cluster_id(),
            requests,
            frames,
            rows: Vec::new(),
            errors: Vec::new(),
            resolved: Vec::new(),
            region_resolved: Vec::new(),
        }
    }

    /// Sends a request; one without a cluster id gets the right one.
    async fn send(&self, mut request: ChangeDataRequest) {
        if let Some(header) = request.header.as_mut().filter(|header| header.cluster_id == 0) {
            header.cluster_id = self.cluster_id;
        }
        self.requests.send(request).await.unwrap();
    }

    pub(crate) async fn subscribe(&self, region: &metapb::Region, request_id: u64, checkpoint_ts: u64) {
        self.send(register(region, request_id, checkpoint_ts)).await;
    }

    /// Receives one frame.
    async fn receive(&mut self) {
        let frame = timeout(PATIENCE, self.frames.message())
            .await
            .expect("no frame")
            .unwrap()
            .expect("the stream ended");
        for Event { region_id, request_id, event, .. } in frame.events {
            match event.unwrap() {
                Body::Entries(entries) => {
                    self.rows.extend(entries.entries.into_iter().map(|row| (request_id, row)))
                }
                Body::Error(error) => self.errors.push((request_id, region_id, error)),
                Body::ResolvedTs(ts) => self.region_resolved.push((region_id, ts)),
            }
        }
        self.resolved.extend(frame.resolved_ts);
    }

    /// Receives until `done`.
    pub(crate) async fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let all = async {
            while !done(self) {
                self.receive().await;
            }
        };
        timeout(PATIENCE, all).await.expect("what was waited for did not come");
    }

    async fn until_resolved(&mut self, ts: u64) {
        self.until(|feed| feed.resolved.iter().any(|resolved| resolved.ts >= ts)).await;
    }

    pub(crate) async fn until_initialized(&mut self, request_id: u64) {
        self.until(|feed| feed.of(request_id).any(|row| row.r#type() == LogType::Initialized)).await;
    }

    fn of(&self, request_id: u64) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |(id, _)| *id == request_id).map(|(_, row)| row)
    }

    /// Rows in short form.
    fn texts(&self) -> Vec<String> {
        self.rows.iter().map(|(_, row)| text(row)).collect()
    }

    async fn error(&mut self) -> (u64, u64, Error) {
        self.until(|feed| !feed.errors.is_empty()).await;
        self.errors.remove(0)
    }
}

fn text(row: &Row) -> String {
    let op = match row.op_type() {
        OpType::Put => "put",
        OpType::Delete => "delete",
        OpType::Unknown => "-",
    };
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    let kind = row.r#type().as_str_name().to_lowercase();
    format!("{kind} {op} {}={} was {}", text(&row.key), text(&row.value), text(&row.old_value))
}

fn register(region: &metapb::Region, request_id: u64, checkpoint_ts: u64) -> ChangeDataRequest {
    ChangeDataRequest {
        header: Some(Header { cluster_id: 0, ticdc_version: "8.5.4".to_owned() }),
        region_id: region.id,
        region_epoch: region.region_epoch,
        checkpoint_ts,
        start_key: region.start_key.clone(),
        end_key: region.end_key.clone(),
        request_id,
        extra_op: ExtraOp::ReadOldValue.into(),
        ..Default::default()
    }
}

/// What a client makes of a feed: every commit joined with its value, in the order of arrival.
#[derive(Default)]
struct Matcher {
    prewrites: BTreeMap<(u64, Bytes), Row>,
    early: Vec<Row>,
    initialized: bool,
    /// (commit ts, key) -> (value if put, old value)
    changes: BTreeMap<(u64, Bytes), (Option<Bytes>, Bytes)>,
}

impl Matcher {
    fn take(&mut self, row: &Row) {
        match row.r#type() {
            LogType::Prewrite => {
                self.prewrites.insert((row.start_ts, row.key.clone()), row.clone());
            }
            LogType::Commit => match self.prewrites.remove(&(row.start_ts, row.key.clone())) {
                Some(prewrite) => {
                    self.emit(Row { commit_ts: row.commit_ts, ..prewrite });
                }
                None => {
                    assert!(!self.initialized, "a commit without its prewrite: {row:?}");
                    self.early.push(row.clone());
                }
            },
            LogType::Rollback => {
                self.prewrites.remove(&(row.start_ts, row.key.clone()));
            }
            LogType::Committed => self.emit(row.clone()),
            LogType::Initialized => {
                self.initialized = true;
                for row in std::mem::take(&mut self.early) {
                    if let Some(prewrite) = self.prewrites.remove(&(row.start_ts, row.key.clone())) {
                        self.emit(Row { commit_ts: row.commit_ts, ..prewrite });
                    }
                }
            }
            LogType::Unknown => panic!("unknown row"),
        }
    }

    fn emit(&mut self, row: Row) {
        let value = (row.op_type() == OpType::Put).then_some(row.value);
        self.changes.insert((row.commit_ts, row.key), (value, row.old_value));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_scans_what_it_missed_then_follows() {
    let cluster = Cluster::start().await;
    cluster.write(vec![put("a", "0"), put("z", "0")]).await;
    let checkpoint = cluster.ts();
    cluster.write(vec![put("a", "1"), put("b", "1")]).await;
    cluster.write(vec![mutation(Op::Del, "a"), put("c", &"long".repeat(100))]).await;
    let locked = cluster.ts();
    cluster.prewrite(vec![put("b", "2"), put("bb", "2")], locked).await;

    let mut feed = Feed::open(&cluster).await;
    feed.subscribe(&cluster.region_of("a"), 7, checkpoint).await;
    feed.until_initialized(7).await;
    let long = "long".repeat(100);
    assert_eq!(
        feed.texts(),
        [
            "committed delete a= was 1",
            "committed put a=1 was 0",
            "prewrite put b=2 was 1",
            "committed put b=1 was ",
            "prewrite put bb=2 was ",
            &format!("committed put c={long} was "),
            "initialized - = was ",
        ]
    );
    feed.rows.clear();
    let commit_ts = cluster.ts();
    cluster.commit(&["b", "bb"], locked, commit_ts).await;
    cluster.write(vec![mutation(Op::Del, "c")]).await;
    let undone = cluster.ts();
    cluster.prewrite(vec![put("d", "x")], undone).await;
    cluster.rollback(&["d"], undone).await;
    let mut one_phase = cluster.prewrite_request(vec![put("z", "1")], cluster.ts());
    one_phase.try_one_pc = true;
    let one_phase_ts = cluster.send_prewrite(one_phase).await.one_pc_commit_ts;
    feed.until_resolved(one_phase_ts).await;
    assert_eq!(
        feed.texts(),
        [
            "commit put b= was ",
            "commit put bb= was ",
            &format!("prewrite delete c= was {long}"),
            "commit delete c= was ",
            "prewrite put d=x was ",
            "rollback - d= was ",
            "committed put z=1 was 0",
        ]
    );
    assert_eq!(feed.rows[0].1.commit_ts, commit_ts);
    let resolved = feed.resolved.last().unwrap();
    assert_eq!((resolved.request_id, &resolved.regions), (7, &vec![cluster.region_of("a").id]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resolved_timestamps_stop_at_an_unresolved_lock_and_go_on_after_it() {
    let cluster = Cluster::start().await;
    let mut feed = Feed::open(&cluster).await;
    feed.subscribe(&cluster.region_of("a"), 1, cluster.ts()).await;
    // Locks that change nothing hold nothing back.
    cluster.prewrite(vec![mutation(Op::Lock, "l")], cluster.ts()).await;
    feed.until_resolved(cluster.ts()).await;
    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("a", "1")], start_ts).await;
    // A timestamp on its way when the lock was taken may still arrive; later ones may not.
    let locked = cluster.ts();
    feed.until_resolved(start_ts).await;
    let silence = tokio::time::sleep(Duration::from_millis(300));
    tokio::pin!(silence);
    loop {
        tokio::select! {
            () = &mut silence => break,
            frame = feed.frames.message() => feed.resolved.extend(frame.unwrap().unwrap().resolved_ts),
        }
    }
    assert!(feed.resolved.iter().all(|resolved| resolved.ts < locked));
    assert!(feed.resolved.is_sorted_by_key(|resolved| resolved.ts));
    let commit_ts = cluster.ts();
    cluster.commit(&["a"], start_ts, commit_ts).await;
    feed.until_resolved(commit_ts).await;
    assert!(
        feed.texts().contains(&"commit put a= was ".to_owned()),
        "the commit comes before its resolved ts"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_never_arrive_behind_their_resolved_timestamp() {
    let cluster = Cluster::start_with(|config| config.resolved_ts_interval = Duration::from_millis(1)).await;
    let mut feed = Feed::open(&cluster).await;
    feed.subscribe(&cluster.region_of("a"), 1, cluster.ts()).await;
    let writes = async {
        for n in 0..150 {
            if n % 2 == 0 {
                cluster.write(vec![put(&format!("k{}", n % 7), "v")]).await;
            } else {
                let mut request =
                    cluster.prewrite_request(vec![put(&format!("k{}", n % 5), "v")], cluster.ts());
                request.try_one_pc = true;
                assert_ne!(cluster.send_prewrite(request).await.one_pc_commit_ts, 0);
            }
        }
        cluster.ts()
    };
    let read = async {
        let mut resolved = 0;
        let mut commits = 0;
        while commits < 150 {
            feed.receive().await;
            for (_, row) in feed.rows.drain(..).filter(|(_, row)| row.commit_ts != 0) {
                assert!(row.commit_ts > resolved, "{row:?} after {resolved}");
                commits += 1;
            }
            for message in feed.resolved.drain(..) {
                assert!(message.ts > resolved);
                resolved = message.ts;
            }
        }
    };
    tokio::join!(writes, read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scan_beside_writes_loses_and_doubles_nothing() {
    let cluster = Cluster::start().await;
    let checkpoint = cluster.ts();
    for batch in 0..20 {
        cluster.write((0..100).map(|n| put(&format!("k{batch:02}{n:02}"), &"v".repeat(500))).collect()).await;
    }
    let mut feed = Feed::open(&cluster).await;
    let mut expected: BTreeMap<(u64, Bytes), Option<Bytes>> = BTreeMap::new();
    feed.subscribe(&cluster.region_of("a"), 1, checkpoint).await;
    for n in 0..60 {
        let key = format!("k{:02}{:02}", n % 20, n % 10);
        let change = if n % 3 == 0 { mutation(Op::Del, &key) } else { put(&key, &n.to_string()) };
        let value = (n % 3 != 0).then(|| change.value.clone());
        let (_, commit_ts) = cluster.write(vec![change]).await;
        expected.insert((commit_ts, bytes(&key)), value);
    }
    feed.until_initialized(1).await;
    feed.until_resolved(cluster.ts()).await;
    let mut matcher = Matcher::default();
    feed.rows.iter().for_each(|(_, row)| matcher.take(row));
    assert_eq!(matcher.changes.len(), 2000 + expected.len());
    let mut last: BTreeMap<Bytes, Bytes> = BTreeMap::new();
    for ((commit_ts, key), (value, old)) in &matcher.changes {
        if let Some(wanted) = expected.get(&(*commit_ts, key.clone())) {
            assert_eq!(value, wanted);
        }
        assert_eq!(*old, last.get(key).cloned().unwrap_or_default(), "old values form a chain");
        last.insert(key.clone(), value.clone().unwrap_or_default());
    }
    assert!(matcher.prewrites.is_empty() && matcher.early.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_ends_a_scan_under_way_with_the_new_regions() {
    let cluster = Cluster::start_with(|config| config.feed_quota = 64 * 1024).await;
    let checkpoint = cluster.ts();
    // More than the transport and the quota hold: the scan cannot end while nobody reads.
    for batch in 0..20 {
        cluster
            .write((0..50).map(|n| put(&format!("k{batch:02}{n:02}"), &"v".repeat(16 * 1024))).collect())
            .await;
    }
    let region = cluster.region_of("a");
    let mut feed = Feed::open(&cluster).await;
    feed.subscribe(&region, 1, checkpoint).await;
    feed.until(|feed| !feed.rows.is_empty()).await;
    let parts = cluster.split(&region, &["k05", "k10"]).await.regions;
    assert_eq!(parts.len(), 3);
    let (request_id, region_id, error) = feed.error().await;
    assert_eq!((request_id, region_id), (1, region.id));
    assert_eq!(error.epoch_not_match.unwrap().current_regions, parts);
    assert!(feed.of(1).all(|row| row.r#type() != LogType::Initialized));
    feed.rows.clear();
    for (id, part) in (10..).zip(&parts) {
        feed.subscribe(part, id, checkpoint).await;
    }
    let (_, commit_ts) = cluster.write(vec![put("k07", "new")]).await;
    for id in 10..13 {
        feed.until_initialized(id).await;
        feed.until(|feed| feed.resolved.iter().any(|r| r.request_id == id && r.ts >= commit_ts)).await;
    }
    let mut all = BTreeMap::new();
    for id in 10..13 {
        let mut matcher = Matcher::default();
        feed.of(id).for_each(|row| matcher.take(row));
        assert!(matcher.initialized);
        for (at, change) in matcher.changes {
            assert!(all.insert(at, change).is_none(), "a change came from two regions");
        }
    }
    assert_eq!(all.len(), 1001);
    assert!(feed.of(1).next().is_none(), "nothing follows the error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_are_checked() {
    let cluster = Cluster::start().await;
    let region = cluster.region_of("a");
    let mut feed = Feed::open(&cluster).await;
    let mut wrong = register(&region, 1, 1);
    wrong.header.as_mut().unwrap().cluster_id = 5;
    feed.send(wrong).await;
    let mismatch = feed.error().await.2.cluster_id_mismatch.unwrap();
    assert_eq!((mismatch.current, mismatch.request), (cluster.pd.cluster_id(), 5));
    feed.send(ChangeDataRequest { kv_api: KvApi::TxnKv.into(), ..register(&region, 2, 1) }).await;
    assert_eq!(feed.error().await.2.compatibility.unwrap().required_version, "6.2.0");
    feed.send(ChangeDataRequest { region_id: 99, ..register(&region, 3, 1) }).await;
    assert_eq!(feed.error().await.2.region_not_found.unwrap().region_id, 99);
    let epoch = Some(metapb::RegionEpoch { conf_ver: 1, version: 99 });
    feed.send(ChangeDataRequest { region_epoch: epoch, ..register(&region, 4, 1) }).await;
    assert_eq!(feed.error().await.2.epoch_not_match.unwrap().current_regions, std::slice::from_ref(&region));
    // The configuration version does not matter.
    let version = region.region_epoch.unwrap().version;
    let epoch = Some(metapb::RegionEpoch { conf_ver: 99, version });
    feed.send(ChangeDataRequest { region_epoch: epoch, ..register(&region, 5, 1) }).await;
    feed.until_initialized(5).await;
    feed.subscribe(&region, 5, 1).await;
    let (request_id, _, error) = feed.error().await;
    assert_eq!((request_id, error.duplicate_request.unwrap().region_id), (5, region.id));
    feed.subscribe(&region, 6, 1).await;
    feed.until_initialized(6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_share_a_stream_and_end_one_by_one() {
    let cluster = Cluster::start().await;
    let region = cluster.region_of("a");
    let mut feed = Feed::open(&cluster).await;
    let half = ChangeDataRequest { end_key: encode(b"m").into(), ..register(&region, 1, 1) };
    feed.send(half).await;
    let garbled = ChangeDataRequest { start_key: bytes("bad"), ..register(&region, 2, 1) };
    feed.send(garbled).await;
    feed.until_initialized(1).await;
    feed.until_initialized(2).await;
    feed.rows.clear();
    let (_, commit_ts) = cluster.write(vec![put("a", "1"), put("x", "1")]).await;
    feed.until(|feed| (1..=2).all(|id| feed.resolved.iter().any(|r| r.request_id == id && r.ts > commit_ts)))
        .await;
    assert!(feed.of(1).all(|row| row.key == "a"), "only the wanted range");
    assert_eq!((feed.of(1).count(), feed.of(2).count()), (2, 4), "unreadable bounds mean the whole region");
    let deregister = ChangeDataRequest {
        request: Some(Kind::Deregister(Deregister {})),
        region_id: 0,
        ..register(&region, 2, 1)
    };
    feed.send(deregister).await;
    // A request that is withdrawn at once leaves nothing.
    feed.subscribe(&region, 4, 1).await;
    feed.send(ChangeDataRequest {
        request: Some(Kind::Deregister(Deregister {})),
        ..register(&region, 4, 1)
    })
    .await;
    // Requests are served in order: the next one is answered after the deregistrations.
    feed.subscribe(&region, 3, cluster.ts()).await;
    feed.until_initialized(3).await;
    feed.rows.clear();
    let (_, commit_ts) = cluster.write(vec![put("b", "1")]).await;
    feed.until(|feed| {
        [1, 3].iter().all(|id| feed.resolved.iter().any(|r| r.request_id == *id && r.ts > commit_ts))
    })
    .await;
    assert_eq!([1, 2, 3, 4].map(|id| feed.of(id).count()), [2, 0, 2, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn features_and_old_clients_are_honoured() {
    let cluster = Cluster::start().await;
    let region = cluster.region_of("a");
    let Err(status) = Feed::open_v2(&cluster, Some("stream-multiplexing, teleport ,x")).await else {
        panic!("an unknown feature was accepted");
    };
    assert_eq!((status.code(), status.message()), (tonic::Code::Unimplemented, "teleport,x"));

    let mut old = Feed::open_v1(&cluster).await;
    let header = Some(Header { cluster_id: 1, ticdc_version: "4.0.7".to_owned() });
    old.send(ChangeDataRequest { header, ..register(&region, 0, 1) }).await;
    let ts = cluster.ts();
    old.until(|feed| feed.region_resolved.iter().any(|(id, resolved)| *id == region.id && *resolved > ts))
        .await;
    assert!(old.resolved.is_empty());

    let mut v1 = Feed::open_v1(&cluster).await;
    v1.subscribe(&region, 9, 1).await;
    v1.until_resolved(cluster.ts()).await;
    assert_eq!(v1.resolved.last().unwrap().request_id, 0);
    v1.subscribe(&region, 10, 1).await;
    assert!(v1.error().await.2.duplicate_request.is_some(), "one registration of a region per stream");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicated_rows_can_be_filtered() {
    let cluster = Cluster::start().await;
    let region = cluster.region_of("a");
    let mut feed = Feed::open(&cluster).await;
    feed.send(ChangeDataRequest { filter_loop: true, ..register(&region, 1, 1) }).await;
    feed.subscribe(&region, 2, 1).await;
    feed.until_initialized(1).await;
    feed.until_initialized(2).await;
    feed.rows.clear();
    for (source, key) in [(0, "plain"), (1, "replicated"), (0x100, "lossy"), (1 << 16, "imported")] {
        let mut request = cluster.prewrite_request(vec![put(key, "1")], cluster.ts());
        request.try_one_pc = true;
        request.context.as_mut().unwrap().txn_source = source;
        cluster.send_prewrite(request).await;
    }
    feed.until(|feed| (1..=2).all(|id| feed.resolved.iter().any(|r| r.request_id == id && r.ts > 0))).await;
    feed.resolved.clear();
    feed.until_resolved(cluster.ts()).await;
    let keys = |id| feed.of(id).map(|row| row.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(1), ["plain"]);
    assert_eq!(keys(2), ["plain", "replicated"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_does_not_read_is_cut_off_and_can_come_back() {
    let cluster = Cluster::start_with(|config| config.feed_quota = 256 * 1024).await;
    let region = cluster.region_of("a");
    let mut feed = Feed::open(&cluster).await;
    feed.subscribe(&region, 1, cluster.ts()).await;
    feed.until_initialized(1).await;
    let checkpoint = cluster.ts();
    feed.rows.clear();
    // Nobody reads: the transport takes some, the quota the rest, then the subscription ends.
    let mut written = 0;
    let value = "v".repeat(64 * 1024);
    for batch in 0..100 {
        cluster.write((0..4).map(|n| put(&format!("k{batch:03}{n}"), &value)).collect()).await;
        written += 4;
    }
    let (_, region_id, error) = feed.error().await;
    assert_eq!((error.congested.unwrap().region_id, region_id), (region.id, region.id));
    feed.subscribe(&cluster.region_of("a"), 2, checkpoint).await;
    feed.until_initialized(2).await;
    assert_eq!(feed.of(2).filter(|row| row.r#type() == LogType::Committed).count(), written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feeds_and_splits_go_on_after_pd_was_away() {
    let cluster = Cluster::start().await;
    let region = cluster.region_of("a");
    let mut feed = Feed::open(&cluster).await;
    feed.subscribe(&region, 1, cluster.ts()).await;
    feed.until_initialized(1).await;
    cluster.pd.restart().await;
    let (_, commit_ts) = cluster.write(vec![put("a", "1")]).await;
    feed.until_resolved(commit_ts).await;
    let parts = cluster.split(&region, &["m"]).await.regions;
    assert_eq!(parts.len(), 2);
    // PD learns of the split over a new heart beat stream, whatever became of the report.
    let known = async {
        while cluster.pd.regions().len() < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, known).await.unwrap();
}
