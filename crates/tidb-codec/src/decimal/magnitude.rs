//! Whole numbers of any length, in words of nine digits.

use super::WORD_BASE;
use std::cmp::Ordering;

/// A magnitude of any length: words, least significant first.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Magnitude(pub(super) Vec<u32>);

impl Magnitude {
    /// Drops zero words at the top.
    pub(super) fn trim(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    /// Compares two trimmed magnitudes.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// The sum.
    pub(super) fn add(&self, other: &Self) -> Self {
        let (long, short) = if self.0.len() >= other.0.len() { (self, other) } else { (other, self) };
        let mut carry = 0;
        let mut words = Vec::with_capacity(long.0.len() + 1);
        for (index, word) in long.0.iter().enumerate() {
            let sum = word + short.0.get(index).copied().unwrap_or(0) + carry;
            carry = sum / WORD_BASE;
            words.push(sum % WORD_BASE);
        }
        words.push(carry);
        Self(words).trim()
    }

    /// The difference to a magnitude that is not larger.
    pub(super) fn subtract(&self, other: &Self) -> Self {
        let mut borrow = 0;
        let mut words = Vec::with_capacity(self.0.len());
        for (index, word) in self.0.iter().enumerate() {
            let taken = other.0.get(index).copied().unwrap_or(0) + borrow;
            borrow = u32::from(*word < taken);
            words.push(word + borrow * WORD_BASE - taken);
        }
        Self(words).trim()
    }

    /// The product.
    pub(super) fn multiply(&self, other: &Self) -> Self {
        let mut words = vec![0u32; self.0.len() + other.0.len() + 1];
        for (i, a) in self.0.iter().enumerate() {
            let mut carry = 0u64;
            for (j, slot) in words.iter_mut().skip(i).enumerate() {
                let Some(b) = other.0.get(j).or((carry > 0).then_some(&0)) else { break };
                let sum = u64::from(*slot) + u64::from(*a) * u64::from(*b) + carry;
                *slot = (sum % u64::from(WORD_BASE)) as u32;
                carry = sum / u64::from(WORD_BASE);
            }
        }
        Self(words).trim()
    }

    /// The product with a small factor.
    pub(super) fn scale(&self, factor: u32) -> Self {
        self.multiply(&Self(vec![factor]))
    }

    /// Quotient and remainder by a trimmed magnitude that is not zero: long division, each word of the
    /// quotient found by bisection between bounds taken from the leading words.
    pub(super) fn divide(&self, divisor: &Self) -> (Self, Self) {
        let mut quotient = vec![0u32; self.0.len()];
        let mut remainder = Self(Vec::new());
        for (index, word) in self.0.iter().enumerate().rev() {
            remainder.0.insert(0, *word);
            remainder = remainder.trim();
            let digit = remainder.quotient_word(divisor);
            remainder = remainder.subtract(&divisor.scale(digit));
            if let Some(slot) = quotient.get_mut(index) {
                *slot = digit;
            }
        }
        (Self(quotient).trim(), remainder)
    }

    /// The quotient by `divisor`, which is known to be less than a word.
    pub(super) fn quotient_word(&self, divisor: &Self) -> u32 {
        let (mut low, mut high) = (0u32, WORD_BASE - 1);
        if self.compare(divisor) == Ordering::Less {
            return 0;
        }
        let lead = |m: &Self, at: usize| m.0.get(at).copied().map_or(0.0, f64::from);
        let top = divisor.0.len().saturating_sub(1);
        let base = f64::from(WORD_BASE);
        let own = lead(self, top + 1) * base * base
            + lead(self, top) * base
            + top.checked_sub(1).map_or(0.0, |at| lead(self, at));
        let other = lead(divisor, top) * base + top.checked_sub(1).map_or(0.0, |at| lead(divisor, at));
        if other > 0.0 {
            let guess = (own / other).clamp(0.0, base) as u32;
            low = guess.saturating_sub(2);
            high = high.min(guess + 2);
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if divisor.scale(middle).compare(self) == Ordering::Greater {
                high = middle - 1;
            } else {
                low = middle;
            }
        }
        low
    }

    /// Prepends `count` zero words.
    pub(super) fn shift(&self, count: usize) -> Self {
        let mut words = vec![0; count];
        words.extend_from_slice(&self.0);
        Self(words).trim()
    }
}
