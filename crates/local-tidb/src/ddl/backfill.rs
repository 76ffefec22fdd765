//! Index entries for the rows that a table has when it gets a new key.

use jiff::tz::TimeZone;
use tidb_codec::key;
use tikv_client::Transaction;

use crate::catalog::Table;
use crate::storage_error::from_client;
use crate::store::txn::MAX_TRANSACTION_BYTES;
use crate::store::{entries, row};
use tidb_expr::{Result, SqlError};

/// Rows read at once.
const PAGE: usize = 1024;

/// Writes the entries of some keys for all rows; returns the number of rows.
///
/// # Errors
/// 1062 when a unique key finds two rows, 8004 when the entries do not fit into one transaction.
pub(super) async fn write_entries(txn: &mut Transaction, table: &Table, keys: &[i64]) -> Result<i64> {
    let (mut start, end) = key::record_range(table.info.id);
    let mut rows = 0;
    loop {
        let page = txn.snapshot().scan(&start, &end, PAGE, false).await.map_err(from_client)?;
        let full = page.len() == PAGE;
        for pair in page {
            let stored = row::decode(table, &pair.key, &pair.value, &TimeZone::UTC)?;
            for index in table.indices.iter().filter(|i| keys.contains(&i.info.id)) {
                let entry = entries::entry(table, index, &stored, &TimeZone::UTC)?;
                if entry.distinct && txn.get(&entry.key).await.map_err(from_client)?.is_some() {
                    return Err(entries::duplicate(table, Some(index), &stored.values));
                }
                txn.put(entry.key, entry.value).map_err(from_client)?;
            }
            if txn.size() > MAX_TRANSACTION_BYTES {
                return Err(SqlError::new(8004, format!("Transaction is too large, size: {}", txn.size())));
            }
            rows += 1;
            start = pair.key.to_vec();
        }
        if !full {
            return Ok(rows);
        }
        start.push(0);
    }
}
