//! Which part of a span is subscribed by which region, and the resolved ts of the whole.
//!
//! The span is tiled by pieces without gap or overlap. A piece is *locked* while a region's registration covers it, and
//! *unlocked* otherwise; both carry a resolved ts. So no key is subscribed twice, none is forgotten, and the resolved ts
//! of the span is the minimum over all pieces. When a range is locked again, its registration starts at the smallest
//! resolved ts of the pieces that it covers.

use std::collections::BTreeMap;

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
    /// End of the piece; its start is the key of the map.
    end: Bytes,
    /// Place of its resolved ts.
    slot: Slot,
    /// The lock, if there is one.
    lock: Option<(LockId, RegionVersion)>,
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
    /// The pieces by start key.
    pieces: BTreeMap<Bytes, Piece>,
    /// Start keys of the pieces by slot, with the serial of the lock (0 for unlocked pieces).
    starts: Vec<(Bytes, u64)>,
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
            pieces: BTreeMap::new(),
            starts: Vec::new(),
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
        self.pieces.values().filter(|piece| piece.lock.is_some()).count()
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
        for (start, piece) in self.overlapping(&range) {
            match piece.lock {
                None => {
                    uncovered.push(KeyRange::new(start.clone(), piece.end.clone()).intersection(&range));
                }
                Some((_, other)) => {
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

    /// Notes that a locked range has been completely scanned.
    pub fn set_initialized(&mut self, lock: LockId) {
        if !self.is_held(lock) {
            return;
        }
        if let Some(piece) =
            self.starts.get(lock.slot.index()).and_then(|(start, _)| self.pieces.get_mut(start))
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
        let Some((start, serial)) = self.starts.get_mut(lock.slot.index()) else { return (None, Vec::new()) };
        *serial = 0;
        let start = start.clone();
        let Some(piece) = self.pieces.get_mut(&start) else { return (None, Vec::new()) };
        piece.lock = None;
        let range = KeyRange::new(start.clone(), piece.end.clone());
        self.merge_around(start);
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
        let (start, _) = self.starts.get(slot.index())?;
        let piece = self.pieces.get(start)?;
        Some(SlowestPiece {
            range: KeyRange::new(start.clone(), piece.end.clone()),
            resolved_ts: self.frontier.get(slot)?,
            region: piece.lock.map(|(_, region)| region),
            lock: piece.lock.map(|(lock, _)| lock),
        })
    }

    /// Ranges that no region covers at the moment, in key order.
    pub fn unlocked(&self) -> impl Iterator<Item = (KeyRange, u64)> {
        self.pieces.iter().filter(|(_, piece)| piece.lock.is_none()).filter_map(|(start, piece)| {
            Some((KeyRange::new(start.clone(), piece.end.clone()), self.frontier.get(piece.slot)?))
        })
    }

    /// True if the handle is that of a present lock.
    fn is_held(&self, lock: LockId) -> bool {
        lock.serial != 0
            && self.starts.get(lock.slot.index()).is_some_and(|(_, serial)| *serial == lock.serial)
    }

    /// Pieces that have keys in `range`, which must not be empty.
    fn overlapping(&self, range: &KeyRange) -> impl Iterator<Item = (&Bytes, &Piece)> {
        let first = self.pieces.range(..=range.start.clone()).next_back();
        let first = first.filter(|(_, piece)| piece.end.is_empty() || piece.end > range.start);
        let later = (std::ops::Bound::Excluded(range.start.clone()), std::ops::Bound::Unbounded);
        let end = range.end.clone();
        first
            .into_iter()
            .chain(self.pieces.range(later).take_while(move |(start, _)| end.is_empty() || **start < end))
    }

    /// Removes the unlocked pieces in a range, cutting those that reach beyond it. Returns their smallest resolved ts and
    /// whether all had been scanned.
    fn clear(&mut self, range: &KeyRange) -> (u64, bool) {
        let starts: Vec<Bytes> = self.overlapping(range).map(|(start, _)| start.clone()).collect();
        let (mut checkpoint_ts, mut initialized) = (u64::MAX, true);
        for start in starts {
            let Some(piece) = self.remove(&start) else { continue };
            checkpoint_ts = checkpoint_ts.min(piece.1);
            initialized &= piece.0.initialized;
            if start < range.start {
                self.insert(KeyRange::new(start, range.start.clone()), piece.1, None, piece.0.initialized);
            }
            if compare_ends(&range.end, &piece.0.end).is_lt() {
                self.insert(
                    KeyRange::new(range.end.clone(), piece.0.end),
                    piece.1,
                    None,
                    piece.0.initialized,
                );
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
        let lock = LockId { slot, serial };
        if self.starts.len() <= slot.index() {
            self.starts.resize(slot.index() + 1, (Bytes::new(), 0));
        }
        if let Some(entry) = self.starts.get_mut(slot.index()) {
            *entry = (range.start.clone(), serial);
        }
        self.uninitialized += usize::from(!initialized);
        let lock_and_region = region.map(|region| (lock, region));
        self.pieces.insert(range.start, Piece { end: range.end, slot, lock: lock_and_region, initialized });
        lock
    }

    /// Takes a piece out, with its resolved ts.
    fn remove(&mut self, start: &Bytes) -> Option<(Piece, u64)> {
        let piece = self.pieces.remove(start)?;
        let ts = self.frontier.get(piece.slot).unwrap_or(0);
        self.frontier.remove(piece.slot);
        if let Some(entry) = self.starts.get_mut(piece.slot.index()) {
            *entry = (Bytes::new(), 0);
        }
        self.uninitialized -= usize::from(!piece.initialized);
        Some((piece, ts))
    }

    /// Joins an unlocked piece with unlocked neighbours of the same state, so that pieces do not pile up.
    fn merge_around(&mut self, start: Bytes) {
        let left = self.pieces.range(..start.clone()).next_back().map(|(start, _)| start.clone());
        let start = match left {
            Some(left) if self.merge_with_next(&left) => left,
            _ => start,
        };
        self.merge_with_next(&start);
    }

    /// Joins a piece with the one behind it if both are unlocked and alike.
    fn merge_with_next(&mut self, start: &Bytes) -> bool {
        let Some(piece) = self.pieces.get(start) else { return false };
        let Some(next) = self.pieces.get(&piece.end) else { return false };
        let alike = piece.lock.is_none()
            && next.lock.is_none()
            && piece.initialized == next.initialized
            && self.frontier.get(piece.slot) == self.frontier.get(next.slot);
        let next_start = piece.end.clone();
        if !alike {
            return false;
        }
        let Some((next, _)) = self.remove(&next_start) else { return false };
        if let Some(piece) = self.pieces.get_mut(start) {
            piece.end = next.end;
        }
        true
    }
}

#[cfg(test)]
mod tests;
