//! Column definitions of result sets.

use crate::wire::put_lenenc_bytes;

/// Column types of the protocol (MySQL's `enum_field_types`).
pub mod column_type {
    #![allow(missing_docs)]
    pub const TINY: u8 = 1;
    pub const SHORT: u8 = 2;
    pub const LONG: u8 = 3;
    pub const FLOAT: u8 = 4;
    pub const DOUBLE: u8 = 5;
    pub const NULL: u8 = 6;
    pub const TIMESTAMP: u8 = 7;
    pub const LONGLONG: u8 = 8;
    pub const INT24: u8 = 9;
    pub const DATE: u8 = 10;
    pub const TIME: u8 = 11;
    pub const DATETIME: u8 = 12;
    pub const YEAR: u8 = 13;
    pub const VARCHAR: u8 = 15;
    pub const BIT: u8 = 16;
    pub const JSON: u8 = 245;
    pub const NEWDECIMAL: u8 = 246;
    pub const ENUM: u8 = 247;
    pub const SET: u8 = 248;
    pub const TINY_BLOB: u8 = 249;
    pub const MEDIUM_BLOB: u8 = 250;
    pub const LONG_BLOB: u8 = 251;
    pub const BLOB: u8 = 252;
    pub const VAR_STRING: u8 = 253;
    pub const STRING: u8 = 254;
}

/// Column flags of the protocol.
pub mod column_flag {
    #![allow(missing_docs)]
    pub const NOT_NULL: u16 = 1;
    pub const PRI_KEY: u16 = 2;
    pub const UNIQUE_KEY: u16 = 4;
    pub const MULTIPLE_KEY: u16 = 8;
    pub const BLOB: u16 = 16;
    pub const UNSIGNED: u16 = 32;
    pub const ZEROFILL: u16 = 64;
    pub const BINARY: u16 = 128;
    pub const ENUM: u16 = 256;
    pub const AUTO_INCREMENT: u16 = 512;
    pub const TIMESTAMP: u16 = 1024;
    pub const SET: u16 = 2048;
}

/// One column of a result set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Database of the table, or empty.
    pub schema: String,
    /// Alias of the table, or empty.
    pub table: String,
    /// Name of the table, or empty.
    pub org_table: String,
    /// Name of the column as the statement gives it.
    pub name: String,
    /// Name of the column in its table, or empty.
    pub org_name: String,
    /// Collation id: 63 binary, 45/46/255 utf8mb4.
    pub collation: u16,
    /// Largest length of a value, bytes.
    pub length: u32,
    /// One of [`column_type`].
    pub kind: u8,
    /// Bits of [`column_flag`].
    pub flags: u16,
    /// Digits after the point; 31 for floats without a fixed number.
    pub decimals: u8,
}

impl Column {
    /// Appends the column definition packet. `with_default` adds the empty default of COM_FIELD_LIST.
    pub(crate) fn put(&self, out: &mut Vec<u8>, with_default: bool) {
        put_lenenc_bytes(out, b"def");
        for text in [&self.schema, &self.table, &self.org_table, &self.name, &self.org_name] {
            put_lenenc_bytes(out, text.as_bytes());
        }
        out.push(0x0c);
        out.extend_from_slice(&self.collation.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.push(self.kind);
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.push(self.decimals);
        out.extend_from_slice(&[0, 0]);
        if with_default {
            out.push(0xfb);
        }
    }
}
