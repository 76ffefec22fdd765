//! What counts as a difference, and what does not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::check_watermarks;

/// A changefeed of one partition.
const VARIANT: &str = "canal-json";

/// A row of a table.
fn row(table: &str, id: u32, es: u64) -> String {
    format!(
        r#"{{"id":0,"database":"d","table":"{table}","isDdl":false,"type":"INSERT","es":{es},"ts":{id},"mysqlType":{{"a":"int","b":"int"}},"data":[{{"id":"{id}"}}],"_tidb":{{"commitTs":{}}}}}"#,
        es << 18
    )
}

/// A watermark.
fn watermark(ts: u64) -> String {
    format!(
        r#"{{"id":0,"database":"","type":"TIDB_WATERMARK","es":{},"ts":1,"_tidb":{{"watermarkTs":{ts}}}}}"#,
        ts >> 18
    )
}

/// A message of ours: rows have a key of no bytes.
fn sent(value: &str) -> Sent {
    let key = if value.contains("WATERMARK") { None } else { Some(Vec::new()) };
    Sent { partition: 0, key, value: value.to_owned() }
}

/// A recording of these messages.
fn recording(messages: &[String]) -> (tempfile::TempDir, Recording, Variant) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    std::fs::create_dir(folder.path().join("new")).unwrap();
    let feed = serde_json::json!({
        "capture": "new", "variant": VARIANT, "partitions": 1, "sink_uri_query": "", "replica_config": {},
    });
    let feeds = serde_json::json!({"start_ts": "1", "end_ts": "2621440", "changefeeds": [feed]});
    write("changefeeds.json", feeds.to_string().as_bytes());
    write("tape.json", br#"{"regions": []}"#);
    write("feed.bin", b"");
    write("meta.kv", b"");
    let line = |value: &String| {
        let sent = sent(value);
        let key = sent.key.map(|_| serde_json::json!({"text": ""}));
        serde_json::json!({"partition": 0, "key": key, "value": {"text": value}}).to_string() + "\n"
    };
    let lines: String = messages.iter().map(line).collect();
    write(&format!("new/{VARIANT}.jsonl"), lines.as_bytes());
    let recording = Recording::load(folder.path()).unwrap();
    let variant = recording.variants().pop().unwrap();
    (folder, recording, variant)
}

/// Compares messages of ours with recorded ones.
fn compared(recorded: &[String], ours: &[Sent]) -> Comparison {
    let (_folder, recording, variant) = recording(recorded);
    compare(&recording, &variant, ours, &Ending::Complete).unwrap()
}

#[test]
fn time_of_encoding_order_of_types_and_order_of_tables_do_not_count() {
    let recorded = [row("t", 1, 5), row("u", 1, 5), row("t", 2, 6)];
    let turned = row("t", 2, 6)
        .replace(r#""a":"int","b":"int""#, r#""b":"int","a":"int""#)
        .replace(r#""ts":2"#, r#""ts":9"#);
    let comparison = compared(&recorded, &[sent(&recorded[1]), sent(&recorded[0]), sent(&turned)]);
    assert_eq!((comparison.alike, comparison.differences.len()), (3, 0));
}

#[test]
fn every_other_byte_counts() {
    let recorded = [row("t", 1, 5), row("t", 2, 6)];
    let changed = recorded[1].replace(r#""id":"2""#, r#""id":"3""#);
    let comparison = compared(&recorded, &[sent(&recorded[0]), sent(&changed)]);
    assert_eq!(comparison.alike, 1);
    let [difference] = comparison.differences.as_slice() else { unreachable!("one difference") };
    let at = difference.first_byte();
    assert_eq!(difference.recorded.as_ref().map(|text| &text[at..=at]), Some("2"));
    assert_eq!(difference.ours.as_ref().map(|text| &text[at..=at]), Some("3"));
}

#[test]
fn what_is_missing_extra_out_of_order_or_without_key_counts() {
    let (one, two) = (row("t", 1, 5), row("t", 2, 6));
    let recorded = [one.clone(), two.clone()];
    assert_eq!(compared(&recorded, &[sent(&two)]).differences.len(), 1, "missing");
    assert_eq!(
        compared(&recorded, &[sent(&one), sent(&row("t", 9, 6)), sent(&two)]).differences.len(),
        1,
        "extra"
    );
    assert_eq!(compared(&recorded, &[sent(&two), sent(&one)]).differences.len(), 2, "out of order");
    assert_eq!(
        compared(&recorded, &[sent(&one), sent(&one), sent(&two)]).differences.len(),
        1,
        "ours repeated"
    );
    let without_key = Sent { key: None, ..sent(&two) };
    assert_eq!(compared(&recorded, &[sent(&one), without_key]).differences.len(), 1, "key");
    let elsewhere = Sent { partition: 1, ..sent(&two) };
    assert_eq!(compared(&recorded, &[sent(&one), elsewhere]).differences.len(), 2, "partition");
}

#[test]
fn recorded_messages_may_be_there_twice() {
    let (one, two) = (row("t", 1, 5), row("t", 2, 6));
    let recorded = [one.clone(), two.clone(), one.clone(), two.clone()];
    let comparison = compared(&recorded, &[sent(&one), sent(&two)]);
    assert_eq!((comparison.alike, comparison.repeated, comparison.differences.len()), (2, 2, 0));
}

#[test]
fn watermarks_stand_behind_everything_that_they_cover() {
    let (one, two) = (row("t", 1, 5), row("t", 2, 9));
    let (_folder, recording, variant) = recording(&[one.clone(), two.clone(), watermark(10 << 18)]);
    let check = |ours: &[Sent]| {
        let mut differences = Vec::new();
        check_watermarks(&recording, &variant, ours, recording.end_ts, &mut differences).unwrap();
        differences.len()
    };
    let (early, last) = (watermark(5 << 18), watermark(10 << 18));
    assert_eq!(check(&[sent(&one), sent(&early), sent(&two), sent(&last)]), 0);
    assert_eq!(check(&[sent(&early), sent(&one), sent(&two), sent(&last)]), 1, "covers a row behind it");
    assert_eq!(check(&[sent(&one), sent(&two), sent(&early)]), 1, "the last one is short of the end");
    assert_eq!(check(&[sent(&one), sent(&two), sent(&last), sent(&early)]), 2, "goes back, and so is short");
    assert_eq!(check(&[sent(&last.replace("\"id\":0,", ""))]), 1, "form");
}
