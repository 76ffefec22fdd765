//! Start, stop, crash.

use crate::cluster::{Cluster, bytes, mutation, put};
use local_tikv::{PlacementError, StartError, TikvConfig};
use std::time::Duration;
use tikv_proto::kvrpcpb::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_crash() {
    let mut cluster = Cluster::start().await;
    let (_, commit_ts) = cluster.write(vec![put("a", "1"), put("long", &"x".repeat(5000))]).await;
    let locked = cluster.ts();
    cluster.prewrite(vec![put("p", "2"), put("q", &"y".repeat(5000))], locked).await;
    let undone = cluster.ts();
    cluster.prewrite(vec![put("r", "3")], undone).await;
    cluster.rollback(&["r"], undone).await;
    let mut request = cluster.prewrite_request(vec![put("one", "4")], cluster.ts());
    request.try_one_pc = true;
    let one_phase = cluster.send_prewrite(request).await.one_pc_commit_ts;

    cluster.restart_from_crash_image().await;
    assert_eq!(cluster.value("a", commit_ts).await.as_deref(), Some("1"));
    assert_eq!(cluster.value("long", commit_ts).await.as_deref(), Some("x".repeat(5000).as_str()));
    assert_eq!(cluster.value("one", one_phase).await.as_deref(), Some("4"));
    assert_eq!(cluster.get("q", cluster.ts()).await.error.unwrap().locked.unwrap().lock_version, locked);
    assert!(!cluster.prewrite(vec![put("r", "3")], undone).await.errors.is_empty(), "still rolled back");
    let end = cluster.ts();
    assert!(cluster.commit(&["p", "q"], locked, end).await.error.is_none());
    assert_eq!(cluster.value("q", end).await.as_deref(), Some("y".repeat(5000).as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_under_load_lose_nothing_acknowledged_and_leave_transactions_whole() {
    let mut cluster = Cluster::start().await;
    let mut acknowledged: Vec<(u32, u64)> = Vec::new();
    for round in 0..4_u32 {
        let image = {
            let writers = async {
                let mut done = Vec::new();
                for n in round * 40..round * 40 + 40 {
                    let (x, y) = (format!("x{n:03}"), format!("y{n:03}"));
                    let (_, commit_ts) = cluster.write(vec![put(&x, "v"), put(&y, "v")]).await;
                    done.push((n, commit_ts));
                }
                done
            };
            writers.await
        };
        acknowledged.extend(image);
        cluster.restart_from_crash_image().await;
        for (n, commit_ts) in &acknowledged {
            assert_eq!(cluster.value(&format!("x{n:03}"), *commit_ts).await.as_deref(), Some("v"));
            assert_eq!(cluster.value(&format!("y{n:03}"), *commit_ts).await.as_deref(), Some("v"));
        }
    }
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
    let config = TikvConfig::new(taken, cluster.pd_addr().to_string(), dir.path());
    assert!(matches!(local_tikv::start(config).await, Err(StartError::AddressInUse { addr }) if addr == taken));

    let free = "127.0.0.1:0".parse().unwrap();
    let mut config = TikvConfig::new(free, "127.0.0.1:1", dir.path());
    config.pd_patience = Duration::from_millis(100);
    let Err(StartError::Placement(error)) = local_tikv::start(config).await else { panic!("it started") };
    assert!(matches!(error, PlacementError::Unreachable { .. }), "{error}");
    let config = TikvConfig::new(free, "http://not a url", dir.path());
    assert!(matches!(local_tikv::start(config).await, Err(StartError::Placement(PlacementError::Endpoint { .. }))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_announces_itself_and_keeps_its_identity() {
    let mut cluster = Cluster::start().await;
    let first = (cluster.store.as_ref().unwrap().store_id(), cluster.region_of("a"));
    assert_eq!(cluster.pd.0.lock().stores[&first.0].address, cluster.store.as_ref().unwrap().local_addr().to_string());
    assert!(cluster.data_dir().join("journals").exists() || cluster.data_dir().read_dir().unwrap().count() > 0);
    cluster.restart().await;
    assert_eq!((cluster.store.as_ref().unwrap().store_id(), cluster.region_of("a")), first);
}
