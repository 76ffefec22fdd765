//! Order, boundaries and lateness.

use event_sorter::{FetchLimit, MemoryQuota, RowKind, Sorter, SorterConfig, SorterError, SorterStats, Stage};

use crate::{drain, row, wait_writable};

/// A sorter with the given memory limit.
fn sorter(dir: &tempfile::TempDir, memory_limit: usize) -> Sorter {
    let config = SorterConfig { memory_limit, max_open_files: 4 };
    Sorter::open(dir.path(), config, MemoryQuota::new(1 << 30)).unwrap()
}

#[test]
fn a_transaction_is_ordered_delete_update_insert_then_key() {
    let dir = tempfile::tempdir().unwrap();
    let sorter = sorter(&dir, 1 << 20);
    sorter.add_table(7, 0);
    let wanted = vec![
        row(5, 9, RowKind::Insert, 9, 1),
        row(6, 1, RowKind::Delete, 3, 1),
        row(6, 1, RowKind::Update, 2, 1),
        row(6, 1, RowKind::Insert, 1, 1),
        row(6, 1, RowKind::Insert, 4, 1),
        row(6, 2, RowKind::Delete, 0, 1),
    ];
    let mut pushed = wanted.clone();
    pushed.reverse();
    pushed.swap(0, 3);
    sorter.push(7, pushed).unwrap();
    sorter.resolve(7, 6).unwrap();
    assert_eq!(drain(&sorter, 7, u64::MAX, FetchLimit { rows: 2, bytes: usize::MAX }), wanted);
}

#[test]
fn nothing_comes_out_before_it_is_resolved() {
    let dir = tempfile::tempdir().unwrap();
    let sorter = sorter(&dir, 1 << 20);
    sorter.add_table(1, 10);
    sorter.push(1, vec![row(12, 1, RowKind::Insert, 1, 1), row(14, 1, RowKind::Insert, 2, 1)]).unwrap();
    assert!(sorter.fetch(1, u64::MAX, FetchLimit::default()).unwrap().rows.is_empty());
    assert!(sorter.resolve(1, 12).unwrap());
    assert!(!sorter.resolve(1, 11).unwrap());
    let batch = sorter.fetch(1, u64::MAX, FetchLimit::default()).unwrap();
    assert_eq!((batch.rows.len(), batch.complete_ts, batch.exhausted), (1, 12, true));
}

#[test]
fn a_row_at_the_resolved_ts_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let sorter = sorter(&dir, 1 << 20);
    sorter.add_table(1, 10);
    let error = sorter.push(1, vec![row(10, 1, RowKind::Insert, 1, 1)]).unwrap_err();
    assert!(matches!(error, SorterError::LateRow { table: 1, commit_ts: 10, resolved_ts: 10 }));
    let error = sorter.push(2, vec![]).unwrap_err();
    assert!(matches!(error, SorterError::UnknownTable { table: 2 }));
}

#[test]
fn a_transaction_larger_than_memory_comes_out_whole_and_in_order() {
    const ROWS: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let sorter = sorter(&dir, 256 << 10);
    sorter.add_table(1, 0);
    for start in 0..100 {
        // Keys in an order that makes every run span the whole transaction.
        let keys = (start..ROWS).step_by(100);
        sorter.push(1, keys.map(|key| row(9, 8, RowKind::Insert, key, 100)).collect()).unwrap();
        wait_writable(&sorter);
    }
    assert!(sorter.stats().runs_written > 4);
    assert!(sorter.stats().bytes_in_memory <= 256 << 10);
    sorter.resolve(1, 9).unwrap();
    assert!(sorter.needs_disk(1, 9).unwrap());
    let limit = FetchLimit { rows: 1000, bytes: usize::MAX };
    let mut next = 0;
    loop {
        let batch = sorter.fetch(1, 9, limit).unwrap();
        for row in &batch.rows {
            assert_eq!(row.key.as_ref(), next_key(&mut next));
        }
        assert_eq!(batch.ends_transaction, next == ROWS);
        assert_eq!(batch.complete_ts, if next == ROWS { 9 } else { 8 });
        if batch.exhausted {
            break;
        }
    }
    assert_eq!(next, ROWS);
}

/// The next key in sequence.
fn next_key(next: &mut u64) -> [u8; 8] {
    *next += 1;
    (*next - 1).to_be_bytes()
}

#[test]
fn files_go_away_when_they_have_been_read() {
    let dir = tempfile::tempdir().unwrap();
    let quota = MemoryQuota::new(1 << 30);
    let config = SorterConfig { memory_limit: 64 << 10, max_open_files: 4 };
    let sorter = Sorter::open(dir.path(), config, quota.clone()).unwrap();
    sorter.add_table(1, 0);
    for commit in 1..2000 {
        sorter.push(1, vec![row(commit, commit, RowKind::Insert, commit, 200)]).unwrap();
        wait_writable(&sorter);
    }
    sorter.resolve(1, 2000).unwrap();
    assert!(sorter.stats().files > 0);
    assert_eq!(drain(&sorter, 1, 2000, FetchLimit::default()).len(), 1999);
    assert!(sorter.remove_table(1));
    // The thread may just be writing rows that have been read meanwhile.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    let is_empty =
        |stats: SorterStats| (stats.files, stats.rows_in_memory, stats.bytes_in_memory) == (0, 0, 0);
    while !is_empty(sorter.stats()) || quota.used_by(Stage::Sorter) > 0 {
        assert!(std::time::Instant::now() < deadline, "{sorter:?}");
        std::thread::yield_now();
    }
    drop(sorter);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
