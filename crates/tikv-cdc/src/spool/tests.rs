use std::time::Duration;

use tikv_proto::cdcpb::event::row::OpType;

use super::*;
use crate::spilling::{Resolved, SpillingMatcher};

/// A row of the stream.
fn row(kind: LogType, start_ts: u64, commit_ts: u64, key: &[u8], value: &[u8]) -> Row {
    Row {
        start_ts,
        commit_ts,
        r#type: kind as i32,
        op_type: OpType::Put as i32,
        key: Bytes::copy_from_slice(key),
        value: Bytes::copy_from_slice(value),
        ..Row::default()
    }
}

#[test]
fn a_row_reads_back_as_written_and_damaged_ones_are_refused() {
    let written = Row {
        old_value: Bytes::from_static(b"old"),
        generation: 7,
        op_type: OpType::Delete as i32,
        ..row(LogType::Prewrite, 5, 9, b"key", b"value")
    };
    let mut buffer = Vec::new();
    let (key, value) = encode(3, &written, &mut buffer);
    assert_eq!(key + value, buffer.len());
    let sorted = |buffer: &[u8], key: usize| SortedRow {
        key: Bytes::copy_from_slice(&buffer[..key]),
        value: Bytes::copy_from_slice(&buffer[key..]),
        start_ts: 5,
        ..SortedRow::default()
    };
    assert_eq!(decode(sorted(&buffer, key)).unwrap(), (3, written));
    for length in 0..key {
        assert!(decode(sorted(&buffer, length)).is_err(), "key of {length}");
    }
    for length in key..key + VALUE_HEADER + 5 {
        assert!(decode(sorted(&buffer[..length], key)).is_err(), "row of {length}");
    }
    let mut unknown = buffer.clone();
    unknown[key] = LogType::Initialized as u8;
    assert!(decode(sorted(&unknown, key)).is_err());
}

/// What a join sends.
type Told = (Vec<RowChange>, Result<bool, JoinFailure>);

/// Joins a log to the end.
async fn joined(spool: &Arc<PrewriteSpool>, todo: Join) -> Told {
    let (sender, mut events) = mpsc::channel(JOIN_QUEUE);
    let (spool, runtime) = (Arc::clone(spool), Handle::current());
    let thread = tokio::task::spawn_blocking(move || join(&spool, todo, &runtime, &sender));
    let mut rows = Vec::new();
    loop {
        match events.recv().await.expect("a join tells how it ends") {
            JoinEvent::Rows(more) => rows.extend(more),
            JoinEvent::Done(outcome) => {
                thread.await.unwrap();
                return (rows, outcome);
            }
        }
    }
}

/// A transaction of 2,000 keys of 1 kB, prewritten and committed in opposite order, that went through the spool.
async fn spilled(spool: &Arc<PrewriteSpool>) -> (SpillingMatcher, Join) {
    let mut matcher = SpillingMatcher::new(1, 1);
    let (mut out, mut entries) = (Vec::new(), Vec::new());
    matcher.on_row(row(LogType::Initialized, 0, 0, b"", b""), &mut out, &mut entries).unwrap();
    for number in 0..2_000_u32 {
        let prewrite = row(LogType::Prewrite, 5, 0, &number.to_be_bytes(), &[number as u8; 1000]);
        matcher.on_row(prewrite, &mut out, &mut entries).unwrap();
        if number == 10 {
            let created = matcher.spill(spool.own_log(), &mut entries).unwrap();
            created.into_iter().for_each(|log| spool.create(log));
        }
        spool.append(std::mem::take(&mut entries)).unwrap();
        spool.until_writable().await.unwrap();
    }
    for number in (0..2_000_u32).rev() {
        matcher
            .on_row(row(LogType::Commit, 5, 6, &number.to_be_bytes(), b""), &mut out, &mut entries)
            .unwrap();
    }
    spool.append(entries).unwrap();
    assert!(out.is_empty() && matcher.matcher().waiting_bytes() == 0);
    assert_eq!(matcher.on_resolved(6), Resolved::Held);
    let join = matcher.next_join().unwrap();
    spool.create(join.fresh);
    (matcher, join)
}

/// Waits until no memory is in use: what is being written to disk is in memory until it is.
async fn given_back(quota: &Arc<MemoryQuota>) {
    let waiting = tokio::time::timeout(GIVEN_BACK_LIMIT, quota.until_below(0.0)).await;
    assert!(waiting.is_ok(), "{quota:?}");
}

/// Longest time until memory is given back.
const GIVEN_BACK_LIMIT: Duration = Duration::from_secs(30);
/// Limits that put nearly everything on disk.
const SMALL: SpoolConfig = SpoolConfig { waiting_limit: 1 << 10, buffer_limit: 64 << 10, own_log: 1 << 10 };

#[tokio::test]
async fn a_large_transaction_is_joined_on_disk_within_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let quota = MemoryQuota::new(1 << 20);
    let spool = Arc::new(PrewriteSpool::with(dir.path(), &quota, SMALL).unwrap());
    let (mut matcher, join) = spilled(&spool).await;
    assert!(spool.stats().runs_written > 3, "{:?}", spool.stats());
    assert!(quota.used() < 512 << 10, "{quota:?}");
    let (rows, outcome) = joined(&spool, join).await;
    assert!(matches!(outcome, Ok(false)), "{outcome:?}");
    assert_eq!(rows.len(), 2_000);
    for (row, number) in rows.iter().zip(0_u32..) {
        assert_eq!((&row.key[..], row.value[..] == [number as u8; 1000]), (&number.to_be_bytes()[..], true));
    }
    drop(rows);
    let (resolved, unused) = matcher.joined(false);
    assert_eq!((resolved, matcher.logs().count()), (Some(6), 0));
    spool.remove(unused.unwrap());
    given_back(&quota).await;
    assert_eq!((spool.stats().tables, quota.used()), (0, 0));
}

#[tokio::test]
async fn damaged_files_end_the_join_with_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let quota = MemoryQuota::new(1 << 20);
    let spool = Arc::new(PrewriteSpool::with(dir.path(), &quota, SMALL).unwrap());
    let (_, join) = spilled(&spool).await;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 0x40;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    let (_, outcome) = joined(&spool, join).await;
    let damaged = matches!(outcome, Err(JoinFailure::Spool(SpoolError::Sorter(SorterError::Corrupt { .. }))));
    assert!(damaged, "{outcome:?}");
}

#[tokio::test]
async fn a_join_that_nobody_waits_for_ends_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let quota = MemoryQuota::new(1 << 20);
    let spool = Arc::new(PrewriteSpool::with(dir.path(), &quota, SMALL).unwrap());
    let (matcher, todo) = spilled(&spool).await;
    let (sender, events) = mpsc::channel(JOIN_QUEUE);
    drop(events);
    let (worker, runtime) = (Arc::clone(&spool), Handle::current());
    tokio::task::spawn_blocking(move || join(&worker, todo, &runtime, &sender)).await.unwrap();
    matcher.logs().for_each(|log| spool.remove(log));
    given_back(&quota).await;
    assert_eq!((spool.stats().tables, quota.used()), (0, 0));
}

#[tokio::test]
async fn a_disk_that_refuses_is_told_when_memory_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let quota = MemoryQuota::new(1 << 20);
    let spool = PrewriteSpool::with(dir.path(), &quota, SMALL).unwrap();
    // Without its directory, no file can be made.
    std::fs::remove_dir_all(dir.path()).unwrap();
    let log = LogId::new();
    spool.create(log);
    let entry = |order: u64| LogEntry {
        log,
        order,
        row: row(LogType::Prewrite, 5, 0, &order.to_be_bytes(), &[7; 4000]),
    };
    let mut outcome = Ok(());
    for order in 0..100 {
        outcome = outcome.and(spool.append(vec![entry(order)]));
        if outcome.is_err() || spool.until_writable().await.is_err() {
            break;
        }
    }
    let outcome = outcome.and(spool.append(vec![entry(1000)]));
    assert!(matches!(outcome, Err(SpoolError::Sorter(SorterError::Io { .. }))), "{outcome:?}");
}
