//! The client against a store that does what the test says.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use event_sorter::Stage;
use tikv_cdc::key_range::KeyRange;
use tikv_cdc::{CdcConfig, CdcError, FailureKind, RegionStage, SpanEvent, SpanRequest, SpoolConfig};
use tikv_proto::cdcpb::change_data_request::Request;
use tikv_proto::cdcpb::event::LogType;
use tikv_proto::cdcpb::{ClusterIdMismatch, Compatibility, Congested, DuplicateRequest, Error, ScanPriority};
use tikv_proto::{errorpb, metapb};
use tonic::Status;

use crate::fake::{FakeStore, Harness, entries, frame, initialized, live_lock, peer, row};

/// The error "not leader".
fn not_leader(leader: Option<metapb::Peer>) -> Error {
    Error { not_leader: Some(errorpb::NotLeader { region_id: 1, leader }), ..Error::default() }
}

/// The error "epoch does not match".
fn epoch_not_match(current_regions: Vec<metapb::Region>) -> Error {
    Error { epoch_not_match: Some(errorpb::EpochNotMatch { current_regions }), ..Error::default() }
}

/// A region as a store tells it.
fn told(id: u64, version: u64, start: &str, end: &str, store: u64) -> metapb::Region {
    let range = KeyRange::encode(start.as_bytes(), end.as_bytes());
    metapb::Region {
        id,
        start_key: range.start,
        end_key: range.end,
        region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version }),
        peers: vec![peer(store)],
    }
}

#[tokio::test]
async fn a_span_is_scanned_and_then_followed() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(7, 3, "a", "z", &store);
    let handle = test.subscribe(11, "b", "d", 100);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    assert!(stream.multiplexed);
    assert!(matches!(request.request, Some(Request::Register(_))));
    assert_eq!((request.region_id, request.checkpoint_ts, request.extra_op), (7, 100, 1));
    assert_eq!(request.region_epoch.unwrap().version, 3);
    assert_eq!(
        KeyRange::new(request.start_key.clone(), request.end_key.clone()),
        KeyRange::encode(b"b", b"d")
    );
    let header = request.header.clone().unwrap();
    assert_eq!((header.cluster_id, header.ticdc_version.as_str()), (42, "8.5.4"));
    assert_eq!(request.scan_priority, ScanPriority::Low as i32, "ts 100 is long ago");

    stream.rows(&request, vec![row(LogType::Committed, 101, 102, "b1", "one")]).await;
    assert_eq!(test.rows().await, [(102, "b1".into(), "one".into())]);
    stream.resolved(&[&request], 150).await;
    stream.rows(&request, vec![initialized()]).await;
    stream.resolved(&[&request], 200).await;
    assert_eq!(test.resolved().await, 200, "the one before the end of the scan does not count");
    stream
        .rows(
            &request,
            vec![row(LogType::Prewrite, 201, 0, "b2", "two"), row(LogType::Commit, 201, 205, "b2", "")],
        )
        .await;
    stream.resolved(&[&request], 300).await;
    assert_eq!(test.rows().await, [(205, "b2".into(), "two".into())]);
    assert_eq!(test.resolved().await, 300);
    let report = handle.inspect();
    assert_eq!((report.resolved_ts, report.live, report.initialized), (300, 1, true));
    test.until("all frames are free", |test| test.quota.used_by(Stage::Frames) == 0).await;
    drop(handle);
    test.until("all memory is free", |test| test.quota.used() == 0).await;
}

#[tokio::test]
async fn spans_share_a_stream_and_are_told_apart() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let _one = test.subscribe(1, "a", "b", 10);
    let mut stream = store.stream().await;
    let first = stream.request().await;
    let _two = test.subscribe(2, "b", "c", 20);
    let second = stream.request().await;
    assert_ne!(first.request_id, second.request_id);
    assert_eq!((first.checkpoint_ts, second.checkpoint_ts), (10, 20));
    stream.rows(&second, vec![initialized(), row(LogType::Committed, 30, 31, "b", "2")]).await;
    stream.rows(&first, vec![initialized()]).await;
    stream.resolved(&[&first], 40).await;
    stream.resolved(&[&second], 50).await;
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(match test.event().await {
            (span, SpanEvent::Rows(rows)) => (span, rows[0].commit_ts),
            (span, SpanEvent::ResolvedTs(ts)) => (span, ts),
            (_, SpanEvent::Failed(error)) => panic!("{error}"),
        });
    }
    events.sort_unstable();
    assert_eq!(events, [(1, 40), (2, 31), (2, 50)]);
    let again = SpanRequest { id: 2, start: vec![1], end: vec![], start_ts: 1, filter_loop: false };
    assert!(matches!(test.client.subscribe(again, &test.sender), Err(CdcError::SpanExists { id: 2 })));
}

#[tokio::test]
async fn an_old_store_gets_a_stream_for_each_span() {
    let mut store = FakeStore::start(1).await;
    store.multiplexing.store(false, Ordering::SeqCst);
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let _one = test.subscribe(1, "a", "b", 10);
    let mut first = store.stream().await;
    assert!(!first.multiplexed);
    let request = first.request().await;
    first.rows(&request, vec![initialized()]).await;
    first.resolved(&[&request], 40).await;
    assert_eq!(test.resolved().await, 40);
    let _two = test.subscribe(2, "b", "c", 20);
    let mut second = store.stream().await;
    assert_eq!(second.request().await.region_id, 1);
    assert!(test.client.metrics().failures(FailureKind::Multiplexing) >= 1);
}

#[tokio::test]
async fn a_new_leader_is_asked_from_where_the_old_one_stopped() {
    let mut old = FakeStore::start(1).await;
    let mut new = FakeStore::start(2).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &new);
    test.cluster.region(1, 1, "", "", &old);
    let _span = test.subscribe(1, "a", "b", 10);
    let mut stream = old.stream().await;
    let request = stream.request().await;
    stream.rows(&request, vec![initialized()]).await;
    stream.resolved(&[&request], 40).await;
    assert_eq!(test.resolved().await, 40);
    stream.error(&request, not_leader(Some(peer(2)))).await;
    let mut stream = new.stream().await;
    let request = stream.request().await;
    assert_eq!((request.region_id, request.checkpoint_ts), (1, 40));
    // And back again, twice.
    stream.error(&request, not_leader(Some(peer(1)))).await;
    assert_eq!(test.client.metrics().failures(FailureKind::NotLeader), 1);
}

#[tokio::test]
async fn without_a_named_leader_the_region_is_looked_up() {
    let mut old = FakeStore::start(1).await;
    let mut new = FakeStore::start(2).await;
    let test = Harness::new();
    test.cluster.region(1, 1, "", "", &old);
    let _span = test.subscribe(1, "a", "b", 10);
    let mut stream = old.stream().await;
    let request = stream.request().await;
    test.cluster.region(1, 1, "", "", &new);
    stream.error(&request, not_leader(None)).await;
    assert_eq!(new.stream().await.request().await.checkpoint_ts, 10);
}

#[tokio::test]
async fn after_a_split_both_halves_are_subscribed_before_the_placement_driver_knows() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    stream.rows(&request, vec![initialized()]).await;
    stream.resolved(&[&request], 40).await;
    assert_eq!(test.resolved().await, 40);
    let lookups = test.cluster.lookups.load(Ordering::SeqCst);
    stream.error(&request, epoch_not_match(vec![told(2, 2, "", "m", 1), told(1, 2, "m", "", 1)])).await;
    let (left, right) = (stream.request().await, stream.request().await);
    assert_eq!((left.region_id, left.checkpoint_ts, right.region_id, right.checkpoint_ts), (2, 40, 1, 40));
    assert_eq!(left.end_key, right.start_key);
    assert_eq!(test.cluster.lookups.load(Ordering::SeqCst), lookups);
    // The span is as far as the slower half.
    stream.rows(&left, vec![initialized()]).await;
    stream.resolved(&[&left], 60).await;
    stream.rows(&right, vec![initialized()]).await;
    stream.resolved(&[&right], 50).await;
    assert_eq!(test.resolved().await, 50);
}

#[tokio::test]
async fn a_merged_region_is_subscribed_once_when_both_old_ones_have_ended() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 3, "", "m", &store);
    test.cluster.region(2, 3, "m", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let (left, right) = (stream.request().await, stream.request().await);
    stream.rows(&left, vec![initialized()]).await;
    stream.rows(&right, vec![initialized()]).await;
    stream.resolved(&[&left], 50).await;
    stream.resolved(&[&right], 40).await;
    assert_eq!(test.resolved().await, 40);
    test.cluster.region(2, 4, "", "", &store);
    stream.error(&left, epoch_not_match(vec![])).await;
    assert!(stream.is_silent(Duration::from_millis(300)).await, "the other old region is still there");
    stream
        .error(
            &right,
            Error { region_not_found: Some(errorpb::RegionNotFound { region_id: 2 }), ..Error::default() },
        )
        .await;
    let merged = stream.request().await;
    assert_eq!((merged.region_id, merged.checkpoint_ts), (2, 40));
    assert_eq!(KeyRange::new(merged.start_key.clone(), merged.end_key.clone()), KeyRange::encode(b"a", b"z"));
    assert!(stream.is_silent(Duration::from_millis(300)).await, "nothing is subscribed twice");
    stream.rows(&merged, vec![initialized()]).await;
    stream.resolved(&[&merged], 70).await;
    assert_eq!(test.resolved().await, 70);
}

#[tokio::test]
async fn a_busy_store_is_left_alone_as_long_as_it_asks() {
    let mut store = FakeStore::start(1).await;
    let test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    let busy = errorpb::ServerIsBusy { backoff_ms: 400, ..errorpb::ServerIsBusy::default() };
    let at = Instant::now();
    stream.error(&request, Error { server_is_busy: Some(busy), ..Error::default() }).await;
    let request = stream.request().await;
    assert!(at.elapsed() >= Duration::from_millis(400));
    stream.error(&request, Error { congested: Some(Congested { region_id: 1 }), ..Error::default() }).await;
    let request = stream.request().await;
    stream.error(&request, Error::default()).await;
    stream.request().await;
    for kind in [FailureKind::ServerIsBusy, FailureKind::Congested, FailureKind::Unknown] {
        assert_eq!(test.client.metrics().failures(kind), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_broken_stream_is_opened_again_and_every_region_goes_on_where_it_was() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "m", &store);
    test.cluster.region(2, 1, "m", "", &store);
    let handle = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let (left, right) = (stream.request().await, stream.request().await);
    for (request, ts) in [(&left, 30), (&right, 20)] {
        stream.rows(request, vec![initialized(), row(LogType::Prewrite, ts + 1, 0, "k", "v")]).await;
        stream.resolved(&[request], ts).await;
    }
    assert_eq!(test.resolved().await, 20);
    stream.fail(Status::unknown("connection cancelled")).await;
    let mut stream = store.stream().await;
    let mut again = [stream.request().await, stream.request().await];
    again.sort_by_key(|request| request.region_id);
    assert_eq!(again.each_ref().map(|request| request.checkpoint_ts), [30, 20]);
    assert_eq!(test.client.metrics().failures(FailureKind::StreamLost), 2);
    assert_eq!(handle.inspect().last_error.unwrap().kind, FailureKind::StreamLost);
    // What was committed meanwhile comes with the new scan.
    stream.rows(&again[1], vec![row(LogType::Committed, 21, 25, "k", "v"), initialized()]).await;
    assert_eq!(test.rows().await, [(25, "k".into(), "v".into())]);
    assert_eq!(handle.inspect().resolved_ts, 20);
}

#[tokio::test]
async fn a_store_that_cannot_be_reached_is_tried_until_it_can() {
    let gone = FakeStore::start(1).await;
    let address = gone.address;
    let test = Harness::new();
    test.cluster.region(1, 1, "", "", &gone);
    drop(gone);
    let handle = test.subscribe(1, "a", "z", 10);
    test.until("the connection is refused", |test| test.client.metrics().failures(FailureKind::Connect) > 1)
        .await;
    assert_eq!(handle.inspect().last_error.unwrap().kind, FailureKind::Connect);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let mut store = FakeStore::serve(1, listener);
    assert_eq!(store.stream().await.request().await.region_id, 1);
}

#[tokio::test]
async fn look_ups_are_repeated_until_there_is_no_hole() {
    let mut store = FakeStore::start(1).await;
    let test = Harness::new();
    test.cluster.broken.store(true, Ordering::SeqCst);
    test.cluster.region(1, 1, "", "g", &store);
    test.cluster.region(3, 1, "m", "", &store);
    let handle = test.subscribe(1, "a", "z", 10);
    test.until("the look-up fails", |test| test.client.metrics().failures(FailureKind::Lookup) > 0).await;
    test.cluster.broken.store(false, Ordering::SeqCst);
    let mut stream = store.stream().await;
    assert_eq!(stream.request().await.region_id, 1);
    assert!(stream.is_silent(Duration::from_millis(200)).await);
    let slowest = handle.inspect().slowest.unwrap();
    assert!(handle.inspect().uncovered == 1 || slowest.region.is_some());
    test.cluster.region(2, 1, "g", "m", &store);
    let found = [stream.request().await.region_id, stream.request().await.region_id];
    assert_eq!(found, [2, 3]);
}

#[tokio::test]
async fn errors_without_remedy_end_the_subscription() {
    let cases = [
        Error { compatibility: Some(Compatibility { required_version: "6.2.0".into() }), ..Error::default() },
        Error {
            cluster_id_mismatch: Some(ClusterIdMismatch { current: 5, request: 42 }),
            ..Error::default()
        },
        Error { duplicate_request: Some(DuplicateRequest { region_id: 1 }), ..Error::default() },
    ];
    for (number, error) in (0_u64..).zip(cases) {
        let mut store = FakeStore::start(1).await;
        let mut test = Harness::new();
        test.cluster.region(1, 1, "", "", &store);
        let _span = test.subscribe(number, "a", "z", 10);
        let mut stream = store.stream().await;
        let request = stream.request().await;
        stream.error(&request, error).await;
        let (span, event) = test.event().await;
        assert_eq!(span, number);
        let SpanEvent::Failed(error) = event else { panic!("{event:?}") };
        match number {
            0 => assert!(
                matches!(error, CdcError::VersionIncompatible { required, .. } if required == "6.2.0")
            ),
            1 => assert!(matches!(error, CdcError::ClusterIdMismatch { theirs: 5, ours: 42, .. })),
            _ => assert!(matches!(error, CdcError::DuplicateRequest { region: 1, .. })),
        }
    }
}

#[tokio::test]
async fn a_commit_without_prewrite_renews_the_registration_under_a_new_id() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    stream.rows(&request, vec![initialized()]).await;
    stream.resolved(&[&request], 20).await;
    assert_eq!(test.resolved().await, 20);
    stream.rows(&request, vec![row(LogType::Commit, 21, 22, "k", "")]).await;
    let dropped = stream.request().await;
    assert!(matches!(dropped.request, Some(Request::Deregister(_))));
    assert_eq!((dropped.request_id, dropped.region_id), (request.request_id, 1));
    let renewed = stream.request().await;
    assert!(matches!(renewed.request, Some(Request::Register(_))));
    assert_ne!(renewed.request_id, request.request_id);
    assert_eq!(renewed.checkpoint_ts, 20);
    // What the old registration still says does not count.
    stream.rows(&request, vec![initialized()]).await;
    stream.resolved(&[&request], 99).await;
    stream.rows(&renewed, vec![row(LogType::Committed, 21, 22, "k", "v"), initialized()]).await;
    stream.resolved(&[&renewed], 30).await;
    assert_eq!(test.rows().await, [(22, "k".into(), "v".into())]);
    assert_eq!(test.resolved().await, 30);
}

#[tokio::test]
async fn a_row_behind_the_resolved_ts_ends_the_subscription() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    stream.rows(&request, vec![initialized()]).await;
    stream.resolved(&[&request], 20).await;
    assert_eq!(test.resolved().await, 20);
    stream.rows(&request, vec![row(LogType::Committed, 11, 20, "k", "v")]).await;
    assert!(matches!(test.event().await.1, SpanEvent::Failed(CdcError::BrokenPromise { region: 1, .. })));
}

#[tokio::test]
async fn a_dropped_subscription_is_deregistered_and_falls_silent() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let handle = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    stream.rows(&request, vec![initialized()]).await;
    stream.resolved(&[&request], 20).await;
    assert_eq!(test.resolved().await, 20);
    drop(handle);
    let gone = stream.request().await;
    assert!(matches!(gone.request, Some(Request::Deregister(_))));
    assert_eq!((gone.request_id, gone.region_id), (request.request_id, 0));
    // The id may be used again; the old registration does not reach the new subscription.
    let _again = test.subscribe(1, "a", "z", 50);
    let renewed = stream.request().await;
    assert_ne!(renewed.request_id, request.request_id);
    stream.rows(&request, vec![row(LogType::Committed, 55, 56, "k", "old")]).await;
    stream.resolved(&[&request], 90).await;
    stream.rows(&renewed, vec![initialized()]).await;
    stream.resolved(&[&renewed], 60).await;
    assert_eq!(test.resolved().await, 60);
    assert_eq!(test.client.inspect_all().len(), 1);
}

#[tokio::test]
async fn scans_are_limited_and_the_oldest_goes_first() {
    let mut store = FakeStore::start(1).await;
    let config = CdcConfig { scans_per_stream: 2, ..CdcConfig::default() };
    let test = Harness::with(config, 64 << 20);
    test.cluster.region(1, 1, "", "", &store);
    let mut spans = vec![test.subscribe(1, "a", "b", 500)];
    let mut stream = store.stream().await;
    let first = stream.request().await;
    spans.push(test.subscribe(2, "b", "c", 400));
    let second = stream.request().await;
    for (id, start_ts) in [(3, 300), (4, 100), (5, 200)] {
        spans.push(test.subscribe(id, "d", "e", start_ts));
    }
    test.until("all wait", |test| {
        test.client.inspect_all().iter().map(|report| report.queued).sum::<usize>() == 3
    })
    .await;
    assert!(stream.is_silent(Duration::from_millis(100)).await);
    assert_eq!(spans[3].inspect().slowest.unwrap().stage, Some(RegionStage::Queued));
    stream.rows(&first, vec![initialized()]).await;
    assert_eq!(stream.request().await.checkpoint_ts, 100);
    // An error makes room, too; the failed one comes back later.
    stream.error(&second, Error { congested: Some(Congested { region_id: 1 }), ..Error::default() }).await;
    assert_eq!(stream.request().await.checkpoint_ts, 200);
}

#[tokio::test]
async fn a_slow_consumer_stops_the_stream() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    let value = "v".repeat(100_000);
    let mut sent = 0_u64;
    let mut refused = 0;
    while refused < 50 {
        let rows = vec![row(LogType::Committed, 100 + sent, 1000 + sent, "k", &value)];
        if stream.try_send(frame(vec![entries(&request, rows)])) {
            sent += 1;
            refused = 0;
            assert!(sent < 1000, "the stream takes everything");
        } else {
            refused += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert!(test.receiver.bytes() < 2 << 20, "{} bytes wait", test.receiver.bytes());
    assert!(test.quota.used_by(Stage::Frames) < 8 << 20);
    let rest = tokio::spawn(async move {
        stream.rows(&request, vec![initialized()]).await;
        stream.resolved(&[&request], 5000).await;
        stream
    });
    let mut received = 0;
    loop {
        match test.event().await.1 {
            SpanEvent::Rows(rows) => received += rows.len() as u64,
            SpanEvent::ResolvedTs(ts) => {
                assert_eq!(ts, 5000);
                break;
            }
            SpanEvent::Failed(error) => panic!("{error}"),
        }
    }
    assert_eq!(received, sent);
    drop(rest.await);
    test.until("all memory is free", |test| test.quota.used() == 0).await;
}

#[tokio::test]
async fn a_used_up_quota_stops_the_stream_until_rows_are_dropped() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::with(CdcConfig::default(), 500_000);
    test.cluster.region(1, 1, "", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    let value = "v".repeat(100_000);
    for number in 0..8 {
        stream.rows(&request, vec![row(LogType::Committed, 100 + number, 1000 + number, "k", &value)]).await;
    }
    let mut held = Vec::new();
    while held.len() < 5 {
        match test.event().await.1 {
            SpanEvent::Rows(rows) => held.extend(rows),
            other => panic!("{other:?}"),
        }
    }
    let more = tokio::time::timeout(Duration::from_millis(300), test.receiver.recv()).await;
    assert!(more.is_err(), "frames are read although memory is used up");
    held.clear();
    assert!(!test.rows().await.is_empty());
}

#[tokio::test]
async fn a_consumer_with_a_quota_of_its_own_is_charged_and_stopped_alone() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let own = test.quota.child(500_000);
    let (sender, mut receiver) = tikv_cdc::span_channel_within(64 << 20, std::sync::Arc::clone(&own));
    let small = SpanRequest { id: 7, start: vec![b'a'], end: vec![b'z'], start_ts: 10, filter_loop: false };
    let _small = test.client.subscribe(small, &sender).unwrap();
    let mut stream = store.stream().await;
    let request = stream.request().await;
    let _other = test.subscribe(1, "a", "z", 10);
    let mut other_stream = store.stream().await;
    let other_request = other_stream.request().await;
    let value = "v".repeat(100_000);
    let committed = |number: u64| vec![row(LogType::Committed, 100 + number, 1000 + number, "k", &value)];
    for number in 0..8 {
        stream.rows(&request, committed(number)).await;
    }
    let mut held = Vec::new();
    while held.len() < 5 {
        let event = tokio::time::timeout(crate::fake::PATIENCE, receiver.recv()).await;
        match event.expect("in time").expect("open").1 {
            SpanEvent::Rows(rows) => held.extend(rows),
            other => panic!("{other:?}"),
        }
    }
    assert!(own.used_by(Stage::Frames) >= 500_000, "{own:?}");
    assert_eq!(own.used(), test.quota.used(), "what one consumer holds counts for all");
    let more = tokio::time::timeout(Duration::from_millis(300), receiver.recv()).await;
    assert!(more.is_err(), "frames are read although this consumer's memory is used up");
    other_stream.rows(&other_request, committed(0)).await;
    assert_eq!(test.rows().await.len(), 1, "the other consumer is read");
    held.clear();
    assert!(matches!(
        tokio::time::timeout(crate::fake::PATIENCE, receiver.recv()).await.expect("in time"),
        Some((7, SpanEvent::Rows(_)))
    ));
}

#[tokio::test]
async fn stale_locks_are_resolved_when_the_resolved_ts_stands_still() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "m", &store);
    test.cluster.region(2, 1, "m", "", &store);
    let start_ts = 1_000_000 << 18;
    let handle = test.subscribe(1, "a", "z", start_ts);
    let mut stream = store.stream().await;
    let (left, right) = (stream.request().await, stream.request().await);
    let second = 1000 << 18;
    for (request, ts) in [(&left, start_ts + second), (&right, start_ts + 60 * second)] {
        stream.rows(request, vec![initialized()]).await;
        stream.resolved(&[request], ts).await;
    }
    assert_eq!(test.resolved().await, start_ts + second);
    test.cluster.now.store(start_ts + 100 * second, Ordering::SeqCst);
    test.until("locks are resolved", |test| !test.cluster.resolved.lock().is_empty()).await;
    let resolved = test.cluster.resolved.lock().clone();
    assert_eq!(resolved, [(KeyRange::encode(b"a", b"m"), start_ts + 5 * second)]);
    // One that began before the resolved ts holds it, too: its locks may have come after that was sent.
    let (early, late) = (live_lock(7), live_lock(start_ts + 5 * second));
    let told = |_: &Harness| handle.inspect().slowest.unwrap().live_locks == [early.clone(), late.clone()];
    test.until("live locks are told", told).await;
    stream.resolved(&[&left], start_ts + 3 * second).await;
    test.resolved().await;
    assert_eq!(
        handle.inspect().slowest.unwrap().live_locks,
        [late],
        "the resolved ts has passed the early one"
    );
    stream.resolved(&[&left], start_ts + 6 * second).await;
    test.resolved().await;
    assert_eq!(handle.inspect().slowest.unwrap().live_locks, [], "the resolved ts has passed it");
}

#[tokio::test]
async fn shutdown_ends_everything() {
    let mut store = FakeStore::start(1).await;
    let test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    stream.request().await;
    test.client.shutdown().await;
    assert!(stream.try_request().await.is_none());
    let late = SpanRequest { id: 9, start: vec![1], end: vec![], start_ts: 1, filter_loop: false };
    assert!(matches!(test.client.subscribe(late, &test.sender), Err(CdcError::Closed)));
}

#[tokio::test]
async fn a_consumer_that_is_behind_does_not_hold_up_another() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let (slow, slow_receiver) = tikv_cdc::span_channel(1000);
    let request =
        SpanRequest { id: 1, start: b"a".into(), end: b"b".into(), start_ts: 10, filter_loop: false };
    let _slow = test.client.subscribe(request, &slow).unwrap();
    let mut slow_stream = store.stream().await;
    let asked = slow_stream.request().await;
    slow_stream.rows(&asked, vec![row(LogType::Committed, 20, 21, "a", &"v".repeat(5000))]).await;
    test.until("the slow one is full", |_| slow_receiver.bytes() > 1000).await;
    let _span = test.subscribe(2, "b", "c", 10);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    stream.rows(&request, vec![initialized()]).await;
    stream.resolved(&[&request], 50).await;
    assert_eq!(test.resolved().await, 50);
}

#[tokio::test]
async fn a_transaction_that_does_not_fit_waits_on_disk_and_arrives_whole() {
    let mut store = FakeStore::start(1).await;
    let limits = SpoolConfig { waiting_limit: 64 << 10, buffer_limit: 64 << 10, own_log: 8 << 10 };
    let mut test = Harness::spilling(CdcConfig::default(), 64 << 20, limits);
    test.cluster.region(7, 3, "", "m", &store);
    test.cluster.region(8, 3, "m", "", &store);
    let _handle = test.subscribe(11, "a", "z", 100);
    let mut stream = store.stream().await;
    let requests = [stream.request().await, stream.request().await];
    let mut written = Vec::new();
    for request in &requests {
        stream.rows(request, vec![initialized()]).await;
        let letter = if request.region_id == 7 { 'c' } else { 'q' };
        for number in 0..400_u32 {
            let (key, value) = (format!("{letter}{number:04}"), format!("{number}").repeat(1000));
            stream.rows(request, vec![row(LogType::Prewrite, 110, 0, &key, &value)]).await;
            written.push((120, key, value));
        }
    }
    // A small transaction meanwhile does not wait for the large one.
    stream.rows(&requests[0], vec![row(LogType::Prewrite, 111, 0, "d", "small")]).await;
    stream.rows(&requests[0], vec![row(LogType::Commit, 111, 112, "d", "")]).await;
    assert_eq!(test.rows().await, [(112, "d".into(), "small".into())]);
    assert!(test.client.metrics().spilled_prewrites() > 0);
    assert!(test.quota.used() < 1 << 20, "{:?}", test.quota);
    for (_, key, _) in written.iter().rev() {
        let request =
            requests.iter().find(|request| (request.region_id == 7) == key.starts_with('c')).unwrap();
        stream.rows(request, vec![row(LogType::Commit, 110, 120, key, "")]).await;
    }
    stream.resolved(&[&requests[0], &requests[1]], 130).await;
    let mut received = Vec::new();
    while received.len() < written.len() {
        received.extend(test.rows().await);
    }
    assert_eq!(test.resolved().await, 130, "the resolved ts comes after all rows of the transaction");
    received.sort();
    written.sort();
    assert!(received == written);
    test.client.shutdown().await;
}

#[tokio::test]
async fn a_disk_that_refuses_prewrites_ends_the_subscription_with_an_error() {
    let mut store = FakeStore::start(1).await;
    let limits = SpoolConfig { waiting_limit: 1 << 10, buffer_limit: 16 << 10, own_log: 1 << 10 };
    let mut test = Harness::spilling(CdcConfig::default(), 64 << 20, limits);
    test.cluster.region(7, 3, "", "", &store);
    let _handle = test.subscribe(11, "a", "z", 100);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    test.break_disk();
    stream.rows(&request, vec![initialized()]).await;
    let value = "x".repeat(4000);
    let send = async {
        for number in 0_u32.. {
            let rows = vec![row(LogType::Prewrite, 110, 0, &format!("k{number}"), &value)];
            if !stream.try_send(frame(vec![entries(&request, rows)])) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let event = tokio::select! {
        event = test.event() => event.1,
        () = send => unreachable!(),
    };
    assert!(matches!(event, SpanEvent::Failed(CdcError::Spool { .. })), "{event:?}");
    assert_eq!(test.client.metrics().failures(FailureKind::Spool), 1);
}
