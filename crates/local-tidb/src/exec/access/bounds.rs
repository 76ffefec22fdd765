//! What conditions say about columns.

use std::cmp::Ordering;

use tidb_codec::Datum;
use tidb_codec::field::tp;

use crate::catalog::Table;
use crate::store::row;
use tidb_expr::Result;
use tidb_expr::convert::{self, Target};
use tidb_expr::{EvalContext, Expr, compare};

/// What the conditions say about one column.
#[derive(Debug, Clone, Default)]
pub(super) struct Bounds {
    /// The column is one of these values.
    pub(super) equal: Option<Vec<Datum>>,
    /// The column is above this, or equal to it if true.
    pub(super) lower: Option<(Datum, bool)>,
    /// The column is below this, or equal to it if true.
    pub(super) upper: Option<(Datum, bool)>,
}

/// Takes what one condition says about a column.
pub(super) fn note(table: &Table, condition: &Expr, bounds: &mut [Bounds], cx: &EvalContext) -> Result<()> {
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
            let order = compare::order(&value, have, tidb_expr::collation::utf8mb4_bin(), cx);
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
