//! Connecting to placement drivers.

use std::time::Duration;

use local_pd::PdConfig;
use tikv_client::etcd::{Comparison, Operation, Txn, WatchOptions};
use tikv_client::{Error, EtcdClient, PdClient, Security};

#[tokio::test]
async fn any_of_several_endpoints_will_do_and_wrong_ones_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = local_pd::start(PdConfig::new(([127, 0, 0, 1], 0).into(), dir.path())).await.unwrap();
    let list = vec![format!("127.0.0.1:1,{}", server.url())];
    let pd = PdClient::connect(&list, Security::none()).await.unwrap();
    assert_eq!(pd.cluster_id(), server.cluster_id());
    assert_eq!(pd.leader_url(), server.url());
    assert!(pd.get_ts().await.unwrap() > 0);
    assert_eq!(pd.members().await.unwrap().members.len(), 1);

    assert!(matches!(PdClient::connect(&[], Security::none()).await, Err(Error::NoEndpoints)));
    let tls = PdClient::connect(&["https://127.0.0.1:2379".to_owned()], Security::none()).await;
    assert!(matches!(tls, Err(Error::TlsNotConfigured { .. })));
    let nobody = ["127.0.0.1:1".to_owned()];
    let error =
        PdClient::connect_within(&nobody, Security::none(), Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(&error, Error::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn endpoints_of_two_clusters_are_refused() {
    let (a_dir, b_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let any = ([127, 0, 0, 1], 0).into();
    let a = local_pd::start(PdConfig::new(any, a_dir.path())).await.unwrap();
    let b = local_pd::start(PdConfig::new(any, b_dir.path())).await.unwrap();
    let both = [a.url().to_owned(), b.url().to_owned()];
    let error = PdClient::connect(&both, Security::none()).await.unwrap_err();
    assert!(matches!(error, Error::ClusterMismatch { .. }), "{error}");
}

#[tokio::test]
async fn the_metadata_client_passes_over_dead_endpoints() {
    let dir = tempfile::tempdir().unwrap();
    let server = local_pd::start(PdConfig::new(([127, 0, 0, 1], 0).into(), dir.path())).await.unwrap();
    let list = ["127.0.0.1:1".to_owned(), server.url().to_owned()];
    let etcd = EtcdClient::new(&list, Security::none()).unwrap();
    let created =
        etcd.txn(Txn::when([Comparison::absent("k")]).then([Operation::put("k", "v", 0)])).await.unwrap();
    assert!(created.succeeded);
    let mut watcher = etcd.watch(WatchOptions::key("k").from_revision(created.revision));
    assert_eq!(watcher.next().await.unwrap().events.len(), 1);
    assert!(matches!(EtcdClient::new(&[], Security::none()), Err(Error::NoEndpoints)));
}
