//! Sums, products, quotients and rounding by MySQL's rules.

use super::{Decimal, MAX_SCALE, POWERS, WORD_BASE, WORD_DIGITS, magnitude::Magnitude};
use crate::CodecError;
use std::{cmp::Ordering, ops::Neg};

impl Decimal {
    /// The digits as a whole number, with `frac_words` words taken as the fraction.
    fn magnitude(&self, frac_words: usize) -> Magnitude {
        let own = self.frac_part();
        let mut words = vec![0; frac_words.saturating_sub(own.len())];
        words.extend(own.iter().rev());
        words.extend(self.int_part().iter().rev());
        Magnitude(words).trim()
    }

    /// Words after the point.
    fn frac_words(&self) -> usize {
        usize::from(self.frac).div_ceil(WORD_DIGITS)
    }

    /// A number from a magnitude whose low `frac_words` words are the fraction.
    fn from_magnitude(
        negative: bool,
        magnitude: &Magnitude,
        frac_words: usize,
        frac: usize,
        result_frac: u8,
    ) -> Result<Self, CodecError> {
        let mut words = magnitude.0.clone();
        if words.len() < frac_words {
            words.resize(frac_words, 0);
        }
        words.reverse();
        let (int, fraction) = words.split_at_checked(words.len() - frac_words).unwrap_or((&words, &[]));
        let value = Self::from_words(negative, int, fraction, frac)?;
        Ok(Self { result_frac: result_frac.min(MAX_SCALE.max(value.frac)), ..value })
    }

    /// The absolute value.
    pub fn abs(self) -> Self {
        Self { negative: false, ..self }
    }

    /// The sum; its scale is the larger one.
    ///
    /// # Errors
    /// More than 81 digits before the point.
    pub fn add(&self, other: &Self) -> Result<Self, CodecError> {
        let frac_words = self.frac_words().max(other.frac_words());
        let frac = usize::from(self.frac.max(other.frac));
        let result_frac = self.result_frac.max(other.result_frac);
        let (a, b) = (self.magnitude(frac_words), other.magnitude(frac_words));
        let (negative, sum) = if self.negative == other.negative {
            (self.negative, a.add(&b))
        } else if a.compare(&b) == Ordering::Less {
            (other.negative, b.subtract(&a))
        } else {
            (self.negative, a.subtract(&b))
        };
        Self::from_magnitude(negative, &sum, frac_words, frac, result_frac)
    }

    /// The difference; its scale is the larger one.
    ///
    /// # Errors
    /// As [`Decimal::add`].
    pub fn sub(&self, other: &Self) -> Result<Self, CodecError> {
        self.add(&-*other)
    }

    /// The product; its scale is the sum of both, at most 30.
    ///
    /// # Errors
    /// As [`Decimal::add`].
    pub fn mul(&self, other: &Self) -> Result<Self, CodecError> {
        let frac_words = self.frac_words() + other.frac_words();
        let frac = usize::from(self.frac) + usize::from(other.frac);
        let result_frac = (self.result_frac + other.result_frac).min(MAX_SCALE);
        let product = self.magnitude(self.frac_words()).multiply(&other.magnitude(other.frac_words()));
        let negative = self.negative != other.negative;
        // One digit more than the largest scale decides the rounding, as in MySQL.
        let value = Self::from_magnitude(
            negative,
            &product,
            frac_words,
            frac.min(usize::from(MAX_SCALE) + 1),
            result_frac,
        )?;
        if value.frac > MAX_SCALE {
            Ok(Self { result_frac, ..value.round(i16::from(MAX_SCALE))? })
        } else {
            Ok(value)
        }
    }

    /// The quotient; its scale is that of the dividend and `increment` more (MySQL's default is
    /// [`super::DIV_SCALE_INCREMENT`]), at most 30. Hidden digits beyond it fill the last word.
    ///
    /// # Errors
    /// Division by zero, or more than 81 digits before the point.
    pub fn div(&self, other: &Self, increment: u8) -> Result<Self, CodecError> {
        if other.is_zero() {
            return Err(CodecError::DivisionByZero);
        }
        let (own, others) = (self.frac_words() * WORD_DIGITS, other.frac_words() * WORD_DIGITS);
        // The words' unused digits count towards the increment.
        let spare = own - usize::from(self.frac) + others - usize::from(other.frac);
        let frac_words = (own + others + usize::from(increment).saturating_sub(spare)).div_ceil(WORD_DIGITS);
        let dividend =
            self.magnitude(self.frac_words()).shift(frac_words + other.frac_words() - self.frac_words());
        let (quotient, _) = dividend.divide(&other.magnitude(other.frac_words()));
        let result_frac = self.result_frac.saturating_add(increment).min(MAX_SCALE);
        let negative = self.negative != other.negative;
        Self::from_magnitude(negative, &quotient, frac_words, frac_words * WORD_DIGITS, result_frac)
    }

    /// The whole part of the quotient.
    ///
    /// # Errors
    /// As [`Decimal::div`].
    pub fn int_div(&self, other: &Self) -> Result<Self, CodecError> {
        if other.is_zero() {
            return Err(CodecError::DivisionByZero);
        }
        let frac_words = self.frac_words().max(other.frac_words());
        let (quotient, _) = self.magnitude(frac_words).divide(&other.magnitude(frac_words));
        Self::from_magnitude(self.negative != other.negative, &quotient, 0, 0, 0)
    }

    /// The remainder, with the sign of the dividend; its scale is the larger one.
    ///
    /// # Errors
    /// Division by zero.
    pub fn rem(&self, other: &Self) -> Result<Self, CodecError> {
        if other.is_zero() {
            return Err(CodecError::DivisionByZero);
        }
        let frac_words = self.frac_words().max(other.frac_words());
        let frac = usize::from(self.frac.max(other.frac));
        let result_frac = self.result_frac.max(other.result_frac);
        let (_, remainder) = self.magnitude(frac_words).divide(&other.magnitude(frac_words));
        Self::from_magnitude(self.negative, &remainder, frac_words, frac, result_frac)
    }

    /// Rounds half away from zero to `scale` digits after the point; a negative scale rounds before it.
    ///
    /// # Errors
    /// More than 81 digits before the point.
    pub fn round(&self, scale: i16) -> Result<Self, CodecError> {
        self.cut(scale, true)
    }

    /// Cuts off what is beyond `scale` digits after the point; a negative scale cuts before it.
    pub fn truncate(&self, scale: i16) -> Self {
        self.cut(scale, false).unwrap_or(*self)
    }

    /// The largest whole number that is not above the value.
    ///
    /// # Errors
    /// As [`Decimal::round`].
    pub fn floor(&self) -> Result<Self, CodecError> {
        let whole = self.truncate(0);
        if self.negative && whole != *self { whole.sub(&Self::from(1u64)) } else { Ok(whole) }
    }

    /// The smallest whole number that is not below the value.
    ///
    /// # Errors
    /// As [`Decimal::round`].
    pub fn ceil(&self) -> Result<Self, CodecError> {
        let whole = self.truncate(0);
        if !self.negative && whole != *self { whole.add(&Self::from(1u64)) } else { Ok(whole) }
    }

    /// Cuts at `scale` digits, rounding half away from zero if asked to.
    fn cut(&self, scale: i16, round: bool) -> Result<Self, CodecError> {
        let shown = scale.clamp(0, i16::from(MAX_SCALE.max(self.frac))) as u8;
        if scale >= i16::from(self.frac) {
            // Zeros are added as far as there is room for them.
            let value =
                Self::from_words(self.negative, self.int_part(), self.frac_part(), usize::from(shown))?;
            return Ok(Self { result_frac: shown, ..value });
        }
        let frac_words = self.frac_words();
        let dropped = (frac_words * WORD_DIGITS) as i64 - i64::from(scale);
        let (words, digits) = (dropped as usize / WORD_DIGITS, dropped as usize % WORD_DIGITS);
        let magnitude = self.magnitude(frac_words);
        let unit = POWERS.get(digits).copied().unwrap_or(WORD_BASE);
        let mut kept: Vec<u32> = vec![0; words];
        kept.extend(magnitude.0.iter().skip(words));
        let mut up = false;
        if let Some(word) = kept.get_mut(words) {
            let rest = *word % unit;
            *word -= rest;
            up = digits > 0 && rest >= unit / 2;
        }
        if digits == 0 {
            let below = words.checked_sub(1).and_then(|at| magnitude.0.get(at)).copied().unwrap_or(0);
            up = below >= WORD_BASE / 2;
        }
        let mut kept = Magnitude(kept).trim();
        if round && up {
            kept = kept.add(&Magnitude(vec![unit]).shift(words));
        }
        Self::from_magnitude(self.negative, &kept, frac_words, usize::from(shown), shown)
    }
}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        Self { negative: !self.negative && !self.is_zero(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn scales_follow_mysql() {
        assert_eq!(d("1.5").add(&d("2.25")).unwrap().to_string(), "3.75");
        assert_eq!(d("1.50").sub(&d("1.5")).unwrap().to_string(), "0.00");
        assert_eq!(d("-1.5").mul(&d("2.25")).unwrap().to_string(), "-3.375");
        assert_eq!(d("1").div(&d("3"), 4).unwrap().to_string(), "0.3333");
        assert_eq!(d("1").div(&d("3"), 4).unwrap().mul(&d("3")).unwrap().to_string(), "1.0000");
        assert_eq!(d("10.00").div(&d("-4"), 4).unwrap().to_string(), "-2.500000");
        assert_eq!(d("2").div(&d("3"), 4).unwrap().to_string(), "0.6667");
        assert_eq!(d("-7.5").rem(&d("2")).unwrap().to_string(), "-1.5");
        assert_eq!(d("7.5").rem(&d("-2")).unwrap().to_string(), "1.5");
        assert_eq!(d("-7.5").int_div(&d("2")).unwrap().to_string(), "-3");
        assert_eq!(d("1").div(&d("0"), 4), Err(CodecError::DivisionByZero));
        assert_eq!(d("1").rem(&d("0.00")), Err(CodecError::DivisionByZero));
        let third = d("1").div(&d("3"), 4).unwrap();
        let power = third.mul(&third).unwrap().mul(&third).unwrap().mul(&third).unwrap();
        assert_eq!((power.scale(), power.to_string().as_str()), (16, "0.0123456789629630"));
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        let round = |text, scale| d(text).round(scale).unwrap().to_string();
        assert_eq!(round("1.5", 0), "2");
        assert_eq!(round("-1.5", 0), "-2");
        assert_eq!(round("1.4999999999", 0), "1");
        assert_eq!(round("0.5", 0), "1");
        assert_eq!(round("-0.4", 0), "0");
        assert_eq!(round("999999999.9999999995", 9), "1000000000.000000000");
        assert_eq!(round("999999999.5", 0), "1000000000");
        assert_eq!(round("15.5", -1), "20");
        assert_eq!(round("5", -1), "10");
        assert_eq!(round("4", -1), "0");
        assert_eq!(round("123456789012", -9), "123000000000");
        assert_eq!(round("500000000", -9), "1000000000");
        assert_eq!(round("1.5", 3), "1.500");
        assert_eq!(round("0.1234567891", 9), "0.123456789");
        assert_eq!(round("0.1234567895", 9), "0.123456790");
        assert_eq!(d("-1.29").truncate(1).to_string(), "-1.2");
        assert_eq!(d("-1.2").floor().unwrap().to_string(), "-2");
        assert_eq!(d("-1.2").ceil().unwrap().to_string(), "-1");
        assert_eq!(d("1.2").ceil().unwrap().to_string(), "2");
        assert_eq!(d("3.0").floor().unwrap().to_string(), "3");
    }

    #[test]
    fn overflow_is_an_error() {
        let large = d(&"9".repeat(81));
        assert!(large.add(&d("1")).is_err());
        assert!(large.mul(&d("10")).is_err());
        assert!(d("0.5").div(&d("1e-30"), 4).is_ok());
    }

    proptest! {
        #[test]
        fn agrees_with_wide_integers(a in -1i128 << 62..1i128 << 62, b in -1i128 << 62..1i128 << 62, fa in 0u32..12, fb in 0u32..12) {
            let value = |v: i128, f: u32| {
                let digits = format!("{:0>1$}", v.abs(), f as usize + 1);
                let (int, frac) = digits.split_at(digits.len() - f as usize);
                d(&format!("{}{int}.{frac}", if v < 0 { "-" } else { "" }))
            };
            let (x, y) = (value(a, fa), value(b, fb));
            let scale = fa.max(fb);
            let (wa, wb) = (a * 10i128.pow(scale - fa), b * 10i128.pow(scale - fb));
            prop_assert_eq!(x.add(&y).unwrap(), value(wa + wb, scale));
            prop_assert_eq!(x.sub(&y).unwrap(), value(wa - wb, scale));
            prop_assert_eq!(x.mul(&y).unwrap(), value(a * b, fa + fb));
            prop_assert_eq!(x.cmp(&y), wa.cmp(&wb));
            if b != 0 {
                prop_assert_eq!(x.rem(&y).unwrap(), value(wa % wb, scale));
                prop_assert_eq!(x.int_div(&y).unwrap(), value(wa / wb, 0));
            }
        }

        #[test]
        fn quotients_are_close(a in 1i64.., b in 1i64..) {
            let (x, y) = (Decimal::from(a), Decimal::from(b));
            let back = x.div(&y, 4).unwrap().mul(&y).unwrap();
            let error = x.sub(&back).unwrap().abs();
            prop_assert!(error <= y.mul(&d("0.000000001")).unwrap().add(&d("0.0001")).unwrap());
        }
    }
}
