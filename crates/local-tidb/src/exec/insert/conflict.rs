//! Writing new rows where keys may be taken.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tidb_codec::index::decode_index_value;
use tidb_codec::{Handle, key};

use super::OnDuplicate;
use crate::catalog::Table;
use crate::exec::Exec;
use crate::exec::assign::{self, same_rows};
use crate::storage_error::from_client;
use crate::store::{StoredRow, entries, row};
use tidb_expr::Level;
use tidb_expr::coerce::codec;
use tidb_expr::{Result, SqlError};

/// Rows whose keys are looked up at once.
const LOOKUP_ROWS: usize = 512;

impl Exec<'_> {
    /// Writes the rows; returns the number of changes as MySQL counts them.
    pub(super) async fn store_rows(
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

    /// Writes one row; returns the number of changes.
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
                    let old = self.row_of(table, &unique, &value).await?;
                    entries::remove(self.txn, table, &old, &zone)?;
                    // A row replaced by one like it counts once.
                    if !same_rows(&old.values, &stored.values) {
                        affected += 1;
                    }
                }
                OnDuplicate::Update(assignments) => {
                    let old = self.row_of(table, &unique, &value).await?;
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
    async fn row_of(&mut self, table: &Arc<Table>, unique: &Bytes, value: &Bytes) -> Result<StoredRow> {
        let zone = self.cx.zone.clone();
        if key::decode_record_key(unique).is_ok() {
            return row::decode(table, unique, value, &zone);
        }
        let handle: Handle = decode_index_value(value)
            .map_err(codec)?
            .handle
            .ok_or_else(|| SqlError::internal("unique entry without handle"))?
            .to_owned();
        let record = entries::record_key(table, &handle);
        let found = self.txn.get(&record).await?;
        let found = found.ok_or_else(|| SqlError::internal("index entry without row"))?;
        row::decode(table, &record, &found, &zone)
    }
}
