//! Snapshot and transaction reads.

use bytes::Bytes;
use tikv_client::TransactionOptions;

use super::{Cluster, shown};

#[tokio::test]
async fn a_snapshot_sees_what_was_committed_before_it() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "1"), ("b", "1")]).await;
    let before = cluster.client.snapshot(cluster.client.pd().get_ts().await.unwrap());
    cluster.write(&[("a", "2"), ("c", "2")]).await;
    assert_eq!(shown(before.scan(b"", b"", 10, false).await.unwrap()), ["a=1", "b=1"]);
    assert_eq!(before.get(b"c").await.unwrap(), None);
    assert_eq!(cluster.read("a").await.unwrap(), "2");
    let mut txn = cluster.optimistic().await;
    txn.delete("a").unwrap();
    txn.commit().await.unwrap();
    assert_eq!(cluster.read("a").await, None);
    assert_eq!(before.get(b"a").await.unwrap().unwrap(), "1");
}

#[tokio::test]
async fn scans_and_batches_cross_regions_in_both_directions() {
    let cluster = Cluster::start().await;
    let keys: Vec<String> = (0..1000).map(|index| format!("k{index:04}")).collect();
    let mut txn = cluster.optimistic().await;
    for key in &keys {
        txn.put(key.clone(), "v").unwrap();
    }
    txn.commit().await.unwrap();
    for split in ["k0100", "k0500", "k0900"] {
        cluster.client.split_region(split.as_bytes()).await.unwrap();
    }
    let snapshot = cluster.client.snapshot(cluster.client.pd().get_ts().await.unwrap());
    let found = |pairs: Vec<tikv_client::KvPair>| -> Vec<String> {
        pairs.into_iter().map(|pair| super::text(pair.key)).collect()
    };
    assert_eq!(found(snapshot.scan(b"", b"", usize::MAX, false).await.unwrap()), keys);
    let reversed: Vec<String> = keys.iter().rev().cloned().collect();
    assert_eq!(found(snapshot.scan(b"", b"", usize::MAX, true).await.unwrap()), reversed);
    assert_eq!(found(snapshot.scan(b"k0099", b"k0102", 100, false).await.unwrap()), keys[99..102]);
    assert_eq!(found(snapshot.scan(b"k0099", b"k0102", 2, true).await.unwrap()), ["k0101", "k0100"]);
    assert_eq!(found(snapshot.scan(b"k0100", b"k0500", usize::MAX, true).await.unwrap()), reversed[500..900]);
    assert_eq!(found(snapshot.scan(b"z", b"a", 10, false).await.unwrap()), [""; 0]);
    let mut wanted: Vec<Bytes> = keys.iter().step_by(3).map(|key| Bytes::from(key.clone())).collect();
    wanted.push("absent".into());
    assert_eq!(snapshot.batch_get(wanted).await.unwrap().len(), 334);
    let mut scanner = snapshot.scanner(b"k01", b"k02", false).keys_only().limit(7);
    let batch = scanner.next_batch().await.unwrap().unwrap();
    assert_eq!(batch.len(), 7);
    assert!(batch.iter().all(|pair| pair.value.is_empty()));
    assert_eq!(scanner.next_batch().await.unwrap(), None);
}

#[tokio::test]
async fn a_transaction_reads_its_own_writes_over_the_snapshot() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]).await;
    let mut txn = cluster.client.begin(TransactionOptions::optimistic()).await.unwrap();
    txn.delete("b").unwrap();
    txn.put("c", "own").unwrap();
    txn.insert("bb", "new").unwrap();
    txn.put("e", "new").unwrap();
    assert_eq!(txn.get(b"b").await.unwrap(), None);
    assert_eq!(txn.get(b"c").await.unwrap().unwrap(), "own");
    let all = ["a=1", "bb=new", "c=own", "d=1", "e=new"];
    assert_eq!(shown(txn.scan(b"", b"", 10, false).await.unwrap()), all);
    assert_eq!(shown(txn.scan(b"", b"", 2, false).await.unwrap()), all[..2]);
    let mut reversed = all;
    reversed.reverse();
    assert_eq!(shown(txn.scan(b"", b"", 10, true).await.unwrap()), reversed);
    assert_eq!(shown(txn.scan(b"b", b"d", 10, true).await.unwrap()), ["c=own", "bb=new"]);
    let found = txn.batch_get(vec!["a".into(), "b".into(), "c".into(), "x".into()]).await.unwrap();
    assert_eq!(found.len(), 2);
    txn.rollback().await.unwrap();
    assert_eq!(cluster.read("e").await, None);
}
