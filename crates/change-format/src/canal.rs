//! Row messages.

use std::sync::Arc;

use tidb_codec::{CodecError, HandleRef, key};
use tidb_schema::{ColumnInfo, HandleKeyKind, TableVersion};

use crate::column_template::ColumnTemplate;
use crate::projection::{ColumnFailure, Projection};
use crate::row_image::RowImage;
use crate::table_names::TableNames;
use crate::{
    CanalOptions, EncodeError, LargeMessage, PartitionHash, RowChange, RowKind, extension, json_string,
    message_time, record_length,
};

/// Encodes the rows of one table version: everything that does not depend on the row is rendered when it is made.
/// Shared by any number of threads.
#[derive(Debug)]
pub struct CanalEncoder {
    pub(crate) table: TableNames,
    pub(crate) options: Arc<CanalOptions>,
    /// Columns that rows hold, in table order.
    pub(crate) columns: Vec<ColumnTemplate>,
    /// Positions in the table of `columns`, for look-ups from the schema.
    pub(crate) positions: Vec<usize>,
    /// The columns that are sent.
    all: Projection,
    /// Of these, the ones of the handle key.
    handle_key: Projection,
    /// The message up to the word of `type`.
    head: Vec<u8>,
    /// Hash of schema and table.
    pub(crate) table_hash: PartitionHash,
    /// Whether keys of rows hold a clustered primary key, not an integer.
    common_handle: bool,
}

/// The form of a row message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageForm<'a> {
    /// All selected columns.
    Full,
    /// Only columns of the handle key, with `onlyHandleKey`.
    HandleKeyOnly,
    /// Only columns of the handle key, with the place of the full message.
    ClaimCheck(&'a str),
}

/// How a row was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoded {
    /// The message is complete.
    Message,
    /// Only the columns of the handle key are in: the full message is too large.
    HandleKeyOnly,
    /// The full message is in, but too large: it is to be stored elsewhere and then encoded anew as
    /// [`MessageForm::ClaimCheck`].
    NeedsClaimCheck,
    /// The row came and went within its transaction: nothing is sent.
    Nothing,
}

impl CanalEncoder {
    /// An encoder that sends all columns.
    ///
    /// # Errors
    /// As [`CanalEncoder::with_columns`].
    pub fn new(version: &TableVersion, options: Arc<CanalOptions>) -> Result<Self, EncodeError> {
        Self::with_columns(version, options, |_| true)
    }

    /// An encoder that sends the columns that `select` accepts.
    ///
    /// # Errors
    /// If no column is left, or a column's origin default is no value of its type.
    pub fn with_columns(
        version: &TableVersion,
        options: Arc<CanalOptions>,
        select: impl Fn(&ColumnInfo) -> bool,
    ) -> Result<Self, EncodeError> {
        let table = TableNames::of(version);
        let mut columns = Vec::new();
        let mut positions = Vec::new();
        for (position, column) in version.info.columns.iter().enumerate() {
            if !column.state.is_public() || column.is_virtual() {
                continue;
            }
            let full_types = options.content_compatible;
            let template = ColumnTemplate::new(version, position, column, &options.time_zone, full_types);
            let mut template = template.map_err(|source| table.column_error(&column.name.o, source))?;
            template.selected = select(column);
            columns.push(template);
            positions.push(position);
        }
        let chosen = |with: &dyn Fn(usize) -> bool| -> Vec<usize> {
            let selected = columns.iter().zip(&positions).enumerate();
            selected.filter(|(_, (column, at))| column.selected && with(**at)).map(|(i, _)| i).collect()
        };
        let all = Projection::new(&columns, chosen(&|_| true));
        let handle_key = Projection::new(&columns, chosen(&|at| version.handle_key.contains(at)));
        if all.is_empty() {
            return Err(table.no_columns());
        }
        let head = head(version);
        let mut table_hash = PartitionHash::new();
        table_hash.write(&[version.schema_name().as_bytes(), version.table_name().as_bytes()]);
        let common_handle = version.handle_key.kind == HandleKeyKind::CommonHandle;
        Ok(Self { table, options, columns, positions, all, handle_key, head, table_hash, common_handle })
    }

    /// Appends the message of a change, in the largest form that is within the limit; `now_ms` is the wall clock in
    /// milliseconds since 1970. On error `out` is left as it was.
    ///
    /// # Errors
    /// If the row is malformed, or too large in every form that the settings allow.
    pub fn encode(
        &self,
        row: &RowChange<'_>,
        now_ms: u64,
        out: &mut Vec<u8>,
    ) -> Result<Encoded, EncodeError> {
        let start = out.len();
        if row.kind().is_none() {
            return Ok(Encoded::Nothing);
        }
        self.encode_as(row, MessageForm::Full, now_ms, out)?;
        self.options.compression.compress(out, start)?;
        let length = out.len() - start;
        if self.options.fits(length) {
            return Ok(Encoded::Message);
        }
        match self.options.large_message {
            LargeMessage::ClaimCheck => return Ok(Encoded::NeedsClaimCheck),
            LargeMessage::HandleKeyOnly => {
                out.truncate(start);
                self.encode_as(row, MessageForm::HandleKeyOnly, now_ms, out)?;
                self.options.compression.compress(out, start)?;
                if self.options.fits(out.len() - start) {
                    return Ok(Encoded::HandleKeyOnly);
                }
            }
            LargeMessage::Refuse => {}
        }
        let length = out.len() - start;
        out.truncate(start);
        Err(self.too_large(length))
    }

    /// The error for a message of this many bytes.
    pub fn too_large(&self, value_len: usize) -> EncodeError {
        self.table.too_large(record_length(value_len), self.options.max_message_bytes.unwrap_or(usize::MAX))
    }

    /// Appends the message of a change in a given form, whatever its length. Nothing is appended for a row that came
    /// and went within its transaction. On error `out` is left as it was.
    ///
    /// # Errors
    /// If the row is malformed.
    pub fn encode_as(
        &self,
        row: &RowChange<'_>,
        form: MessageForm<'_>,
        now_ms: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        self.write_message(row, form, now_ms, out).map_err(|error| {
            out.truncate(start);
            error.in_row(|| self.changed_row(row))
        })
    }

    /// Appends a message; on error a part of it.
    fn write_message(
        &self,
        row: &RowChange<'_>,
        form: MessageForm<'_>,
        now_ms: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let Some(kind) = row.kind() else { return Ok(()) };
        let key_only = form != MessageForm::Full
            || (kind == RowKind::Delete && self.options.delete_only_output_handle_key_columns);
        let projection = if key_only { &self.handle_key } else { &self.all };
        let (old, new) = self.images(row)?;
        let Some(main) = new.as_ref().or(old.as_ref()) else { return Ok(()) };
        let fixed = self.head.len() + projection.fixed_len() + FRAME_LEN;
        out.reserve(fixed + row.value.len() + row.old_value.len());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(kind.word().as_bytes());
        out.extend_from_slice(br#"","es":"#);
        message_time::write_u64(message_time::physical_ms(row.commit_ts), out);
        out.extend_from_slice(br#","ts":"#);
        message_time::write_u64(now_ms, out);
        out.extend_from_slice(br#","sql":"","sqlType":"#);
        let failed = |failure| self.column_failure(failure);
        projection.write_sql_type(&self.columns, main, out).map_err(failed)?;
        out.extend_from_slice(br#","mysqlType":"#);
        projection.write_mysql_type(out);
        out.extend_from_slice(br#","old":"#);
        match (&old, &new) {
            (Some(old), Some(new)) => self.write_old(projection, old, new, out).map_err(failed)?,
            _ => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(br#","data":"#);
        projection.write_values(&self.columns, main, &self.options.time_zone, out).map_err(failed)?;
        if self.options.enable_tidb_extension {
            extension::write(row, form, self.options.output_row_key, out);
        }
        out.push(b'}');
        Ok(())
    }

    /// Appends the value of `old` of an UPDATE.
    fn write_old(
        &self,
        projection: &Projection,
        old: &RowImage<'_>,
        new: &RowImage<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ColumnFailure> {
        let zone = &self.options.time_zone;
        if self.options.updated_columns_only() {
            projection.write_changed_values(&self.columns, old, new, zone, out)
        } else {
            projection.write_values(&self.columns, old, zone, out)
        }
    }

    /// Whether an UPDATE is to be sent as the DELETE of the row before and the INSERT of the row after: a column of
    /// the primary key or of any unique index differs, byte by byte. `scratch` is left as it was.
    ///
    /// # Errors
    /// If the row is malformed.
    pub fn splits(&self, row: &RowChange<'_>, scratch: &mut Vec<u8>) -> Result<bool, EncodeError> {
        let start = scratch.len();
        self.key_differs(row, scratch).map_err(|error| {
            scratch.truncate(start);
            error.in_row(|| self.changed_row(row))
        })
    }

    /// Whether a column of a unique key differs, if UPDATEs are split.
    fn key_differs(&self, row: &RowChange<'_>, scratch: &mut Vec<u8>) -> Result<bool, EncodeError> {
        if self.options.output_raw_change_event || row.kind() != Some(RowKind::Update) {
            return Ok(false);
        }
        let (Some(old), Some(new)) = self.images(row)? else { return Ok(false) };
        for column in self.columns.iter().filter(|column| column.is_unique) {
            let differs = column.differs(&old, &new, &self.options.time_zone, scratch);
            if differs.map_err(|source| self.table.column_error(&column.name, source))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether an UPDATE changes a column at all, and only such that `listed` accepts (given the name in lower case), none
    /// of which belongs to the primary key or a unique index: changes of keys are never to be left out, whatever is listed.
    /// `scratch` is left as it was.
    ///
    /// # Errors
    /// If the row is malformed.
    pub fn changes_only(
        &self,
        row: &RowChange<'_>,
        listed: impl Fn(&str) -> bool,
        scratch: &mut Vec<u8>,
    ) -> Result<bool, EncodeError> {
        let start = scratch.len();
        self.differs_only_in(row, listed, scratch).map_err(|error| {
            scratch.truncate(start);
            error.in_row(|| self.changed_row(row))
        })
    }

    /// Whether some column differs, and every one that does is listed and no key.
    fn differs_only_in(
        &self,
        row: &RowChange<'_>,
        listed: impl Fn(&str) -> bool,
        scratch: &mut Vec<u8>,
    ) -> Result<bool, EncodeError> {
        let (Some(old), Some(new)) = self.images(row)? else { return Ok(false) };
        let mut changed = false;
        for column in &self.columns {
            let differs = column.differs(&old, &new, &self.options.time_zone, scratch);
            if differs.map_err(|source| self.table.column_error(&column.name, source))? {
                if column.is_unique || !listed(&column.name.to_lowercase()) {
                    return Ok(false);
                }
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Reads the images before and after.
    pub(crate) fn images<'a>(
        &self,
        row: &RowChange<'a>,
    ) -> Result<(Option<RowImage<'a>>, Option<RowImage<'a>>), EncodeError> {
        let fail = |source| self.table.row_error(source);
        let handle = key::decode_record_key(key::strip_keyspace(row.key)).map_err(fail)?.handle;
        if matches!(handle, HandleRef::Common(_)) != self.common_handle {
            let reason = "the handle is not of the table's kind";
            return Err(fail(CodecError::Malformed { what: "row key", reason }));
        }
        let image = |value: &'a [u8]| (!value.is_empty()).then(|| RowImage::new(handle, value)).transpose();
        Ok((image(row.old_value).map_err(fail)?, image(row.value).map_err(fail)?))
    }

    /// The image after, or before a DELETE.
    pub(crate) fn latest_image<'a>(&self, row: &RowChange<'a>) -> Result<Option<RowImage<'a>>, EncodeError> {
        let (old, new) = self.images(row)?;
        Ok(new.or(old))
    }

    /// The error about a column that could not be written.
    fn column_failure(&self, failure: ColumnFailure) -> EncodeError {
        let name = self.columns.get(failure.column).map_or("", |column| column.name.as_str());
        self.table.column_error(name, failure.source)
    }
}

/// Bytes of a message beside names and values, about.
const FRAME_LEN: usize = 256;

/// The message up to the word of `type`. Names of the primary key do not depend on the column selector.
fn head(version: &TableVersion) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(br#"{"id":0,"database":"#);
    json_string::write_text(version.schema_name().as_bytes(), &mut out);
    out.extend_from_slice(br#","table":"#);
    json_string::write_text(version.table_name().as_bytes(), &mut out);
    out.extend_from_slice(br#","pkNames":["#);
    let key_columns = version.info.public_columns().filter(|column| column.is_primary_key());
    for (i, column) in key_columns.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        json_string::write_text(column.name.o.as_bytes(), &mut out);
    }
    out.extend_from_slice(br#"],"isDdl":false,"type":""#);
    out
}
