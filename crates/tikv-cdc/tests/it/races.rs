//! Errors and races of registrations, each driven by a store that does what the test says.

use std::time::{Duration, Instant};

use tikv_cdc::key_range::KeyRange;
use tikv_cdc::{CdcConfig, FailureKind};
use tikv_proto::cdcpb::change_data_request::Request;
use tikv_proto::cdcpb::event::{Event as Content, LogType};
use tikv_proto::cdcpb::{ChangeDataRequest, Compatibility, Congested, DuplicateRequest, Error, Event};
use tikv_proto::{errorpb, metapb};
use tonic::Status;

use crate::fake::{FakeStore, FakeStream, Harness, frame, initialized, peer, row};

/// The error "not leader".
fn not_leader(leader: Option<metapb::Peer>) -> Error {
    Error { not_leader: Some(errorpb::NotLeader { region_id: 1, leader }), ..Error::default() }
}

/// The error "epoch does not match".
fn epoch_not_match(current_regions: Vec<metapb::Region>) -> Error {
    Error { epoch_not_match: Some(errorpb::EpochNotMatch { current_regions }), ..Error::default() }
}

/// The error "region not found".
fn region_not_found() -> Error {
    Error { region_not_found: Some(errorpb::RegionNotFound { region_id: 1 }), ..Error::default() }
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

/// A committed row.
fn committed(ts: u64, key: &str) -> tikv_proto::cdcpb::event::Row {
    row(LogType::Committed, ts - 1, ts, key, "v")
}

/// One region on one store, and its registration.
async fn registered(start: &str, end: &str) -> (FakeStore, Harness, FakeStream, ChangeDataRequest, Handle) {
    let mut store = FakeStore::start(1).await;
    let test = Harness::new();
    test.cluster.region(1, 1, "", "", &store);
    let handle = test.subscribe(1, start, end, 10);
    let mut stream = store.stream().await;
    let request = stream.request().await;
    (store, test, stream, request, handle)
}

type Handle = tikv_cdc::SubscriptionHandle;

#[tokio::test]
async fn every_kind_of_error_is_counted_under_its_own_name() {
    let cases: [(Error, FailureKind); 10] = [
        (not_leader(None), FailureKind::NotLeader),
        (not_leader(Some(peer(1))), FailureKind::NotLeader),
        (epoch_not_match(Vec::new()), FailureKind::EpochNotMatch),
        (region_not_found(), FailureKind::RegionNotFound),
        (
            Error { server_is_busy: Some(errorpb::ServerIsBusy::default()), ..Error::default() },
            FailureKind::ServerIsBusy,
        ),
        (Error { congested: Some(Congested { region_id: 1 }), ..Error::default() }, FailureKind::Congested),
        (Error::default(), FailureKind::Unknown),
        (
            Error { duplicate_request: Some(DuplicateRequest { region_id: 1 }), ..Error::default() },
            FailureKind::DuplicateRequest,
        ),
        (
            Error { compatibility: Some(Compatibility::default()), ..Error::default() },
            FailureKind::Compatibility,
        ),
        (
            Error { cluster_id_mismatch: Some(Default::default()), ..Error::default() },
            FailureKind::ClusterIdMismatch,
        ),
    ];
    for (error, kind) in cases {
        let (_store, test, mut stream, request, _handle) = registered("a", "z").await;
        stream.error(&request, error).await;
        test.until("the error is counted", |test| test.client.metrics().failures(kind) == 1).await;
        for other in FailureKind::ALL {
            assert_eq!(
                test.client.metrics().failures(other),
                u64::from(other == kind),
                "{other:?} for {kind:?}"
            );
        }
        let is_fatal = matches!(
            kind,
            FailureKind::DuplicateRequest | FailureKind::Compatibility | FailureKind::ClusterIdMismatch
        );
        if !is_fatal {
            let again = stream.request().await;
            assert!(matches!(again.request, Some(Request::Register(_))), "{kind:?}");
            assert_eq!((again.region_id, again.checkpoint_ts), (1, 10), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_busy_store_that_names_no_time_is_asked_again_after_a_growing_wait() {
    let (_store, test, mut stream, mut request, _handle) = registered("a", "z").await;
    let busy = || Error { server_is_busy: Some(errorpb::ServerIsBusy::default()), ..Error::default() };
    let mut waits = Vec::new();
    for _ in 0..4 {
        let at = Instant::now();
        stream.error(&request, busy()).await;
        request = stream.request().await;
        waits.push(at.elapsed());
    }
    // 50 ms doubling, of which the upper half is random.
    for (wait, least) in waits.iter().zip([25, 50, 100, 200]) {
        assert!(*wait >= Duration::from_millis(least), "{waits:?}");
    }
    assert_eq!(test.client.metrics().failures(FailureKind::ServerIsBusy), 4);
}

#[tokio::test]
async fn a_split_during_the_scan_starts_both_halves_where_the_scan_started() {
    let (_store, mut test, mut stream, request, _handle) = registered("a", "z").await;
    stream.rows(&request, vec![committed(20, "b"), row(LogType::Prewrite, 21, 0, "x", "lost")]).await;
    assert_eq!(test.rows().await, [(20, "b".into(), "v".into())]);
    stream.error(&request, epoch_not_match(vec![told(2, 2, "", "m", 1), told(1, 2, "m", "", 1)])).await;
    let (left, right) = (stream.request().await, stream.request().await);
    assert_eq!((left.region_id, left.checkpoint_ts), (2, 10));
    assert_eq!((right.region_id, right.checkpoint_ts), (1, 10));
    // The same request id and region as before: rows of the old scan are over, those of the new one count.
    stream.rows(&left, vec![committed(20, "b"), initialized()]).await;
    assert_eq!(test.rows().await, [(20, "b".into(), "v".into())], "a repetition has the same identity");
    stream.rows(&right, vec![committed(22, "x"), initialized()]).await;
    assert_eq!(test.rows().await, [(22, "x".into(), "v".into())]);
    stream.resolved(&[&left, &right], 30).await;
    assert_eq!(test.resolved().await, 30);
}

#[tokio::test]
async fn a_merge_during_the_scan_starts_the_merged_region_at_the_slower_part() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 3, "", "m", &store);
    test.cluster.region(2, 3, "m", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let (left, right) = (stream.request().await, stream.request().await);
    // The left one is live at 50, the right one is still scanned.
    stream.rows(&left, vec![initialized()]).await;
    stream.resolved(&[&left], 50).await;
    stream.rows(&right, vec![committed(40, "n")]).await;
    assert_eq!(test.rows().await.len(), 1);
    test.cluster.region(2, 4, "", "", &store);
    stream.error(&right, epoch_not_match(Vec::new())).await;
    stream.error(&left, epoch_not_match(Vec::new())).await;
    let merged = stream.request().await;
    assert_eq!((merged.region_id, merged.checkpoint_ts), (2, 10), "from where the slower part is");
    stream.rows(&merged, vec![committed(40, "n"), committed(45, "b"), initialized()]).await;
    assert_eq!(test.rows().await.iter().map(|row| row.0).collect::<Vec<_>>(), [40, 45]);
    stream.resolved(&[&merged], 60).await;
    assert_eq!(test.resolved().await, 60);
}

#[tokio::test]
async fn a_leader_that_moves_twice_is_followed_both_times() {
    let mut one = FakeStore::start(1).await;
    let mut two = FakeStore::start(2).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "", &two);
    test.cluster.region(1, 1, "", "", &one);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut first = one.stream().await;
    let request = first.request().await;
    first.rows(&request, vec![initialized()]).await;
    first.resolved(&[&request], 40).await;
    assert_eq!(test.resolved().await, 40);
    first.error(&request, not_leader(Some(peer(2)))).await;
    let mut second = two.stream().await;
    let moved = second.request().await;
    // It moves back before the second store has scanned anything.
    second.error(&moved, not_leader(Some(peer(1)))).await;
    let back = first.request().await;
    assert_eq!((back.region_id, back.checkpoint_ts), (1, 40));
    first.rows(&back, vec![committed(44, "k"), initialized()]).await;
    first.resolved(&[&back], 50).await;
    assert_eq!(test.rows().await.len(), 1);
    assert_eq!(test.resolved().await, 50);
    // What the store in between still says is nobody's.
    second.rows(&moved, vec![committed(60, "k"), initialized()]).await;
    second.resolved(&[&moved], 99).await;
    first.resolved(&[&back], 70).await;
    assert_eq!(test.resolved().await, 70);
    assert_eq!(test.client.metrics().failures(FailureKind::NotLeader), 2);
}

#[tokio::test]
async fn an_end_of_the_scan_that_is_told_twice_changes_nothing() {
    let (_store, mut test, mut stream, request, _handle) = registered("a", "z").await;
    let commit = || row(LogType::Commit, 21, 25, "k", "");
    stream.rows(&request, vec![row(LogType::Prewrite, 21, 0, "k", "v"), initialized()]).await;
    stream.rows(&request, vec![initialized(), commit(), initialized()]).await;
    assert_eq!(test.rows().await, [(25, "k".into(), "v".into())]);
    stream.resolved(&[&request], 30).await;
    assert_eq!(test.resolved().await, 30);
    assert!(stream.is_silent(Duration::from_millis(100)).await, "the registration goes on");
    assert_eq!(test.client.inspect(1).unwrap().live, 1);
}

#[tokio::test]
async fn a_commit_that_comes_before_the_scan_shows_its_prewrite_waits_for_it() {
    let (_store, mut test, stream, request, _handle) = registered("a", "z").await;
    // Live rows of two transactions while the scan is under way; it finds the lock of the first one, and of the second
    // one the commit itself.
    let live = vec![row(LogType::Commit, 21, 25, "k", ""), row(LogType::Commit, 22, 26, "l", "")];
    stream.rows(&request, live).await;
    let scan = vec![row(LogType::Prewrite, 21, 0, "k", "one"), row(LogType::Committed, 22, 26, "l", "two")];
    stream.rows(&request, scan).await;
    assert_eq!(test.rows().await, [(26, "l".into(), "two".into())]);
    stream.rows(&request, vec![initialized()]).await;
    assert_eq!(test.rows().await, [(25, "k".into(), "one".into())]);
    stream.resolved(&[&request], 30).await;
    assert_eq!(test.resolved().await, 30);
}

#[tokio::test]
async fn a_resolved_ts_of_a_region_that_has_left_moves_only_the_others() {
    let mut store = FakeStore::start(1).await;
    let mut test = Harness::new();
    test.cluster.region(1, 1, "", "m", &store);
    test.cluster.region(2, 1, "m", "", &store);
    let _span = test.subscribe(1, "a", "z", 10);
    let mut stream = store.stream().await;
    let (left, right) = (stream.request().await, stream.request().await);
    stream.rows(&left, vec![initialized()]).await;
    stream.rows(&right, vec![initialized()]).await;
    stream.resolved(&[&left, &right], 40).await;
    assert_eq!(test.resolved().await, 40);
    stream.error(&left, region_not_found()).await;
    // The batch was made before the store noticed that the left region had left.
    stream.resolved(&[&left, &right], 90).await;
    let again = stream.request().await;
    assert_eq!((again.region_id, again.checkpoint_ts), (1, 40), "what came too late does not count");
    stream.rows(&again, vec![initialized()]).await;
    stream.resolved(&[&again], 60).await;
    assert_eq!(test.resolved().await, 60);
    stream.resolved(&[&again], 95).await;
    assert_eq!(test.resolved().await, 90, "the right region had moved");
}

#[tokio::test]
async fn a_subscription_that_ends_during_its_scan_leaves_nothing_behind() {
    let (_store, mut test, mut stream, request, handle) = registered("a", "m").await;
    stream.rows(&request, vec![committed(20, "b"), row(LogType::Prewrite, 21, 0, "c", "v")]).await;
    assert_eq!(test.rows().await.len(), 1);
    drop(handle);
    let gone = stream.request().await;
    assert!(matches!(gone.request, Some(Request::Deregister(_))));
    // The store has not read that yet.
    stream
        .rows(&request, vec![committed(30, "d"), row(LogType::Commit, 21, 31, "c", ""), initialized()])
        .await;
    stream.error(&request, region_not_found()).await;
    let _other = test.subscribe(2, "n", "z", 10);
    let other = stream.request().await;
    assert!(matches!(other.request, Some(Request::Register(_))));
    stream.rows(&other, vec![initialized()]).await;
    stream.resolved(&[&other], 50).await;
    assert_eq!(test.resolved().await, 50, "only the other subscription is heard");
    assert_eq!(test.client.metrics().failures(FailureKind::RegionNotFound), 0);
    test.until("the memory of the scan is free", |test| test.quota.used() < 2048).await;
}

#[tokio::test]
async fn a_store_that_restarts_elsewhere_is_found_and_asked_from_where_it_was() {
    let (store, mut test, stream, request, _handle) = registered("a", "z").await;
    stream.rows(&request, vec![initialized()]).await;
    stream.resolved(&[&request], 40).await;
    assert_eq!(test.resolved().await, 40);
    let mut elsewhere = FakeStore::start(1).await;
    assert_ne!(elsewhere.address, store.address);
    test.cluster.region(1, 1, "", "", &elsewhere);
    drop(store);
    stream.fail(Status::unavailable("the store shuts down")).await;
    let mut stream = elsewhere.stream().await;
    let request = stream.request().await;
    assert_eq!((request.region_id, request.checkpoint_ts), (1, 40));
    assert_eq!(test.client.metrics().failures(FailureKind::StreamLost), 1);
    assert!(test.cluster.forgotten.lock().contains(&1), "its old address is forgotten");
}

#[tokio::test]
async fn an_old_store_that_tells_resolved_ts_one_by_one_is_understood() {
    let (_store, mut test, stream, request, _handle) = registered("a", "z").await;
    stream.rows(&request, vec![initialized()]).await;
    let event = Event {
        region_id: request.region_id,
        request_id: request.request_id,
        event: Some(Content::ResolvedTs(77)),
        ..Event::default()
    };
    stream.send(frame(vec![event])).await;
    assert_eq!(test.resolved().await, 77);
}

#[tokio::test]
async fn a_stream_that_turns_out_not_to_multiplex_is_replaced_without_a_loss() {
    let (mut store, mut test, stream, request, _handle) = registered("a", "z").await;
    stream.rows(&request, vec![committed(20, "b")]).await;
    assert_eq!(test.rows().await.len(), 1);
    // Some stores accept the call and refuse the feature only then.
    stream.fail(Status::unimplemented("stream-multiplexing")).await;
    let mut single = store.stream().await;
    assert!(!single.multiplexed);
    let again = single.request().await;
    assert_eq!((again.region_id, again.checkpoint_ts), (1, 10));
    single.rows(&again, vec![committed(20, "b"), initialized()]).await;
    assert_eq!(test.rows().await.len(), 1);
    single.resolved(&[&again], 30).await;
    assert_eq!(test.resolved().await, 30);
}

#[tokio::test]
async fn a_store_with_many_regions_gets_more_streams_and_one_with_few_does_not() {
    let mut store = FakeStore::start(1).await;
    let config = CdcConfig { regions_per_stream: 2, max_streams_per_store: 3, ..CdcConfig::default() };
    let test = Harness::with(config, 64 << 20);
    let bounds = ["", "b", "c", "d", "e", "f", "g", "h", "i", ""];
    for (number, pair) in (1_u64..).zip(bounds.windows(2)) {
        test.cluster.region(number, 1, pair[0], pair[1], &store);
    }
    let _few = test.subscribe(1, "a", "c", 10);
    let mut streams = vec![store.stream().await];
    let mut requests = vec![streams[0].request().await, streams[0].request().await];
    let _many = test.subscribe(2, "c", "z", 10);
    streams.push(store.stream().await);
    streams.push(store.stream().await);
    let mut counts = Vec::new();
    for stream in &mut streams {
        let mut count = 0;
        while let Ok(request) = tokio::time::timeout(Duration::from_millis(300), stream.request()).await {
            requests.push(request);
            count += 1;
        }
        counts.push(count);
    }
    assert_eq!(requests.len(), 9);
    assert!(counts.iter().all(|count| *count >= 1), "{counts:?}");
    // All of them make up the spans, whatever the stream.
    let mut regions: Vec<u64> = requests.iter().map(|request| request.region_id).collect();
    regions.sort_unstable();
    assert_eq!(regions, (1..10).collect::<Vec<_>>());
}
