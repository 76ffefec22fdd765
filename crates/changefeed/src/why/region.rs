//! Why the resolved ts of a table stands still: which region, and what about it.

use std::fmt::Write;
use std::time::Duration;

use tidb_codec::Sensitive;
use tidb_codec::key::{HandleRef, decode_record_key};
use tikv_cdc::{LiveLock, RegionReport, RegionStage, SpanReport};

use super::answer::{ErrorAnswer, LockAnswer, Reason, RegionAnswer, Stage, Why};
use super::decide::{age, text};
use super::facts::Facts;

/// Bytes of a key that are shown.
const KEY_SHOWN: usize = 256;

/// Upper-case hexadecimal text, as TiDB prints keys; hidden where rows are.
fn hex(key: &[u8]) -> String {
    Sensitive(digits(key)).to_string()
}

/// Upper-case hexadecimal text.
fn digits(key: &[u8]) -> String {
    let mut out = String::with_capacity(key.len().min(KEY_SHOWN) * 2);
    for byte in key.iter().take(KEY_SHOWN) {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02X}");
    }
    out
}

/// A raw row key in words.
fn row_text(key: &[u8]) -> Option<String> {
    let record = decode_record_key(key).ok()?;
    Some(match record.handle {
        HandleRef::Int(handle) => format!("table id {}, row {}", record.table_id, Sensitive(handle)),
        HandleRef::Common(handle) => format!("table id {}, row key {}", record.table_id, hex(handle)),
    })
}

/// Name of a stage in the API.
fn stage_name(stage: RegionStage) -> &'static str {
    match stage {
        RegionStage::Queued => "queued",
        RegionStage::Scanning => "scanning",
        RegionStage::Live => "live",
        RegionStage::Retrying => "retrying",
    }
}

/// The region in the answer.
fn region_answer(span: &SpanReport, region: &RegionReport) -> RegionAnswer {
    RegionAnswer {
        region_id: region.region,
        version: region.version,
        store: region.store.clone(),
        stage: region.stage.map(stage_name),
        stage_for: region.stage_for,
        resolved_ts: region.resolved_ts,
        start_key: hex(&region.keys.start),
        end_key: hex(&region.keys.end),
        regions: span.queued + span.scanning + span.live + span.retrying,
        last_error: span.last_error.as_ref().map(|error| ErrorAnswer {
            code: error.kind.name().to_owned(),
            message: error.text.clone(),
            time: String::new(),
            ago: Some(error.ago),
        }),
    }
}

/// The lock in the answer.
fn lock_answer(lock: &LiveLock, region: &RegionReport, now_ts: u64) -> LockAnswer {
    LockAnswer {
        start_ts: lock.start_ts,
        primary_key: hex(&lock.primary),
        primary_row: row_text(&lock.primary),
        key: hex(&lock.key),
        row: row_text(&lock.key),
        age: age(now_ts, lock.start_ts),
        ttl: lock.ttl,
        seen_ago: region.locks_checked,
        other_transactions: region.live_locks.len().saturating_sub(1),
    }
}

/// Explains a subscription that holds `what` (a table, or the DDL jobs).
pub(super) fn explain_span(
    why: &mut Why,
    stage: Stage,
    what: &str,
    span: Option<&SpanReport>,
    facts: &Facts,
) {
    why.stage = stage;
    let Some(span) = span else {
        why.reason = Reason::NotSubscribed;
        why.summary = format!("{what} is not subscribed");
        why.frees = "the changefeed subscribes it by itself; if it does not, pause and resume it".to_owned();
        return;
    };
    why.held_for = Some(span.resolved_for);
    let Some(region) = &span.slowest else {
        why.reason = Reason::StoreBehind;
        why.summary = format!("{what} waits for the stores");
        why.frees = "the stores send their changes".to_owned();
        return;
    };
    why.region = Some(region_answer(span, region));
    let place = match (region.region, &region.store) {
        (Some(id), Some(store)) => format!("region {id} at store {store}"),
        (Some(id), None) => format!("region {id}"),
        _ => "a range without a known region".to_owned(),
    };
    let full = facts.memory.full();
    let error = span.last_error.as_ref().map_or_else(
        || "no error is known".to_owned(),
        |error| format!("last error {} {} ago: {}", error.kind.name(), text(error.ago), error.text),
    );
    let for_time = region.stage_for.map(text).unwrap_or_default();
    let (reason, summary, frees) = match (region.stage, region.live_locks.first()) {
        (Some(RegionStage::Live), Some(lock)) => {
            let lock = lock_answer(lock, region, facts.now_ts);
            let left = lock.ttl.checked_sub(lock.age);
            let row = lock.primary_row.clone().unwrap_or_else(|| lock.primary_key.clone());
            let summary = format!(
                "{what} is held by a lock in {place}: transaction {} began {} ago and is not committed; primary key \
                 {} ({row})",
                lock.start_ts,
                text(lock.age),
                lock.primary_key
            );
            let frees = format!(
                "commit or end that transaction; if its client is gone, the lock is removed once it expires{}",
                left.map(|left| format!(", in {}", text(left))).unwrap_or_default()
            );
            why.lock = Some(lock);
            (Reason::LiveLock, summary, frees)
        }
        _ if full.is_some() => (
            Reason::MemoryQuota,
            format!("{what} is not read, because memory is used up: {}", full.unwrap_or_default()),
            "memory is free again when rows are sent or written to disk; a larger memory-quota helps for good"
                .to_owned(),
        ),
        (Some(RegionStage::Live), None) => (
            Reason::StoreBehind,
            format!("{what} waits for {place}: its store does not move the resolved ts; {}", checked(region)),
            "the store moves it once no lock is left and its own clock of closed timestamps goes on; see its log \
             if this lasts"
                .to_owned(),
        ),
        (Some(RegionStage::Scanning), _) => (
            Reason::RegionScanning,
            format!("{what} waits for the scan of {place}, which has run for {for_time}"),
            "the scan ends by itself".to_owned(),
        ),
        (Some(RegionStage::Queued), _) => (
            Reason::RegionQueued,
            format!("{what}: {place} has waited {for_time} for its turn to be scanned"),
            format!("earlier scans end ({} run, {} wait)", span.scanning, span.queued),
        ),
        (Some(RegionStage::Retrying), _) => (
            Reason::RegionRetrying,
            format!("{what}: {place} is tried again after an error; {error}"),
            "the store answers again, or the region moves to another".to_owned(),
        ),
        (None, _) if span.uncovered == 0 && span.waiting > 0 => (
            Reason::RegionWaiting,
            format!("{what}: {place} waits for an older region of the same keys to end"),
            "the older subscription ends by itself".to_owned(),
        ),
        (None, _) => (
            Reason::RegionLookup,
            format!("{what}: {place} is being looked up at PD; {error}"),
            "PD answers with the regions of these keys".to_owned(),
        ),
    };
    if why.reason != Reason::LiveLock && matches!(reason, Reason::RegionScanning | Reason::RegionQueued) {
        why.held_for = region.stage_for.or(why.held_for);
    }
    (why.reason, why.summary, why.frees) = (reason, summary, frees);
}

/// What is known about locks of a region without a live one.
fn checked(region: &RegionReport) -> String {
    match region.locks_checked {
        Some(ago) if ago < Duration::from_secs(60) => {
            format!("no lock of a live transaction was found {} ago", text(ago))
        }
        _ => "its locks were not looked at yet".to_owned(),
    }
}
