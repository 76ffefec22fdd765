//! Column values.

pub mod flagged;

pub use flagged::{decode_one, encode_key, encode_key_column, encode_value, is_null, skip_one};

use crate::{CodecError, Decimal, Duration, FieldType, Json, Time, TimeKind, field::tp};

/// A value of a column. What it means in detail (fsp, ENUM members …) is in its [`FieldType`].
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// SQL NULL.
    Null,
    /// Signed integer, or YEAR.
    Int(i64),
    /// Unsigned integer.
    Uint(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL.
    Decimal(Decimal),
    /// Any string or blob.
    Bytes(Vec<u8>),
    /// DATE, DATETIME or TIMESTAMP.
    Time(Time),
    /// TIME.
    Duration(Duration),
    /// JSON.
    Json(Json),
    /// 1-based position of an ENUM member; 0 is the empty (invalid) member.
    Enum(u64),
    /// Bit mask of SET members, the first in bit 0.
    Set(u64),
    /// Bits of a BIT column.
    Bit(u64),
    /// VECTOR.
    Vector(Vec<f32>),
}

impl Datum {
    /// Whether this is SQL NULL.
    #[inline]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Name of the kind, for error messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "signed integer",
            Self::Uint(_) => "unsigned integer",
            Self::Float(_) => "float",
            Self::Double(_) => "double",
            Self::Decimal(_) => "decimal",
            Self::Bytes(_) => "string",
            Self::Time(_) => "time",
            Self::Duration(_) => "duration",
            Self::Json(_) => "JSON",
            Self::Enum(_) => "enum",
            Self::Set(_) => "set",
            Self::Bit(_) => "bit",
            Self::Vector(_) => "vector",
        }
    }

    /// Gives a datum decoded by [`decode_one`] the kind its column has: flagged datums hold times,
    /// enums, sets and bits as plain integers, and floats as doubles.
    ///
    /// # Errors
    /// A kind the column cannot have, or a packed time that is none.
    pub fn into_column(self, field: &FieldType) -> Result<Self, CodecError> {
        let found = self.kind();
        let mismatch = |expected| CodecError::KindMismatch { expected, found };
        match (field.tp, self) {
            (_, Self::Null) => Ok(Self::Null),
            (tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG, value) => match value {
                Self::Int(v) if field.is_unsigned() => Ok(Self::Uint(field.checked_uint(v as u64)?)),
                Self::Uint(v) if !field.is_unsigned() => Ok(Self::Int(field.checked_int(v as i64)?)),
                Self::Int(v) => Ok(Self::Int(field.checked_int(v)?)),
                Self::Uint(v) => Ok(Self::Uint(field.checked_uint(v)?)),
                _ => Err(mismatch("integer")),
            },
            (tp::YEAR, Self::Int(v)) => Ok(Self::Int(field.checked_int(v)?)),
            (tp::YEAR, Self::Uint(v)) => Ok(Self::Int(field.checked_int(v as i64)?)),
            (tp::FLOAT, Self::Double(v)) => Ok(Self::Float(crate::row::column::narrow(v)?)),
            (tp::DOUBLE, Self::Double(v)) => Ok(Self::Double(v)),
            (tp::NEW_DECIMAL, Self::Decimal(v)) => Ok(Self::Decimal(v)),
            (tp::DURATION, Self::Int(v)) => Ok(Self::Duration(Duration::new(v, field.fsp())?)),
            (tp::DURATION, Self::Duration(v)) => Ok(Self::Duration(Duration::new(v.nanos(), field.fsp())?)),
            (tp::ENUM, Self::Uint(v)) => Ok(Self::Enum(field.stored_enum(v))),
            (tp::SET, Self::Uint(v)) => Ok(Self::Set(field.stored_set(v)?)),
            (tp::BIT, Self::Uint(v)) => Ok(Self::Bit(field.checked_uint(v)?)),
            (tp::JSON, Self::Json(v)) => Ok(Self::Json(v)),
            (tp::VECTOR_FLOAT32, Self::Vector(v)) => Ok(Self::Vector(v)),
            (_, Self::Bytes(v)) if field.is_string() => Ok(Self::Bytes(v)),
            (code, Self::Uint(v)) => match TimeKind::of_column(code) {
                Some(kind) => Ok(Self::Time(Time::from_packed(v, kind, field.fsp())?)),
                None => Err(mismatch("value of the column's type")),
            },
            _ => Err(mismatch("value of the column's type")),
        }
    }
}
