//! Regions, stores, held versions and server versions, as different placement drivers tell them.

use bytes::Bytes;
use local_pd::PdConfig;
use tempfile::TempDir;
use tikv_client::{Error, EtcdClient, PdClient, RegionCache, Security};
use tikv_proto::{metapb, pdpb};
use tonic::Status;

use super::facade::{Call, Facade, Plan};

/// A placement driver behind a facade that it advertises as its own address.
struct Front {
    facade: Facade,
    client: PdClient,
    pd: local_pd::Running,
    _dir: TempDir,
}

impl Front {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pd = local_pd::start(PdConfig::new(([127, 0, 0, 1], 0).into(), dir.path())).await.unwrap();
        let facade = Facade::start(pd.url()).await;
        Self::scripted(&facade, &pd, |_| None);
        let client = PdClient::connect(&[facade.url()], Security::none()).await.unwrap();
        Self { facade, client, pd, _dir: dir }
    }

    /// Members are told so that the facade leads; the rest goes as the script says, or is handed on.
    fn scripted(
        facade: &Facade,
        pd: &local_pd::Running,
        script: impl Fn(&Call) -> Option<Plan> + Send + Sync + 'static,
    ) {
        let (url, cluster_id) = (facade.url(), pd.cluster_id());
        facade.script(move |call| {
            let member = pdpb::Member { client_urls: vec![url.clone()], ..Default::default() };
            match call.method.as_str() {
                "GetMembers" => Plan::always(pdpb::GetMembersResponse {
                    header: Some(pdpb::ResponseHeader { cluster_id, error: None }),
                    members: vec![member.clone()],
                    leader: Some(member),
                    etcd_leader: None,
                }),
                _ => script(call).unwrap_or(Plan::Pass),
            }
        });
    }

    fn script(&self, script: impl Fn(&Call) -> Option<Plan> + Send + Sync + 'static) {
        Self::scripted(&self.facade, &self.pd, script);
    }
}

/// A region with peers on stores; the first one leads.
fn region(id: u64, start: &str, end: &str, stores: &[u64]) -> pdpb::Region {
    let peer = |store: &u64| metapb::Peer { id: store + 100, store_id: *store, ..Default::default() };
    let key = |text: &str| {
        let mut key = text.as_bytes().to_vec();
        if !key.is_empty() {
            key.resize(8, 0);
            key.push(0xFF - (8 - text.len() as u8));
        }
        Bytes::from(key)
    };
    let peers: Vec<metapb::Peer> = stores.iter().map(peer).collect();
    pdpb::Region {
        leader: peers.first().copied(),
        region: Some(metapb::Region {
            id,
            start_key: key(start),
            end_key: key(end),
            region_epoch: Some(metapb::RegionEpoch { conf_ver: 1, version: 1 }),
            peers,
        }),
        ..Default::default()
    }
}

/// Regions of the scripted cluster.
fn regions() -> Vec<pdpb::Region> {
    vec![
        region(1, "", "c", &[1]),
        region(2, "c", "f", &[2, 1]),
        region(3, "f", "m", &[3, 1]),
        region(4, "m", "t", &[2, 3]),
        region(5, "t", "", &[1, 2]),
    ]
}

/// Answers look-ups of regions and stores: store 1 is there, store 2 was removed, store 3 is a TiFlash node.
fn topology(call: &Call, cluster_id: u64, batches: bool) -> Option<Plan> {
    let header = Some(pdpb::ResponseHeader { cluster_id, error: None });
    let inside = |region: &pdpb::Region, start: &[u8], end: &[u8]| {
        let meta = region.region.as_ref().unwrap();
        (meta.end_key.is_empty() || meta.end_key > start) && (end.is_empty() || meta.start_key < end)
    };
    Some(match call.method.as_str() {
        "GetStore" => Plan::answer(move |request: pdpb::GetStoreRequest| {
            let mut store = metapb::Store {
                id: request.store_id,
                address: format!("store-{}:20160", request.store_id),
                ..Default::default()
            };
            if store.id == 2 {
                store.set_state(metapb::StoreState::Tombstone);
            }
            if store.id == 3 {
                store.labels = vec![metapb::StoreLabel { key: "engine".into(), value: "tiflash".into() }];
            }
            pdpb::GetStoreResponse { header, store: Some(store), ..Default::default() }
        }),
        "BatchScanRegions" if !batches => Plan::Refuse(Status::unimplemented("unknown method")),
        "BatchScanRegions" => Plan::answer(move |request: pdpb::BatchScanRegionsRequest| {
            let mut found = regions();
            found.retain(|region| {
                request.ranges.iter().any(|range| inside(region, &range.start_key, &range.end_key))
            });
            pdpb::BatchScanRegionsResponse { header, regions: found }
        }),
        "ScanRegions" => Plan::answer(move |request: pdpb::ScanRegionsRequest| {
            let mut found = regions();
            found.retain(|region| inside(region, &request.start_key, &request.end_key));
            found.truncate(request.limit as usize);
            pdpb::ScanRegionsResponse { header, regions: found, ..Default::default() }
        }),
        _ => return None,
    })
}

#[tokio::test]
async fn regions_of_several_ranges_come_in_one_call_or_in_one_for_each() {
    let key = |text: &str| region(0, text, "", &[1]).region.unwrap().start_key;
    let ranges = [(key("a"), key("b")), (key("g"), key("h")), (key("u"), Bytes::new())];
    for batches in [true, false] {
        let front = Front::start().await;
        let id = front.client.cluster_id();
        front.script(move |call| topology(call, id, batches));
        for _ in 0..2 {
            let found = front.client.batch_scan_regions(&ranges, 100).await.unwrap();
            let found: Vec<(u64, &str)> =
                found.iter().map(|region| (region.id, region.store_address.as_str())).collect();
            // Region 3 is led by a TiFlash node as told; its other peer is asked.
            assert_eq!(found, [(1, "store-1:20160"), (3, "store-1:20160"), (5, "store-1:20160")]);
        }
        let calls = (front.facade.count("BatchScanRegions"), front.facade.count("ScanRegions"));
        assert_eq!(calls, if batches { (2, 0) } else { (1, 6) }, "the refusal is remembered");
    }
}

#[tokio::test]
async fn a_region_without_a_store_is_left_out_and_the_others_are_found() {
    let front = Front::start().await;
    let id = front.client.cluster_id();
    front.script(move |call| topology(call, id, true));
    let found = front.client.scan_regions(Bytes::new(), Bytes::new(), 100).await.unwrap();
    // Region 4 has peers on a removed store and a TiFlash node only.
    assert_eq!(found.iter().map(|region| region.id).collect::<Vec<_>>(), [1, 2, 3, 5]);
    assert_eq!(found[1].leader.store_id, 1, "the removed store is passed over");
    assert!(matches!(front.client.store_address(2).await, Err(Error::StoreNotFound { store_id: 2 })));
    assert!(matches!(front.client.store_address(3).await, Err(Error::StoreNotFound { store_id: 3 })));
}

#[tokio::test]
async fn a_long_range_is_loaded_at_once_and_then_known() {
    let front = Front::start().await;
    let id = front.client.cluster_id();
    front.script(move |call| topology(call, id, true));
    let cache = RegionCache::new(front.client.clone());
    let ids = |regions: Vec<std::sync::Arc<tikv_client::Region>>| -> Vec<u64> {
        regions.iter().map(|region| region.id).collect()
    };
    assert_eq!(ids(cache.locate_range(b"a", b"h").await.unwrap()), [1, 2, 3]);
    assert_eq!(front.facade.count("ScanRegions"), 1);
    assert_eq!(ids(cache.locate_range(b"b", b"g").await.unwrap()), [1, 2, 3]);
    assert_eq!(front.facade.count("ScanRegions"), 1, "they are known");
    // Two holes: one call for both.
    cache.invalidate(1);
    cache.invalidate(3);
    assert_eq!(ids(cache.locate_range(b"a", b"h").await.unwrap()), [1, 2, 3]);
    assert_eq!((front.facade.count("ScanRegions"), front.facade.count("BatchScanRegions")), (1, 1));
}

#[tokio::test]
async fn versions_are_held_by_a_service_and_by_a_barrier_only_where_there_are_no_services() {
    let front = Front::start().await;
    let client = &front.client;
    assert!(client.hold_versions("cdc", 600, 50).await.unwrap() <= 50);
    assert!(client.hold_versions("other", 600, 60).await.unwrap() <= 50);
    client.hold_versions("other", 0, 0).await.unwrap();
    assert_eq!(front.facade.count("UpdateServiceGCSafePoint"), 3);
    assert_eq!(front.facade.count("SetGCBarrier"), 0);

    let front = Front::start().await;
    front.script(|call| {
        (call.method == "UpdateServiceGCSafePoint")
            .then(|| Plan::Refuse(Status::unimplemented("unknown method")))
    });
    let client = &front.client;
    assert!(client.hold_versions("cdc", 600, 50).await.unwrap() <= 50);
    assert!(client.hold_versions("other", 600, 40).await.unwrap() <= 40);
    client.hold_versions("other", 0, 0).await.unwrap();
    assert!(client.hold_versions("cdc", 600, 60).await.unwrap() <= 60);
    let held = client.gc_state(None).await.unwrap().unwrap().gc_barriers;
    let held: Vec<(String, u64)> =
        held.into_iter().map(|barrier| (barrier.barrier_id, barrier.barrier_ts)).collect();
    assert!(held.contains(&("cdc".to_owned(), 60)), "{held:?}");
    assert!(!held.iter().any(|(id, _)| id == "other"), "{held:?}");
    assert_eq!(front.facade.count("UpdateServiceGCSafePoint"), 1, "the refusal is remembered");
    assert_eq!((front.facade.count("SetGCBarrier"), front.facade.count("DeleteGCBarrier")), (3, 1));
}

#[tokio::test]
async fn a_barrier_that_comes_too_late_tells_how_far_versions_are_gone() {
    let front = Front::start().await;
    let id = front.client.cluster_id();
    front.script(move |call| {
        let header = Some(pdpb::ResponseHeader { cluster_id: id, error: None });
        let error = pdpb::Error { r#type: pdpb::ErrorType::Unknown.into(), message: "too late".into() };
        match call.method.as_str() {
            "UpdateServiceGCSafePoint" => Some(Plan::Refuse(Status::unimplemented("unknown method"))),
            "SetGCBarrier" => Some(Plan::always(pdpb::SetGcBarrierResponse {
                header: Some(pdpb::ResponseHeader { cluster_id: id, error: Some(error) }),
                new_barrier_info: None,
            })),
            "GetGCState" => Some(Plan::always(pdpb::GetGcStateResponse {
                header,
                gc_state: Some(pdpb::GcState { txn_safe_point: 90, ..Default::default() }),
            })),
            _ => None,
        }
    });
    assert_eq!(front.client.hold_versions("cdc", 600, 50).await.unwrap(), 90);
    // A refusal for another reason stays one.
    assert!(matches!(front.client.hold_versions("cdc", 600, 95).await, Err(Error::Pd { .. })));
}

#[tokio::test]
async fn servers_that_are_too_old_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let pd = local_pd::start(PdConfig::new(([127, 0, 0, 1], 0).into(), dir.path())).await.unwrap();
    let facade = Facade::start(pd.url()).await;
    let store = |id, version: &str, label: &str| metapb::Store {
        id,
        address: format!("store-{id}:20160"),
        version: version.into(),
        labels: vec![metapb::StoreLabel { key: "engine".into(), value: label.into() }],
        ..Default::default()
    };
    let check = async |stores: Vec<metapb::Store>| {
        let (cluster_id, url) = (pd.cluster_id(), facade.url());
        facade.script(move |call| {
            let header = Some(pdpb::ResponseHeader { cluster_id, error: None });
            let member = pdpb::Member { client_urls: vec![url.clone()], member_id: 9, ..Default::default() };
            match call.method.as_str() {
                "GetMembers" => Plan::always(pdpb::GetMembersResponse {
                    header,
                    members: vec![member.clone()],
                    leader: Some(member),
                    etcd_leader: None,
                }),
                "GetAllStores" => Plan::always(pdpb::GetAllStoresResponse { header, stores: stores.clone() }),
                _ => Plan::Pass,
            }
        });
        let client = PdClient::connect(&[facade.url()], Security::none()).await.unwrap();
        let etcd = EtcdClient::new(&[facade.url()], Security::none()).unwrap();
        client.check_versions(&etcd).await
    };
    check(vec![store(1, "v8.5.4", ""), store(2, "6.1.0", "tiflash")]).await.unwrap();
    let error = check(vec![store(1, "8.5.4", ""), store(2, "v6.4.9", "")]).await.unwrap_err();
    assert!(error.to_string().contains("TiKV store 2 at store-2:20160 is v6.4.9"), "{error}");
    let etcd = EtcdClient::new(&[facade.url()], Security::none()).unwrap();
    let key = format!("/pd/{}/member/9/binary_version", pd.cluster_id());
    etcd.put(key, "v6.1.0", 0).await.unwrap();
    let error = check(vec![store(1, "8.5.4", "")]).await.unwrap_err();
    assert!(matches!(&error, Error::VersionIncompatible { version, .. } if version == "v6.1.0"), "{error}");
}
