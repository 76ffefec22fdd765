//! TiDB's key, row and value encodings.
//!
//! A pure crate: bytes in, values or text out (and back), no I/O and no schema history. It knows
//!
//! * memory-comparable primitives ([`memcomparable`], [`varint`]),
//! * record, index and meta keys ([`key`], [`index`]),
//! * column types ([`field`]) and values ([`Datum`], [`Decimal`], [`Time`], [`Duration`], [`Json`]),
//! * the row formats v1 and v2 ([`row`]),
//! * collation sort keys ([`collation`]),
//! * writers that go from stored bytes straight to text ([`text`]),
//! * what messages may show of rows ([`Redaction`]).
//!
//! Whatever the bytes are, decoding ends in a value or a [`CodecError`]; it never panics.

pub mod collation;
mod cursor;
pub mod datum;
pub mod decimal;
pub mod duration;
mod error;
pub mod field;
pub mod float;
pub mod index;
pub mod json;
pub mod key;
mod members;
pub mod memcomparable;
mod redact;
pub mod row;
pub mod text;
pub mod time;
pub mod varint;

pub use datum::Datum;
pub use decimal::Decimal;
pub use duration::Duration;
pub use error::CodecError;
pub use field::FieldType;
pub use json::Json;
pub use key::{Handle, HandleRef, RecordKey};
pub use redact::{Redaction, Sensitive, UnknownRedaction};
pub use time::{Time, TimeKind};
