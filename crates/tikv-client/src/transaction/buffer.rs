//! Writes of a transaction before its commit.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;

use bytes::Bytes;

/// A buffered write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Write {
    /// The new value; `None` deletes.
    pub(super) value: Option<Bytes>,
    /// The key is taken not to exist before this transaction; the store checks that.
    pub(super) absent_before: bool,
}

/// A state of the writes to which a transaction can return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Savepoint {
    /// Position in the undo log.
    position: usize,
}

/// Writes by key, with what they replaced.
#[derive(Debug, Default)]
pub(super) struct WriteBuffer {
    writes: BTreeMap<Bytes, Write>,
    /// Earlier content of changed keys, newest last; kept while a savepoint is open.
    undo: Vec<(Bytes, Option<Write>)>,
    savepoints: usize,
    bytes: usize,
}

/// The key is already present in the buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Duplicate;

impl WriteBuffer {
    /// Sets a key.
    pub(super) fn put(&mut self, key: Bytes, value: Bytes) {
        let absent_before = self.writes.get(&key).is_some_and(|old| old.absent_before);
        self.set(key, Write { value: Some(value), absent_before });
    }

    /// Sets a key that must not exist.
    pub(super) fn insert(&mut self, key: Bytes, value: Bytes) -> Result<(), Duplicate> {
        let absent_before = match self.writes.get(&key) {
            Some(Write { value: Some(_), .. }) => return Err(Duplicate),
            Some(deleted) => deleted.absent_before,
            None => true,
        };
        self.set(key, Write { value: Some(value), absent_before });
        Ok(())
    }

    /// Deletes a key.
    pub(super) fn delete(&mut self, key: Bytes) {
        let absent_before = self.writes.get(&key).is_some_and(|old| old.absent_before);
        self.set(key, Write { value: None, absent_before });
    }

    /// Replaces a write and notes what was there.
    fn set(&mut self, key: Bytes, write: Write) {
        self.bytes = self.bytes.saturating_add(size(&key, &write));
        let old = if self.savepoints > 0 {
            let old = self.writes.insert(key.clone(), write);
            self.undo.push((key.clone(), old.clone()));
            old
        } else {
            self.writes.insert(key.clone(), write)
        };
        if let Some(old) = old {
            self.bytes = self.bytes.saturating_sub(size(&key, &old));
        }
    }

    /// The write of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Write> {
        self.writes.get(key)
    }

    /// Writes in a range; an empty end is unbounded.
    pub(super) fn range(&self, start: &[u8], end: &[u8]) -> Range<'_, Bytes, Write> {
        if !end.is_empty() && start >= end {
            return Range::default();
        }
        let upper = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) };
        self.writes.range::<[u8], _>((Bound::Included(start), upper))
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// Bytes of keys and values.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the writes out.
    pub(super) fn take(&mut self) -> BTreeMap<Bytes, Write> {
        self.undo = Vec::new();
        self.bytes = 0;
        std::mem::take(&mut self.writes)
    }

    /// Opens a savepoint; it must be closed by [`WriteBuffer::release`] or [`WriteBuffer::rollback_to`].
    pub(super) fn savepoint(&mut self) -> Savepoint {
        self.savepoints += 1;
        Savepoint { position: self.undo.len() }
    }

    /// Closes a savepoint and keeps the writes since.
    pub(super) fn release(&mut self, _savepoint: Savepoint) {
        self.close_savepoint();
    }

    /// Closes a savepoint and undoes the writes since.
    pub(super) fn rollback_to(&mut self, savepoint: Savepoint) {
        while self.undo.len() > savepoint.position {
            let Some((key, old)) = self.undo.pop() else { break };
            if let Some(current) = self.writes.get(&key) {
                self.bytes = self.bytes.saturating_sub(size(&key, current));
            }
            match old {
                Some(old) => {
                    self.bytes = self.bytes.saturating_add(size(&key, &old));
                    self.writes.insert(key, old);
                }
                None => {
                    self.writes.remove(&key);
                }
            }
        }
        self.close_savepoint();
    }

    /// Drops the undo log with the last savepoint.
    fn close_savepoint(&mut self) {
        self.savepoints = self.savepoints.saturating_sub(1);
        if self.savepoints == 0 {
            self.undo.clear();
        }
    }
}

/// Bytes of a write.
fn size(key: &Bytes, write: &Write) -> usize {
    key.len() + write.value.as_ref().map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_inserted_key_keeps_its_claim_through_updates_and_deletes() {
        let mut buffer = WriteBuffer::default();
        buffer.insert("a".into(), "1".into()).unwrap();
        assert_eq!(buffer.insert("a".into(), "2".into()), Err(Duplicate));
        buffer.put("a".into(), "3".into());
        buffer.delete("a".into());
        assert_eq!(buffer.get(b"a"), Some(&Write { value: None, absent_before: true }));
        buffer.insert("a".into(), "4".into()).unwrap();
        assert!(buffer.get(b"a").unwrap().absent_before);
        buffer.delete("b".into());
        buffer.insert("b".into(), "1".into()).unwrap();
        assert!(!buffer.get(b"b").unwrap().absent_before);
    }

    proptest! {
        #[test]
        fn a_rolled_back_statement_leaves_no_trace(
            before in proptest::collection::vec((0_u8..8, proptest::option::of(0_u8..4)), 0..12),
            after in proptest::collection::vec((0_u8..8, proptest::option::of(0_u8..4)), 0..12),
        ) {
            let apply = |buffer: &mut WriteBuffer, ops: &[(u8, Option<u8>)]| for (key, value) in ops {
                let key = Bytes::copy_from_slice(&[*key]);
                match value {
                    Some(value) => buffer.put(key, Bytes::copy_from_slice(&vec![0; usize::from(*value)])),
                    None => buffer.delete(key),
                }
            };
            let mut buffer = WriteBuffer::default();
            apply(&mut buffer, &before);
            let (kept, bytes) = (buffer.writes.clone(), buffer.bytes());
            let outer = buffer.savepoint();
            apply(&mut buffer, &after);
            let inner = buffer.savepoint();
            apply(&mut buffer, &before);
            buffer.release(inner);
            buffer.rollback_to(outer);
            prop_assert_eq!(&buffer.writes, &kept);
            prop_assert_eq!(buffer.bytes(), bytes);
            prop_assert!(buffer.undo.is_empty());
        }
    }
}
