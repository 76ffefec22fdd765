//! Regions: splits by request and by size, under load.

use crate::cluster::{Cluster, bytes, context, encode, is_epoch_error, put};
use std::time::Duration;
use tikv_proto::{kvrpcpb::*, metapb::Region};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_makes_parts_with_new_epochs_and_keeps_the_data() {
    let mut cluster = Cluster::start().await;
    cluster.write(vec![put("a", "1"), put("m", "1"), put("z", "1")]).await;
    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("b", "2"), put("y", "2")], start_ts).await;
    let old = cluster.region_of("a");
    let parts = cluster.split(&old, &["m", "t"]).await.regions;
    let bounds: Vec<_> = parts.iter().map(|part| (part.start_key.to_vec(), part.end_key.to_vec())).collect();
    let (m, t) = (encode(b"m"), encode(b"t"));
    assert_eq!(bounds, [(vec![], m.clone()), (m, t.clone()), (t, vec![])]);
    assert!(
        parts.iter().all(|part| part.region_epoch.unwrap().version == old.region_epoch.unwrap().version + 2)
    );
    assert_eq!(parts[2].id, old.id, "the right part keeps the id");
    assert!(parts[0].id != old.id && parts[0].id != parts[1].id && parts[0].peers[0].id != old.peers[0].id);

    let request = GetRequest { context: Some(context(&old)), key: bytes("z"), version: cluster.ts() };
    let error = cluster.client.clone().kv_get(request).await.unwrap().into_inner().region_error;
    assert!(is_epoch_error(&error));
    let request = GetRequest { context: Some(context(&parts[0])), key: bytes("z"), version: cluster.ts() };
    let error = cluster.client.clone().kv_get(request).await.unwrap().into_inner().region_error.unwrap();
    assert_eq!(error.key_not_in_region.unwrap().region_id, parts[0].id);
    assert!(cluster.split(&old, &["c"]).await.region_error.is_some());

    for restarted in [false, true] {
        if restarted {
            cluster.restart().await;
        }
        for key in ["a", "m", "z"] {
            assert_eq!(cluster.value(key, start_ts).await.as_deref(), Some("1"), "{key}");
        }
        assert_eq!(
            cluster.get("b", cluster.ts()).await.error.unwrap().locked.unwrap().lock_version,
            start_ts
        );
    }
    let commit_ts = cluster.ts();
    cluster.commit(&["b"], start_ts, commit_ts).await;
    cluster.commit(&["y"], start_ts, commit_ts).await;
    assert_eq!(cluster.value("y", commit_ts).await.as_deref(), Some("2"));
    assert!(
        cluster.split(&cluster.region_of("z"), &["t"]).await.region_error.is_none(),
        "nothing to do at a bound"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_grows_is_split() {
    let cluster = Cluster::start_with(|config| config.region_split_size = 512 * 1024).await;
    let value = "v".repeat(1000);
    for batch in 0..30 {
        let mutations = (0..50).map(|n| put(&format!("k{batch:02}{n:02}"), &value)).collect::<Vec<_>>();
        let start_ts = cluster.ts();
        // Splits come between: the whole transaction is tried again until it finds one region.
        loop {
            let parts = cluster.pd.regions();
            let covers = |region: &Region, key: &[u8]| {
                let key = encode(key);
                region.start_key.as_ref() <= &key[..]
                    && (region.end_key.is_empty() || &key[..] < region.end_key.as_ref())
            };
            // Regions are reported one by one: between the two halves of a split PD knows neither here.
            let Some(part) = parts.iter().find(|region| covers(region, &mutations[0].key)) else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            assert!(
                covers(part, &mutations[49].key),
                "splits fall between batches that are written in order"
            );
            let response = cluster.prewrite(mutations.clone(), start_ts).await;
            assert_eq!(response.errors, []);
            if response.region_error.is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let keys: Vec<String> = (0..50).map(|n| format!("k{batch:02}{n:02}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let commit_ts = cluster.ts();
        for chunk in keys.chunks(1) {
            while cluster.commit(chunk, start_ts, commit_ts).await.region_error.is_some() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    let is_whole = |parts: &[Region]| {
        parts.len() >= 3 && parts.windows(2).all(|pair| pair[0].end_key == pair[1].start_key)
    };
    for _ in 0..100 {
        if is_whole(&cluster.pd.regions()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let parts = cluster.pd.regions();
    assert!(is_whole(&parts), "{parts:?}");
    let mut found = 0;
    for part in &parts {
        let request = ScanRequest {
            context: Some(context(part)),
            limit: 10_000,
            version: cluster.ts(),
            ..Default::default()
        };
        found += cluster.client.clone().kv_scan(request).await.unwrap().into_inner().pairs.len();
    }
    assert_eq!(found, 1500);
}
