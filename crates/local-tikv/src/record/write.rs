//! Write records: the committed (or rolled back) versions of a key.

use super::{Fields, RecordError, ValueRef, put_value, take_value};

/// What a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    /// A value.
    Put,
    /// A deletion.
    Delete,
    /// A committed key without a change.
    Lock,
    /// A mark that the transaction with this start ts can never commit here.
    Rollback,
}

impl WriteKind {
    const fn tag(self) -> u8 {
        match self {
            Self::Put => b'P',
            Self::Delete => b'D',
            Self::Lock => b'L',
            Self::Rollback => b'R',
        }
    }

    const fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            b'P' => Some(Self::Put),
            b'D' => Some(Self::Delete),
            b'L' => Some(Self::Lock),
            b'R' => Some(Self::Rollback),
            _ => None,
        }
    }

    /// Whether the version changes what readers see.
    pub(crate) const fn changes_data(self) -> bool {
        matches!(self, Self::Put | Self::Delete)
    }
}

/// One version; its commit ts (start ts for a rollback) is in its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WriteRecord {
    /// What the version is.
    pub(crate) kind: WriteKind,
    /// Start timestamp of its transaction.
    pub(crate) start_ts: u64,
    /// Source tag of the transaction.
    pub(crate) txn_source: u64,
    /// Another transaction whose start ts equals this commit ts was rolled back: its mark lives here.
    pub(crate) overlapped_rollback: bool,
    /// The value of a `Put`.
    pub(crate) value: ValueRef,
}

/// Bit of [`WriteRecord::overlapped_rollback`] in the flag byte.
const FLAG_OVERLAPPED: u8 = 1;
/// Bit that says a source tag follows.
const FLAG_SOURCE: u8 = 2;

impl WriteRecord {
    /// The mark of a rolled back transaction.
    pub(crate) const fn rollback(start_ts: u64) -> Self {
        Self {
            kind: WriteKind::Rollback,
            start_ts,
            txn_source: 0,
            overlapped_rollback: false,
            value: ValueRef::None,
        }
    }

    /// Encodes the record for the `write` keyspace.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24 + self.value.len().min(256));
        out.push(self.kind.tag());
        let mut flags = 0;
        if self.overlapped_rollback {
            flags |= FLAG_OVERLAPPED;
        }
        if self.txn_source != 0 {
            flags |= FLAG_SOURCE;
        }
        out.push(flags);
        out.extend_from_slice(&self.start_ts.to_be_bytes());
        if self.txn_source != 0 {
            out.extend_from_slice(&self.txn_source.to_be_bytes());
        }
        put_value(&self.value, &mut out);
        out
    }

    /// Decodes what [`Self::encode`] wrote.
    pub(crate) fn decode(data: &[u8]) -> Result<Self, RecordError> {
        Self::take(data).ok_or(RecordError { record: "write", len: data.len() })
    }

    fn take(data: &[u8]) -> Option<Self> {
        let mut fields = Fields { rest: data };
        let kind = WriteKind::from_tag(fields.byte()?)?;
        let flags = fields.byte()?;
        let start_ts = fields.u64()?;
        let txn_source = if flags & FLAG_SOURCE != 0 { fields.u64()? } else { 0 };
        let value = take_value(&mut fields)?;
        Some(Self { kind, start_ts, txn_source, overlapped_rollback: flags & FLAG_OVERLAPPED != 0, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn write_records_round_trip(
            kind in prop_oneof![Just(WriteKind::Put), Just(WriteKind::Delete), Just(WriteKind::Lock), Just(WriteKind::Rollback)],
            start_ts: u64, source in prop_oneof![Just(0u64), any::<u64>()], overlapped: bool,
            value in prop_oneof![
                Just(ValueRef::None),
                proptest::collection::vec(any::<u8>(), 0..40).prop_map(|v| ValueRef::Short(v.into())),
                any::<u32>().prop_map(ValueRef::Long),
            ],
        ) {
            let record = WriteRecord { kind, start_ts, txn_source: source, overlapped_rollback: overlapped, value };
            prop_assert_eq!(WriteRecord::decode(&record.encode()).unwrap(), record);
        }

        #[test]
        fn damaged_records_are_errors_not_panics(data in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = WriteRecord::decode(&data);
        }
    }
}
