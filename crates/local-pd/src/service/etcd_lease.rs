//! Leases of the metadata store.

use std::pin::Pin;
use std::time::Duration;

use tikv_proto::etcdserverpb::{self as pb, lease_server::Lease};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::node::{Done, random_id};

use super::etcd_kv::{EtcdRefusal, EtcdService};

/// Answers that may wait for a slow client.
const ANSWERS: usize = 64;
/// Time that an unknown lease is said to have left.
const UNKNOWN_LEASE_TTL: i64 = -1;

/// Whole seconds, as etcd tells what is left of a lease.
fn seconds(left: Duration) -> i64 {
    i64::try_from(left.as_secs()).unwrap_or(i64::MAX)
}

#[tonic::async_trait]
impl Lease for EtcdService {
    type LeaseKeepAliveStream =
        Pin<Box<dyn Stream<Item = Result<pb::LeaseKeepAliveResponse, Status>> + Send>>;

    async fn lease_grant(
        &self,
        request: Request<pb::LeaseGrantRequest>,
    ) -> Result<Response<pb::LeaseGrantResponse>, Status> {
        let request = request.into_inner();
        let work = self.node.with(|state| {
            let (id, ttl, record) = state.etcd.grant(request.id, request.ttl, random_id())?;
            Ok::<_, EtcdRefusal>(Done::changed((id, ttl, state.etcd.revision()), Some(record)))
        });
        let (id, ttl, revision) = work.await?;
        self.node.lease_changed();
        Ok(Response::new(pb::LeaseGrantResponse {
            header: self.header(revision),
            id,
            ttl,
            error: String::new(),
        }))
    }

    async fn lease_revoke(
        &self,
        request: Request<pb::LeaseRevokeRequest>,
    ) -> Result<Response<pb::LeaseRevokeResponse>, Status> {
        let id = request.into_inner().id;
        let work = self.node.with(|state| {
            let record = state.etcd.revoke(id)?;
            Ok::<_, EtcdRefusal>(Done::changed(state.etcd.revision(), Some(record)))
        });
        let revision = work.await?;
        Ok(Response::new(pb::LeaseRevokeResponse { header: self.header(revision) }))
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<pb::LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let mut requests = request.into_inner();
        let (answers, stream) = mpsc::channel(ANSWERS);
        let service = self.clone();
        tokio::spawn(async move {
            let stop = service.node.stop_token().clone();
            loop {
                let request = tokio::select! {
                    () = stop.cancelled() => {
                        let _ = answers.try_send(Err(Status::unavailable("the server is shutting down")));
                        return;
                    }
                    request = requests.message() => request,
                };
                let Ok(Some(request)) = request else { return };
                if answers.send(Ok(service.renew(request.id))).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<pb::LeaseTimeToLiveRequest>,
    ) -> Result<Response<pb::LeaseTimeToLiveResponse>, Status> {
        let request = request.into_inner();
        let (info, revision) =
            self.node.peek(|state| (state.etcd.leases().info(request.id), state.etcd.revision()));
        let header = self.header(revision);
        Ok(Response::new(match info {
            Some(info) => pb::LeaseTimeToLiveResponse {
                header,
                id: request.id,
                ttl: seconds(info.left),
                granted_ttl: info.granted,
                keys: if request.keys { info.keys } else { Vec::new() },
            },
            None => pb::LeaseTimeToLiveResponse {
                header,
                id: request.id,
                ttl: UNKNOWN_LEASE_TTL,
                ..Default::default()
            },
        }))
    }
}

impl EtcdService {
    /// Gives a lease its full time again. That is not written down: after a restart all leases start anew.
    fn renew(&self, id: i64) -> pb::LeaseKeepAliveResponse {
        let (ttl, revision) =
            self.node.peek(|state| (state.etcd.leases_mut().renew(id), state.etcd.revision()));
        pb::LeaseKeepAliveResponse { header: self.header(revision), id, ttl: ttl.unwrap_or(0) }
    }
}
