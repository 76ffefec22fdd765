//! The placement driver of a test, with a client that can be asked from synchronous code.

use local_pd::{PdConfig, Running};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tikv_proto::metapb;
use tikv_proto::pdpb::pd_client::PdClient;
use tikv_proto::pdpb::*;
use tokio_stream::StreamExt;
use tonic::transport::Channel;

/// How often a region is looked for while PD knows none for a key.
const REGION_ATTEMPTS: usize = 100;
/// Pause between two of these.
const REGION_PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone)]
pub(crate) struct Pd {
    running: Arc<Mutex<Option<Running>>>,
    addr: SocketAddr,
    cluster_id: u64,
    dir: Arc<TempDir>,
    client: PdClient<Channel>,
}

impl Pd {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = PdConfig::new("127.0.0.1:0".parse().unwrap(), dir.path());
        let running = local_pd::start(config).await.unwrap();
        let client = PdClient::connect(format!("http://{}", running.local_addr())).await.unwrap();
        let (addr, cluster_id) = (running.local_addr(), running.cluster_id());
        Self { running: Arc::new(Mutex::new(Some(running))), addr, cluster_id, dir: Arc::new(dir), client }
    }

    /// Stops it and starts it again at the same address.
    pub(crate) async fn restart(&self) {
        let running = self.running.lock().take();
        running.unwrap().shutdown().await;
        let running = local_pd::start(PdConfig::new(self.addr, self.dir.path())).await.unwrap();
        *self.running.lock() = Some(running);
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(crate) fn cluster_id(&self) -> u64 {
        self.cluster_id
    }

    fn header(&self) -> Option<RequestHeader> {
        Some(RequestHeader { cluster_id: self.cluster_id(), ..Default::default() })
    }

    /// Asks from synchronous code; the tests run on several threads.
    fn ask<T>(&self, question: impl AsyncFnOnce(PdClient<Channel>) -> T) -> T {
        let client = self.client.clone();
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(question(client)))
    }

    /// A timestamp later than all before.
    pub(crate) fn timestamp(&self) -> u64 {
        let request = TsoRequest { header: self.header(), count: 1, dc_location: String::new() };
        let answer = self.ask(async |mut client| {
            client.tso(tokio_stream::once(request)).await.unwrap().into_inner().next().await.unwrap().unwrap()
        });
        let timestamp = answer.timestamp.unwrap();
        ((timestamp.physical as u64) << 18) + timestamp.logical as u64
    }

    /// The region of an encoded key. PD may know none for the moment between the reports of the two halves of a split.
    pub(crate) fn region_of(&self, encoded: Vec<u8>) -> metapb::Region {
        let request =
            GetRegionRequest { header: self.header(), region_key: encoded.into(), need_buckets: false };
        for _ in 0..REGION_ATTEMPTS {
            let request = request.clone();
            let answer = self.ask(async |mut client| client.get_region(request).await.unwrap().into_inner());
            if let Some(region) = answer.region {
                return region;
            }
            std::thread::sleep(REGION_PAUSE);
        }
        panic!("no region for {request:?}");
    }

    /// All regions in key order.
    pub(crate) fn regions(&self) -> Vec<metapb::Region> {
        let request = ScanRegionsRequest { header: self.header(), limit: 1000, ..Default::default() };
        let answer = self.ask(async |mut client| client.scan_regions(request).await.unwrap().into_inner());
        answer.regions.into_iter().map(|region| region.region.unwrap()).collect()
    }

    pub(crate) fn store(&self, store_id: u64) -> metapb::Store {
        let request = GetStoreRequest { header: self.header(), store_id };
        self.ask(async |mut client| client.get_store(request).await.unwrap().into_inner().store.unwrap())
    }
}
