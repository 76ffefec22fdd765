//! Pessimistic transactions, and what others do about locks.

use crate::cluster::{Cluster, bytes, mutation, put};
use std::time::{Duration, Instant};
use tikv_proto::kvrpcpb::prewrite_request::PessimisticAction;
use tikv_proto::kvrpcpb::*;

const NO_WAIT: i64 = -1;

fn lock_request(
    cluster: &Cluster,
    keys: &[&str],
    start_ts: u64,
    wait_timeout: i64,
) -> PessimisticLockRequest {
    PessimisticLockRequest {
        context: cluster.context(keys[0]),
        mutations: keys.iter().map(|key| mutation(Op::PessimisticLock, key)).collect(),
        primary_lock: bytes(keys[0]),
        start_version: start_ts,
        for_update_ts: cluster.ts(),
        lock_ttl: 3000,
        wait_timeout,
        ..Default::default()
    }
}

async fn lock(cluster: &Cluster, request: PessimisticLockRequest) -> PessimisticLockResponse {
    cluster.client.clone().kv_pessimistic_lock(request).await.unwrap().into_inner()
}

async fn unlock(cluster: &Cluster, keys: &[&str], start_ts: u64) {
    let request = PessimisticRollbackRequest {
        context: cluster.context("a"),
        start_version: start_ts,
        for_update_ts: u64::MAX,
        keys: keys.iter().map(|key| bytes(key)).collect(),
    };
    let response = cluster.client.clone().kv_pessimistic_rollback(request).await.unwrap().into_inner();
    assert_eq!(response, PessimisticRollbackResponse::default());
}

async fn check(
    cluster: &Cluster,
    key: &str,
    change: impl FnOnce(&mut CheckTxnStatusRequest),
) -> CheckTxnStatusResponse {
    let mut request = CheckTxnStatusRequest {
        context: cluster.context(key),
        primary_key: bytes(key),
        current_ts: cluster.ts(),
        ..Default::default()
    };
    request.caller_start_ts = request.current_ts;
    change(&mut request);
    cluster.client.clone().kv_check_txn_status(request).await.unwrap().into_inner()
}

/// Long after the TTL of the tests' locks.
fn much_later(ts: u64) -> u64 {
    ts + (10_000 << 18)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pessimistic_transaction_locks_prewrites_and_commits() {
    let cluster = Cluster::start().await;
    cluster.write(vec![put("a", "1")]).await;
    let start_ts = cluster.ts();
    let mut request = lock_request(&cluster, &["a", "b"], start_ts, NO_WAIT);
    request.return_values = true;
    let locked = lock(&cluster, request.clone()).await;
    assert_eq!((locked.values, locked.not_founds), (vec![bytes("1"), bytes("")], vec![false, true]));
    assert_eq!(cluster.value("a", cluster.ts()).await.as_deref(), Some("1"), "readers pass");

    let mut insert = lock_request(&cluster, &["a"], cluster.ts(), NO_WAIT);
    insert.mutations[0].assertion = Assertion::NotExist.into();
    assert!(lock(&cluster, insert.clone()).await.errors[0].locked.is_some());

    let mut prewrite =
        cluster.prewrite_request(vec![put("a", "2"), put("b", "2"), put("index", "x")], start_ts);
    prewrite.for_update_ts = request.for_update_ts;
    prewrite.pessimistic_actions = vec![
        PessimisticAction::DoPessimisticCheck.into(),
        PessimisticAction::DoPessimisticCheck.into(),
        PessimisticAction::SkipPessimisticCheck.into(),
    ];
    assert!(cluster.send_prewrite(prewrite).await.errors.is_empty());
    let commit_ts = cluster.ts();
    assert!(cluster.commit(&["a", "b", "index"], start_ts, commit_ts).await.error.is_none());
    assert_eq!(cluster.value("a", commit_ts).await.as_deref(), Some("2"));

    insert.start_version = cluster.ts();
    insert.for_update_ts = cluster.ts();
    assert!(lock(&cluster, insert).await.errors[0].already_exist.is_some());
    let mut old = lock_request(&cluster, &["a"], start_ts - 1, NO_WAIT);
    old.for_update_ts = start_ts;
    let conflict = lock(&cluster, old).await.errors[0].conflict.clone().unwrap();
    assert_eq!(
        (conflict.reason(), conflict.conflict_commit_ts),
        (write_conflict::Reason::PessimisticRetry, commit_ts)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_lock_is_noticed_only_if_somebody_wrote() {
    let cluster = Cluster::start().await;
    let prewrite = |key: &str, start_ts: u64, for_update_ts: u64| {
        let mut request = cluster.prewrite_request(vec![put(key, "mine")], start_ts);
        request.for_update_ts = for_update_ts;
        request.pessimistic_actions = vec![PessimisticAction::DoPessimisticCheck.into()];
        cluster.send_prewrite(request)
    };
    let start_ts = cluster.ts();
    assert!(prewrite("untouched", start_ts, cluster.ts()).await.errors.is_empty());
    let start_ts = cluster.ts();
    cluster.write(vec![put("touched", "theirs")]).await;
    let errors = prewrite("touched", start_ts, cluster.ts()).await.errors;
    assert!(errors[0].abort.contains("PessimisticLockNotFound"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_ends_with_the_lock_or_the_time() {
    let cluster = Cluster::start().await;
    let holder = cluster.ts();
    assert!(lock(&cluster, lock_request(&cluster, &["a"], holder, NO_WAIT)).await.errors.is_empty());
    let second = cluster.ts();
    let begin = Instant::now();
    let errors = lock(&cluster, lock_request(&cluster, &["a"], second, 100)).await.errors;
    assert!(errors[0].locked.is_some() && begin.elapsed() >= Duration::from_millis(100));

    let waiting = tokio::spawn({
        let (mut client, request) = (cluster.client.clone(), lock_request(&cluster, &["a"], second, 0));
        async move { client.kv_pessimistic_lock(request).await.unwrap().into_inner() }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begin = Instant::now();
    unlock(&cluster, &["a"], holder).await;
    assert!(waiting.await.unwrap().errors.is_empty());
    assert!(begin.elapsed() < Duration::from_millis(500), "woken, not timed out");
    unlock(&cluster, &[], second).await;
    assert!(lock(&cluster, lock_request(&cluster, &["a"], cluster.ts(), NO_WAIT)).await.errors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiters_on_one_key_all_get_their_turn() {
    let cluster = Cluster::start().await;
    let holder = cluster.ts();
    lock(&cluster, lock_request(&cluster, &["a"], holder, NO_WAIT)).await;
    let waiters: Vec<_> = (0..8)
        .map(|_| {
            let start_ts = cluster.ts();
            let request = lock_request(&cluster, &["a"], start_ts, 0);
            let mut client = cluster.client.clone();
            tokio::spawn(async move {
                let errors = client.kv_pessimistic_lock(request.clone()).await.unwrap().into_inner().errors;
                assert_eq!(errors, []);
                let undo = PessimisticRollbackRequest {
                    context: request.context,
                    start_version: start_ts,
                    for_update_ts: u64::MAX,
                    keys: vec![bytes("a")],
                };
                client.kv_pessimistic_rollback(undo).await.unwrap();
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    unlock(&cluster, &["a"], holder).await;
    for waiter in waiters {
        waiter.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_refused_at_once() {
    let cluster = Cluster::start().await;
    let (first, second) = (cluster.ts(), cluster.ts());
    lock(&cluster, lock_request(&cluster, &["a"], first, NO_WAIT)).await;
    lock(&cluster, lock_request(&cluster, &["b"], second, NO_WAIT)).await;
    let waiting = tokio::spawn({
        let (mut client, request) = (cluster.client.clone(), lock_request(&cluster, &["b"], first, 0));
        async move { client.kv_pessimistic_lock(request).await.unwrap().into_inner() }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begin = Instant::now();
    let errors = lock(&cluster, lock_request(&cluster, &["a"], second, 0)).await.errors;
    let deadlock = errors[0].deadlock.clone().unwrap();
    assert_eq!((deadlock.lock_ts, deadlock.lock_key), (first, bytes("a")));
    assert_eq!(deadlock.wait_chain.len(), 2);
    assert!(begin.elapsed() < Duration::from_millis(500));
    unlock(&cluster, &["b"], second).await;
    assert!(waiting.await.unwrap().errors.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fate_of_a_transaction_can_be_asked_and_decided() {
    let cluster = Cluster::start().await;
    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("p", "1"), put("s", "1")], start_ts).await;
    let alive = check(&cluster, "p", |request| request.lock_ts = start_ts).await;
    assert_eq!(
        (alive.lock_ttl, alive.action(), alive.lock_info.unwrap().key),
        (3000, Action::NoAction, bytes("p"))
    );
    let mismatch = check(&cluster, "s", |request| {
        request.lock_ts = start_ts;
        request.verify_is_primary = true;
    })
    .await;
    assert!(mismatch.error.unwrap().primary_mismatch.is_some());

    // A heart beat keeps it alive past its first TTL.
    let beat = TxnHeartBeatRequest {
        context: cluster.context("p"),
        primary_lock: bytes("p"),
        start_version: start_ts,
        advise_lock_ttl: 20_000,
        ..Default::default()
    };
    assert_eq!(cluster.client.clone().kv_txn_heart_beat(beat).await.unwrap().into_inner().lock_ttl, 20_000);
    let later = much_later(start_ts);
    assert_eq!(
        check(&cluster, "p", |r| (r.lock_ts, r.current_ts) = (start_ts, later)).await.lock_ttl,
        20_000
    );
    let expired =
        check(&cluster, "p", |r| (r.lock_ts, r.current_ts) = (start_ts, much_later(much_later(later)))).await;
    assert_eq!(
        (expired.lock_ttl, expired.commit_version, expired.action()),
        (0, 0, Action::TtlExpireRollback)
    );
    let again = check(&cluster, "p", |request| request.lock_ts = start_ts).await;
    assert_eq!((again.lock_ttl, again.commit_version, again.action()), (0, 0, Action::NoAction));

    let unknown = cluster.ts();
    let missing = check(&cluster, "p", |request| request.lock_ts = unknown).await;
    assert_eq!(missing.error.unwrap().txn_not_found.unwrap().start_ts, unknown);
    let decided = check(&cluster, "p", |r| (r.lock_ts, r.rollback_if_not_exist) = (unknown, true)).await;
    assert_eq!(decided.action(), Action::LockNotExistRollback);
    assert!(!cluster.prewrite(vec![put("p", "late")], unknown).await.errors.is_empty());
    let (start_ts, commit_ts) = cluster.write(vec![put("p", "3")]).await;
    assert_eq!(check(&cluster, "p", |request| request.lock_ts = start_ts).await.commit_version, commit_ts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_pushes_the_commit_of_a_large_transaction_past_itself() {
    let cluster = Cluster::start().await;
    let start_ts = cluster.ts();
    let mut request = cluster.prewrite_request(vec![put("p", "1")], start_ts);
    request.min_commit_ts = start_ts + 1;
    cluster.send_prewrite(request).await;
    let commit_ts = cluster.ts();
    let reader = cluster.ts();
    let pushed =
        check(&cluster, "p", |r| (r.lock_ts, r.caller_start_ts, r.current_ts) = (start_ts, reader, reader))
            .await;
    assert_eq!(pushed.action(), Action::MinCommitTsPushed);
    let expired = cluster.commit(&["p"], start_ts, commit_ts).await.error.unwrap().commit_ts_expired.unwrap();
    assert_eq!((expired.attempted_commit_ts, expired.min_commit_ts), (commit_ts, reader + 1));
    assert_eq!(cluster.value("p", reader).await, None, "the reader may pass");
    assert!(cluster.commit(&["p"], start_ts, cluster.ts()).await.error.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_are_listed_and_resolved_by_region_or_key() {
    let cluster = Cluster::start().await;
    let (dead, committed) = (cluster.ts(), cluster.ts());
    let many: Vec<Mutation> = (0..600).map(|n| put(&format!("d{n:03}"), "x")).collect();
    cluster.prewrite(many, dead).await;
    cluster.prewrite(vec![put("e1", "y"), put("e2", "y")], committed).await;
    let scan = |max_version, limit| {
        let request = ScanLockRequest {
            context: cluster.context("a"),
            max_version,
            start_key: bytes("d500"),
            limit,
            end_key: bytes(""),
        };
        let mut client = cluster.client.clone();
        async move { client.kv_scan_lock(request).await.unwrap().into_inner().locks }
    };
    assert_eq!(scan(cluster.ts(), 0).await.len(), 102);
    assert_eq!(scan(dead, 10).await.len(), 10);
    assert!(scan(dead, 0).await.iter().all(|lock| lock.lock_version == dead));
    let commit_ts = cluster.ts();
    let infos = vec![TxnInfo { txn: dead, status: 0 }, TxnInfo { txn: committed, status: commit_ts }];
    let request =
        ResolveLockRequest { context: cluster.context("a"), txn_infos: infos, ..Default::default() };
    let response = cluster.client.clone().kv_resolve_lock(request).await.unwrap().into_inner();
    assert_eq!(response, ResolveLockResponse::default());
    assert_eq!(scan(u64::MAX, 0).await, []);
    assert_eq!(cluster.value("e2", commit_ts).await.as_deref(), Some("y"));
    assert_eq!(cluster.value("d599", cluster.ts()).await, None);

    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("f1", "z"), put("f2", "z")], start_ts).await;
    let commit_ts = cluster.ts();
    let request = ResolveLockRequest {
        context: cluster.context("a"),
        start_version: start_ts,
        commit_version: commit_ts,
        keys: vec![bytes("f2")],
        ..Default::default()
    };
    cluster.client.clone().kv_resolve_lock(request).await.unwrap();
    assert_eq!(cluster.value("f2", commit_ts).await.as_deref(), Some("z"));
    assert!(cluster.get("f1", commit_ts).await.error.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cleanup_and_secondary_checks_decide_single_keys() {
    let cluster = Cluster::start().await;
    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("a", "1"), put("b", "1")], start_ts).await;
    let cleanup = |key: &str, current_ts| {
        let request = CleanupRequest {
            context: cluster.context(key),
            key: bytes(key),
            start_version: start_ts,
            current_ts,
        };
        let mut client = cluster.client.clone();
        async move { client.kv_cleanup(request).await.unwrap().into_inner() }
    };
    assert!(cleanup("a", cluster.ts()).await.error.unwrap().locked.is_some(), "alive");
    let secondaries = |keys: &[&str]| {
        let request = CheckSecondaryLocksRequest {
            context: cluster.context("a"),
            keys: keys.iter().map(|key| bytes(key)).collect(),
            start_version: start_ts,
        };
        let mut client = cluster.client.clone();
        async move { client.kv_check_secondary_locks(request).await.unwrap().into_inner() }
    };
    assert_eq!(secondaries(&["a", "b"]).await.locks.len(), 2);
    let commit_ts = cluster.ts();
    cluster.commit(&["a"], start_ts, commit_ts).await;
    assert_eq!(cleanup("a", 0).await.commit_version, commit_ts);
    assert_eq!(secondaries(&["a", "b"]).await.commit_ts, commit_ts);
    let missing = secondaries(&["b", "never"]).await;
    assert_eq!((missing.locks.len(), missing.commit_ts), (0, 0), "one is rolled back");
    assert_eq!(cleanup("b", 0).await, CleanupResponse::default());
    assert_eq!(cluster.value("b", cluster.ts()).await, None);
}
