//! The records kept per key: locks and committed versions.

mod lock;
mod write;

pub(crate) use lock::{Lock, LockKind, physical_ms};
pub(crate) use write::{WriteKind, WriteRecord};

use bytes::Bytes;

/// Longest value kept inside a lock or write record; longer ones go to the `default` keyspace (as in TiKV).
pub(crate) const SHORT_VALUE_MAX_LEN: usize = 255;

/// Where the value of a lock or version is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValueRef {
    /// The record has no value.
    None,
    /// Inlined.
    Short(Bytes),
    /// In the `default` keyspace under (key, start ts); holds its length in bytes.
    Long(u32),
}

impl ValueRef {
    /// Bytes the value takes, wherever it is.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Short(value) => value.len(),
            Self::Long(len) => *len as usize,
        }
    }
}

/// A record on disk that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {record} record of {len} bytes")]
pub struct RecordError {
    /// Which kind of record.
    pub(crate) record: &'static str,
    /// Its length in bytes.
    pub(crate) len: usize,
}

/// Reads the fields of a record from front to back.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        let (head, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*head))
    }

    fn u64(&mut self) -> Option<u64> {
        let (head, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(u64::from_be_bytes(*head))
    }

    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }
}

/// Tag of [`ValueRef`] on disk.
const NO_VALUE: u8 = 0;
const SHORT_VALUE: u8 = 1;
const LONG_VALUE: u8 = 2;

fn put_value(value: &ValueRef, out: &mut Vec<u8>) {
    match value {
        ValueRef::None => out.push(NO_VALUE),
        ValueRef::Short(bytes) => {
            out.push(SHORT_VALUE);
            out.extend_from_slice(bytes);
        }
        ValueRef::Long(len) => {
            out.push(LONG_VALUE);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
}

fn take_value(fields: &mut Fields<'_>) -> Option<ValueRef> {
    match fields.byte()? {
        NO_VALUE => Some(ValueRef::None),
        SHORT_VALUE => Some(ValueRef::Short(Bytes::copy_from_slice(fields.rest))),
        LONG_VALUE => Some(ValueRef::Long(fields.u32()?)),
        _ => None,
    }
}
