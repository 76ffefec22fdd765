//! Range reads at a timestamp, forward and backward.

use super::{RawVersion, VersionIter, Versions, value_of};
use crate::engine::EngineError;
use crate::keys::{self, EncodedKey, KeyRange};
use crate::record::{WriteKind, WriteRecord};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;

/// After so many versions of no use the scan seeks instead of stepping.
const SEEK_AFTER: usize = 8;

/// What a lock does to a key of the range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Override<L> {
    /// The reader must deal with the lock first.
    Blocked(L),
    /// The lock counts as committed: this is the value (`None`: deleted).
    Value(Option<Bytes>),
}

/// One result of a scan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found<L> {
    /// A visible value.
    Value(Bytes),
    /// A lock in the way.
    Blocked(L),
}

/// Results by raw key, in the order of the scan.
pub(crate) type Page<L> = Vec<(Vec<u8>, Found<L>)>;

/// The first `limit` keys of `range` at `ts` (the last ones when `reverse`), with locks of the range merged in.
pub(crate) fn scan<L: Clone>(
    view: &impl Versions,
    range: &KeyRange,
    ts: u64,
    limit: usize,
    reverse: bool,
    overrides: &BTreeMap<Vec<u8>, Override<L>>,
) -> Result<Page<L>, EngineError> {
    let mut found = Vec::new();
    let mut collect = |key: Vec<u8>, value: Bytes| {
        if !overrides.contains_key(&key) {
            found.push((key, Found::Value(value)));
        }
        found.len() < limit
    };
    if reverse {
        backward(view, range, ts, &mut collect)?;
    } else {
        forward(view, range, ts, &mut collect)?;
    }
    for (key, effect) in overrides {
        match effect {
            Override::Blocked(lock) => found.push((key.clone(), Found::Blocked(lock.clone()))),
            Override::Value(Some(value)) => found.push((key.clone(), Found::Value(value.clone()))),
            Override::Value(None) => {}
        }
    }
    if !overrides.is_empty() {
        found.sort_by(|a, b| if reverse { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
        found.truncate(limit);
    }
    Ok(found)
}

fn bounds(range: &KeyRange) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let (start, end) = range.encoded();
    (Bound::Included(start), end.map_or(Bound::Unbounded, Bound::Excluded))
}

fn emit(
    view: &impl Versions,
    user: &[u8],
    record: &WriteRecord,
    collect: &mut impl FnMut(Vec<u8>, Bytes) -> bool,
) -> Result<bool, EngineError> {
    let raw = keys::decode(user).ok_or(EngineError::Key(user.len()))?;
    let value = match &record.value {
        crate::record::ValueRef::Long(_) => {
            value_of(view, &EncodedKey::new(&raw), record.start_ts, &record.value)?
        }
        crate::record::ValueRef::Short(value) => value.clone(),
        crate::record::ValueRef::None => Bytes::new(),
    };
    Ok(collect(raw, value))
}

fn forward(
    view: &impl Versions,
    range: &KeyRange,
    ts: u64,
    collect: &mut impl FnMut(Vec<u8>, Bytes) -> bool,
) -> Result<(), EngineError> {
    let (start, end) = bounds(range);
    let mut iter: VersionIter = view.range(start, end.clone());
    // The key whose visible version is known: its older versions are passed over.
    let mut settled: Vec<u8> = Vec::new();
    let mut useless = 0;
    while let Some(version) = iter.next() {
        let version: RawVersion = version?;
        let (user, commit_ts) = version.split()?;
        let is_settled = user == settled.as_slice();
        if is_settled || commit_ts > ts {
            useless += 1;
            if useless > SEEK_AFTER {
                let mut from = user.to_vec();
                let target = if is_settled { 0 } else { ts };
                from.extend_from_slice(&(!target).to_be_bytes());
                let from = if is_settled { Bound::Excluded(from) } else { Bound::Included(from) };
                iter = view.range(from, end.clone());
                useless = 0;
            }
            continue;
        }
        let record = version.record()?;
        if !record.kind.changes_data() {
            continue;
        }
        settled.clear();
        settled.extend_from_slice(user);
        useless = 0;
        if record.kind == WriteKind::Put && !emit(view, user, &record, collect)? {
            break;
        }
    }
    Ok(())
}

fn backward(
    view: &impl Versions,
    range: &KeyRange,
    ts: u64,
    collect: &mut impl FnMut(Vec<u8>, Bytes) -> bool,
) -> Result<(), EngineError> {
    let (start, end) = bounds(range);
    // Backward, versions come oldest first: the last fitting one seen before the key changes is the visible one.
    let mut current: Vec<u8> = Vec::new();
    let mut visible: Option<WriteRecord> = None;
    for version in view.range(start, end).rev() {
        let version = version?;
        let (user, commit_ts) = version.split()?;
        if user != current.as_slice() {
            if let Some(record) = visible.take()
                && record.kind == WriteKind::Put
                && !emit(view, &current, &record, collect)?
            {
                return Ok(());
            }
            current.clear();
            current.extend_from_slice(user);
        }
        if commit_ts <= ts {
            let record = version.record()?;
            if record.kind.changes_data() {
                visible = Some(record);
            }
        }
    }
    if let Some(record) = visible
        && record.kind == WriteKind::Put
    {
        emit(view, &current, &record, collect)?;
    }
    Ok(())
}
