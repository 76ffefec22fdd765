//! Optimistic transactions and snapshot reads.

use crate::cluster::{Cluster, bytes, is_epoch_error, mutation, put};
use tikv_proto::kvrpcpb::*;
use tonic::Code;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_is_seen_from_its_timestamp_on() {
    let cluster = Cluster::start().await;
    let before = cluster.ts();
    let (_, first) = cluster.write(vec![put("a", "1"), put("b", &"x".repeat(1000))]).await;
    let (_, second) = cluster.write(vec![put("a", "2"), mutation(Op::Del, "b")]).await;
    assert_eq!(cluster.value("a", before).await, None);
    assert_eq!(cluster.value("a", first).await.as_deref(), Some("1"));
    assert_eq!(cluster.value("b", second - 1).await.as_deref(), Some("x".repeat(1000).as_str()));
    assert_eq!(cluster.value("a", u64::MAX).await.as_deref(), Some("2"));
    assert_eq!(cluster.value("b", second).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_blocks_later_readers_only() {
    let cluster = Cluster::start().await;
    cluster.write(vec![put("a", "old")]).await;
    let before = cluster.ts();
    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("a", "new"), put("b", "new")], start_ts).await;
    assert_eq!(cluster.value("a", before).await.as_deref(), Some("old"));
    let lock = cluster.get("b", cluster.ts()).await.error.unwrap().locked.unwrap();
    assert_eq!(
        (lock.lock_version, &*lock.primary_lock, &*lock.key, lock.lock_ttl),
        (start_ts, &b"a"[..], &b"b"[..], 3000)
    );
    // The newest version of the primary may be read past its lock, and any key past a lock known to be harmless.
    assert_eq!(cluster.value("a", u64::MAX).await.as_deref(), Some("old"));
    let mut context = cluster.context("b").unwrap();
    context.resolved_locks = vec![start_ts];
    let request = GetRequest { context: Some(context.clone()), key: bytes("b"), version: cluster.ts() };
    assert!(cluster.client.clone().kv_get(request.clone()).await.unwrap().into_inner().not_found);
    context.resolved_locks.clear();
    context.committed_locks = vec![start_ts];
    let request = GetRequest { context: Some(context), ..request };
    assert_eq!(cluster.client.clone().kv_get(request).await.unwrap().into_inner().value, bytes("new"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scans_go_both_ways_and_report_locks_in_their_place() {
    let cluster = Cluster::start().await;
    cluster.write(["a", "b", "c", "d", "e"].iter().map(|key| put(key, key)).collect()).await;
    cluster.write(vec![mutation(Op::Del, "c")]).await;
    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("bb", "new"), put("d", "new")], start_ts).await;
    let scan = |reverse: bool, start: &str, end: &str, limit: u32, key_only: bool, version: u64| {
        let request = ScanRequest {
            context: cluster.context("a"),
            start_key: bytes(start),
            end_key: bytes(end),
            limit,
            version,
            key_only,
            reverse,
        };
        let mut client = cluster.client.clone();
        async move {
            let pairs = client.kv_scan(request).await.unwrap().into_inner().pairs;
            pairs
                .iter()
                .map(|pair| {
                    let key = String::from_utf8(pair.key.to_vec()).unwrap();
                    if pair.error.is_some() {
                        format!("{key}!")
                    } else {
                        format!("{key}={}", String::from_utf8_lossy(&pair.value))
                    }
                })
                .collect::<Vec<_>>()
        }
    };
    let now = cluster.ts();
    assert_eq!(scan(false, "", "", 10, false, now).await, ["a=a", "b=b", "bb!", "d!", "e=e"]);
    assert_eq!(scan(false, "b", "e", 2, true, now).await, ["b=", "bb!"]);
    assert_eq!(scan(true, "", "", 3, false, now).await, ["e=e", "d!", "bb!"]);
    assert_eq!(scan(true, "e", "b", 10, false, now).await, ["d!", "bb!", "b=b"]);
    assert_eq!(scan(false, "", "", 10, false, start_ts - 1).await, ["a=a", "b=b", "d=d", "e=e"]);
    let request = BatchGetRequest {
        context: cluster.context("a"),
        keys: vec![bytes("a"), bytes("c"), bytes("d")],
        version: now,
    };
    let pairs = cluster.client.clone().kv_batch_get(request).await.unwrap().into_inner().pairs;
    assert_eq!(pairs.len(), 2);
    assert_eq!((&pairs[0].value, pairs[1].error.is_some()), (&bytes("a"), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prewrite_refuses_conflicts_locks_and_existing_keys() {
    let cluster = Cluster::start().await;
    let early = cluster.ts();
    let (start_ts, commit_ts) = cluster.write(vec![put("a", "1")]).await;
    let errors = cluster.prewrite(vec![put("a", "2")], early).await.errors;
    let conflict = errors[0].conflict.clone().unwrap();
    assert_eq!(
        (conflict.start_ts, conflict.conflict_ts, conflict.conflict_commit_ts),
        (early, start_ts, commit_ts)
    );
    assert_eq!(conflict.reason(), write_conflict::Reason::Optimistic);

    let insert = Mutation { op: Op::Insert.into(), ..put("a", "3") };
    let errors = cluster.prewrite(vec![insert.clone()], cluster.ts()).await.errors;
    assert_eq!(errors[0].already_exist.clone().unwrap().key, bytes("a"));
    let errors = cluster.prewrite(vec![mutation(Op::CheckNotExists, "a")], cluster.ts()).await.errors;
    assert!(errors[0].already_exist.is_some());
    cluster.write(vec![mutation(Op::Del, "a")]).await;
    cluster.write(vec![insert]).await;

    let holder = cluster.ts();
    cluster.prewrite(vec![put("k1", "x"), put("k2", "x")], holder).await;
    let errors =
        cluster.prewrite(vec![put("k0", "y"), put("k1", "y"), put("k2", "y")], cluster.ts()).await.errors;
    assert_eq!(
        errors.iter().map(|error| error.locked.clone().unwrap().key).collect::<Vec<_>>(),
        ["k1", "k2"]
    );
    assert_eq!(cluster.value("k0", cluster.ts()).await, None, "a refused prewrite leaves nothing");

    let exist = Mutation { assertion: Assertion::Exist.into(), ..put("fresh", "x") };
    let mut request = cluster.prewrite_request(vec![exist], cluster.ts());
    request.assertion_level = AssertionLevel::Strict.into();
    assert!(cluster.send_prewrite(request).await.errors[0].assertion_failed.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeated_requests_change_nothing() {
    let cluster = Cluster::start().await;
    let start_ts = cluster.ts();
    for _ in 0..2 {
        assert!(cluster.prewrite(vec![put("a", "1")], start_ts).await.errors.is_empty());
    }
    let commit_ts = cluster.ts();
    for _ in 0..2 {
        assert!(cluster.commit(&["a"], start_ts, commit_ts).await.error.is_none());
    }
    assert!(cluster.prewrite(vec![put("a", "1")], start_ts).await.errors.is_empty());
    assert_eq!(cluster.value("a", cluster.ts()).await.as_deref(), Some("1"), "no new lock");
    let error = cluster.rollback(&["a"], start_ts).await.error.unwrap();
    assert!(error.abort.contains("Committed"), "{}", error.abort);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolled_back_transaction_stays_rolled_back() {
    let cluster = Cluster::start().await;
    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("a", "1")], start_ts).await;
    for _ in 0..2 {
        assert!(cluster.rollback(&["a", "never-locked"], start_ts).await.error.is_none());
    }
    let error = cluster.commit(&["a"], start_ts, cluster.ts()).await.error.unwrap();
    assert!(error.txn_lock_not_found.is_some() && !error.retryable.is_empty());
    let errors = cluster.prewrite(vec![put("never-locked", "1")], start_ts).await.errors;
    assert_eq!(errors[0].conflict.clone().unwrap().reason(), write_conflict::Reason::SelfRolledBack);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_phase_commits_are_later_than_every_read_before() {
    let cluster = Cluster::start().await;
    let start_ts = cluster.ts();
    let read_ts = cluster.ts();
    assert_eq!(cluster.value("a", read_ts).await, None);
    let mut request = cluster.prewrite_request(vec![put("a", "1"), put("b", "2")], start_ts);
    request.try_one_pc = true;
    let commit_ts = cluster.send_prewrite(request.clone()).await.one_pc_commit_ts;
    assert!(commit_ts > read_ts && commit_ts <= cluster.ts());
    assert_eq!(cluster.value("a", read_ts).await, None, "a snapshot never changes");
    assert_eq!(cluster.value("a", commit_ts).await.as_deref(), Some("1"));
    assert_eq!(cluster.send_prewrite(request.clone()).await.one_pc_commit_ts, commit_ts, "a retry");

    request.mutations = vec![put("c", "3")];
    request.start_version = cluster.ts();
    request.max_commit_ts = 1;
    let declined = cluster.send_prewrite(request).await;
    assert_eq!((declined.errors.len(), declined.one_pc_commit_ts, declined.min_commit_ts), (0, 0, 0));
    assert!(cluster.get("c", cluster.ts()).await.error.unwrap().locked.is_some(), "it fell back to a lock");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_the_wrong_place_are_told_the_right_one() {
    let cluster = Cluster::start().await;
    let send = |change: fn(&mut Context)| {
        let mut request = GetRequest { context: cluster.context("a"), key: bytes("a"), version: 1 };
        change(request.context.as_mut().unwrap());
        let mut client = cluster.client.clone();
        async move { client.kv_get(request).await.map(|response| response.into_inner().region_error) }
    };
    let error = send(|context| context.region_id = 99).await.unwrap().unwrap();
    assert_eq!(error.region_not_found.unwrap().region_id, 99);
    let error = send(|context| context.peer.as_mut().unwrap().store_id = 99).await.unwrap().unwrap();
    assert_eq!(error.store_not_match.unwrap().request_store_id, 99);
    let error = send(|context| context.region_epoch.as_mut().unwrap().version = 99).await.unwrap();
    assert!(is_epoch_error(&error));
    assert_eq!(error.unwrap().epoch_not_match.unwrap().current_regions, [cluster.region_of("a")]);
    let status = send(|context| context.cluster_id = 99).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senseless_requests_are_refused() {
    let cluster = Cluster::start().await;
    let code = |status: tonic::Status| status.code();
    let mut client = cluster.client.clone();
    let future = u64::MAX / 2;
    let get = GetRequest { context: cluster.context("a"), key: bytes("a"), version: future };
    assert_eq!(client.kv_get(get).await.map_err(code).unwrap_err(), Code::InvalidArgument);
    let request = cluster.prewrite_request(vec![put("a", "1")], future);
    assert_eq!(client.kv_prewrite(request).await.map_err(code).unwrap_err(), Code::InvalidArgument);
    let request = cluster.prewrite_request(vec![mutation(Op::SharedLock, "a")], cluster.ts());
    assert_eq!(client.kv_prewrite(request).await.map_err(code).unwrap_err(), Code::Unimplemented);
    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("a", "1")], start_ts).await;
    assert!(!cluster.commit(&["a"], start_ts, start_ts).await.error.unwrap().abort.is_empty());
    let no_context = GetRequest { context: None, key: bytes("a"), version: 1 };
    assert!(client.kv_get(no_context).await.unwrap().into_inner().region_error.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_collection_keeps_what_can_be_read() {
    let cluster = Cluster::start().await;
    cluster.write(vec![put("a", "1"), put("b", &"long".repeat(100))]).await;
    let (_, old) = cluster.write(vec![put("a", "2"), mutation(Op::Del, "b")]).await;
    let safe_point = cluster.ts();
    cluster.write(vec![put("a", "3")]).await;
    let gc = |safe_point| {
        let request = GcRequest { context: cluster.context("a"), safe_point };
        let mut client = cluster.client.clone();
        async move { client.kv_gc(request).await.unwrap().into_inner() }
    };
    assert_eq!(gc(safe_point).await, GcResponse::default());
    assert_eq!(cluster.value("a", old).await.as_deref(), Some("2"));
    assert_eq!(cluster.value("a", old - 1).await, None, "collected");
    assert_eq!(cluster.value("a", cluster.ts()).await.as_deref(), Some("3"));
    assert_eq!(cluster.value("b", cluster.ts()).await, None);
    cluster.prewrite(vec![put("z", "1")], cluster.ts()).await;
    assert!(gc(cluster.ts()).await.error.unwrap().locked.is_some());
}
