//! Numbers for AUTO_INCREMENT columns and hidden row ids, taken from the store in batches.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tidb_codec::key::meta;
use tikv_client::{Error, TikvClient, TransactionOptions};

use crate::engine::MAX_RETRIES;
use crate::meta_keys;
use crate::storage_error::from_client;
use tidb_expr::{Result, SqlError};

/// Ids taken at once, as TiDB's first step is. What is not used before a restart is skipped.
const STEP: u64 = 30_000;

/// The ids of one table: `(base, end]` are ours to give out.
#[derive(Debug, Default)]
struct Range {
    /// Last id given out.
    base: u64,
    /// Last id that is ours.
    end: u64,
}

/// One table's range, locked while the next one is fetched.
type Slot = Arc<tokio::sync::Mutex<Range>>;

/// The allocators of all tables. Numbers are compared and counted as unsigned.
#[derive(Debug)]
pub(crate) struct AutoIds {
    /// Where the ranges come from.
    client: TikvClient,
    /// Ranges by table id.
    tables: Mutex<HashMap<i64, Slot>>,
}

impl AutoIds {
    /// Allocators that own no ids yet.
    pub(crate) fn new(client: TikvClient) -> Self {
        Self { client, tables: Mutex::default() }
    }

    /// The range of a table, empty at first.
    fn slot(&self, table_id: i64) -> Slot {
        Arc::clone(self.tables.lock().entry(table_id).or_default())
    }

    /// Forgets a table that is gone.
    pub(crate) fn forget(&self, table_id: i64) {
        self.tables.lock().remove(&table_id);
    }

    /// The first of `count` ids in a row, none above `max`.
    ///
    /// # Errors
    /// 1467 when the ids are used up; storage failures.
    pub(crate) async fn allocate(&self, db_id: i64, table_id: i64, count: u64, max: u64) -> Result<u64> {
        let slot = self.slot(table_id);
        let mut range = slot.lock().await;
        if range.end - range.base < count {
            let fetched = self
                .advance(db_id, table_id, |stored| (stored, stored.saturating_add(STEP.max(count))))
                .await?;
            // Ids that are left over are kept when the new ones follow on directly.
            if fetched.base != range.end || range.base == range.end {
                range.base = fetched.base;
            }
            range.end = fetched.end;
        }
        let first = range.base.saturating_add(1);
        if first > max || max - first < count - 1 || range.end - range.base < count {
            return Err(SqlError::new(1467, "Failed to read auto-increment value from storage engine"));
        }
        range.base += count;
        Ok(first)
    }

    /// Makes sure that ids given out from now on are above `used`.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn rebase(&self, db_id: i64, table_id: i64, used: u64) -> Result<()> {
        let slot = self.slot(table_id);
        let mut range = slot.lock().await;
        if used <= range.base {
            return Ok(());
        }
        if used <= range.end {
            range.base = used;
            return Ok(());
        }
        *range = self
            .advance(db_id, table_id, |stored| {
                let base = stored.max(used);
                (base, base.saturating_add(STEP))
            })
            .await?;
        Ok(())
    }

    /// The next id that would be given out.
    ///
    /// # Errors
    /// Storage failures.
    pub(crate) async fn peek(&self, db_id: i64, table_id: i64) -> Result<u64> {
        let slot = self.slot(table_id);
        let range = slot.lock().await;
        if range.end > range.base {
            return Ok(range.base + 1);
        }
        let ts = self.client.pd().get_ts().await.map_err(from_client)?;
        let key = meta::hash_key(&meta_keys::db_field(db_id), &meta_keys::auto_id_field(table_id));
        let stored = self.client.snapshot(ts).get(&key).await.map_err(from_client)?;
        Ok(stored.map_or(Ok(0), |text| meta_keys::parse_number(&text))? as u64 + 1)
    }

    /// Moves the stored bound in a transaction of its own.
    async fn advance(&self, db_id: i64, table_id: i64, next: impl Fn(u64) -> (u64, u64)) -> Result<Range> {
        let key = meta::hash_key(&meta_keys::db_field(db_id), &meta_keys::auto_id_field(table_id));
        for _ in 0..MAX_RETRIES {
            let mut txn =
                self.client.begin(TransactionOptions::optimistic().one_pc()).await.map_err(from_client)?;
            let stored = txn.get(&key).await.map_err(from_client)?;
            let stored = stored.map_or(Ok(0), |text| meta_keys::parse_number(&text))? as u64;
            let (base, end) = next(stored);
            txn.put(key.clone(), (end as i64).to_string().into_bytes()).map_err(from_client)?;
            match txn.commit().await {
                Ok(_) => return Ok(Range { base, end }),
                Err(Error::WriteConflict { .. } | Error::Retryable { .. } | Error::Locked { .. }) => {}
                Err(other) => return Err(from_client(other)),
            }
        }
        Err(SqlError::new(1467, "Failed to read auto-increment value from storage engine"))
    }
}
