//! The placement driver's service.

use std::pin::Pin;
use std::sync::Arc;

use tikv_proto::metapb;
use tikv_proto::pdpb::{self as pb, pd_server::Pd};
use tokio_stream::Stream;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::cluster::ClusterError;
use crate::config::VERSION;
use crate::error::JournalFailed;
use crate::node::{Done, Node};

use super::streams;

/// Largest number of ids in one request.
const MAX_IDS: u32 = 1 << 20;

/// The service on the core.
#[derive(Debug, Clone)]
pub(crate) struct PdService {
    pub(super) node: Arc<Node>,
}

/// A stream of answers.
pub(super) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Why a call failed: in the answer's header, or as a status.
#[derive(Debug)]
pub(super) enum Refusal {
    /// In the header.
    Header(pb::ErrorType, String),
    /// The journal failed.
    Journal(JournalFailed),
}

impl From<JournalFailed> for Refusal {
    fn from(error: JournalFailed) -> Self {
        Self::Journal(error)
    }
}

impl From<ClusterError> for Refusal {
    fn from(error: ClusterError) -> Self {
        let kind = match &error {
            ClusterError::NotBootstrapped => pb::ErrorType::NotBootstrapped,
            ClusterError::AlreadyBootstrapped => pb::ErrorType::AlreadyBootstrapped,
            ClusterError::Tombstone(_) => pb::ErrorType::StoreTombstone,
            _ => pb::ErrorType::Unknown,
        };
        Self::Header(kind, error.to_string())
    }
}

impl PdService {
    /// The service on the core.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// The header of an answer.
    pub(super) fn header(&self) -> Option<pb::ResponseHeader> {
        Some(pb::ResponseHeader { cluster_id: self.node.identity.cluster_id, error: None })
    }

    /// The header of a refusal.
    pub(super) fn refusal(&self, kind: pb::ErrorType, message: String) -> Option<pb::ResponseHeader> {
        let error = pb::Error { r#type: kind.into(), message };
        Some(pb::ResponseHeader { cluster_id: self.node.identity.cluster_id, error: Some(error) })
    }

    /// Refuses requests that are meant for another cluster.
    pub(super) fn check(&self, header: Option<&pb::RequestHeader>) -> Result<(), Status> {
        let expected = self.node.identity.cluster_id;
        let actual = header.map_or(0, |header| header.cluster_id);
        if actual == expected {
            return Ok(());
        }
        let message = format!("mismatch cluster id, need {expected} but got {actual}");
        Err(Status::new(Code::FailedPrecondition, message))
    }

    /// Turns the outcome of work into an answer: a refusal goes into the header of an otherwise empty one.
    pub(super) fn answer<T, A>(
        &self,
        outcome: Result<T, Refusal>,
        fill: impl FnOnce(Option<pb::ResponseHeader>, Option<T>) -> A,
    ) -> Result<Response<A>, Status> {
        match outcome {
            Ok(value) => Ok(Response::new(fill(self.header(), Some(value)))),
            Err(Refusal::Header(kind, message)) => Ok(Response::new(fill(self.refusal(kind, message), None))),
            Err(Refusal::Journal(error)) => Err(error.into()),
        }
    }

    /// This member.
    pub(crate) fn member(node: &Node) -> pb::Member {
        pb::Member {
            name: node.name.clone(),
            member_id: node.identity.member_id,
            peer_urls: vec![node.url.clone()],
            client_urls: vec![node.url.clone()],
            leader_priority: 0,
        }
    }
}

#[tonic::async_trait]
impl Pd for PdService {
    type WatchGlobalConfigStream = Answers<pb::WatchGlobalConfigResponse>;
    type TsoStream = Answers<pb::TsoResponse>;
    type RegionHeartbeatStream = Answers<pb::RegionHeartbeatResponse>;

    async fn get_cluster_info(
        &self,
        _request: Request<pb::GetClusterInfoRequest>,
    ) -> Result<Response<pb::GetClusterInfoResponse>, Status> {
        Ok(Response::new(pb::GetClusterInfoResponse {
            header: self.header(),
            service_modes: vec![pb::ServiceMode::PdSvcMode.into()],
            tso_urls: Vec::new(),
        }))
    }

    async fn get_members(
        &self,
        _request: Request<pb::GetMembersRequest>,
    ) -> Result<Response<pb::GetMembersResponse>, Status> {
        let member = Self::member(&self.node);
        Ok(Response::new(pb::GetMembersResponse {
            header: self.header(),
            members: vec![member.clone()],
            leader: Some(member.clone()),
            etcd_leader: Some(member),
        }))
    }

    async fn tso(
        &self,
        request: Request<Streaming<pb::TsoRequest>>,
    ) -> Result<Response<Self::TsoStream>, Status> {
        Ok(Response::new(streams::timestamps(self.clone(), request.into_inner())))
    }

    async fn region_heartbeat(
        &self,
        request: Request<Streaming<pb::RegionHeartbeatRequest>>,
    ) -> Result<Response<Self::RegionHeartbeatStream>, Status> {
        Ok(Response::new(streams::region_heartbeats(self.clone(), request.into_inner())))
    }

    async fn bootstrap(
        &self,
        request: Request<pb::BootstrapRequest>,
    ) -> Result<Response<pb::BootstrapResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let work = self.node.with(|state| {
            let record = state.cluster.bootstrap(request.store, request.region)?;
            state.cluster.apply(&record);
            Ok::<_, Refusal>(Done::changed((), Some(record)))
        });
        self.answer(work.await, |header, _| pb::BootstrapResponse { header })
    }

    async fn is_bootstrapped(
        &self,
        request: Request<pb::IsBootstrappedRequest>,
    ) -> Result<Response<pb::IsBootstrappedResponse>, Status> {
        self.check(request.get_ref().header.as_ref())?;
        let work = self.node.with(|state| Ok(Done::read(state.cluster.is_bootstrapped())));
        self.answer(work.await, |header, bootstrapped| pb::IsBootstrappedResponse {
            header,
            bootstrapped: bootstrapped.unwrap_or(false),
        })
    }

    async fn alloc_id(
        &self,
        request: Request<pb::AllocIdRequest>,
    ) -> Result<Response<pb::AllocIdResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let count = request.count.max(1);
        if count > MAX_IDS {
            return Err(Status::invalid_argument(format!("{count} ids at once are too many")));
        }
        let work = self.node.with(|state| {
            let (first, record) = state.take_ids(u64::from(count));
            Ok(Done::changed(first, record))
        });
        // Of several ids PD names the last.
        self.answer(work.await, |header, first| pb::AllocIdResponse {
            header,
            id: first.map_or(0, |first| first + u64::from(count) - 1),
            count,
        })
    }

    async fn get_store(
        &self,
        request: Request<pb::GetStoreRequest>,
    ) -> Result<Response<pb::GetStoreResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let id = request.store_id;
        let work = self.node.with(|state| {
            state.cluster.check_bootstrapped()?;
            let store = state.cluster.store(id).cloned().ok_or_else(|| {
                Refusal::Header(pb::ErrorType::Unknown, format!("invalid store ID {id}, not found"))
            })?;
            let stats = state.cluster.report(id).map(|report| report.stats);
            Ok::<_, Refusal>(Done::read((store, stats)))
        });
        self.answer(work.await, |header, found| {
            let (store, stats) = found.unzip();
            pb::GetStoreResponse { header, store, stats: stats.flatten() }
        })
    }

    async fn put_store(
        &self,
        request: Request<pb::PutStoreRequest>,
    ) -> Result<Response<pb::PutStoreResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let work = self.node.with(|state| {
            let record = state.cluster.put_store(request.store)?;
            state.cluster.apply(&record);
            Ok::<_, Refusal>(Done::changed((), Some(record)))
        });
        self.answer(work.await, |header, _| pb::PutStoreResponse { header })
    }

    async fn get_all_stores(
        &self,
        request: Request<pb::GetAllStoresRequest>,
    ) -> Result<Response<pb::GetAllStoresResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let live_only = request.exclude_tombstone_stores;
        let work = self.node.with(|state| {
            state.cluster.check_bootstrapped()?;
            let live = |store: &&metapb::Store| !live_only || store.state() != metapb::StoreState::Tombstone;
            Ok::<_, Refusal>(Done::read(state.cluster.stores().filter(live).cloned().collect::<Vec<_>>()))
        });
        self.answer(work.await, |header, stores| pb::GetAllStoresResponse {
            header,
            stores: stores.unwrap_or_default(),
        })
    }

    async fn store_heartbeat(
        &self,
        request: Request<pb::StoreHeartbeatRequest>,
    ) -> Result<Response<pb::StoreHeartbeatResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        let stats = request.stats.ok_or_else(|| Status::invalid_argument("missing store statistics"))?;
        let noted = self.node.peek(|state| state.cluster.note_store(stats)).map_err(Refusal::from);
        self.answer(noted, |header, _| pb::StoreHeartbeatResponse {
            header,
            cluster_version: VERSION.to_owned(),
            state: metapb::NodeState::Serving.into(),
        })
    }

    async fn get_region(
        &self,
        request: Request<pb::GetRegionRequest>,
    ) -> Result<Response<pb::GetRegionResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.look_up(|cluster| cluster.region_by_key(&request.region_key)).await
    }

    async fn get_prev_region(
        &self,
        request: Request<pb::GetRegionRequest>,
    ) -> Result<Response<pb::GetRegionResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.look_up(|cluster| cluster.previous_region(&request.region_key)).await
    }

    async fn get_region_by_id(
        &self,
        request: Request<pb::GetRegionByIdRequest>,
    ) -> Result<Response<pb::GetRegionResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.look_up(|cluster| cluster.region_by_id(request.region_id)).await
    }

    async fn scan_regions(
        &self,
        request: Request<pb::ScanRegionsRequest>,
    ) -> Result<Response<pb::ScanRegionsResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.scan(request).await
    }

    async fn batch_scan_regions(
        &self,
        request: Request<pb::BatchScanRegionsRequest>,
    ) -> Result<Response<pb::BatchScanRegionsResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.batch_scan(request).await
    }

    async fn ask_batch_split(
        &self,
        request: Request<pb::AskBatchSplitRequest>,
    ) -> Result<Response<pb::AskBatchSplitResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.split_ids(request).await
    }

    async fn report_batch_split(
        &self,
        request: Request<pb::ReportBatchSplitRequest>,
    ) -> Result<Response<pb::ReportBatchSplitResponse>, Status> {
        let request = request.into_inner();
        self.check(request.header.as_ref())?;
        self.note_split(request.regions).await
    }

    async fn get_gc_safe_point(
        &self,
        request: Request<pb::GetGcSafePointRequest>,
    ) -> Result<Response<pb::GetGcSafePointResponse>, Status> {
        self.check(request.get_ref().header.as_ref())?;
        self.gc_safe_point().await
    }

    async fn update_gc_safe_point(
        &self,
        request: Request<pb::UpdateGcSafePointRequest>,
    ) -> Result<Response<pb::UpdateGcSafePointResponse>, Status> {
        self.check(request.get_ref().header.as_ref())?;
        self.advance_gc(request.into_inner().safe_point).await
    }

    async fn update_service_gc_safe_point(
        &self,
        request: Request<pb::UpdateServiceGcSafePointRequest>,
    ) -> Result<Response<pb::UpdateServiceGcSafePointResponse>, Status> {
        self.check(request.get_ref().header.as_ref())?;
        self.update_gc_service(request.into_inner()).await
    }

    async fn set_gc_barrier(
        &self,
        request: Request<pb::SetGcBarrierRequest>,
    ) -> Result<Response<pb::SetGcBarrierResponse>, Status> {
        self.check(request.get_ref().header.as_ref())?;
        self.set_barrier(request.into_inner()).await
    }

    async fn delete_gc_barrier(
        &self,
        request: Request<pb::DeleteGcBarrierRequest>,
    ) -> Result<Response<pb::DeleteGcBarrierResponse>, Status> {
        self.check(request.get_ref().header.as_ref())?;
        self.delete_barrier(request.into_inner()).await
    }

    async fn get_gc_state(
        &self,
        request: Request<pb::GetGcStateRequest>,
    ) -> Result<Response<pb::GetGcStateResponse>, Status> {
        self.check(request.get_ref().header.as_ref())?;
        self.gc_state(request.into_inner()).await
    }
    async fn store_global_config(
        &self,
        request: Request<pb::StoreGlobalConfigRequest>,
    ) -> Result<Response<pb::StoreGlobalConfigResponse>, Status> {
        self.store_settings(request.into_inner()).await
    }

    async fn load_global_config(
        &self,
        request: Request<pb::LoadGlobalConfigRequest>,
    ) -> Result<Response<pb::LoadGlobalConfigResponse>, Status> {
        self.load_settings(request.into_inner()).await
    }

    async fn watch_global_config(
        &self,
        request: Request<pb::WatchGlobalConfigRequest>,
    ) -> Result<Response<Self::WatchGlobalConfigStream>, Status> {
        self.watch_settings(request.into_inner())
    }
}
