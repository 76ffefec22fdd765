//! Fixed-point numbers with MySQL's limits and rules.
//!
//! A number holds up to nine words of nine digits, split at the decimal point. Besides the digits it computed,
//! a result knows how many of them are shown ([`Decimal::scale`]): a quotient carries hidden digits, so that
//! `1 / 3 * 3` is `1.0000`.

mod arithmetic;
mod binary;
mod convert;
mod magnitude;
mod text;

pub(crate) use binary::{stored_len, write_stored_text};

use crate::CodecError;
use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
};

/// Digits of a word.
pub(crate) const WORD_DIGITS: usize = 9;
/// Values of a word.
pub(crate) const WORD_BASE: u32 = 1_000_000_000;
/// Words of a number.
pub(crate) const MAX_WORDS: usize = 9;
/// Powers of ten that fit a word, and the first that does not.
pub(crate) const POWERS: [u32; WORD_DIGITS + 1] =
    [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Most digits of a DECIMAL column.
pub const MAX_PRECISION: u8 = 65;
/// Most digits after the point of a DECIMAL column.
pub const MAX_SCALE: u8 = 30;
/// Digits a division adds to the scale of its dividend (`div_precision_increment`).
pub const DIV_SCALE_INCREMENT: u8 = 4;

/// A fixed-point number.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    /// Words before the point (without leading zero words), then words after it, the last one filled up with
    /// zero digits on the right; unused words are 0.
    words: [u32; MAX_WORDS],
    int_words: u8,
    /// Digits known after the point.
    frac: u8,
    /// Digits shown after the point.
    result_frac: u8,
    /// Never set for zero.
    negative: bool,
}

impl Decimal {
    /// Zero, scale 0.
    pub const ZERO: Self =
        Self { words: [0; MAX_WORDS], int_words: 0, frac: 0, result_frac: 0, negative: false };

    /// Builds a number from most significant words first: `int` words (leading zeros allowed), then words of
    /// the fraction. Digits beyond `frac` are cut off, as are fraction words that do not fit.
    ///
    /// # Errors
    /// More than nine words before the point.
    fn from_words(negative: bool, int: &[u32], fraction: &[u32], frac: usize) -> Result<Self, CodecError> {
        let zeros = int.iter().take_while(|word| **word == 0).count();
        let int = int.get(zeros..).unwrap_or_default();
        if int.len() > MAX_WORDS {
            return Err(CodecError::OutOfRange { kind: "DECIMAL", value: "more than 81 digits".to_owned() });
        }
        let room = (MAX_WORDS - int.len()) * WORD_DIGITS;
        let frac = frac.min(room);
        let mut words = [0; MAX_WORDS];
        let source = int.iter().chain(fraction.iter().take(frac.div_ceil(WORD_DIGITS)));
        for (slot, word) in words.iter_mut().zip(source) {
            *slot = *word;
        }
        let mut value =
            Self { words, int_words: int.len() as u8, frac: frac as u8, result_frac: frac as u8, negative };
        value.clear_beyond_frac();
        value.negative &= !value.is_zero();
        Ok(value)
    }

    /// Zeroes the digits of the last fraction word that `frac` does not cover.
    fn clear_beyond_frac(&mut self) {
        let used = usize::from(self.frac) % WORD_DIGITS;
        let last = usize::from(self.int_words) + usize::from(self.frac) / WORD_DIGITS;
        if let Some(word) = self.words.get_mut(last) {
            let unit = POWERS.get(WORD_DIGITS - used).copied().unwrap_or(WORD_BASE);
            *word = if used == 0 { 0 } else { *word / unit * unit };
        }
        for word in self.words.iter_mut().skip(last + 1) {
            *word = 0;
        }
    }

    /// Words before the point.
    #[inline]
    fn int_part(&self) -> &[u32] {
        self.words.get(..usize::from(self.int_words)).unwrap_or_default()
    }

    /// Words after the point.
    #[inline]
    fn frac_part(&self) -> &[u32] {
        let start = usize::from(self.int_words);
        let len = usize::from(self.frac).div_ceil(WORD_DIGITS);
        self.words.get(start..start + len).unwrap_or_default()
    }

    /// Digits before the point, without leading zeros.
    pub fn int_digits(&self) -> u8 {
        match self.int_part().split_first() {
            None => 0,
            Some((first, rest)) => {
                let leading = POWERS.iter().take_while(|power| **power <= *first).count();
                (leading + rest.len() * WORD_DIGITS) as u8
            }
        }
    }

    /// Digits shown after the point.
    #[inline]
    pub const fn scale(&self) -> u8 {
        self.result_frac
    }

    /// Digits shown in all, at least 1.
    pub fn precision(&self) -> u8 {
        (self.int_digits() + self.result_frac).max(1)
    }

    /// Whether the value is zero.
    #[inline]
    pub fn is_zero(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether the value is below zero.
    #[inline]
    pub const fn is_negative(&self) -> bool {
        self.negative
    }

    /// The largest value of DECIMAL(precision, scale), or the smallest: what a value out of range is clamped
    /// to.
    pub fn limit(negative: bool, precision: u8, scale: u8) -> Self {
        let precision = precision.min(MAX_PRECISION);
        let scale = scale.min(MAX_SCALE).min(precision);
        let mut text = "9".repeat(usize::from(precision - scale));
        text.push('.');
        text.push_str(&"9".repeat(usize::from(scale)));
        let value = Self::parse(&text).unwrap_or(Self::ZERO);
        if negative { -value } else { value }
    }

    /// Rounds to `scale` digits after the point and checks that the value fits DECIMAL(precision, scale).
    ///
    /// # Errors
    /// Too many digits before the point.
    pub fn fit(&self, precision: u8, scale: u8) -> Result<Self, CodecError> {
        let rounded = self.round(i16::from(scale))?;
        if rounded.int_digits() > precision.saturating_sub(scale) {
            return Err(CodecError::OutOfRange { kind: "DECIMAL", value: self.to_string() });
        }
        Ok(rounded)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    /// Compares the values, whatever their scales.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.negative != other.negative {
            return other.negative.cmp(&self.negative);
        }
        // Unused words are zero, so words compare as they stand once the points are aligned.
        let magnitude = self.int_words.cmp(&other.int_words).then_with(|| self.words.cmp(&other.words));
        if self.negative { magnitude.reverse() } else { magnitude }
    }
}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.negative.hash(state);
        self.int_words.hash(state);
        self.words.hash(state);
    }
}
