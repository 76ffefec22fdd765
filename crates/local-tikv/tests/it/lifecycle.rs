//! Start, stop, crash.

use crate::child::Child;
use crate::cluster::{Cluster, bytes, mutation, put};
use local_tikv::{PlacementError, StartError, TikvConfig};
use std::sync::Arc;
use std::time::Duration;
use tikv_proto::kvrpcpb::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill() {
    let mut cluster = Cluster::start().await;
    cluster.stop().await;
    let child = Child::start(&cluster, cluster.data_dir());
    cluster.turn_to(child.addr).await;
    let (_, commit_ts) = cluster.write(vec![put("a", "1"), put("long", &"x".repeat(5000))]).await;
    let locked = cluster.ts();
    cluster.prewrite(vec![put("p", "2"), put("q", &"y".repeat(5000))], locked).await;
    let undone = cluster.ts();
    cluster.prewrite(vec![put("r", "3")], undone).await;
    cluster.rollback(&["r"], undone).await;
    let mut request = cluster.prewrite_request(vec![put("one", "4")], cluster.ts());
    request.try_one_pc = true;
    let one_phase = cluster.send_prewrite(request).await.one_pc_commit_ts;
    child.kill();

    let child = Child::start(&cluster, cluster.data_dir());
    cluster.turn_to(child.addr).await;
    assert_eq!(cluster.value("a", commit_ts).await.as_deref(), Some("1"));
    assert_eq!(cluster.value("long", commit_ts).await.as_deref(), Some("x".repeat(5000).as_str()));
    assert_eq!(cluster.value("one", one_phase).await.as_deref(), Some("4"));
    assert_eq!(cluster.get("q", cluster.ts()).await.error.unwrap().locked.unwrap().lock_version, locked);
    assert!(!cluster.prewrite(vec![put("r", "3")], undone).await.errors.is_empty(), "still rolled back");
    let end = cluster.ts();
    assert!(cluster.commit(&["p", "q"], locked, end).await.error.is_none());
    assert_eq!(cluster.value("q", end).await.as_deref(), Some("y".repeat(5000).as_str()));
}

/// Writes pairs of keys until the store is gone; returns the numbers that were acknowledged as committed.
async fn write_pairs(mut client: Client, context: Option<Context>, first: u32, ts: TsSource) -> Vec<u32> {
    let mut done = Vec::new();
    for n in first.. {
        let keys = [format!("x{n:06}"), format!("y{n:06}")];
        let request = PrewriteRequest {
            context: context.clone(),
            mutations: keys.iter().map(|key| put(key, &n.to_string())).collect(),
            primary_lock: bytes(&keys[0]),
            start_version: ts(),
            lock_ttl: 1,
            try_one_pc: n % 3 == 0,
            ..Default::default()
        };
        let start_version = request.start_version;
        let Ok(response) = client.kv_prewrite(request).await else { return done };
        if response.into_inner().one_pc_commit_ts == 0 {
            let commit_version = ts();
            let keys = keys.iter().map(|key| bytes(key)).collect();
            let request = CommitRequest {
                context: context.clone(),
                start_version,
                keys,
                commit_version,
                ..Default::default()
            };
            let Ok(response) = client.kv_commit(request).await else { return done };
            assert_eq!(response.into_inner().error, None);
        }
        done.push(n);
    }
    done
}

type Client = tikv_proto::tikvpb::tikv_client::TikvClient<tonic::transport::Channel>;
type TsSource = Arc<dyn Fn() -> u64 + Send + Sync>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_lose_nothing_acknowledged_and_leave_transactions_whole() {
    let mut cluster = Cluster::start().await;
    cluster.stop().await;
    let pd = cluster.pd.clone();
    let ts: TsSource = Arc::new(move || pd.timestamp());
    let mut acknowledged = Vec::new();
    for round in 0..5_u32 {
        let child = Child::start(&cluster, cluster.data_dir());
        cluster.turn_to(child.addr).await;
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (client, context) = (cluster.client.clone(), cluster.context("x"));
                let first = round * 100_000 + writer * 20_000;
                tokio::spawn(write_pairs(client, context, first, ts.clone()))
            })
            .collect();
        tokio::time::sleep(pause(round)).await;
        child.kill();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    assert!(!acknowledged.is_empty());
    let child = Child::start(&cluster, cluster.data_dir());
    cluster.turn_to(child.addr).await;
    check_pairs(&cluster, &acknowledged).await;
}

/// Every acknowledged pair is there, and no pair is there by half once its locks are resolved.
async fn check_pairs(cluster: &Cluster, acknowledged: &[u32]) {
    let scan = async |from: &str, to: &str| {
        let request = ScanRequest {
            context: cluster.context("x"),
            start_key: bytes(from),
            end_key: bytes(to),
            limit: 1_000_000,
            version: cluster.ts(),
            ..Default::default()
        };
        let pairs = cluster.client.clone().kv_scan(request).await.unwrap().into_inner().pairs;
        let clean: Vec<u32> = pairs
            .iter()
            .filter(|pair| pair.error.is_none())
            .map(|pair| std::str::from_utf8(&pair.key[1..]).unwrap().parse().unwrap())
            .collect();
        let locked: Vec<u32> = pairs
            .iter()
            .filter(|pair| pair.error.is_some())
            .map(|pair| std::str::from_utf8(&pair.key[1..]).unwrap().parse().unwrap())
            .collect();
        (clean, locked)
    };
    let (x, x_locked) = scan("x", "y").await;
    let (y, y_locked) = scan("y", "z").await;
    assert_eq!(x, y, "both keys of a pair are committed by one request");
    assert_eq!(x_locked, y_locked, "both keys of a pair are locked by one request");
    let missing: Vec<_> = acknowledged.iter().filter(|n| x.binary_search(n).is_err()).collect();
    assert!(missing.is_empty(), "acknowledged, but not there: {missing:?}");
}

/// How long to write in a round: another moment of the commit cycle each time.
fn pause(round: u32) -> Duration {
    Duration::from_millis(150 + u64::from(round * 7919 % 200))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pessimistic_locks_are_gone_after_a_restart() {
    let mut cluster = Cluster::start().await;
    let start_ts = cluster.ts();
    let request = PessimisticLockRequest {
        context: cluster.context("a"),
        mutations: vec![mutation(Op::PessimisticLock, "a")],
        primary_lock: bytes("a"),
        start_version: start_ts,
        for_update_ts: start_ts,
        lock_ttl: 3000,
        ..Default::default()
    };
    assert!(cluster.client.kv_pessimistic_lock(request).await.unwrap().into_inner().errors.is_empty());
    cluster.restart().await;
    cluster.write(vec![put("a", "other")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_an_absent_pd_and_a_foreign_cluster_are_named() {
    let cluster = Cluster::start().await;
    let dir = tempfile::tempdir().unwrap();
    let taken = cluster.store.as_ref().unwrap().local_addr();
    let config = TikvConfig::new(taken, cluster.pd.addr().to_string(), dir.path());
    assert!(
        matches!(local_tikv::start(config).await, Err(StartError::AddressInUse { addr }) if addr == taken)
    );

    let free = "127.0.0.1:0".parse().unwrap();
    let other = crate::pd::Pd::start().await;
    let mut stopped = Cluster::start().await;
    stopped.stop().await;
    let config = TikvConfig::new(free, other.addr().to_string(), stopped.data_dir());
    let Err(StartError::Placement(PlacementError::OtherCluster { stored, served })) =
        local_tikv::start(config).await
    else {
        panic!("it joined a foreign cluster")
    };
    assert_eq!((stored, served), (stopped.pd.cluster_id(), other.cluster_id()));
    let mut config = TikvConfig::new(free, "127.0.0.1:1", dir.path());
    config.pd_patience = Duration::from_millis(100);
    let Err(StartError::Placement(error)) = local_tikv::start(config).await else { panic!("it started") };
    assert!(matches!(error, PlacementError::Unreachable { .. }), "{error}");
    let config = TikvConfig::new(free, "http://not a url", dir.path());
    assert!(matches!(
        local_tikv::start(config).await,
        Err(StartError::Placement(PlacementError::Endpoint { .. }))
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_announces_itself_and_keeps_its_identity() {
    let mut cluster = Cluster::start().await;
    let first = (cluster.store.as_ref().unwrap().store_id(), cluster.region_of("a"));
    assert_eq!(cluster.pd.store(first.0).address, cluster.store.as_ref().unwrap().local_addr().to_string());
    cluster.restart().await;
    assert_eq!((cluster.store.as_ref().unwrap().store_id(), cluster.region_of("a")), first);
}
