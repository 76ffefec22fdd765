//! A look at a request before it is decoded: every length and count must be backed by bytes which are there.
//!
//! The decoder reserves memory for as many elements as an array claims to have. A few bytes of garbage could claim
//! two billion; this check refuses such a frame first, and bounds the number of elements of an honest one.

use kafka_protocol::messages::ApiKey;

use super::layouts::LAYOUTS;
use crate::limits::MAX_REQUEST_ELEMENTS;

/// How a field is laid out.
#[derive(Debug)]
pub(crate) enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A length and text; 16 bit length, or compact.
    Text,
    /// A length and bytes; 32 bit length, or compact.
    Blob,
    /// An array of plain values.
    List(&'static Kind),
    /// An array of structures.
    Structs(&'static [Field]),
}

/// A field and the versions which have it.
#[derive(Debug)]
pub(crate) struct Field {
    /// First version.
    pub(crate) min: i16,
    /// Last version.
    pub(crate) max: i16,
    /// Its layout.
    pub(crate) kind: Kind,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GuardError {
    /// A length or count is not backed by bytes.
    #[error("the request ends early")]
    Short,
    /// A negative length other than -1.
    #[error("the request has a negative length")]
    Negative,
    /// Too many array elements and tagged fields.
    #[error("the request has more than {MAX_REQUEST_ELEMENTS} elements")]
    Elements,
    /// A known tagged field: only follower brokers send such.
    #[error("the request has fields of a follower broker")]
    Follower,
    /// The API has no layout.
    #[error("the request is not known")]
    Unknown,
}

/// Checks the body of a request (behind its header).
pub(crate) fn check(api: ApiKey, version: i16, body: &[u8]) -> Result<(), GuardError> {
    let layout = LAYOUTS.iter().find(|l| l.api == api).ok_or(GuardError::Unknown)?;
    let mut walk = Walk {
        rest: body,
        version,
        compact: version >= layout.flexible_from,
        elements: MAX_REQUEST_ELEMENTS,
        follower_tags: api == ApiKey::Fetch,
    };
    walk.fields(layout.fields)
}

/// Skips the tagged fields of a request header; returns how many bytes they take.
pub(crate) fn tagged_fields_len(bytes: &[u8]) -> Result<usize, GuardError> {
    let elements = MAX_REQUEST_ELEMENTS;
    let mut walk = Walk { rest: bytes, version: 0, compact: true, elements, follower_tags: false };
    walk.tags()?;
    Ok(bytes.len() - walk.rest.len())
}

/// The bytes still to be looked at.
struct Walk<'a> {
    /// Remaining bytes.
    rest: &'a [u8],
    /// Version of the request.
    version: i16,
    /// Whether lengths are compact and structures have tagged fields.
    compact: bool,
    /// Elements which may still come.
    elements: usize,
    /// Whether the known tagged fields 0 and 1 mark a follower broker.
    follower_tags: bool,
}

impl Walk<'_> {
    /// Walks over a structure.
    fn fields(&mut self, fields: &'static [Field]) -> Result<(), GuardError> {
        let version = self.version;
        for field in fields.iter().filter(|f| (f.min..=f.max).contains(&version)) {
            self.field(&field.kind)?;
        }
        if self.compact { self.tags() } else { Ok(()) }
    }

    /// Walks over one field.
    fn field(&mut self, kind: &'static Kind) -> Result<(), GuardError> {
        match kind {
            Kind::Fixed(n) => self.skip(*n),
            Kind::Text => {
                let length = if self.compact { self.compact_length()? } else { self.length(2)? };
                self.skip(length)
            }
            Kind::Blob => {
                let length = if self.compact { self.compact_length()? } else { self.length(4)? };
                self.skip(length)
            }
            Kind::List(element) => {
                for _ in 0..self.count()? {
                    self.field(element)?;
                }
                Ok(())
            }
            Kind::Structs(fields) => {
                for _ in 0..self.count()? {
                    self.fields(fields)?;
                }
                Ok(())
            }
        }
    }

    /// Reads an array count and charges it to the allowed elements.
    fn count(&mut self) -> Result<usize, GuardError> {
        let count = if self.compact { self.compact_length()? } else { self.length(4)? };
        self.charge(count)?;
        Ok(count)
    }

    /// Takes `count` from the allowed elements; each takes at least one byte.
    fn charge(&mut self, count: usize) -> Result<(), GuardError> {
        if count > self.rest.len() {
            return Err(GuardError::Short);
        }
        self.elements = self.elements.checked_sub(count).ok_or(GuardError::Elements)?;
        Ok(())
    }

    /// Walks over tagged fields.
    fn tags(&mut self) -> Result<(), GuardError> {
        let count = self.varint()?;
        self.charge(count)?;
        for _ in 0..count {
            let tag = self.varint()?;
            if self.follower_tags && tag <= 1 {
                return Err(GuardError::Follower);
            }
            let length = self.varint()?;
            self.skip(length)?;
        }
        Ok(())
    }

    /// A length of `width` bytes; -1 (null) counts as 0.
    fn length(&mut self, width: usize) -> Result<usize, GuardError> {
        let (bytes, rest) = self.rest.split_at_checked(width).ok_or(GuardError::Short)?;
        self.rest = rest;
        let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
        if negative {
            return if bytes.iter().all(|b| *b == 0xff) { Ok(0) } else { Err(GuardError::Negative) };
        }
        Ok(bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
    }

    /// A compact length: one more than the length, 0 for null.
    fn compact_length(&mut self) -> Result<usize, GuardError> {
        Ok(self.varint()?.saturating_sub(1))
    }

    /// An unsigned variable length integer of at most five bytes, as the decoder reads it.
    fn varint(&mut self) -> Result<usize, GuardError> {
        let mut value = 0_u32;
        for i in 0..5 {
            let (byte, rest) = self.rest.split_first().ok_or(GuardError::Short)?;
            self.rest = rest;
            value |= u32::from(byte & 0x7f) << (i * 7);
            if *byte < 0x80 {
                break;
            }
        }
        usize::try_from(value).map_err(|_| GuardError::Short)
    }

    /// Skips bytes.
    fn skip(&mut self, n: usize) -> Result<(), GuardError> {
        self.rest = self.rest.get(n..).ok_or(GuardError::Short)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::versions::SUPPORTED;
    use bytes::{Bytes, BytesMut};
    use kafka_protocol::messages::*;
    use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
    use proptest::prelude::*;

    /// Checks that a request passes the guard in every version and that no proper prefix does.
    fn passes<T: Encodable + Default>(api: ApiKey, fill: impl Fn(&mut T, i16)) {
        let supported = SUPPORTED.iter().find(|s| s.api == api).expect("supported");
        for version in supported.min..=supported.max {
            let mut request = T::default();
            fill(&mut request, version);
            let mut bytes = BytesMut::new();
            request.encode(&mut bytes, version).unwrap_or_else(|e| panic!("{api:?} {version}: {e}"));
            assert_eq!(check(api, version, &bytes), Ok(()), "{api:?} version {version}");
            for cut in 0..bytes.len() {
                assert!(
                    check(api, version, &bytes[..cut]).is_err(),
                    "{api:?} version {version} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn empty_requests_of_every_version_pass_and_cut_ones_do_not() {
        passes::<ListOffsetsRequest>(ApiKey::ListOffsets, |_, _| {});
        passes::<OffsetCommitRequest>(ApiKey::OffsetCommit, |_, _| {});
        passes::<OffsetFetchRequest>(ApiKey::OffsetFetch, |_, _| {});
        passes::<FindCoordinatorRequest>(ApiKey::FindCoordinator, |_, _| {});
        passes::<HeartbeatRequest>(ApiKey::Heartbeat, |_, _| {});
        passes::<LeaveGroupRequest>(ApiKey::LeaveGroup, |_, _| {});
        passes::<SyncGroupRequest>(ApiKey::SyncGroup, |_, _| {});
        passes::<DescribeGroupsRequest>(ApiKey::DescribeGroups, |_, _| {});
        passes::<ListGroupsRequest>(ApiKey::ListGroups, |_, _| {});
        passes::<DeleteGroupsRequest>(ApiKey::DeleteGroups, |_, _| {});
        passes::<InitProducerIdRequest>(ApiKey::InitProducerId, |_, _| {});
        passes::<OffsetForLeaderEpochRequest>(ApiKey::OffsetForLeaderEpoch, |_, _| {});
        passes::<DescribeConfigsRequest>(ApiKey::DescribeConfigs, |_, _| {});
        passes::<AlterConfigsRequest>(ApiKey::AlterConfigs, |_, _| {});
        passes::<IncrementalAlterConfigsRequest>(ApiKey::IncrementalAlterConfigs, |_, _| {});
        passes::<DescribeLogDirsRequest>(ApiKey::DescribeLogDirs, |_, _| {});
        passes::<CreatePartitionsRequest>(ApiKey::CreatePartitions, |_, _| {});
        passes::<DeleteRecordsRequest>(ApiKey::DeleteRecords, |_, _| {});
        passes::<OffsetDeleteRequest>(ApiKey::OffsetDelete, |_, _| {});
        passes::<DescribeClusterRequest>(ApiKey::DescribeCluster, |_, _| {});
        passes::<DeleteTopicsRequest>(ApiKey::DeleteTopics, |_, _| {});
        passes::<MetadataRequest>(ApiKey::Metadata, |_, _| {});
    }

    #[test]
    fn filled_requests_of_every_version_pass_and_cut_ones_do_not() {
        passes::<FetchRequest>(ApiKey::Fetch, |r, v| {
            let mut topic = fetch_request::FetchTopic::default();
            if v < 13 {
                topic.topic = StrBytes::from_static_str("topic").into();
            }
            topic.partitions.push(fetch_request::FetchPartition::default().with_partition_max_bytes(1));
            r.topics.push(topic);
        });
        passes::<JoinGroupRequest>(ApiKey::JoinGroup, |r, _| {
            let protocol = join_group_request::JoinGroupRequestProtocol::default()
                .with_name(StrBytes::from_static_str("range"))
                .with_metadata(Bytes::from_static(b"metadata"));
            r.protocols.push(protocol);
        });
        passes::<CreateTopicsRequest>(ApiKey::CreateTopics, |r, _| {
            let mut topic = create_topics_request::CreatableTopic::default();
            topic.configs.push(create_topics_request::CreatableTopicConfig::default());
            topic.assignments.push(create_topics_request::CreatableReplicaAssignment::default());
            r.topics.push(topic);
        });
        passes::<ProduceRequest>(ApiKey::Produce, |r, v| {
            if v < 3 {
                return;
            }
            let mut topic = produce_request::TopicProduceData::default();
            let data =
                produce_request::PartitionProduceData::default().with_records(Some(Bytes::from_static(b"r")));
            topic.partition_data.push(data);
            r.topic_data.push(topic);
        });
    }

    #[test]
    fn a_count_without_elements_is_refused_before_memory_is_reserved() {
        let body = i32::MAX.to_be_bytes();
        assert_eq!(check(ApiKey::Metadata, 1, &body), Err(GuardError::Short));
    }

    #[test]
    fn too_many_elements_are_refused() {
        let mut body = 300_000_i32.to_be_bytes().to_vec();
        body.resize(1_000_000, 0xff);
        assert_eq!(check(ApiKey::Metadata, 1, &body), Err(GuardError::Elements));
    }

    proptest! {
        #[test]
        fn what_passes_decodes_without_panic(version in 4_i16..=18, body in proptest::collection::vec(0_u8..20, 0..120)) {
            if check(ApiKey::Fetch, version, &body).is_ok() {
                let _ = FetchRequest::decode(&mut Bytes::from(body), version);
            }
        }
    }
}
