//! Decimal digits of fixed width, and the digit runs of SQL texts.

/// Text of 0 to 99, two digits each.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut value = 0;
    while value < 100 {
        pairs[value] = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    pairs
};

/// The last two digits of `value`.
#[inline]
pub(crate) fn pair(value: u32) -> [u8; 2] {
    PAIRS.get((value % 100) as usize).copied().unwrap_or([b'0'; 2])
}

/// Appends the last two digits of `value`.
#[inline]
pub(crate) fn push_two(value: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&pair(value));
}

/// The last six digits of `value`.
#[inline]
pub(crate) fn six(value: u32) -> [u8; 6] {
    let ([a, b], [c, d], [e, f]) = (pair(value / 10_000), pair(value / 100), pair(value));
    [a, b, c, d, e, f]
}

/// Appends the last nine digits of `value`.
#[inline]
pub(crate) fn push_nine(value: u32, out: &mut Vec<u8>) {
    let [a, b, c, d, e, f] = six(value);
    let ([g], [h, i]) = ([b'0' + (value / 100_000_000 % 10) as u8], pair(value / 1_000_000));
    out.extend_from_slice(&[g, h, i, a, b, c, d, e, f]);
}

/// Appends `.` and the first `fsp` digits of a number of microseconds; nothing when `fsp` is 0.
#[inline]
pub(crate) fn push_fraction(micros: u32, fsp: u8, out: &mut Vec<u8>) {
    if fsp > 0 {
        out.push(b'.');
        out.extend_from_slice(six(micros).get(..usize::from(fsp)).unwrap_or(&six(micros)));
    }
}

/// Reads a text of ASCII digits; an empty one is 0.
pub(crate) fn parse_u32(text: &str) -> Option<u32> {
    text.bytes().try_fold(0u32, |value, byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u32::from(byte - b'0')),
        _ => None,
    })
}

/// Reads the digits behind a decimal point as nanoseconds (further digits are cut off), and counts them.
pub(crate) fn parse_fraction_nanos(text: &str) -> Option<(u32, usize)> {
    let mut nanos = 0;
    let mut unit = 100_000_000;
    for byte in text.bytes() {
        if !byte.is_ascii_digit() {
            return None;
        }
        nanos += u32::from(byte - b'0') * unit;
        unit /= 10;
    }
    Some((nanos, text.len()))
}
