use super::*;

/// A row of the stream.
fn row(log_type: LogType, start_ts: u64, commit_ts: u64, key: &'static str, value: &'static str) -> Row {
    Row {
        start_ts,
        commit_ts,
        r#type: log_type as i32,
        op_type: OpType::Put as i32,
        key: Bytes::from_static(key.as_bytes()),
        value: Bytes::from_static(value.as_bytes()),
        ..Row::default()
    }
}

/// Feeds rows and returns (start ts, commit ts, value) of what comes out.
fn feed(matcher: &mut Matcher, rows: Vec<Row>) -> Result<Vec<(u64, u64, Bytes)>, MatchError> {
    let mut out = Vec::new();
    for row in rows {
        matcher.on_row(row, &mut out)?;
    }
    Ok(out.into_iter().map(|row| (row.start_ts, row.commit_ts, row.value)).collect())
}

/// A matcher whose scan is complete.
fn initialized(start_ts: u64) -> Matcher {
    let mut matcher = Matcher::new(start_ts, start_ts);
    feed(&mut matcher, vec![row(LogType::Initialized, 0, 0, "", "")]).unwrap();
    matcher
}

#[test]
fn a_commit_takes_the_value_of_its_prewrite() {
    let mut matcher = initialized(1);
    let out = feed(
        &mut matcher,
        vec![
            row(LogType::Prewrite, 5, 0, "a", "va"),
            row(LogType::Prewrite, 5, 0, "b", "vb"),
            row(LogType::Commit, 5, 6, "b", ""),
        ],
    );
    assert_eq!(out.unwrap(), [(5, 6, Bytes::from_static(b"vb"))]);
    assert_eq!(matcher.pending(), 1);
}

#[test]
fn a_delete_has_an_empty_prewrite_and_is_matched_all_the_same() {
    for mut matcher in [initialized(1), Matcher::new(1, 1)] {
        let mut prewrite = row(LogType::Prewrite, 5, 0, "a", "");
        prewrite.op_type = OpType::Delete as i32;
        prewrite.old_value = Bytes::from_static(b"old");
        let mut commit = row(LogType::Commit, 5, 6, "a", "");
        commit.op_type = OpType::Delete as i32;
        let mut out = Vec::new();
        matcher.on_row(prewrite, &mut out).unwrap();
        matcher.on_row(commit, &mut out).unwrap();
        matcher.on_row(row(LogType::Initialized, 0, 0, "", ""), &mut out).unwrap();
        assert_eq!(out.len(), 1);
        assert_eq!((out[0].op, &out[0].old_value[..]), (Op::Delete, &b"old"[..]));
    }
}

#[test]
fn a_commit_before_its_prewrite_waits_for_the_end_of_the_scan() {
    let mut matcher = Matcher::new(1, 1);
    let commit = row(LogType::Commit, 5, 6, "a", "");
    assert!(feed(&mut matcher, vec![commit, row(LogType::Prewrite, 5, 0, "a", "v")]).unwrap().is_empty());
    let out = feed(&mut matcher, vec![row(LogType::Initialized, 0, 0, "", "")]).unwrap();
    assert_eq!(out, [(5, 6, Bytes::from_static(b"v"))]);
}

#[test]
fn a_commit_whose_change_the_scan_delivered_is_dropped() {
    let mut matcher = Matcher::new(1, 1);
    let rows = vec![
        row(LogType::Commit, 5, 6, "a", ""),
        row(LogType::Committed, 5, 6, "a", "v"),
        row(LogType::Initialized, 0, 0, "", ""),
        row(LogType::Initialized, 0, 0, "", ""),
    ];
    assert_eq!(feed(&mut matcher, rows).unwrap(), [(5, 6, Bytes::from_static(b"v"))]);
}

#[test]
fn a_commit_without_prewrite_after_the_scan_is_an_error() {
    let mut matcher = initialized(1);
    let error = feed(&mut matcher, vec![row(LogType::Commit, 5, 6, "a", "")]).unwrap_err();
    assert!(matches!(error, MatchError::CommitWithoutPrewrite { start_ts: 5, commit_ts: 6, .. }));
}

#[test]
fn a_rollback_during_the_scan_removes_the_lock_that_the_scan_delivers_later() {
    let mut matcher = Matcher::new(1, 1);
    let rows = vec![
        row(LogType::Rollback, 5, 0, "a", ""),
        row(LogType::Prewrite, 5, 0, "a", "v"),
        row(LogType::Initialized, 0, 0, "", ""),
    ];
    assert!(feed(&mut matcher, rows).unwrap().is_empty());
    assert_eq!(matcher.pending(), 0);
}

#[test]
fn pipelined_prewrites_keep_the_newest_generation_and_ignore_heartbeats() {
    let mut matcher = initialized(1);
    let generation = |value, generation| Row { generation, ..row(LogType::Prewrite, 5, 0, "a", value) };
    let rows = vec![
        generation("one", 1),
        generation("three", 3),
        generation("two", 2),
        generation("", 4),
        row(LogType::Commit, 5, 6, "a", ""),
    ];
    assert_eq!(feed(&mut matcher, rows).unwrap(), [(5, 6, Bytes::from_static(b"three"))]);
}

#[test]
fn an_early_generation_seen_during_the_scan_is_not_taken_for_the_last() {
    let mut matcher = Matcher::new(1, 1);
    let generation = |value, generation| Row { generation, ..row(LogType::Prewrite, 5, 0, "a", value) };
    let rows = vec![generation("one", 1), row(LogType::Commit, 5, 6, "a", ""), generation("two", 2)];
    assert!(feed(&mut matcher, rows).unwrap().is_empty());
    let out = feed(&mut matcher, vec![row(LogType::Initialized, 0, 0, "", "")]).unwrap();
    assert_eq!(out, [(5, 6, Bytes::from_static(b"two"))]);
}

#[test]
fn a_sign_of_life_alone_is_not_taken_for_the_value() {
    let mut matcher = Matcher::new(1, 1);
    let heartbeat = Row { generation: 2, ..row(LogType::Prewrite, 5, 0, "a", "") };
    let rows = vec![
        heartbeat.clone(),
        row(LogType::Commit, 5, 6, "a", ""),
        row(LogType::Committed, 5, 6, "a", "v"),
        row(LogType::Initialized, 0, 0, "", ""),
    ];
    assert_eq!(feed(&mut matcher, rows).unwrap(), [(5, 6, Bytes::from_static(b"v"))]);
    assert_eq!(matcher.pending(), 0);
    let rows = vec![Row { start_ts: 7, ..heartbeat }, row(LogType::Commit, 7, 8, "a", "")];
    let error = feed(&mut matcher, rows).unwrap_err();
    assert!(matches!(error, MatchError::CommitWithoutPrewrite { start_ts: 7, .. }));
}

#[test]
fn changes_of_before_the_subscription_are_dropped_and_late_ones_are_errors() {
    let mut matcher = initialized(10);
    let out = feed(&mut matcher, vec![row(LogType::Committed, 8, 10, "a", "v")]).unwrap();
    assert!(out.is_empty());
    assert!(matcher.on_resolved(20));
    assert!(!matcher.on_resolved(19));
    let error = feed(&mut matcher, vec![row(LogType::Committed, 18, 20, "a", "v")]).unwrap_err();
    assert!(matches!(error, MatchError::Late { commit_ts: 20, resolved_ts: 20, .. }));
}

#[test]
fn a_scan_that_begins_later_than_the_subscription_skips_what_was_delivered() {
    let mut matcher = Matcher::new(10, 50);
    let rows = vec![
        row(LogType::Committed, 30, 50, "a", "old"),
        row(LogType::Committed, 50, 51, "a", "new"),
        row(LogType::Initialized, 0, 0, "", ""),
    ];
    assert_eq!(feed(&mut matcher, rows).unwrap(), [(50, 51, Bytes::from_static(b"new"))]);
}

#[test]
fn the_resolved_ts_does_not_move_before_the_scan_is_complete() {
    let mut matcher = Matcher::new(1, 1);
    assert!(!matcher.on_resolved(100));
    assert_eq!(matcher.resolved_ts(), 1);
}

#[test]
fn a_quiet_region_gives_its_memory_back() {
    let mut matcher = initialized(1);
    let mut out = Vec::new();
    for start_ts in 2..1000 {
        matcher.on_row(row(LogType::Prewrite, start_ts, 0, "a", "v"), &mut out).unwrap();
    }
    for start_ts in 2..1000 {
        matcher.on_row(row(LogType::Commit, start_ts, start_ts + 1, "a", ""), &mut out).unwrap();
    }
    for ts in 2000..2010 {
        matcher.on_resolved(ts);
    }
    assert_eq!(matcher.prewrites.capacity(), 0);
}
