//! Settings of the Canal-JSON encoder.

use jiff::tz::TimeZone;

use crate::compression::ValueCompression;

/// Bytes that a Kafka record needs beside key and value, at most: five varints of five bytes, one of ten, one byte
/// of attributes.
pub const RECORD_OVERHEAD: usize = 5 * 5 + 10 + 1;

/// Settings of the Canal-JSON encoder.
#[derive(Debug, Clone)]
pub struct CanalOptions {
    /// Add `_tidb` with commit timestamps, and send watermarks.
    pub enable_tidb_extension: bool,
    /// Full type texts in `mysqlType`, and changed columns only in `old`.
    pub content_compatible: bool,
    /// Changed columns only in `old`.
    pub only_output_updated_columns: bool,
    /// Of a DELETE send only the columns of the handle key.
    pub delete_only_output_handle_key_columns: bool,
    /// Add the row's key in TiKV to `_tidb`.
    pub output_row_key: bool,
    /// Keep an UPDATE that changes a key as one message.
    pub output_raw_change_event: bool,
    /// What happens to a message that is too large.
    pub large_message: LargeMessage,
    /// Largest record, in bytes, see [`record_length`]; no limit if absent.
    pub max_message_bytes: Option<usize>,
    /// How values are compressed, before their size is compared with the limit.
    pub compression: ValueCompression,
    /// The zone in which TIMESTAMP values are written.
    pub time_zone: TimeZone,
}

/// What happens to a message that is larger than the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LargeMessage {
    /// It is an error.
    #[default]
    Refuse,
    /// Only the columns of the handle key are sent.
    HandleKeyOnly,
    /// The message is stored elsewhere, its place and the columns of the handle key are sent.
    ClaimCheck,
}

impl Default for CanalOptions {
    fn default() -> Self {
        Self {
            enable_tidb_extension: false,
            content_compatible: false,
            only_output_updated_columns: false,
            delete_only_output_handle_key_columns: false,
            output_row_key: false,
            output_raw_change_event: false,
            large_message: LargeMessage::Refuse,
            max_message_bytes: None,
            compression: ValueCompression::None,
            time_zone: TimeZone::UTC,
        }
    }
}

impl CanalOptions {
    /// Whether `old` holds changed columns only.
    pub(crate) fn updated_columns_only(&self) -> bool {
        self.only_output_updated_columns || self.content_compatible
    }

    /// Whether a value of this many bytes is within the limit.
    pub fn fits(&self, value_len: usize) -> bool {
        self.max_message_bytes.is_none_or(|max| record_length(value_len) <= max)
    }
}

/// Bytes of a record with an empty key and a value of this many bytes, as compared with the limit.
pub const fn record_length(value_len: usize) -> usize {
    value_len + RECORD_OVERHEAD
}
