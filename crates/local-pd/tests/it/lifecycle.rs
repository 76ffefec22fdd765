//! Starting and stopping.

use std::time::{Duration, Instant};

use local_pd::{PdConfig, StartError, start};
use tikv_client::etcd::WatchOptions;

use super::{Fixture, config};

#[tokio::test]
async fn a_taken_port_is_named() {
    let fixture = Fixture::start().await;
    let dir = tempfile::tempdir().unwrap();
    let config = PdConfig { addr: fixture.server.local_addr(), ..config(&dir) };
    let error = start(config).await.unwrap_err();
    assert!(matches!(error, StartError::AddressInUse { addr, .. } if addr == fixture.server.local_addr()));
}

#[tokio::test]
async fn a_folder_serves_one_server() {
    let fixture = Fixture::start().await;
    assert!(matches!(start(config(&fixture.dir)).await, Err(StartError::DataDirInUse { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_is_quick_with_open_streams_and_the_cluster_keeps_its_identity() {
    let fixture = Fixture::start().await;
    let (pd, etcd) = (fixture.pd().await, fixture.etcd());
    pd.get_ts().await.unwrap();
    let mut watcher = etcd.watch(WatchOptions::prefix("/"));
    watcher.ready().await.unwrap();
    let lease = etcd.lease_grant(Duration::from_secs(60)).await.unwrap();
    let _keeper = etcd.keep_alive(lease);
    let cluster_id = fixture.server.cluster_id();
    let started = Instant::now();
    let Fixture { dir, server } = fixture;
    server.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let started = Instant::now();
    let server = start(config(&dir)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(server.cluster_id(), cluster_id);
    server.shutdown().await;
}

#[tokio::test]
async fn a_damaged_journal_is_not_ignored() {
    let fixture = Fixture::start().await;
    for index in 0..10 {
        fixture.etcd().put("/k", format!("{index}"), 0).await.unwrap();
    }
    let Fixture { dir, server } = fixture;
    drop(server);
    let journal = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "log"))
        .unwrap();
    let mut content = std::fs::read(&journal).unwrap();
    content[20] ^= 0xFF;
    std::fs::write(&journal, content).unwrap();
    assert!(matches!(start(config(&dir)).await, Err(StartError::Corrupt { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_replaced_by_a_snapshot_when_it_has_grown() {
    let fixture = Fixture::start().await;
    let etcd = fixture.etcd();
    let mut last = 0;
    for index in 0..60_u8 {
        last = etcd.put(format!("/k{}", index % 3), vec![index; 1 << 20], 0).await.unwrap();
    }
    let fixture = fixture.crash().await;
    let listing = fixture.etcd().get_prefix("/k").await.unwrap();
    let firsts: Vec<u8> = listing.kvs.iter().map(|kv| kv.value[0]).collect();
    assert_eq!((firsts, listing.revision), (vec![57, 58, 59], last));
    let names: Vec<String> = std::fs::read_dir(fixture.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "LOCK")
        .collect();
    assert_eq!(names.len(), 1, "{names:?}");
    assert_ne!(names[0], "journal-0000000000000001.log");
}
