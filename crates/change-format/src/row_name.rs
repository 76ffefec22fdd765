//! How a row is named in errors: by its handle.

use std::fmt::Write as _;

use tidb_codec::{CodecError, HandleRef, key, text};

use crate::column_template::KeyPart;
use crate::error::ChangedRow;
use crate::row_image::{Located, part_of};
use crate::{CanalEncoder, RowChange};

/// Bytes of a value that are shown.
const SHOWN: usize = 128;

impl CanalEncoder {
    /// The handle of a changed row for people: an integer, `('a', 7)` for a clustered key, or the bytes of what cannot
    /// be read in hexadecimal digits.
    pub fn row_name(&self, row: &RowChange<'_>) -> String {
        let raw = key::strip_keyspace(row.key);
        match key::decode_record_key(raw).map(|key| key.handle) {
            Ok(HandleRef::Int(handle)) => {
                let of_key = |part| part == Some(KeyPart::IntHandle);
                let unsigned =
                    self.columns.iter().any(|column| of_key(column.key_part) && column.field.is_unsigned());
                if unsigned { (handle as u64).to_string() } else { handle.to_string() }
            }
            Ok(HandleRef::Common(parts)) => self.common_handle(parts).unwrap_or_else(|_| hex(parts)),
            Err(_) => format!("in key {}", hex(raw)),
        }
    }

    /// The same with the commit timestamp, for errors.
    pub(crate) fn changed_row(&self, row: &RowChange<'_>) -> ChangedRow {
        ChangedRow { handle: self.row_name(row), commit_ts: row.commit_ts }
    }

    /// The values of a clustered key.
    fn common_handle(&self, parts: &[u8]) -> Result<String, CodecError> {
        let mut shown = String::from("(");
        for position in 0.. {
            let in_key = |part| part == Some(KeyPart::Common(position));
            let Some(column) = self.columns.iter().find(|column| in_key(column.key_part)) else { break };
            if position > 0 {
                shown.push_str(", ");
            }
            let mut value = Vec::new();
            if let Located::Flagged(flagged) = part_of(parts, position)? {
                text::write_flagged(&column.field, flagged, &self.options.time_zone, &mut value)?;
            }
            shown.push_str(&if column.field.is_string() { quoted(&value) } else { plain(&value) });
        }
        shown.push(')');
        Ok(shown)
    }
}

/// Text as it is.
fn plain(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// A string in quotes; a sort key, and what is no text, in hexadecimal digits.
fn quoted(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if !text.chars().any(char::is_control) => {
            let end = text.floor_char_boundary(SHOWN);
            format!("'{}{}'", text.get(..end).unwrap_or(text), if end < text.len() { "…" } else { "" })
        }
        _ => hex(value),
    }
}

/// Hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    let mut out = String::from("0x");
    for byte in bytes.iter().take(SHOWN) {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    if bytes.len() > SHOWN {
        out.push('…');
    }
    out
}
