//! Speed of the row encoder on one core, beside decoding into values and `serde_json`.
//!
//! `cargo run --release -p change-format --example encode_bench [seconds per case]`. Both ways must give the same JSON
//! before anything is measured.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use change_format::{CanalEncoder, CanalOptions, RowChange};
use serde_json::{Map, Value, json};
use tidb_codec::field::{FieldType, tp};
use tidb_codec::json::JsonNode;
use tidb_codec::key::{self, Handle};
use tidb_codec::row::{RowV2, decode_column, encode_row_v2};
use tidb_codec::{Datum, Json, text};
use tidb_schema::{DbInfo, TableInfo, TableVersion};

/// Rows per case; they are encoded again and again.
const ROWS: usize = 256;
/// Seconds per case when none are given.
const DEFAULT_SECONDS: f64 = 2.0;

/// A table with its rows.
struct Case {
    name: &'static str,
    table: TableVersion,
    /// Key and value of each row.
    rows: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A column type as the schema holds it.
fn field(tp: u8, flag: u32, flen: i64) -> Value {
    let text = matches!(tp, tp::VARCHAR | tp::STRING | tp::BLOB | tp::LONG_BLOB);
    let (charset, collate) = if text { ("utf8mb4", "utf8mb4_bin") } else { ("binary", "binary") };
    json!({"Tp": tp, "Flag": flag, "Flen": flen, "Decimal": 0, "Charset": charset, "Collate": collate, "Elems": null})
}

/// Builds a case of columns (name, type, length); the first is the clustered integer key.
fn case(
    name: &'static str,
    columns: &[(String, u8, i64)],
    value: impl Fn(usize, usize) -> Datum,
) -> Result<Case, Box<dyn Error>> {
    let cols: Vec<Value> = columns
        .iter()
        .enumerate()
        .map(|(i, (name, tp, flen))| {
            let flag = if i == 0 { 3 } else { 0 };
            json!({"id": i + 1, "name": {"O": name, "L": name}, "offset": i, "type": field(*tp, flag, *flen), "state": 5})
        })
        .collect();
    let info: TableInfo = serde_json::from_value(json!({
        "id": 1, "name": {"O": "sbtest1", "L": "sbtest1"}, "cols": cols, "pk_is_handle": true, "state": 5
    }))?;
    let db: DbInfo =
        serde_json::from_value(json!({"id": 1, "db_name": {"O": "sbtest", "L": "sbtest"}, "state": 5}))?;
    let fields: Vec<FieldType> = info.columns.iter().map(|column| column.field_type.clone()).collect();
    let mut rows = Vec::new();
    for row in 0..ROWS {
        let values: Vec<Datum> = (1..fields.len()).map(|column| value(row, column)).collect();
        let columns: Vec<_> =
            values.iter().enumerate().map(|(i, value)| (i as i64 + 2, &fields[i + 1], value)).collect();
        rows.push((key::record_key(1, &Handle::Int(row as i64)), encode_row_v2(&columns)?));
    }
    Ok(Case { name, table: TableVersion::new(&db, info, 1), rows })
}

/// Text of `length` digits and dashes, as sysbench makes it.
fn sysbench_text(seed: usize, length: usize) -> Datum {
    let byte = |i: usize| if i % 12 == 11 { b'-' } else { b'0' + ((seed * 31 + i * 7) % 10) as u8 };
    Datum::Bytes((0..length).map(byte).collect())
}

/// The three shapes of the issue, and long plain text.
fn cases() -> Result<Vec<Case>, Box<dyn Error>> {
    let named = |columns: &[(&str, u8, i64)]| -> Vec<(String, u8, i64)> {
        columns.iter().map(|(name, tp, flen)| ((*name).to_owned(), *tp, *flen)).collect()
    };
    let sysbench = named(&[("id", 8, 20), ("k", 3, 11), ("c", 254, 120), ("pad", 254, 60), ("n", 3, 11)]);
    let wide: Vec<_> = (0..200)
        .map(|i| (format!("column_{i}"), [8, 3, 15, 5][i % 4], 64))
        .map(|(name, tp, flen)| if name == "column_0" { (name, 8, 20) } else { (name, tp, flen) })
        .collect();
    let document = json!({"items": (0..1600).map(|i| json!({"id": i, "name": format!("item {i}"), "ok": i % 2 == 0})).collect::<Vec<_>>()});
    let document = Json::parse(&document.to_string())?;
    let kinds: Vec<u8> = wide.iter().map(|(_, tp, _)| *tp).collect();
    Ok(vec![
        case("sysbench, 5 columns", &sysbench, |row, column| match column {
            1 | 4 => Datum::Int((row * 977 % 500_000) as i64),
            2 => sysbench_text(row, 119),
            _ => sysbench_text(row + 3, 59),
        })?,
        case("200 columns", &wide, move |row, column| match kinds[column] {
            15 => sysbench_text(row + column, 20),
            5 => Datum::Double((row * column) as f64 / 8.0),
            _ => Datum::Int((row * column) as i64),
        })?,
        case("64 KiB JSON document", &named(&[("id", 8, 20), ("doc", 245, 0)]), move |_, _| {
            Datum::Json(document.clone())
        })?,
        case("64 KiB plain text", &named(&[("id", 8, 20), ("t", 251, 0)]), |row, _| {
            sysbench_text(row, 64 << 10)
        })?,
    ])
}

/// A document as a tree of values.
fn tree(node: &JsonNode) -> Result<Value, Box<dyn Error>> {
    Ok(match node {
        JsonNode::Null => Value::Null,
        JsonNode::Bool(value) => Value::Bool(*value),
        JsonNode::Int(value) => (*value).into(),
        JsonNode::String(value) => value.as_str().into(),
        JsonNode::Array(members) => Value::Array(members.iter().map(tree).collect::<Result<_, _>>()?),
        JsonNode::Object(members) => {
            let member = |(key, value): &(String, JsonNode)| Ok((key.clone(), tree(value)?));
            Value::Object(members.iter().map(member).collect::<Result<_, Box<dyn Error>>>()?)
        }
        other => return Err(format!("{other:?} is not in the documents of this bench").into()),
    })
}

/// JSON text with blanks where MySQL has them.
struct MysqlText;

impl serde_json::ser::Formatter for MysqlText {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

/// The same message by way of values and `serde_json`: what an encoder without templates does.
fn by_values(case: &Case, key: &[u8], value: &[u8], commit_ts: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    let row = RowV2::parse(value)?;
    let handle = key::decode_record_key(key)?.handle.to_owned();
    let (mut data, mut sql_type, mut mysql_type) = (Map::new(), Map::new(), Map::new());
    for column in &case.table.info.columns {
        let name = column.name.o.clone();
        let datum = match row.get(column.id).flatten() {
            Some(bytes) => decode_column(&column.field_type, bytes)?,
            None => match handle {
                Handle::Int(n) => Datum::Int(n),
                Handle::Common(_) => Datum::Null,
            },
        };
        let mut text = Vec::new();
        if let Datum::Json(json) = &datum {
            let mut out = serde_json::Serializer::with_formatter(&mut text, MysqlText);
            serde::Serialize::serialize(&tree(&json.as_ref().to_node()?)?, &mut out)?;
        } else {
            text::write_datum(&datum, &jiff::tz::TimeZone::UTC, &mut text)?;
        }
        let (kind, word) = match column.field_type.tp {
            3 => (4, "int"),
            5 => (8, "double"),
            8 => (-5, "bigint"),
            15 => (12, "varchar"),
            245 => (12, "json"),
            251 => (2005, "longtext"),
            _ => (1, "char"),
        };
        sql_type.insert(name.clone(), kind.into());
        mysql_type.insert(name.clone(), word.into());
        data.insert(name, String::from_utf8(text)?.into());
    }
    Ok(serde_json::to_vec(&json!({
        "id": 0, "database": "sbtest", "table": "sbtest1", "pkNames": [case.table.info.columns[0].name.o.clone()], "isDdl": false, "type": "INSERT",
        "es": commit_ts >> 18, "ts": 1, "sql": "", "sqlType": sql_type, "mysqlType": mysql_type, "old": null,
        "data": [data]
    }))?)
}

/// The insertion of a row.
fn insert<'a>(commit_ts: u64, key: &'a [u8], value: &'a [u8]) -> RowChange<'a> {
    RowChange { start_ts: commit_ts - 1, commit_ts, key, value, old_value: &[] }
}

/// Runs `encode` over all rows until `time` is over; rows per second and bytes per second.
fn measure(
    case: &Case,
    time: Duration,
    mut encode: impl FnMut(&[u8], &[u8]) -> Result<usize, Box<dyn Error>>,
) -> Result<(f64, f64), Box<dyn Error>> {
    let (mut rows, mut bytes, started) = (0usize, 0usize, Instant::now());
    while started.elapsed() < time {
        for (key, value) in &case.rows {
            bytes += encode(black_box(key), black_box(value))?;
        }
        rows += case.rows.len();
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok((rows as f64 / seconds, bytes as f64 / seconds))
}

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(DEFAULT_SECONDS), |text| text.parse())?;
    let time = Duration::from_secs_f64(seconds);
    let commit_ts = 470_640_251_767_619_593;
    println!(
        "{:24} {:>14} {:>14} {:>18} {:>8}",
        "case", "rows/s/core", "MB/s/core", "by values rows/s", "ratio"
    );
    for case in cases()? {
        let encoder = CanalEncoder::new(&case.table, Arc::new(CanalOptions::default()))?;
        let mut out = Vec::new();
        for (key, value) in &case.rows {
            out.clear();
            encoder.encode(&insert(commit_ts, key, value), 1, &mut out)?;
            let (ours, theirs): (Value, Value) = (
                serde_json::from_slice(&out)?,
                serde_json::from_slice(&by_values(&case, key, value, commit_ts)?)?,
            );
            if ours != theirs {
                let differs = ours
                    .as_object()
                    .into_iter()
                    .flatten()
                    .find(|(key, value)| theirs.get(*key) != Some(value));
                return Err(format!(
                    "{}: the two ways differ in {:?}",
                    case.name,
                    differs.map(|(key, _)| key)
                )
                .into());
            }
        }
        let (rows, bytes) = measure(&case, time, |key, value| {
            out.clear();
            encoder.encode(&insert(commit_ts, key, value), 1, &mut out)?;
            Ok(black_box(&out).len())
        })?;
        let (slow, _) =
            measure(&case, time, |key, value| Ok(by_values(&case, key, value, commit_ts)?.len()))?;
        println!("{:24} {rows:>14.0} {:>14.1} {slow:>18.0} {:>7.1}x", case.name, bytes / 1e6, rows / slow);
    }
    Ok(())
}
