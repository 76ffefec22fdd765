//! `DELETE`.

use sqlparser::ast::{self, FromTable};

use super::{Changed, Exec};
use crate::storage_error::from_client;
use crate::store::entries;
use tidb_expr::{Result, SqlError};

impl Exec<'_> {
    /// Runs a `DELETE`.
    ///
    /// # Errors
    /// What is wrong with the statement, storage failures.
    pub(crate) async fn delete(&mut self, delete: &ast::Delete) -> Result<Changed> {
        if !delete.tables.is_empty() || delete.using.is_some() || delete.returning.is_some() {
            return Err(SqlError::unsupported("DELETE of several tables"));
        }
        let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
        let (table, scope) = self.single_table(tables, "DELETE")?;
        self.cx.writing = true;
        let rows = self
            .target_rows(&table, &scope, delete.selection.as_ref(), &delete.order_by, delete.limit.as_ref())
            .await?;
        let locked = rows.iter().map(|r| entries::record_key(&table, &r.handle).into()).collect();
        self.txn.lock(locked, false).await.map_err(from_client)?;
        let zone = self.cx.zone.clone();
        for old in &rows {
            entries::remove(self.txn, &table, old, &zone)?;
        }
        Ok(Changed { affected: rows.len() as u64, ..Changed::default() })
    }
}
