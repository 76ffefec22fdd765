//! DDL messages.

use tidb_schema::{ActionType, DdlEvent};

use crate::{CanalOptions, json_string, message_time};

/// A DDL message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DdlMessage<'a> {
    /// Database; after a rename, the new one.
    pub schema: &'a str,
    /// Table; after a rename, the new one; empty for a database.
    pub table: &'a str,
    /// The kind of DDL.
    pub action: ActionType,
    /// The final text of the statement.
    pub sql: &'a str,
    /// Commit timestamp of the DDL.
    pub finished_ts: u64,
}

impl<'a> DdlMessage<'a> {
    /// The message of an event with its final text.
    pub fn new(event: &'a DdlEvent, sql: &'a str) -> Self {
        Self {
            schema: &event.schema,
            table: &event.table,
            action: event.action,
            sql,
            finished_ts: event.finished_ts,
        }
    }
}

/// The word that stands for a kind of DDL in `type`.
pub(crate) fn ddl_type(action: ActionType) -> &'static str {
    match action {
        ActionType::CREATE_TABLE | ActionType::CREATE_TABLES => "CREATE",
        ActionType::RENAME_TABLE | ActionType::RENAME_TABLES => "RENAME",
        ActionType::ADD_INDEX
        | ActionType::ADD_FOREIGN_KEY
        | ActionType::ADD_PRIMARY_KEY
        | ActionType::ADD_FULLTEXT_INDEX
        | ActionType::CREATE_HYBRID_INDEX => "CINDEX",
        ActionType::DROP_INDEX | ActionType::DROP_FOREIGN_KEY | ActionType::DROP_PRIMARY_KEY => "DINDEX",
        ActionType::DROP_TABLE => "ERASE",
        ActionType::TRUNCATE_TABLE => "TRUNCATE",
        ActionType::ADD_COLUMN
        | ActionType::DROP_COLUMN
        | ActionType::ADD_COLUMNS
        | ActionType::DROP_COLUMNS
        | ActionType::MODIFY_COLUMN
        | ActionType::REBASE_AUTO_ID
        | ActionType::SET_DEFAULT_VALUE
        | ActionType::MODIFY_TABLE_COMMENT
        | ActionType::RENAME_INDEX
        | ActionType::ADD_PARTITION
        | ActionType::DROP_PARTITION
        | ActionType::TRUNCATE_PARTITION
        | ActionType::MODIFY_TABLE_CHARSET
        | ActionType::ALTER_INDEX_VISIBILITY
        | ActionType::MULTI_SCHEMA_CHANGE
        | ActionType::REORGANIZE_PARTITION
        | ActionType::ALTER_TABLE_PARTITIONING
        | ActionType::REMOVE_PARTITIONING => "ALTER",
        _ => "QUERY",
    }
}

/// A DDL message as JSON; `now_ms` is the wall clock in milliseconds since 1970.
pub fn encode_ddl(message: &DdlMessage<'_>, options: &CanalOptions, now_ms: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(DDL_FRAME_LEN + message.sql.len());
    out.extend_from_slice(br#"{"id":0,"database":"#);
    json_string::write_text(message.schema.as_bytes(), &mut out);
    out.extend_from_slice(br#","table":"#);
    json_string::write_text(message.table.as_bytes(), &mut out);
    out.extend_from_slice(br#","pkNames":null,"isDdl":true,"type":""#);
    out.extend_from_slice(ddl_type(message.action).as_bytes());
    out.extend_from_slice(br#"","es":"#);
    message_time::write_u64(message_time::physical_ms(message.finished_ts), &mut out);
    out.extend_from_slice(br#","ts":"#);
    message_time::write_u64(now_ms, &mut out);
    out.extend_from_slice(br#","sql":"#);
    json_string::write_text(message.sql.as_bytes(), &mut out);
    out.extend_from_slice(br#","sqlType":null,"mysqlType":null,"data":null,"old":null"#);
    if options.enable_tidb_extension {
        out.extend_from_slice(br#","_tidb":{"commitTs":"#);
        message_time::write_u64(message.finished_ts, &mut out);
        out.push(b'}');
    }
    out.push(b'}');
    out
}

/// Bytes of a DDL message beside its SQL, about.
const DDL_FRAME_LEN: usize = 320;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_job_has_its_published_word() {
        let words: [(&str, &[u8]); 7] = [
            ("CREATE", &[3, 60]),
            ("RENAME", &[14, 47]),
            ("CINDEX", &[7, 9, 32, 230, 231]),
            ("DINDEX", &[8, 10, 33]),
            ("ALTER", &[5, 6, 12, 13, 15, 17, 18, 19, 20, 22, 23, 37, 38, 41, 61, 64, 71, 72]),
            ("ERASE", &[4]),
            ("TRUNCATE", &[11]),
        ];
        for kind in 0..=u8::MAX {
            let word =
                words.iter().find(|(_, kinds)| kinds.contains(&kind)).map_or("QUERY", |(word, _)| word);
            assert_eq!(ddl_type(ActionType(kind)), word, "kind {kind}");
        }
    }

    #[test]
    fn keys_are_in_order() {
        let message = DdlMessage {
            schema: "shop",
            table: "k<v",
            action: ActionType::CREATE_TABLE,
            sql: "CREATE TABLE `kv` (`k` INT)",
            finished_ts: 458_752_001_048_576_001,
        };
        let options = CanalOptions { enable_tidb_extension: true, ..CanalOptions::default() };
        let json = String::from_utf8(encode_ddl(&message, &options, 1_750_000_004_015)).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"id":0,"database":"shop","table":"k\u003cv","pkNames":null,"isDdl":true,"type":"CREATE","#,
                r#""es":1750000004000,"ts":1750000004015,"sql":"CREATE TABLE `kv` (`k` INT)","sqlType":null,"#,
                r#""mysqlType":null,"data":null,"old":null,"_tidb":{"commitTs":458752001048576001}}"#
            )
        );
    }
}
