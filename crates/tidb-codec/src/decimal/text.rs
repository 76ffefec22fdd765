//! Decimal text: parsing and printing.

use super::{Decimal, WORD_BASE, WORD_DIGITS};
use crate::{CodecError, text::digits};
use std::fmt;

/// Exponents beyond this make every number zero or too large.
const MAX_EXPONENT: i64 = 1000;

/// A number's text taken apart.
struct Scanned<'a> {
    negative: bool,
    int: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
    /// Bytes used.
    len: usize,
}

/// Scans the longest prefix that is a number; `None` when there is no digit.
fn scan(text: &str) -> Option<Scanned<'_>> {
    let bytes = text.as_bytes();
    let digits_from = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest.get(..len).unwrap_or_default()
    };
    let blanks = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let sign = bytes.get(blanks).copied().filter(|byte| matches!(byte, b'+' | b'-'));
    let start = blanks + usize::from(sign.is_some());
    let int = digits_from(start);
    let mut len = start + int.len();
    let fraction = if bytes.get(len) == Some(&b'.') { digits_from(len + 1) } else { &[] };
    if bytes.get(len) == Some(&b'.') {
        len += 1 + fraction.len();
    }
    if int.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut exponent = 0;
    if matches!(bytes.get(len), Some(b'e' | b'E')) {
        let sign = bytes.get(len + 1).copied().filter(|byte| matches!(byte, b'+' | b'-'));
        let at = len + 1 + usize::from(sign.is_some());
        let found = digits_from(at);
        if !found.is_empty() {
            let magnitude = found
                .iter()
                .fold(0i64, |value, byte| (value * 10 + i64::from(byte - b'0')).min(MAX_EXPONENT));
            exponent = if sign == Some(b'-') { -magnitude } else { magnitude };
            len = at + found.len();
        }
    }
    Some(Scanned { negative: sign == Some(b'-'), int, fraction, exponent, len })
}

impl Scanned<'_> {
    /// The number. Digits after the point that do not fit are cut off.
    fn finish(&self) -> Result<Decimal, CodecError> {
        let significant: Vec<u8> = self.int.iter().chain(self.fraction).map(|byte| byte - b'0').collect();
        let point = self.int.len() as i64 + self.exponent;
        let digit_at = |position: i64| {
            usize::try_from(position).ok().and_then(|at| significant.get(at)).copied().unwrap_or(0)
        };
        let scale = (significant.len() as i64 - point).max(0);
        let word = |start: i64| {
            (start..start + WORD_DIGITS as i64)
                .fold(0u32, |value, position| value * 10 + u32::from(digit_at(position)))
        };
        let leading_zeros = significant.iter().take_while(|digit| **digit == 0).count() as i64;
        let int_digits = (point - leading_zeros).max(0);
        if leading_zeros == significant.len() as i64 {
            return Decimal::from_words(false, &[], &[], usize::try_from(scale).unwrap_or(0).min(81));
        }
        let int_words = (int_digits as usize).div_ceil(WORD_DIGITS);
        if int_words > super::MAX_WORDS {
            return Err(CodecError::OutOfRange { kind: "DECIMAL", value: "more than 81 digits".to_owned() });
        }
        let frac_words = (scale as usize).div_ceil(WORD_DIGITS).min(super::MAX_WORDS - int_words);
        let step = WORD_DIGITS as i64;
        let int: Vec<u32> =
            (0..int_words as i64).map(|index| word(point - (int_words as i64 - index) * step)).collect();
        let fraction: Vec<u32> = (0..frac_words as i64).map(|index| word(point + index * step)).collect();
        Decimal::from_words(self.negative, &int, &fraction, scale as usize)
    }
}

impl Decimal {
    /// Parses `[+-]digits[.digits][e[+-]digits]`, blanks around it allowed.
    ///
    /// # Errors
    /// Other text, or more than 81 digits before the point. Digits after the point that do not fit into the
    /// nine words are cut off.
    pub fn parse(text: &str) -> Result<Self, CodecError> {
        match scan(text) {
            Some(scanned) if text.get(scanned.len..).is_some_and(|rest| rest.trim().is_empty()) => {
                scanned.finish()
            }
            _ => Err(CodecError::IncorrectValue { kind: "decimal", text: text.to_owned() }),
        }
    }

    /// Parses the number at the start of `text` as MySQL does for strings in numeric places; returns it and
    /// the number of bytes used, 0 when there is none.
    ///
    /// # Errors
    /// More than 81 digits before the point.
    pub fn parse_prefix(text: &str) -> Result<(Self, usize), CodecError> {
        match scan(text) {
            Some(scanned) => Ok((scanned.finish()?, scanned.len)),
            None => Ok((Self::ZERO, 0)),
        }
    }

    /// Appends the text: at least one digit before the point, exactly [`Decimal::scale`] after it.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        if self.frac > self.result_frac
            && let Ok(rounded) = self.round(i16::from(self.result_frac))
        {
            return rounded.write_text(out);
        }
        if self.negative {
            out.push(b'-');
        }
        push_int(self.int_part(), out);
        if self.result_frac > 0 {
            out.push(b'.');
            push_fraction(self.frac_part(), usize::from(self.result_frac), out);
        }
    }
}

/// Appends the digits before the point; `0` when there are none.
#[inline]
fn push_int(words: &[u32], out: &mut Vec<u8>) {
    match words.split_first() {
        None => out.push(b'0'),
        Some((first, rest)) => {
            out.extend_from_slice(itoa::Buffer::new().format(*first).as_bytes());
            for word in rest {
                digits::push_nine(*word, out);
            }
        }
    }
}

/// Appends `len` digits after the point, zeros where there are no words.
#[inline]
fn push_fraction(words: &[u32], len: usize, out: &mut Vec<u8>) {
    let end = out.len() + len;
    for word in words {
        digits::push_nine(word % WORD_BASE, out);
    }
    out.resize(end, b'0');
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write_text(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        Decimal::parse(text).unwrap().to_string()
    }

    #[test]
    fn text_forms() {
        assert_eq!(shown("0"), "0");
        assert_eq!(shown("-0.00"), "0.00");
        assert_eq!(shown("00123.4500"), "123.4500");
        assert_eq!(shown(".5"), "0.5");
        assert_eq!(shown("5."), "5");
        assert_eq!(shown("+1e3"), "1000");
        assert_eq!(shown("1.5e-3"), "0.0015");
        assert_eq!(shown("123e-2"), "1.23");
        assert_eq!(shown("1e-40"), format!("0.{}1", "0".repeat(39)));
        assert_eq!(
            shown("-12345678901234567890123456789012345.123456789012345678901234567890"),
            "-12345678901234567890123456789012345.123456789012345678901234567890"
        );
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "-", "x", "1x", "1e", "--1", "1.2.3"] {
            assert!(matches!(Decimal::parse(text), Err(CodecError::IncorrectValue { .. })), "{text}");
        }
        assert!(matches!(Decimal::parse("1e81"), Err(CodecError::OutOfRange { .. })));
        assert!(Decimal::parse(&"9".repeat(81)).is_ok());
    }

    #[test]
    fn prefixes_stop_at_the_first_other_byte() {
        let prefix = |text| Decimal::parse_prefix(text).map(|(v, len)| (v.to_string(), len)).unwrap();
        assert_eq!(prefix("12.5abc"), ("12.5".to_owned(), 4));
        assert_eq!(prefix("12e"), ("12".to_owned(), 2));
        assert_eq!(prefix("abc"), ("0".to_owned(), 0));
    }

    proptest! {
        #[test]
        fn text_round_trips(int in "[1-9][0-9]{0,34}", fraction in "[0-9]{1,30}", negative: bool) {
            let text = format!("{}{int}.{fraction}", if negative { "-" } else { "" });
            prop_assert_eq!(shown(&text), text);
        }

        #[test]
        fn parsing_never_panics(text: String, like in "[0-9.eE+-]{0,120}") {
            let _ = Decimal::parse(&text).map(|v| v.to_string());
            let _ = Decimal::parse(&like).map(|v| v.to_string());
            let _ = Decimal::parse_prefix(&like);
        }
    }
}
