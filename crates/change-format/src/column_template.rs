//! What is known of a column before any row: rendered once per table version.

use jiff::tz::TimeZone;
use tidb_codec::field::{FieldType, flag, tp};
use tidb_codec::json::JsonRef;
use tidb_codec::{CodecError, text};
use tidb_schema::{ColumnInfo, HandleKeyKind, TableInfo, TableVersion};

use crate::json_document::InString;
use crate::row_image::{Located, RowImage};
use crate::sql_type::{SqlType, sql_type};
use crate::{flagged_value, json_string, mysql_type, origin_default};

/// A column that rows hold.
#[derive(Debug)]
pub(crate) struct ColumnTemplate {
    /// The name as typed.
    pub(crate) name: String,
    /// `"name":`.
    pub(crate) json_key: Vec<u8>,
    /// The id under which rows store the value.
    pub(crate) id: i64,
    /// The type.
    pub(crate) field: FieldType,
    /// How the value becomes a JSON string.
    quoting: Quoting,
    /// The number in `sqlType`.
    pub(crate) sql_type: SqlType,
    /// `"text"` in `mysqlType`.
    pub(crate) mysql_type: Vec<u8>,
    /// Where the value is in the row's key, if it is there.
    pub(crate) key_part: Option<KeyPart>,
    /// Plain text of the value in rows that do not hold it; `None` for NULL.
    missing: Option<Vec<u8>>,
    /// The same as JSON.
    missing_json: Vec<u8>,
    /// Whether a change of the value splits an UPDATE.
    pub(crate) is_unique: bool,
    /// Whether the column selector lets the column pass.
    pub(crate) selected: bool,
}

/// How plain text becomes a JSON string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// Digits and the like: nothing to escape.
    Plain,
    /// Text in UTF-8.
    Text,
    /// A JSON document.
    Json,
    /// Bytes, each a code point.
    Binary,
}

/// Where a value is in the row's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyPart {
    /// It is the integer handle.
    IntHandle,
    /// It is the n-th part of the common handle.
    Common(usize),
}

impl ColumnTemplate {
    /// The template of the column at `position` of the table.
    ///
    /// # Errors
    /// If the column's origin default is no value of its type.
    pub(crate) fn new(
        table: &TableVersion,
        position: usize,
        column: &ColumnInfo,
        zone: &TimeZone,
        full_types: bool,
    ) -> Result<Self, CodecError> {
        let field = column.field_type.clone();
        let quoting = Quoting::of(&field);
        let missing = origin_default::text_of_missing(column, zone)?;
        let mut missing_json = Vec::new();
        match &missing {
            Some(text) => quoting.write(text, &mut missing_json),
            None => missing_json.extend_from_slice(b"null"),
        }
        let mut json_key = Vec::new();
        json_string::write_text(column.name.o.as_bytes(), &mut json_key);
        json_key.push(b':');
        let mut mysql_text = Vec::new();
        json_string::write_text(mysql_type::mysql_type(&field, full_types).as_bytes(), &mut mysql_text);
        Ok(Self {
            name: column.name.o.clone(),
            json_key,
            id: column.id,
            quoting,
            sql_type: sql_type(&field),
            mysql_type: mysql_text,
            key_part: key_part(table, position),
            missing,
            missing_json,
            is_unique: is_unique(&table.info, position, column),
            selected: true,
            field,
        })
    }

    /// Appends the value as a JSON string or `null`.
    pub(crate) fn write_json(
        &self,
        value: Located<'_>,
        zone: &TimeZone,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        match (value, self.quoting) {
            (Located::Null, _) => out.extend_from_slice(b"null"),
            (Located::Missing, _) => out.extend_from_slice(&self.missing_json),
            (Located::Raw(raw), Quoting::Text) if self.field.is_string() => json_string::write_text(raw, out),
            (Located::Raw(raw), Quoting::Binary) => json_string::write_binary(raw, out),
            (Located::Raw(raw), Quoting::Json) => {
                out.push(b'"');
                JsonRef::from_stored(raw)?.write_text_as::<InString>(out)?;
                out.push(b'"');
            }
            (value, Quoting::Binary) => {
                let mut bytes = Vec::new();
                self.write_plain(value, zone, &mut bytes)?;
                json_string::write_binary(&bytes, out);
            }
            (value, quoting) => {
                out.push(b'"');
                let start = out.len();
                self.write_plain(value, zone, out)?;
                if matches!(quoting, Quoting::Text | Quoting::Json) {
                    json_string::escape_tail(out, start);
                }
                out.push(b'"');
            }
        }
        Ok(())
    }

    /// Appends the value as plain text, as dispatch hashes it. Returns false for NULL.
    pub(crate) fn write_plain(
        &self,
        value: Located<'_>,
        zone: &TimeZone,
        out: &mut Vec<u8>,
    ) -> Result<bool, CodecError> {
        match value {
            Located::Null => return Ok(false),
            Located::Missing => match &self.missing {
                Some(text) => out.extend_from_slice(text),
                None => return Ok(false),
            },
            Located::Raw(raw) => text::write_column(&self.field, raw, zone, out)?,
            Located::Flagged(flagged) => {
                text::write_flagged(&self.field, flagged, zone, out)?;
            }
            Located::Handle(handle) if self.field.is_unsigned() => {
                text::write_u64(self.field.checked_uint(handle as u64)?, out);
            }
            Located::Handle(handle) => text::write_i64(self.field.checked_int(handle)?, out),
        }
        Ok(true)
    }

    /// Appends the number of `sqlType` for a value.
    pub(crate) fn write_sql_type(&self, value: Located<'_>, out: &mut Vec<u8>) {
        let code = match self.sql_type.widened {
            Some(widening) if self.unsigned(value).is_some_and(|value| value > widening.limit) => {
                widening.code
            }
            _ => self.sql_type.code,
        };
        out.extend_from_slice(code.as_bytes());
    }

    /// The value of an unsigned integer column.
    fn unsigned(&self, value: Located<'_>) -> Option<u64> {
        match value {
            Located::Raw(raw) => little_endian(raw),
            Located::Flagged(flagged) => flagged_value::unsigned_value(flagged),
            Located::Handle(handle) => Some(handle as u64),
            Located::Missing => {
                self.missing.as_deref().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok())
            }
            Located::Null => None,
        }
    }

    /// Whether the value differs between two images of a row: NULL against a value, or other text. `scratch` is
    /// left as it was.
    pub(crate) fn differs(
        &self,
        old: &RowImage<'_>,
        new: &RowImage<'_>,
        zone: &TimeZone,
        scratch: &mut Vec<u8>,
    ) -> Result<bool, CodecError> {
        let (old, new) = (old.locate(self)?, new.locate(self)?);
        if old == new {
            return Ok(false);
        }
        // The same value can be stored in two ways, such as by the two row formats.
        let start = scratch.len();
        self.write_json(old, zone, scratch)?;
        let middle = scratch.len();
        self.write_json(new, zone, scratch)?;
        let differs = scratch.get(start..middle) != scratch.get(middle..);
        scratch.truncate(start);
        Ok(differs)
    }
}

impl Quoting {
    /// How values of this type are quoted.
    fn of(field: &FieldType) -> Self {
        if field.is_binary_string() {
            Self::Binary
        } else if field.is_string() {
            Self::Text
        } else if field.tp == tp::JSON {
            Self::Json
        } else {
            Self::Plain
        }
    }

    /// Appends plain text as a JSON string.
    fn write(self, plain: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Binary => json_string::write_binary(plain, out),
            Self::Plain | Self::Text | Self::Json => json_string::write_text(plain, out),
        }
    }
}

/// Where the column is in the row's key.
fn key_part(table: &TableVersion, position: usize) -> Option<KeyPart> {
    match table.handle_key.kind {
        HandleKeyKind::IntHandle => table.handle_key.contains(position).then_some(KeyPart::IntHandle),
        HandleKeyKind::CommonHandle => {
            table.handle_key.columns.iter().position(|column| *column == position).map(KeyPart::Common)
        }
        HandleKeyKind::PrimaryIndex | HandleKeyKind::UniqueIndex | HandleKeyKind::None => None,
    }
}

/// Whether the column belongs to the primary key or to any unique index, nullable ones included.
fn is_unique(table: &TableInfo, position: usize, column: &ColumnInfo) -> bool {
    column.has_flag(flag::PRI_KEY | flag::UNIQUE_KEY)
        || table
            .indices
            .iter()
            .filter(|index| index.unique || index.primary)
            .any(|index| index.columns.iter().any(|part| part.position() == Some(position)))
}

/// The number in 1, 2, 4 or 8 little-endian bytes.
fn little_endian(raw: &[u8]) -> Option<u64> {
    let mut bytes = [0; size_of::<u64>()];
    bytes.get_mut(..raw.len())?.copy_from_slice(raw);
    Some(u64::from_le_bytes(bytes))
}
