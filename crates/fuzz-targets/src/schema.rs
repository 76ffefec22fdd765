//! Schema objects and DDL jobs.

use std::sync::Arc;

use change_format::{CanalEncoder, CanalOptions};
use tidb_codec::key::meta;
use tidb_schema::{DbInfo, Job, SchemaSnapshot, TableInfo, TableVersion};

/// JSON of a database, then (behind a zero byte, or alone) of a table: as objects, and as entries of the meta range.
pub(crate) fn objects(data: &[u8]) {
    const DB: &[u8] = br#"{"id":1,"db_name":{"O":"d","L":"d"},"state":5}"#;
    let (db, table) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (data.get(..at).unwrap_or_default(), data.get(at + 1..).unwrap_or_default()),
        None => (DB, data),
    };
    let pairs = [
        (meta::hash_key(b"DBs", b"DB:1"), db),
        (meta::hash_key(b"DB:1", b"Table:2"), table),
        (meta::hash_key(b"DB:1", b"TID:2"), b"7".as_slice()),
    ];
    if let Ok(snapshot) = SchemaSnapshot::from_meta(5, pairs) {
        for version in snapshot.tables() {
            let _ = (version.is_eligible(false), version.is_system(), version.info.physical_ids());
        }
    }
    let Ok(info) = serde_json::from_slice::<TableInfo>(table) else { return };
    let written = serde_json::to_vec(&info);
    let again = written.ok().and_then(|json| serde_json::from_slice::<TableInfo>(&json).ok());
    assert_eq!(again.as_ref(), Some(&info), "a table reads as it was written");
    let Ok(db) = serde_json::from_slice::<DbInfo>(db) else { return };
    let version = TableVersion::new(&db, info, 1);
    let _ = CanalEncoder::new(&version, Arc::new(CanalOptions::default()));
}

/// DDL jobs as JSON, one a line, applied one after another to an empty schema.
pub(crate) fn jobs(data: &[u8]) {
    let mut snapshot = SchemaSnapshot::empty(1);
    for (at, json) in data.split(|byte| *byte == b'\n').enumerate() {
        let Ok(job) = Job::from_json(json) else { continue };
        if let Ok(json) = job.to_json() {
            assert!(Job::from_json(&json).is_ok(), "a job reads as it was written");
        }
        let _ = snapshot.apply(&job, 2 + at as u64);
    }
    let _ = snapshot.tables();
}
