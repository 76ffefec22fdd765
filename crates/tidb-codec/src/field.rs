//! The type of a column, as TiDB stores it in its schema JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::CodecError;

/// Column type codes (`Tp`), MySQL's protocol numbers.
pub mod tp {
    /// DECIMAL as MySQL before 5.0 numbered it; "unspecified" in TiDB.
    pub const UNSPECIFIED: u8 = 0;
    /// TINYINT.
    pub const TINY: u8 = 1;
    /// SMALLINT.
    pub const SHORT: u8 = 2;
    /// INT.
    pub const LONG: u8 = 3;
    /// FLOAT.
    pub const FLOAT: u8 = 4;
    /// DOUBLE.
    pub const DOUBLE: u8 = 5;
    /// The type of a bare NULL.
    pub const NULL: u8 = 6;
    /// TIMESTAMP.
    pub const TIMESTAMP: u8 = 7;
    /// BIGINT.
    pub const LONGLONG: u8 = 8;
    /// MEDIUMINT.
    pub const INT24: u8 = 9;
    /// DATE.
    pub const DATE: u8 = 10;
    /// TIME.
    pub const DURATION: u8 = 11;
    /// DATETIME.
    pub const DATETIME: u8 = 12;
    /// YEAR.
    pub const YEAR: u8 = 13;
    /// DATE in its internal form.
    pub const NEW_DATE: u8 = 14;
    /// VARCHAR, VARBINARY.
    pub const VARCHAR: u8 = 15;
    /// BIT.
    pub const BIT: u8 = 16;
    /// VECTOR of float32.
    pub const VECTOR_FLOAT32: u8 = 225;
    /// JSON.
    pub const JSON: u8 = 245;
    /// DECIMAL.
    pub const NEW_DECIMAL: u8 = 246;
    /// ENUM.
    pub const ENUM: u8 = 247;
    /// SET.
    pub const SET: u8 = 248;
    /// TINYBLOB, TINYTEXT.
    pub const TINY_BLOB: u8 = 249;
    /// MEDIUMBLOB, MEDIUMTEXT.
    pub const MEDIUM_BLOB: u8 = 250;
    /// LONGBLOB, LONGTEXT.
    pub const LONG_BLOB: u8 = 251;
    /// BLOB, TEXT.
    pub const BLOB: u8 = 252;
    /// Internal variable string.
    pub const VAR_STRING: u8 = 253;
    /// CHAR, BINARY.
    pub const STRING: u8 = 254;
    /// GEOMETRY (not supported by TiDB).
    pub const GEOMETRY: u8 = 255;
}

/// Column flags (`Flag`).
pub mod flag {
    /// NOT NULL.
    pub const NOT_NULL: u32 = 1;
    /// Part of the primary key.
    pub const PRI_KEY: u32 = 1 << 1;
    /// Part of a unique key.
    pub const UNIQUE_KEY: u32 = 1 << 2;
    /// Part of a non-unique key.
    pub const MULTIPLE_KEY: u32 = 1 << 3;
    /// A blob.
    pub const BLOB: u32 = 1 << 4;
    /// UNSIGNED.
    pub const UNSIGNED: u32 = 1 << 5;
    /// ZEROFILL.
    pub const ZEROFILL: u32 = 1 << 6;
    /// Binary.
    pub const BINARY: u32 = 1 << 7;
    /// An enum.
    pub const ENUM: u32 = 1 << 8;
    /// AUTO_INCREMENT.
    pub const AUTO_INCREMENT: u32 = 1 << 9;
    /// A timestamp.
    pub const TIMESTAMP: u32 = 1 << 10;
    /// A set.
    pub const SET: u32 = 1 << 11;
    /// No default value.
    pub const NO_DEFAULT_VALUE: u32 = 1 << 12;
    /// ON UPDATE CURRENT_TIMESTAMP.
    pub const ON_UPDATE_NOW: u32 = 1 << 13;
    /// Part of some key.
    pub const PART_KEY: u32 = 1 << 14;
    /// A number.
    pub const NUM: u32 = 1 << 15;
    /// Result is a JSON parsed from text.
    pub const PARSE_TO_JSON: u32 = 1 << 18;
    /// Result is a boolean.
    pub const IS_BOOLEAN: u32 = 1 << 19;
    /// NULL must not be inserted while the column changes to NOT NULL.
    pub const PREVENT_NULL_INSERT: u32 = 1 << 20;
    /// ENUM or SET compares as an integer.
    pub const ENUM_SET_AS_INT: u32 = 1 << 21;
    /// The column is dropped while an index uses it.
    pub const DROP_COLUMN_INDEX: u32 = 1 << 22;
    /// A generated column.
    pub const GENERATED_COLUMN: u32 = 1 << 23;
}

/// Values of YEAR besides 0.
const YEARS: std::ops::RangeInclusive<i64> = 1901..=2155;
/// `Flen` or `Decimal` that was not given.
pub const UNSPECIFIED_LENGTH: i64 = -1;

/// Type, attributes and collation of a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FieldType {
    /// Type code, see [`tp`].
    pub tp: u8,
    /// Flag bits, see [`flag`].
    pub flag: u32,
    /// Display length or precision; −1 when not given.
    pub flen: i64,
    /// Fraction digits or fsp; −1 when not given.
    pub decimal: i64,
    /// Character set name.
    pub charset: String,
    /// Collation name.
    pub collate: String,
    /// Members of an ENUM or SET.
    #[serde(deserialize_with = "null_as_empty", serialize_with = "empty_as_null")]
    pub elems: Vec<String>,
    /// For each member, whether it was written as a binary literal.
    #[serde(deserialize_with = "null_as_empty", serialize_with = "empty_as_null")]
    pub elems_is_binary_lit: Vec<bool>,
    /// Whether this is the array type of a multi-valued index.
    pub array: bool,
}

impl Default for FieldType {
    fn default() -> Self {
        Self {
            tp: tp::UNSPECIFIED,
            flag: 0,
            flen: 0,
            decimal: 0,
            charset: String::new(),
            collate: String::new(),
            elems: Vec::new(),
            elems_is_binary_lit: Vec::new(),
            array: false,
        }
    }
}

/// Reads `null` as an empty list.
fn null_as_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

/// Writes an empty list as `null`, as TiDB does.
fn empty_as_null<S: Serializer, T: Serialize>(list: &Vec<T>, serializer: S) -> Result<S::Ok, S::Error> {
    if list.is_empty() { serializer.serialize_none() } else { list.serialize(serializer) }
}

impl FieldType {
    /// A type of this code without flags, lengths not given, charset `binary`.
    pub fn new(tp: u8) -> Self {
        Self {
            tp,
            flen: UNSPECIFIED_LENGTH,
            decimal: UNSPECIFIED_LENGTH,
            charset: "binary".to_owned(),
            collate: "binary".to_owned(),
            ..Self::default()
        }
    }

    /// Whether all bits of `flag` are set.
    #[inline]
    pub const fn has_flag(&self, flag: u32) -> bool {
        self.flag & flag == flag
    }

    /// Whether the column is UNSIGNED.
    #[inline]
    pub const fn is_unsigned(&self) -> bool {
        self.has_flag(flag::UNSIGNED)
    }

    /// Whether the value is a byte string (CHAR, VARCHAR, BINARY, TEXT, BLOB …).
    #[inline]
    pub const fn is_string(&self) -> bool {
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

    /// Whether the value is a TEXT or BLOB of any size.
    #[inline]
    pub const fn is_blob(&self) -> bool {
        matches!(self.tp, tp::TINY_BLOB | tp::MEDIUM_BLOB | tp::LONG_BLOB | tp::BLOB)
    }

    /// Whether the value is a byte string without a character set (BINARY, VARBINARY, BLOB …).
    #[inline]
    pub fn is_binary_string(&self) -> bool {
        self.is_string() && self.charset == "binary"
    }

    /// Whether the value is an integer (YEAR included).
    #[inline]
    pub const fn is_integer(&self) -> bool {
        matches!(self.tp, tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG | tp::YEAR)
    }

    /// Whether the value is a DATE, DATETIME or TIMESTAMP.
    #[inline]
    pub const fn is_time(&self) -> bool {
        matches!(self.tp, tp::DATE | tp::NEW_DATE | tp::DATETIME | tp::TIMESTAMP)
    }

    /// Digits after the second of a time type, 0 to 6.
    #[inline]
    pub const fn fsp(&self) -> u8 {
        match self.decimal {
            1..=6 => self.decimal as u8,
            _ => 0,
        }
    }

    /// A stored signed integer, if the type can hold it.
    ///
    /// # Errors
    /// A value that the type cannot hold.
    #[inline]
    pub fn checked_int(&self, value: i64) -> Result<i64, CodecError> {
        let unused = 64 - self.int_bits();
        let fits = (value << unused) >> unused == value;
        if fits && (self.tp != tp::YEAR || value == 0 || YEARS.contains(&value)) {
            Ok(value)
        } else {
            Err(CodecError::OutOfRange { kind: "integer", value: value.to_string() })
        }
    }

    /// A stored unsigned integer, if the type can hold it.
    ///
    /// # Errors
    /// A value that the type cannot hold.
    #[inline]
    pub fn checked_uint(&self, value: u64) -> Result<u64, CodecError> {
        let unused = 64 - self.int_bits();
        if (value << unused) >> unused == value {
            Ok(value)
        } else {
            Err(CodecError::OutOfRange { kind: "unsigned integer", value: value.to_string() })
        }
    }

    /// Bits of an integer or BIT value of this type; 64 for other types, and where the type does not say.
    #[inline]
    const fn int_bits(&self) -> u32 {
        match (self.tp, self.flen) {
            (tp::TINY, _) => 8,
            (tp::SHORT, _) => 16,
            (tp::INT24, _) => 24,
            (tp::LONG, _) => 32,
            (tp::BIT, 1..=64) => self.flen as u32,
            _ => 64,
        }
    }

    /// Bytes of a BIT value of this type, 1 to 8.
    #[inline]
    pub const fn bit_bytes(&self) -> usize {
        match self.flen {
            1..=64 => (self.flen as usize).div_ceil(8),
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_and_written_as_tidb_writes_it() {
        let text = r#"{"Tp":247,"Flag":4099,"Flen":1,"Decimal":0,"Charset":"utf8mb4","Collate":"utf8mb4_bin","Elems":["a","b"],"ElemsIsBinaryLit":[false,false],"Array":false}"#;
        let field: FieldType = serde_json::from_str(text).unwrap();
        assert_eq!((field.tp, field.elems.len()), (tp::ENUM, 2));
        assert!(field.has_flag(flag::NOT_NULL | flag::PRI_KEY) && !field.is_unsigned());
        assert_eq!(serde_json::to_string(&field).unwrap(), text);
        let text = r#"{"Tp":3,"Flag":0,"Flen":11,"Decimal":0,"Charset":"binary","Collate":"binary","Elems":null,"ElemsIsBinaryLit":null,"Array":false}"#;
        let field: FieldType = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&field).unwrap(), text);
        let sparse: FieldType = serde_json::from_str(r#"{"Tp":12,"Decimal":3,"New":1}"#).unwrap();
        assert_eq!((sparse.fsp(), sparse.is_time()), (3, true));
    }
}
