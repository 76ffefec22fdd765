//! Safepoints and barriers.

use tikv_proto::pdpb as pb;
use tonic::{Response, Status};

use crate::gc::{GcError, ttl_of};
use crate::node::{Done, unix_seconds};
use crate::record::GcService;

use super::pd::{PdService, Refusal};

/// Id that stands for "no keyspace".
const NULL_KEYSPACE: u32 = 0xFFFF_FFFF;

impl From<GcError> for Refusal {
    fn from(error: GcError) -> Self {
        Self::Header(pb::ErrorType::Unknown, error.to_string())
    }
}

/// Refuses keyspaces, which this server does not have.
fn check_scope(scope: Option<&pb::KeyspaceScope>) -> Result<(), Status> {
    match scope.map(|scope| scope.keyspace_id) {
        None | Some(NULL_KEYSPACE) => Ok(()),
        Some(id) => Err(Status::invalid_argument(format!(
            "keyspace {id} does not exist: keyspaces are not supported"
        ))),
    }
}

/// A barrier as calls answer it.
fn barrier(service: &GcService, now: i64) -> pb::GcBarrierInfo {
    pb::GcBarrierInfo {
        barrier_id: service.id.clone(),
        barrier_ts: service.safe_point,
        ttl_seconds: ttl_of(service, now),
    }
}

impl PdService {
    /// Answers the safepoint.
    pub(super) async fn gc_safe_point(&self) -> Result<Response<pb::GetGcSafePointResponse>, Status> {
        let work = self.node.with(|state| Ok(Done::read(state.gc.safe_point())));
        self.answer(work.await, |header, safe_point| pb::GetGcSafePointResponse {
            header,
            safe_point: safe_point.unwrap_or(0),
        })
    }

    /// Moves the safepoint.
    pub(super) async fn advance_gc(
        &self,
        safe_point: u64,
    ) -> Result<Response<pb::UpdateGcSafePointResponse>, Status> {
        let work = self.node.with(|state| {
            let record = state.gc.advance(safe_point);
            if let Some(record) = &record {
                state.gc.apply(record);
            }
            Ok(Done::changed(state.gc.safe_point(), record))
        });
        self.answer(work.await, |header, safe_point| pb::UpdateGcSafePointResponse {
            header,
            new_safe_point: safe_point.unwrap_or(0),
        })
    }

    /// Sets or removes a service's safepoint.
    pub(super) async fn update_gc_service(
        &self,
        request: pb::UpdateServiceGcSafePointRequest,
    ) -> Result<Response<pb::UpdateServiceGcSafePointResponse>, Status> {
        let id = std::str::from_utf8(&request.service_id)
            .map_err(|_| Status::invalid_argument("the service id is not UTF-8"))?
            .to_owned();
        if id.is_empty() {
            return Err(Status::invalid_argument("the service id is empty"));
        }
        let work = self.node.with(|state| {
            let (minimum, record) =
                state.gc.update_service(&id, request.ttl, request.safe_point, unix_seconds())?;
            Ok::<_, Refusal>(Done::changed(minimum, record))
        });
        self.answer(work.await, |header, minimum| match minimum {
            Some(minimum) => pb::UpdateServiceGcSafePointResponse {
                header,
                service_id: minimum.service_id.into(),
                ttl: minimum.ttl,
                min_safe_point: minimum.safe_point,
            },
            None => pb::UpdateServiceGcSafePointResponse { header, ..Default::default() },
        })
    }

    /// Sets a barrier.
    pub(super) async fn set_barrier(
        &self,
        request: pb::SetGcBarrierRequest,
    ) -> Result<Response<pb::SetGcBarrierResponse>, Status> {
        check_scope(request.keyspace_scope.as_ref())?;
        let work = self.node.with(|state| {
            let now = unix_seconds();
            let record =
                state.gc.set_barrier(&request.barrier_id, request.barrier_ts, request.ttl_seconds, now)?;
            let info = record.gc_services.first().map(|service| barrier(service, now));
            Ok::<_, Refusal>(Done::changed(info, Some(record)))
        });
        self.answer(work.await, |header, info| pb::SetGcBarrierResponse {
            header,
            new_barrier_info: info.flatten(),
        })
    }

    /// Removes a barrier.
    pub(super) async fn delete_barrier(
        &self,
        request: pb::DeleteGcBarrierRequest,
    ) -> Result<Response<pb::DeleteGcBarrierResponse>, Status> {
        check_scope(request.keyspace_scope.as_ref())?;
        let work = self.node.with(|state| {
            let (info, record) = state
                .gc
                .delete_barrier(&request.barrier_id)?
                .map(|(service, record)| (barrier(&service, unix_seconds()), record))
                .unzip();
            Ok::<_, Refusal>(Done::changed(info, record))
        });
        self.answer(work.await, |header, info| pb::DeleteGcBarrierResponse {
            header,
            deleted_barrier_info: info.flatten(),
        })
    }

    /// Answers safe points and barriers.
    pub(super) async fn gc_state(
        &self,
        request: pb::GetGcStateRequest,
    ) -> Result<Response<pb::GetGcStateResponse>, Status> {
        check_scope(request.keyspace_scope.as_ref())?;
        let with_barriers = !request.exclude_gc_barriers;
        let work = self.node.with(|state| {
            let now = unix_seconds();
            let barriers = state.gc.barriers(now).map(|service| barrier(service, now));
            Ok(Done::read(pb::GcState {
                keyspace_scope: Some(pb::KeyspaceScope { keyspace_id: NULL_KEYSPACE }),
                is_keyspace_level_gc: false,
                txn_safe_point: state.gc.txn_safe_point(),
                gc_safe_point: state.gc.safe_point(),
                gc_barriers: if with_barriers { barriers.collect() } else { Vec::new() },
            }))
        });
        self.answer(work.await, |header, gc_state| pb::GetGcStateResponse { header, gc_state })
    }
}
