//! Row format v2: sorted column ids, end offsets, data.

use super::{Checksum, VERSION_2, checksum};
use crate::{CodecError, cursor};

/// Name of the item in errors.
const WHAT: &str = "row";
/// Flag of rows with wide ids and offsets.
pub(super) const FLAG_LARGE: u8 = 1;
/// Flag of rows with a checksum.
pub(super) const FLAG_CHECKSUM: u8 = 1 << 1;

/// A row in format v2, its offsets checked.
#[derive(Debug, Clone, Copy)]
pub struct RowV2<'a> {
    large: bool,
    /// Ids of columns with a value, ascending, then ids of columns that are NULL, ascending.
    ids: &'a [u8],
    not_null: usize,
    null: usize,
    /// End of each value within the data.
    offsets: &'a [u8],
    data: &'a [u8],
    checksum: Option<Checksum>,
    /// The row up to and with the checksum's header byte: what the checksum covers.
    covered: &'a [u8],
}

impl<'a> RowV2<'a> {
    /// Takes a row apart.
    ///
    /// # Errors
    /// Another format, input cut short, ids or offsets that do not ascend, or surplus bytes.
    #[inline]
    pub fn parse(value: &'a [u8]) -> Result<Self, CodecError> {
        let ([version, flags, n0, n1, m0, m1], rest) = cursor::take::<6>(value, WHAT)?;
        if version != VERSION_2 {
            return Err(CodecError::UnknownCode { what: "row format", code: version });
        }
        if flags & !(FLAG_LARGE | FLAG_CHECKSUM) != 0 {
            return Err(CodecError::UnknownCode { what: "row flags", code: flags });
        }
        let large = flags & FLAG_LARGE != 0;
        let not_null = usize::from(u16::from_le_bytes([n0, n1]));
        let null = usize::from(u16::from_le_bytes([m0, m1]));
        let (id_len, offset_len) = if large { (4, 4) } else { (1, 2) };
        let (ids, rest) = cursor::take_slice(rest, (not_null + null) * id_len, WHAT)?;
        let (offsets, rest) = cursor::take_slice(rest, not_null * offset_len, WHAT)?;
        let data_len = if large { check::<4>(offsets, read_u32) } else { check::<2>(offsets, read_u16) }?;
        let (data, rest) = cursor::take_slice(rest, data_len, WHAT)?;
        check_ids(ids, not_null, large)?;
        let mut row = Self { large, ids, not_null, null, offsets, data, checksum: None, covered: value };
        if flags & FLAG_CHECKSUM != 0 {
            row.covered = value.get(..value.len() - rest.len() + 1).unwrap_or(value);
            row.checksum = Some(checksum::parse(rest)?);
        } else {
            cursor::expect_end(rest, WHAT)?;
        }
        Ok(row)
    }

    /// State of a column: `None` when the row does not mention it, `Some(None)` when it is NULL, else the
    /// bytes of its value.
    #[inline]
    pub fn get(&self, column_id: i64) -> Option<Option<&'a [u8]>> {
        if let Ok(index) = self.search(0, self.not_null, column_id) {
            return Some(self.value(index));
        }
        let end = self.not_null + self.null;
        self.search(self.not_null, end, column_id).is_ok().then_some(None)
    }

    /// Columns with a value, ascending by id.
    #[inline]
    pub fn values(&self) -> impl Iterator<Item = (i64, &'a [u8])> + use<'a> {
        let row = *self;
        let mut start = 0;
        (0..row.not_null).map(move |index| {
            let end = row.end(index);
            let value = row.data.get(start..end).unwrap_or_default();
            start = end;
            (row.id(index), value)
        })
    }

    /// Ids of the columns that are NULL, ascending.
    pub fn null_ids(&self) -> impl Iterator<Item = i64> + use<'a> {
        let row = *self;
        (row.not_null..row.not_null + row.null).map(move |index| row.id(index))
    }

    /// The checksum, if the row has one.
    pub const fn checksum(&self) -> Option<Checksum> {
        self.checksum
    }

    /// What the checksum of version 1 or 2 covers, besides key or handle.
    pub(super) const fn covered(&self) -> &'a [u8] {
        self.covered
    }

    /// Column id at `index`.
    #[inline]
    fn id(&self, index: usize) -> i64 {
        if self.large {
            i64::from(read_u32(self.ids, index))
        } else {
            self.ids.get(index).copied().map_or(-1, i64::from)
        }
    }

    /// End of the value at `index`.
    #[inline]
    fn end(&self, index: usize) -> usize {
        if self.large {
            read_u32(self.offsets, index) as usize
        } else {
            read_u16(self.offsets, index) as usize
        }
    }

    /// Value at `index`.
    #[inline]
    fn value(&self, index: usize) -> Option<&'a [u8]> {
        let start = index.checked_sub(1).map_or(0, |before| self.end(before));
        self.data.get(start..self.end(index))
    }

    /// Finds an id among the ascending ids of `from..to`.
    #[inline]
    fn search(&self, from: usize, to: usize, column_id: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (from, to);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.id(middle).cmp(&column_id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }
}

/// Little-endian u16 at `index` of a list; 0 beyond its end.
#[inline]
fn read_u16(list: &[u8], index: usize) -> u32 {
    match list.get(index * 2..).and_then(<[u8]>::first_chunk::<2>) {
        Some(bytes) => u16::from_le_bytes(*bytes).into(),
        None => 0,
    }
}

/// Little-endian u32 at `index` of a list; 0 beyond its end.
#[inline]
fn read_u32(list: &[u8], index: usize) -> u32 {
    match list.get(index * 4..).and_then(<[u8]>::first_chunk::<4>) {
        Some(bytes) => u32::from_le_bytes(*bytes),
        None => 0,
    }
}

/// Checks that the ends of values of `N` bytes each never decrease; returns the last.
#[inline]
fn check<const N: usize>(offsets: &[u8], read: impl Fn(&[u8], usize) -> u32) -> Result<usize, CodecError> {
    let mut last = 0;
    for index in 0..offsets.len() / N {
        let end = read(offsets, index);
        if end < last {
            return Err(CodecError::Malformed { what: WHAT, reason: "value offsets do not ascend" });
        }
        last = end;
    }
    Ok(last as usize)
}

/// Checks that both lists of ids ascend.
#[inline]
fn check_ids(ids: &[u8], not_null: usize, large: bool) -> Result<(), CodecError> {
    let ascends = if large {
        let (with_value, nulls) = ids.split_at_checked(not_null * 4).unwrap_or((ids, &[]));
        let list_ascends =
            |list: &[u8]| (1..list.len() / 4).all(|at| read_u32(list, at - 1) < read_u32(list, at));
        list_ascends(with_value) && list_ascends(nulls)
    } else {
        let (with_value, nulls) = ids.split_at_checked(not_null).unwrap_or((ids, &[]));
        let list_ascends = |list: &[u8]| list.is_sorted_by(|a, b| a < b);
        list_ascends(with_value) && list_ascends(nulls)
    };
    if ascends {
        Ok(())
    } else {
        Err(CodecError::Malformed { what: WHAT, reason: "column ids do not ascend" })
    }
}
