//! `UNION`, `EXCEPT`, `INTERSECT`.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;

use sqlparser::ast::{Query, SetExpr, SetOperator, SetQuantifier};

use super::query::{Limit, RowSet};
use super::{Exec, group_key};
use tidb_expr::operators::adapt_value;
use tidb_expr::{Result, SqlError};

impl Exec<'_> {
    /// One side of a set operation.
    fn side<'q>(
        &'q mut self,
        side: &'q SetExpr,
    ) -> Pin<Box<dyn Future<Output = Result<RowSet>> + Send + 'q>> {
        Box::pin(async move {
            match side {
                SetExpr::Select(select) => {
                    let saved = std::mem::take(&mut self.cx.subqueries);
                    let result = self.select(select, &[], Limit::default(), &[]).await;
                    self.cx.subqueries = saved;
                    result
                }
                SetExpr::Query(query) => {
                    let query: &Query = query;
                    self.query(query).await
                }
                SetExpr::SetOperation { left, op, set_quantifier, right } => {
                    self.set_operation(left, *op, *set_quantifier, right).await
                }
                other => Err(SqlError::unsupported(format!("query {other}"))),
            }
        })
    }

    /// Combines two queries.
    ///
    /// # Errors
    /// 1222 for different numbers of columns; what the queries fail with.
    pub(crate) async fn set_operation(
        &mut self,
        left: &SetExpr,
        op: SetOperator,
        quantifier: SetQuantifier,
        right: &SetExpr,
    ) -> Result<RowSet> {
        let a = self.side(left).await?;
        let b = self.side(right).await?;
        if a.columns.len() != b.columns.len() {
            return Err(SqlError::new(1222, "The used SELECT statements have a different number of columns"));
        }
        let mut columns = a.columns.clone();
        for (column, other) in columns.iter_mut().zip(&b.columns) {
            column.ty = column.ty.merge(&other.ty);
        }
        let mut sides = [a, b];
        for side in &mut sides {
            for row in &mut side.rows {
                for ((value, from), to) in row.iter_mut().zip(&side.columns).zip(&columns) {
                    *value = adapt_value(
                        std::mem::replace(value, tidb_codec::Datum::Null),
                        &from.ty,
                        &to.ty,
                        &self.cx,
                    )?;
                }
            }
        }
        let [a, b] = sides;
        let collations: Vec<_> = columns.iter().map(|c| c.ty.collation).collect();
        let all = quantifier == SetQuantifier::All;
        let rows = match op {
            SetOperator::Union if all => a.rows.into_iter().chain(b.rows).collect(),
            SetOperator::Union => {
                let mut seen = HashSet::new();
                a.rows
                    .into_iter()
                    .chain(b.rows)
                    .filter(|r| seen.insert(group_key::of(r, &collations)))
                    .collect()
            }
            SetOperator::Except | SetOperator::Intersect if !all => {
                let others: HashSet<Vec<u8>> = b.rows.iter().map(|r| group_key::of(r, &collations)).collect();
                let keep = op == SetOperator::Intersect;
                let mut seen = HashSet::new();
                a.rows
                    .into_iter()
                    .filter(|r| {
                        let key = group_key::of(r, &collations);
                        others.contains(&key) == keep && seen.insert(key)
                    })
                    .collect()
            }
            other => return Err(SqlError::unsupported(format!("{other} ALL"))),
        };
        Ok(RowSet { columns, rows })
    }
}
