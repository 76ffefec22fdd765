//! Which requests are served, in which versions.

use kafka_protocol::messages::ApiKey;

/// A served request with its versions.
#[derive(Debug)]
pub(crate) struct Supported {
    /// Which request.
    pub(crate) api: ApiKey,
    /// Oldest version served.
    pub(crate) min: i16,
    /// Newest version served.
    pub(crate) max: i16,
}

/// Shorthand for the table.
const fn api(api: ApiKey, min: i16, max: i16) -> Supported {
    Supported { api, min, max }
}

/// Every request served.
pub(crate) const SUPPORTED: &[Supported] = &[
    api(ApiKey::Produce, 3, 13),
    api(ApiKey::Fetch, 4, 18),
    api(ApiKey::ListOffsets, 1, 10),
    api(ApiKey::Metadata, 0, 13),
    api(ApiKey::OffsetCommit, 2, 9),
    api(ApiKey::OffsetFetch, 1, 9),
    api(ApiKey::FindCoordinator, 0, 6),
    api(ApiKey::JoinGroup, 0, 9),
    api(ApiKey::Heartbeat, 0, 4),
    api(ApiKey::LeaveGroup, 0, 5),
    api(ApiKey::SyncGroup, 0, 5),
    api(ApiKey::DescribeGroups, 0, 6),
    api(ApiKey::ListGroups, 0, 5),
    api(ApiKey::ApiVersions, 0, 4),
    api(ApiKey::CreateTopics, 2, 7),
    api(ApiKey::DeleteTopics, 1, 6),
    api(ApiKey::DeleteRecords, 0, 2),
    api(ApiKey::InitProducerId, 0, 5),
    api(ApiKey::OffsetForLeaderEpoch, 2, 4),
    api(ApiKey::DescribeConfigs, 1, 4),
    api(ApiKey::AlterConfigs, 0, 2),
    api(ApiKey::DescribeLogDirs, 1, 4),
    api(ApiKey::CreatePartitions, 0, 3),
    api(ApiKey::DeleteGroups, 0, 2),
    api(ApiKey::IncrementalAlterConfigs, 0, 1),
    api(ApiKey::OffsetDelete, 0, 0),
    api(ApiKey::DescribeCluster, 0, 2),
];

/// The versions served of a request.
pub(crate) fn supported(api: ApiKey) -> Option<&'static Supported> {
    SUPPORTED.iter().find(|s| s.api == api)
}

/// The oldest version told to clients.
///
/// Produce is told from version 0 on although 0 to 2 are refused: librdkafka concludes from it that the broker knows
/// record format 2, and Kafka 4 does the same.
pub(crate) fn advertised_min(supported: &Supported) -> i16 {
    if supported.api == ApiKey::Produce { 0 } else { supported.min }
}
