//! Memory limits: who waits for whom.

use std::sync::Arc;

use bytes::Bytes;
use event_sorter::{FetchLimit, MemoryQuota, RowKind, SortedRow, Sorter, SorterConfig, Stage};

use crate::{block_on, drain, row, wait_writable};

#[test]
fn memory_stays_within_the_limit_while_pushers_wait() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 512 << 10;
    let config = SorterConfig { memory_limit: limit, max_open_files: 4 };
    let sorter = Arc::new(Sorter::open(dir.path(), config, MemoryQuota::new(1 << 30)).unwrap());
    let pushers: Vec<_> = (0..4_i64)
        .map(|table| {
            let sorter = Arc::clone(&sorter);
            sorter.add_table(table, 0);
            std::thread::spawn(move || {
                for commit in 1..500_u64 {
                    wait_writable(&sorter);
                    let rows = (0..10).map(|key| row(commit, commit, RowKind::Insert, key, 300)).collect();
                    sorter.push(table, rows).unwrap();
                    // Each pusher may be one push over the limit.
                    assert!(sorter.stats().bytes_in_memory <= limit + 4 * 10 * 600);
                    sorter.resolve(table, commit).unwrap();
                }
            })
        })
        .collect();
    pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
    for table in 0..4 {
        let rows = drain(&sorter, table, u64::MAX, FetchLimit::default());
        assert_eq!(rows.len(), 4990);
        assert!(rows.is_sorted_by_key(|row| (row.commit_ts, row.key.clone())));
    }
}

#[test]
fn a_full_quota_makes_the_sorter_give_up_its_frames() {
    let dir = tempfile::tempdir().unwrap();
    let process = MemoryQuota::new(1 << 20);
    let quota = process.child(10 << 20);
    let config = SorterConfig { memory_limit: 4 << 20, max_open_files: 4 };
    let sorter = Sorter::open(dir.path(), config, quota.clone()).unwrap();
    sorter.add_table(1, 0);
    for commit in 1..=900_u64 {
        // One row of a frame is enough to keep all of it.
        let frame = quota.own(Stage::Frames, vec![1; 1000]);
        let value = frame.slice(..700);
        let key = Bytes::copy_from_slice(&commit.to_be_bytes());
        let row = SortedRow { key, value, old_value: Bytes::new(), start_ts: commit, commit_ts: commit };
        sorter.push(1, vec![row]).unwrap();
    }
    block_on(process.until_below(0.5));
    assert!(sorter.stats().runs_written > 0);
    sorter.resolve(1, 900).unwrap();
    assert_eq!(drain(&sorter, 1, 900, FetchLimit::default()).len(), 900);
}

#[test]
fn pressure_from_others_alone_wakes_the_spill_thread() {
    let dir = tempfile::tempdir().unwrap();
    let quota = MemoryQuota::new(1 << 20);
    let config = SorterConfig { memory_limit: 1 << 20, max_open_files: 4 };
    let sorter = Sorter::open(dir.path(), config, quota.clone()).unwrap();
    sorter.add_table(1, 0);
    let rows = (1..=400).map(|key| row(key, key, RowKind::Insert, key, 400)).collect();
    sorter.push(1, rows).unwrap();
    assert_eq!(sorter.stats().runs_written, 0);
    let _others = quota.charge(Stage::Sink, 800 << 10);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while sorter.stats().bytes_in_memory > 0 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(sorter.stats().bytes_in_memory, 0);
}

#[test]
fn a_few_small_rows_that_keep_large_frames_are_spilled_when_memory_is_used_up() {
    let dir = tempfile::tempdir().unwrap();
    let quota = MemoryQuota::new(1 << 20);
    let config = SorterConfig { memory_limit: 1 << 20, max_open_files: 4 };
    let sorter = Sorter::open(dir.path(), config, quota.clone()).unwrap();
    sorter.add_table(1, 0);
    for commit in 1..=17_u64 {
        let frame = quota.own(Stage::Frames, vec![1; 64 << 10]);
        let key = frame.slice(..8);
        let value = frame.slice(8..20);
        let row = SortedRow { key, value, old_value: Bytes::new(), start_ts: commit - 1, commit_ts: commit };
        sorter.push(1, vec![row]).unwrap();
    }
    block_on(quota.until_below(0.5));
    sorter.resolve(1, 100).unwrap();
    assert_eq!(drain(&sorter, 1, 100, FetchLimit::default()).len(), 17);
}

#[test]
fn many_small_runs_are_joined() {
    let dir = tempfile::tempdir().unwrap();
    // Every push is over the limit, and becomes a run.
    let config = SorterConfig { memory_limit: 1000, max_open_files: 4 };
    let sorter = Sorter::open(dir.path(), config, MemoryQuota::new(1 << 30)).unwrap();
    sorter.add_table(1, 0);
    for number in 0..500_u64 {
        let commits = [number + 1, 1000 - number, 5000];
        let rows = commits.map(|commit| row(commit, 1, RowKind::Insert, number, 400)).to_vec();
        sorter.push(1, rows).unwrap();
        wait_writable(&sorter);
    }
    assert!(sorter.stats().runs_written > 300);
    assert!(sorter.runs(1).unwrap() <= 65, "{} runs", sorter.runs(1).unwrap());
    assert!(sorter.stats().files <= 65);
    sorter.resolve(1, 5000).unwrap();
    assert_eq!(drain(&sorter, 1, 5000, FetchLimit { rows: 100, bytes: 10_000 }).len(), 1500);
}

#[test]
fn whoever_waits_for_light_goes_on_when_rows_were_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 1 << 20;
    let config = SorterConfig { memory_limit: limit, max_open_files: 4 };
    let sorter = Arc::new(Sorter::open(dir.path(), config, MemoryQuota::new(1 << 30)).unwrap());
    sorter.add_table(1, 0);
    assert!(!sorter.is_heavy());
    block_on(sorter.until_light()).unwrap();
    let mut commit = 0;
    while !sorter.is_heavy() {
        commit += 1;
        sorter.push(1, vec![row(commit, commit, RowKind::Insert, 1, 10_000)]).unwrap();
    }
    assert_eq!(sorter.stats().runs_written, 0, "heavy comes before rows are written");
    assert!(sorter.until_light().outcome().is_none());
    let waiter = std::thread::spawn({
        let sorter = Arc::clone(&sorter);
        move || block_on(sorter.until_light())
    });
    sorter.resolve(1, commit).unwrap();
    assert_eq!(drain(&sorter, 1, u64::MAX, FetchLimit::default()).len() as u64, commit);
    waiter.join().unwrap().unwrap();
    assert!(!sorter.is_heavy());
}
