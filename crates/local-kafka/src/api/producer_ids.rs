//! InitProducerId.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use tracing::error;

use super::OK;
use crate::connection::Connection;

/// A fresh producer id for an idempotent producer. Transactional producers are refused.
pub(super) async fn init(c: &Connection, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let refused = |e: ResponseError| {
        InitProducerIdResponse::default()
            .with_error_code(e.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    if request.transactional_id.is_some() {
        return refused(ResponseError::TransactionalIdAuthorizationFailed);
    }
    match c.broker.new_producer_id().await {
        Ok(id) => InitProducerIdResponse::default()
            .with_error_code(OK)
            .with_producer_id(ProducerId(id))
            .with_producer_epoch(0),
        Err(e) => {
            error!(error = %e, "cannot reserve producer ids");
            refused(ResponseError::KafkaStorageError)
        }
    }
}
