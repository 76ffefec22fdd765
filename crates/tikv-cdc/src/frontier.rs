//! The smallest of many timestamps that only grow: the resolved ts of a span over its regions.
//!
//! A tournament tree: every timestamp is a leaf, every inner node holds the smaller of its two children, the root is
//! the answer. When a leaf grows, the walk to the root stops at the first node that does not change. A node changes only
//! when the smaller of its children does, so when all leaves advance by one step, in any order, each inner node changes
//! at most twice: a round over n regions costs O(n), a single advance O(log n) at worst.

/// Timestamp of a slot that holds nothing: it never is the smallest.
const VACANT: u64 = u64::MAX;

/// Place of one timestamp in a [`Frontier`]. Slots of removed timestamps are given out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u32);

impl Slot {
    /// The slot as an index, dense from 0.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The minimum of a changing set of timestamps.
#[derive(Clone, Debug)]
pub struct Frontier {
    /// Node 1 is the root, the children of `n` are `2n` and `2n + 1`, leaves begin at `leaves`.
    tree: Vec<u64>,
    /// Number of leaves, a power of two.
    leaves: usize,
    /// Slots that were used before and are free.
    free: Vec<Slot>,
    /// Slots that were ever used.
    used: u32,
}

impl Default for Frontier {
    fn default() -> Self {
        Self::new()
    }
}

impl Frontier {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { tree: vec![VACANT; 2], leaves: 1, free: Vec::new(), used: 0 }
    }

    /// Adds a timestamp.
    pub fn insert(&mut self, ts: u64) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            let slot = Slot(self.used);
            self.used += 1;
            if self.used as usize > self.leaves {
                self.grow();
            }
            slot
        });
        self.set(slot, ts);
        slot
    }

    /// Removes a timestamp; the slot must not be used any more.
    pub fn remove(&mut self, slot: Slot) {
        if self.get(slot).is_some() {
            self.set(slot, VACANT);
            self.free.push(slot);
        }
    }

    /// Moves a timestamp forward; true if it moved. Smaller timestamps are ignored.
    pub fn advance(&mut self, slot: Slot, ts: u64) -> bool {
        match self.get(slot) {
            Some(current) if ts > current => {
                self.set(slot, ts);
                true
            }
            _ => false,
        }
    }

    /// The timestamp in a slot; `None` if it was removed.
    pub fn get(&self, slot: Slot) -> Option<u64> {
        self.tree.get(self.leaves + slot.index()).copied().filter(|ts| *ts != VACANT)
    }

    /// The smallest timestamp; `None` if there is none.
    pub fn min(&self) -> Option<u64> {
        self.tree.get(1).copied().filter(|ts| *ts != VACANT)
    }

    /// A slot with the smallest timestamp.
    pub fn slowest(&self) -> Option<Slot> {
        let min = self.min()?;
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            if self.tree.get(node).copied() != Some(min) {
                node += 1;
            }
        }
        u32::try_from(node - self.leaves).ok().map(Slot)
    }

    /// Number of timestamps.
    pub fn len(&self) -> usize {
        self.used as usize - self.free.len()
    }

    /// True if there is no timestamp.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes a leaf and the nodes above it, as far as they change.
    fn set(&mut self, slot: Slot, ts: u64) {
        let mut node = self.leaves + slot.index();
        let Some(leaf) = self.tree.get_mut(node) else { return };
        *leaf = ts;
        while node > 1 {
            let left = self.tree.get(node & !1).copied().unwrap_or(VACANT);
            let right = self.tree.get(node | 1).copied().unwrap_or(VACANT);
            node /= 2;
            let smaller = left.min(right);
            match self.tree.get_mut(node) {
                Some(parent) if *parent != smaller => *parent = smaller,
                _ => return,
            }
        }
    }

    /// Doubles the number of leaves.
    fn grow(&mut self) {
        let old: Vec<u64> = self.tree.drain(self.leaves..).collect();
        self.leaves *= 2;
        self.tree.clear();
        self.tree.resize(self.leaves, VACANT);
        self.tree.extend(old);
        self.tree.resize(self.leaves * 2, VACANT);
        for node in (1..self.leaves).rev() {
            let left = self.tree.get(node * 2).copied().unwrap_or(VACANT);
            let right = self.tree.get(node * 2 + 1).copied().unwrap_or(VACANT);
            if let Some(parent) = self.tree.get_mut(node) {
                *parent = left.min(right);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_frontier_has_no_minimum() {
        let mut frontier = Frontier::new();
        assert_eq!((frontier.min(), frontier.slowest(), frontier.len()), (None, None, 0));
        let slot = frontier.insert(3);
        assert_eq!((frontier.min(), frontier.slowest(), frontier.len()), (Some(3), Some(slot), 1));
        frontier.remove(slot);
        frontier.remove(slot);
        assert_eq!((frontier.min(), frontier.len()), (None, 0));
        assert!(!frontier.advance(slot, 9));
    }

    #[test]
    fn the_slowest_region_holds_the_span() {
        let mut frontier = Frontier::new();
        let slots: Vec<Slot> = (0..1000).map(|_| frontier.insert(10)).collect();
        for slot in slots.iter().filter(|slot| **slot != slots[777]) {
            assert!(frontier.advance(*slot, 20));
        }
        assert_eq!((frontier.min(), frontier.slowest()), (Some(10), Some(slots[777])));
        frontier.advance(slots[777], 15);
        assert_eq!(frontier.min(), Some(15));
        frontier.remove(slots[777]);
        assert_eq!(frontier.min(), Some(20));
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan_over_all_timestamps(steps in prop::collection::vec((0_u8..4, 0_usize..40, 1_u64..100), 0..300)) {
            let mut frontier = Frontier::new();
            let mut model: BTreeMap<Slot, u64> = BTreeMap::new();
            for (kind, pick, ts) in steps {
                let slot = model.keys().nth(pick % model.len().max(1)).copied();
                match (kind, slot) {
                    (0, _) | (_, None) => {
                        let slot = frontier.insert(ts);
                        prop_assert!(model.insert(slot, ts).is_none());
                    }
                    (1, Some(slot)) => {
                        frontier.remove(slot);
                        model.remove(&slot);
                    }
                    (_, Some(slot)) => {
                        let moved = frontier.advance(slot, ts);
                        prop_assert_eq!(moved, ts > model[&slot]);
                        if moved {
                            model.insert(slot, ts);
                        }
                    }
                }
                let min = model.values().min().copied();
                prop_assert_eq!(frontier.min(), min);
                prop_assert_eq!(frontier.slowest().map(|slot| model[&slot]), min);
                prop_assert_eq!(frontier.len(), model.len());
            }
        }
    }
}
