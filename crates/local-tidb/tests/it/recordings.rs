//! Scripts that were recorded on a real TiDB cluster: same answers, same stored bytes. The recordings are not part of the
//! repository: their folder is named by `TIDEGATE_GOLDEN` (default `../shared/golden` beside the repository).

use std::collections::BTreeMap;
use std::path::Path;

use tidb_codec::key;

use crate::cluster::Cluster;

/// Scripts; 06 has statements that are refused by name (AUTO_RANDOM, utf8mb4_0900_ai_ci).
const SCRIPTS: [&str; 11] = [
    "01_integers",
    "02_numbers",
    "03_times",
    "05_others",
    "04_strings",
    "06_keys",
    "07_transactions",
    "12_bulk_and_commit_modes",
    "13_random_11",
    "13_random_12",
    "13_random_13",
];

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    while let Some((first, rest)) = bytes.split_first() {
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        shift += 7;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}

/// Fields of a protobuf message: number, and bytes or number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let (mut number, mut data): (u64, &[u8]) = (0, &[]);
        if tag & 7 == 0 {
            number = varint(&mut bytes);
        } else {
            let len = varint(&mut bytes) as usize;
            (data, bytes) = bytes.split_at(len);
        }
        out.push((tag >> 3, number, data));
    }
    out
}

/// Values by raw key as they are after the last commit of a recorded feed.
fn last_values(feed: &[u8]) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    let mut prewrites: BTreeMap<(Vec<u8>, u64), Option<Vec<u8>>> = BTreeMap::new();
    let mut last: BTreeMap<Vec<u8>, (u64, Option<Vec<u8>>)> = BTreeMap::new();
    let mut rest = feed;
    while rest.len() > 12 {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let message = &rest[12..12 + len];
        rest = &rest[12 + len..];
        let rows = fields(message).into_iter().filter(|f| f.0 == 1).flat_map(|event| {
            fields(event.2)
                .into_iter()
                .filter(|f| f.0 == 3)
                .flat_map(|entries| fields(entries.2))
                .collect::<Vec<_>>()
        });
        for (_, _, row) in rows {
            let row = fields(row);
            let number = |n| row.iter().find(|f| f.0 == n).map_or(0, |f| f.1);
            let bytes = |n| row.iter().find(|f| f.0 == n).map_or(Vec::new(), |f| f.2.to_vec());
            let (start, commit, kind) = (number(1), number(2), number(3));
            let value = (number(4) == 1).then(|| bytes(6));
            let (key, committed) = match kind {
                1 => {
                    prewrites.insert((bytes(5), start), value);
                    continue;
                }
                2 => (bytes(5), prewrites.remove(&(bytes(5), start)).flatten()),
                4 => (bytes(5), value),
                _ => continue,
            };
            if last.get(&key).is_none_or(|(have, _)| commit >= *have) {
                last.insert(key, (commit, committed));
            }
        }
    }
    last.into_iter().map(|(key, (_, value))| (key, value)).collect()
}

/// Ids of the tables that the script's history creates, by name; the last of a name counts.
fn table_ids(jobs: impl Iterator<Item = serde_json::Value>) -> BTreeMap<String, i64> {
    let tables = jobs.filter_map(|job| {
        let table = job["binlog"]["TableInfo"].clone();
        Some((table["name"]["L"].as_str()?.to_owned(), table["id"].as_i64()?))
    });
    tables.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_scripts_store_the_same_bytes() {
    let folder = golden::root().join("cluster");
    if !folder.is_dir() {
        eprintln!("NOT CHECKED: no recordings at {} (set TIDEGATE_GOLDEN)", folder.display());
        return;
    }
    for script in SCRIPTS {
        replay(&folder.join(script)).await;
    }
}

async fn replay(folder: &Path) {
    let cluster = Cluster::start().await;
    let mut c = cluster.session_in("golden").await;
    let recorded: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(folder.join("statements.json")).unwrap()).unwrap();
    for statement in &recorded {
        // GBK columns are refused by name; TiDB stores their text as UTF-8.
        let sql = statement["sql"].as_str().unwrap().replace("SET gbk", "SET utf8mb4");
        match c.session.execute(&sql).await {
            Ok(results) => {
                assert!(statement["error"].is_null(), "{sql} succeeds, recorded {}", statement["error"]);
                let count = |r: &local_tidb::QueryResult| {
                    if r.columns.is_empty() { r.affected } else { r.rows.len() as u64 }
                };
                let affected = results.last().map_or(0, count);
                assert_eq!(Some(affected), statement["affected"].as_u64(), "{sql}");
            }
            // What is refused by name is left out, with the tables that it leaves out.
            Err(error) if statement["error"].is_null() => {
                assert!([1146, 1235, 1273].contains(&error.code), "{sql}: {error}");
            }
            Err(error) => {
                assert_eq!(Some(u64::from(error.code)), statement["error"][0].as_u64(), "{sql}: {error}")
            }
        }
    }
    let values = last_values(&std::fs::read(folder.join("feed.bin")).unwrap());
    let ours = c.ok("SELECT job_meta FROM mysql.tidb_ddl_history ORDER BY job_id").await;
    let jobs = ours.rows.iter().map(|row| match row.first() {
        Some(tidb_codec::Datum::Bytes(json)) => serde_json::from_slice(json).unwrap(),
        other => panic!("{other:?}"),
    });
    let our_ids = table_ids(jobs);
    let history = tidb_schema::DDL_HISTORY_TABLE_ID;
    let meta =
        values.iter().filter(|(k, _)| key::table_id_of(k) == Some(history)).filter_map(|(_, v)| v.clone());
    let recorded_jobs = meta.filter_map(|row| {
        let text = String::from_utf8_lossy(&row).into_owned();
        let json = text.get(text.find("{\"id\"")?..)?;
        serde_json::Deserializer::from_str(json).into_iter().next()?.ok()
    });
    let their_ids = table_ids(recorded_jobs);
    let pd = tikv_client::PdClient::connect(
        std::slice::from_ref(&cluster.pd_endpoint),
        tikv_client::Security::none(),
    )
    .await
    .unwrap();
    let client = tikv_client::TikvClient::new(pd.clone());
    let snapshot = client.snapshot(pd.get_ts().await.unwrap());
    let mut compared = 0;
    for (name, their_id) in their_ids.iter().filter(|(name, _)| our_ids.contains_key(*name)) {
        let (our_start, our_end) = key::record_range(our_ids[name]);
        let (start, end) = key::record_range(*their_id);
        let theirs: Vec<_> =
            values.range(start..end).filter_map(|(k, v)| Some((k[11..].to_vec(), v.clone()?))).collect();
        let stored = snapshot.scan(&our_start, &our_end, 10_000, false).await.unwrap();
        let stored: Vec<_> = stored.into_iter().map(|p| (p.key[11..].to_vec(), p.value.to_vec())).collect();
        compared += theirs.len();
        for (ours, theirs) in stored.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{} {name}", folder.display());
        }
        assert_eq!(stored.len(), theirs.len(), "{} {name}", folder.display());
    }
    assert!(compared > 0, "{}", folder.display());
    cluster.stop().await;
}
