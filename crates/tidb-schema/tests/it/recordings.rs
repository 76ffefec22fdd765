//! Recorded meta ranges of a real cluster: every schema object reads and writes back alike, and replaying the job
//! history gives the recorded schema. The recordings are not part of the repository: their folder is named by
//! `TIDEGATE_GOLDEN` (default `../shared/golden` beside the repository); without it the tests say so and pass.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidb_codec::key::meta::{self, MetaKey};
use tidb_schema::{DbInfo, Job, SchemaSnapshot, TableInfo};

/// The folders of the recorded scripts.
fn scripts() -> Vec<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden");
    let root = std::env::var_os("TIDEGATE_GOLDEN").map_or(default, PathBuf::from);
    let Ok(entries) = std::fs::read_dir(root.join("cluster")) else {
        eprintln!("NOT CHECKED: no recordings at {} (set TIDEGATE_GOLDEN)", root.display());
        return Vec::new();
    };
    let mut scripts: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    scripts.sort();
    scripts
}

/// Keys and values of `meta.kv`.
fn meta_pairs(script: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let data = std::fs::read(script.join("meta.kv")).unwrap();
    let mut rest = data.as_slice();
    let mut next = || -> Option<Vec<u8>> {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (item, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        rest = tail;
        Some(item.to_vec())
    };
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (next(), next()) {
        pairs.push((key, value));
    }
    pairs
}

/// Replaces empty lists by null: TiDB writes either.
fn normalise(value: &mut Value) {
    match value {
        Value::Array(list) if list.is_empty() => *value = Value::Null,
        Value::Array(list) => list.iter_mut().for_each(normalise),
        Value::Object(map) => map.values_mut().for_each(normalise),
        _ => {}
    }
}

/// Compares what was recorded with what is written after reading it, keys in order.
fn assert_same(recorded: &[u8], written: Value) {
    let mut recorded: Value = serde_json::from_slice(recorded).unwrap();
    let mut written = written;
    normalise(&mut recorded);
    normalise(&mut written);
    assert_eq!(written.to_string(), recorded.to_string());
}

/// Jobs of the history by finish.
fn history(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<Job> {
    let is_history = |key: &[u8]| matches!(meta::decode(key).unwrap(), MetaKey::HashField { name, .. } if name == b"DDLJobHistory");
    let mut jobs: Vec<Job> = pairs
        .iter()
        .filter(|(key, _)| is_history(key))
        .map(|(_, value)| Job::from_json(value).unwrap())
        .collect();
    jobs.sort_by_key(|job| (job.binlog.as_ref().unwrap().finished_ts, job.schema_version()));
    jobs
}

#[test]
fn every_recorded_object_is_written_back_as_it_was() {
    for script in scripts() {
        for (key, value) in meta_pairs(&script) {
            let MetaKey::HashField { name, field } = meta::decode(&key).unwrap() else { continue };
            if name == b"DBs" {
                let info: DbInfo = serde_json::from_slice(&value).unwrap();
                assert_same(&value, serde_json::to_value(&info).unwrap());
            } else if name == b"DDLJobHistory" {
                assert_same(&value, serde_json::to_value(Job::from_json(&value).unwrap()).unwrap());
            } else if name.starts_with(b"DB:") && field.starts_with(b"Table:") {
                let info: TableInfo = serde_json::from_slice(&value).unwrap();
                assert_same(&value, serde_json::to_value(&info).unwrap());
            }
        }
    }
}

#[test]
fn replaying_the_job_history_gives_the_recorded_schema() {
    for script in scripts() {
        let pairs = meta_pairs(&script);
        let recorded = SchemaSnapshot::from_meta(u64::MAX, pairs.iter().map(|(k, v)| (k, v))).unwrap();
        let mut replayed = SchemaSnapshot::empty(0);
        // The database `mysql` was made before the first job.
        replayed = SchemaSnapshot::from_meta(
            0,
            pairs.iter().filter(|(key, _)| *key == meta::hash_key(b"DBs", b"DB:1")).map(|(k, v)| (k, v)),
        )
        .unwrap_or(replayed);
        for job in history(&pairs) {
            let ts = job.binlog.as_ref().unwrap().finished_ts;
            let effect = replayed.apply(&job, ts);
            assert!(effect.is_ok(), "{}: {:?}: {}", script.display(), effect.err(), job.query);
        }
        let names = |snapshot: &SchemaSnapshot| {
            let tables = snapshot.tables();
            let user = tables.iter().filter(|table| !table.is_system());
            user.map(|t| (t.info.id, t.schema.o.clone(), t.info.name.o.clone(), t.info.physical_ids()))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&replayed), names(&recorded), "{}", script.display());
        for table in recorded.tables().iter().filter(|table| !table.is_system()) {
            let other = replayed.table(table.info.id).unwrap();
            assert_eq!(other.info.columns, table.info.columns, "{}", table.table_name());
            assert_eq!(other.info.indices, table.info.indices, "{}", table.table_name());
        }
    }
}
