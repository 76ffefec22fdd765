//! The standard health service: clients probe the leader with it.

use std::pin::Pin;
use std::sync::Arc;

use tikv_proto::healthpb::health_check_response::ServingStatus;
use tikv_proto::healthpb::health_server::Health;
use tikv_proto::healthpb::{HealthCheckRequest, HealthCheckResponse};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::node::Node;

/// The service on the core.
#[derive(Debug, Clone)]
pub(crate) struct HealthService {
    node: Arc<Node>,
}

impl HealthService {
    /// The service on the core.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// The present status.
    fn status(&self) -> HealthCheckResponse {
        let status = if self.node.stop_token().is_cancelled() {
            ServingStatus::NotServing
        } else {
            ServingStatus::Serving
        };
        HealthCheckResponse { status: status.into() }
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(self.status()))
    }

    async fn watch(
        &self,
        _request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (answers, stream) = tokio::sync::mpsc::channel(2);
        let service = self.clone();
        tokio::spawn(async move {
            // There is room for both answers.
            let _ = answers.try_send(Ok(service.status()));
            tokio::select! {
                () = service.node.stop_token().cancelled() => {
                    let _ = answers.try_send(Ok(service.status()));
                }
                () = answers.closed() => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}
