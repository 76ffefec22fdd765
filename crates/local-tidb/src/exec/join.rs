//! Joining relations from left to right.

use std::cmp::Ordering;
use std::collections::HashMap;

use tidb_codec::Datum;

use super::access;
use super::reader::TableReader;
use super::relation::{From, JoinKind, Relation, Source};
use super::{Exec, Row, group_key};
use tidb_expr::Result;
use tidb_expr::collation;
use tidb_expr::{Expr, compare};

/// Whether an expression reads only columns from `start` up to `end`.
fn reads_only(expr: &Expr, start: usize, end: usize) -> bool {
    let mut inside = true;
    expr.for_each_column(&mut |at| inside &= (start..end).contains(&at));
    inside
}

/// Pairs of positions (left, right of the new relation) that a condition makes equal.
fn equal_columns(condition: &Expr, start: usize, end: usize) -> Option<(usize, usize)> {
    let Expr::Call { name: "eq", args, .. } = condition else { return None };
    let [Expr::Column { index: a, ty: at, .. }, Expr::Column { index: b, ty: bt, .. }] = args.as_slice()
    else {
        return None;
    };
    // Only kinds whose equal values have equal key bytes.
    let same_kind = at.is_integer() && bt.is_integer()
        || at.is_string() && bt.is_string() && at.collation == bt.collation;
    if !same_kind {
        return None;
    }
    match ((start..end).contains(a), (start..end).contains(b)) {
        (false, true) if *a < start => Some((*a, *b)),
        (true, false) if *b < start => Some((*b, *a)),
        _ => None,
    }
}

impl Exec<'_> {
    /// Reads all rows of one relation that satisfy `conditions`, which name only its own columns.
    ///
    /// # Errors
    /// Storage failures, expressions, 8175.
    pub(crate) async fn load(&mut self, relation: &mut Relation, conditions: &[Expr]) -> Result<Vec<Row>> {
        let local: Vec<Expr> = conditions
            .iter()
            .map(|c| {
                let mut c = c.clone();
                c.shift_columns(relation.start);
                c
            })
            .collect();
        let mut out = Vec::new();
        match &mut relation.source {
            Source::Rows(rows) => {
                for row in std::mem::take(rows) {
                    if self.passes(&local, &row)? {
                        out.push(row);
                    }
                }
            }
            Source::Table(_) if self.describe => {}
            Source::Table(table) => {
                let access = access::choose(table, &local, &self.cx)?;
                let mut reader = TableReader::new(table.clone(), access, self.cx.zone.clone(), None);
                while let Some(page) = reader.next(self.txn).await? {
                    for stored in page {
                        if self.passes(&local, &stored.values)? {
                            self.hold(&stored.values)?;
                            out.push(stored.values);
                        }
                    }
                }
            }
        }
        Ok(out)
    }

    /// Whether a row satisfies all conditions.
    ///
    /// # Errors
    /// Expressions.
    pub(crate) fn passes(&self, conditions: &[Expr], row: &[Datum]) -> Result<bool> {
        for condition in conditions {
            if !condition.is_true(row, &self.cx)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Joins all relations; `on` holds the bound `ON` condition of each. The rows satisfy `conditions` too.
    ///
    /// # Errors
    /// Storage failures, expressions, 8175.
    pub(crate) async fn join_all(
        &mut self,
        mut from: From,
        on: Vec<Vec<Expr>>,
        conditions: &[Expr],
    ) -> Result<Vec<Row>> {
        let outer = from.relations.iter().any(|r| r.kind != JoinKind::Inner);
        let mut rows: Vec<Row> = vec![Vec::new()];
        for (relation, on) in from.relations.iter_mut().zip(on) {
            let (start, end) = (relation.start, relation.start + relation.len);
            // With outer joins, conditions on one side only hold after the join; without, before it.
            let own: Vec<Expr> = if outer {
                Vec::new()
            } else {
                conditions.iter().chain(&on).filter(|c| reads_only(c, start, end)).cloned().collect()
            };
            let right = self.load(relation, &own).await?;
            let mut tests = on;
            if !outer {
                tests.extend(
                    conditions
                        .iter()
                        .filter(|c| reads_only(c, 0, end) && !reads_only(c, start, end))
                        .cloned(),
                );
            }
            rows = self.join_two(rows, right, relation, &tests)?;
        }
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            if self.passes(conditions, &row)? {
                out.push(row);
            }
        }
        Ok(out)
    }

    /// Joins rows with those of the next relation.
    fn join_two(
        &mut self,
        left: Vec<Row>,
        right: Vec<Row>,
        relation: &Relation,
        tests: &[Expr],
    ) -> Result<Vec<Row>> {
        let (start, end) = (relation.start, relation.start + relation.len);
        let pairs: Vec<(usize, usize)> = tests.iter().filter_map(|t| equal_columns(t, start, end)).collect();
        let hashed = (!pairs.is_empty()).then(|| hash_rows(&right, &pairs, start));
        let mut matched_right = vec![false; right.len()];
        let mut out = Vec::new();
        for mut row in left {
            let candidates: Vec<usize> = match &hashed {
                Some(table) => join_key(&row, pairs.iter().map(|(l, _)| *l))
                    .and_then(|key| table.get(&key).cloned())
                    .unwrap_or_default(),
                None => (0..right.len()).collect(),
            };
            let mut matched = false;
            row.truncate(start);
            for at in candidates {
                let Some(other) = right.get(at) else { continue };
                row.truncate(start);
                row.extend(other.iter().cloned());
                if self.joins(&row, relation, tests)? {
                    matched = true;
                    if let Some(seen) = matched_right.get_mut(at) {
                        *seen = true;
                    }
                    self.hold(&row)?;
                    out.push(row.clone());
                }
            }
            if !matched && relation.kind == JoinKind::Left {
                row.truncate(start);
                row.resize(end, Datum::Null);
                self.hold(&row)?;
                out.push(row);
            }
        }
        if relation.kind == JoinKind::Right {
            for (other, _) in right.into_iter().zip(matched_right).filter(|(_, seen)| !seen) {
                let mut row = vec![Datum::Null; start];
                row.extend(other);
                self.hold(&row)?;
                out.push(row);
            }
        }
        Ok(out)
    }

    /// Whether a combined row satisfies the join's conditions.
    fn joins(&self, row: &[Datum], relation: &Relation, tests: &[Expr]) -> Result<bool> {
        for (left, right) in &relation.using {
            let (Some(a), Some(b)) = (row.get(*left), row.get(*right)) else { return Ok(false) };
            if compare::values(a, b, collation::utf8mb4_bin(), &self.cx)? != Some(Ordering::Equal) {
                return Ok(false);
            }
        }
        self.passes(tests, row)
    }
}

/// Key of some columns of a row; `None` if one is NULL, which joins nothing.
fn join_key(row: &[Datum], columns: impl Iterator<Item = usize>) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for at in columns {
        let value = row.get(at)?;
        if value.is_null() {
            return None;
        }
        // Texts are compared again after the look-up; the widest equality finds all candidates.
        let folded = collation::by_name("utf8mb4_general_ci").unwrap_or_else(collation::utf8mb4_bin);
        group_key::append(value, folded, &mut key);
    }
    Some(key)
}

/// Places of the rows by the columns that are compared.
fn hash_rows(rows: &[Row], pairs: &[(usize, usize)], start: usize) -> HashMap<Vec<u8>, Vec<usize>> {
    let mut table: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for (at, row) in rows.iter().enumerate() {
        if let Some(key) = join_key(row, pairs.iter().map(|(_, r)| r - start)) {
            table.entry(key).or_default().push(at);
        }
    }
    table
}
