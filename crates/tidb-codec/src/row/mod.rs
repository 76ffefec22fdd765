//! Row values: format v2 (current), format v1 (old), and the encodings of single columns.

pub mod checksum;
pub mod column;
mod encode;
mod v1;
mod v2;

pub use checksum::Checksum;
pub use column::decode_column;
pub use encode::{ColumnValue, encode_row_v1, encode_row_v2, write_row_v2};

use crate::CodecError;
pub use v1::RowV1;
pub use v2::RowV2;

/// First byte of a row in format v2.
pub const VERSION_2: u8 = 128;

/// A row value of either format.
#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    /// Format v1.
    V1(RowV1<'a>),
    /// Format v2.
    V2(RowV2<'a>),
}

impl<'a> Row<'a> {
    /// Takes a row value apart, whichever format it has.
    ///
    /// # Errors
    /// A malformed row.
    #[inline]
    pub fn parse(value: &'a [u8]) -> Result<Self, CodecError> {
        match value.first() {
            Some(&VERSION_2) => RowV2::parse(value).map(Self::V2),
            _ => RowV1::parse(value).map(Self::V1),
        }
    }
}

/// Appends a row that restores what index keys have lost: its values need not be of their columns' kinds.
pub(crate) fn write_restored(columns: &[ColumnValue<'_>], out: &mut Vec<u8>) -> Result<(), CodecError> {
    encode::write_unchecked(columns, None, out)
}

#[cfg(test)]
mod tests;
