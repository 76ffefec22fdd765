//! Choosing the keys that a statement has to read: points and ranges of the primary key or of an index.

use std::cmp::Ordering;

use tidb_codec::field::tp;
use tidb_codec::key::{self, prefix_end};
use tidb_codec::{Datum, Handle};

use crate::catalog::{HandleKind, Index, Table};
use crate::convert::{self, Target};
use crate::error::Result;
use crate::expr::{EvalContext, Expr, compare};
use crate::store::{entries, row};

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

/// What the conditions say about one column.
#[derive(Debug, Clone, Default)]
struct Bounds {
    /// The column is one of these values.
    equal: Option<Vec<Datum>>,
    /// The column is above this, or equal to it if true.
    lower: Option<(Datum, bool)>,
    /// The column is below this, or equal to it if true.
    upper: Option<(Datum, bool)>,
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

/// Takes what one condition says about a column.
fn note(table: &Table, condition: &Expr, bounds: &mut [Bounds], cx: &EvalContext) -> Result<()> {
    let Expr::Call { name, args, .. } = condition else { return Ok(()) };
    match (*name, args.as_slice()) {
        ("eq", [a, b]) => {
            for (column, value) in [(a, b), (b, a)] {
                if let Some((at, value)) = column_and_value(table, column, value, cx)? {
                    narrow(bounds, at, vec![value]);
                }
            }
        }
        ("in", [column, list @ ..]) => {
            let mut values = Vec::with_capacity(list.len());
            let mut position = None;
            for item in list {
                match column_and_value(table, column, item, cx)? {
                    Some((at, value)) => {
                        position = Some(at);
                        values.push(value);
                    }
                    None => return Ok(()),
                }
            }
            if let Some(at) = position {
                narrow(bounds, at, values);
            }
        }
        ("lt" | "le" | "gt" | "ge", [a, b]) => {
            let inclusive = matches!(*name, "le" | "ge");
            let less = matches!(*name, "lt" | "le");
            if let Some((at, value)) = column_and_value(table, a, b, cx)? {
                bound(bounds, at, value, inclusive, less, cx);
            } else if let Some((at, value)) = column_and_value(table, b, a, cx)? {
                bound(bounds, at, value, inclusive, !less, cx);
            }
        }
        _ => {}
    }
    Ok(())
}

/// The column must be one of these values, too.
fn narrow(bounds: &mut [Bounds], at: usize, values: Vec<Datum>) {
    if let Some(bound) = bounds.get_mut(at) {
        let shorter = bound.equal.as_ref().is_none_or(|have| values.len() < have.len());
        if shorter {
            bound.equal = Some(values);
        }
    }
}

/// The column must be on one side of a value, too; the tighter of two bounds counts.
fn bound(bounds: &mut [Bounds], at: usize, value: Datum, inclusive: bool, upper: bool, cx: &EvalContext) {
    let Some(entry) = bounds.get_mut(at) else { return };
    let slot = if upper { &mut entry.upper } else { &mut entry.lower };
    let tighter = match slot {
        None => true,
        Some((have, _)) => {
            let order = compare::order(&value, have, crate::collation::utf8mb4_bin(), cx);
            order == if upper { Ordering::Less } else { Ordering::Greater }
        }
    };
    if tighter {
        *slot = Some((value, inclusive));
    }
}

/// A column compared with a constant that its type holds exactly.
fn column_and_value(
    table: &Table,
    column: &Expr,
    value: &Expr,
    cx: &EvalContext,
) -> Result<Option<(usize, Datum)>> {
    let (Expr::Column { index, ty, .. }, true) = (column, value.is_row_independent()) else {
        return Ok(None);
    };
    let Some(info) = table.columns.get(*index) else { return Ok(None) };
    if matches!(ty.tp, tp::FLOAT | tp::ENUM | tp::SET | tp::BIT | tp::JSON | tp::YEAR) {
        return Ok(None);
    }
    let constant = value.eval(&[], cx)?;
    if constant.is_null() {
        return Ok(None);
    }
    let textual = ty.is_string();
    // Text compares with numbers as numbers, and with bytes as bytes: no key order helps there.
    if textual
        && (!matches!(constant, Datum::Bytes(_))
            || value.ty().collation.is_binary() && !ty.collation.is_binary())
    {
        return Ok(None);
    }
    let mut strict = EvalContext::new(cx.now, cx.zone.clone(), cx.mode, cx.facts.clone());
    strict.mode.strict = true;
    strict.writing = true;
    let target = Target { name: "", field: &info.info.field_type, row: 1 };
    let Ok(converted) = convert::to_column(constant.clone(), value.ty(), target, &strict) else {
        return Ok(None);
    };
    let exact = compare::typed(&converted, ty, &constant, value.ty(), ty.collation, &strict).ok().flatten();
    if exact != Some(Ordering::Equal) {
        return Ok(None);
    }
    Ok(row::to_stored(info, &converted, &cx.zone).ok().map(|stored| (*index, stored)))
}

/// The integer handle that a key value is.
fn handle_number(value: &Datum) -> Option<i64> {
    match value {
        Datum::Int(v) => Some(*v),
        Datum::Uint(v) => Some(*v as i64),
        _ => None,
    }
}

/// Points or a range of an integer handle.
fn int_handle(table: &Table, bounds: Option<&Bounds>) -> Option<(u32, Access)> {
    let bounds = bounds?;
    let record = |handle: i64| key::record_key(table.info.id, &Handle::Int(handle));
    if let Some(values) = &bounds.equal {
        let mut keys: Vec<Vec<u8>> = values.iter().filter_map(handle_number).map(record).collect();
        keys.sort_unstable();
        keys.dedup();
        return Some((1000, Access::Points(keys)));
    }
    if bounds.lower.is_none() && bounds.upper.is_none() {
        return None;
    }
    let (mut start, mut end) = key::record_range(table.info.id);
    let unsigned = matches!(
        (&bounds.lower, &bounds.upper),
        (Some((Datum::Uint(_), _)), _) | (_, Some((Datum::Uint(_), _)))
    );
    if unsigned {
        // Handles above the signed range sort before zero: only ranges below it are in key order.
        match &bounds.upper {
            Some((Datum::Uint(high), _)) if i64::try_from(*high).is_ok() => start = record(0),
            _ => return None,
        }
    }
    if let Some((value, inclusive)) = &bounds.lower {
        let at = record(handle_number(value)?);
        start = if *inclusive { at } else { prefix_end(&at) };
    }
    if let Some((value, inclusive)) = &bounds.upper {
        let at = record(handle_number(value)?);
        end = if *inclusive { prefix_end(&at) } else { at };
    }
    let score = if bounds.lower.is_some() && bounds.upper.is_some() { 400 } else { 200 };
    Some((score, Access::Records(vec![(start, end)])))
}

/// Points or ranges of a key made of encoded columns.
fn keyed(
    table: &Table,
    index: &Index,
    at: usize,
    bounds: &[Bounds],
    clustered: bool,
    cx: &EvalContext,
) -> Result<Option<(u32, Access)>> {
    let base = if clustered {
        key::record_prefix(table.info.id)
    } else {
        entries::layout(table, index).prefix_key(&[]).map_err(crate::expr::coerce::codec)?
    };
    let _ = cx;
    let mut prefixes = vec![base];
    let mut fixed = 0;
    let mut tail: Option<(usize, &Bounds)> = None;
    let mut cut = false;
    for (column, prefix) in &index.columns {
        let Some(bound) = bounds.get(*column) else { break };
        let Some(values) = &bound.equal else {
            if prefix.is_none() {
                tail = Some((*column, bound));
            }
            break;
        };
        if prefixes.len().saturating_mul(values.len()) > MAX_POINTS {
            break;
        }
        let mut longer = Vec::with_capacity(prefixes.len() * values.len());
        for start in &prefixes {
            for value in values {
                let mut key = start.clone();
                encode(table, *column, value, *prefix, &mut key)?;
                longer.push(key);
            }
        }
        longer.sort_unstable();
        longer.dedup();
        prefixes = longer;
        fixed += 1;
        if prefix.is_some() {
            cut = true;
            break;
        }
    }
    let complete = fixed == index.columns.len() && !cut;
    if complete && clustered {
        return Ok(Some((1000, Access::Points(prefixes))));
    }
    if complete && index.info.unique {
        return Ok(Some((900, Access::UniqueEntries { index: at, keys: prefixes })));
    }
    let (ranges, bounded) = ranges(table, prefixes, tail)?;
    if fixed == 0 && bounded == 0 {
        return Ok(None);
    }
    let preference = if clustered { 5 } else { 0 };
    let score = 100 * u32::try_from(fixed).unwrap_or(0) + 20 * bounded + preference;
    let access = if clustered { Access::Records(ranges) } else { Access::Entries { index: at, ranges } };
    Ok(Some((score, access)))
}

/// Appends a column's value as keys hold it.
fn encode(
    table: &Table,
    column: usize,
    value: &Datum,
    prefix: Option<usize>,
    out: &mut Vec<u8>,
) -> Result<()> {
    match table.columns.get(column) {
        Some(info) => tidb_codec::datum::encode_key_column(&info.info.field_type, value, prefix, out)
            .map_err(crate::expr::coerce::codec),
        None => Ok(()),
    }
}

/// The ranges behind some prefixes, cut by the bounds of the next column; how many bounds it has comes with them.
fn ranges(
    table: &Table,
    prefixes: Vec<Vec<u8>>,
    tail: Option<(usize, &Bounds)>,
) -> Result<(Vec<KeyRange>, u32)> {
    let mut out = Vec::with_capacity(prefixes.len());
    let mut bounded = 0;
    for prefix in prefixes {
        let (mut start, mut end) = (prefix.clone(), prefix_end(&prefix));
        bounded = 0;
        if let Some((column, bounds)) = tail {
            if let Some((value, inclusive)) = &bounds.lower {
                let mut at = prefix.clone();
                encode(table, column, value, None, &mut at)?;
                start = if *inclusive { at } else { prefix_end(&at) };
                bounded += 1;
            }
            if let Some((value, inclusive)) = &bounds.upper {
                let mut at = prefix.clone();
                encode(table, column, value, None, &mut at)?;
                end = if *inclusive { prefix_end(&at) } else { at };
                bounded += 1;
            }
        }
        out.push((start, end));
    }
    Ok((out, bounded))
}
