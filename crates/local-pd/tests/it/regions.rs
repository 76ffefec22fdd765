//! Stores and regions.

use bytes::Bytes;
use tikv_client::{Error, RegionCache};
use tikv_proto::pdpb;

use super::{Fixture, encoded, region};

#[tokio::test]
async fn a_cluster_is_bootstrapped_once_and_says_so_before() {
    let fixture = Fixture::start().await;
    let pd = fixture.pd().await;
    assert!(!pd.is_bootstrapped().await.unwrap());
    assert!(matches!(pd.region_by_id(2).await, Err(Error::Pd { kind: 2, .. })));
    fixture.bootstrap().await;
    assert!(pd.is_bootstrapped().await.unwrap());
    let request = pdpb::BootstrapRequest { header: fixture.header(), ..Default::default() };
    let answer = fixture.raw().await.bootstrap(request).await.unwrap().into_inner();
    assert_eq!(answer.header.unwrap().error.unwrap().r#type, pdpb::ErrorType::AlreadyBootstrapped as i32);
}

#[tokio::test]
async fn splits_are_found_by_key_id_and_scan_and_survive_a_crash() {
    let fixture = Fixture::start().await;
    fixture.bootstrap().await;
    let mut raw = fixture.raw().await;
    let ask = pdpb::AskBatchSplitRequest {
        header: fixture.header(),
        region: Some(region(2, 1, "", "")),
        split_count: 2,
    };
    let ids = raw.ask_batch_split(ask).await.unwrap().into_inner().ids;
    assert_eq!(ids.len(), 2);
    assert!(ids[0].new_peer_ids.len() == 1 && ids[1].new_region_id > ids[0].new_peer_ids[0]);
    let (a, b) = (ids[0].new_region_id, ids[1].new_region_id);
    let parts = vec![region(a, 3, "", "f"), region(b, 3, "f", "p"), region(2, 3, "p", "")];
    let report = pdpb::ReportBatchSplitRequest { header: fixture.header(), regions: parts };
    assert_eq!(raw.report_batch_split(report).await.unwrap().into_inner().header.unwrap().error, None);

    let fixture = fixture.crash().await;
    let pd = fixture.pd().await;
    let found = pd.region_by_key(encoded("g")).await.unwrap().unwrap();
    assert_eq!((found.id, &found.raw_start[..], &found.raw_end[..]), (b, &b"f"[..], &b"p"[..]));
    assert_eq!(found.store_address, "127.0.0.1:20160");
    assert_eq!(found.leader.id, b + 100);
    assert_eq!(pd.region_by_id(a).await.unwrap().unwrap().id, a);
    assert_eq!(pd.region_by_id(999_999).await.unwrap(), None);
    assert_eq!(pd.previous_region(encoded("g")).await.unwrap().unwrap().id, a);
    let scanned = pd.scan_regions(encoded("a"), encoded("g"), 10).await.unwrap();
    assert_eq!(scanned.iter().map(|region| region.id).collect::<Vec<_>>(), [a, b]);
    let scanned = pd.scan_regions(Bytes::new(), Bytes::new(), 2).await.unwrap();
    assert_eq!(scanned.iter().map(|region| region.id).collect::<Vec<_>>(), [a, b]);

    let cache = RegionCache::new(pd);
    assert_eq!(cache.locate(b"z").await.unwrap().id, 2);
    assert_eq!(cache.locate_before(b"f").await.unwrap().id, a);
    assert_eq!(cache.locate_before(b"").await.unwrap().id, 2);
    let all = cache.locate_range(b"a", b"q").await.unwrap();
    assert_eq!(all.iter().map(|region| region.id).collect::<Vec<_>>(), [a, b, 2]);
}

#[tokio::test]
async fn batch_scans_join_ranges_and_notice_holes() {
    let fixture = Fixture::start().await;
    fixture.bootstrap().await;
    let mut raw = fixture.raw().await;
    let parts = vec![region(3, 2, "", "f"), region(2, 2, "f", "")];
    let report = pdpb::ReportBatchSplitRequest { header: fixture.header(), regions: parts };
    raw.report_batch_split(report).await.unwrap();
    let range = |start: &str, end: &str| pdpb::KeyRange { start_key: encoded(start), end_key: encoded(end) };
    let request = pdpb::BatchScanRegionsRequest {
        header: fixture.header(),
        ranges: vec![range("a", "b"), range("c", "g")],
        contain_all_key_range: true,
        ..Default::default()
    };
    let answer = raw.batch_scan_regions(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.regions.len(), 2);
    let swapped = pdpb::BatchScanRegionsRequest { ranges: vec![range("c", "g"), range("a", "b")], ..request };
    assert_eq!(raw.batch_scan_regions(swapped).await.unwrap_err().code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn heartbeats_bring_regions_and_store_statistics() {
    let fixture = Fixture::start().await;
    fixture.bootstrap().await;
    let mut raw = fixture.raw().await;
    let (heartbeats, stream) = tokio::sync::mpsc::channel(4);
    let _answers = raw.region_heartbeat(tokio_stream::wrappers::ReceiverStream::new(stream)).await.unwrap();
    let beat = pdpb::RegionHeartbeatRequest {
        header: fixture.header(),
        region: Some(region(2, 5, "", "")),
        leader: region(2, 5, "", "").peers.first().cloned(),
        ..Default::default()
    };
    heartbeats.send(beat).await.unwrap();
    let pd = fixture.pd().await;
    tokio::time::timeout(super::PATIENCE, async {
        while pd.region_by_id(2).await.unwrap().unwrap().epoch.version != 5 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let stats = pdpb::StoreStats { store_id: 1, capacity: 7, ..Default::default() };
    let request = pdpb::StoreHeartbeatRequest { header: fixture.header(), stats: Some(stats) };
    let answer = raw.store_heartbeat(request).await.unwrap().into_inner();
    assert_eq!(answer.cluster_version, local_pd::VERSION);
    assert!(matches!(pd.store(9).await, Err(Error::Pd { .. })));
    assert_eq!(pd.all_stores().await.unwrap().len(), 1);
    let ids = pdpb::AllocIdRequest { header: fixture.header(), count: 3 };
    let first = raw.alloc_id(ids.clone()).await.unwrap().into_inner().id;
    assert_eq!(raw.alloc_id(ids).await.unwrap().into_inner().id, first + 3);
}
