//! What must hold whatever happens at the same time.

use std::sync::Arc;

use tikv_client::{CommitMode, Error, KeyLock, LockOptions, TikvClient, TransactionMode, TransactionOptions};
use tokio::task::JoinSet;

use super::{Cluster, text};

/// Adds to a counter, repeating after conflicts.
async fn increment(client: &TikvClient, mode: TransactionMode, commit_mode: CommitMode, key: &str) {
    loop {
        let options = TransactionOptions { mode, commit_mode, ..TransactionOptions::default() };
        let mut txn = client.begin(options).await.unwrap();
        let value = match mode {
            TransactionMode::Optimistic => txn.get(key.as_bytes()).await.unwrap(),
            TransactionMode::Pessimistic => {
                let options = LockOptions { return_values: true, ..LockOptions::default() };
                match txn.lock_keys(vec![KeyLock::new(key.to_owned())], options).await {
                    Ok(mut locked) => locked.remove(0).value,
                    Err(Error::WriteConflict { .. }) => continue,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let count: u64 = value.map_or(0, |value| text(value).parse().unwrap());
        txn.put(key.to_owned(), (count + 1).to_string()).unwrap();
        match txn.commit().await {
            Ok(_) => return,
            Err(Error::WriteConflict { .. } | Error::Locked { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_increment_is_lost_in_any_mode() {
    let cluster = Cluster::start().await;
    let modes = [
        (TransactionMode::Optimistic, CommitMode::TwoPhase),
        (TransactionMode::Optimistic, CommitMode::OnePc),
        (TransactionMode::Pessimistic, CommitMode::TwoPhase),
        (TransactionMode::Pessimistic, CommitMode::OnePc),
    ];
    let mut tasks = JoinSet::new();
    for (mode, commit_mode) in modes {
        let client = cluster.client.clone();
        tasks.spawn(async move {
            for _ in 0..25 {
                increment(&client, mode, commit_mode, "counter").await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(cluster.read("counter").await.unwrap(), "100");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_total_of_all_accounts_stays_while_regions_split() {
    const ACCOUNTS: usize = 40;
    let cluster = Cluster::start().await;
    let name = |index: usize| format!("account{index:02}");
    let mut txn = cluster.optimistic().await;
    for index in 0..ACCOUNTS {
        txn.put(name(index), "100").unwrap();
    }
    txn.commit().await.unwrap();
    let client = Arc::new(cluster.client.clone());
    let mut tasks = JoinSet::new();
    for worker in 0..6_usize {
        let client = Arc::clone(&client);
        tasks.spawn(async move {
            for round in 0..40_usize {
                let (from, to) =
                    ((worker * 7 + round * 3) % ACCOUNTS, (worker * 11 + round * 5 + 1) % ACCOUNTS);
                if from == to {
                    continue;
                }
                let options = TransactionOptions {
                    commit_mode: if worker % 2 == 0 { CommitMode::OnePc } else { CommitMode::TwoPhase },
                    ..TransactionOptions::default()
                };
                let mut txn = client.begin(options).await.unwrap();
                let mut balance = [0_i64; 2];
                for (slot, index) in balance.iter_mut().zip([from, to]) {
                    *slot = text(txn.get(name(index).as_bytes()).await.unwrap().unwrap()).parse().unwrap();
                }
                txn.put(name(from), (balance[0] - 1).to_string()).unwrap();
                txn.put(name(to), (balance[1] + 1).to_string()).unwrap();
                match txn.commit().await {
                    Ok(_) | Err(Error::WriteConflict { .. } | Error::Locked { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    let splitter = Arc::clone(&client);
    tasks.spawn(async move {
        for index in [20, 10, 30, 5, 15, 25, 35] {
            splitter.split_region(name(index).as_bytes()).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let reader = Arc::clone(&client);
    tasks.spawn(async move {
        for round in 0..30 {
            let ts = reader.pd().get_ts().await.unwrap();
            let pairs = reader.snapshot(ts).scan(b"account", b"b", usize::MAX, round % 2 == 0).await.unwrap();
            let total: i64 = pairs.iter().map(|pair| text(pair.value.clone()).parse::<i64>().unwrap()).sum();
            assert_eq!((pairs.len(), total), (ACCOUNTS, 100 * ACCOUNTS as i64));
        }
    });
    tasks.join_all().await;
    assert!(client.close().await);
    let regions = client.regions().locate_range(b"account00", b"account99").await.unwrap();
    assert_eq!(regions.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn optimistic_transactions_do_not_wait_for_each_other_in_circles() {
    let cluster = Cluster::start().await;
    cluster.client.split_region(b"m").await.unwrap();
    let mut tasks = JoinSet::new();
    let started = std::time::Instant::now();
    for _ in 0..8 {
        let client = cluster.client.clone();
        tasks.spawn(async move {
            for _ in 0..50 {
                let mut txn = client.begin(TransactionOptions::optimistic()).await.unwrap();
                txn.put("a", "x").unwrap();
                txn.put("z", "x").unwrap();
                match txn.commit().await {
                    Ok(_) | Err(Error::WriteConflict { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    tasks.join_all().await;
    // A circle would last until its locks expire, 20 s.
    assert!(started.elapsed() < std::time::Duration::from_secs(15), "{:?}", started.elapsed());
}
