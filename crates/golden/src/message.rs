//! Messages: recorded ones and ours, and what of them is compared.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::GoldenError;
use crate::fields::Fields;

/// A message of the reference system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Partition of the topic.
    pub partition: u32,
    /// Key of the record.
    pub key: Option<Vec<u8>>,
    /// Value of the record.
    pub value: String,
}

/// A message of ours, in the order of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Partition of the topic.
    pub partition: u32,
    /// Key of the record.
    pub key: Option<Vec<u8>>,
    /// Value of the record.
    pub value: String,
}

/// Reads one line of a recording; `None` if it is none.
pub(crate) fn read_line(line: &str) -> Option<Recorded> {
    let line: Value = serde_json::from_str(line).ok()?;
    Some(Recorded {
        partition: u32::try_from(line["partition"].as_u64()?).ok()?,
        key: if line["key"].is_null() { None } else { Some(bytes(&line["key"])?) },
        value: String::from_utf8(bytes(&line["value"])?).ok()?,
    })
}

/// Bytes that stand as text or in base64.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    match &value["text"] {
        Value::String(text) => Some(text.clone().into_bytes()),
        _ => STANDARD.decode(value["base64"].as_str()?).ok(),
    }
}

/// What is compared of a message.
#[derive(Debug, Clone)]
pub(crate) struct Comparable {
    /// Key of the record.
    pub(crate) key: Option<Vec<u8>>,
    /// The message without the wall clock, `mysqlType` in order of names.
    pub(crate) text: String,
    /// The same without the extension.
    pub(crate) without_extension: String,
    /// True for a DDL.
    pub(crate) is_ddl: bool,
    /// True if the DDL says that the table has partitions.
    pub(crate) is_partitioned: bool,
    /// Commit time, milliseconds since 1970.
    pub(crate) es: u64,
    /// Database.
    pub(crate) schema: String,
    /// Table.
    pub(crate) table: String,
}

impl Comparable {
    /// The comparable form of a message; `None` for a watermark.
    pub(crate) fn new(key: Option<&[u8]>, value: &str) -> Result<Option<Self>, GoldenError> {
        let fields = Fields::parse(value)?;
        if fields.string("type") == "TIDB_WATERMARK" {
            return Ok(None);
        }
        let is_ddl = fields.raw("isDdl") == "true";
        Ok(Some(Self {
            key: key.map(<[u8]>::to_vec),
            text: fields.render(|name| name != "ts"),
            without_extension: fields.render(|name| name != "ts" && name != "_tidb"),
            is_ddl,
            is_partitioned: is_ddl && fields.string("sql").contains("PARTITION BY"),
            es: fields.number("es").unwrap_or(u64::MAX),
            schema: fields.string("database"),
            table: fields.string("table"),
        }))
    }

    /// True if the two are the same but for what may differ.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.key == other.key && self.text == other.text
    }
}
