//! Canal-JSON messages as a consumer reads them.
//!
//! Fields that are not known are skipped, so that messages of other versions and of Canal itself can be read.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// `type` of a message that carries no change.
const WATERMARK: &str = "TIDB_WATERMARK";

/// Why a message is not an event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventError {
    /// The message is empty or a tombstone.
    #[error("the message is empty")]
    Empty,
    /// The value is not JSON, or a field does not have the type it must have.
    #[error("not Canal-JSON: {0}")]
    Malformed(#[from] serde_json::Error),
    /// An operation that Canal-JSON does not have.
    #[error("unknown type {0:?}")]
    UnknownType(String),
    /// A row event without a row.
    #[error("a row event without data")]
    NoRow,
    /// A watermark without its timestamp.
    #[error("a watermark without watermarkTs")]
    NoWatermark,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It is new.
    Insert,
    /// It has other values.
    Update,
    /// It is gone.
    Delete,
}

impl Operation {
    /// As in the messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// Columns with their values as text (`None` is NULL), in the order of the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Columns(pub(crate) Vec<(String, Option<String>)>);

impl Columns {
    /// The value of a column: `None` if there is no such column, `Some(None)` if it is NULL.
    pub(crate) fn get(&self, name: &str) -> Option<Option<&str>> {
        self.0.iter().find(|(column, _)| column == name).map(|(_, value)| value.as_deref())
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Reads an object in order.
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Columns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of columns with text or null")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns, A::Error> {
                let mut columns = Vec::new();
                while let Some(column) = map.next_entry()? {
                    columns.push(column);
                }
                Ok(Columns(columns))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// A row before and after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowImages {
    /// The row after an insert or update, before a delete.
    pub(crate) data: Columns,
    /// The row before an update: all columns, or those that changed.
    pub(crate) old: Option<Columns>,
}

/// Rows of one table that changed in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowEvent {
    /// What happened.
    pub(crate) operation: Operation,
    /// Database.
    pub(crate) database: String,
    /// Table.
    pub(crate) table: String,
    /// Columns of the primary key; empty without one.
    pub(crate) keys: Vec<String>,
    /// The rows; TiCDC sends one, Canal may send several.
    pub(crate) rows: Vec<RowImages>,
    /// When the change was committed, milliseconds since 1970.
    pub(crate) commit_ms: i64,
    /// Commit timestamp, with the TiDB extension.
    pub(crate) commit_ts: Option<u64>,
}

/// A change of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DdlEvent {
    /// Kind of statement, such as `CREATE`.
    pub(crate) kind: String,
    /// Database.
    pub(crate) database: String,
    /// Table; empty if the statement is about a database.
    pub(crate) table: String,
    /// The statement.
    pub(crate) sql: String,
    /// When the change was committed, milliseconds since 1970.
    pub(crate) commit_ms: i64,
    /// Commit timestamp, with the TiDB extension.
    pub(crate) commit_ts: Option<u64>,
}

/// A promise that everything up to a timestamp was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Watermark {
    /// The timestamp.
    pub(crate) ts: u64,
    /// Its time, milliseconds since 1970.
    pub(crate) ms: i64,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Rows changed.
    Row(RowEvent),
    /// The schema changed.
    Ddl(DdlEvent),
    /// Nothing changed, and time went on.
    Watermark(Watermark),
}

/// The TiDB extension.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extension {
    /// Commit timestamp of a row or DDL.
    commit_ts: Option<u64>,
    /// Timestamp of a watermark.
    watermark_ts: Option<u64>,
}

/// A message as it is on the wire.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    /// Database.
    #[serde(default)]
    database: String,
    /// Table.
    #[serde(default)]
    table: String,
    /// Columns of the primary key; Canal sends null without one.
    #[serde(default)]
    pk_names: Option<Vec<String>>,
    /// Whether the schema changed.
    #[serde(default)]
    is_ddl: bool,
    /// Kind of message.
    #[serde(rename = "type")]
    kind: String,
    /// Commit time, milliseconds.
    #[serde(default)]
    es: i64,
    /// Statement of a DDL.
    #[serde(default)]
    sql: Option<String>,
    /// Rows before an update.
    #[serde(default)]
    old: Option<Vec<Option<Columns>>>,
    /// Rows.
    #[serde(default)]
    data: Option<Vec<Columns>>,
    /// TiDB extension.
    #[serde(default, rename = "_tidb")]
    extension: Extension,
}

impl Event {
    /// Reads the value of a Kafka message.
    ///
    /// # Errors
    /// [`EventError`] tells what is wrong with the message.
    pub(crate) fn parse(value: &[u8]) -> Result<Self, EventError> {
        if value.is_empty() {
            return Err(EventError::Empty);
        }
        let message: Message = serde_json::from_slice(value)?;
        if message.is_ddl {
            return Ok(Self::Ddl(DdlEvent {
                kind: message.kind,
                database: message.database,
                table: message.table,
                sql: message.sql.unwrap_or_default(),
                commit_ms: message.es,
                commit_ts: message.extension.commit_ts,
            }));
        }
        let operation = match message.kind.as_str() {
            WATERMARK => {
                let ts = message.extension.watermark_ts.ok_or(EventError::NoWatermark)?;
                return Ok(Self::Watermark(Watermark { ts, ms: message.es }));
            }
            "INSERT" => Operation::Insert,
            "UPDATE" => Operation::Update,
            "DELETE" => Operation::Delete,
            _ => return Err(EventError::UnknownType(message.kind)),
        };
        let mut old = message.old.unwrap_or_default().into_iter();
        let data = message.data.unwrap_or_default();
        let rows: Vec<_> =
            data.into_iter().map(|data| RowImages { data, old: old.next().flatten() }).collect();
        if rows.is_empty() {
            return Err(EventError::NoRow);
        }
        Ok(Self::Row(RowEvent {
            operation,
            database: message.database,
            table: message.table,
            keys: message.pk_names.unwrap_or_default(),
            rows,
            commit_ms: message.es,
            commit_ts: message.extension.commit_ts,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_has_both_images_in_column_order() {
        let value = br#"{"id":0,"database":"shop","table":"kv","pkNames":["k"],"isDdl":false,"type":"UPDATE","es":1750000001000,
            "ts":1750000001020,"sql":"","sqlType":{"k":4,"v":12},"mysqlType":{"k":"int","v":"varchar"},
            "old":[{"k":"1","v":"a"}],"data":[{"v":"b","k":"1"}],"_tidb":{"commitTs":458752000032243713},"later":[1]}"#;
        let Event::Row(row) = Event::parse(value).unwrap() else { panic!("not a row") };
        assert_eq!(
            (row.operation, row.commit_ts, row.commit_ms),
            (Operation::Update, Some(458_752_000_032_243_713), 1_750_000_001_000)
        );
        assert_eq!(row.rows[0].data.0[0], ("v".to_owned(), Some("b".to_owned())));
        assert_eq!(row.rows[0].old.as_ref().unwrap().get("v"), Some(Some("a")));
        assert_eq!(row.rows[0].data.get("none"), None);
    }

    #[test]
    fn canal_spellings_of_nothing_are_read() {
        let value = br#"{"database":"d","table":"t","pkNames":null,"type":"INSERT","old":null,"data":[{"a":null},{"a":"2"}]}"#;
        let Event::Row(row) = Event::parse(value).unwrap() else { panic!("not a row") };
        assert!(row.keys.is_empty());
        assert_eq!(row.rows.len(), 2);
        assert_eq!(row.rows[0].data.get("a"), Some(None));
    }

    #[test]
    fn schema_changes_and_watermarks_are_told_apart() {
        let ddl = br#"{"database":"shop","table":"","pkNames":null,"isDdl":true,"type":"QUERY","es":5,"sql":"CREATE DATABASE `shop`","data":null,"old":null}"#;
        assert!(matches!(Event::parse(ddl).unwrap(), Event::Ddl(DdlEvent { kind, .. }) if kind == "QUERY"));
        let mark = br#"{"isDdl":false,"type":"TIDB_WATERMARK","es":7,"_tidb":{"watermarkTs":9}}"#;
        assert_eq!(Event::parse(mark).unwrap(), Event::Watermark(Watermark { ts: 9, ms: 7 }));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let reason = |value: &[u8]| Event::parse(value).unwrap_err().to_string();
        assert_eq!(reason(b""), "the message is empty");
        assert!(reason(b"{oops").starts_with("not Canal-JSON: "));
        assert!(reason(br#"{"type":"INSERT","data":[{"a":1}]}"#).contains("expected a string"));
        assert_eq!(reason(br#"{"type":"UPSERT"}"#), "unknown type \"UPSERT\"");
        assert_eq!(reason(br#"{"type":"DELETE","data":[]}"#), "a row event without data");
        assert_eq!(reason(br#"{"type":"TIDB_WATERMARK"}"#), "a watermark without watermarkTs");
    }
}
