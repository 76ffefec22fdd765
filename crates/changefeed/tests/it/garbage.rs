//! Old versions of rows are held for changefeeds, and not for ever.

use std::time::Instant;

use changefeed_config::State;

use crate::cluster::{Cluster, DEADLINE, request};

/// How long old versions are held for a changefeed that stands still. Much longer than one round of the loop below takes,
/// so that the hold on versions never ends before the owner looks at it again.
const GC_TTL_SECONDS: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_changefeed_is_given_up_after_the_gc_ttl() {
    let mut cluster = Cluster::start().await;
    cluster.create_database().await;
    let owner = cluster.owner_with_gc_ttl(GC_TTL_SECONDS).await;
    let start = cluster.pd.get_ts().await.expect("ts");
    owner.create(request("paused", cluster.sink_uri("paused"), start)).await.expect("created");
    owner.pause("paused").await.expect("paused");
    // TiDB's own collector has moved on: nobody but the changefeed holds versions back.
    let now = cluster.pd.get_ts().await.expect("ts");
    cluster.pd.update_service_gc_safepoint("gc_worker", i64::MAX, now).await.expect("a safepoint");
    let began = Instant::now();
    // The safepoint is looked at whenever the set of changefeeds changes.
    let error = loop {
        let view = owner.get("paused").expect("known");
        match view.info.error.clone() {
            Some(error) => break error,
            None => assert!(began.elapsed() < DEADLINE, "state {:?}", view.info.state),
        }
        let now = cluster.pd.get_ts().await.expect("ts");
        owner.create(request("other", cluster.sink_uri("other"), now)).await.expect("created");
        owner.remove("other").await.expect("removed");
    };
    assert_eq!(error.code, "CDC:ErrGCTTLExceeded", "{}", error.message);
    assert!(began.elapsed().as_secs() + 1 >= GC_TTL_SECONDS, "given up after {:?}", began.elapsed());
    let view = owner.get("paused").expect("known");
    assert_eq!(view.info.state, State::Failed);
    assert!(!view.info.blocks_gc());
    owner.step_down().await;
    cluster.stop().await;
}
