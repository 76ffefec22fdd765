//! The binary form of decimals: its bytes sort like the values when precision and scale are equal.

use super::{Decimal, MAX_WORDS, POWERS, WORD_DIGITS};
use crate::{CodecError, FieldType, cursor, field::UNSPECIFIED_LENGTH, text::digits};

/// Bytes that hold a word of so many digits.
const DIGIT_BYTES: [usize; WORD_DIGITS + 1] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
/// The sign bit of the first byte: set for values from zero on.
const SIGN: u8 = 0x80;
/// Name of the item in errors.
const WHAT: &str = "decimal";

/// How the digits of a precision and scale are split into words.
#[derive(Clone, Copy)]
struct Layout {
    /// Digits of the partial word at the start.
    leading: usize,
    /// Full words before the point.
    int_words: usize,
    /// Full words after the point.
    frac_words: usize,
    /// Digits of the partial word at the end.
    trailing: usize,
}

impl Layout {
    /// Layout of a precision and scale.
    #[inline]
    fn new(precision: u8, scale: u8) -> Result<Self, CodecError> {
        let malformed = |reason| CodecError::Malformed { what: WHAT, reason };
        let (precision, scale) = (usize::from(precision), usize::from(scale));
        let Some(int) = precision.checked_sub(scale) else {
            return Err(malformed("scale above precision"));
        };
        if precision == 0 {
            return Err(malformed("precision 0"));
        }
        if int.div_ceil(WORD_DIGITS) + scale.div_ceil(WORD_DIGITS) > MAX_WORDS {
            return Err(malformed("more than nine words"));
        }
        Ok(Self {
            leading: int % WORD_DIGITS,
            int_words: int / WORD_DIGITS,
            frac_words: scale / WORD_DIGITS,
            trailing: scale % WORD_DIGITS,
        })
    }

    /// Bytes of the digits.
    #[inline]
    fn byte_len(&self) -> usize {
        byte_len(self.leading) + (self.int_words + self.frac_words) * 4 + byte_len(self.trailing)
    }

    /// Digits of each word in turn.
    fn word_digits(&self) -> impl Iterator<Item = usize> {
        let full = |count| std::iter::repeat_n(WORD_DIGITS, count);
        (self.leading > 0)
            .then_some(self.leading)
            .into_iter()
            .chain(full(self.int_words + self.frac_words))
            .chain((self.trailing > 0).then_some(self.trailing))
    }
}

/// Bytes of a word of `digits` digits.
#[inline]
fn byte_len(digits: usize) -> usize {
    DIGIT_BYTES.get(digits).copied().unwrap_or(4)
}

/// Ten to the power of `digits`, which is at most nine.
#[inline]
fn power(digits: usize) -> u32 {
    POWERS.get(digits).copied().unwrap_or(super::WORD_BASE)
}

/// Reads the words of a stored number.
struct Words<'a> {
    bytes: &'a [u8],
    /// 0 for values from zero on, all ones below.
    mask: u32,
    first: bool,
}

impl<'a> Words<'a> {
    /// Starts at the digits.
    #[inline]
    fn new(bytes: &'a [u8]) -> Self {
        let negative = bytes.first().is_some_and(|byte| byte & SIGN == 0);
        Self { bytes, mask: if negative { u32::MAX } else { 0 }, first: true }
    }

    /// The next word, of `digits` digits.
    #[inline]
    fn next(&mut self, digits: usize) -> Result<u32, CodecError> {
        let len = byte_len(digits);
        let (head, rest) = cursor::take_slice(self.bytes, len, WHAT)?;
        self.bytes = rest;
        let raw = head.iter().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
        let bits = 8 * len as u32;
        let used = if bits >= 32 { u32::MAX } else { (1 << bits) - 1 };
        let sign = if self.first && bits > 0 { 1 << (bits - 1) } else { 0 };
        self.first = false;
        let word = (raw ^ sign ^ self.mask) & used;
        if word >= power(digits) {
            return Err(CodecError::Malformed { what: WHAT, reason: "a word has too many digits" });
        }
        Ok(word)
    }
}

/// Length of a stored decimal at the start of `bytes`: precision, scale, digits.
///
/// # Errors
/// Fewer than two bytes, or an impossible precision and scale.
#[inline]
pub(crate) fn stored_len(bytes: &[u8]) -> Result<usize, CodecError> {
    let ([precision, scale], _) = cursor::take::<2>(bytes, WHAT)?;
    Ok(2 + Layout::new(precision, scale)?.byte_len())
}

/// Appends the text of a stored decimal without decoding it; see [`crate::text::write_decimal_bin`].
#[inline]
pub(crate) fn write_stored_text<'a>(
    stored: &'a [u8],
    max_scale: Option<u8>,
    out: &mut Vec<u8>,
) -> Result<&'a [u8], CodecError> {
    let ([precision, scale], rest) = cursor::take::<2>(stored, WHAT)?;
    if let Some(max) = max_scale.filter(|max| scale > *max) {
        let (value, rest) = Decimal::decode(stored)?;
        value.round(i16::from(max))?.write_text(out);
        return Ok(rest);
    }
    let layout = Layout::new(precision, scale)?;
    let (bytes, rest) = cursor::take_slice(rest, layout.byte_len(), WHAT)?;
    let mut words = Words::new(bytes);
    let start = out.len();
    if words.mask != 0 {
        out.push(b'-');
    }
    let int_start = out.len();
    let mut any = 0;
    if layout.leading > 0 {
        let word = words.next(layout.leading)?;
        any |= word;
        push_int_word(word, int_start, out);
    }
    for _ in 0..layout.int_words {
        let word = words.next(WORD_DIGITS)?;
        any |= word;
        push_int_word(word, int_start, out);
    }
    if out.len() == int_start {
        out.push(b'0');
    }
    if scale > 0 {
        out.push(b'.');
        for _ in 0..layout.frac_words {
            let word = words.next(WORD_DIGITS)?;
            any |= word;
            digits::push_nine(word, out);
        }
        if layout.trailing > 0 {
            let word = words.next(layout.trailing)?;
            any |= word;
            let end = out.len() + layout.trailing;
            digits::push_nine(word * power(WORD_DIGITS - layout.trailing), out);
            out.truncate(end);
        }
    }
    if any == 0 && words.mask != 0 {
        out.remove(start);
    }
    Ok(rest)
}

/// Appends a word before the point: nothing for leading zeros, all nine digits behind another word.
#[inline]
fn push_int_word(word: u32, int_start: usize, out: &mut Vec<u8>) {
    if out.len() > int_start {
        digits::push_nine(word, out);
    } else if word > 0 {
        out.extend_from_slice(itoa::Buffer::new().format(word).as_bytes());
    }
}

impl Decimal {
    /// Reads a stored decimal (precision, scale, digits); returns it and what follows.
    ///
    /// # Errors
    /// An impossible precision and scale, input cut short, or words with too many digits.
    pub fn decode(stored: &[u8]) -> Result<(Self, &[u8]), CodecError> {
        let ([precision, scale], rest) = cursor::take::<2>(stored, WHAT)?;
        Self::decode_bin(rest, precision, scale)
    }

    /// Reads the digits of a decimal of this precision and scale; returns it and what follows.
    ///
    /// # Errors
    /// As [`Decimal::decode`].
    pub fn decode_bin(bytes: &[u8], precision: u8, scale: u8) -> Result<(Self, &[u8]), CodecError> {
        let layout = Layout::new(precision, scale)?;
        let (bytes, rest) = cursor::take_slice(bytes, layout.byte_len(), WHAT)?;
        let mut reader = Words::new(bytes);
        let negative = reader.mask != 0;
        let mut words = [0u32; MAX_WORDS];
        let mut count = 0;
        for digits in layout.word_digits() {
            let word = reader.next(digits)?;
            if let Some(slot) = words.get_mut(count) {
                *slot = word;
            }
            count += 1;
        }
        let int_count = usize::from(layout.leading > 0) + layout.int_words;
        if layout.trailing > 0
            && let Some(last) = count.checked_sub(1).and_then(|last| words.get_mut(last))
        {
            *last *= power(WORD_DIGITS - layout.trailing);
        }
        let (int, fraction) = words.split_at_checked(int_count).unwrap_or((&words, &[]));
        Ok((Self::from_words(negative, int, fraction, usize::from(scale))?, rest))
    }

    /// Appends the digits in DECIMAL(precision, scale), rounded to the scale.
    ///
    /// # Errors
    /// An impossible precision and scale, or too many digits before the point.
    pub fn encode_bin(&self, precision: u8, scale: u8, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let layout = Layout::new(precision, scale)?;
        let value = self.fit(precision, scale)?;
        let int_count = usize::from(layout.leading > 0) + layout.int_words;
        let missing = int_count.saturating_sub(usize::from(value.int_words));
        let start = out.len();
        let mask = if value.negative { u32::MAX } else { 0 };
        for (index, digits) in layout.word_digits().enumerate() {
            let word = match index.checked_sub(missing) {
                Some(at) => value.words.get(at).copied().unwrap_or(0),
                None => 0,
            };
            let is_trailing = index >= int_count && digits < WORD_DIGITS;
            let word = if is_trailing { word / power(WORD_DIGITS - digits) } else { word };
            let bytes = (word ^ mask).to_be_bytes();
            let skip = bytes.len() - byte_len(digits);
            out.extend_from_slice(bytes.get(skip..).unwrap_or(&bytes));
        }
        if let Some(first) = out.get_mut(start) {
            *first ^= SIGN;
        }
        Ok(())
    }

    /// Appends precision, scale and digits in DECIMAL(precision, scale).
    ///
    /// # Errors
    /// As [`Decimal::encode_bin`].
    pub fn encode(&self, precision: u8, scale: u8, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let start = out.len();
        out.extend_from_slice(&[precision, scale]);
        let done = self.encode_bin(precision, scale, out);
        if done.is_err() {
            out.truncate(start);
        }
        done
    }

    /// Like [`Decimal::encode`] with the number's own precision and scale.
    ///
    /// # Errors
    /// As [`Decimal::encode_bin`].
    pub fn encode_own(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let shown = self.round(i16::from(self.scale()))?;
        shown.encode(shown.precision(), shown.scale(), out)
    }

    /// Like [`Decimal::encode`] with the precision and scale of a DECIMAL column.
    ///
    /// # Errors
    /// As [`Decimal::encode_bin`].
    pub fn encode_column(&self, field: &FieldType, out: &mut Vec<u8>) -> Result<(), CodecError> {
        match (u8::try_from(field.flen), u8::try_from(field.decimal)) {
            (Ok(precision), Ok(scale)) => self.encode(precision, scale, out),
            (Ok(precision), _) if field.decimal == UNSPECIFIED_LENGTH => self.encode(precision, 0, out),
            _ => self.encode_own(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored(text: &str, precision: u8, scale: u8) -> Vec<u8> {
        let mut out = Vec::new();
        Decimal::parse(text).unwrap().encode(precision, scale, &mut out).unwrap();
        out
    }

    #[test]
    fn known_bytes() {
        // The example of MySQL's documentation of the format.
        let bytes = [14, 4, 0x81, 0x0D, 0xFB, 0x38, 0xD2, 0x04, 0xD2];
        assert_eq!(stored("1234567890.1234", 14, 4), bytes);
        let negative = [14, 4, 0x7E, 0xF2, 0x04, 0xC7, 0x2D, 0xFB, 0x2D];
        assert_eq!(stored("-1234567890.1234", 14, 4), negative);
        assert_eq!(Decimal::decode(&negative).unwrap().0.to_string(), "-1234567890.1234");
    }

    #[test]
    fn malformed_decimals_are_refused() {
        for bytes in [
            &[][..],
            &[0, 0],
            &[2, 3, 0x80],
            &[90, 0],
            &[65, 1],
            &[9, 0, 0xFF, 0xFF, 0xFF, 0xFF],
            &[3, 0, 0x80],
        ] {
            assert!(Decimal::decode(bytes).is_err(), "{bytes:?}");
            assert!(write_stored_text(bytes, None, &mut Vec::new()).is_err(), "{bytes:?}");
        }
        assert!(Decimal::parse("1000").unwrap().encode(3, 0, &mut Vec::new()).is_err());
    }

    #[test]
    fn surplus_digits_are_rounded_for_the_column() {
        let mut out = Vec::new();
        write_stored_text(&stored("-1.2350", 10, 4), Some(2), &mut out).unwrap();
        assert_eq!(out, b"-1.24");
    }

    /// Any DECIMAL(precision, scale) with two values of it.
    fn any_column() -> impl Strategy<Value = (u8, u8, String, String)> {
        let digits = |len: u8| proptest::collection::vec(0u8..10, usize::from(len));
        (1u8..=65, 0u8..=30).prop_filter("scale above precision", |(p, s)| s <= p).prop_flat_map(
            move |(p, s)| {
                let value = move || {
                    (digits(p), 0..=p, any::<bool>()).prop_map(move |(mut digits, zeros, negative)| {
                        digits.iter_mut().take(usize::from(zeros)).for_each(|digit| *digit = 0);
                        let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
                        let (int, frac) = text.split_at(usize::from(p - s));
                        format!("{}0{int}.{frac}", if negative { "-" } else { "" })
                    })
                };
                (Just(p), Just(s), value(), value())
            },
        )
    }

    proptest! {
        #[test]
        fn bytes_round_trip_and_keep_order((p, s, a, b) in any_column()) {
            let (x, y) = (Decimal::parse(&a).unwrap(), Decimal::parse(&b).unwrap());
            let (ex, ey) = (stored(&a, p, s), stored(&b, p, s));
            prop_assert_eq!(ex.cmp(&ey), x.cmp(&y));
            prop_assert_eq!(stored_len(&ex).unwrap(), ex.len());
            let (decoded, rest) = Decimal::decode(&ex).unwrap();
            prop_assert_eq!((decoded, rest), (x, &[][..]));
            prop_assert_eq!(decoded.to_string(), x.to_string());
            let mut direct = Vec::new();
            write_stored_text(&ex, Some(s), &mut direct).unwrap();
            prop_assert_eq!(String::from_utf8(direct).unwrap(), x.to_string());
        }

        #[test]
        fn arbitrary_bytes_agree_and_never_panic(bytes: Vec<u8>) {
            let mut direct = Vec::new();
            let text = write_stored_text(&bytes, None, &mut direct).is_ok();
            let decoded = Decimal::decode(&bytes);
            prop_assert_eq!(text, decoded.is_ok());
            if let Ok((value, _)) = decoded {
                prop_assert_eq!(value.to_string().into_bytes(), direct);
            }
        }
    }
}
