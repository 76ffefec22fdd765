//! Garbage collection: drop versions that no reader at or after the safe point can see.

use super::WriteSet;
use crate::engine::{EngineError, Family};
use crate::keys::{EncodedKey, KeyRange, decode};
use crate::mvcc::Versions;
use crate::record::{ValueRef, WriteKind};
use std::ops::Bound;

/// Versions removed by one batch.
const MAX_REMOVALS: usize = 1024;
/// Versions looked at for one batch.
const MAX_STEPS: usize = 16 * 1024;

/// One step of a collection.
pub(crate) struct GcBatch {
    /// What to remove.
    pub(crate) writes: WriteSet,
    /// Where to go on: the first version key not looked at; `None` at the end of the range.
    pub(crate) next: Option<Vec<u8>>,
}

/// Collects removals from the version key `from` (or the start of `range`) on.
///
/// For every key the newest version at or before `safe_point` stays if it is a value; deletions, marks and
/// everything older go. Locks at or before the safe point must have been resolved.
pub(crate) fn collect_garbage(
    view: &impl Versions,
    range: &KeyRange,
    safe_point: u64,
    from: Option<Vec<u8>>,
) -> Result<GcBatch, EngineError> {
    let (start, end) = range.encoded();
    let start = from.unwrap_or(start);
    let end = end.map_or(Bound::Unbounded, Bound::Excluded);
    let mut batch = GcBatch { writes: WriteSet::default(), next: None };
    let mut key = KeyState::default();
    for (step, version) in view.range(Bound::Included(start), end).enumerate() {
        let version = version?;
        let (user, commit_ts) = version.split()?;
        let is_full = batch.writes.changes.len() >= MAX_REMOVALS || step >= MAX_STEPS;
        if user != key.user.as_slice() {
            key.finish(&mut batch.writes);
            if is_full {
                batch.next = Some(version.key.to_vec());
                return Ok(batch);
            }
            key = KeyState { user: user.to_vec(), ..KeyState::default() };
        } else if is_full && !batch.writes.is_empty() {
            // Come back to this key: its covering deletion stays until the versions below it are gone.
            batch.next = Some(key.user);
            return Ok(batch);
        }
        if commit_ts > safe_point {
            continue;
        }
        let record = version.record()?;
        if !key.covered && record.kind == WriteKind::Put {
            key.covered = true;
        } else if !key.covered && record.kind == WriteKind::Delete {
            key.covered = true;
            key.deletion = Some(version.key.to_vec());
        } else {
            batch.writes.push(Family::Write, version.key.to_vec(), None);
            if matches!(record.value, ValueRef::Long(_)) {
                let raw = decode(user).ok_or(EngineError::Key(user.len()))?;
                batch.writes.push(Family::Default, EncodedKey::new(&raw).version(record.start_ts), None);
            }
        }
    }
    key.finish(&mut batch.writes);
    Ok(batch)
}

/// The key that is being looked at.
#[derive(Default)]
struct KeyState {
    user: Vec<u8>,
    /// A data version at or before the safe point was seen: older ones are invisible.
    covered: bool,
    /// That version, if it is a deletion: it goes after everything below it.
    deletion: Option<Vec<u8>>,
}

impl KeyState {
    fn finish(&mut self, writes: &mut WriteSet) {
        if let Some(deletion) = self.deletion.take() {
            writes.push(Family::Write, deletion, None);
        }
    }
}
