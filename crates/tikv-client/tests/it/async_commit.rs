//! Locks of async-commit transactions, which only all their keys together decide about. The embedded store writes none,
//! so a store is scripted.

use std::sync::Arc;

use bytes::Bytes;
use local_pd::PdConfig;
use local_tikv::TikvConfig;
use parking_lot::Mutex;
use tempfile::TempDir;
use tikv_client::{Error, PdClient, ResolvedLocks, Security, TikvClient};
use tikv_proto::kvrpcpb as pb;

use super::facade::{Facade, Plan};

/// Commit timestamps and keys of locks that were resolved.
type Resolved = Arc<Mutex<Vec<(u64, Vec<Bytes>)>>>;

/// What a scripted store holds of one dead transaction, and what it was told.
struct Store {
    client: TikvClient,
    start_ts: u64,
    /// Calls of `KvResolveLock`: the commit timestamp and the keys.
    resolved: Resolved,
    /// Calls of `KvCheckTxnStatus`: whether the primary was to be treated as that of a plain commit.
    asked_as_plain: Arc<Mutex<Vec<bool>>>,
    _pd: local_pd::Running,
    _tikv: local_tikv::Running,
    _facade: Facade,
    _dirs: [TempDir; 2],
}

/// What [`Store`] answers.
#[derive(Clone)]
struct Answers {
    /// To the question about the secondaries `b` and `c`: their locks' minima (a plain lock if `None`).
    secondaries: Vec<Option<u64>>,
    /// Commit timestamp of the missing ones.
    commit_ts: u64,
    /// Life of the primary lock, ms.
    ttl: u64,
}

impl Store {
    async fn start(answers: impl FnOnce(u64) -> Answers) -> Self {
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let any = ([127, 0, 0, 1], 0).into();
        let pd = local_pd::start(PdConfig::new(any, dirs[0].path())).await.unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let facade = Facade::start(&format!("http://{port}")).await;
        let config = TikvConfig {
            advertise_addr: Some(facade.addr.to_string()),
            ..TikvConfig::new(port, pd.url(), dirs[1].path())
        };
        let tikv = local_tikv::start(config).await.unwrap();
        let pd_client = PdClient::connect(&[pd.url().to_owned()], Security::none()).await.unwrap();
        let start_ts = pd_client.get_ts().await.unwrap();
        let answers = answers(start_ts);
        let (resolved, asked_as_plain) = (Arc::default(), Arc::default());
        facade.script(script(start_ts, answers, Arc::clone(&resolved), Arc::clone(&asked_as_plain)));
        let client = TikvClient::new(pd_client);
        Self {
            client,
            start_ts,
            resolved,
            asked_as_plain,
            _pd: pd,
            _tikv: tikv,
            _facade: facade,
            _dirs: dirs,
        }
    }

    async fn resolve(&self) -> Result<ResolvedLocks, Error> {
        // Later than the end of a lock of 1 ms.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let now = self.client.pd().get_ts().await.unwrap();
        self.client.lock_resolver().resolve_locks(b"", b"", now).await
    }
}

/// A lock of the transaction.
fn lock(start_ts: u64, key: &'static str, ttl: u64, min_commit_ts: Option<u64>) -> pb::LockInfo {
    pb::LockInfo {
        primary_lock: "a".into(),
        lock_version: start_ts,
        key: key.into(),
        lock_ttl: ttl,
        use_async_commit: min_commit_ts.is_some(),
        min_commit_ts: min_commit_ts.unwrap_or(0),
        ..Default::default()
    }
}

/// The script of the store.
fn script(
    start_ts: u64,
    answers: Answers,
    resolved: Resolved,
    asked_as_plain: Arc<Mutex<Vec<bool>>>,
) -> impl Fn(&super::facade::Call) -> Plan + Send + Sync + 'static {
    move |call| {
        let answers = answers.clone();
        match call.method.as_str() {
            "KvScanLock" => Plan::always(pb::ScanLockResponse {
                locks: vec![lock(start_ts, "b", answers.ttl, Some(start_ts + 2))],
                ..Default::default()
            }),
            "KvCheckTxnStatus" => {
                let asked = Arc::clone(&asked_as_plain);
                Plan::answer(move |request: pb::CheckTxnStatusRequest| {
                    assert_eq!((request.primary_key.as_ref(), request.lock_ts), (&b"a"[..], start_ts));
                    asked.lock().push(request.force_sync_commit);
                    if request.force_sync_commit {
                        let mut answer = pb::CheckTxnStatusResponse::default();
                        answer.set_action(pb::Action::TtlExpireRollback);
                        return answer;
                    }
                    let mut primary = lock(start_ts, "a", answers.ttl, Some(start_ts + 1));
                    primary.secondaries = vec!["b".into(), "c".into()];
                    pb::CheckTxnStatusResponse {
                        lock_ttl: answers.ttl,
                        lock_info: Some(primary),
                        ..Default::default()
                    }
                })
            }
            "KvCheckSecondaryLocks" => Plan::answer(move |request: pb::CheckSecondaryLocksRequest| {
                assert_eq!((request.keys.len(), request.start_version), (2, start_ts));
                let locks = answers.secondaries.iter().map(|min| lock(start_ts, "b", answers.ttl, *min));
                pb::CheckSecondaryLocksResponse {
                    locks: locks.collect(),
                    commit_ts: answers.commit_ts,
                    ..Default::default()
                }
            }),
            "KvResolveLock" => {
                let resolved = Arc::clone(&resolved);
                Plan::answer(move |request: pb::ResolveLockRequest| {
                    assert_eq!(request.start_version, start_ts);
                    resolved.lock().push((request.commit_version, request.keys));
                    pb::ResolveLockResponse::default()
                })
            }
            _ => Plan::Pass,
        }
    }
}

#[tokio::test]
async fn a_transaction_whose_locks_are_all_there_is_committed_at_their_largest_minimum() {
    let store = Store::start(|start| Answers {
        secondaries: vec![Some(start + 9), Some(start + 4)],
        commit_ts: 0,
        ttl: 1,
    })
    .await;
    let locks = store.resolve().await.unwrap();
    assert_eq!((locks.found, locks.resolved, locks.alive), (1, 1, vec![]));
    let resolved = store.resolved.lock().clone();
    assert!(resolved.iter().all(|(commit_ts, _)| *commit_ts == store.start_ts + 9), "{resolved:?}");
    let keys: Vec<&[u8]> = resolved[0].1.iter().map(|key| &key[..]).collect();
    assert_eq!(keys, [&b"b"[..], b"c", b"a"], "all keys of the transaction are ended together");
}

#[tokio::test]
async fn a_transaction_of_which_a_lock_is_missing_ended_as_that_key_tells() {
    let rolled_back =
        Store::start(|start| Answers { secondaries: vec![Some(start + 9)], commit_ts: 0, ttl: 1 }).await;
    rolled_back.resolve().await.unwrap();
    assert!(rolled_back.resolved.lock().iter().all(|(commit_ts, _)| *commit_ts == 0));
    assert!(!rolled_back.resolved.lock().is_empty());
    let committed =
        Store::start(|start| Answers { secondaries: vec![Some(start + 9)], commit_ts: start + 7, ttl: 1 })
            .await;
    committed.resolve().await.unwrap();
    let expected = committed.start_ts + 7;
    assert!(committed.resolved.lock().iter().all(|(commit_ts, _)| *commit_ts == expected));
    assert!(!committed.resolved.lock().is_empty());
}

#[tokio::test]
async fn a_transaction_that_fell_back_to_a_plain_commit_is_decided_by_its_primary() {
    let store =
        Store::start(|start| Answers { secondaries: vec![Some(start + 9), None], commit_ts: 0, ttl: 1 })
            .await;
    store.resolve().await.unwrap();
    assert_eq!(*store.asked_as_plain.lock(), [false, true]);
    let resolved = store.resolved.lock().clone();
    assert!(!resolved.is_empty());
    assert!(
        resolved.iter().all(|(commit_ts, _)| *commit_ts == 0),
        "the primary was rolled back: {resolved:?}"
    );
}

#[tokio::test]
async fn a_living_transaction_is_left_alone() {
    let store = Store::start(|start| Answers {
        secondaries: vec![Some(start + 9), Some(start + 4)],
        commit_ts: 0,
        ttl: 60_000,
    })
    .await;
    let locks = store.resolve().await.unwrap();
    let alive: Vec<_> = locks.alive.iter().map(|lock| lock.start_ts).collect();
    assert_eq!((locks.resolved, alive), (0, vec![store.start_ts]));
    assert!(store.resolved.lock().is_empty());
}
