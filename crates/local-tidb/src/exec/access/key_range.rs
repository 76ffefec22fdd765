//! From what is known of columns to points and ranges of keys.

use tidb_codec::key::{self, prefix_end};
use tidb_codec::{Datum, Handle};

use super::bounds::Bounds;
use super::{Access, KeyRange, MAX_POINTS};
use crate::catalog::{Index, Table};
use crate::store::entries;
use tidb_expr::EvalContext;
use tidb_expr::Result;
use tidb_expr::coerce::codec;

/// The integer handle that a key value is.
fn handle_number(value: &Datum) -> Option<i64> {
    match value {
        Datum::Int(v) => Some(*v),
        Datum::Uint(v) => Some(*v as i64),
        _ => None,
    }
}

/// Points or a range of an integer handle.
pub(super) fn int_handle(table: &Table, bounds: Option<&Bounds>) -> Option<(u32, Access)> {
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
pub(super) fn keyed(
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
        entries::layout(table, index).prefix_key(&[]).map_err(tidb_expr::coerce::codec)?
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
        Some(info) => {
            tidb_codec::datum::encode_key_column(&info.info.field_type, value, prefix, out).map_err(codec)
        }
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
