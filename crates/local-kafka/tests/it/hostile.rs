//! Bytes which are no requests, and requests which lie.

use std::io::ErrorKind;

use kafka_protocol::messages::ApiVersionsRequest;
use local_kafka::StartError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::broker::{config, fresh, soon, start};
use crate::wire::RawClient;

/// A frame with its length.
fn frame(body: &[u8]) -> Vec<u8> {
    [&(body.len() as i32).to_be_bytes()[..], body].concat()
}

/// The header of a request without client id.
fn header(api: i16, version: i16) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(api.to_be_bytes());
    header.extend(version.to_be_bytes());
    header.extend(7_i32.to_be_bytes());
    header.extend((-1_i16).to_be_bytes());
    header
}

#[tokio::test]
async fn garbage_closes_its_connection_and_nothing_else() {
    let (broker, _dir) = fresh().await;
    let mut bystander = RawClient::connect(broker.local_addr()).await;
    let lying_array = |api, version| frame(&[header(api, version), i32::MAX.to_be_bytes().to_vec()].concat());
    let compact_bomb = [header(3, 9), vec![0, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
    let attempts: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0xff; 64],
        frame(&[]),
        frame(&[0; 7]),
        frame(&[0xff; 100]),
        frame(&header(3, 99)),
        frame(&header(0, 0)),
        frame(&header(36, 0)),
        lying_array(3, 1),
        lying_array(11, 0),
        lying_array(42, 0),
        frame(&compact_bomb),
        (100..200_u8).cycle().take(10_000).collect(),
    ];
    for bytes in attempts {
        let mut client = RawClient::connect(broker.local_addr()).await;
        client.stream().write_all(&bytes).await.expect("write");
        let mut rest = Vec::new();
        match soon(client.stream().read_to_end(&mut rest)).await {
            Ok(_) => assert!(rest.is_empty(), "no answer to {:?}", &bytes[..bytes.len().min(20)]),
            Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset),
        }
        bystander.call(0, &ApiVersionsRequest::default()).await;
    }
    broker.shutdown().await;
}

#[tokio::test]
async fn a_frame_which_never_ends_ends_with_its_connection() {
    let (broker, _dir) = fresh().await;
    let mut client = RawClient::connect(broker.local_addr()).await;
    client.stream().write_all(&[0, 1, 2, 3, 4, 5]).await.expect("write");
    client.stream().shutdown().await.expect("half closed");
    let mut rest = Vec::new();
    soon(client.stream().read_to_end(&mut rest)).await.expect("closed");
    assert!(rest.is_empty());
    broker.shutdown().await;
}

#[tokio::test]
async fn connections_above_the_limit_are_closed() {
    let dir = tempfile::tempdir().expect("directory");
    let mut config = config(dir.path());
    config.max_connections = 1;
    let broker = start(config).await;
    let mut first = RawClient::connect(broker.local_addr()).await;
    first.call(0, &ApiVersionsRequest::default()).await;
    let mut second = RawClient::connect(broker.local_addr()).await;
    let mut rest = Vec::new();
    let _ = soon(second.stream().read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    first.call(0, &ApiVersionsRequest::default()).await;
    broker.shutdown().await;
}

#[tokio::test]
async fn a_taken_address_and_a_taken_directory_are_told_apart() {
    let (broker, dir) = fresh().await;
    let mut same_address = config(&dir.path().join("other"));
    same_address.addr = broker.local_addr();
    match local_kafka::start(same_address).await {
        Err(StartError::AddressInUse { addr }) => assert_eq!(addr, broker.local_addr()),
        other => panic!("{other:?}"),
    }
    match local_kafka::start(config(dir.path())).await {
        Err(StartError::DataDirInUse { dir: taken }) => assert_eq!(taken, dir.path()),
        other => panic!("{other:?}"),
    }
    broker.shutdown().await;
    start(config(dir.path())).await.shutdown().await;
}
