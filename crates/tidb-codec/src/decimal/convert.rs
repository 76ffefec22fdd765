//! Decimals from and to other numbers.

use super::{Decimal, WORD_BASE};
use crate::{CodecError, float};

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        let base = u64::from(WORD_BASE);
        let words = [(value / base / base) as u32, (value / base % base) as u32, (value % base) as u32];
        Self::from_words(false, &words, &[], 0).unwrap_or(Self::ZERO)
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        let magnitude = Self::from(value.unsigned_abs());
        if value < 0 { -magnitude } else { magnitude }
    }
}

impl Decimal {
    /// The decimal with the shortest text that reads back as `value`.
    ///
    /// # Errors
    /// A value that is no number, or has more than 81 digits before the point.
    pub fn from_f64(value: f64) -> Result<Self, CodecError> {
        if !value.is_finite() {
            return Err(CodecError::OutOfRange { kind: "DECIMAL", value: value.to_string() });
        }
        let mut text = Vec::new();
        float::write_f64(value, &mut text);
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The nearest whole number (half away from zero) without its sign.
    fn whole(&self) -> Option<(bool, u64)> {
        let rounded = self.round(0).ok()?;
        let base = u64::from(WORD_BASE);
        let magnitude = rounded
            .int_part()
            .iter()
            .try_fold(0u64, |value, word| value.checked_mul(base)?.checked_add(u64::from(*word)))?;
        Some((rounded.negative, magnitude))
    }

    /// The nearest `i64`, half away from zero.
    ///
    /// # Errors
    /// A value out of range.
    pub fn to_i64(&self) -> Result<i64, CodecError> {
        let found = self.whole().and_then(|(negative, magnitude)| {
            if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
        });
        found.ok_or_else(|| CodecError::OutOfRange { kind: "BIGINT", value: self.to_string() })
    }

    /// The nearest `u64`, half away from zero.
    ///
    /// # Errors
    /// A value out of range.
    pub fn to_u64(&self) -> Result<u64, CodecError> {
        match self.whole() {
            Some((negative, magnitude)) if !negative || magnitude == 0 => Ok(magnitude),
            _ => Err(CodecError::OutOfRange { kind: "BIGINT UNSIGNED", value: self.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn conversions_round_and_check_the_range() {
        let d = |text| Decimal::parse(text).unwrap();
        assert_eq!(d("2.5").to_i64(), Ok(3));
        assert_eq!(d("-2.5").to_i64(), Ok(-3));
        assert_eq!(d("-9223372036854775808").to_i64(), Ok(i64::MIN));
        assert!(d("9223372036854775807.5").to_i64().is_err());
        assert_eq!(d("18446744073709551615.4").to_u64(), Ok(u64::MAX));
        assert_eq!(d("-0.4").to_u64(), Ok(0));
        assert!(d("-0.5").to_u64().is_err());
        assert_eq!(Decimal::from_f64(0.1).unwrap().to_string(), "0.1");
        assert_eq!(Decimal::from_f64(-1e20).unwrap().to_string(), "-100000000000000000000");
        assert!(Decimal::from_f64(f64::NAN).is_err());
        assert!(Decimal::from_f64(1e300).is_err());
    }

    proptest! {
        #[test]
        fn integers_round_trip(a: i64, b: u64) {
            prop_assert_eq!(Decimal::from(a).to_i64(), Ok(a));
            prop_assert_eq!(Decimal::from(b).to_u64(), Ok(b));
            prop_assert_eq!(Decimal::from(a).to_string(), a.to_string());
        }

        #[test]
        fn doubles_round_trip(value in -1e60f64..1e60) {
            prop_assume!(value == 0.0 || value.abs() > 1e-5);
            prop_assert_eq!(Decimal::from_f64(value).unwrap().to_f64(), value);
        }
    }
}
