//! The part of PD that a store needs, in memory: ids, timestamps, and what was reported about regions.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tikv_proto::metapb;
use tikv_proto::pdpb::pd_server::{Pd, PdServer};
use tikv_proto::pdpb::*;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

pub(crate) const CLUSTER_ID: u64 = 7_000_000_000_000_000_001;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) regions: BTreeMap<u64, metapb::Region>,
    pub(crate) stores: BTreeMap<u64, metapb::Store>,
    pub(crate) bootstrapped: bool,
    last_id: u64,
    last_ts: u64,
}

#[derive(Clone, Default)]
pub(crate) struct FakePd(pub(crate) Arc<Mutex<State>>);

impl FakePd {
    /// Serves until the test ends.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let pd = Self::default();
        let server = tonic::transport::Server::builder().add_service(PdServer::new(pd.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));
        (pd, addr)
    }

    /// A timestamp later than all before.
    pub(crate) fn timestamp(&self) -> u64 {
        self.timestamps(1)
    }

    fn timestamps(&self, count: u64) -> u64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        let mut state = self.0.lock();
        state.last_ts = (now << 18).max(state.last_ts + count);
        state.last_ts
    }

    fn id(&self) -> u64 {
        let mut state = self.0.lock();
        state.last_id += 1;
        state.last_id
    }
}

fn header() -> Option<ResponseHeader> {
    Some(ResponseHeader { cluster_id: CLUSTER_ID, error: None })
}

type Reply<T> = Result<Response<T>, Status>;
type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

macro_rules! not_needed {
    ($($name:ident($request:ty) -> $response:ty;)*) => {
        $(
            fn $name<'a: 'f, 'f>(&'a self, _: Request<$request>) -> Pin<Box<dyn Future<Output = Reply<$response>> + Send + 'f>>
            where
                Self: 'f,
            {
                Box::pin(async { Err(Status::unimplemented("a store does not need this")) })
            }
        )*
    };
}

#[tonic::async_trait]
impl Pd for FakePd {
    type TsoStream = Replies<TsoResponse>;
    type RegionHeartbeatStream = Replies<RegionHeartbeatResponse>;

    async fn get_members(&self, _: Request<GetMembersRequest>) -> Reply<GetMembersResponse> {
        Ok(Response::new(GetMembersResponse { header: header(), ..Default::default() }))
    }

    async fn tso(&self, request: Request<Streaming<TsoRequest>>) -> Reply<Self::TsoStream> {
        let pd = self.clone();
        let answers = request.into_inner().map(move |request| {
            let count = request?.count;
            let ts = pd.timestamps(u64::from(count));
            let timestamp =
                Timestamp { physical: (ts >> 18) as i64, logical: (ts & 0x3FFFF) as i64, suffix_bits: 0 };
            Ok(TsoResponse { header: header(), count, timestamp: Some(timestamp) })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn is_bootstrapped(&self, _: Request<IsBootstrappedRequest>) -> Reply<IsBootstrappedResponse> {
        let bootstrapped = self.0.lock().bootstrapped;
        Ok(Response::new(IsBootstrappedResponse { header: header(), bootstrapped }))
    }

    async fn alloc_id(&self, request: Request<AllocIdRequest>) -> Reply<AllocIdResponse> {
        Ok(Response::new(AllocIdResponse { header: header(), id: self.id(), count: request.into_inner().count }))
    }

    async fn bootstrap(&self, request: Request<BootstrapRequest>) -> Reply<BootstrapResponse> {
        let region = request.into_inner().region.unwrap();
        let mut state = self.0.lock();
        state.bootstrapped = true;
        state.regions.insert(region.id, region);
        Ok(Response::new(BootstrapResponse { header: header() }))
    }

    async fn put_store(&self, request: Request<PutStoreRequest>) -> Reply<PutStoreResponse> {
        let store = request.into_inner().store.unwrap();
        self.0.lock().stores.insert(store.id, store);
        Ok(Response::new(PutStoreResponse { header: header() }))
    }

    async fn get_region_by_id(&self, request: Request<GetRegionByIdRequest>) -> Reply<GetRegionResponse> {
        let region = self.0.lock().regions.get(&request.into_inner().region_id).cloned();
        Ok(Response::new(GetRegionResponse { header: header(), region, ..Default::default() }))
    }

    async fn store_heartbeat(&self, _: Request<StoreHeartbeatRequest>) -> Reply<StoreHeartbeatResponse> {
        Ok(Response::new(StoreHeartbeatResponse { header: header(), ..Default::default() }))
    }

    async fn region_heartbeat(
        &self,
        request: Request<Streaming<RegionHeartbeatRequest>>,
    ) -> Reply<Self::RegionHeartbeatStream> {
        let pd = self.clone();
        let answers = request.into_inner().map(move |request| {
            let region = request?.region.unwrap();
            let answer = RegionHeartbeatResponse { region_id: region.id, header: header(), ..Default::default() };
            pd.0.lock().regions.insert(region.id, region);
            Ok(answer)
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn ask_batch_split(&self, request: Request<AskBatchSplitRequest>) -> Reply<AskBatchSplitResponse> {
        let ids = (0..request.into_inner().split_count)
            .map(|_| SplitId { new_region_id: self.id(), new_peer_ids: vec![self.id()] })
            .collect();
        Ok(Response::new(AskBatchSplitResponse { header: header(), ids }))
    }

    async fn report_batch_split(
        &self,
        request: Request<ReportBatchSplitRequest>,
    ) -> Reply<ReportBatchSplitResponse> {
        let mut state = self.0.lock();
        for region in request.into_inner().regions {
            state.regions.insert(region.id, region);
        }
        Ok(Response::new(ReportBatchSplitResponse { header: header() }))
    }

    not_needed! {
        get_cluster_info(GetClusterInfoRequest) -> GetClusterInfoResponse;
        get_store(GetStoreRequest) -> GetStoreResponse;
        get_all_stores(GetAllStoresRequest) -> GetAllStoresResponse;
        get_region(GetRegionRequest) -> GetRegionResponse;
        get_prev_region(GetRegionRequest) -> GetRegionResponse;
        scan_regions(ScanRegionsRequest) -> ScanRegionsResponse;
        batch_scan_regions(BatchScanRegionsRequest) -> BatchScanRegionsResponse;
        get_gc_safe_point(GetGcSafePointRequest) -> GetGcSafePointResponse;
        update_gc_safe_point(UpdateGcSafePointRequest) -> UpdateGcSafePointResponse;
        update_service_gc_safe_point(UpdateServiceGcSafePointRequest) -> UpdateServiceGcSafePointResponse;
        set_gc_barrier(SetGcBarrierRequest) -> SetGcBarrierResponse;
        delete_gc_barrier(DeleteGcBarrierRequest) -> DeleteGcBarrierResponse;
        get_gc_state(GetGcStateRequest) -> GetGcStateResponse;
    }
}
