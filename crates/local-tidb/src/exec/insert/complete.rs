//! From given values to whole rows: defaults, conversions, AUTO_INCREMENT numbers, handles.

use std::sync::Arc;

use tidb_codec::Datum;
use tidb_codec::field::tp;

use super::given::Given;
use crate::catalog::{Column, HandleKind, Table};
use crate::default_value;
use crate::exec::assign::no_default;
use crate::exec::update::row_id;
use crate::exec::{Exec, Row};
use crate::store::{StoredRow, row};
use tidb_expr::convert::{self, Target};
use tidb_expr::{Result, SqlError};

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

impl Exec<'_> {
    /// A full row in the columns' types; whether its AUTO_INCREMENT column waits for a number comes with it.
    pub(super) fn complete_row(
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
                    None if column.ty.tp == tp::ENUM => default_value::zero(column),
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
    pub(super) async fn number_rows(
        &mut self,
        table: &Arc<Table>,
        rows: &mut [Row],
        auto: &[usize],
    ) -> Result<u64> {
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
                    tp::FLOAT => Datum::Float(id as f32),
                    tp::DOUBLE => Datum::Double(id as f64),
                    _ if column.ty.is_unsigned() => Datum::Uint(id),
                    _ => Datum::Int(id as i64),
                };
            }
        }
        Ok(first)
    }

    /// Gives every row its handle.
    pub(super) async fn with_handles(
        &mut self,
        table: &Arc<Table>,
        rows: Vec<Row>,
    ) -> Result<Vec<StoredRow>> {
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
}

/// The largest number that fits an AUTO_INCREMENT column.
fn max_auto_value(column: &Column) -> u64 {
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
