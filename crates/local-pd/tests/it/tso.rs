//! Timestamps.

use std::sync::Arc;

use parking_lot::Mutex;
use tikv_proto::pdpb;
use tokio::task::JoinSet;

use super::{Fixture, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_callers_get_distinct_increasing_timestamps() {
    let fixture = Fixture::start().await;
    let pd = fixture.pd().await;
    let all = Arc::new(Mutex::new(Vec::new()));
    let mut callers = JoinSet::new();
    for _ in 0..32 {
        let (pd, all) = (pd.clone(), Arc::clone(&all));
        callers.spawn(async move {
            let mut last = 0;
            for _ in 0..100 {
                let ts = pd.get_ts().await.unwrap();
                assert!(ts > last);
                last = ts;
                all.lock().push(ts);
            }
        });
    }
    callers.join_all().await;
    let first = pd.get_ts_batch(10).await.unwrap();
    let after = pd.get_ts().await.unwrap();
    assert!(after >= first + 10);
    let mut all = std::mem::take(&mut *all.lock());
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 3200);
    assert!(*all.last().unwrap() < first);
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_go_on_behind_a_crash_and_behind_a_shutdown() {
    let mut fixture = Fixture::start().await;
    let mut last = 0;
    for round in 0..6 {
        let pd = fixture.pd().await;
        for _ in 0..20 {
            let ts = pd.get_ts().await.unwrap();
            assert!(ts > last, "round {round}");
            last = ts;
        }
        fixture = if round % 2 == 0 {
            fixture.crash().await
        } else {
            let Fixture { dir, server } = fixture;
            server.shutdown().await;
            let server = local_pd::start(super::config(&dir)).await.unwrap();
            Fixture { dir, server }
        };
    }
}

#[tokio::test]
async fn dropped_callers_do_not_disturb_others() {
    let fixture = Fixture::start().await;
    let pd = fixture.pd().await;
    for _ in 0..50 {
        let call = pd.get_ts();
        let _ = tokio::time::timeout(std::time::Duration::ZERO, call).await;
    }
    let a = pd.get_ts().await.unwrap();
    let b = pd.get_ts().await.unwrap();
    assert!(b > a);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_survives_the_restart_of_its_server() {
    let dir = tempfile::tempdir().unwrap();
    let server = local_pd::start(super::config(&dir)).await.unwrap();
    let addr = server.local_addr();
    let pd = tikv_client::PdClient::connect(&[server.url().to_owned()], Default::default()).await.unwrap();
    let before = pd.get_ts().await.unwrap();
    drop(server);
    let waiting = tokio::spawn({
        let pd = pd.clone();
        async move { pd.get_ts().await }
    });
    let config = local_pd::PdConfig { addr, ..super::config(&dir) };
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let _server = loop {
        // The aborted server's socket closes a moment later.
        match local_pd::start(config.clone()).await {
            Ok(server) => break server,
            Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
        }
        tokio::task::yield_now().await;
    };
    assert!(waiting.await.unwrap().unwrap() > before);
}

#[tokio::test]
async fn requests_for_another_cluster_are_refused() {
    let fixture = Fixture::start().await;
    let mut raw = fixture.raw().await;
    let header = Some(pdpb::RequestHeader { cluster_id: 1, ..Default::default() });
    let request = pdpb::IsBootstrappedRequest { header: header.clone() };
    let status = raw.is_bootstrapped(request).await.unwrap_err();
    assert!(status.message().contains("mismatch cluster id"), "{status}");
    let request = pdpb::TsoRequest { header, count: 1, ..Default::default() };
    let mut answers = raw.tso(futures::stream::iter([request])).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap_err().code(), tonic::Code::FailedPrecondition);
}
