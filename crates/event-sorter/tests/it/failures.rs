//! What the file system can do to the sorter.

use std::fs;
use std::path::PathBuf;

use event_sorter::{FetchLimit, MemoryQuota, RowKind, Sorter, SorterConfig, SorterError};

use crate::{block_on, drain, row, wait_writable};

/// A sorter that has spilled, and its files.
fn spilled(dir: &tempfile::TempDir) -> (Sorter, Vec<PathBuf>) {
    let config = SorterConfig { memory_limit: 64 << 10, max_open_files: 1 };
    let sorter = Sorter::open(dir.path(), config, MemoryQuota::new(1 << 30)).unwrap();
    sorter.add_table(1, 0);
    for commit in 1..1000 {
        sorter.push(1, vec![row(commit, commit, RowKind::Insert, commit, 200)]).unwrap();
        wait_writable(&sorter);
    }
    sorter.resolve(1, 1000).unwrap();
    // The thread may be in the middle of a file.
    loop {
        let files = run_files(dir);
        let written: u64 = files.iter().map(|path| fs::metadata(path).map_or(0, |data| data.len())).sum();
        let stats = sorter.stats();
        let at_rest = stats.bytes_in_memory <= (64 << 10) * 3 / 4;
        if at_rest && written == stats.bytes_on_disk && files.len() as u64 == stats.files {
            assert!(!files.is_empty());
            return (sorter, files);
        }
        std::thread::yield_now();
    }
}

/// Spill files in a directory.
fn run_files(dir: &tempfile::TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "run")).collect()
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_wrong_row() {
    let dir = tempfile::tempdir().unwrap();
    let (sorter, files) = spilled(&dir);
    for path in &files {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let mut seen = 0;
    let error = loop {
        match sorter.fetch(1, 1000, FetchLimit { rows: 10, bytes: usize::MAX }) {
            Ok(batch) => {
                for row in batch.rows {
                    seen += 1;
                    assert_eq!(row.commit_ts, seen);
                }
                assert!(!batch.exhausted);
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SorterError::Corrupt { .. }), "{error}");
}

#[test]
fn a_lost_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let (sorter, files) = spilled(&dir);
    files.iter().for_each(|path| fs::remove_file(path).unwrap());
    let error = sorter.fetch(1, 1000, FetchLimit::default()).unwrap_err();
    match error {
        SorterError::Io { path, .. } => assert!(files.contains(&path)),
        other => panic!("{other}"),
    }
}

#[test]
fn a_directory_that_takes_no_files_stops_pushing_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("sorter");
    let config = SorterConfig { memory_limit: 64 << 10, max_open_files: 1 };
    let sorter = Sorter::open(&home, config, MemoryQuota::new(1 << 30)).unwrap();
    sorter.add_table(1, 0);
    fs::remove_file(home.join("LOCK")).unwrap();
    fs::remove_dir(&home).unwrap();
    let mut pushed = 0;
    let refused = loop {
        match sorter.push(1, vec![row(pushed + 1, 1, RowKind::Insert, pushed, 200)]) {
            Ok(()) => pushed += 1,
            Err(error) => break error,
        }
        if let Err(error) = block_on(sorter.until_writable()) {
            assert!(matches!(error, SorterError::Io { .. }));
        }
    };
    assert!(matches!(refused, SorterError::Io { .. }), "{refused}");
    assert!(sorter.failure().is_some());
    // The disk comes back: the thread tries again by itself, and pushing goes on.
    fs::create_dir(&home).unwrap();
    while sorter.push(1, vec![row(pushed + 1, 1, RowKind::Insert, pushed, 200)]).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    pushed += 1;
    wait_writable(&sorter);
    sorter.resolve(1, pushed).unwrap();
    assert_eq!(drain(&sorter, 1, pushed, FetchLimit::default()).len() as u64, pushed);
}
