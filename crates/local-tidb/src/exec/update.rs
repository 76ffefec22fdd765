//! `UPDATE`.

use std::sync::Arc;

use bytes::Bytes;
use sqlparser::ast;
use tidb_codec::Handle;

use super::assign::{self, same_rows};
use super::{Changed, Exec};
use crate::catalog::Table;
use crate::storage_error::from_client;
use crate::store::{StoredRow, entries, row};
use tidb_expr::Level;
use tidb_expr::{Result, SqlError};

impl Exec<'_> {
    /// Runs an `UPDATE`.
    ///
    /// # Errors
    /// What is wrong with the statement or its values, duplicates, storage failures.
    pub(crate) async fn update(&mut self, update: &ast::Update, ignore: bool) -> Result<Changed> {
        if update.from.is_some() || update.returning.is_some() {
            return Err(SqlError::unsupported("UPDATE … FROM"));
        }
        let (table, scope) = self.single_table(std::slice::from_ref(&update.table), "UPDATE")?;
        let mut subqueries = Vec::new();
        let assignments =
            self.bind_assignments(&table, &scope, &update.assignments, None, &mut subqueries)?;
        self.cx.writing = true;
        self.cx.mode.strict &= !ignore;
        let rows = self
            .target_rows(&table, &scope, update.selection.as_ref(), &update.order_by, update.limit.as_ref())
            .await?;
        let own_subqueries = subqueries;
        self.run_subqueries(own_subqueries, &scope).await?;
        let locked = rows.iter().map(|r| entries::record_key(&table, &r.handle).into()).collect();
        self.txn.lock(locked, false).await.map_err(from_client)?;
        let matched = rows.len();
        let mut changed = 0u64;
        for (at, old) in rows.into_iter().enumerate() {
            let mut working = old.values.clone();
            let values = assign::apply(&table, &mut working, &assignments, at + 1, &self.cx)?;
            if same_rows(&old.values, &values) {
                continue;
            }
            match self.change_row(&table, &old, values).await {
                Ok(()) => changed += 1,
                Err(error) if ignore && error.code == 1062 => self.cx.warn(Level::Warning, &error),
                Err(error) => return Err(error),
            }
        }
        Ok(Changed {
            affected: changed,
            last_insert_id: 0,
            info: format!("Rows matched: {matched}  Changed: {changed}  Warnings: 0"),
        })
    }

    /// Gives a row new values, under another handle if its key changes.
    ///
    /// # Errors
    /// 1062, conflicts, values that cannot be stored.
    pub(crate) async fn change_row(
        &mut self,
        table: &Arc<Table>,
        old: &StoredRow,
        values: Vec<tidb_codec::Datum>,
    ) -> Result<()> {
        let zone = self.cx.zone.clone();
        let handle = row::handle_of(table, &values, &zone)?.unwrap_or_else(|| old.handle.clone());
        let new = StoredRow { handle, values };
        self.raise_auto_id(table, &old.values, &new.values).await?;
        let before: Vec<Bytes> =
            entries::unique_keys(table, old, &zone)?.into_iter().map(|(k, _)| k).collect();
        let wanted: Vec<_> = entries::unique_keys(table, &new, &zone)?
            .into_iter()
            .filter(|(k, _)| !before.contains(k))
            .collect();
        if !wanted.is_empty() {
            let keys: Vec<Bytes> = wanted.iter().map(|(k, _)| k.clone()).collect();
            let taken = self.txn.batch_get(keys.clone()).await?;
            if let Some((_, index)) = wanted.iter().find(|(k, _)| taken.contains_key(k)) {
                return Err(entries::duplicate(table, *index, &new.values));
            }
            self.txn.lock(keys, false).await.map_err(from_client)?;
        }
        if new.handle == old.handle {
            return entries::change(self.txn, table, old, &new, false, &zone);
        }
        entries::remove(self.txn, table, old, &zone)?;
        entries::add(self.txn, table, &new, false, &zone)
    }

    /// An explicit value above the allocator's moves the allocator.
    async fn raise_auto_id(
        &mut self,
        table: &Arc<Table>,
        old: &[tidb_codec::Datum],
        new: &[tidb_codec::Datum],
    ) -> Result<()> {
        let Some(at) = table.auto_increment() else { return Ok(()) };
        if old.get(at) == new.get(at) {
            return Ok(());
        }
        if let Some(used) = new.get(at).and_then(super::insert::positive) {
            self.engine.auto_ids.rebase(table.db.id, table.info.id, used).await?;
        }
        Ok(())
    }
}

/// The hidden number of a row, for tables without a clustered key.
pub(crate) fn row_id(id: u64) -> Handle {
    Handle::Int(id as i64)
}
