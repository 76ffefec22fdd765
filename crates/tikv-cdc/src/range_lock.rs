//! Which part of a span is subscribed by which region, and the resolved ts of the whole.
//!
//! The span is tiled by pieces without gap or overlap. A piece is *locked* while a region's registration covers it, and
//! *unlocked* otherwise; both carry a resolved ts. So no key is subscribed twice, none is forgotten, and the resolved ts
//! of the span is the minimum over all pieces. When a range is locked again, its registration starts at the smallest
//! resolved ts of the pieces that it covers.

use bytes::Bytes;

use crate::frontier::{Frontier, Slot};
use crate::key_range::{KeyRange, compare_ends};

/// Identity of a region at one version of its boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionVersion {
    /// Region id.
    pub id: u64,
    /// The version part of its epoch.
    pub version: u64,
}

/// Handle of a locked range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockId {
    /// Place of its resolved ts.
    slot: Slot,
    /// Tells it from earlier locks in the same slot.
    serial: u64,
}

/// Outcome of an attempt to lock a region's range.
#[derive(Debug, PartialEq, Eq)]
pub enum LockOutcome<W> {
    /// The range is locked.
    Locked {
        /// Handle for [`RangeLock::advance`] and [`RangeLock::unlock`].
        lock: LockId,
        /// The region's range within the span.
        range: KeyRange,
        /// Where the registration has to start.
        checkpoint_ts: u64,
    },
    /// The region is older than what is locked already, or locked itself. What is not covered by others (possibly
    /// nothing) must be looked up again.
    Stale {
        /// Sub-ranges that nobody covers.
        uncovered: Vec<KeyRange>,
        /// The request.
        request: W,
    },
    /// Older regions still cover parts. The request waits inside and comes back from [`RangeLock::unlock`].
    Waiting,
}

/// A request that waits for older regions.
#[derive(Debug)]
struct Waiter<W> {
    /// What it wants.
    range: KeyRange,
    /// For whom.
    region: RegionVersion,
    /// The caller's data.
    request: W,
}

/// One tile of the span.
#[derive(Debug)]
struct Piece {
    /// Its range.
    range: KeyRange,
    /// The region that covers it, if one does.
    region: Option<RegionVersion>,
    /// True if the range has once been completely scanned.
    initialized: bool,
}

/// What holds the resolved ts of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlowestPiece {
    /// Its range.
    pub range: KeyRange,
    /// Its resolved ts.
    pub resolved_ts: u64,
    /// The region that covers it; `None` if none does at the moment.
    pub region: Option<RegionVersion>,
    /// The lock, if a region covers it.
    pub lock: Option<LockId>,
}

/// The locks of one span. `W` is the caller's data of a request that has to wait.
#[derive(Debug)]
pub struct RangeLock<W> {
    /// The span.
    span: KeyRange,
    /// Resolved ts of all pieces.
    frontier: Frontier,
    /// The pieces by slot. Most spans have one: everything here is as small as it can be for them.
    pieces: Vec<Option<Piece>>,
    /// Serial of the lock by slot, 0 if there is none. Beside the pieces: every resolved ts looks here, and only here.
    serials: Vec<u64>,
    /// The slots of pieces in key order.
    order: Vec<Slot>,
    /// Serial of the last lock.
    serial: u64,
    /// Pieces that were never completely scanned.
    uninitialized: usize,
    /// Requests that wait, oldest first.
    waiters: Vec<Waiter<W>>,
}

impl<W> RangeLock<W> {
    /// A span of which nothing is locked and everything is resolved to `start_ts`.
    pub fn new(span: KeyRange, start_ts: u64) -> Self {
        let mut lock = Self {
            frontier: Frontier::new(),
            pieces: Vec::new(),
            serials: Vec::new(),
            order: Vec::new(),
            serial: 0,
            uninitialized: 0,
            waiters: Vec::new(),
            span: span.clone(),
        };
        if !span.is_empty() {
            lock.insert(span, start_ts, None, false);
        }
        lock
    }

    /// The span.
    pub fn span(&self) -> &KeyRange {
        &self.span
    }

    /// The resolved ts of the span; `None` if the span is empty.
    pub fn resolved_ts(&self) -> Option<u64> {
        self.frontier.min()
    }

    /// True once every part of the span has been completely scanned.
    pub fn is_initialized(&self) -> bool {
        self.uninitialized == 0
    }

    /// Number of locked pieces.
    pub fn locked(&self) -> usize {
        self.pieces.iter().flatten().filter(|piece| piece.region.is_some()).count()
    }

    /// Number of requests that wait.
    pub fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// Tries to lock a region's range; only the part within the span counts.
    pub fn lock(&mut self, region_range: &KeyRange, region: RegionVersion, request: W) -> LockOutcome<W> {
        let range = self.span.intersection(region_range);
        if range.is_empty() {
            return LockOutcome::Stale { uncovered: Vec::new(), request };
        }
        let mut uncovered = Vec::new();
        let (mut stale, mut covered) = (false, false);
        for (_, piece) in self.overlapping(&range) {
            match piece.region {
                None => uncovered.push(piece.range.intersection(&range)),
                Some(other) => {
                    covered = true;
                    stale |= other.id == region.id || other.version >= region.version;
                }
            }
        }
        if stale {
            return LockOutcome::Stale { uncovered, request };
        }
        if covered {
            self.waiters.push(Waiter { range, region, request });
            return LockOutcome::Waiting;
        }
        let (checkpoint_ts, initialized) = self.clear(&range);
        let lock = self.insert(range.clone(), checkpoint_ts, Some(region), initialized);
        LockOutcome::Locked { lock, range, checkpoint_ts }
    }

    /// Moves the resolved ts of a locked range forward; true if it moved. Ignored if the lock is gone.
    pub fn advance(&mut self, lock: LockId, ts: u64) -> bool {
        self.is_held(lock) && self.frontier.advance(lock.slot, ts)
    }

    /// Resolved ts of a locked range.
    pub fn resolved_of(&self, lock: LockId) -> Option<u64> {
        if self.is_held(lock) { self.frontier.get(lock.slot) } else { None }
    }

    /// A locked range.
    pub fn range_of(&self, lock: LockId) -> Option<KeyRange> {
        self.piece(lock.slot).filter(|_| self.is_held(lock)).map(|piece| piece.range.clone())
    }

    /// Notes that a locked range has been completely scanned.
    pub fn set_initialized(&mut self, lock: LockId) {
        if self.is_held(lock)
            && let Some(Some(piece)) = self.pieces.get_mut(lock.slot.index())
            && !piece.initialized
        {
            piece.initialized = true;
            self.uninitialized -= 1;
        }
    }

    /// Gives a locked range back; its resolved ts is remembered. Returns the range, and the requests that waited for it
    /// and must be tried again, oldest first.
    pub fn unlock(&mut self, lock: LockId) -> (Option<KeyRange>, Vec<(KeyRange, RegionVersion, W)>) {
        if !self.is_held(lock) {
            return (None, Vec::new());
        }
        let (Some(Some(piece)), Some(serial)) =
            (self.pieces.get_mut(lock.slot.index()), self.serials.get_mut(lock.slot.index()))
        else {
            return (None, Vec::new());
        };
        (piece.region, *serial) = (None, 0);
        let range = piece.range.clone();
        self.merge_around(lock.slot);
        let mut ready = Vec::new();
        for waiter in std::mem::take(&mut self.waiters) {
            if waiter.range.overlaps(&range) {
                ready.push((waiter.range, waiter.region, waiter.request));
            } else {
                self.waiters.push(waiter);
            }
        }
        (Some(range), ready)
    }

    /// What holds the resolved ts of the span.
    pub fn slowest(&self) -> Option<SlowestPiece> {
        let slot = self.frontier.slowest()?;
        let piece = self.piece(slot)?;
        Some(SlowestPiece {
            range: piece.range.clone(),
            resolved_ts: self.frontier.get(slot)?,
            region: piece.region,
            lock: piece.region.and(self.lock_in(slot)),
        })
    }

    /// Ranges that no region covers at the moment, in key order.
    pub fn unlocked(&self) -> impl Iterator<Item = (KeyRange, u64)> {
        self.order.iter().filter_map(|slot| {
            let piece = self.piece(*slot).filter(|piece| piece.region.is_none())?;
            Some((piece.range.clone(), self.frontier.get(*slot)?))
        })
    }

    /// The piece in a slot.
    fn piece(&self, slot: Slot) -> Option<&Piece> {
        self.pieces.get(slot.index())?.as_ref()
    }

    /// The lock in a slot.
    fn lock_in(&self, slot: Slot) -> Option<LockId> {
        self.serials.get(slot.index()).map(|serial| LockId { slot, serial: *serial })
    }

    /// True if the handle is that of a present lock.
    fn is_held(&self, lock: LockId) -> bool {
        lock.serial != 0 && self.lock_in(lock.slot) == Some(lock)
    }

    /// Number of pieces that begin before a key.
    fn before(&self, key: &Bytes) -> usize {
        self.order.partition_point(|slot| self.piece(*slot).is_some_and(|piece| piece.range.start < *key))
    }

    /// Pieces that have keys in `range`, which must not be empty.
    fn overlapping(&self, range: &KeyRange) -> impl Iterator<Item = (Slot, &Piece)> {
        let end = range.end.clone();
        let start = range.start.clone();
        // The piece before the first that begins within the range may reach into it.
        let from = self.before(&start).saturating_sub(1);
        self.order
            .get(from..)
            .unwrap_or_default()
            .iter()
            .filter_map(|slot| Some((*slot, self.piece(*slot)?)))
            .skip_while(move |(_, piece)| !piece.range.end.is_empty() && piece.range.end <= start)
            .take_while(move |(_, piece)| end.is_empty() || piece.range.start < end)
    }

    /// Removes the unlocked pieces in a range, cutting those that reach beyond it. Returns their smallest resolved ts and
    /// whether all had been scanned.
    fn clear(&mut self, range: &KeyRange) -> (u64, bool) {
        let slots: Vec<Slot> = self.overlapping(range).map(|(slot, _)| slot).collect();
        let (mut checkpoint_ts, mut initialized) = (u64::MAX, true);
        for slot in slots {
            let Some((piece, ts)) = self.remove(slot) else { continue };
            checkpoint_ts = checkpoint_ts.min(ts);
            initialized &= piece.initialized;
            let KeyRange { start, end } = piece.range;
            if start < range.start {
                self.insert(KeyRange::new(start, range.start.clone()), ts, None, piece.initialized);
            }
            if compare_ends(&range.end, &end).is_lt() {
                self.insert(KeyRange::new(range.end.clone(), end), ts, None, piece.initialized);
            }
        }
        (checkpoint_ts, initialized)
    }

    /// Adds a piece.
    fn insert(
        &mut self,
        range: KeyRange,
        ts: u64,
        region: Option<RegionVersion>,
        initialized: bool,
    ) -> LockId {
        let slot = self.frontier.insert(ts);
        let serial = match region {
            Some(_) => {
                self.serial += 1;
                self.serial
            }
            None => 0,
        };
        if self.pieces.len() <= slot.index() {
            // The first one without the room that a growing vector takes in advance.
            let first = usize::from(self.pieces.is_empty());
            self.pieces.reserve_exact(first);
            self.serials.reserve_exact(first);
            self.order.reserve_exact(first);
            self.pieces.resize_with(slot.index() + 1, || None);
            self.serials.resize(slot.index() + 1, 0);
        }
        let at = self.before(&range.start);
        self.order.insert(at, slot);
        self.uninitialized += usize::from(!initialized);
        if let (Some(piece), Some(held)) =
            (self.pieces.get_mut(slot.index()), self.serials.get_mut(slot.index()))
        {
            *piece = Some(Piece { range, region, initialized });
            *held = serial;
        }
        LockId { slot, serial }
    }

    /// Takes a piece out, with its resolved ts.
    fn remove(&mut self, slot: Slot) -> Option<(Piece, u64)> {
        let at = self.before(&self.piece(slot)?.range.start);
        let piece = self.pieces.get_mut(slot.index())?.take()?;
        if let Some(serial) = self.serials.get_mut(slot.index()) {
            *serial = 0;
        }
        self.order.remove(at);
        let ts = self.frontier.get(slot).unwrap_or(0);
        self.frontier.remove(slot);
        self.uninitialized -= usize::from(!piece.initialized);
        Some((piece, ts))
    }

    /// Joins an unlocked piece with unlocked neighbours of the same state, so that pieces do not pile up.
    fn merge_around(&mut self, slot: Slot) {
        let Some(piece) = self.piece(slot) else { return };
        let at = self.before(&piece.range.start);
        let left = at.checked_sub(1).and_then(|left| self.order.get(left)).copied();
        let slot = match left {
            Some(left) if self.merge_with_next(left, at) => left,
            _ => slot,
        };
        let at = if Some(slot) == left { at } else { at + 1 };
        self.merge_with_next(slot, at);
    }

    /// Joins a piece with the one behind it, which is at a place in the order, if both are unlocked and alike.
    fn merge_with_next(&mut self, slot: Slot, at: usize) -> bool {
        let Some(next_slot) = self.order.get(at).copied() else { return false };
        let (Some(piece), Some(next)) = (self.piece(slot), self.piece(next_slot)) else { return false };
        let alike = piece.region.is_none()
            && next.region.is_none()
            && piece.initialized == next.initialized
            && self.frontier.get(slot) == self.frontier.get(next_slot);
        if !alike {
            return false;
        }
        let Some((next, _)) = self.remove(next_slot) else { return false };
        if let Some(Some(piece)) = self.pieces.get_mut(slot.index()) {
            piece.range.end = next.range.end;
        }
        true
    }
}

#[cfg(test)]
mod tests;
