//! Locks: the uncommitted writes of transactions.

use super::{Fields, RecordError, ValueRef, put_value, take_value};
use bytes::Bytes;
use tikv_proto::kvrpcpb;

/// What a lock stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// A prewritten value.
    Put,
    /// A prewritten deletion.
    Delete,
    /// A prewritten key without a change (`SELECT … FOR UPDATE`).
    Lock,
    /// A pessimistic lock: held before prewrite, only in memory.
    Pessimistic,
}

impl LockKind {
    const fn tag(self) -> u8 {
        match self {
            Self::Put => b'P',
            Self::Delete => b'D',
            Self::Lock => b'L',
            Self::Pessimistic => b'S',
        }
    }

    const fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            b'P' => Some(Self::Put),
            b'D' => Some(Self::Delete),
            b'L' => Some(Self::Lock),
            b'S' => Some(Self::Pessimistic),
            _ => None,
        }
    }

    /// The protocol's name for it.
    pub(crate) const fn op(self) -> kvrpcpb::Op {
        match self {
            Self::Put => kvrpcpb::Op::Put,
            Self::Delete => kvrpcpb::Op::Del,
            Self::Lock => kvrpcpb::Op::Lock,
            Self::Pessimistic => kvrpcpb::Op::PessimisticLock,
        }
    }

    /// Whether the lock announces a change of data: such locks hold back the resolved ts and block readers.
    pub(crate) const fn changes_data(self) -> bool {
        matches!(self, Self::Put | Self::Delete)
    }
}

/// A lock on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    /// What it stands for.
    pub(crate) kind: LockKind,
    /// Start timestamp of its transaction.
    pub(crate) start_ts: u64,
    /// Raw primary key of the transaction.
    pub(crate) primary: Bytes,
    /// Life time in milliseconds, counted from the physical part of `start_ts`.
    pub(crate) ttl_ms: u64,
    /// Newest timestamp at which the pessimistic lock was checked; 0 in optimistic transactions.
    pub(crate) for_update_ts: u64,
    /// The transaction must not commit before this timestamp; 0 for none.
    pub(crate) min_commit_ts: u64,
    /// Number of keys the client announced.
    pub(crate) txn_size: u64,
    /// Source tag of the transaction, passed on to change feeds.
    pub(crate) txn_source: u64,
    /// The new value.
    pub(crate) value: ValueRef,
}

impl Lock {
    /// Encodes the lock for the `lock` keyspace.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.primary.len() + self.value.len().min(256));
        out.push(self.kind.tag());
        for number in [
            self.start_ts,
            self.ttl_ms,
            self.for_update_ts,
            self.min_commit_ts,
            self.txn_size,
            self.txn_source,
        ] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&(self.primary.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.primary);
        put_value(&self.value, &mut out);
        out
    }

    /// Decodes what [`Self::encode`] wrote.
    pub(crate) fn decode(data: &[u8]) -> Result<Self, RecordError> {
        Self::take(data).ok_or(RecordError { record: "lock", len: data.len() })
    }

    fn take(data: &[u8]) -> Option<Self> {
        let mut fields = Fields { rest: data };
        let kind = LockKind::from_tag(fields.byte()?)?;
        let start_ts = fields.u64()?;
        let ttl_ms = fields.u64()?;
        let for_update_ts = fields.u64()?;
        let min_commit_ts = fields.u64()?;
        let txn_size = fields.u64()?;
        let txn_source = fields.u64()?;
        let primary_len = fields.u32()? as usize;
        let primary = Bytes::copy_from_slice(fields.bytes(primary_len)?);
        let value = take_value(&mut fields)?;
        Some(Self {
            kind,
            start_ts,
            primary,
            ttl_ms,
            for_update_ts,
            min_commit_ts,
            txn_size,
            txn_source,
            value,
        })
    }

    /// The lock as clients see it.
    pub(crate) fn info(&self, key: &[u8]) -> kvrpcpb::LockInfo {
        kvrpcpb::LockInfo {
            primary_lock: self.primary.clone(),
            lock_version: self.start_ts,
            key: Bytes::copy_from_slice(key),
            lock_ttl: self.ttl_ms,
            txn_size: self.txn_size,
            lock_type: self.kind.op().into(),
            lock_for_update_ts: self.for_update_ts,
            use_async_commit: false,
            min_commit_ts: self.min_commit_ts,
            secondaries: Vec::new(),
        }
    }

    /// Whether the lock has outlived its TTL at `current_ts`.
    pub(crate) fn is_expired(&self, current_ts: u64) -> bool {
        physical_ms(self.start_ts).saturating_add(self.ttl_ms) < physical_ms(current_ts)
    }
}

/// Milliseconds since the Unix epoch of a PD timestamp (the low 18 bits are a counter).
pub(crate) const fn physical_ms(ts: u64) -> u64 {
    ts >> 18
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_lock() -> impl Strategy<Value = Lock> {
        let kind = prop_oneof![
            Just(LockKind::Put),
            Just(LockKind::Delete),
            Just(LockKind::Lock),
            Just(LockKind::Pessimistic)
        ];
        let value = prop_oneof![
            Just(ValueRef::None),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|v| ValueRef::Short(v.into())),
            any::<u32>().prop_map(ValueRef::Long),
        ];
        (kind, any::<[u64; 6]>(), proptest::collection::vec(any::<u8>(), 0..40), value).prop_map(
            |(kind, n, primary, value)| Lock {
                kind,
                start_ts: n[0],
                primary: primary.into(),
                ttl_ms: n[1],
                for_update_ts: n[2],
                min_commit_ts: n[3],
                txn_size: n[4],
                txn_source: n[5],
                value,
            },
        )
    }

    proptest! {
        #[test]
        fn locks_round_trip(lock in any_lock()) {
            prop_assert_eq!(Lock::decode(&lock.encode()).unwrap(), lock);
        }

        #[test]
        fn damaged_locks_are_errors_not_panics(data in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Lock::decode(&data);
        }
    }
}
