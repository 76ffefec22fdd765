//! `FROM`: tables, derived tables and their columns.

use std::sync::Arc;

use sqlparser::ast::{self, JoinConstraint, JoinOperator, TableFactor, TableWithJoins};
use tidb_schema::is_system_schema;

use super::{Exec, Row};
use crate::catalog::{Table, lower};
use tidb_expr::ResultType;
use tidb_expr::bind::{Scope, ScopeColumn};
use tidb_expr::{Result, SqlError};

/// How a relation is joined to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoinKind {
    /// Only matching pairs.
    Inner,
    /// Rows of the left side without a match are kept.
    Left,
    /// Rows of the right side without a match are kept.
    Right,
}

/// Where a relation's rows come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A table in the store.
    Table(Arc<Table>),
    /// Rows that are there already.
    Rows(Vec<Row>),
}

/// One relation of a `FROM` clause.
#[derive(Debug)]
pub(crate) struct Relation {
    /// Its rows.
    pub(crate) source: Source,
    /// First column in the scope.
    pub(crate) start: usize,
    /// Number of columns.
    pub(crate) len: usize,
    /// How it is joined.
    pub(crate) kind: JoinKind,
    /// `ON`, if given.
    pub(crate) on: Option<ast::Expr>,
    /// Pairs of scope positions that `USING` makes equal.
    pub(crate) using: Vec<(usize, usize)>,
}

/// The relations with the scope of all their columns.
#[derive(Debug, Default)]
pub(crate) struct From {
    /// In order; joins are from left to right.
    pub(crate) relations: Vec<Relation>,
    /// All columns.
    pub(crate) scope: Scope,
}

/// The scope columns of a table under an alias.
pub(crate) fn table_columns(table: &Table, alias: Option<&str>) -> Vec<ScopeColumn> {
    table
        .columns
        .iter()
        .map(|c| ScopeColumn {
            db: table.db.name.l.clone(),
            table: alias.map_or_else(|| table.info.name.l.clone(), lower),
            name: c.name().to_owned(),
            lower: c.info.name.l.clone(),
            org_table: table.name().to_owned(),
            ty: c.ty.clone(),
        })
        .collect()
}

impl Exec<'_> {
    /// Resolves a `FROM` clause; derived tables are computed.
    ///
    /// # Errors
    /// Unknown tables, forms that are not supported, what derived tables fail with.
    pub(crate) async fn from(&mut self, clause: &[TableWithJoins]) -> Result<From> {
        let mut from = From::default();
        for item in clause {
            Box::pin(self.add_relation(&mut from, &item.relation, JoinKind::Inner, None)).await?;
            for join in &item.joins {
                let (kind, constraint) = join_kind(&join.join_operator)?;
                Box::pin(self.add_relation(&mut from, &join.relation, kind, Some(constraint))).await?;
            }
        }
        Ok(from)
    }

    /// Adds one relation with its columns and join condition.
    async fn add_relation(
        &mut self,
        from: &mut From,
        factor: &TableFactor,
        kind: JoinKind,
        constraint: Option<&JoinConstraint>,
    ) -> Result<()> {
        if let TableFactor::NestedJoin { table_with_joins, alias: None } = factor {
            return self.add_nested(from, table_with_joins, kind, constraint).await;
        }
        let (source, columns) = self.factor(factor).await?;
        let start = from.scope.columns.len();
        check_alias(&from.scope, &columns)?;
        let len = columns.len();
        from.scope.columns.extend(columns);
        let (on, using) =
            constraint.map_or(Ok((None, Vec::new())), |c| resolve_constraint(&mut from.scope, start, c))?;
        from.relations.push(Relation { source, start, len, kind, on, using });
        Ok(())
    }

    /// `(a JOIN b)`: inner joins may be taken apart.
    async fn add_nested(
        &mut self,
        from: &mut From,
        nested: &TableWithJoins,
        kind: JoinKind,
        constraint: Option<&JoinConstraint>,
    ) -> Result<()> {
        if kind != JoinKind::Inner && !nested.joins.is_empty() {
            return Err(SqlError::unsupported("outer joins with a join in parentheses"));
        }
        Box::pin(self.add_relation(from, &nested.relation, kind, None)).await?;
        for join in &nested.joins {
            let (inner, on) = join_kind(&join.join_operator)?;
            Box::pin(self.add_relation(from, &join.relation, inner, Some(on))).await?;
        }
        if let (Some(JoinConstraint::On(condition)), Some(last)) = (constraint, from.relations.last_mut()) {
            last.on = Some(match last.on.take() {
                Some(have) => ast::Expr::BinaryOp {
                    left: Box::new(have),
                    op: ast::BinaryOperator::And,
                    right: Box::new(condition.clone()),
                },
                None => condition.clone(),
            });
        }
        Ok(())
    }

    /// One item of `FROM`.
    async fn factor(&mut self, factor: &TableFactor) -> Result<(Source, Vec<ScopeColumn>)> {
        match factor {
            TableFactor::Table { name, alias, args: None, version, partitions, .. } => {
                if version.is_some() {
                    return Err(SqlError::unsupported("AS OF TIMESTAMP"));
                }
                if !partitions.is_empty() {
                    return Err(SqlError::unsupported("PARTITION selection"));
                }
                let (db, table_name) = self.split_name(name)?;
                let alias = alias.as_ref().map(|a| a.name.value.as_str());
                if is_system_schema(&db) && self.schema.database(&db).is_none() {
                    return self.memory_table(&db, &table_name, alias);
                }
                let table = self.table(name)?;
                let columns = table_columns(&table, alias);
                Ok((Source::Table(table), columns))
            }
            TableFactor::Derived { lateral: false, subquery, alias, .. } => {
                let alias = alias
                    .as_ref()
                    .ok_or_else(|| SqlError::new(1248, "Every derived table must have its own alias"))?;
                let result = Box::pin(self.query(subquery)).await?;
                let renamed = &alias.columns;
                let columns = result
                    .columns
                    .into_iter()
                    .enumerate()
                    .map(|(at, c)| {
                        let name = renamed.get(at).map_or(c.name, |r| r.name.value.clone());
                        ScopeColumn {
                            db: String::new(),
                            table: lower(&alias.name.value),
                            lower: lower(&name),
                            name,
                            org_table: String::new(),
                            ty: c.ty,
                        }
                    })
                    .collect();
                Ok((Source::Rows(result.rows), columns))
            }
            other => Err(SqlError::unsupported(format!("FROM {other}"))),
        }
    }

    /// A table of `INFORMATION_SCHEMA` and its like.
    fn memory_table(
        &mut self,
        db: &str,
        name: &str,
        alias: Option<&str>,
    ) -> Result<(Source, Vec<ScopeColumn>)> {
        let (names, rows) = super::memory_tables::read(self, db, name)?;
        let table = alias.unwrap_or(name);
        let columns = names
            .into_iter()
            .map(|(column, ty): (&str, ResultType)| ScopeColumn {
                db: lower(db),
                table: lower(table),
                name: column.to_owned(),
                lower: column.to_ascii_lowercase(),
                org_table: name.to_owned(),
                ty,
            })
            .collect();
        Ok((Source::Rows(rows), columns))
    }
}

/// The same name must not stand for two relations.
fn check_alias(scope: &Scope, columns: &[ScopeColumn]) -> Result<()> {
    let Some(new) = columns.first() else { return Ok(()) };
    if scope.columns.iter().any(|c| c.table == new.table && c.db == new.db) {
        return Err(SqlError::new(1066, format!("Not unique table/alias: '{}'", new.table)));
    }
    Ok(())
}

/// Kind and condition of a join.
fn join_kind(operator: &JoinOperator) -> Result<(JoinKind, &JoinConstraint)> {
    Ok(match operator {
        JoinOperator::Join(c)
        | JoinOperator::Inner(c)
        | JoinOperator::CrossJoin(c)
        | JoinOperator::StraightJoin(c) => (JoinKind::Inner, c),
        JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (JoinKind::Left, c),
        JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (JoinKind::Right, c),
        other => return Err(SqlError::unsupported(format!("join {other:?}"))),
    })
}

/// A condition, and pairs of columns that must be equal.
type Constraint = (Option<ast::Expr>, Vec<(usize, usize)>);

/// `ON` as it is; `USING` and `NATURAL` as pairs of columns, of which the second is hidden.
fn resolve_constraint(scope: &mut Scope, start: usize, constraint: &JoinConstraint) -> Result<Constraint> {
    let names: Vec<String> = match constraint {
        JoinConstraint::None => return Ok((None, Vec::new())),
        JoinConstraint::On(condition) => return Ok((Some(condition.clone()), Vec::new())),
        JoinConstraint::Using(columns) => {
            columns.iter().map(|c| lower(c.to_string().trim_matches('`'))).collect()
        }
        JoinConstraint::Natural => scope
            .columns
            .iter()
            .skip(start)
            .filter(|c| scope.columns.iter().take(start).any(|o| o.lower == c.lower))
            .map(|c| c.lower.clone())
            .collect(),
    };
    let mut pairs = Vec::new();
    for name in names {
        let position = |range: std::ops::Range<usize>| {
            scope.columns.get(range.clone())?.iter().position(|c| c.lower == name).map(|at| at + range.start)
        };
        match (position(0..start), position(start..scope.columns.len())) {
            (Some(left), Some(right)) => pairs.push((left, right)),
            _ => return Err(SqlError::unknown_column(&name, "from clause")),
        }
    }
    scope.merged.extend(pairs.iter().map(|(_, right)| *right));
    Ok((None, pairs))
}
