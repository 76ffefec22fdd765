//! The writes of a transaction before its commit, with a log to undo those of a failed statement.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

/// What a transaction does to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    /// The new value; `None` deletes.
    pub(crate) value: Option<Bytes>,
    /// The key must not have had a value before the transaction.
    pub(crate) must_be_new: bool,
}

/// Writes by key.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    /// The newest write of each key.
    map: BTreeMap<Bytes, Write>,
    /// For each change, newest last: the key and what was there before.
    undo: Vec<(Bytes, Option<Write>)>,
    /// Bytes of keys and values.
    bytes: usize,
}

/// Bytes that a write takes.
fn size(key: &Bytes, write: &Write) -> usize {
    key.len() + write.value.as_ref().map_or(0, Bytes::len)
}

impl Writes {
    /// Bytes of all keys and values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// What is written to a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Write> {
        self.map.get(key)
    }

    /// Writes a key.
    pub(crate) fn set(&mut self, key: Bytes, write: Write) {
        self.bytes += size(&key, &write);
        let before = self.map.insert(key.clone(), write);
        if let Some(old) = &before {
            self.bytes = self.bytes.saturating_sub(size(&key, old));
        }
        self.undo.push((key, before));
    }

    /// The present state, to go back to with [`Writes::undo_to`].
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back everything since a mark.
    pub(crate) fn undo_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            let Some((key, before)) = self.undo.pop() else { break };
            let now = match before {
                Some(old) => {
                    self.bytes += size(&key, &old);
                    self.map.insert(key.clone(), old)
                }
                None => self.map.remove(&key),
            };
            if let Some(now) = now {
                self.bytes = self.bytes.saturating_sub(size(&key, &now));
            }
        }
    }

    /// Forgets how to undo, when nothing can ask for it any more.
    pub(crate) fn forget_undo(&mut self) {
        self.undo.clear();
    }

    /// The writes in a range; an empty end is unbounded.
    pub(crate) fn range(
        &self,
        start: &[u8],
        end: &[u8],
    ) -> impl DoubleEndedIterator<Item = (&Bytes, &Write)> {
        let upper = if end.is_empty() { Bound::Unbounded } else { Bound::Excluded(end) };
        let lower =
            if !end.is_empty() && start > end { Bound::Excluded(end) } else { Bound::Included(start) };
        self.map.range::<[u8], _>((lower, upper))
    }

    /// All writes in key order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Bytes, &Write)> {
        self.map.iter()
    }

    /// Takes all writes out, in key order.
    pub(crate) fn take(&mut self) -> BTreeMap<Bytes, Write> {
        self.undo.clear();
        self.bytes = 0;
        std::mem::take(&mut self.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value: &'static str) -> Write {
        Write { value: Some(Bytes::from_static(value.as_bytes())), must_be_new: false }
    }

    #[test]
    fn undo_brings_back_what_a_statement_overwrote() {
        let mut writes = Writes::default();
        writes.set(Bytes::from_static(b"a"), put("1"));
        let mark = writes.mark();
        writes.set(Bytes::from_static(b"a"), put("22"));
        writes.set(Bytes::from_static(b"b"), put("3"));
        writes.undo_to(mark);
        assert_eq!(writes.get(b"a"), Some(&put("1")));
        assert_eq!(writes.get(b"b"), None);
        assert_eq!(writes.bytes(), 2);
    }

    #[test]
    fn ranges_exclude_their_end() {
        let mut writes = Writes::default();
        for key in [b"a", b"b", b"c"] {
            writes.set(Bytes::copy_from_slice(key), put("x"));
        }
        assert_eq!(writes.range(b"a", b"c").count(), 2);
        assert_eq!(writes.range(b"b", b"").count(), 2);
    }
}
