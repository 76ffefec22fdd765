//! Servers that go away.

use std::time::Duration;

use local_pd::PdConfig;
use local_tikv::TikvConfig;
use tikv_client::{ClientConfig, CommitInfo, Error, PdClient, Security, TikvClient, TransactionOptions};
use tokio::task::JoinHandle;

use super::proxy::Proxy;
use super::{Cluster, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_commits_wait_for_a_store_that_comes_back() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "1")]).await;
    let Cluster { pd, tikv, client, _pd_dir, tikv_dir } = cluster;
    let addr = tikv.local_addr();
    tikv.shutdown().await;
    let reading = tokio::spawn({
        let client = client.clone();
        async move {
            let ts = client.pd().get_ts().await.unwrap();
            client.snapshot(ts).get(b"a").await
        }
    });
    let writing = tokio::spawn({
        let client = client.clone();
        async move {
            let mut txn = client.begin(tikv_client::TransactionOptions::optimistic()).await.unwrap();
            txn.put("b", "2").unwrap();
            txn.commit().await
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let tikv = local_tikv::start(TikvConfig::new(addr, pd.url(), tikv_dir.path())).await.unwrap();
    let value = tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap().unwrap();
    assert_eq!(value.unwrap(), "1");
    tokio::time::timeout(PATIENCE, writing).await.unwrap().unwrap().unwrap();
    let cluster = Cluster { pd, tikv, client, _pd_dir, tikv_dir };
    assert_eq!(cluster.read("b").await.unwrap(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_moved_is_found_through_the_placement_driver() {
    let cluster = Cluster::start().await;
    cluster.write(&[("a", "1")]).await;
    let Cluster { pd, tikv, client, _pd_dir, tikv_dir } = cluster;
    tikv.shutdown().await;
    let elsewhere = ([127, 0, 0, 1], 0).into();
    let tikv = local_tikv::start(TikvConfig::new(elsewhere, pd.url(), tikv_dir.path())).await.unwrap();
    let cluster = Cluster { pd, tikv, client, _pd_dir, tikv_dir };
    assert_eq!(tokio::time::timeout(PATIENCE, cluster.read("a")).await.unwrap().unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_placement_driver_timestamps_fail_in_bounded_time() {
    let cluster = Cluster::start().await;
    let Cluster { pd, tikv: _tikv, client, _pd_dir, tikv_dir: _tikv_dir } = cluster;
    pd.shutdown().await;
    let error = tokio::time::timeout(PATIENCE, client.pd().get_ts()).await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.is_transient());
}

/// A cluster whose store is reached through a proxy, and a commit whose answer does not arrive although it happened.
async fn unanswered_commit() -> (Cluster, Proxy, JoinHandle<Result<CommitInfo, Error>>) {
    let proxy = Proxy::start().await;
    let (pd_dir, tikv_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let any = ([127, 0, 0, 1], 0).into();
    let pd = local_pd::start(PdConfig::new(any, pd_dir.path())).await.unwrap();
    let config = TikvConfig {
        advertise_addr: Some(proxy.addr.to_string()),
        ..TikvConfig::new(any, pd.url(), tikv_dir.path())
    };
    let tikv = local_tikv::start(config).await.unwrap();
    proxy.forward_to(tikv.local_addr());
    let pd_client = PdClient::connect(&[pd.url().to_owned()], Security::none()).await.unwrap();
    let config = ClientConfig { region_budget: Duration::from_secs(2), ..ClientConfig::default() };
    let client = TikvClient::with_config(pd_client, config);
    let cluster = Cluster { pd, tikv, client, _pd_dir: pd_dir, tikv_dir };
    cluster.write(&[("a", "0")]).await;

    let mut txn = cluster.client.begin(TransactionOptions::optimistic().one_pc()).await.unwrap();
    txn.put("a", "1").unwrap();
    proxy.swallow_answers();
    let commit = tokio::spawn(async move { txn.commit().await });
    tokio::time::timeout(PATIENCE, async {
        while direct_read(&cluster).await != "1" {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    (cluster, proxy, commit)
}

/// Reads key `a` past the proxy.
async fn direct_read(cluster: &Cluster) -> String {
    use tikv_proto::{kvrpcpb, tikvpb};
    let region = cluster.client.regions().locate(b"a").await.unwrap();
    let channel = cluster.client.channel(&cluster.tikv.local_addr().to_string()).unwrap();
    let request = kvrpcpb::GetRequest {
        context: Some(region.context()),
        key: "a".into(),
        version: cluster.client.pd().get_ts().await.unwrap(),
    };
    let answer = tikvpb::tikv_client::TikvClient::new(channel).kv_get(request).await.unwrap().into_inner();
    super::text(answer.value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_found_to_have_happened() {
    let (cluster, proxy, commit) = unanswered_commit().await;
    proxy.heal();
    let info = tokio::time::timeout(PATIENCE, commit).await.unwrap().unwrap().unwrap();
    assert!(info.one_pc && info.commit_ts.is_some());
    assert_eq!(cluster.read("a").await.unwrap(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_nobody_can_ask_about_is_undetermined() {
    let (cluster, proxy, commit) = unanswered_commit().await;
    proxy.refuse();
    let error = tokio::time::timeout(PATIENCE, commit).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, Error::Undetermined { .. }), "{error}");
    proxy.heal();
    assert_eq!(cluster.read("a").await.unwrap(), "1");
}
