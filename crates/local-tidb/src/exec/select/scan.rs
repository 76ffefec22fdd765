//! Reading the rows of one table, and locking them.

use bytes::Bytes;

use super::plan::Plan;
use crate::exec::aggregate::Grouping;
use crate::exec::reader::TableReader;
use crate::exec::relation::{From, Source};
use crate::exec::{Exec, MAX_STATEMENT_BYTES, Row, access};
use crate::storage_error::from_client;
use crate::store::entries;
use tidb_expr::Expr;
use tidb_expr::{Result, SqlError};

impl Exec<'_> {
    /// Rows of one table.
    pub(super) async fn scan_rows(
        &mut self,
        from: &From,
        conditions: &[Expr],
        wanted: Option<usize>,
        lock: Option<bool>,
    ) -> Result<Vec<Row>> {
        let mut out = Vec::new();
        if self.describe {
            return Ok(out);
        }
        let mut locked: Vec<Bytes> = Vec::new();
        let Some(Source::Table(table)) = from.relations.first().map(|r| &r.source) else { return Ok(out) };
        let access = access::choose(table, conditions, &self.cx)?;
        let page = if conditions.is_empty() { wanted } else { None };
        let mut reader = TableReader::new(table.clone(), access, self.cx.zone.clone(), page);
        'pages: while let Some(page) = reader.next(self.txn).await? {
            for stored in page {
                if wanted.is_some_and(|n| out.len() >= n) {
                    break 'pages;
                }
                if self.passes(conditions, &stored.values)? {
                    self.hold(&stored.values)?;
                    if lock.is_some() {
                        locked.push(entries::record_key(table, &stored.handle).into());
                    }
                    out.push(stored.values);
                }
            }
            if wanted.is_some_and(|n| out.len() >= n) {
                break;
            }
        }
        if let Some(no_wait) = lock {
            self.txn.lock(locked, no_wait).await.map_err(from_client)?;
        }
        Ok(out)
    }

    /// Groups of one table's rows, without keeping the rows.
    pub(super) async fn scan_groups(
        &mut self,
        from: &From,
        plan: &Plan,
        lock: Option<bool>,
    ) -> Result<Vec<Row>> {
        let Some(Source::Table(table)) = from.relations.first().map(|r| &r.source) else {
            return Ok(Vec::new());
        };
        if self.describe {
            return Ok(Vec::new());
        }
        let access = access::choose(table, &plan.conditions, &self.cx)?;
        let mut reader = TableReader::new(table.clone(), access, self.cx.zone.clone(), None);
        let mut grouping = Grouping::new(&plan.group, &plan.aggregates);
        grouping.row_width = from.scope.columns.len();
        let mut locked: Vec<Bytes> = Vec::new();
        while let Some(page) = reader.next(self.txn).await? {
            for stored in page {
                if self.passes(&plan.conditions, &stored.values)? {
                    if lock.is_some() {
                        locked.push(entries::record_key(table, &stored.handle).into());
                    }
                    grouping.add(stored.values, &self.cx)?;
                }
            }
            if self.memory.saturating_add(grouping.bytes()) > MAX_STATEMENT_BYTES {
                return Err(SqlError::out_of_memory(self.connection_id));
            }
        }
        if let Some(no_wait) = lock {
            self.txn.lock(locked, no_wait).await.map_err(from_client)?;
        }
        grouping.finish(&self.cx)
    }
}
