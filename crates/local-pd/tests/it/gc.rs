//! Safepoints.

use tikv_client::Error;

use super::Fixture;

#[tokio::test]
async fn service_safepoints_hold_the_minimum_and_survive_a_crash() {
    let fixture = Fixture::start().await;
    let pd = fixture.pd().await;
    assert_eq!(pd.update_service_gc_safepoint("cdc", 100, 50).await.unwrap(), 0);
    assert_eq!(pd.update_service_gc_safepoint("gc_worker", i64::MAX, 80).await.unwrap(), 50);
    assert_eq!(pd.update_service_gc_safepoint("br", 100, 40).await.unwrap(), 50);
    assert_eq!(pd.update_gc_safepoint(30).await.unwrap(), 30);
    assert_eq!(pd.update_gc_safepoint(20).await.unwrap(), 30);
    let fixture = fixture.crash().await;
    let pd = fixture.pd().await;
    assert_eq!(pd.gc_safepoint().await.unwrap(), 30);
    assert_eq!(pd.update_service_gc_safepoint("cdc", 0, 0).await.unwrap(), 80);
}

#[tokio::test]
async fn barriers_need_a_timestamp_that_is_still_there() {
    let fixture = Fixture::start().await;
    let pd = fixture.pd().await;
    pd.update_service_gc_safepoint("gc_worker", i64::MAX, 80).await.unwrap();
    assert!(matches!(pd.set_gc_barrier(None, "cdc", 79, 10).await, Err(Error::Pd { .. })));
    let barrier = pd.set_gc_barrier(None, "cdc", 90, 10).await.unwrap().unwrap();
    assert_eq!(barrier.barrier_ts, 90);
    let state = pd.gc_state(None).await.unwrap().unwrap();
    assert_eq!((state.txn_safe_point, state.gc_barriers.len()), (80, 1));
    assert!(pd.delete_gc_barrier(None, "cdc").await.unwrap().is_some());
    assert!(pd.delete_gc_barrier(None, "cdc").await.unwrap().is_none());
    assert!(matches!(pd.gc_state(Some(7)).await, Err(Error::Rpc { .. })));
}
