use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A range of one-byte keys; 0 as end is "no end".
fn range(start: u8, end: u8) -> KeyRange {
    KeyRange::new(vec![start], if end == 0 { vec![] } else { vec![end] })
}

/// A region version.
fn region(id: u64, version: u64) -> RegionVersion {
    RegionVersion { id, version }
}

/// Locks and expects it to work.
fn locked(lock: &mut RangeLock<u64>, range: KeyRange, region: RegionVersion) -> (LockId, u64) {
    match lock.lock(&range, region, 0) {
        LockOutcome::Locked { lock, checkpoint_ts, .. } => (lock, checkpoint_ts),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_span_is_resolved_to_its_slowest_part() {
    let mut lock = RangeLock::new(range(10, 90), 5);
    let (a, ts) = locked(&mut lock, range(0, 50), region(1, 1));
    assert_eq!(ts, 5);
    lock.advance(a, 20);
    assert_eq!(lock.resolved_ts(), Some(5), "the right half is not locked yet");
    let (b, _) = locked(&mut lock, range(50, 0), region(2, 1));
    lock.advance(b, 30);
    assert_eq!(lock.resolved_ts(), Some(20));
    let slowest = lock.slowest().unwrap();
    assert_eq!((slowest.range, slowest.region), (range(10, 50), Some(region(1, 1))));
    assert!(!lock.is_initialized());
    lock.set_initialized(a);
    lock.set_initialized(b);
    assert!(lock.is_initialized());
}

#[test]
fn an_unlocked_range_keeps_its_resolved_ts() {
    let mut lock = RangeLock::new(range(10, 90), 5);
    let (a, _) = locked(&mut lock, range(10, 90), region(1, 1));
    lock.advance(a, 40);
    assert_eq!(lock.unlock(a).0, Some(range(10, 90)));
    assert_eq!(lock.unlock(a).0, None);
    assert!(!lock.advance(a, 50));
    // The region was split: both halves go on where it stopped.
    assert_eq!(locked(&mut lock, range(10, 30), region(1, 2)).1, 40);
    assert_eq!(locked(&mut lock, range(30, 90), region(2, 2)).1, 40);
}

#[test]
fn a_merged_region_waits_for_the_old_ones_and_starts_at_the_slower() {
    let mut lock = RangeLock::new(range(10, 90), 5);
    let (a, _) = locked(&mut lock, range(10, 30), region(1, 3));
    let (b, _) = locked(&mut lock, range(30, 90), region(2, 3));
    lock.advance(a, 50);
    lock.advance(b, 40);
    lock.unlock(a);
    assert_eq!(lock.lock(&range(10, 90), region(1, 4), 77), LockOutcome::Waiting);
    let (_, ready) = lock.unlock(b);
    assert_eq!(ready, [(range(10, 90), region(1, 4), 77)]);
    assert_eq!(locked(&mut lock, range(10, 90), region(1, 4)).1, 40);
}

#[test]
fn an_outdated_region_gets_what_nobody_covers() {
    let mut lock = RangeLock::new(range(10, 90), 5);
    locked(&mut lock, range(30, 60), region(2, 2));
    match lock.lock(&range(10, 90), region(1, 1), 0) {
        LockOutcome::Stale { uncovered, .. } => assert_eq!(uncovered, [range(10, 30), range(60, 90)]),
        other => panic!("{other:?}"),
    }
    // The same region again: nothing to do.
    match lock.lock(&range(30, 60), region(2, 9), 0) {
        LockOutcome::Stale { uncovered, .. } => assert!(uncovered.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_span_without_bounds_is_locked_like_any_other() {
    let mut lock = RangeLock::new(KeyRange::new(vec![], vec![]), 5);
    let (a, ts) = locked(&mut lock, KeyRange::new(vec![], vec![50]), region(1, 1));
    let (b, other) = locked(&mut lock, KeyRange::new(vec![50], vec![]), region(2, 1));
    assert_eq!((ts, other), (5, 5));
    lock.advance(a, 9);
    lock.advance(b, 8);
    assert_eq!(lock.resolved_ts(), Some(8));
    assert_eq!(lock.unlock(b).0, Some(KeyRange::new(vec![50], vec![])));
    assert_eq!(locked(&mut lock, KeyRange::new(vec![70], vec![]), region(2, 2)).1, 8);
}

/// Checks that the pieces tile the span, and the minimum.
fn check(lock: &RangeLock<u64>, resolved: &BTreeMap<u8, u64>) {
    let mut next = lock.span().start.clone();
    for slot in &lock.order {
        let piece = lock.piece(*slot).unwrap();
        assert_eq!(piece.range.start, next, "hole or overlap");
        next = piece.range.end.clone();
        assert_eq!(piece.region.is_some(), lock.serials[slot.index()] != 0);
    }
    assert_eq!(next, lock.span().end);
    let pieces = || lock.pieces.iter().flatten();
    assert_eq!(lock.frontier.len(), pieces().count());
    assert_eq!(lock.order.len(), pieces().count());
    assert_eq!(lock.uninitialized, pieces().filter(|piece| !piece.initialized).count());
    // Per key: the piece is resolved to at most what the model knows for the key.
    for (key, ts) in resolved {
        let (slot, _) = lock.overlapping(&range(*key, *key + 1)).next().unwrap();
        assert!(lock.frontier.get(slot).unwrap() <= *ts, "key {key}");
    }
}

proptest! {
    #[test]
    fn every_key_is_subscribed_once_or_waits(
        steps in prop::collection::vec((0_u8..4, 0_u8..100, 1_u8..60, 1_u64..6, 1_u64..9, 1_u64..50), 1..120)
    ) {
        let mut lock = RangeLock::new(range(20, 80), 1);
        // Per key, how far it is really resolved, and who subscribes it.
        let mut resolved: BTreeMap<u8, u64> = (20..80).map(|key| (key, 1)).collect();
        let mut owners: BTreeMap<u8, LockId> = BTreeMap::new();
        let mut held: Vec<LockId> = Vec::new();
        for (kind, start, length, id, version, ts) in steps {
            let pick = usize::from(start) % held.len().max(1);
            match (kind, held.get(pick).copied()) {
                (0 | 1, _) | (_, None) => {
                    let wanted = range(start, start.saturating_add(length));
                    if let LockOutcome::Locked { lock: got, range, checkpoint_ts } =
                        lock.lock(&wanted, region(id, version), ts)
                    {
                        for key in range.start[0]..range.end[0] {
                            prop_assert!(owners.insert(key, got).is_none(), "key {} subscribed twice", key);
                            prop_assert!(checkpoint_ts <= resolved[&key], "key {} would lose changes", key);
                            resolved.insert(key, checkpoint_ts);
                        }
                        held.push(got);
                    }
                }
                (2, Some(got)) => {
                    if lock.advance(got, ts) {
                        for (key, _) in owners.iter().filter(|(_, owner)| **owner == got) {
                            resolved.insert(*key, ts);
                        }
                    }
                }
                (_, Some(got)) => {
                    prop_assert!(lock.unlock(got).0.is_some());
                    held.swap_remove(pick);
                    owners.retain(|_, owner| *owner != got);
                }
            }
            check(&lock, &resolved);
            prop_assert_eq!(lock.resolved_ts(), resolved.values().min().copied());
        }
    }
}
