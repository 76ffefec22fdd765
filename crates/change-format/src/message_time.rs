//! Times and numbers in messages.

/// Bits of a timestamp below the milliseconds.
const LOGICAL_BITS: u32 = 18;

/// Milliseconds since 1970 of a timestamp of the cluster.
pub(crate) const fn physical_ms(ts: u64) -> u64 {
    ts >> LOGICAL_BITS
}

/// Appends a number.
#[inline]
pub(crate) fn write_u64(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
