//! Shortest decimal text of floats.

/// Longest positional text of a double: `-0.` with 307 zeros and 17 digits.
const POSITIONAL_LEN: usize = 330;

/// Appends the shortest text that reads back as the same double, positional, never with an exponent.
pub fn write_f64(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        let mut buffer = ryu::Buffer::new();
        push_positional(buffer.format_finite(value), out);
    } else {
        push_not_finite(value, out);
    }
}

/// Like [`write_f64`] for a float: the shortest text that reads back as the same float.
pub fn write_f32(value: f32, out: &mut Vec<u8>) {
    if value.is_finite() {
        let mut buffer = ryu::Buffer::new();
        push_positional(buffer.format_finite(value), out);
    } else {
        push_not_finite(f64::from(value), out);
    }
}

/// Appends a double as TiDB shows it in results: an exponent below 1e-15 and from 1e15 on, else positional.
pub fn write_f64_sql(value: f64, out: &mut Vec<u8>) {
    write_with_exponent(value, out);
}

/// Appends a double as TiDB shows it in JSON text: like [`write_f64_sql`], with `.0` behind whole numbers.
pub fn write_f64_json(value: f64, out: &mut Vec<u8>) {
    let start = out.len();
    if write_with_exponent(value, out) && !out.get(start..).unwrap_or_default().contains(&b'.') {
        out.extend_from_slice(b".0");
    }
}

/// Appends a float as TiDB shows it in results.
pub fn write_f32_sql(value: f32, out: &mut Vec<u8>) {
    if !value.is_finite() {
        return push_not_finite(f64::from(value), out);
    }
    let mut buffer = ryu::Buffer::new();
    let digits = Digits::parse(buffer.format_finite(value));
    let magnitude = f64::from(value.abs());
    if value != 0.0 && !(1e-15..1e15).contains(&magnitude) {
        digits.push_scientific(out);
    } else {
        digits.push_positional(out);
    }
}

/// Appends positional text or an exponent; tells whether it was positional and finite.
fn write_with_exponent(value: f64, out: &mut Vec<u8>) -> bool {
    if !value.is_finite() {
        push_not_finite(value, out);
        return false;
    }
    let mut buffer = ryu::Buffer::new();
    let digits = Digits::parse(buffer.format_finite(value));
    if value != 0.0 && !(1e-15..1e15).contains(&value.abs()) {
        digits.push_scientific(out);
        false
    } else {
        digits.push_positional(out);
        true
    }
}

/// Appends what Go calls the values that are no numbers.
fn push_not_finite(value: f64, out: &mut Vec<u8>) {
    let text: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value > 0.0 {
        b"+Inf"
    } else {
        b"-Inf"
    };
    out.extend_from_slice(text);
}

/// Appends shortest text without its exponent.
#[inline]
fn push_positional(shortest: &str, out: &mut Vec<u8>) {
    let bytes = shortest.as_bytes();
    if memchr_exponent(bytes) {
        Digits::parse(shortest).push_positional(out);
    } else {
        out.extend_from_slice(bytes.strip_suffix(b".0").unwrap_or(bytes));
    }
}

/// Whether the text has an exponent.
#[inline]
fn memchr_exponent(bytes: &[u8]) -> bool {
    bytes.contains(&b'e')
}

/// Sign, significant digits and position of the decimal point.
struct Digits {
    negative: bool,
    digits: [u8; 20],
    len: usize,
    /// The value is `0.DIGITS × 10^point`.
    point: i32,
}

impl Digits {
    /// Takes apart `[-]D[.D][e[-]D]`.
    fn parse(text: &str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut parsed = Self {
            negative,
            digits: [b'0'; 20],
            len: 0,
            point: whole.len() as i32 + exponent.parse::<i32>().unwrap_or(0),
        };
        for byte in whole.bytes().chain(fraction.bytes()) {
            if parsed.len == 0 && byte == b'0' {
                parsed.point -= 1;
            } else if let Some(slot) = parsed.digits.get_mut(parsed.len) {
                *slot = byte;
                parsed.len += 1;
            }
        }
        while parsed.len > 0 && parsed.digits.get(parsed.len - 1) == Some(&b'0') {
            parsed.len -= 1;
        }
        if parsed.len == 0 {
            parsed.point = 0;
        }
        parsed
    }

    /// The significant digits.
    fn significant(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }

    /// Appends the number without an exponent.
    fn push_positional(&self, out: &mut Vec<u8>) {
        let digits = self.significant();
        out.reserve(POSITIONAL_LEN.min(digits.len() + self.point.unsigned_abs() as usize + 3));
        if self.negative {
            out.push(b'-');
        }
        if self.point <= 0 {
            out.push(b'0');
            if !digits.is_empty() {
                out.push(b'.');
                out.resize(out.len() + self.point.unsigned_abs() as usize, b'0');
                out.extend_from_slice(digits);
            }
            return;
        }
        let point = self.point.unsigned_abs() as usize;
        match digits.split_at_checked(point) {
            Some((whole, [])) => out.extend_from_slice(whole),
            Some((whole, fraction)) => {
                out.extend_from_slice(whole);
                out.push(b'.');
                out.extend_from_slice(fraction);
            }
            None => {
                out.extend_from_slice(digits);
                out.resize(out.len() + point - digits.len(), b'0');
            }
        }
    }

    /// Appends `D[.D]e[-]D`.
    fn push_scientific(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let (first, rest) = self.significant().split_first().unwrap_or((&b'0', &[]));
        out.push(*first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        out.push(b'e');
        let mut buffer = itoa::Buffer::new();
        out.extend_from_slice(buffer.format(self.point - 1).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn positional_text() {
        let double = |v| shown(|out| write_f64(v, out));
        assert_eq!(double(0.0), "0");
        assert_eq!(double(-0.0), "-0");
        assert_eq!(double(1.0), "1");
        assert_eq!(double(1e21), "1000000000000000000000");
        assert_eq!(double(1e-7), "0.0000001");
        assert_eq!(double(123_456.789), "123456.789");
        assert_eq!(double(-1.5e-10), "-0.00000000015");
        assert_eq!(double(1.797_693_134_862_315_7e308).len(), 309);
        assert_eq!(shown(|out| write_f32(16_777_216.0, out)), "16777216");
        assert_eq!(shown(|out| write_f32(0.1, out)), "0.1");
        assert_eq!(shown(|out| write_f32(1e20, out)), "100000000000000000000");
        assert_eq!(shown(|out| write_f32(3.402_823_4e38, out)), "340282350000000000000000000000000000000");
    }

    #[test]
    fn json_and_result_text() {
        let json = |v| shown(|out| write_f64_json(v, out));
        assert_eq!(json(1.0), "1.0");
        assert_eq!(json(0.0), "0.0");
        assert_eq!(json(1.5), "1.5");
        assert_eq!(json(1e15), "1e15");
        assert_eq!(json(1.25e-16), "1.25e-16");
        assert_eq!(json(999_999_999_999_999.0), "999999999999999.0");
        assert_eq!(shown(|out| write_f64_sql(1e15, out)), "1e15");
        assert_eq!(shown(|out| write_f64_sql(100.0, out)), "100");
    }

    proptest! {
        #[test]
        fn text_reads_back(
            value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO,
            small in proptest::num::f32::NORMAL | proptest::num::f32::SUBNORMAL | proptest::num::f32::ZERO,
        ) {
            let text = shown(|out| write_f64(value, out));
            prop_assert!(!text.contains('e'));
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
            let text = shown(|out| write_f32(small, out));
            prop_assert_eq!(text.parse::<f32>().unwrap().to_bits(), small.to_bits());
            let text = shown(|out| write_f64_json(value, out));
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }
}
