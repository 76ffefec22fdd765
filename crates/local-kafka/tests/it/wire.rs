//! A raw client, and what every request answers.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::broker::{fresh, soon};

/// One connection which sends requests and reads answers.
pub(crate) struct RawClient {
    stream: TcpStream,
    correlation_id: i32,
}

impl RawClient {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(addr).await.expect("connect"), correlation_id: 0 }
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn call<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        self.send(version, request).await;
        self.receive::<Q>(version).await
    }

    /// Sends a request.
    pub(crate) async fn send<Q: Request>(&mut self, version: i16, request: &Q) {
        self.correlation_id += 1;
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        RequestHeader::default()
            .with_request_api_key(Q::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("raw")))
            .encode(&mut frame, Q::header_version(version))
            .expect("header");
        request.encode(&mut frame, version).expect("request");
        let length = frame.len() as i32 - 4;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).await.expect("write");
    }

    /// Reads the answer to the latest request.
    pub(crate) async fn receive<Q: Request>(&mut self, version: i16) -> Q::Response {
        let mut frame = self.frame().await;
        assert_eq!(frame.get_i32(), self.correlation_id);
        if Q::Response::header_version(version) >= 1 && Q::KEY != ApiKey::ApiVersions as i16 {
            assert_eq!(frame.get_u8(), 0, "no tagged fields in the header");
        }
        let answer = Q::Response::decode(&mut frame, version).expect("answer");
        assert!(frame.is_empty(), "{} bytes behind the answer", frame.len());
        answer
    }

    /// Reads a frame without its length.
    pub(crate) async fn frame(&mut self) -> Bytes {
        let length = soon(self.stream.read_i32()).await.expect("length");
        let mut frame = vec![0; length as usize];
        soon(self.stream.read_exact(&mut frame)).await.expect("frame");
        frame.into()
    }

    /// The connection, for bytes which are no request.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

/// Text of the protocol.
pub(crate) fn text(s: &str) -> StrBytes {
    StrBytes::from_string(s.to_owned())
}

/// Creates a topic by asking for it.
pub(crate) async fn create_topic(client: &mut RawClient, name: &str) {
    let topic = metadata_request::MetadataRequestTopic::default().with_name(Some(text(name).into()));
    let answer = client.call(4, &MetadataRequest::default().with_topics(Some(vec![topic]))).await;
    assert_eq!(answer.topics[0].error_code, 0);
}

#[tokio::test]
async fn every_request_is_answered_in_every_version_told() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    let told = client.call(0, &ApiVersionsRequest::default()).await.api_keys;
    let range = |key: i16| {
        let api = told.iter().find(|a| a.api_key == key).unwrap_or_else(|| panic!("{key} is told"));
        api.min_version..=api.max_version
    };
    let mut tried = 0;
    macro_rules! try_all {
        ($($request:ident),*) => {$(
            for version in range($request::KEY) {
                client.call(version, &$request::default()).await;
            }
            tried += 1;
        )*};
    }
    // Versions 0 to 2 of Produce are told for the sake of librdkafka only; without acks there is no answer.
    for version in 3..=*range(ProduceRequest::KEY).end() {
        client.call(version, &ProduceRequest::default().with_acks(1)).await;
    }
    tried += 1;
    try_all!(FetchRequest, ListOffsetsRequest, MetadataRequest, OffsetCommitRequest);
    try_all!(
        OffsetFetchRequest,
        FindCoordinatorRequest,
        JoinGroupRequest,
        HeartbeatRequest,
        LeaveGroupRequest
    );
    try_all!(
        SyncGroupRequest,
        DescribeGroupsRequest,
        ListGroupsRequest,
        ApiVersionsRequest,
        CreateTopicsRequest
    );
    try_all!(DeleteTopicsRequest, DeleteRecordsRequest, InitProducerIdRequest, OffsetForLeaderEpochRequest);
    try_all!(DescribeConfigsRequest, AlterConfigsRequest, DescribeLogDirsRequest, CreatePartitionsRequest);
    try_all!(
        DeleteGroupsRequest,
        IncrementalAlterConfigsRequest,
        OffsetDeleteRequest,
        DescribeClusterRequest
    );
    assert_eq!(tried, told.len());
    broker.shutdown().await;
}

#[tokio::test]
async fn filled_answers_can_be_encoded_in_every_version() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    create_topic(&mut client, "t").await;
    let commit = offset_commit_request::OffsetCommitRequestTopic::default()
        .with_name(text("t").into())
        .with_partitions(vec![Default::default()]);
    for version in 2..=9 {
        let request = OffsetCommitRequest::default()
            .with_group_id(text("g").into())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![commit.clone()]);
        let answer = client.call(version, &request).await;
        assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    }
    for version in 1..=9 {
        let request = if version < 8 {
            OffsetFetchRequest::default().with_group_id(text("g").into()).with_topics(Some(vec![
                offset_fetch_request::OffsetFetchRequestTopic::default()
                    .with_name(text("t").into())
                    .with_partition_indexes(vec![0, 1]),
            ]))
        } else {
            OffsetFetchRequest::default().with_groups(vec![
                offset_fetch_request::OffsetFetchRequestGroup::default()
                    .with_group_id(text("g").into())
                    .with_topics(None),
            ])
        };
        client.call(version, &request).await;
    }
    for version in 1..=10 {
        for timestamp in [-1, -2, -3, 0] {
            let partition = list_offsets_request::ListOffsetsPartition::default().with_timestamp(timestamp);
            let topic = list_offsets_request::ListOffsetsTopic::default()
                .with_name(text("t").into())
                .with_partitions(vec![partition]);
            let answer = client.call(version, &ListOffsetsRequest::default().with_topics(vec![topic])).await;
            assert_eq!(answer.topics[0].partitions[0].error_code, 0);
        }
    }
    for version in 0..=13 {
        let answer = client.call(version, &MetadataRequest::default().with_topics(None).clone()).await;
        assert_eq!(answer.topics.len(), 1, "version {version}");
    }
    for version in 0..=6 {
        let groups = vec![text("g").into(), text("no").into()];
        let answer = client.call(version, &DescribeGroupsRequest::default().with_groups(groups)).await;
        assert_eq!(answer.groups[0].group_state.as_str(), "Empty");
        assert_eq!(answer.groups[1].group_state.as_str(), "Dead");
    }
    for version in 0..=6 {
        for key_type in [0, 1] {
            if version == 0 && key_type == 1 {
                continue;
            }
            let request = if version < 4 {
                FindCoordinatorRequest::default().with_key(text("g")).with_key_type(key_type)
            } else {
                FindCoordinatorRequest::default()
                    .with_coordinator_keys(vec![text("g")])
                    .with_key_type(key_type)
            };
            client.call(version, &request).await;
        }
    }
    for version in 1..=4 {
        let resource = |kind, name| {
            describe_configs_request::DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(text(name))
                .with_configuration_keys(None)
        };
        let request = DescribeConfigsRequest::default()
            .with_resources(vec![resource(2, "t"), resource(4, "1"), resource(2, "no")])
            .with_include_synonyms(true);
        let answer = client.call(version, &request).await;
        assert_eq!(answer.results.iter().map(|r| r.error_code).collect::<Vec<_>>(), [0, 0, 3]);
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn api_versions_of_the_future_is_answered_in_version_0_with_the_list() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    let mut frame = BytesMut::new();
    frame.put_i32(9);
    frame.put_i16(ApiKey::ApiVersions as i16);
    frame.put_i16(99);
    frame.put_i32(7);
    frame.put_u8(0xff);
    client.stream().write_all(&frame).await.expect("write");
    let mut answer = client.frame().await;
    assert_eq!(answer.get_i32(), 7);
    let answer = ApiVersionsResponse::decode(&mut answer, 0).expect("version 0");
    assert_eq!(answer.error_code, 35);
    assert!(answer.api_keys.iter().any(|a| a.api_key == 0 && a.min_version == 0));
    broker.shutdown().await;
}

#[tokio::test]
async fn clients_are_told_the_address_they_connected_to_or_the_configured_one() {
    let dir = tempfile::tempdir().expect("directory");
    let reflecting = crate::broker::start(crate::broker::config(&dir.path().join("a"))).await;
    let mut config = crate::broker::config(&dir.path().join("b"));
    config.advertised = Some(("kafka.example".into(), 4711));
    let configured = crate::broker::start(config).await;
    for (broker, host, port) in [
        (reflecting.local_addr(), "127.0.0.1", i32::from(reflecting.local_addr().port())),
        (configured.local_addr(), "kafka.example", 4711),
    ] {
        let mut client = RawClient::connect(broker).await;
        let answer = client.call(9, &MetadataRequest::default()).await;
        assert_eq!((answer.brokers[0].host.as_str(), answer.brokers[0].port), (host, port));
        let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("g")]);
        let answer = client.call(4, &request).await;
        assert_eq!((answer.coordinators[0].host.as_str(), answer.coordinators[0].port), (host, port));
    }
    reflecting.shutdown().await;
    configured.shutdown().await;
}
