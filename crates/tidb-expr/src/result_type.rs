//! The type of an expression's result.

use std::sync::Arc;

use tidb_codec::field::{FieldType, flag, tp};

use crate::collation::{self, Collation};

/// Type of an expression or result column: cheap to copy.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultType {
    /// Type code.
    pub tp: u8,
    /// Column flags.
    pub flag: u32,
    /// Display length, −1 when unknown.
    pub flen: i64,
    /// Fraction digits, −1 when unknown.
    pub decimal: i64,
    /// Collation of text results; `binary` for everything else.
    pub collation: Collation,
    /// Members of ENUM and SET.
    pub elems: Option<Arc<[String]>>,
}

/// Longest display length of an integer of 64 bits.
const BIGINT_LEN: i64 = 20;
/// Display length of a double.
const DOUBLE_LEN: i64 = 22;
/// Length that text results of unknown length are given, as TiDB does.
const TEXT_LEN: i64 = 65535;

impl ResultType {
    /// A type that is no text.
    fn simple(tp: u8, flag: u32, flen: i64, decimal: i64) -> Self {
        Self { tp, flag: flag | flag::BINARY, flen, decimal, collation: collation::binary(), elems: None }
    }

    /// BIGINT.
    pub fn int() -> Self {
        Self::simple(tp::LONGLONG, 0, BIGINT_LEN, 0)
    }

    /// BIGINT UNSIGNED.
    pub fn uint() -> Self {
        Self::simple(tp::LONGLONG, flag::UNSIGNED, BIGINT_LEN, 0)
    }

    /// The result of a comparison.
    pub fn boolean() -> Self {
        Self::simple(tp::LONGLONG, flag::IS_BOOLEAN, 1, 0)
    }

    /// DOUBLE.
    pub fn double() -> Self {
        Self::simple(tp::DOUBLE, 0, DOUBLE_LEN, 31)
    }

    /// DECIMAL with a precision and a scale.
    pub fn decimal(flen: i64, decimal: i64) -> Self {
        Self::simple(tp::NEW_DECIMAL, 0, flen, decimal)
    }

    /// Text of unknown length in the default collation.
    pub fn text() -> Self {
        Self::text_of(TEXT_LEN, collation::utf8mb4_bin())
    }

    /// Text of a length in characters.
    pub fn text_of(flen: i64, collation: Collation) -> Self {
        let flag = if collation.is_binary() { flag::BINARY } else { 0 };
        Self { tp: tp::VAR_STRING, flag, flen, decimal: 31, collation, elems: None }
    }

    /// Byte string.
    pub fn bytes() -> Self {
        Self::text_of(TEXT_LEN, collation::binary())
    }

    /// DATETIME with fraction digits.
    pub fn datetime(fsp: u8) -> Self {
        Self::simple(tp::DATETIME, 0, fraction_len(19, fsp), i64::from(fsp))
    }

    /// DATE.
    pub fn date() -> Self {
        Self::simple(tp::DATE, 0, 10, 0)
    }

    /// TIME with fraction digits.
    pub fn duration(fsp: u8) -> Self {
        Self::simple(tp::DURATION, 0, fraction_len(10, fsp), i64::from(fsp))
    }

    /// JSON.
    pub fn json() -> Self {
        Self { collation: collation::utf8mb4_bin(), ..Self::simple(tp::JSON, 0, i64::from(u32::MAX), 0) }
    }

    /// The type of a bare NULL.
    pub fn null() -> Self {
        Self::simple(tp::NULL, 0, 0, 0)
    }

    /// The type of a column.
    pub fn of_column(field: &FieldType) -> Self {
        Self {
            tp: field.tp,
            flag: field.flag,
            flen: field.flen,
            decimal: field.decimal,
            collation: collation::by_name(&field.collate).unwrap_or_else(collation::binary),
            elems: (!field.elems.is_empty()).then(|| field.elems.as_slice().into()),
        }
    }

    /// Back to a column type, for conversions that work on columns.
    pub fn to_field(&self) -> FieldType {
        FieldType {
            tp: self.tp,
            flag: self.flag,
            flen: self.flen,
            decimal: self.decimal,
            charset: self.collation.charset.to_owned(),
            collate: self.collation.name.to_owned(),
            elems: self.elems.as_ref().map(|e| e.to_vec()).unwrap_or_default(),
            ..FieldType::default()
        }
    }

    /// Whether integers of this type are unsigned.
    pub fn is_unsigned(&self) -> bool {
        self.flag & flag::UNSIGNED != 0
    }

    /// Whether the value is a whole number.
    pub fn is_integer(&self) -> bool {
        matches!(self.tp, tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG | tp::YEAR | tp::BIT)
    }

    /// Whether the value is text or bytes.
    pub fn is_string(&self) -> bool {
        matches!(
            self.tp,
            tp::VARCHAR
                | tp::VAR_STRING
                | tp::STRING
                | tp::TINY_BLOB
                | tp::MEDIUM_BLOB
                | tp::LONG_BLOB
                | tp::BLOB
        )
    }

    /// Whether the value is a DATE, DATETIME or TIMESTAMP.
    pub fn is_time(&self) -> bool {
        matches!(self.tp, tp::DATE | tp::NEW_DATE | tp::DATETIME | tp::TIMESTAMP)
    }

    /// Fraction digits of a time type.
    pub fn fsp(&self) -> u8 {
        u8::try_from(self.decimal).unwrap_or(0).min(6)
    }

    /// The type that can hold values of both: of the branches of `CASE`, `IF`, `COALESCE` and of `UNION`.
    pub fn merge(&self, other: &Self) -> Self {
        if other.tp == tp::NULL {
            return Self { flag: self.flag & !flag::NOT_NULL, ..self.clone() };
        }
        if self.tp == tp::NULL {
            return Self { flag: other.flag & !flag::NOT_NULL, ..other.clone() };
        }
        let not_null = self.flag & other.flag & flag::NOT_NULL;
        let merged = self.merge_kind(other);
        Self { flag: (merged.flag & !flag::NOT_NULL) | not_null, ..merged }
    }

    /// The common type of two that are not NULL, whatever may be NULL.
    fn merge_kind(&self, other: &Self) -> Self {
        let flen = self.flen.max(other.flen);
        let decimal = self.decimal.max(other.decimal);
        let both = |test: fn(&Self) -> bool| test(self) && test(other);
        let number = |ty: &Self| ty.is_integer() || matches!(ty.tp, tp::NEW_DECIMAL | tp::FLOAT | tp::DOUBLE);
        if self.tp == other.tp && self.elems == other.elems && !self.is_string() {
            if self.is_integer() && self.is_unsigned() != other.is_unsigned() {
                return if self.tp == tp::LONGLONG { Self::decimal(flen + 1, 0) } else { Self::int() };
            }
            return Self { flen, decimal, ..self.clone() };
        }
        if both(Self::is_integer) {
            return if self.is_unsigned() && other.is_unsigned() { Self::uint() } else { Self::int() };
        }
        if number(self) && number(other) {
            let floating = |ty: &Self| matches!(ty.tp, tp::FLOAT | tp::DOUBLE);
            return if floating(self) || floating(other) {
                Self::double()
            } else {
                let digits = |ty: &Self| ty.flen - ty.decimal.max(0);
                Self::decimal(digits(self).max(digits(other)) + decimal.max(0), decimal.max(0))
            };
        }
        if both(Self::is_time) {
            return Self::datetime(self.fsp().max(other.fsp()));
        }
        let collation = if self.is_string() && self.collation.is_binary()
            || other.is_string() && other.collation.is_binary()
        {
            collation::binary()
        } else if self.is_string() {
            self.collation
        } else if other.is_string() {
            other.collation
        } else {
            collation::utf8mb4_bin()
        };
        Self::text_of(flen, collation)
    }
}

/// Length of a time text with fraction digits.
fn fraction_len(base: i64, fsp: u8) -> i64 {
    if fsp == 0 { base } else { base + 1 + i64::from(fsp) }
}
