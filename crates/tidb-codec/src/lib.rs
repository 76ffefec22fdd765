//! TiDB's key, row and value encodings.
//!
//! A pure crate: bytes in, values or text out (and back), no I/O and no schema history. It knows
//!
//! * memory-comparable primitives ([`memcomparable`], [`varint`]),
//! * record, index and meta keys ([`key`], [`index`]),
//! * column types ([`field`]) and values ([`Datum`], [`Decimal`], [`Time`], [`Duration`], [`Json`]),
//! * the row formats v1 and v2 ([`row`]),
//! * collation sort keys ([`collation`]),
//! * writers that go from stored bytes straight to text ([`text`]).
//!
//! Whatever the bytes are, decoding ends in a value or a [`CodecError`]; it never panics.

mod cursor;
mod error;
pub mod field;
pub mod key;
pub mod memcomparable;
pub mod varint;

pub use error::CodecError;
pub use field::FieldType;
pub use key::{Handle, HandleRef, RecordKey};
