use std::collections::BTreeMap;
use std::time::Duration;

use changefeed_config::{RunningError, State};
use tikv_cdc::key_range::KeyRange;
use tikv_cdc::{ErrorReport, FailureKind, LiveLock, RegionReport, RegionStage, SpanReport};

use super::*;
use crate::memory::{FeedMemory, MemoryUse};
use crate::progress::Unacknowledged;
use crate::table::Position;

/// A timestamp so many seconds after some beginning.
fn at(seconds: u64) -> u64 {
    (1_700_000_000_000 + seconds * 1000) << 18
}

/// Now.
const NOW: u64 = 100;

/// Seconds.
fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// An account.
fn account(used_bytes: usize, prewrites: usize) -> MemoryUse {
    MemoryUse { quota_bytes: 1000, used_bytes, stages: BTreeMap::from([("prewrites", prewrites)]) }
}

/// A changefeed in a state that does nothing.
fn idle(state: State) -> Facts {
    Facts {
        id: "feed".to_owned(),
        now_ts: at(NOW),
        state,
        state_for: Some(secs(7)),
        error: None,
        checkpoint_ts: at(60),
        resolved_ts: at(60),
        activity: Activity::Idle,
        store: StoreFacts { saved_ts: at(60), failing: None, saving: None },
        memory: FeedMemory { own: account(0, 0), process: account(0, 0) },
    }
}

/// An error of a state.
fn error(code: &str) -> Option<RunningError> {
    Some(RunningError {
        time: "2026-11-26T00:00:00Z".to_owned(),
        addr: "127.0.0.1:8300".to_owned(),
        code: code.to_owned(),
        message: "it went wrong".to_owned(),
    })
}

/// A table.
fn table(id: i64) -> TableAnswer {
    TableAnswer { physical_id: id, database_name: "shop".to_owned(), table_name: format!("t{id}") }
}

/// The region that holds a span at 60 s.
fn region(stage: Option<RegionStage>) -> RegionReport {
    RegionReport {
        region: Some(5),
        version: Some(9),
        keys: KeyRange::new("a", "b"),
        resolved_ts: at(60),
        store: Some("10.0.0.7:20160".to_owned()),
        stage,
        stage_for: Some(secs(33)),
        locks_checked: Some(secs(2)),
        live_locks: Vec::new(),
    }
}

/// A span that a region holds.
fn span(region: RegionReport) -> SpanReport {
    SpanReport {
        id: 1,
        keys: KeyRange::new("a", "c"),
        start_ts: 0,
        resolved_ts: at(60),
        resolved_for: secs(40),
        initialized: true,
        queued: 0,
        scanning: 0,
        live: 3,
        retrying: 0,
        waiting: 0,
        uncovered: 0,
        slowest: Some(region),
        last_error: None,
    }
}

/// A changefeed that runs, with the schema at 99 s; its only table 110 has sent and delivered all that it got: up to 60 s.
fn running() -> (Facts, RunFacts) {
    let run = RunFacts {
        checkpoint_ts: at(60),
        checkpoint_for: secs(41),
        schema_ts: at(99),
        target_ts: u64::MAX,
        slowest: Some(TableFacts {
            table: table(110),
            checkpoint_ts: at(60),
            resolved_ts: at(60),
            position: Position {
                allowed_ts: at(60),
                sent_ts: at(60),
                newest_ts: at(50),
                ..Position::default()
            },
            source: Some(span(region(Some(RegionStage::Live)))),
            ..TableFacts::default()
        }),
        sink: SinkFacts { brokers: "k1:9092,k2:9092".to_owned(), ..SinkFacts::default() },
        ..RunFacts::default()
    };
    (idle(State::Normal), run)
}

/// The answer for a changefeed that runs.
fn answer(mut facts: Facts, run: RunFacts) -> Why {
    facts.activity = Activity::Running(Box::new(run));
    explain(&facts)
}

/// Stage and reason.
fn kind(why: &Why) -> (Stage, Reason) {
    (why.stage, why.reason)
}

/// A DDL that finished at 70 s.
fn ddl() -> DdlFacts {
    DdlFacts {
        job_id: 77,
        action: "add column".to_owned(),
        query: "ALTER TABLE t110\n ADD COLUMN x INT".to_owned(),
        finished_ts: at(70),
        ..DdlFacts::default()
    }
}

/// Messages on a partition.
fn open(partition: i32, messages: usize) -> Unacknowledged {
    Unacknowledged { topic: "orders".to_owned(), partition, messages }
}

#[test]
fn a_small_lag_is_healthy() {
    let (mut facts, mut run) = running();
    run.checkpoint_ts = at(99);
    facts.checkpoint_ts = at(98);
    facts.store.saved_ts = at(98);
    let why = answer(facts, run);
    assert!(why.healthy);
    assert_eq!(kind(&why), (Stage::None, Reason::Healthy));
    assert_eq!(why.summary, "healthy: lag is the resolved-ts cadence (1.0 s)");
    assert_eq!((why.held_for, why.lag), (None, secs(1)));
}

#[test]
fn states_say_what_to_do() {
    let why = explain(&idle(State::Stopped));
    assert_eq!(kind(&why), (Stage::State, Reason::Paused));
    assert_eq!((why.state, why.held_for), ("stopped", Some(secs(7))));
    assert_eq!(why.frees, "cdc cli changefeed resume -c feed");
    assert_eq!(why.summary, "paused by a user");

    let why = explain(&Facts { error: error("CDC:ErrTableIneligible"), ..idle(State::Failed) });
    assert_eq!(kind(&why), (Stage::Schema, Reason::Failed));
    assert_eq!(why.summary, "failed: [CDC:ErrTableIneligible]it went wrong");
    assert_eq!(why.error.unwrap().code, "CDC:ErrTableIneligible");

    let why = explain(&Facts { error: error("CDC:ErrSnapshotLostByGC"), ..idle(State::Failed) });
    assert!(why.frees.contains("--overwrite-checkpoint-ts"), "{}", why.frees);

    assert_eq!(explain(&idle(State::Finished)).reason, Reason::Finished);
    assert_eq!(explain(&idle(State::Removed)).reason, Reason::Removed);
    assert!(
        [State::Stopped, State::Failed, State::Finished].iter().all(|state| !explain(&idle(*state)).healthy)
    );
}

#[test]
fn a_paused_changefeed_is_paused_even_while_its_last_run_ends() {
    let (mut facts, run) = running();
    facts.state = State::Stopped;
    assert_eq!(answer(facts, run).reason, Reason::Paused);
}

#[test]
fn between_runs_the_error_tells_the_stage() {
    for (code, stage) in [
        ("CDC:ErrKafkaNewProducer", Stage::Sink),
        ("CDC:ErrDiskFull", Stage::Sorter),
        ("CDC:ErrEventFeedAborted", Stage::Source),
        ("CDC:ErrDecodeRowToDatum", Stage::Schema),
        ("CDC:ErrCanalEncodeFailed", Stage::Encoder),
        ("CDC:ErrPipelineClosed", Stage::State),
    ] {
        let activity = Activity::Retrying { left: secs(3) };
        let why = explain(&Facts { error: error(code), activity, ..idle(State::Warning) });
        assert_eq!(kind(&why), (stage, Reason::Retrying), "{code}");
        assert!(
            why.summary.starts_with(&format!("tried again in 3.0 s: [{code}]it went wrong")),
            "{}",
            why.summary
        );
        assert!(why.summary.ends_with("(checkpoint lag 40.0 s)"), "{}", why.summary);
    }
}

#[test]
fn a_beginning_names_its_step_and_a_silent_loop_is_told() {
    for (step, stage) in [
        (StartStep::Schema, Stage::Schema),
        (StartStep::Sink, Stage::Sink),
        (StartStep::Sorter, Stage::Sorter),
    ] {
        let why =
            explain(&Facts { activity: Activity::Starting { step, since: secs(4) }, ..idle(State::Normal) });
        assert_eq!((kind(&why), why.held_for), ((stage, Reason::Starting), Some(secs(4))));
    }
    let why = explain(&Facts { activity: Activity::Silent(secs(2)), ..idle(State::Normal) });
    assert_eq!(kind(&why), (Stage::Pipeline, Reason::Silent));
}

#[test]
fn a_lock_is_named_with_its_primary_key_and_age() {
    let (facts, mut run) = running();
    let mut held = region(Some(RegionStage::Live));
    let primary = tidb_codec::key::record_key(111, &tidb_codec::key::Handle::Int(-3));
    let key = tidb_codec::key::record_key(110, &tidb_codec::key::Handle::Int(8));
    let lock = |start_ts| LiveLock {
        start_ts,
        primary: primary.clone().into(),
        key: key.clone().into(),
        ttl: Duration::from_secs(45),
    };
    held.live_locks = vec![lock(at(60)), lock(at(61))];
    run.slowest.as_mut().unwrap().source = Some(span(held));
    run.slowest.as_mut().unwrap().ddl = Some(ddl());
    let why = answer(facts, run);
    assert_eq!(kind(&why), (Stage::Source, Reason::LiveLock));
    let lock = why.lock.unwrap();
    assert_eq!((lock.start_ts, lock.age, lock.other_transactions), (at(60), secs(40), 1));
    assert_eq!(lock.primary_key, "74800000000000006F5F727FFFFFFFFFFFFFFD");
    assert_eq!(lock.primary_row.as_deref(), Some("table id 111, row -3"));
    assert_eq!(lock.row.as_deref(), Some("table id 110, row 8"));
    let region = why.region.unwrap();
    assert_eq!((region.region_id, region.store.as_deref()), (Some(5), Some("10.0.0.7:20160")));
    assert_eq!((why.held_for, why.table), (Some(secs(40)), Some(table(110))));
    assert_eq!(why.ddl.unwrap().job_id, 77, "a DDL that waits for the table is told, too");
    assert!(why.frees.ends_with("once it expires, in 5.0 s"), "{}", why.frees);
    for part in
        ["table shop.t110 (physical id 110)", "region 5 at store 10.0.0.7:20160", "table id 111, row -3"]
    {
        assert!(why.summary.contains(part), "{part}: {}", why.summary);
    }
}

#[test]
fn regions_hold_a_table_in_several_ways() {
    for (stage, reason) in [
        (Some(RegionStage::Live), Reason::StoreBehind),
        (Some(RegionStage::Scanning), Reason::RegionScanning),
        (Some(RegionStage::Queued), Reason::RegionQueued),
        (Some(RegionStage::Retrying), Reason::RegionRetrying),
        (None, Reason::RegionLookup),
    ] {
        let (facts, mut run) = running();
        let mut source = span(region(stage));
        source.uncovered = usize::from(stage.is_none());
        source.last_error = Some(ErrorReport {
            kind: FailureKind::NotLeader,
            region: 5,
            text: "no leader".to_owned(),
            ago: secs(1),
        });
        run.slowest.as_mut().unwrap().source = Some(source);
        let why = answer(facts, run);
        assert_eq!(kind(&why), (Stage::Source, reason));
        assert_eq!(why.region.unwrap().last_error.unwrap().code, "NotLeader");
    }
    let (facts, mut run) = running();
    run.slowest.as_mut().unwrap().source = None;
    assert_eq!(answer(facts, run).reason, Reason::NotSubscribed);
}

#[test]
fn used_up_memory_is_told_unless_prewrites_are_what_uses_it() {
    for (used, prewrites, reason) in [(1000, 0, Reason::MemoryQuota), (5000, 4001, Reason::StoreBehind)] {
        let (mut facts, run) = running();
        facts.memory.process = account(used, prewrites);
        let why = answer(facts, run);
        assert_eq!(why.reason, reason);
        assert_eq!(why.stage == Stage::Memory, reason == Reason::MemoryQuota);
    }
}

#[test]
fn events_that_arrived_and_wait_are_not_the_stores_fault() {
    let (facts, mut run) = running();
    run.slowest.as_mut().unwrap().source.as_mut().unwrap().resolved_ts = at(99);
    assert_eq!(kind(&answer(facts, run)), (Stage::Pipeline, Reason::EventsWaiting));
}

#[test]
fn unacknowledged_messages_name_topic_and_partition() {
    let (facts, mut run) = running();
    let slowest = run.slowest.as_mut().unwrap();
    slowest.position.waiting = Some((secs(38), vec![open(2, 30), open(0, 4)]));
    let why = answer(facts, run);
    assert_eq!((kind(&why), why.held_for), ((Stage::Sink, Reason::Unacknowledged), Some(secs(38))));
    let kafka = why.kafka.unwrap();
    assert_eq!((kafka.topic.as_deref(), kafka.partition), (Some("orders"), Some(2)));
    assert_eq!((kafka.unacknowledged_messages, kafka.other_partitions), (30, 1));
    assert_eq!(kafka.oldest, Some(secs(38)));
    assert!(
        why.summary
            .contains("partition 2 of topic orders has not acknowledged 30 messages, the oldest for 38.0 s")
    );
}

#[test]
fn large_messages_on_their_way_to_their_store_are_told_from_those_that_kafka_has_not_acknowledged() {
    let (facts, mut run) = running();
    run.sink.claim_checks = Some("s3://large/p/".to_owned());
    let position = &mut run.slowest.as_mut().unwrap().position;
    (position.waiting, position.storing) = (Some((secs(38), vec![open(2, 3)])), 2);
    let why = answer(facts, run);
    assert_eq!((kind(&why), why.held_for), ((Stage::Sink, Reason::StoringLargeMessages), Some(secs(38))));
    assert!(
        why.summary.contains("2 are on their way to s3://large/p/, the oldest for 38.0 s"),
        "{}",
        why.summary
    );
    assert!(why.kafka.is_none());
}

#[test]
fn a_broker_that_is_away_is_told_however_small_the_lag_is() {
    let (facts, mut run) = running();
    run.checkpoint_ts = at(99);
    run.sink.trouble = Some(("1/1 brokers are down".to_owned(), Some(secs(3))));
    run.slowest.as_mut().unwrap().position.waiting = Some((secs(4), vec![open(1, 2)]));
    let why = answer(facts, run);
    assert_eq!((kind(&why), why.held_for), ((Stage::Sink, Reason::BrokerUnreachable), Some(secs(3))));
    assert!(!why.healthy);
    let kafka = why.kafka.unwrap();
    assert_eq!((kafka.brokers.as_str(), kafka.partition), ("k1:9092,k2:9092", Some(1)));
    assert_eq!(kafka.error.as_deref(), Some("1/1 brokers are down"));
}

#[test]
fn rows_that_are_ready_wait_for_the_producer_or_for_encoders() {
    for (parked, expected) in
        [(true, (Stage::Sink, Reason::SinkFull)), (false, (Stage::Encoder, Reason::Encoding))]
    {
        let (facts, mut run) = running();
        let slowest = run.slowest.as_mut().unwrap();
        (slowest.resolved_ts, slowest.position.allowed_ts, slowest.parked) = (at(99), at(98), parked);
        assert_eq!(kind(&answer(facts, run)), expected);
    }
}

#[test]
fn a_disk_that_takes_no_rows_is_told_before_everything_else() {
    let (facts, mut run) = running();
    run.sorter = SorterFacts {
        memory_bytes: 9,
        disk_bytes: 8,
        refused: Some(("no space left for sorter files at x".to_owned(), secs(6))),
    };
    run.checkpoint_ts = at(99);
    let why = answer(facts, run);
    assert_eq!((kind(&why), why.held_for), ((Stage::Sorter, Reason::SorterDisk), Some(secs(6))));
    assert!(why.summary.contains("no space left for sorter files at x"));
    assert_eq!(why.sorter, Some(SorterAnswer { memory_bytes: 9, disk_bytes: 8 }));
}

#[test]
fn the_schema_holds_everything_when_it_is_furthest_behind() {
    let (facts, mut run) = running();
    run.schema_ts = at(40);
    run.checkpoint_ts = at(40);
    run.schema_source = Some(span(region(Some(RegionStage::Retrying))));
    let why = answer(facts, run);
    assert_eq!(kind(&why), (Stage::Schema, Reason::RegionRetrying));
    assert!(why.summary.starts_with("the list of DDL jobs"), "{}", why.summary);
    assert_eq!(why.table, None);
}

#[test]
fn a_ddl_holds_the_checkpoint_when_its_tables_have_arrived() {
    let (mut facts, mut run) = running();
    facts.checkpoint_ts = at(70) - 1;
    run.checkpoint_ts = at(70) - 1;
    run.slowest.as_mut().unwrap().checkpoint_ts = at(70);
    let sending = Some((secs(20), vec![open(0, 1)]));
    run.ddl = Some(DdlFacts { sending, ..ddl() });
    let why = answer(facts.clone(), run.clone());
    assert_eq!((kind(&why), why.held_for), ((Stage::Ddl, Reason::DdlSending), Some(secs(20))));
    assert_eq!(why.kafka.unwrap().partition, Some(0));
    let told = why.ddl.unwrap();
    assert_eq!((told.job_id, told.finished_ts, told.sent), (77, at(70), true));
    assert!(why.summary.contains("ALTER TABLE t110 ADD COLUMN x INT"), "{}", why.summary);

    run.ddl = Some(DdlFacts { behind: vec![table(112)], ..ddl() });
    let why = answer(facts, run);
    assert_eq!(kind(&why), (Stage::Ddl, Reason::DdlWaiting));
    assert_eq!(why.ddl.unwrap().waits_for, [table(112)]);
    assert_eq!(why.table, Some(table(112)));
}

#[test]
fn a_stored_checkpoint_that_stays_behind_is_told() {
    let (mut facts, mut run) = running();
    run.checkpoint_ts = at(99);
    facts.store =
        StoreFacts { saved_ts: at(60), failing: Some(("etcd is away".to_owned(), secs(9))), saving: None };
    let why = answer(facts.clone(), run.clone());
    assert_eq!(
        (kind(&why), why.held_for),
        ((Stage::CheckpointStore, Reason::CheckpointNotStored), Some(secs(9)))
    );
    assert!(why.summary.contains("etcd is away"));
    // An attempt that hangs has no error yet.
    facts.store = StoreFacts { saved_ts: at(60), failing: None, saving: Some(secs(30)) };
    assert_eq!(answer(facts, run).held_for, Some(secs(30)));
}

#[test]
fn the_answer_has_stable_names() {
    let (facts, mut run) = running();
    run.slowest.as_mut().unwrap().position.waiting = Some((secs(38), vec![open(2, 30)]));
    let json = serde_json::to_value(answer(facts, run)).expect("json");
    assert_eq!(json["stage"], "sink");
    assert_eq!(json["reason"], "unacknowledged");
    assert_eq!(json["lag_seconds"], 40.0);
    assert_eq!(json["held_seconds"], 38.0);
    assert_eq!(json["table"]["physical_id"], 110);
    assert_eq!(json["kafka"]["oldest_unacknowledged_seconds"], 38.0);
    assert_eq!(json["memory"]["process"]["quota_bytes"], 1000);
    assert!(json.get("lock").is_none() && json.get("error").is_none());
}
