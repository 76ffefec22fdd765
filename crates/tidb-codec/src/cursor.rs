//! Bounds-checked reads from the front of a slice.

use crate::CodecError;

/// Splits `N` bytes off the front.
#[inline]
pub(crate) fn take<'a, const N: usize>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<([u8; N], &'a [u8]), CodecError> {
    match bytes.split_first_chunk::<N>() {
        Some((head, rest)) => Ok((*head, rest)),
        None => Err(CodecError::Truncated { what, needed: N, have: bytes.len() }),
    }
}

/// Splits `len` bytes off the front.
#[inline]
pub(crate) fn take_slice<'a>(
    bytes: &'a [u8],
    len: usize,
    what: &'static str,
) -> Result<(&'a [u8], &'a [u8]), CodecError> {
    bytes.split_at_checked(len).ok_or(CodecError::Truncated { what, needed: len, have: bytes.len() })
}

/// Splits one byte off the front.
#[inline]
pub(crate) fn take_u8<'a>(bytes: &'a [u8], what: &'static str) -> Result<(u8, &'a [u8]), CodecError> {
    match bytes.split_first() {
        Some((head, rest)) => Ok((*head, rest)),
        None => Err(CodecError::Truncated { what, needed: 1, have: 0 }),
    }
}

/// The `N` bytes at `offset`.
#[inline]
pub(crate) fn array_at<const N: usize>(
    bytes: &[u8],
    offset: usize,
    what: &'static str,
) -> Result<[u8; N], CodecError> {
    match bytes.get(offset..).and_then(<[u8]>::first_chunk::<N>) {
        Some(found) => Ok(*found),
        None => Err(CodecError::Truncated { what, needed: N, have: bytes.len().saturating_sub(offset) }),
    }
}

/// Fails when anything is left.
#[inline]
pub(crate) fn expect_end(rest: &[u8], what: &'static str) -> Result<(), CodecError> {
    if rest.is_empty() { Ok(()) } else { Err(CodecError::Surplus { what, len: rest.len() }) }
}
