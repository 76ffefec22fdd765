//! Choosing the keys that a statement has to read: points and ranges of the primary key or of an index.

mod bounds;
mod key_range;

use tidb_codec::key;

use crate::catalog::{HandleKind, Table};
use bounds::{Bounds, note};
use key_range::{int_handle, keyed};
use tidb_expr::Result;
use tidb_expr::{EvalContext, Expr};

/// Most key combinations that are looked up one by one.
const MAX_POINTS: usize = 4096;

/// A raw key range, end excluded.
pub(crate) type KeyRange = (Vec<u8>, Vec<u8>);

/// Where rows are found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Access {
    /// Ranges of record keys.
    Records(Vec<KeyRange>),
    /// Single record keys.
    Points(Vec<Vec<u8>>),
    /// Ranges of entries of the index at this position of [`Table::indices`].
    Entries {
        /// Position of the index.
        index: usize,
        /// Ranges.
        ranges: Vec<KeyRange>,
    },
    /// Single entries of a unique index.
    UniqueEntries {
        /// Position of the index.
        index: usize,
        /// Entry keys.
        keys: Vec<Vec<u8>>,
    },
}

/// Chooses how to read a table whose rows must satisfy all of `conditions`, whose columns are numbered as the
/// table's. The conditions are still to be checked on the rows that are found.
///
/// # Errors
/// Constants that cannot be computed.
pub(crate) fn choose(table: &Table, conditions: &[Expr], cx: &EvalContext) -> Result<Access> {
    let mut bounds = vec![Bounds::default(); table.columns.len()];
    for condition in conditions {
        note(table, condition, &mut bounds, cx)?;
    }
    let whole = || {
        let (start, end) = key::record_range(table.info.id);
        Access::Records(vec![(start, end)])
    };
    let mut best: Option<(u32, Access)> = None;
    let mut offer = |candidate: Option<(u32, Access)>| {
        if let Some((score, access)) = candidate
            && best.as_ref().is_none_or(|(have, _)| score > *have)
        {
            best = Some((score, access));
        }
    };
    match table.handle {
        HandleKind::Int(at) => offer(int_handle(table, bounds.get(at))),
        HandleKind::Common(at) => {
            if let Some(index) = table.indices.get(at) {
                offer(keyed(table, index, at, &bounds, true, cx)?);
            }
        }
        HandleKind::RowId => {}
    }
    for (at, index) in table.indices.iter().enumerate() {
        let clustered = table.handle == HandleKind::Common(at);
        if !clustered && !index.info.invisible {
            offer(keyed(table, index, at, &bounds, false, cx)?);
        }
    }
    Ok(best.map_or_else(whole, |(_, access)| access))
}
