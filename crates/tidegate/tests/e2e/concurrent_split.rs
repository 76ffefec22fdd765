//! Regions are split while they are written to, and while a changefeed scans them.

use std::collections::BTreeSet;
use std::fmt::Write;

use tikv_client::{PdClient, Security, TikvClient};

use crate::load::Writer;
use crate::replay::{changes, rebuild, table_of};
use crate::stack::{Ports, Stack};
use crate::topic;

/// Rows of the table that is scanned.
const ROWS: i64 = 20_000;
/// Rows of one statement.
const BATCH: i64 = 1_000;
/// Text of a row by which its key is found.
const MARK: &str = "find-me-in-the-store";
/// Length of a record key: `t`, table id, `_r`, integer handle.
const RECORD_KEY: usize = 19;
/// The part of a record key that all rows of the table share.
const RECORD_PREFIX: usize = 11;

/// A client of the store.
async fn store(ports: Ports) -> TikvClient {
    let endpoints = [format!("127.0.0.1:{}", ports.pd)];
    TikvClient::new(PdClient::connect(&endpoints, Security::none()).await.expect("the placement driver"))
}

/// What the record keys of the table begin with that has a row with [`MARK`].
async fn record_prefix(store: &TikvClient) -> Vec<u8> {
    let ts = store.pd().get_ts().await.expect("a timestamp");
    let mut scanner = store.snapshot(ts).scanner(b"t", b"u", false);
    while let Some(batch) = scanner.next_batch().await.expect("rows") {
        for pair in batch {
            let has_mark = pair.value.windows(MARK.len()).any(|part| part == MARK.as_bytes());
            if has_mark && pair.key.len() == RECORD_KEY && pair.key[9..RECORD_PREFIX] == *b"_r" {
                return pair.key[..RECORD_PREFIX].to_vec();
            }
        }
    }
    panic!("no row with {MARK}")
}

/// Splits at rows with these ids.
async fn split(store: &TikvClient, prefix: &[u8], ids: impl IntoIterator<Item = i64>) {
    for id in ids {
        let handle = id.cast_unsigned() ^ 1 << 63;
        let key = [prefix, &handle.to_be_bytes()].concat();
        store.split_region(&key).await.expect("a split");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn splits_under_load_lose_and_double_nothing() {
    let stack = Stack::start().await;
    let api = stack.api();
    let mut client = stack.sql().await;
    let writer = Writer::create(&mut client, "busy", 11).await;
    client.query(&format!("INSERT INTO test.busy VALUES (1000000, 0, '{MARK}')")).await.expect("a row");
    let store = store(stack.ports).await;
    let prefix = record_prefix(&store).await;
    client.query("DELETE FROM test.busy").await.expect("no rows");
    api.create("feed", &api.sink("split"), 0).await;
    let splits = async {
        for id in [100, 50, 150, 25, 75, 125, 175, 101, 99, 60] {
            // Work goes on between two splits until the changefeed has seen it.
            api.wait_caught_up("feed").await;
            split(&store, &prefix, [id]).await;
        }
        api.wait_caught_up("feed").await;
    };
    let mut writer = writer.run_during(Ports::addr(stack.ports.sql), splits).await;
    writer.settle(&mut client).await.expect("the table");
    api.wait_caught_up("feed").await;
    let messages = topic::read_all(stack.ports, "split").await;
    writer.check(&changes(&messages));
    let rows = client.query("SELECT * FROM test.busy").await.expect("rows").rows;
    assert_eq!(rebuild(&messages).remove("busy").unwrap_or_default(), table_of(rows));
    let regions = store.pd().scan_regions(Vec::new().into(), Vec::new().into(), 100).await.expect("regions");
    assert!(regions.len() > 10, "{} regions", regions.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn splits_during_a_scan_lose_and_double_nothing() {
    let stack = Stack::start().await;
    let api = stack.api();
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.big (id BIGINT PRIMARY KEY, v VARCHAR(100))").await.expect("a table");
    let start_ts = api.now().await;
    for first in (0..ROWS).step_by(usize::try_from(BATCH).expect("a small number")) {
        let mut sql = format!("INSERT INTO test.big VALUES ({first}, '{MARK}')");
        for id in first + 1..first + BATCH {
            write!(sql, ",({id},'a row that is long enough to make the scan take a while, number {id}')")
                .expect("text");
        }
        client.query(&sql).await.expect("rows");
    }
    let store = store(stack.ports).await;
    let prefix = record_prefix(&store).await;
    api.create("feed", &api.sink("scanned"), start_ts).await;
    split(&store, &prefix, (0..ROWS).step_by(1_500).collect::<Vec<_>>().into_iter().rev()).await;
    api.wait_caught_up("feed").await;
    let messages = topic::read_all(stack.ports, "scanned").await;
    let changes = changes(&messages);
    let ids: BTreeSet<_> = changes.iter().map(|change| change.number("id")).collect();
    assert_eq!((changes.len(), ids), (20_000, (0..ROWS).collect()));
}
