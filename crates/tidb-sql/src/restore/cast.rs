//! Types in casts.

use sqlparser::ast::{ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo};

use super::Written;
use super::writer::{Writer, unsupported};

/// Digits of `DECIMAL` in a cast when none are given.
const CAST_DECIMAL_DIGITS: u64 = 10;

impl Writer<'_> {
    /// A type in a cast.
    pub(super) fn cast_type(&mut self, data_type: &DataType) -> Written {
        match data_type {
            DataType::Binary(length) => self.sized("BINARY", *length),
            DataType::Char(length) => self.sized("CHAR", char_length(length)),
            DataType::Date => self.plain("DATE"),
            DataType::Datetime(fraction) => self.sized("DATETIME", fraction.filter(|n| *n > 0)),
            DataType::Time(fraction, _) => self.sized("TIME", fraction.filter(|n| *n > 0)),
            DataType::Decimal(info) => self.cast_decimal(info),
            DataType::Signed => self.plain("SIGNED"),
            DataType::Unsigned => self.plain("UNSIGNED"),
            DataType::JSON => self.plain("JSON"),
            DataType::Double(_) => self.plain("DOUBLE"),
            DataType::Float(info) => self.plain(float_name(info)),
            DataType::Array(ArrayElemTypeDef::SquareBracket(inner, _)) => {
                self.cast_type(inner)?;
                self.plain(" ARRAY");
            }
            DataType::Custom(name, details) => self.custom_type(&name.to_string(), details),
            other => return unsupported(format!("a cast to {other}")),
        }
        Ok(())
    }

    /// A type with an optional length.
    pub(super) fn sized(&mut self, name: &str, length: Option<u64>) {
        self.plain(name);
        if let Some(length) = length {
            self.plain("(");
            self.number(length);
            self.plain(")");
        }
    }

    /// `DECIMAL(p[, s])`.
    pub(super) fn cast_decimal(&mut self, info: &ExactNumberInfo) {
        match info {
            ExactNumberInfo::PrecisionAndScale(precision, scale) if *scale > 0 => {
                self.plain("DECIMAL(");
                self.number(precision);
                self.plain(", ");
                self.number(scale);
                self.plain(")");
            }
            ExactNumberInfo::PrecisionAndScale(precision, _) | ExactNumberInfo::Precision(precision) => {
                self.sized("DECIMAL", Some(*precision).filter(|n| *n > 0));
            }
            ExactNumberInfo::None => self.sized("DECIMAL", Some(CAST_DECIMAL_DIGITS)),
        }
    }

    /// `CHAR(n)` with charset, `YEAR`, `VECTOR(n)`.
    pub(super) fn custom_type(&mut self, name: &str, details: &[String]) {
        let length = details.first().and_then(|n| n.parse().ok());
        let charset = details.get(1).map(String::as_str).unwrap_or("");
        let binary = details.get(2).is_some();
        if name != "CHAR" {
            return self.sized(name, length);
        }
        if binary || charset == "binary" {
            return self.sized("BINARY", length);
        }
        self.sized("CHAR", length);
        if !charset.is_empty() && charset != "utf8mb4" {
            self.plain(" CHARSET ");
            self.upper(charset);
        }
    }
}

/// A character type's length.
fn char_length(length: &Option<CharacterLength>) -> Option<u64> {
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        _ => None,
    }
}

/// `FLOAT(p)` of many bits is a `DOUBLE`.
fn float_name(info: &ExactNumberInfo) -> &'static str {
    /// Bits of a single-precision mantissa.
    const SINGLE: u64 = 24;
    match info {
        ExactNumberInfo::Precision(precision) if *precision > SINGLE => "DOUBLE",
        _ => "FLOAT",
    }
}
