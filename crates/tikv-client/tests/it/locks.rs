//! Locks that others left behind.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tikv_client::{Error, LiveLock, LockOptions, Timestamp};
use tikv_proto::kvrpcpb as pb;
use tikv_proto::tikvpb::tikv_client::TikvClient as Store;
use tonic::transport::Channel;

use super::Cluster;

/// A client that dies at a chosen moment.
struct Crasher {
    store: Store<Channel>,
    context: pb::Context,
    start_ts: u64,
}

impl Crasher {
    async fn begin(cluster: &Cluster) -> Self {
        let region = cluster.client.regions().locate(b"a").await.unwrap();
        let store = Store::new(cluster.client.channel(&region.store_address).unwrap());
        let start_ts = cluster.client.pd().get_ts().await.unwrap();
        Self { store, context: region.context(), start_ts }
    }

    async fn prewrite(&mut self, keys: &[&'static str], ttl_ms: u64) {
        let mutations = keys
            .iter()
            .map(|key| pb::Mutation { key: Bytes::from(*key), value: "new".into(), ..Default::default() })
            .collect();
        let request = pb::PrewriteRequest {
            context: Some(self.context.clone()),
            mutations,
            primary_lock: "a".into(),
            start_version: self.start_ts,
            lock_ttl: ttl_ms,
            txn_size: 2,
            min_commit_ts: self.start_ts + 1,
            ..Default::default()
        };
        let answer = self.store.kv_prewrite(request).await.unwrap().into_inner();
        assert_eq!(answer.errors, []);
    }

    async fn commit_primary(&mut self, cluster: &Cluster) -> u64 {
        let commit_version = cluster.client.pd().get_ts().await.unwrap();
        let request = pb::CommitRequest {
            context: Some(self.context.clone()),
            start_version: self.start_ts,
            keys: vec!["a".into()],
            commit_version,
            ..Default::default()
        };
        assert_eq!(self.store.kv_commit(request).await.unwrap().into_inner().error, None);
        commit_version
    }
}

#[tokio::test]
async fn a_reader_completes_what_was_committed() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "old"), ("b", "old")]).await;
    let mut crasher = Crasher::begin(&cluster).await;
    crasher.prewrite(&["a", "b"], 60_000).await;
    crasher.commit_primary(&cluster).await;
    assert_eq!(cluster.read("b").await.unwrap(), "new");
    let now = cluster.client.pd().get_ts().await.unwrap();
    let found = cluster.client.lock_resolver().resolve_locks(b"", b"", now).await.unwrap();
    assert_eq!(found.found, 0);
}

#[tokio::test]
async fn a_reader_undoes_what_was_abandoned_once_its_time_is_over() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "old"), ("b", "old")]).await;
    let mut crasher = Crasher::begin(&cluster).await;
    crasher.prewrite(&["a", "b"], 400).await;
    let started = Instant::now();
    let pairs = {
        let ts = cluster.client.pd().get_ts().await.unwrap();
        cluster.client.snapshot(ts).scan(b"", b"", 10, false).await.unwrap()
    };
    assert_eq!(super::shown(pairs), ["a=old", "b=old"]);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_lock_without_its_primary_is_undone_too() {
    let cluster = Cluster::start().await;
    cluster.write(&[("b", "old")]).await;
    let mut crasher = Crasher::begin(&cluster).await;
    crasher.prewrite(&["b"], 300).await;
    assert_eq!(cluster.read("b").await.unwrap(), "old");
    let mut late = Crasher { ..crasher };
    let request = pb::CommitRequest {
        context: Some(late.context.clone()),
        start_version: late.start_ts,
        keys: vec!["b".into()],
        commit_version: late.start_ts + 10,
        ..Default::default()
    };
    assert!(late.store.kv_commit(request).await.unwrap().into_inner().error.is_some());
}

#[tokio::test]
async fn a_writer_takes_over_abandoned_keys() {
    let cluster = Cluster::start().await;
    let mut crasher = Crasher::begin(&cluster).await;
    crasher.prewrite(&["a", "b"], 200).await;
    cluster.write(&[("a", "mine"), ("b", "mine")]).await;
    assert_eq!(cluster.read("a").await.unwrap(), "mine");
}

#[tokio::test]
async fn resolving_a_range_removes_ended_locks_and_reports_live_ones() {
    let cluster = Cluster::start().await;
    let mut dead = Crasher::begin(&cluster).await;
    dead.prewrite(&["a", "b"], 1).await;
    let mut live = Crasher::begin(&cluster).await;
    let request = pb::PrewriteRequest {
        context: Some(live.context.clone()),
        mutations: vec![pb::Mutation { key: "x".into(), value: "v".into(), ..Default::default() }],
        primary_lock: "x".into(),
        start_version: live.start_ts,
        lock_ttl: 60_000,
        ..Default::default()
    };
    assert_eq!(live.store.kv_prewrite(request).await.unwrap().into_inner().errors, []);
    cluster.client.split_region(b"m").await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let now = cluster.client.pd().get_ts().await.unwrap();
    let older = cluster.client.lock_resolver().resolve_locks(b"", b"", dead.start_ts - 1).await.unwrap();
    assert_eq!(older.found, 0);
    let all = cluster.client.lock_resolver().resolve_locks(b"", b"", now).await.unwrap();
    let expected = LiveLock {
        start_ts: live.start_ts,
        primary: "x".into(),
        key: "x".into(),
        ttl: Duration::from_secs(60),
    };
    assert_eq!((all.found, all.resolved, all.alive), (3, 2, vec![expected]));
    let again = cluster.client.lock_resolver().resolve_locks(b"", b"w", now).await.unwrap();
    assert_eq!(again.found, 0);
}

#[tokio::test]
async fn a_writer_gives_up_on_a_lock_it_may_not_wait_for() {
    let cluster = Cluster::start().await;
    let mut live = Crasher::begin(&cluster).await;
    live.prewrite(&["a"], 60_000).await;
    let mut txn = cluster.pessimistic().await;
    let options = LockOptions { wait: tikv_client::LockWait::NoWait, ..LockOptions::default() };
    let error = txn.lock_keys(vec![tikv_client::KeyLock::new("a")], options).await.unwrap_err();
    assert!(matches!(error, Error::LockBusy { lock_ts, .. } if lock_ts == live.start_ts), "{error}");
    assert!(Timestamp(live.start_ts).age() < Duration::from_secs(60));
}

/// Takes a pessimistic lock in the name of a client that does nothing more.
async fn pessimistic_lock(crasher: &mut Crasher, key: &'static str, ttl_ms: u64) {
    let mut mutation = pb::Mutation { key: key.into(), ..Default::default() };
    mutation.set_op(pb::Op::PessimisticLock);
    let request = pb::PessimisticLockRequest {
        context: Some(crasher.context.clone()),
        mutations: vec![mutation],
        primary_lock: key.into(),
        start_version: crasher.start_ts,
        for_update_ts: crasher.start_ts,
        lock_ttl: ttl_ms,
        ..Default::default()
    };
    assert_eq!(crasher.store.kv_pessimistic_lock(request).await.unwrap().into_inner().errors, []);
}

#[tokio::test]
async fn pessimistic_locks_are_removed_once_their_time_is_over_and_not_before() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "old"), ("b", "old")]).await;
    let mut dead = Crasher::begin(&cluster).await;
    pessimistic_lock(&mut dead, "a", 1).await;
    let mut live = Crasher::begin(&cluster).await;
    pessimistic_lock(&mut live, "b", 60_000).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let now = cluster.client.pd().get_ts().await.unwrap();
    let resolver = cluster.client.lock_resolver();
    let first = resolver.resolve_locks(b"", b"", now).await.unwrap();
    let alive = |locks: &[tikv_client::LiveLock]| locks.iter().map(|lock| lock.start_ts).collect::<Vec<_>>();
    assert_eq!((first.found, first.resolved, alive(&first.alive)), (2, 1, vec![live.start_ts]));
    let again = resolver.resolve_locks(b"", b"", now).await.unwrap();
    assert_eq!((again.found, again.resolved, alive(&again.alive)), (1, 0, vec![live.start_ts]));
    assert_eq!(cluster.read("a").await.unwrap(), "old", "nothing was written");
}
