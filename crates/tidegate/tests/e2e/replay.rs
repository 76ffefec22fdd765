//! What the messages of a topic amount to.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::event::{Columns, Event, Operation, Watermark};
use crate::sql_client::SqlRow;
use crate::topic::Message;

/// Values of the primary key.
type Key = Vec<Option<String>>;

/// A change of a row, seen for the first time.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// What happened.
    pub(crate) operation: Operation,
    /// Table.
    pub(crate) table: String,
    /// The row after the change, or before a delete.
    pub(crate) data: Columns,
    /// When it was committed.
    pub(crate) commit_ts: u64,
}

impl Change {
    /// Text of a column.
    #[track_caller]
    pub(crate) fn text(&self, column: &str) -> &str {
        let value = self.data.get(column).flatten();
        value.unwrap_or_else(|| panic!("no {column} in {self:?}"))
    }

    /// Number in a column.
    #[track_caller]
    pub(crate) fn number(&self, column: &str) -> i64 {
        let text = self.text(column);
        text.parse().unwrap_or_else(|_| panic!("{column} of {self:?} is not a number"))
    }
}

/// A message without the time of its encoding: what repeats when a change is sent again.
fn identity(message: &Message) -> String {
    let mut value: Value = serde_json::from_slice(&message.value).expect("JSON");
    if let Some(fields) = value.as_object_mut() {
        fields.shift_remove("ts");
    }
    value.to_string()
}

/// The changes of rows, without repeats, in order of their partitions.
///
/// # Panics
/// If the promises to a consumer are broken: a change is new after a watermark past it, commit timestamps of a row go
/// back, or a row changes its partition.
pub(crate) fn changes(messages: &[Message]) -> Vec<Change> {
    let mut seen = HashSet::new();
    let mut marks: HashMap<i32, u64> = HashMap::new();
    let mut last: HashMap<(String, Key), (i32, u64)> = HashMap::new();
    let mut changes = Vec::new();
    for message in messages {
        let place = format!("partition {} offset {}", message.partition, message.offset);
        let row = match message.event() {
            Event::Watermark(Watermark { ts, .. }) => {
                let mark = marks.entry(message.partition).or_default();
                *mark = ts.max(*mark);
                continue;
            }
            Event::Ddl(_) => continue,
            Event::Row(row) => row,
        };
        if !seen.insert(identity(message)) {
            continue;
        }
        assert_eq!(message.key.as_deref(), Some(&b""[..]), "{place}: rows have an empty key");
        let commit_ts = row.commit_ts.unwrap_or_else(|| panic!("{place}: no commit timestamp"));
        let mark = marks.get(&message.partition).copied().unwrap_or_default();
        assert!(commit_ts > mark, "{place}: {commit_ts} is new after the watermark {mark}");
        let images =
            <[_; 1]>::try_from(row.rows).unwrap_or_else(|rows| panic!("{place}: {} rows", rows.len()));
        let [images] = images;
        let key: Key =
            row.keys.iter().map(|name| images.data.get(name).flatten().map(str::to_owned)).collect();
        assert!(!key.is_empty(), "{place}: no key");
        if let Some((partition, before)) =
            last.insert((row.table.clone(), key.clone()), (message.partition, commit_ts))
        {
            assert_eq!(partition, message.partition, "{place}: {key:?} was on another partition");
            assert!(before <= commit_ts, "{place}: {key:?} goes back from {before} to {commit_ts}");
        }
        changes.push(Change { operation: row.operation, table: row.table, data: images.data, commit_ts });
    }
    changes
}

/// Watermarks of each partition rise, and there are some.
///
/// # Panics
/// If one does not.
pub(crate) fn check_watermarks(messages: &[Message]) {
    let mut last: HashMap<i32, u64> = HashMap::new();
    for message in messages {
        if let Event::Watermark(Watermark { ts, .. }) = message.event() {
            let before = last.insert(message.partition, ts).unwrap_or_default();
            assert!(before <= ts, "partition {}: watermark {ts} after {before}", message.partition);
        }
    }
    assert!(!last.is_empty(), "no watermarks");
}

/// Rows of a table by their key.
pub(crate) type Table = BTreeMap<Key, SqlRow>;

/// The tables that a consumer has which applies every message as it comes.
pub(crate) fn rebuild(messages: &[Message]) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for message in messages {
        let Event::Row(row) = message.event() else { continue };
        let table = tables.entry(row.table.clone()).or_default();
        for images in row.rows {
            let key: Key =
                row.keys.iter().map(|name| images.data.get(name).flatten().map(str::to_owned)).collect();
            match row.operation {
                Operation::Delete => table.remove(&key),
                Operation::Insert | Operation::Update => {
                    table.insert(key, images.data.0.into_iter().map(|(_, value)| value).collect())
                }
            };
        }
    }
    tables
}

/// Rows of a query whose first column is the key.
pub(crate) fn table_of(rows: Vec<SqlRow>) -> Table {
    rows.into_iter().map(|row| (row.iter().take(1).cloned().collect(), row)).collect()
}
