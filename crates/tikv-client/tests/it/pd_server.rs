//! The client against the embedded placement driver, and against a real `pd-server` if `TIDEGATE_PD_SERVER` names its
//! binary.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use local_pd::PdConfig;
use tempfile::TempDir;
use tikv_client::etcd::{Comparison, Operation, Txn, WatchOptions};
use tikv_client::{EtcdClient, PdClient, RegionCache, Security};
use tikv_proto::{metapb, pdpb};
use tokio::process::{Child, Command};

use super::PATIENCE;

/// Ids in the bootstrapped cluster.
const STORE: u64 = 1;
const REGION: u64 = 2;
const PEER: u64 = 3;

/// A placement driver that runs.
enum Process {
    Embedded(local_pd::Running),
    Real(Child),
}

/// A placement driver with its folder and address.
struct Server {
    process: Option<Process>,
    binary: Option<PathBuf>,
    address: SocketAddr,
    peer_address: SocketAddr,
    dir: TempDir,
}

/// A free address.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Server {
    async fn start(binary: Option<PathBuf>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Self { process: None, binary, address: free(), peer_address: free(), dir };
        server.run().await;
        server
    }

    async fn run(&mut self) {
        let process = match &self.binary {
            None => Process::Embedded(
                local_pd::start(PdConfig::new(self.address, self.dir.path())).await.unwrap(),
            ),
            Some(binary) => {
                let child = Command::new(binary)
                    .arg("--name=pd")
                    .arg(format!("--data-dir={}", self.dir.path().join("data").display()))
                    .arg(format!("--log-file={}", self.dir.path().join("pd.log").display()))
                    .arg(format!("--client-urls=http://{}", self.address))
                    .arg(format!("--peer-urls=http://{}", self.peer_address))
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .kill_on_drop(true)
                    .spawn()
                    .unwrap();
                Process::Real(child)
            }
        };
        self.process = Some(process);
    }

    async fn stop(&mut self) {
        match self.process.take() {
            Some(Process::Embedded(running)) => running.shutdown().await,
            Some(Process::Real(mut child)) => child.kill().await.unwrap(),
            None => {}
        }
    }

    fn endpoints(&self) -> Vec<String> {
        vec![self.address.to_string()]
    }

    async fn client(&self) -> PdClient {
        PdClient::connect_within(&self.endpoints(), Security::none(), PATIENCE).await.unwrap()
    }

    /// Gives the cluster its first store and region.
    async fn bootstrap(&self, client: &PdClient) {
        let peer = metapb::Peer { id: PEER, store_id: STORE, ..Default::default() };
        let region = metapb::Region {
            id: REGION,
            region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version: 1 }),
            peers: vec![peer],
            ..Default::default()
        };
        let store = metapb::Store {
            id: STORE,
            address: "127.0.0.1:20160".to_owned(),
            version: "8.1.0".to_owned(),
            ..Default::default()
        };
        let header = pdpb::RequestHeader { cluster_id: client.cluster_id(), ..Default::default() };
        let request =
            pdpb::BootstrapRequest { header: Some(header), store: Some(store), region: Some(region) };
        let mut raw = pdpb::pd_client::PdClient::connect(client.leader_url()).await.unwrap();
        let answer = raw.bootstrap(request).await.unwrap().into_inner();
        assert_eq!(answer.header.unwrap().error, None);
    }
}

/// Runs a test against both servers.
async fn on_both(test: impl AsyncFn(Server)) {
    test(Server::start(None).await).await;
    match std::env::var_os("TIDEGATE_PD_SERVER") {
        Some(binary) => test(Server::start(Some(binary.into())).await).await,
        None => println!("SKIPPED for a real pd-server: TIDEGATE_PD_SERVER does not name its binary"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_grow_and_are_never_given_twice() {
    on_both(async |server| {
        let client = server.client().await;
        let tasks = (0..8).map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut given = Vec::new();
                for count in 1..60 {
                    let first = client.get_ts_batch(count).await.unwrap();
                    given.extend(first..first + u64::from(count));
                }
                assert!(given.is_sorted());
                given
            })
        });
        let mut all = HashSet::new();
        let mut total = 0;
        for task in tasks.collect::<Vec<_>>() {
            let given = task.await.unwrap();
            total += given.len();
            all.extend(given);
        }
        assert_eq!(all.len(), total);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_regions_and_stores_are_found() {
    on_both(async |server| {
        let client = server.client().await;
        assert!(client.cluster_id() > 0);
        assert_eq!(client.urls(), [format!("http://{}", server.address)]);
        assert_eq!(client.members().await.unwrap().members.len(), 1);
        assert!(!client.is_bootstrapped().await.unwrap());
        server.bootstrap(&client).await;
        assert!(client.is_bootstrapped().await.unwrap());

        let region = client.region_by_key(Bytes::from_static(b"any")).await.unwrap().unwrap();
        assert_eq!((region.id, region.leader.store_id), (REGION, STORE));
        assert_eq!(region.store_address, "127.0.0.1:20160");
        assert_eq!(client.region_by_id(REGION).await.unwrap().unwrap(), region);
        assert_eq!(client.region_by_id(77).await.unwrap(), None);
        let scanned = client.scan_regions(Bytes::new(), Bytes::new(), 10).await.unwrap();
        assert_eq!(scanned, std::slice::from_ref(&region));
        let ranges = [
            (Bytes::from_static(b"a"), Bytes::from_static(b"b")),
            (Bytes::from_static(b"c"), Bytes::from_static(b"d")),
        ];
        assert_eq!(client.batch_scan_regions(&ranges, 10).await.unwrap(), [region]);
        let cache = RegionCache::new(client.clone());
        assert_eq!(cache.locate_range(b"a", b"z").await.unwrap().len(), 1);

        assert_eq!(client.store(STORE).await.unwrap().address, "127.0.0.1:20160");
        assert_eq!(client.all_stores().await.unwrap().len(), 1);
        assert!(client.store(99).await.is_err());
        let etcd = EtcdClient::new(&server.endpoints(), Security::none()).unwrap();
        client.check_versions(&etcd).await.unwrap();
        client.cluster_info().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_held_until_all_let_go() {
    on_both(async |server| {
        let client = server.client().await;
        server.bootstrap(&client).await;
        assert!(client.hold_versions("cdc", 600, 50).await.unwrap() <= 50);
        assert_eq!(client.update_service_gc_safepoint("gc_worker", i64::MAX, 100).await.unwrap(), 50);
        assert_eq!(client.hold_versions("cdc", 600, 200).await.unwrap(), 100);
        // What comes too late is told by a larger minimum, and holds nothing.
        assert_eq!(client.hold_versions("late", 600, 60).await.unwrap(), 100);
        assert_eq!(client.update_service_gc_safepoint("gc_worker", i64::MAX, 300).await.unwrap(), 200);
        assert_eq!(client.hold_versions("cdc", 0, 0).await.unwrap(), 300);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_kept_and_watched() {
    on_both(async |server| {
        let client = server.client().await;
        let etcd = EtcdClient::new(&client.urls(), Security::none()).unwrap();
        let create = || Txn::when([Comparison::absent("k")]).then([Operation::put("k", "1", 0)]);
        let created = etcd.txn(create()).await.unwrap();
        assert!(created.succeeded && !etcd.txn(create()).await.unwrap().succeeded);
        let mut watcher = etcd.watch(WatchOptions::key("k").from_revision(created.revision));
        etcd.put("k", "2", 0).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let batch = tokio::time::timeout(PATIENCE, watcher.next()).await.unwrap().unwrap();
            seen.extend(batch.events.into_iter().map(|event| super::text(event.kv.value)));
        }
        assert_eq!(seen, ["1", "2"]);
        assert_eq!(super::text(etcd.delete("k").await.unwrap().unwrap().value), "2");
        assert!(etcd.cluster_id().await.unwrap() > 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_when_the_server_comes_back() {
    on_both(async |mut server| {
        let client = server.client().await;
        server.bootstrap(&client).await;
        let before = client.get_ts().await.unwrap();
        server.stop().await;
        assert!(tokio::time::timeout(Duration::from_millis(300), client.get_ts()).await.is_err());
        server.run().await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let after = loop {
            match client.get_ts().await {
                Ok(ts) => break ts,
                Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
            }
        };
        assert!(after > before);
        assert!(client.is_bootstrapped().await.unwrap());
    })
    .await;
}
