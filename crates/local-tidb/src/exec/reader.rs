//! Reading a table's rows page by page.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use jiff::tz::TimeZone;
use tidb_codec::index::decode_entry_handle;

use super::access::{Access, KeyRange};
use crate::catalog::{HandleKind, Table};
use crate::store::{StoredRow, Txn, entries, row};
use tidb_expr::Result;
use tidb_expr::coerce::codec;

/// Rows read at once.
const PAGE: usize = 1024;

/// A walk over the rows that an [`Access`] finds.
#[derive(Debug)]
pub(crate) struct TableReader {
    /// What is read.
    table: Arc<Table>,
    /// Zone of stored timestamps.
    zone: TimeZone,
    /// How the rows are found.
    access: Access,
    /// Ranges still to be scanned.
    ranges: VecDeque<KeyRange>,
    /// Keys still to be looked up.
    points: VecDeque<Vec<u8>>,
    /// Rows of the next page; small when few are wanted.
    page: usize,
}

impl TableReader {
    /// Starts at the first key. `wanted`: rows after which the caller will stop.
    pub(crate) fn new(table: Arc<Table>, access: Access, zone: TimeZone, wanted: Option<usize>) -> Self {
        let (ranges, points) = match &access {
            Access::Records(ranges) | Access::Entries { ranges, .. } => {
                (ranges.clone().into(), VecDeque::new())
            }
            Access::Points(keys) | Access::UniqueEntries { keys, .. } => {
                (VecDeque::new(), keys.clone().into())
            }
        };
        let page = wanted.map_or(PAGE, |n| n.clamp(1, PAGE));
        Self { table, zone, access, ranges, points, page }
    }

    /// The next rows; `None` at the end. A page may be empty.
    ///
    /// # Errors
    /// Storage failures, malformed rows.
    pub(crate) async fn next(&mut self, txn: &Txn) -> Result<Option<Vec<StoredRow>>> {
        match &self.access {
            Access::Records(_) => {
                let Some(pairs) = self.next_pairs(txn).await? else { return Ok(None) };
                pairs
                    .iter()
                    .map(|(key, value)| row::decode(&self.table, key, value, &self.zone))
                    .collect::<Result<_>>()
                    .map(Some)
            }
            Access::Points(_) => {
                let keys = self.next_points();
                if keys.is_empty() { Ok(None) } else { self.rows_of(keys, txn).await.map(Some) }
            }
            Access::Entries { index, .. } => {
                let index = *index;
                let Some(pairs) = self.next_pairs(txn).await? else { return Ok(None) };
                let keys = self.record_keys(index, &pairs)?;
                self.rows_of(keys, txn).await.map(Some)
            }
            Access::UniqueEntries { index, .. } => {
                let index = *index;
                let keys = self.next_points();
                if keys.is_empty() {
                    return Ok(None);
                }
                let found = txn.batch_get(keys.clone()).await?;
                let pairs: Vec<(Bytes, Bytes)> = keys
                    .into_iter()
                    .filter_map(|key| found.get(&key).map(|v| (key.clone(), v.clone())))
                    .collect();
                let keys = self.record_keys(index, &pairs)?;
                self.rows_of(keys, txn).await.map(Some)
            }
        }
    }

    /// The next keys to look up.
    fn next_points(&mut self) -> Vec<Bytes> {
        let count = self.points.len().min(PAGE);
        self.points.drain(..count).map(Bytes::from).collect()
    }

    /// The next pairs of the ranges.
    async fn next_pairs(&mut self, txn: &Txn) -> Result<Option<Vec<(Bytes, Bytes)>>> {
        let Some((start, end)) = self.ranges.front_mut() else { return Ok(None) };
        let limit = self.page;
        self.page = PAGE;
        let pairs = txn.scan(start, end, limit, false).await?;
        match pairs.last() {
            Some(last) if pairs.len() == limit => {
                start.clear();
                start.extend_from_slice(&last.key);
                start.push(0);
            }
            _ => {
                self.ranges.pop_front();
            }
        }
        Ok(Some(pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()))
    }

    /// Record keys of the rows of index entries.
    fn record_keys(&self, index: usize, pairs: &[(Bytes, Bytes)]) -> Result<Vec<Bytes>> {
        let columns = self.table.indices.get(index).map_or(0, |i| i.columns.len());
        let common = matches!(self.table.handle, HandleKind::Common(_));
        pairs
            .iter()
            .map(|(key, value)| {
                let handle = decode_entry_handle(key, value, columns, common).map_err(codec)?;
                Ok(entries::record_key(&self.table, &handle).into())
            })
            .collect()
    }

    /// The rows of record keys, in the keys' order.
    async fn rows_of(&self, keys: Vec<Bytes>, txn: &Txn) -> Result<Vec<StoredRow>> {
        let found = txn.batch_get(keys.clone()).await?;
        keys.iter()
            .filter_map(|key| found.get(key).map(|value| row::decode(&self.table, key, value, &self.zone)))
            .collect()
    }
}
