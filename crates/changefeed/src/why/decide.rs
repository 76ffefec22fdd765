//! The decision: from facts to what holds the checkpoint.

use std::time::Duration;

use changefeed_config::{RunningError, State};

use super::answer::{DdlAnswer, ErrorAnswer, KafkaAnswer, Reason, SorterAnswer, Stage, TableAnswer, Why};
use super::facts::{Activity, DdlFacts, Facts, RunFacts, StartStep, TableFacts};
use super::region::explain_span;
use crate::metadata::DEFAULT_KEYSPACE;
use crate::progress::Unacknowledged;

/// Lag up to which nothing is wrong: stores move their resolved ts about once a second, and a busy one takes a while.
/// Locks are looked at after 4 s.
const HEALTHY_LAG: Duration = Duration::from_secs(5);

/// Physical milliseconds of a timestamp.
fn physical_ms(ts: u64) -> u64 {
    ts >> 18
}

/// Time from `ts` to `now_ts`.
pub(super) fn age(now_ts: u64, ts: u64) -> Duration {
    Duration::from_millis(physical_ms(now_ts).saturating_sub(physical_ms(ts)))
}

/// A duration in words: seconds with one digit.
pub(super) fn text(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// An error of a state, in the answer.
fn error_answer(error: &RunningError) -> ErrorAnswer {
    let (code, message, time) = (error.code.clone(), error.message.clone(), error.time.clone());
    ErrorAnswer { code, message, time, ago: None }
}

/// The stage that an error belongs to, by its code.
fn stage_of(code: &str) -> Stage {
    let has = |parts: &[&str]| parts.iter().any(|part| code.contains(part));
    if has(&["Kafka", "MessageTooLarge", "SinkURI"]) {
        Stage::Sink
    } else if has(&["Sorter", "DiskFull"]) {
        Stage::Sorter
    } else if has(&[
        "EventFeed",
        "ClusterIDMismatch",
        "VersionIncompatible",
        "SnapshotLostByGC",
        "GCTTLExceeded",
    ]) {
        Stage::Source
    } else if has(&["DecodeRow", "Schema", "MetaList", "TableIneligible", "RenameTable"]) {
        Stage::Schema
    } else if has(&["Encode", "Dispatcher", "ColumnSelector"]) {
        Stage::Encoder
    } else {
        Stage::State
    }
}

/// Answers what holds the checkpoint.
pub(crate) fn explain(facts: &Facts) -> Why {
    let mut why = Why {
        id: facts.id.clone(),
        keyspace: DEFAULT_KEYSPACE,
        summary: String::new(),
        healthy: false,
        state: facts.state.name(),
        stage: Stage::State,
        reason: Reason::Retrying,
        frees: String::new(),
        checkpoint_ts: facts.checkpoint_ts,
        resolved_ts: facts.resolved_ts,
        lag: age(facts.now_ts, facts.checkpoint_ts),
        held_for: facts.state_for,
        table: None,
        region: None,
        lock: None,
        ddl: None,
        kafka: None,
        error: facts.error.as_ref().map(error_answer),
        sorter: None,
        memory: facts.memory.clone(),
    };
    match (facts.state, &facts.activity) {
        (State::Stopped | State::Failed | State::Finished | State::Removed, _) => by_state(&mut why, facts),
        (_, Activity::Running(run)) => by_run(&mut why, facts, run),
        (_, Activity::Starting { step, since }) => starting(&mut why, *step, *since),
        (_, Activity::Retrying { left }) => retrying(&mut why, facts, *left),
        (_, Activity::Silent(waited)) => {
            (why.stage, why.reason) = (Stage::Pipeline, Reason::Silent);
            why.summary = format!("the changefeed's event loop did not answer within {}", text(*waited));
            why.frees =
                "it answers when its present work is done; if it never does, restart the capture".to_owned();
        }
        (_, Activity::Idle) => {
            why.reason = Reason::Starting;
            why.summary = "the changefeed is about to start".to_owned();
            why.frees = "the owner starts it".to_owned();
        }
    }
    close(&mut why);
    why
}

/// Adds what every summary has at its end.
fn close(why: &mut Why) {
    if why.healthy || !why.state.eq("normal") && !why.state.eq("warning") {
        return;
    }
    let held = why.held_for.map(|held| format!(", for {}", text(held))).unwrap_or_default();
    why.summary = format!("{}{held} (checkpoint lag {})", why.summary, text(why.lag));
}

/// A changefeed that does not run.
fn by_state(why: &mut Why, facts: &Facts) {
    let id = &facts.id;
    let error = facts.error.as_ref();
    let said = error.map(|error| format!(": [{}]{}", error.code, error.message)).unwrap_or_default();
    (why.reason, why.summary, why.frees) = match facts.state {
        State::Failed => {
            why.stage = error.map_or(Stage::State, |error| stage_of(&error.code));
            let lost = error.is_some_and(|error| error.code.contains("GC"));
            let frees = if lost {
                format!(
                    "the changes since the checkpoint are gone: resume it from a later one (cdc cli changefeed resume \
                     -c {id} --overwrite-checkpoint-ts), and copy the data in between"
                )
            } else {
                format!("cure the cause, then cdc cli changefeed resume -c {id}")
            };
            (Reason::Failed, format!("failed{said}"), frees)
        }
        State::Finished => (
            Reason::Finished,
            "finished: the changefeed has reached its target-ts".to_owned(),
            "nothing: there is nothing to do".to_owned(),
        ),
        State::Removed => (Reason::Removed, "removed".to_owned(), "nothing".to_owned()),
        _ => {
            (Reason::Paused, format!("paused by a user{said}"), format!("cdc cli changefeed resume -c {id}"))
        }
    };
}

/// A run that begins.
fn starting(why: &mut Why, step: StartStep, since: Duration) {
    why.held_for = Some(since);
    (why.stage, why.reason) = (Stage::State, Reason::Starting);
    let (stage, summary, frees) = match step {
        StartStep::Schema => (Stage::Schema, "starting: the schema is read from TiKV", "TiKV answers"),
        StartStep::Sink => (Stage::Sink, "starting: the broker is asked for the topic", "a broker answers"),
        StartStep::Sorter => (Stage::Sorter, "starting: the sorter's folder is cleaned", "the disk answers"),
    };
    (why.stage, why.summary, why.frees) = (stage, summary.to_owned(), frees.to_owned());
}

/// A changefeed between two runs.
fn retrying(why: &mut Why, facts: &Facts, left: Duration) {
    why.reason = Reason::Retrying;
    let Some(error) = &facts.error else {
        why.summary = format!("the next attempt is in {}", text(left));
        return;
    };
    why.stage = stage_of(&error.code);
    why.summary = format!("tried again in {}: [{}]{}", text(left), error.code, error.message);
    why.frees = "the cause goes away; the changefeed tries again by itself".to_owned();
}

/// A changefeed that runs.
fn by_run(why: &mut Why, facts: &Facts, run: &RunFacts) {
    why.held_for = Some(run.checkpoint_for);
    let sorter = SorterAnswer { memory_bytes: run.sorter.memory_bytes, disk_bytes: run.sorter.disk_bytes };
    why.sorter = Some(sorter);
    if let Some((reason, since)) = &run.sorter.refused {
        (why.stage, why.reason, why.held_for) = (Stage::Sorter, Reason::SorterDisk, Some(*since));
        why.summary = format!("rows can't be written to disk and memory is full: {reason}");
        why.frees = "room on the sorter's disk; the changefeed goes on by itself".to_owned();
        return;
    }
    if let Some((reason, since)) = &run.sink.trouble {
        let waiting = run.slowest.as_ref().and_then(|table| table.position.waiting.as_ref());
        let waiting = waiting.or(run.ddl.as_ref().and_then(|ddl| ddl.sending.as_ref()));
        let kafka = kafka_answer(run, waiting);
        (why.stage, why.reason) = (Stage::Sink, Reason::BrokerUnreachable);
        why.held_for = since.or(why.held_for);
        why.summary = format!("kafka at {} can't be reached: {reason}{}", run.sink.brokers, waits(&kafka));
        why.frees = "a broker answers again; the changefeed goes on by itself".to_owned();
        why.table = run.slowest.as_ref().filter(|_| kafka.topic.is_some()).map(|table| table.table.clone());
        why.kafka = Some(kafka);
        return;
    }
    let lag = age(facts.now_ts, run.checkpoint_ts);
    let stored_lag = age(run.checkpoint_ts, facts.store.saved_ts);
    if run.checkpoint_ts >= run.target_ts {
        (why.reason, why.stage) = (Reason::TargetReached, Stage::State);
        why.summary = "the target-ts is reached; the changefeed is about to finish".to_owned();
        why.frees = "nothing".to_owned();
    } else if lag > HEALTHY_LAG {
        held(why, facts, run);
    } else if stored_lag > HEALTHY_LAG || facts.store.failing.is_some() {
        not_stored(why, facts, stored_lag);
    } else {
        (why.healthy, why.stage, why.reason) = (true, Stage::None, Reason::Healthy);
        why.held_for = None;
        why.lag = lag;
        why.summary = format!("healthy: lag is the resolved-ts cadence ({})", text(lag));
        why.frees = "nothing to free".to_owned();
    }
}

/// A checkpoint that moves, but not in etcd.
fn not_stored(why: &mut Why, facts: &Facts, stored_lag: Duration) {
    (why.stage, why.reason) = (Stage::CheckpointStore, Reason::CheckpointNotStored);
    let failing = facts.store.failing.as_ref();
    why.held_for = failing.map(|(_, since)| *since).or(facts.store.saving);
    let said = failing.map(|(reason, _)| format!(": {reason}")).unwrap_or_default();
    why.summary = format!(
        "rows are delivered, but the stored checkpoint ({}) is {} older than the delivered one{said}",
        facts.store.saved_ts,
        text(stored_lag)
    );
    why.frees = "PD's etcd takes writes again, and this capture is still the owner".to_owned();
}

/// A checkpoint that is held: by a table, a DDL, or the schema, whichever is furthest behind.
fn held(why: &mut Why, facts: &Facts, run: &RunFacts) {
    let table_ts = run.slowest.as_ref().map_or(u64::MAX, |table| table.checkpoint_ts);
    let ddl_ts = run.ddl.as_ref().map_or(u64::MAX, |ddl| ddl.finished_ts.saturating_sub(1));
    match (&run.slowest, &run.ddl) {
        (Some(table), _) if table_ts <= ddl_ts && table_ts <= run.schema_ts => {
            by_table(why, facts, run, table);
        }
        (_, Some(ddl)) if ddl_ts <= run.schema_ts => by_ddl(why, run, ddl),
        _ => by_schema(why, facts, run),
    }
}

/// The DDL jobs are behind.
fn by_schema(why: &mut Why, facts: &Facts, run: &RunFacts) {
    explain_span(why, Stage::Schema, "the list of DDL jobs", run.schema_source.as_ref(), facts);
}

/// A DDL is at its turn.
fn by_ddl(why: &mut Why, run: &RunFacts, ddl: &DdlFacts) {
    why.ddl = Some(ddl_answer(ddl));
    why.stage = Stage::Ddl;
    if let Some(sending) = &ddl.sending {
        let kafka = kafka_answer(run, Some(sending));
        (why.reason, why.held_for) = (Reason::DdlSending, Some(sending.0));
        why.summary =
            format!("a DDL was sent and is not acknowledged: {}{}", short(&ddl.query), waits(&kafka));
        why.frees = "the broker acknowledges the DDL".to_owned();
        why.kafka = Some(kafka);
    } else {
        let tables: Vec<String> = ddl.behind.iter().map(TableAnswer::to_string).collect();
        let waits = if tables.is_empty() { "an earlier DDL".to_owned() } else { tables.join(", ") };
        why.reason = Reason::DdlWaiting;
        why.summary = format!("a DDL waits for {waits}: {}", short(&ddl.query));
        why.frees = "the rows before the DDL are delivered".to_owned();
        why.table = ddl.behind.first().cloned();
    }
}

/// A table is furthest behind.
fn by_table(why: &mut Why, facts: &Facts, run: &RunFacts, table: &TableFacts) {
    why.table = Some(table.table.clone());
    why.ddl = table.ddl.as_ref().map(ddl_answer);
    let name = table.table.to_string();
    let position = &table.position;
    if let (Some(waiting), 1..) = (&position.waiting, position.storing) {
        (why.stage, why.reason, why.held_for) = (Stage::Sink, Reason::StoringLargeMessages, Some(waiting.0));
        let place = run.sink.claim_checks.as_deref().unwrap_or_default();
        why.summary = format!(
            "{name} waits for the store of large messages: {} are on their way to {place}, the oldest for {}",
            position.storing,
            text(waiting.0)
        );
        why.frees = "the store takes them".to_owned();
    } else if let Some(waiting) = &position.waiting {
        let kafka = kafka_answer(run, Some(waiting));
        (why.stage, why.reason, why.held_for) = (Stage::Sink, Reason::Unacknowledged, Some(waiting.0));
        why.summary = format!("{name} waits for kafka{}", waits(&kafka));
        why.frees = "the partition's leader acknowledges the messages".to_owned();
        why.kafka = Some(kafka);
    } else if position.sent_ts < position.allowed_ts && table.parked {
        (why.stage, why.reason) = (Stage::Sink, Reason::SinkFull);
        let (bytes, limit) = (run.sink.in_flight_bytes, run.sink.in_flight_limit);
        why.summary =
            format!("{name} waits for room in the producer ({bytes} of {limit} bytes are on their way)");
        why.frees = "brokers acknowledge what is on its way".to_owned();
        why.kafka = Some(kafka_answer(run, None));
    } else if position.sent_ts < position.allowed_ts {
        (why.stage, why.reason) = (Stage::Encoder, Reason::Encoding);
        let gap = age(position.allowed_ts, position.sent_ts);
        why.summary = format!("{name} is being encoded: {} of changes are ready to be sent", text(gap));
        why.frees = "encoder threads catch up; more cores help".to_owned();
    } else if position.allowed_ts >= table.resolved_ts {
        by_source(why, facts, table, &name);
    } else if let Some(ddl) = run.ddl.as_ref().filter(|ddl| ddl.finished_ts <= position.allowed_ts) {
        by_ddl(why, run, ddl);
    } else {
        by_schema(why, facts, run);
    }
}

/// A table whose rows have not arrived.
fn by_source(why: &mut Why, facts: &Facts, table: &TableFacts, name: &str) {
    let received = table.source.as_ref().map_or(0, |span| span.resolved_ts);
    if age(received, table.resolved_ts) > HEALTHY_LAG {
        (why.stage, why.reason) = (Stage::Pipeline, Reason::EventsWaiting);
        why.summary = format!("changes of {name} have arrived and wait for the event loop");
        why.frees = "the event loop catches up".to_owned();
        if let Some(full) = facts.memory.full() {
            (why.stage, why.reason) = (Stage::Memory, Reason::MemoryQuota);
            why.summary = format!("changes of {name} wait, because memory is used up: {full}");
            why.frees = "rows are sent or written to disk; a larger memory-quota helps for good".to_owned();
        }
        return;
    }
    explain_span(why, Stage::Source, name, table.source.as_ref(), facts);
    if why.reason == Reason::MemoryQuota {
        why.stage = Stage::Memory;
    }
}

/// A DDL in the answer.
fn ddl_answer(ddl: &DdlFacts) -> DdlAnswer {
    DdlAnswer {
        job_id: ddl.job_id,
        action: ddl.action.clone(),
        query: ddl.query.clone(),
        finished_ts: ddl.finished_ts,
        sent: ddl.sending.is_some(),
        waits_for: ddl.behind.clone(),
    }
}

/// What is on its way to Kafka: the partition with the most messages of those that wait longest.
fn kafka_answer(run: &RunFacts, waiting: Option<&(Duration, Vec<Unacknowledged>)>) -> KafkaAnswer {
    let open = waiting.map(|(_, open)| open.as_slice()).unwrap_or_default();
    let first = open.first();
    KafkaAnswer {
        brokers: run.sink.brokers.clone(),
        error: run.sink.trouble.as_ref().map(|(reason, _)| reason.clone()),
        topic: first.map(|first| first.topic.clone()),
        partition: first.map(|first| first.partition),
        unacknowledged_messages: first.map_or(0, |first| first.messages),
        oldest: waiting.map(|(age, _)| *age),
        other_partitions: open.len().saturating_sub(1),
        in_flight_bytes: run.sink.in_flight_bytes,
        in_flight_limit_bytes: run.sink.in_flight_limit,
    }
}

/// The partition that is waited for, in words.
fn waits(kafka: &KafkaAnswer) -> String {
    let (Some(topic), Some(partition)) = (&kafka.topic, kafka.partition) else { return String::new() };
    let oldest = kafka.oldest.map(text).unwrap_or_default();
    let messages = kafka.unacknowledged_messages;
    format!(
        "; partition {partition} of topic {topic} has not acknowledged {messages} messages, the oldest for {oldest}"
    )
}

/// Characters of a statement in a summary.
const QUERY_SHOWN: usize = 100;

/// The beginning of a statement, on one line.
fn short(query: &str) -> String {
    let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= QUERY_SHOWN {
        return line;
    }
    line.chars().take(QUERY_SHOWN).chain(['…']).collect()
}
