//! Commits.

use tikv_client::{ClientConfig, Error, TransactionOptions};

use super::{Cluster, shown};

#[tokio::test]
async fn the_first_committer_wins() {
    let cluster = Cluster::start().await;
    let mut one = cluster.optimistic().await;
    let mut two = cluster.optimistic().await;
    one.put("a", "1").unwrap();
    two.put("a", "2").unwrap();
    two.put("b", "2").unwrap();
    let info = one.commit().await.unwrap();
    assert!(info.commit_ts.unwrap() > info.start_ts);
    let error = two.commit().await.unwrap_err();
    let Error::WriteConflict { key, conflict_commit_ts, .. } = &error else { panic!("{error}") };
    assert_eq!((&key.0[..], *conflict_commit_ts), (&b"a"[..], info.commit_ts.unwrap()));
    assert!(matches!(two.commit().await, Err(Error::TransactionEnded { .. })));
    assert!(matches!(two.put("x", "x"), Err(Error::TransactionEnded { .. })));
    assert_eq!(cluster.read("a").await.unwrap(), "1");
    assert_eq!(cluster.read("b").await, None);
}

#[tokio::test]
async fn an_insert_of_an_existing_key_fails_and_names_it() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "1")]).await;
    let mut txn = cluster.optimistic().await;
    txn.insert("a", "2").unwrap();
    let error = txn.commit().await.unwrap_err();
    assert!(matches!(&error, Error::KeyExists { key } if key.0 == "a"), "{error}");
    let mut txn = cluster.optimistic().await;
    txn.insert("b", "2").unwrap();
    assert!(matches!(txn.insert("b", "3"), Err(Error::KeyExists { .. })));
    txn.commit().await.unwrap();
    let mut txn = cluster.optimistic().await;
    txn.insert("b", "3").unwrap();
    txn.delete("b").unwrap();
    assert!(matches!(txn.commit().await, Err(Error::KeyExists { .. })));
    let mut txn = cluster.optimistic().await;
    txn.delete("b").unwrap();
    txn.insert("b", "4").unwrap();
    txn.commit().await.unwrap();
    assert_eq!(cluster.read("b").await.unwrap(), "4");
    let mut txn = cluster.optimistic().await;
    txn.insert("c", "1").unwrap();
    txn.delete("c").unwrap();
    assert_eq!(txn.commit().await.unwrap().commit_ts, None);
}

#[tokio::test]
async fn a_rolled_back_statement_leaves_the_rest_of_its_transaction() {
    let cluster = Cluster::start().await;
    let mut txn = cluster.optimistic().await;
    txn.put("a", "1").unwrap();
    let statement = txn.savepoint();
    txn.put("a", "2").unwrap();
    txn.put("b", "2").unwrap();
    txn.rollback_to(statement);
    let statement = txn.savepoint();
    txn.put("c", "3").unwrap();
    txn.release(statement);
    let info = txn.commit().await.unwrap();
    assert_eq!(info.keys, 2);
    let snapshot = cluster.client.snapshot(cluster.client.pd().get_ts().await.unwrap());
    assert_eq!(shown(snapshot.scan(b"", b"", 10, false).await.unwrap()), ["a=1", "c=3"]);
}

#[tokio::test]
async fn one_request_commits_what_fits_in_one_region() {
    let cluster = Cluster::start().await;
    let mut txn = cluster.client.begin(TransactionOptions::optimistic().one_pc()).await.unwrap();
    txn.put("a", "1").unwrap();
    txn.put("z", "1").unwrap();
    let before = cluster.client.pd().get_ts().await.unwrap();
    let info = txn.commit().await.unwrap();
    assert!(info.one_pc && info.commit_ts.unwrap() > before);
    cluster.client.split_region(b"m").await.unwrap();
    let mut txn = cluster.client.begin(TransactionOptions::optimistic().one_pc()).await.unwrap();
    txn.put("a", "2").unwrap();
    txn.put("z", "2").unwrap();
    let info = txn.commit().await.unwrap();
    assert!(!info.one_pc);
    assert_eq!(cluster.read("a").await.unwrap(), "2");
    assert_eq!(cluster.read("z").await.unwrap(), "2");
}

#[tokio::test]
async fn a_large_transaction_goes_in_many_requests_to_many_regions() {
    let config = ClientConfig { commit_batch_bytes: 4096, ..ClientConfig::default() };
    let cluster = Cluster::with_config(config).await;
    for split in ["k02", "k05", "k07"] {
        cluster.client.split_region(split.as_bytes()).await.unwrap();
    }
    let mut txn = cluster.optimistic().await;
    for index in 0..1000 {
        txn.put(format!("k{index:03}"), "x".repeat(100)).unwrap();
    }
    let info = txn.commit().await.unwrap();
    assert_eq!(info.keys, 1000);
    let at_commit = cluster.client.snapshot(info.commit_ts.unwrap());
    assert_eq!(at_commit.scan(b"k", b"l", usize::MAX, false).await.unwrap().len(), 1000);
    let before = cluster.client.snapshot(info.commit_ts.unwrap() - 1);
    assert_eq!(before.scan(b"k", b"l", usize::MAX, false).await.unwrap().len(), 0);
    assert!(cluster.client.close().await);
}

#[tokio::test]
async fn limits_on_entries_and_transactions_are_named() {
    let config = ClientConfig { max_entry_bytes: 100, max_transaction_bytes: 250, ..ClientConfig::default() };
    let cluster = Cluster::with_config(config).await;
    let mut txn = cluster.optimistic().await;
    assert!(matches!(txn.put("a", "x".repeat(100)), Err(Error::TooLarge { what: "entry", limit: 100, .. })));
    txn.put("a", "x".repeat(90)).unwrap();
    txn.put("b", "x".repeat(90)).unwrap();
    assert!(matches!(txn.put("c", "x".repeat(90)), Err(Error::TooLarge { what: "transaction", .. })));
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn a_transaction_without_writes_has_no_commit_timestamp() {
    let cluster = Cluster::start().await;
    let mut txn = cluster.optimistic().await;
    assert_eq!(txn.get(b"a").await.unwrap(), None);
    assert_eq!(txn.commit().await.unwrap().commit_ts, None);
}
