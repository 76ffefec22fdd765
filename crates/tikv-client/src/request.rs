//! Requests to stores, addressed to regions.

use std::future::Future;
use std::time::Duration;

use tikv_proto::tikvpb::tikv_client::TikvClient as StoreService;
use tikv_proto::{errorpb, kvrpcpb};
use tonic::transport::Channel;
use tonic::{Response, Status};

/// Longest time for one request, unless it waits for locks.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest time for scans and for requests that may wait for locks.
const LONG_TIMEOUT: Duration = Duration::from_secs(60);

/// A request to one region.
pub(crate) trait StoreRequest: Send + 'static {
    /// What the store answers.
    type Answer: StoreAnswer + Send;
    /// The method's name.
    const METHOD: &'static str;
    /// Longest time for an answer.
    const TIMEOUT: Duration;
    /// Addresses the request.
    fn set_context(&mut self, context: kvrpcpb::Context);
    /// Sends the request.
    fn send(
        self,
        service: StoreService<Channel>,
    ) -> impl Future<Output = Result<Response<Self::Answer>, Status>> + Send;
}

/// An answer that may refuse the region.
pub(crate) trait StoreAnswer {
    /// The refusal, if it is one.
    fn take_region_error(&mut self) -> Option<errorpb::Error>;
}

/// Implements the traits for generated messages.
macro_rules! store_requests {
    ($($request:ident => $answer:ident, $call:ident, $method:literal, $timeout:ident;)*) => {
        $(
            impl StoreRequest for kvrpcpb::$request {
                type Answer = kvrpcpb::$answer;
                const METHOD: &'static str = $method;
                const TIMEOUT: Duration = $timeout;

                fn set_context(&mut self, context: kvrpcpb::Context) {
                    self.context = Some(context);
                }

                async fn send(
                    self,
                    mut service: StoreService<Channel>,
                ) -> Result<Response<Self::Answer>, Status> {
                    service.$call(self).await
                }
            }

            impl StoreAnswer for kvrpcpb::$answer {
                fn take_region_error(&mut self) -> Option<errorpb::Error> {
                    self.region_error.take()
                }
            }
        )*
    };
}

store_requests! {
    GetRequest => GetResponse, kv_get, "KvGet", REQUEST_TIMEOUT;
    BatchGetRequest => BatchGetResponse, kv_batch_get, "KvBatchGet", REQUEST_TIMEOUT;
    ScanRequest => ScanResponse, kv_scan, "KvScan", LONG_TIMEOUT;
    PrewriteRequest => PrewriteResponse, kv_prewrite, "KvPrewrite", REQUEST_TIMEOUT;
    PessimisticLockRequest => PessimisticLockResponse, kv_pessimistic_lock, "KvPessimisticLock", LONG_TIMEOUT;
    PessimisticRollbackRequest => PessimisticRollbackResponse, kv_pessimistic_rollback, "KvPessimisticRollback", REQUEST_TIMEOUT;
    TxnHeartBeatRequest => TxnHeartBeatResponse, kv_txn_heart_beat, "KvTxnHeartBeat", REQUEST_TIMEOUT;
    CheckTxnStatusRequest => CheckTxnStatusResponse, kv_check_txn_status, "KvCheckTxnStatus", REQUEST_TIMEOUT;
    CheckSecondaryLocksRequest => CheckSecondaryLocksResponse, kv_check_secondary_locks, "KvCheckSecondaryLocks", REQUEST_TIMEOUT;
    CommitRequest => CommitResponse, kv_commit, "KvCommit", REQUEST_TIMEOUT;
    BatchRollbackRequest => BatchRollbackResponse, kv_batch_rollback, "KvBatchRollback", REQUEST_TIMEOUT;
    ScanLockRequest => ScanLockResponse, kv_scan_lock, "KvScanLock", LONG_TIMEOUT;
    ResolveLockRequest => ResolveLockResponse, kv_resolve_lock, "KvResolveLock", LONG_TIMEOUT;
    GcRequest => GcResponse, kv_gc, "KvGC", LONG_TIMEOUT;
    SplitRegionRequest => SplitRegionResponse, split_region, "SplitRegion", REQUEST_TIMEOUT;
}
