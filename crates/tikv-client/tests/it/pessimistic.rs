//! Pessimistic transactions.

use std::time::{Duration, Instant};

use tikv_client::{Error, KeyLock, LockOptions, LockWait};

use super::{Cluster, PATIENCE};

fn keys(keys: &[&str]) -> Vec<KeyLock> {
    keys.iter().map(|key| KeyLock::new(key.to_string())).collect()
}

fn no_wait() -> LockOptions {
    LockOptions { wait: LockWait::NoWait, ..LockOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_makes_others_wait_until_the_commit() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "0")]).await;
    let mut one = cluster.pessimistic().await;
    one.lock_keys(keys(&["a"]), LockOptions::default()).await.unwrap();
    let mut two = cluster.pessimistic().await;
    assert!(matches!(two.lock_keys(keys(&["a"]), no_wait()).await, Err(Error::LockBusy { .. })));
    let short = LockOptions { wait: LockWait::AtMost(Duration::from_millis(200)), ..LockOptions::default() };
    let started = Instant::now();
    assert!(matches!(two.lock_keys(keys(&["a"]), short).await, Err(Error::LockWaitTimeout { .. })));
    assert!(started.elapsed() >= Duration::from_millis(200));
    let waiting = tokio::spawn(async move {
        let mut conflicts = 0;
        loop {
            let options = LockOptions { return_values: true, ..LockOptions::default() };
            match two.lock_keys(keys(&["a"]), options).await {
                Ok(locked) => return (two, locked, conflicts),
                Err(Error::WriteConflict { .. }) => conflicts += 1,
                Err(error) => panic!("{error}"),
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    one.put("a", "1").unwrap();
    one.commit().await.unwrap();
    let (mut two, locked, conflicts) = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!(conflicts, 1);
    assert_eq!(locked[0].value.as_ref().unwrap(), "1");
    two.put("a", "2").unwrap();
    two.commit().await.unwrap();
    assert_eq!(cluster.read("a").await.unwrap(), "2");
}

#[tokio::test]
async fn a_key_changed_after_the_lock_timestamp_is_a_conflict() {
    let cluster = Cluster::start().await;
    let mut txn = cluster.pessimistic().await;
    let early = LockOptions { for_update_ts: Some(txn.start_ts()), ..LockOptions::default() };
    cluster.write(&[("a", "1")]).await;
    let error = txn.lock_keys(keys(&["a", "b"]), early).await.unwrap_err();
    assert!(matches!(error, Error::WriteConflict { .. }), "{error}");
    assert!(!txn.holds_lock(b"a") && !txn.holds_lock(b"b"));
    let mut other = cluster.pessimistic().await;
    other.lock_keys(keys(&["a", "b"]), no_wait()).await.unwrap();
    assert!(other.holds_lock(b"a"));
}

#[tokio::test]
async fn keys_that_must_not_exist_are_checked_when_locked() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "1")]).await;
    let mut txn = cluster.pessimistic().await;
    let error = txn.lock_keys(vec![KeyLock::absent("a")], LockOptions::default()).await.unwrap_err();
    assert!(matches!(&error, Error::KeyExists { key } if key.0 == "a"), "{error}");
    txn.lock_keys(vec![KeyLock::absent("b")], LockOptions::default()).await.unwrap();
    txn.insert("b", "2").unwrap();
    txn.commit().await.unwrap();
    assert_eq!(cluster.read("b").await.unwrap(), "2");
    let mut unlocked = cluster.pessimistic().await;
    unlocked.lock_keys(keys(&["x"]), LockOptions::default()).await.unwrap();
    unlocked.insert("b", "3").unwrap();
    assert!(matches!(unlocked.commit().await, Err(Error::KeyExists { .. })));
}

#[tokio::test]
async fn values_and_existence_are_returned_as_asked() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "1")]).await;
    let mut txn = cluster.pessimistic().await;
    let options = LockOptions { return_values: true, ..LockOptions::default() };
    let locked = txn.lock_keys(keys(&["a", "b"]), options.clone()).await.unwrap();
    assert_eq!(locked[0].value.as_ref().unwrap(), "1");
    assert_eq!((locked[1].value.as_ref(), locked[1].exists), (None, Some(false)));
    let again = txn.lock_keys(keys(&["a"]), options).await.unwrap();
    assert_eq!(again[0].value.as_ref().unwrap(), "1");
    let existing = LockOptions { return_values: true, lock_only_if_exists: true, ..LockOptions::default() };
    let mut other = cluster.pessimistic().await;
    let locked = other.lock_keys(keys(&["c"]), existing).await.unwrap();
    assert_eq!(locked[0].exists, Some(false));
    assert!(!other.holds_lock(b"c"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_that_wait_for_each_other_is_chosen() {
    let cluster = Cluster::start().await;
    let mut one = cluster.pessimistic().await;
    let mut two = cluster.pessimistic().await;
    one.lock_keys(keys(&["a"]), LockOptions::default()).await.unwrap();
    two.lock_keys(keys(&["b"]), LockOptions::default()).await.unwrap();
    let first = tokio::spawn(async move {
        let result = one.lock_keys(keys(&["b"]), LockOptions::default()).await;
        drop(one);
        result.map(|_| ())
    });
    let second = tokio::spawn(async move {
        let result = two.lock_keys(keys(&["a"]), LockOptions::default()).await;
        drop(two);
        result.map(|_| ())
    });
    let results = tokio::time::timeout(PATIENCE, async { [first.await.unwrap(), second.await.unwrap()] });
    let results = results.await.unwrap();
    let deadlocks = results.iter().filter(|result| matches!(result, Err(Error::Deadlock { .. }))).count();
    assert_eq!(deadlocks, 1, "{results:?}");
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn locks_go_with_a_dropped_or_rolled_back_transaction() {
    let cluster = Cluster::start().await;
    let mut txn = cluster.pessimistic().await;
    txn.lock_keys(keys(&["a"]), LockOptions::default()).await.unwrap();
    drop(txn);
    let mut txn = cluster.pessimistic().await;
    txn.lock_keys(keys(&["a"]), LockOptions::default()).await.unwrap();
    txn.put("a", "1").unwrap();
    txn.rollback().await.unwrap();
    let mut txn = cluster.pessimistic().await;
    txn.lock_keys(keys(&["a"]), LockOptions::default()).await.unwrap();
    // Only reads happened: nothing is written, and the lock is gone.
    assert_eq!(txn.commit().await.unwrap().commit_ts, None);
    assert!(cluster.client.close().await);
    let mut txn = cluster.pessimistic().await;
    txn.lock_keys(keys(&["a"]), no_wait()).await.unwrap();
    assert_eq!(cluster.read("a").await, None);
}
