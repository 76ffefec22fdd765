//! Past changes, for watches that start in the past and reads of earlier revisions.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::record::Revision;

/// Kept changes, bounded by their number and bytes.
#[derive(Debug)]
pub(crate) struct History {
    /// Oldest first, without gaps.
    revisions: VecDeque<Arc<Revision>>,
    /// The last revision that is gone.
    compacted: i64,
    events: usize,
    bytes: usize,
    max_events: usize,
}

/// Bytes of changes kept at most.
const MAX_BYTES: usize = 16 << 20;

/// Answer to the question for changes.
#[derive(Debug)]
pub(crate) enum Kept {
    /// The changes, oldest first.
    Revisions(Vec<Arc<Revision>>),
    /// They are gone; this is the oldest revision that can be asked for.
    CompactedTo(i64),
}

impl History {
    /// Keeps at most that many changes.
    pub(super) fn new(max_events: usize) -> Self {
        Self {
            revisions: VecDeque::new(),
            compacted: super::FIRST_REVISION,
            events: 0,
            bytes: 0,
            max_events: max_events.max(1),
        }
    }

    /// Adds the newest changes and forgets the oldest if there are too many.
    pub(super) fn push(&mut self, revision: Revision) {
        self.events += revision.events.len();
        self.bytes += size(&revision);
        self.revisions.push_back(Arc::new(revision));
        while (self.events > self.max_events || self.bytes > MAX_BYTES) && self.revisions.len() > 1 {
            if let Some(oldest) = self.revisions.pop_front() {
                self.events -= oldest.events.len();
                self.bytes -= size(&oldest);
                self.compacted = oldest.revision;
            }
        }
    }

    /// Starts anew with the history of a snapshot.
    pub(super) fn restore(&mut self, compacted: i64, revisions: Vec<Revision>) {
        *self = Self { compacted, ..Self::new(self.max_events) };
        for revision in revisions {
            self.push(revision);
        }
    }

    /// The last revision that is gone.
    pub(crate) fn compacted(&self) -> i64 {
        self.compacted
    }

    /// All kept changes, oldest first.
    pub(super) fn revisions(&self) -> impl DoubleEndedIterator<Item = &Arc<Revision>> {
        self.revisions.iter()
    }

    /// Changes of the revisions from `from` to `to`, at most `limit` revisions.
    pub(crate) fn between(&self, from: i64, to: i64, limit: usize) -> Kept {
        if from <= self.compacted {
            return Kept::CompactedTo(self.compacted + 1);
        }
        let first = self.revisions.partition_point(|revision| revision.revision < from);
        let wanted = self.revisions.iter().skip(first).take_while(|revision| revision.revision <= to);
        Kept::Revisions(wanted.take(limit).map(Arc::clone).collect())
    }
}

/// Bytes of a revision's changes, about.
fn size(revision: &Revision) -> usize {
    let kv_size = |kv: &tikv_proto::etcdserverpb::KeyValue| kv.key.len() + kv.value.len() + 64;
    revision
        .events
        .iter()
        .map(|event| event.kv.as_ref().map_or(0, kv_size) + event.prev_kv.as_ref().map_or(0, kv_size))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_changes_make_room() {
        let mut history = History::new(3);
        for revision in 2..=6 {
            history.push(Revision { revision, events: vec![Default::default()] });
        }
        assert_eq!(history.compacted(), 3);
        assert!(matches!(history.between(3, 6, 10), Kept::CompactedTo(4)));
        let Kept::Revisions(kept) = history.between(4, 5, 10) else { panic!("compacted") };
        assert_eq!(kept.iter().map(|kept| kept.revision).collect::<Vec<_>>(), [4, 5]);
        let Kept::Revisions(kept) = history.between(7, 9, 10) else { panic!("compacted") };
        assert!(kept.is_empty());
    }
}
