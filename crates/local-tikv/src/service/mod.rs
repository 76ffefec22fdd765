//! The `tikvpb.Tikv` service: requests in, commands on the store, answers out.

mod batch;
mod locks;
mod reads;
mod resolution;
mod safe_ts;
mod writes;

use crate::keys::KeyRange;
use crate::region::{Region, RegionError};
use crate::store::{Refusal, Store};
use crate::txn::{Key, TxnError};
use bytes::Bytes;
use std::sync::Arc;
use tikv_proto::kvrpcpb::*;
use tikv_proto::tikvpb::tikv_server::Tikv;
use tikv_proto::tikvpb::{BatchCommandsRequest, BatchCommandsResponse};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Longest key, in bytes: its version key must fit the engine's 64 KiB.
const MAX_KEY_LEN: usize = 48 * 1024;

/// The service.
#[derive(Clone)]
pub(crate) struct TikvService {
    store: Arc<Store>,
}

impl TikvService {
    pub(crate) const fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Refuses a request meant for another cluster.
    fn check_cluster(&self, context: Option<&Context>) -> Result<(), Status> {
        let asked = context.map_or(0, |context| context.cluster_id);
        if asked == 0 || asked == self.store.cluster_id {
            return Ok(());
        }
        Err(Status::invalid_argument(format!(
            "cluster id mismatch: the request names {asked}, this is {}",
            self.store.cluster_id
        )))
    }
}

/// Why a request got no proper answer.
enum Failure {
    /// The whole call fails.
    Call(Status),
    /// The request went to the wrong place.
    Region(RegionError),
    /// The command was refused.
    Key(Box<KeyError>),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Region(error) => Self::Region(error),
            Refusal::Engine(error) => Self::Call(Status::internal(error.to_string())),
        }
    }
}

impl From<RegionError> for Failure {
    fn from(error: RegionError) -> Self {
        Self::Region(error)
    }
}

impl From<TxnError> for Failure {
    fn from(error: TxnError) -> Self {
        match error {
            TxnError::Engine(error) => Self::Call(Status::internal(error.to_string())),
            error => Self::Key(Box::new(error.into_key_error())),
        }
    }
}

impl From<crate::engine::EngineError> for Failure {
    fn from(error: crate::engine::EngineError) -> Self {
        TxnError::Engine(error).into()
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Call(status)
    }
}

/// Encodes a key of a request.
fn key(raw: Bytes) -> Result<Key, Status> {
    check_key_len(&raw)?;
    Ok(Key::new(raw))
}

fn check_key_len(raw: &[u8]) -> Result<(), Status> {
    if raw.is_empty() || raw.len() > MAX_KEY_LEN {
        return Err(Status::invalid_argument(format!(
            "a key has 1 to {MAX_KEY_LEN} bytes, not {}",
            raw.len()
        )));
    }
    Ok(())
}

/// Encodes the keys of a request, which must name at least one.
fn keys(raw: Vec<Bytes>) -> Result<Vec<Key>, Status> {
    if raw.is_empty() {
        return Err(Status::invalid_argument("the request names no key"));
    }
    raw.into_iter().map(key).collect()
}

/// Raw bytes of keys.
fn raw<'k>(keys: impl Iterator<Item = &'k Key> + Clone) -> impl Iterator<Item = &'k [u8]> + Clone {
    keys.map(|key| &*key.raw)
}

/// The part of `region` between two raw keys; an empty `end` is unbounded.
fn range_in(region: &Region, start: &[u8], end: &[u8]) -> Option<KeyRange> {
    region.range().intersect(&KeyRange { start: start.to_vec(), end: end.to_vec() })
}

/// Puts a failure into an answer that has fields for region and key errors.
macro_rules! answer {
    ($result:expr, $error:ident => $with_error:expr, $region:ident => $with_region:expr) => {
        match $result {
            Ok(response) => Ok(Response::new(response)),
            Err(Failure::Call(status)) => Err(status),
            Err(Failure::Region(error)) => {
                let $region = Some(*error);
                Ok(Response::new($with_region))
            }
            Err(Failure::Key(error)) => {
                let $error = *error;
                Ok(Response::new($with_error))
            }
        }
    };
    ($result:expr, $response:ident) => {
        answer!(
            $result,
            error => $response { error: Some(error), ..$response::default() },
            region_error => $response { region_error, ..$response::default() }
        )
    };
    ($result:expr, $response:ident, errors) => {
        answer!(
            $result,
            error => $response { errors: vec![error], ..$response::default() },
            region_error => $response { region_error, ..$response::default() }
        )
    };
}

#[tonic::async_trait]
impl Tikv for TikvService {
    async fn kv_get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        answer!(self.get(request.into_inner()).await, GetResponse)
    }

    async fn kv_batch_get(
        &self,
        request: Request<BatchGetRequest>,
    ) -> Result<Response<BatchGetResponse>, Status> {
        answer!(self.batch_get(request.into_inner()).await, BatchGetResponse)
    }

    async fn kv_scan(&self, request: Request<ScanRequest>) -> Result<Response<ScanResponse>, Status> {
        answer!(self.scan(request.into_inner()).await, ScanResponse)
    }

    async fn kv_prewrite(
        &self,
        request: Request<PrewriteRequest>,
    ) -> Result<Response<PrewriteResponse>, Status> {
        answer!(self.prewrite(request.into_inner()).await, PrewriteResponse, errors)
    }

    async fn kv_commit(&self, request: Request<CommitRequest>) -> Result<Response<CommitResponse>, Status> {
        answer!(self.commit(request.into_inner()).await, CommitResponse)
    }

    async fn kv_pessimistic_lock(
        &self,
        request: Request<PessimisticLockRequest>,
    ) -> Result<Response<PessimisticLockResponse>, Status> {
        answer!(self.pessimistic_lock(request.into_inner()).await, PessimisticLockResponse, errors)
    }

    async fn kv_pessimistic_rollback(
        &self,
        request: Request<PessimisticRollbackRequest>,
    ) -> Result<Response<PessimisticRollbackResponse>, Status> {
        answer!(self.pessimistic_rollback(request.into_inner()).await, PessimisticRollbackResponse, errors)
    }

    async fn kv_txn_heart_beat(
        &self,
        request: Request<TxnHeartBeatRequest>,
    ) -> Result<Response<TxnHeartBeatResponse>, Status> {
        answer!(self.heart_beat(request.into_inner()).await, TxnHeartBeatResponse)
    }

    async fn kv_check_txn_status(
        &self,
        request: Request<CheckTxnStatusRequest>,
    ) -> Result<Response<CheckTxnStatusResponse>, Status> {
        answer!(self.check_txn_status(request.into_inner()).await, CheckTxnStatusResponse)
    }

    async fn kv_check_secondary_locks(
        &self,
        request: Request<CheckSecondaryLocksRequest>,
    ) -> Result<Response<CheckSecondaryLocksResponse>, Status> {
        answer!(self.check_secondary_locks(request.into_inner()).await, CheckSecondaryLocksResponse)
    }

    async fn kv_cleanup(
        &self,
        request: Request<CleanupRequest>,
    ) -> Result<Response<CleanupResponse>, Status> {
        answer!(self.cleanup(request.into_inner()).await, CleanupResponse)
    }

    async fn kv_batch_rollback(
        &self,
        request: Request<BatchRollbackRequest>,
    ) -> Result<Response<BatchRollbackResponse>, Status> {
        answer!(self.batch_rollback(request.into_inner()).await, BatchRollbackResponse)
    }

    async fn kv_scan_lock(
        &self,
        request: Request<ScanLockRequest>,
    ) -> Result<Response<ScanLockResponse>, Status> {
        answer!(self.scan_lock(request.into_inner()), ScanLockResponse)
    }

    async fn kv_resolve_lock(
        &self,
        request: Request<ResolveLockRequest>,
    ) -> Result<Response<ResolveLockResponse>, Status> {
        answer!(self.resolve_lock(request.into_inner()).await, ResolveLockResponse)
    }

    async fn kv_gc(&self, request: Request<GcRequest>) -> Result<Response<GcResponse>, Status> {
        answer!(self.gc(request.into_inner()).await, GcResponse)
    }

    async fn split_region(
        &self,
        request: Request<SplitRegionRequest>,
    ) -> Result<Response<SplitRegionResponse>, Status> {
        match self.split(request.into_inner()).await {
            Ok(response) => Ok(Response::new(response)),
            Err(Failure::Call(status)) => Err(status),
            Err(Failure::Region(error)) => Ok(Response::new(SplitRegionResponse {
                region_error: Some(*error),
                ..SplitRegionResponse::default()
            })),
            // A split looks at no locks; the answer has no place for such an error.
            Err(Failure::Key(error)) => Err(Status::internal(error.abort)),
        }
    }
    async fn get_store_safe_ts(
        &self,
        request: Request<StoreSafeTsRequest>,
    ) -> Result<Response<StoreSafeTsResponse>, Status> {
        self.safe_ts(request.into_inner()).await.map(Response::new)
    }

    type BatchCommandsStream = ReceiverStream<Result<BatchCommandsResponse, Status>>;

    async fn batch_commands(
        &self,
        request: Request<Streaming<BatchCommandsRequest>>,
    ) -> Result<Response<Self::BatchCommandsStream>, Status> {
        Ok(Response::new(ReceiverStream::new(batch::serve(self.clone(), request.into_inner()))))
    }
}
