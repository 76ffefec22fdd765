//! `INSERT` and `REPLACE`.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use sqlparser::ast::{self, OnInsert, SetExpr, TableObject};
use tidb_codec::index::decode_index_value;
use tidb_codec::{Datum, Handle, key};

use super::assign::{self, Bound, column_name, is_default, no_default, same_rows};
use super::relation::table_columns;
use super::target::check_writable;
use super::update::row_id;
use super::{Changed, Exec, Row};
use crate::catalog::{HandleKind, Index, Table};
use crate::convert::{self, Target};
use crate::default_value;
use crate::error::{Result, SqlError};
use crate::expr::bind::Scope;
use crate::expr::{Level, ResultType, literal};
use crate::storage_error::from_client;
use crate::store::{StoredRow, entries, row};

/// Rows whose keys are looked up at once.
const LOOKUP_ROWS: usize = 512;

/// A number above zero, as an allocator counts.
pub(crate) fn positive(value: &Datum) -> Option<u64> {
    match value {
        Datum::Int(v) => u64::try_from(*v).ok().filter(|v| *v > 0),
        Datum::Uint(v) => Some(*v).filter(|v| *v > 0),
        Datum::Double(v) if *v >= 1.0 => Some(*v as u64),
        Datum::Float(v) if *v >= 1.0 => Some(*v as u64),
        _ => None,
    }
}

/// What happens to a row whose key is taken.
enum OnDuplicate {
    Fail,
    Skip,
    Replace,
    Update(Vec<Bound>),
}

/// A value of a row before conversion: given, or left to the default.
enum Given {
    Value(Datum, ResultType),
    Default,
}

impl Exec<'_> {
    /// Runs an `INSERT` or `REPLACE`.
    ///
    /// # Errors
    /// What is wrong with the statement or its values, duplicates, storage failures.
    pub(crate) async fn insert(&mut self, insert: &ast::Insert) -> Result<Changed> {
        let TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::unsupported("INSERT into a function"));
        };
        if insert.partitioned.is_some() {
            return Err(SqlError::unsupported("PARTITION selection"));
        }
        if insert.returning.is_some() {
            return Err(SqlError::unsupported("RETURNING"));
        }
        if insert.insert_alias.is_some() {
            return Err(SqlError::unsupported("aliases of inserted rows"));
        }
        let table = self.table(name)?;
        check_writable(&table)?;
        let columns = insert_columns(&table, insert)?;
        let given = self.given_rows(&table, insert, &columns).await?;
        self.cx.writing = true;
        if insert.ignore {
            self.cx.mode.strict = false;
        }
        let on_duplicate = self.on_duplicate(&table, insert).await?;
        let total = given.len();
        let mut rows = Vec::with_capacity(total);
        let mut auto = Vec::new();
        for (at, values) in given.into_iter().enumerate() {
            let (row, needs_id) = self.complete_row(&table, &columns, values, at + 1)?;
            if needs_id {
                auto.push(at);
            }
            self.hold(&row)?;
            rows.push(row);
        }
        let last_insert_id = self.number_rows(&table, &mut rows, &auto).await?;
        let stored = self.with_handles(&table, rows).await?;
        let affected = self.store_rows(&table, stored, &on_duplicate).await?;
        let info = if total > 1
            || insert.source.as_ref().is_some_and(|s| !matches!(s.body.as_ref(), SetExpr::Values(_)))
        {
            let duplicates = match on_duplicate {
                OnDuplicate::Skip => total as u64 - affected.min(total as u64),
                OnDuplicate::Replace | OnDuplicate::Update(_) => affected.saturating_sub(total as u64),
                OnDuplicate::Fail => 0,
            };
            format!("Records: {total}  Duplicates: {duplicates}  Warnings: 0")
        } else {
            String::new()
        };
        Ok(Changed { affected, last_insert_id, info })
    }

    async fn on_duplicate(&mut self, table: &Arc<Table>, insert: &ast::Insert) -> Result<OnDuplicate> {
        if insert.replace_into {
            return Ok(OnDuplicate::Replace);
        }
        match &insert.on {
            None if insert.ignore => Ok(OnDuplicate::Skip),
            None => Ok(OnDuplicate::Fail),
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => {
                // The row that is there, then the one that was to be inserted.
                let mut columns = table_columns(table, None);
                let hidden = table_columns(table, None).into_iter().map(|mut c| {
                    c.table = "\0values".to_owned();
                    c.lower = format!("\0{}", c.lower);
                    c
                });
                columns.extend(hidden);
                let scope = Scope { columns, merged: Vec::new() };
                let mut subqueries = Vec::new();
                let bound = self.bind_assignments(
                    table,
                    &scope,
                    assignments,
                    Some(table.columns.len()),
                    &mut subqueries,
                )?;
                self.run_subqueries(subqueries, &scope).await?;
                Ok(OnDuplicate::Update(bound))
            }
            Some(other) => Err(SqlError::unsupported(other.to_string())),
        }
    }

    /// The rows as the statement gives them.
    async fn given_rows(
        &mut self,
        table: &Table,
        insert: &ast::Insert,
        columns: &[usize],
    ) -> Result<Vec<Vec<Given>>> {
        if !insert.assignments.is_empty() {
            let scope = Scope { columns: table_columns(table, None), merged: Vec::new() };
            let mut row = Vec::new();
            for assignment in &insert.assignments {
                row.push(self.given(&assignment.value, &scope)?);
            }
            return Ok(vec![row]);
        }
        let Some(source) = &insert.source else { return Ok(vec![Vec::new()]) };
        if let SetExpr::Values(values) = source.body.as_ref()
            && source.with.is_none()
        {
            let scope = Scope::default();
            let mut out = Vec::with_capacity(values.rows.len());
            for (at, parts) in values.rows.iter().enumerate() {
                let parts = &parts.content;
                // `VALUES ()` means all defaults.
                if parts.len() != columns.len() && !(parts.is_empty() && insert.columns.is_empty()) {
                    return Err(SqlError::new(
                        1136,
                        format!("Column count doesn't match value count at row {}", at + 1),
                    ));
                }
                if parts.is_empty() {
                    out.push(columns.iter().map(|_| Given::Default).collect());
                    continue;
                }
                let mut row = Vec::with_capacity(parts.len());
                for expr in parts {
                    row.push(match literal::plain(expr)? {
                        Some((value, ty)) => Given::Value(value, ty),
                        None => self.given_with_subquery(expr, &scope).await?,
                    });
                }
                out.push(row);
            }
            return Ok(out);
        }
        let result = self.query(source).await?;
        if result.columns.len() != columns.len() {
            return Err(SqlError::new(1136, "Column count doesn't match value count at row 1"));
        }
        let types: Vec<ResultType> = result.columns.into_iter().map(|c| c.ty).collect();
        Ok(result
            .rows
            .into_iter()
            .map(|row| row.into_iter().zip(&types).map(|(v, ty)| Given::Value(v, ty.clone())).collect())
            .collect())
    }

    fn given(&self, expr: &ast::Expr, scope: &Scope) -> Result<Given> {
        if is_default(expr) {
            return Ok(Given::Default);
        }
        let mut subqueries = Vec::new();
        let bound = self.binder(scope, &mut subqueries, "field list").bind(expr)?;
        if !subqueries.is_empty() {
            return Err(SqlError::unsupported("subqueries in INSERT … SET"));
        }
        Ok(Given::Value(bound.eval(&[], &self.cx)?, bound.ty().clone()))
    }

    async fn given_with_subquery(&mut self, expr: &ast::Expr, scope: &Scope) -> Result<Given> {
        if is_default(expr) {
            return Ok(Given::Default);
        }
        let mut subqueries = Vec::new();
        let bound = self.binder(scope, &mut subqueries, "field list").bind(expr)?;
        if !subqueries.is_empty() {
            self.run_subqueries(subqueries, scope).await?;
        }
        // Division by zero and the like are errors when the value is to be stored.
        let reading = std::mem::replace(&mut self.cx.writing, true);
        let value = bound.eval(&[], &self.cx);
        self.cx.writing = reading;
        let value = value?;
        let ty = if matches!(bound, crate::expr::Expr::Subquery { .. }) {
            crate::expr::bind::type_of_value(&value)
        } else {
            bound.ty().clone()
        };
        Ok(Given::Value(value, ty))
    }

    /// A full row in the columns' types; whether its AUTO_INCREMENT column waits for a number comes with it.
    fn complete_row(
        &self,
        table: &Table,
        columns: &[usize],
        given: Vec<Given>,
        number: usize,
    ) -> Result<(Row, bool)> {
        let mut row: Vec<Option<Datum>> = vec![None; table.columns.len()];
        for (at, value) in columns.iter().zip(given) {
            let (Some(column), Given::Value(value, ty)) = (table.columns.get(*at), value) else { continue };
            let target = Target { name: column.name(), field: &column.info.field_type, row: number };
            let converted = convert::to_column(value, &ty, target, &self.cx)?;
            if let Some(slot) = row.get_mut(*at) {
                *slot = Some(converted);
            }
        }
        let auto = table.auto_increment();
        let mut needs_id = false;
        let mut out = Vec::with_capacity(row.len());
        for (at, (column, value)) in table.columns.iter().zip(row).enumerate() {
            if auto == Some(at) {
                let zero = |v: &Datum| matches!(v, Datum::Int(0) | Datum::Uint(0));
                let missing = match &value {
                    None | Some(Datum::Null) => true,
                    Some(v) => zero(v) && !self.cx.mode.no_auto_value_on_zero,
                };
                if missing {
                    needs_id = true;
                    out.push(Datum::Null);
                    continue;
                }
            }
            let value = match value {
                Some(value) => value,
                None => match default_value::current(column, &self.cx)? {
                    Some(value) => value,
                    // An ENUM's first member stands in for a missing default, even in strict mode.
                    None if column.ty.tp == tidb_codec::field::tp::ENUM => default_value::zero(column),
                    None => {
                        self.cx.bad_value(no_default(column.name()))?;
                        default_value::zero(column)
                    }
                },
            };
            if value.is_null() && column.is_not_null() {
                self.cx
                    .bad_value(SqlError::new(1048, format!("Column '{}' cannot be null", column.name())))?;
                out.push(default_value::zero(column));
            } else {
                out.push(value);
            }
        }
        Ok((out, needs_id))
    }

    /// Fills AUTO_INCREMENT columns; returns the first number given.
    async fn number_rows(&mut self, table: &Arc<Table>, rows: &mut [Row], auto: &[usize]) -> Result<u64> {
        let Some(at) = table.auto_increment() else { return Ok(0) };
        let explicit = rows
            .iter()
            .enumerate()
            .filter(|(row, _)| auto.binary_search(row).is_err())
            .filter_map(|(_, row)| row.get(at).and_then(positive))
            .max();
        if let Some(used) = explicit {
            self.engine.auto_ids.rebase(table.db.id, table.info.id, used).await?;
        }
        if auto.is_empty() {
            return Ok(0);
        }
        let Some(column) = table.columns.get(at) else { return Ok(0) };
        let max = max_auto_value(column);
        let first = self.engine.auto_ids.allocate(table.db.id, table.info.id, auto.len() as u64, max).await?;
        for (offset, row) in auto.iter().enumerate() {
            let id = first + offset as u64;
            if let Some(slot) = rows.get_mut(*row).and_then(|r| r.get_mut(at)) {
                *slot = match column.ty.tp {
                    tidb_codec::field::tp::FLOAT => Datum::Float(id as f32),
                    tidb_codec::field::tp::DOUBLE => Datum::Double(id as f64),
                    _ if column.ty.is_unsigned() => Datum::Uint(id),
                    _ => Datum::Int(id as i64),
                };
            }
        }
        Ok(first)
    }

    /// Gives every row its handle.
    async fn with_handles(&mut self, table: &Arc<Table>, rows: Vec<Row>) -> Result<Vec<StoredRow>> {
        let zone = self.cx.zone.clone();
        if table.handle != HandleKind::RowId {
            return rows
                .into_iter()
                .map(|values| {
                    let handle = row::handle_of(table, &values, &zone)?
                        .ok_or_else(|| SqlError::internal("row without handle"))?;
                    Ok(StoredRow { handle, values })
                })
                .collect();
        }
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let count = rows.len() as u64;
        let first = self.engine.auto_ids.allocate(table.db.id, table.info.id, count, i64::MAX as u64).await?;
        Ok(rows
            .into_iter()
            .enumerate()
            .map(|(at, values)| StoredRow { handle: row_id(first + at as u64), values })
            .collect())
    }

    /// Writes the rows; returns the number of changes as MySQL counts them.
    async fn store_rows(
        &mut self,
        table: &Arc<Table>,
        rows: Vec<StoredRow>,
        how: &OnDuplicate,
    ) -> Result<u64> {
        let zone = self.cx.zone.clone();
        let mut affected = 0;
        if matches!(how, OnDuplicate::Fail) && !self.txn.is_pessimistic() {
            // Duplicates among stored rows are found by the commit.
            for stored in &rows {
                entries::add(self.txn, table, stored, true, &zone)?;
                affected += 1;
            }
            return Ok(affected);
        }
        for chunk in rows.chunks(LOOKUP_ROWS) {
            let mut keys: Vec<Bytes> = Vec::new();
            for stored in chunk {
                keys.extend(entries::unique_keys(table, stored, &zone)?.into_iter().map(|(k, _)| k));
            }
            let known = self.txn.batch_get(keys.clone()).await?;
            self.txn.lock(keys, false).await.map_err(from_client)?;
            for (at, stored) in chunk.iter().enumerate() {
                affected += self.store_row(table, stored, how, &known, at + 1).await?;
            }
        }
        Ok(affected)
    }

    /// The value of a key now: as this statement left it, else as it was looked up.
    async fn present(&self, key: &Bytes, known: &HashMap<Bytes, Bytes>) -> Result<Option<Bytes>> {
        match self.txn.own_write(key) {
            Some(_) => self.txn.get(key).await,
            None => Ok(known.get(key).cloned()),
        }
    }

    async fn store_row(
        &mut self,
        table: &Arc<Table>,
        stored: &StoredRow,
        how: &OnDuplicate,
        known: &HashMap<Bytes, Bytes>,
        number: usize,
    ) -> Result<u64> {
        let zone = self.cx.zone.clone();
        let mut affected = 0;
        for (unique, index) in entries::unique_keys(table, stored, &zone)? {
            let Some(value) = self.present(&unique, known).await? else { continue };
            match how {
                OnDuplicate::Fail => return Err(entries::duplicate(table, index, &stored.values)),
                OnDuplicate::Skip => {
                    self.cx.warn(Level::Warning, &entries::duplicate(table, index, &stored.values));
                    return Ok(0);
                }
                OnDuplicate::Replace => {
                    let old = self.row_of(table, index, &unique, &value).await?;
                    entries::remove(self.txn, table, &old, &zone)?;
                    // A row replaced by one like it counts once.
                    if !same_rows(&old.values, &stored.values) {
                        affected += 1;
                    }
                }
                OnDuplicate::Update(assignments) => {
                    let old = self.row_of(table, index, &unique, &value).await?;
                    let record = entries::record_key(table, &old.handle);
                    self.txn.lock(vec![record.into()], false).await.map_err(from_client)?;
                    let mut working = old.values.clone();
                    working.extend(stored.values.iter().cloned());
                    let values = assign::apply(table, &mut working, assignments, number, &self.cx)?;
                    if same_rows(&old.values, &values) {
                        return Ok(0);
                    }
                    self.change_row(table, &old, values).await?;
                    return Ok(2);
                }
            }
        }
        entries::add(self.txn, table, stored, false, &zone)?;
        Ok(affected + 1)
    }

    /// The row that a unique key's entry stands for.
    async fn row_of(
        &mut self,
        table: &Arc<Table>,
        index: Option<&Index>,
        unique: &Bytes,
        value: &Bytes,
    ) -> Result<StoredRow> {
        let zone = self.cx.zone.clone();
        if key::decode_record_key(unique).is_ok() {
            return row::decode(table, unique, value, &zone);
        }
        let _ = index;
        let handle: Handle = decode_index_value(value)
            .map_err(crate::expr::coerce::codec)?
            .handle
            .ok_or_else(|| SqlError::internal("unique entry without handle"))?
            .to_owned();
        let record = entries::record_key(table, &handle);
        let found = self.txn.get(&record).await?;
        let found = found.ok_or_else(|| SqlError::internal("index entry without row"))?;
        row::decode(table, &record, &found, &zone)
    }
}

/// The largest number that fits an AUTO_INCREMENT column.
fn max_auto_value(column: &crate::catalog::Column) -> u64 {
    use tidb_codec::field::tp;
    let bits = match column.ty.tp {
        tp::TINY => 8,
        tp::SHORT => 16,
        tp::INT24 => 24,
        tp::LONG => 32,
        _ => 64,
    };
    let bits = if column.ty.is_unsigned() { bits } else { bits - 1 };
    if bits == 64 { u64::MAX } else { (1 << bits) - 1 }
}

/// Positions of the columns that values are given for.
fn insert_columns(table: &Table, insert: &ast::Insert) -> Result<Vec<usize>> {
    let find =
        |name: &str| table.column_position(name).ok_or_else(|| SqlError::unknown_column(name, "field list"));
    let mut columns = Vec::new();
    if !insert.assignments.is_empty() {
        for assignment in &insert.assignments {
            let ast::AssignmentTarget::ColumnName(name) = &assignment.target else {
                return Err(SqlError::unsupported("assignment to several columns"));
            };
            columns.push(find(column_name(name)?)?);
        }
    } else if insert.columns.is_empty() {
        columns = (0..table.columns.len()).collect();
    } else {
        for name in &insert.columns {
            columns.push(find(column_name(name)?)?);
        }
    }
    for (at, column) in columns.iter().enumerate() {
        if columns.iter().take(at).any(|c| c == column) {
            let name = table.columns.get(*column).map(|c| c.name().to_owned()).unwrap_or_default();
            return Err(SqlError::new(1110, format!("Column '{name}' specified twice")));
        }
    }
    Ok(columns)
}
