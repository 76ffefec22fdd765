//! Settings of the cluster, and rules that give labels to ranges.

use tikv_proto::pdpb;

use super::{Fixture, PATIENCE};

fn put(name: &str, value: &str) -> pdpb::GlobalConfigItem {
    pdpb::GlobalConfigItem { name: name.to_owned(), payload: value.to_owned().into(), ..Default::default() }
}

fn delete(name: &str) -> pdpb::GlobalConfigItem {
    let kind = pdpb::EventType::Delete.into();
    pdpb::GlobalConfigItem { name: name.to_owned(), kind, ..Default::default() }
}

async fn store(fixture: &Fixture, changes: Vec<pdpb::GlobalConfigItem>) {
    let request = pdpb::StoreGlobalConfigRequest { changes, ..Default::default() };
    fixture.raw().await.store_global_config(request).await.unwrap();
}

async fn load(fixture: &Fixture, names: &[&str]) -> pdpb::LoadGlobalConfigResponse {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    let request = pdpb::LoadGlobalConfigRequest { names, ..Default::default() };
    fixture.raw().await.load_global_config(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn settings_are_read_by_name_or_all_at_once_and_survive_a_crash() {
    let fixture = Fixture::start().await;
    let missing = load(&fixture, &["source_id"]).await.items.remove(0);
    let error = missing.error.unwrap();
    assert_eq!(error.r#type(), pdpb::ErrorType::GlobalConfigNotFound);
    assert_eq!(error.message, "key source_id not found");
    // Older clients give a text in place of bytes.
    let old =
        pdpb::GlobalConfigItem { name: "old".to_owned(), value: "text".to_owned(), ..Default::default() };
    store(&fixture, vec![put("source_id", "7"), old]).await;
    let fixture = fixture.crash().await;
    let named = load(&fixture, &["source_id", "none", "old"]).await;
    let values: Vec<_> = named.items.iter().map(|item| (&item.name[..], &item.payload[..])).collect();
    assert_eq!(values, [("source_id", &b"7"[..]), ("none", b""), ("old", b"text")]);
    store(&fixture, vec![delete("old")]).await;
    let all = load(&fixture, &[]).await;
    let names: Vec<_> = all.items.iter().map(|item| &item.name[..]).collect();
    assert_eq!(names, ["/global/config/source_id"]);
    assert!(all.revision > 1);
}

#[tokio::test]
async fn a_watch_tells_of_changes_from_its_revision_on() {
    let fixture = Fixture::start().await;
    store(&fixture, vec![put("a", "1")]).await;
    let revision = load(&fixture, &[]).await.revision;
    let request = pdpb::WatchGlobalConfigRequest { revision, ..Default::default() };
    let mut changes = fixture.raw().await.watch_global_config(request).await.unwrap().into_inner();
    let mut next = async || {
        let message = tokio::time::timeout(PATIENCE, changes.message()).await.unwrap().unwrap().unwrap();
        let change = |item: &pdpb::GlobalConfigItem| {
            (item.name.clone(), item.kind(), String::from_utf8(item.payload.to_vec()).unwrap())
        };
        message.changes.iter().map(change).collect::<Vec<_>>()
    };
    let a = |kind, value: &str| vec![("/global/config/a".to_owned(), kind, value.to_owned())];
    assert_eq!(next().await, a(pdpb::EventType::Put, "1"));
    fixture.etcd().put("/elsewhere", "x", 0).await.unwrap();
    store(&fixture, vec![put("a", "2")]).await;
    assert_eq!(next().await, a(pdpb::EventType::Put, "2"));
    store(&fixture, vec![delete("a")]).await;
    assert_eq!(next().await, a(pdpb::EventType::Delete, "2"));
}
