//! Grouping and aggregate functions.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use tidb_codec::field::tp;
use tidb_codec::{Datum, Decimal};

use super::select::null_row;
use super::{Row, group_key, row_bytes};
use tidb_expr::Result;
use tidb_expr::bind::{Aggregate, AggregateKind};
use tidb_expr::{EvalContext, Expr, coerce, compare};

/// Fraction digits that `AVG` adds.
const AVG_DIGITS: u8 = 4;
/// Longest result of `GROUP_CONCAT` in bytes (`group_concat_max_len`).
const GROUP_CONCAT_BYTES: usize = 1024;

/// What an aggregate has seen so far.
#[derive(Debug, Clone)]
enum State {
    /// Rows or values counted.
    Count(i64),
    /// Sum and number of exact values.
    Exact { sum: Option<Decimal>, count: u64 },
    /// Sum and number of approximate values.
    Double { sum: Option<f64>, count: u64 },
    /// The least or greatest value; NULL before the first.
    Extreme(Datum),
    /// Text put together; `None` before the first.
    Text(Option<Vec<u8>>),
    /// Bits combined.
    Bits(u64),
}

/// One group.
#[derive(Debug)]
struct Group {
    /// A row of it, for columns outside aggregates.
    first: Row,
    /// What each aggregate has seen.
    states: Vec<State>,
    /// Values seen by aggregates with `DISTINCT`.
    distinct: Vec<HashSet<Vec<u8>>>,
}

/// Rows put into groups.
pub(crate) struct Grouping<'a> {
    /// What rows are grouped by.
    group: &'a [Expr],
    /// What is computed for each group.
    aggregates: &'a [Aggregate],
    /// Groups in the order of their first rows.
    groups: Vec<Group>,
    /// Places of the groups by their keys.
    index: HashMap<Vec<u8>, usize>,
    /// Bytes that the groups take.
    bytes: usize,
    /// Columns of a row, known even when there is none.
    pub(crate) row_width: usize,
}

/// What an aggregate starts with.
fn initial(aggregate: &Aggregate) -> State {
    match aggregate.kind {
        AggregateKind::Count => State::Count(0),
        AggregateKind::Sum | AggregateKind::Avg if aggregate.ty.tp == tp::NEW_DECIMAL => {
            State::Exact { sum: None, count: 0 }
        }
        AggregateKind::Sum | AggregateKind::Avg => State::Double { sum: None, count: 0 },
        AggregateKind::Min | AggregateKind::Max => State::Extreme(Datum::Null),
        AggregateKind::GroupConcat => State::Text(None),
        AggregateKind::BitAnd => State::Bits(u64::MAX),
        AggregateKind::BitOr | AggregateKind::BitXor => State::Bits(0),
    }
}

impl<'a> Grouping<'a> {
    /// No rows yet.
    pub(crate) fn new(group: &'a [Expr], aggregates: &'a [Aggregate]) -> Self {
        Self { group, aggregates, groups: Vec::new(), index: HashMap::new(), bytes: 0, row_width: 0 }
    }

    /// Bytes that the groups take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The place of a key's group, which the row begins if there is none.
    fn group_of(&mut self, key: Vec<u8>, row: &Row) -> usize {
        if let Some(at) = self.index.get(&key) {
            return *at;
        }
        self.bytes += key.len() + row_bytes(row);
        self.groups.push(Group {
            first: row.clone(),
            states: self.aggregates.iter().map(initial).collect(),
            distinct: vec![HashSet::new(); self.aggregates.len()],
        });
        self.index.insert(key, self.groups.len() - 1);
        self.groups.len() - 1
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Expressions, sums out of range.
    pub(crate) fn add(&mut self, row: Row, cx: &EvalContext) -> Result<()> {
        let mut key = Vec::new();
        for expr in self.group {
            group_key::append(&expr.eval(&row, cx)?, expr.ty().collation, &mut key);
        }
        let at = self.group_of(key, &row);
        let Some(group) = self.groups.get_mut(at) else { return Ok(()) };
        let parts = self.aggregates.iter().zip(&mut group.states).zip(&mut group.distinct);
        for ((aggregate, state), seen) in parts {
            let values = aggregate.args.iter().map(|a| a.eval(&row, cx)).collect::<Result<Vec<_>>>()?;
            if values.iter().any(Datum::is_null) {
                continue;
            }
            if aggregate.distinct {
                let collations: Vec<_> = aggregate.args.iter().map(|a| a.ty().collation).collect();
                if !seen.insert(group_key::of(&values, &collations)) {
                    continue;
                }
            }
            update(state, aggregate, &values, cx)?;
        }
        Ok(())
    }

    /// The groups as rows: a row of each, then the aggregates' results.
    ///
    /// # Errors
    /// Averages out of range.
    pub(crate) fn finish(mut self, _: &EvalContext) -> Result<Vec<Row>> {
        if self.groups.is_empty() && self.group.is_empty() {
            // Aggregates over no rows have one result.
            let row = null_row(self.row_width);
            self.group_of(Vec::new(), &row);
        }
        let mut out = Vec::with_capacity(self.groups.len());
        for group in self.groups {
            let mut row = group.first;
            for (state, aggregate) in group.states.into_iter().zip(self.aggregates) {
                row.push(result(state, aggregate.kind)?);
            }
            out.push(row);
        }
        Ok(out)
    }
}

/// Shows an aggregate the values of one row.
fn update(state: &mut State, aggregate: &Aggregate, values: &[Datum], cx: &EvalContext) -> Result<()> {
    let null = Datum::Null;
    let value = values.first().unwrap_or(&null);
    let Some(first) = aggregate.args.first() else {
        if let State::Count(n) = state {
            *n += 1;
        }
        return Ok(());
    };
    let ty = first.ty();
    match state {
        State::Count(n) => *n += 1,
        State::Exact { sum, count } => {
            if let Some(v) = coerce::decimal(value, ty, cx)? {
                *sum = Some(match sum {
                    Some(have) => have.add(&v).map_err(coerce::codec)?,
                    None => v,
                });
                *count += 1;
            }
        }
        State::Double { sum, count } => {
            if let Some(v) = coerce::double(value, ty, cx)? {
                *sum = Some(sum.unwrap_or(0.0) + v);
                *count += 1;
            }
        }
        State::Extreme(best) => {
            let wanted =
                if aggregate.kind == AggregateKind::Min { Ordering::Less } else { Ordering::Greater };
            if best.is_null() || compare::values(value, best, ty.collation, cx)? == Some(wanted) {
                *best = value.clone();
            }
        }
        State::Text(text) => {
            let mut piece = Vec::new();
            for (value, arg) in values.iter().zip(&aggregate.args) {
                piece.extend_from_slice(&coerce::text(value, arg.ty()).unwrap_or_default());
            }
            let joined = text.get_or_insert_with(Vec::new);
            if !joined.is_empty() {
                joined.extend_from_slice(&aggregate.separator);
            }
            joined.extend(piece);
            joined.truncate(GROUP_CONCAT_BYTES);
        }
        State::Bits(bits) => {
            let v = coerce::integer(value, ty, cx)?.map_or(0, |v| v.bits());
            match aggregate.kind {
                AggregateKind::BitAnd => *bits &= v,
                AggregateKind::BitOr => *bits |= v,
                _ => *bits ^= v,
            }
        }
    }
    Ok(())
}

/// What an aggregate comes to.
fn result(state: State, kind: AggregateKind) -> Result<Datum> {
    Ok(match state {
        State::Count(n) => Datum::Int(n),
        State::Exact { sum: None, .. } | State::Double { sum: None, .. } => Datum::Null,
        State::Exact { sum: Some(sum), count } if kind == AggregateKind::Avg => {
            sum.div(&Decimal::from(count), AVG_DIGITS).map(Datum::Decimal).map_err(coerce::codec)?
        }
        State::Exact { sum: Some(sum), .. } => Datum::Decimal(sum),
        State::Double { sum: Some(sum), count } if kind == AggregateKind::Avg => {
            Datum::Double(sum / count as f64)
        }
        State::Double { sum: Some(sum), .. } => Datum::Double(sum),
        State::Extreme(value) => value,
        State::Text(text) => text.map_or(Datum::Null, Datum::Bytes),
        State::Bits(bits) => Datum::Uint(bits),
    })
}
