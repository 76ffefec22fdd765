//! One module per family of requests, and the table which routes to them.

mod cluster;
mod configs;
mod fetch;
mod group_admin;
mod groups;
mod list_offsets;
mod metadata;
mod offset_commits;
mod produce;
mod producer_ids;
mod topics;
mod versions;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable};
use tokio::sync::OwnedSemaphorePermit;

use crate::catalog::CatalogError;
use crate::connection::Connection;
use crate::wire::{Request, WireError};

/// Error code of success.
const OK: i16 = 0;

/// What goes back to the client.
pub(crate) enum Answer {
    /// A frame.
    Bytes {
        /// The frame.
        bytes: Bytes,
        /// Held until the frame is written.
        memory: Option<OwnedSemaphorePermit>,
    },
    /// Nothing (`acks=0`).
    None,
    /// The connection ends.
    Close,
}

/// Decodes a request, has it handled and encodes the answer.
async fn simple<Q, A>(request: &Request, handle: impl AsyncFnOnce(Q) -> A) -> Result<Answer, WireError>
where
    Q: Decodable,
    A: Encodable,
{
    let answer = handle(request.decode::<Q>()?).await;
    Ok(Answer::Bytes { bytes: request.encode(&answer, 0)?, memory: None })
}

/// Answers a request.
///
/// # Errors
///
/// Anything after which the connection cannot go on.
pub(crate) async fn answer(c: &Connection, r: &Request) -> Result<Answer, WireError> {
    match r.api {
        ApiKey::Produce => produce::answer(c, r).await,
        ApiKey::Fetch => fetch::answer(c, r).await,
        ApiKey::ApiVersions => versions::answer(r),
        ApiKey::Metadata => simple(r, async |q| metadata::metadata(c, r.version, q).await).await,
        ApiKey::ListOffsets => simple(r, async |q| list_offsets::list_offsets(c, r.version, q).await).await,
        ApiKey::OffsetForLeaderEpoch => simple(r, async |q| list_offsets::leader_epochs(c, q)).await,
        ApiKey::FindCoordinator => simple(r, async |q| cluster::find_coordinator(c, r.version, q)).await,
        ApiKey::DescribeCluster => simple(r, async |q| cluster::describe_cluster(c, q)).await,
        ApiKey::DescribeLogDirs => simple(r, async |q| cluster::describe_log_dirs(c, q)).await,
        ApiKey::JoinGroup => simple(r, async |q| groups::join(c, r, q).await).await,
        ApiKey::SyncGroup => simple(r, async |q| groups::sync(c, q).await).await,
        ApiKey::Heartbeat => simple(r, async |q| groups::heartbeat(c, q)).await,
        ApiKey::LeaveGroup => simple(r, async |q| groups::leave(c, r.version, q)).await,
        ApiKey::OffsetCommit => simple(r, async |q| offset_commits::commit(c, q).await).await,
        ApiKey::OffsetFetch => simple(r, async |q| offset_commits::fetch(c, r.version, q)).await,
        ApiKey::OffsetDelete => simple(r, async |q| offset_commits::delete(c, q).await).await,
        ApiKey::DescribeGroups => simple(r, async |q| group_admin::describe(c, r.version, q)).await,
        ApiKey::ListGroups => simple(r, async |q| group_admin::list(c, q)).await,
        ApiKey::DeleteGroups => simple(r, async |q| group_admin::delete(c, q).await).await,
        ApiKey::CreateTopics => simple(r, async |q| topics::create(c, q).await).await,
        ApiKey::DeleteTopics => simple(r, async |q| topics::delete(c, r.version, q).await).await,
        ApiKey::CreatePartitions => simple(r, async |q| topics::create_partitions(c, q).await).await,
        ApiKey::DeleteRecords => simple(r, async |q| topics::delete_records(c, q).await).await,
        ApiKey::DescribeConfigs => simple(r, async |q| configs::describe(c, q)).await,
        ApiKey::AlterConfigs => simple(r, async |q| configs::alter(c, q).await).await,
        ApiKey::IncrementalAlterConfigs => {
            simple(r, async |q| configs::alter_incrementally(c, q).await).await
        }
        ApiKey::InitProducerId => simple(r, async |q| producer_ids::init(c, q).await).await,
        _ => Err(WireError::Api(r.api as i16)),
    }
}

/// The error code for a refused change of topics.
fn catalog_code(e: &CatalogError) -> i16 {
    let error = match e {
        CatalogError::Name(_) => ResponseError::InvalidTopicException,
        CatalogError::Exists(_) => ResponseError::TopicAlreadyExists,
        CatalogError::Unknown(_) => ResponseError::UnknownTopicOrPartition,
        CatalogError::Partitions(_) => ResponseError::InvalidPartitions,
        CatalogError::Full => ResponseError::PolicyViolation,
        CatalogError::Setting(_) => ResponseError::InvalidConfig,
        CatalogError::Storage(_) => ResponseError::KafkaStorageError,
    };
    error.code()
}
