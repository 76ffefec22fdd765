//! Row checksums: CRC-32 (IEEE) of a row and what identifies it.

use super::RowV2;
use crate::{CodecError, Datum, FieldType, HandleRef, cursor, key, memcomparable};

/// Bits of the version in the checksum's header byte.
const VERSION_MASK: u8 = 0b0111;
/// Bit of an extra checksum in the header byte.
const EXTRA: u8 = 0b1000;
/// Checksum of the columns' values (TiDB before 8.3).
pub const VERSION_COLUMNS: u8 = 0;
/// Checksum of the row's bytes and its key (TiDB 8.3).
pub const VERSION_KEY: u8 = 1;
/// Checksum of the row's bytes and its handle (later).
pub const VERSION_HANDLE: u8 = 2;

/// A checksum stored in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// What is covered, see the constants of this module.
    pub version: u8,
    /// The checksum.
    pub main: u32,
    /// A second checksum, over the columns of the previous schema version, while a DDL runs.
    pub extra: Option<u32>,
}

/// Reads a checksum at the end of a row.
pub(super) fn parse(bytes: &[u8]) -> Result<Checksum, CodecError> {
    let (header, rest) = cursor::take_u8(bytes, "row checksum")?;
    let version = header & VERSION_MASK;
    if version > VERSION_HANDLE {
        return Err(CodecError::UnknownCode { what: "row checksum version", code: version });
    }
    let (main, rest) = cursor::take::<4>(rest, "row checksum")?;
    let (extra, rest) = if header & EXTRA != 0 {
        let (extra, rest) = cursor::take::<4>(rest, "row checksum")?;
        (Some(u32::from_le_bytes(extra)), rest)
    } else {
        (None, rest)
    };
    cursor::expect_end(rest, "row checksum")?;
    Ok(Checksum { version, main: u32::from_le_bytes(main), extra })
}

/// Appends a checksum of version 2 to the row that begins at `start`.
pub(super) fn append(start: usize, handle: HandleRef<'_>, out: &mut Vec<u8>) {
    out.push(VERSION_HANDLE);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(out.get(start..).unwrap_or_default());
    match handle {
        HandleRef::Int(value) => hasher.update(&memcomparable::i64_bytes(value)),
        HandleRef::Common(bytes) => hasher.update(bytes),
    }
    out.extend_from_slice(&hasher.finalize().to_le_bytes());
}

impl Checksum {
    /// Fails unless the computed checksum is one of the stored ones.
    ///
    /// # Errors
    /// [`CodecError::ChecksumMismatch`].
    pub fn check(&self, computed: u32) -> Result<(), CodecError> {
        if computed == self.main || Some(computed) == self.extra {
            Ok(())
        } else {
            Err(CodecError::ChecksumMismatch { stored: self.main, computed })
        }
    }
}

impl RowV2<'_> {
    /// Checks a checksum of version 1 or 2 against the row's bytes and its raw key. Returns whether there
    /// was one to check: rows without checksum, and those of version 0, need [`of_columns`].
    ///
    /// # Errors
    /// [`CodecError::ChecksumMismatch`].
    pub fn verify_checksum(&self, row_key: &[u8]) -> Result<bool, CodecError> {
        let Some(checksum) = self.checksum() else { return Ok(false) };
        let identity = match checksum.version {
            VERSION_KEY => row_key,
            VERSION_HANDLE => row_key.get(key::RECORD_PREFIX_LEN..).unwrap_or_default(),
            _ => return Ok(false),
        };
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(self.covered());
        hasher.update(identity);
        checksum.check(hasher.finalize())?;
        Ok(true)
    }
}

/// The checksum of version 0: over all public columns of a row in order of their ids, handle columns
/// included, TIMESTAMP values in UTC.
///
/// # Errors
/// A JSON value that cannot be printed.
pub fn of_columns<'a>(
    columns: impl IntoIterator<Item = (&'a FieldType, &'a Datum)>,
) -> Result<u32, CodecError> {
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = Vec::new();
    for (field, datum) in columns {
        buffer.clear();
        write_for_checksum(field, datum, &mut buffer)?;
        hasher.update(&buffer);
    }
    Ok(hasher.finalize())
}

/// Appends a value as the checksum of version 0 sees it.
fn write_for_checksum(field: &FieldType, datum: &Datum, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let double = |value: f64| if value.is_finite() { value.to_bits() } else { 0 };
    let number = match datum {
        Datum::Null => return Ok(()),
        Datum::Int(value) => *value as u64,
        Datum::Uint(value) | Datum::Enum(value) | Datum::Set(value) | Datum::Bit(value) => *value,
        Datum::Float(value) => double(f64::from(*value)),
        Datum::Double(value) => double(*value),
        _ => {
            let mut text = Vec::new();
            match datum {
                Datum::Bytes(value) => text.extend_from_slice(value),
                Datum::Time(value) => value.write_text(&mut text),
                Datum::Duration(value) => value.write_text(&mut text),
                Datum::Decimal(value) => value.write_text(&mut text),
                Datum::Json(value) => value.write_text(&mut text)?,
                _ => return super::column::encode_column(field, datum, out),
            }
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(&text);
            return Ok(());
        }
    };
    out.extend_from_slice(&number.to_le_bytes());
    Ok(())
}
