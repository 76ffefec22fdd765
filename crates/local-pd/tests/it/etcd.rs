//! The metadata store.

use std::time::Duration;

use tikv_client::Error;
use tikv_client::etcd::{Comparison, EventKind, Operation, OperationResult, Range, Txn, WatchOptions};

use super::{Fixture, PATIENCE};

#[tokio::test]
async fn keys_are_set_read_and_deleted_and_survive_a_crash() {
    let fixture = Fixture::start().await;
    let etcd = fixture.etcd();
    for key in ["/a/1", "/a/2", "/b/1"] {
        etcd.put(key, format!("value of {key}"), 0).await.unwrap();
    }
    let revision = etcd.put("/a/2", "new", 0).await.unwrap();
    assert_eq!(etcd.delete("/b/1").await.unwrap().unwrap().value, "value of /b/1");
    let fixture = fixture.crash().await;
    let etcd = fixture.etcd();
    let listing = etcd.get_prefix("/a/").await.unwrap();
    let pairs: Vec<_> = listing.kvs.iter().map(|kv| (kv.key.clone(), kv.value.clone(), kv.version)).collect();
    assert_eq!(pairs, [("/a/1".into(), "value of /a/1".into(), 1), ("/a/2".into(), "new".into(), 2)]);
    assert_eq!(listing.revision, revision + 1);
    let earlier = etcd.range(Range::prefix("/").at(revision - 1)).await.unwrap();
    assert_eq!(earlier.kvs.len(), 3);
    assert!(matches!(etcd.range(Range::key("/a/1").at(revision + 100)).await, Err(Error::Rpc { .. })));
    assert_eq!(etcd.delete_prefix("/").await.unwrap(), 2);
    assert_eq!(etcd.get("/a/1").await.unwrap(), None);
    assert!(etcd.cluster_id().await.unwrap() > 0);
    assert!(etcd.status().await.unwrap().version.starts_with("3."));
}

#[tokio::test]
async fn a_transaction_compares_and_acts_in_one_step() {
    let fixture = Fixture::start().await;
    let etcd = fixture.etcd();
    let create = |owner: &'static str| {
        Txn::when([Comparison::absent("/owner")])
            .then([Operation::put("/owner", owner, 0), Operation::range(Range::key("/owner"))])
            .otherwise([Operation::range(Range::key("/owner"))])
    };
    let won = etcd.txn(create("one")).await.unwrap();
    assert!(won.succeeded && won.results.len() == 2);
    let lost = etcd.txn(create("two")).await.unwrap();
    assert!(!lost.succeeded);
    let OperationResult::Range(listing) = &lost.results[0] else { panic!("no range") };
    assert_eq!(listing.kvs[0].value, "one");
    assert_eq!(lost.revision, won.revision);
    let kv = &listing.kvs[0];
    let swap = Txn::when([
        Comparison::modified_at("/owner", kv.mod_revision),
        Comparison::value_is("/owner", "one"),
    ])
    .then([Operation::delete("/owner")]);
    assert!(etcd.txn(swap.clone()).await.unwrap().succeeded);
    assert!(!etcd.txn(swap).await.unwrap().succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_lease_deletes_its_keys_and_a_renewed_one_keeps_them() {
    let fixture = Fixture::start().await;
    let etcd = fixture.etcd();
    let short = etcd.lease_grant(Duration::from_secs(1)).await.unwrap();
    let kept = etcd.lease_grant(Duration::from_secs(1)).await.unwrap();
    let keeper = etcd.keep_alive(kept);
    let mut watcher = etcd.watch(WatchOptions::prefix("/lease/").with_previous());
    watcher.ready().await.unwrap();
    etcd.put("/lease/short", "x", short.id).await.unwrap();
    etcd.put("/lease/kept", "y", kept.id).await.unwrap();
    assert_eq!(etcd.lease_state(kept.id, true).await.unwrap().keys, ["/lease/kept"]);
    let deleted = tokio::time::timeout(PATIENCE, async {
        loop {
            let batch = watcher.next().await.unwrap();
            if let Some(event) = batch.events.into_iter().find(|event| event.kind == EventKind::Delete) {
                return event;
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(deleted.kv.key, "/lease/short");
    assert_eq!(deleted.previous.unwrap().value, "x");
    assert!(matches!(etcd.lease_state(short.id, false).await, Err(Error::LeaseNotFound { .. })));
    assert!(matches!(etcd.put("/x", "x", short.id).await, Err(Error::LeaseNotFound { .. })));
    assert!(matches!(etcd.lease_keep_alive_once(short.id).await, Err(Error::LeaseNotFound { .. })));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(etcd.get("/lease/kept").await.unwrap().is_some());
    assert!(!keeper.is_lost());
    etcd.lease_revoke(kept.id).await.unwrap();
    assert!(etcd.get("/lease/kept").await.unwrap().is_none());
    tokio::time::timeout(PATIENCE, keeper.lost()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_start_anew_after_a_crash_and_still_end() {
    let fixture = Fixture::start().await;
    let lease = fixture.etcd().lease_grant(Duration::from_secs(1)).await.unwrap();
    fixture.etcd().put("/k", "v", lease.id).await.unwrap();
    let fixture = fixture.crash().await;
    let etcd = fixture.etcd();
    assert!(etcd.get("/k").await.unwrap().is_some());
    tokio::time::timeout(PATIENCE, async {
        while etcd.get("/k").await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_gives_every_change_in_order_from_its_revision_on() {
    let fixture = Fixture::start().await;
    let etcd = fixture.etcd();
    let first = etcd.put("/w/0", "0", 0).await.unwrap();
    for index in 1..200 {
        etcd.put(format!("/w/{index}"), index.to_string(), 0).await.unwrap();
        etcd.put(format!("/other/{index}"), "x", 0).await.unwrap();
    }
    let mut watcher = etcd.watch(WatchOptions::prefix("/w/").from_revision(first));
    let mut seen = Vec::new();
    tokio::time::timeout(PATIENCE, async {
        while seen.len() < 200 {
            seen.extend(watcher.next().await.unwrap().events);
        }
    })
    .await
    .unwrap();
    let keys: Vec<_> = seen.iter().map(|event| event.kv.key.clone()).collect();
    assert_eq!(keys, (0..200).map(|index| format!("/w/{index}")).collect::<Vec<_>>());
    assert!(seen.windows(2).all(|pair| pair[0].kv.mod_revision < pair[1].kv.mod_revision));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_over_a_restart_without_loss() {
    let dir = tempfile::tempdir().unwrap();
    let server = local_pd::start(super::config(&dir)).await.unwrap();
    let config = local_pd::PdConfig { addr: server.local_addr(), ..super::config(&dir) };
    let etcd = tikv_client::EtcdClient::new(&[server.url().to_owned()], Default::default()).unwrap();
    let mut watcher = etcd.watch(WatchOptions::prefix("/w/"));
    watcher.ready().await.unwrap();
    etcd.put("/w/1", "1", 0).await.unwrap();
    server.shutdown().await;
    let server = local_pd::start(config).await.unwrap();
    etcd.put("/w/2", "2", 0).await.unwrap();
    let mut keys = Vec::new();
    tokio::time::timeout(PATIENCE, async {
        while keys.len() < 2 {
            keys.extend(watcher.next().await.unwrap().events.into_iter().map(|event| event.kv.key));
        }
    })
    .await
    .unwrap();
    assert_eq!(keys, ["/w/1", "/w/2"]);
    server.shutdown().await;
}

#[tokio::test]
async fn a_watch_from_a_revision_that_is_gone_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let config = local_pd::PdConfig { history_events: 5, ..super::config(&dir) };
    let server = local_pd::start(config).await.unwrap();
    let etcd = tikv_client::EtcdClient::new(&[server.url().to_owned()], Default::default()).unwrap();
    for _ in 0..20 {
        etcd.put("/k", "v", 0).await.unwrap();
    }
    let mut watcher = etcd.watch(WatchOptions::key("/k").from_revision(2));
    let error = tokio::time::timeout(PATIENCE, watcher.next()).await.unwrap().unwrap_err();
    assert!(
        matches!(error, Error::Compacted { wanted: 2, compact_revision } if compact_revision > 2),
        "{error}"
    );
    assert!(matches!(etcd.range(Range::key("/k").at(2)).await, Err(Error::Compacted { .. })));
}
