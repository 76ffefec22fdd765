//! The order in which regions are scanned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::span::Claim;

/// A claim that waits for its scan.
struct Waiting {
    /// Where its scan starts.
    checkpoint_ts: u64,
    /// Order of arrival.
    number: u64,
    /// The claim.
    claim: Box<Claim>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.checkpoint_ts, self.number).cmp(&(other.checkpoint_ts, other.number))
    }
}

/// Claims that wait until the store may scan them; the one that is furthest behind goes first. As large as the number
/// of regions at most, because a range is claimed once.
#[derive(Default)]
pub(crate) struct Admission {
    /// Who waits.
    waiting: BinaryHeap<Reverse<Waiting>>,
    /// Number of the next claim.
    next: u64,
}

impl Admission {
    /// Adds a claim.
    pub(crate) fn push(&mut self, claim: Box<Claim>, checkpoint_ts: u64) {
        self.next += 1;
        self.waiting.push(Reverse(Waiting { checkpoint_ts, number: self.next, claim }));
    }

    /// Takes the claim that is furthest behind, with its checkpoint.
    pub(crate) fn pop(&mut self) -> Option<(Box<Claim>, u64)> {
        self.waiting.pop().map(|Reverse(waiting)| (waiting.claim, waiting.checkpoint_ts))
    }

    /// Number of claims that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Takes out all claims.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Box<Claim>> + use<> {
        std::mem::take(&mut self.waiting).into_iter().map(|Reverse(waiting)| waiting.claim)
    }
}
