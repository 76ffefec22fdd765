//! Canal-JSON messages, as far as they are compared.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// Names with texts, in the order of the message; `None` is NULL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub(crate) Vec<(String, Option<String>)>);

impl Fields {
    /// The text of a field; `None` if there is no such field.
    pub(crate) fn get(&self, name: &str) -> Option<&Option<String>> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Collects the members of an object.
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(member) = map.next_entry()? {
                    fields.push(member);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// TiDB's extension.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extension {
    /// Commit ts of a row or DDL.
    commit_ts: Option<u64>,
    /// Watermark.
    watermark_ts: Option<u64>,
    /// Only the columns of the handle key are in the message.
    #[serde(default)]
    only_handle_key: bool,
    /// The message is stored elsewhere.
    claim_check_location: Option<String>,
}

/// A message as it is on the wire.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    /// Database.
    #[serde(borrow)]
    database: Cow<'a, str>,
    /// Table.
    #[serde(borrow)]
    table: Cow<'a, str>,
    /// Names of the primary key's columns.
    pk_names: Option<Vec<String>>,
    /// True for a DDL.
    is_ddl: bool,
    /// Kind.
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    /// Text of a DDL.
    #[serde(borrow)]
    sql: Cow<'a, str>,
    /// Types by column.
    mysql_type: Option<Fields>,
    /// Values by column.
    data: Option<Vec<Fields>>,
    /// TiDB's extension.
    #[serde(rename = "_tidb")]
    tidb: Option<Extension>,
}

/// A change of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowMessage {
    /// Database.
    pub(crate) database: String,
    /// Table.
    pub(crate) table: String,
    /// Names of the primary key's columns.
    pub(crate) primary_key: Vec<String>,
    /// True if the row is there afterwards.
    pub(crate) present: bool,
    /// True if the message need not hold all columns.
    pub(crate) partial: bool,
    /// Where the whole message is, if it is elsewhere.
    pub(crate) stored_at: Option<String>,
    /// Commit ts.
    pub(crate) commit_ts: u64,
    /// Types by column.
    pub(crate) types: Fields,
    /// Values by column.
    pub(crate) data: Fields,
}

/// A DDL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DdlMessage {
    /// Database.
    pub(crate) database: String,
    /// Table; empty for a database's own.
    pub(crate) table: String,
    /// Statement.
    pub(crate) sql: String,
    /// Commit ts.
    pub(crate) commit_ts: u64,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// A change of a row.
    Row(Box<RowMessage>),
    /// A DDL.
    Ddl(DdlMessage),
    /// Everything up to here is in the topic.
    Watermark(u64),
}

impl Message {
    /// Reads a message, compressed or not; the error says what is wrong with it, without its contents.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let plain = change_format::decompress(bytes)?;
        let wire: Wire<'_> =
            serde_json::from_slice(&plain).map_err(|e| format!("is no Canal-JSON of a changefeed: {e}"))?;
        let tidb = wire.tidb.unwrap_or_default();
        if wire.r#type == "TIDB_WATERMARK" {
            return tidb
                .watermark_ts
                .map(Self::Watermark)
                .ok_or_else(|| "is a watermark without ts".to_owned());
        }
        let commit_ts = tidb.commit_ts.ok_or_else(|| {
            "has no commit ts; the changefeed needs enable-tidb-extension=true in its sink URI".to_owned()
        })?;
        let (database, table) = (wire.database.into_owned(), wire.table.into_owned());
        if wire.is_ddl {
            return Ok(Self::Ddl(DdlMessage { database, table, sql: wire.sql.into_owned(), commit_ts }));
        }
        let present = match &*wire.r#type {
            "INSERT" | "UPDATE" => true,
            "DELETE" => false,
            other => return Err(format!("is of the unknown type {other:?}")),
        };
        let data = wire.data.and_then(|rows| rows.into_iter().next());
        Ok(Self::Row(Box::new(RowMessage {
            database,
            table,
            primary_key: wire.pk_names.unwrap_or_default(),
            present,
            partial: tidb.only_handle_key || tidb.claim_check_location.is_some(),
            stored_at: tidb.claim_check_location,
            commit_ts,
            types: wire.mysql_type.unwrap_or_default(),
            data: data.ok_or_else(|| "has no row".to_owned())?,
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ddls_and_watermarks_are_told_apart() {
        let row = br#"{"id":0,"database":"d","table":"t","pkNames":["id"],"isDdl":false,"type":"UPDATE","es":1,"ts":2,
            "sql":"","sqlType":{"id":4},"mysqlType":{"id":"int","v":"varchar"},"old":[{"id":"1","v":"a"}],
            "data":[{"id":"1","v":null}],"_tidb":{"commitTs":7}}"#;
        let Ok(Message::Row(row)) = Message::parse(row) else { panic!("a row") };
        assert_eq!((row.commit_ts, row.present, row.partial), (7, true, false));
        assert_eq!(row.data.get("v"), Some(&None));
        let watermark = br#"{"id":0,"database":"","table":"","pkNames":null,"isDdl":false,"type":"TIDB_WATERMARK",
            "es":1,"ts":1,"sql":"","sqlType":null,"mysqlType":null,"data":null,"old":null,"_tidb":{"watermarkTs":9}}"#;
        assert_eq!(Message::parse(watermark), Ok(Message::Watermark(9)));
        let ddl = br#"{"id":0,"database":"d","table":"","pkNames":null,"isDdl":true,"type":"QUERY","es":1,"ts":1,
            "sql":"CREATE DATABASE `d`","sqlType":null,"mysqlType":null,"data":null,"old":null,"_tidb":{"commitTs":3}}"#;
        assert!(matches!(Message::parse(ddl), Ok(Message::Ddl(ddl)) if ddl.commit_ts == 3));
    }

    #[test]
    fn a_message_without_the_extension_says_what_the_changefeed_needs() {
        let row =
            br#"{"id":0,"database":"d","table":"t","pkNames":[],"isDdl":false,"type":"INSERT","es":1,"ts":2,
            "sql":"","sqlType":{},"mysqlType":{},"old":null,"data":[{}]}"#;
        assert!(Message::parse(row).unwrap_err().contains("enable-tidb-extension"));
        assert!(Message::parse(b"{").is_err());
    }
}
