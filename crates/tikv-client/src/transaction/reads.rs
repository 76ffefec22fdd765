//! Reads that see the transaction's own writes.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use crate::error::Result;
use crate::snapshot::KvPair;

use super::Transaction;

impl Transaction {
    /// The value of a key: its own write, else that of the snapshot.
    ///
    /// # Errors
    /// See [`Snapshot::get`](crate::Snapshot::get); the same holds for all reads.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        match self.writes.get(key) {
            Some(write) => Ok(write.value.clone()),
            None => self.snapshot.get(key).await,
        }
    }

    /// The values of many keys; keys without a value are not in the answer.
    ///
    /// # Errors
    /// See [`Transaction::get`].
    pub async fn batch_get(&self, keys: Vec<Bytes>) -> Result<HashMap<Bytes, Bytes>> {
        let mut own = Vec::new();
        let mut others = Vec::with_capacity(keys.len());
        for key in keys {
            match self.writes.get(&key) {
                Some(write) => own.extend(write.value.clone().map(|value| (key, value))),
                None => others.push(key),
            }
        }
        let mut found =
            if others.is_empty() { HashMap::new() } else { self.snapshot.batch_get(others).await? };
        found.extend(own);
        Ok(found)
    }

    /// Pairs of a raw range in key order (`reverse`: against it), at most `limit`. An empty end is unbounded.
    ///
    /// # Errors
    /// See [`Transaction::get`].
    pub async fn scan(&self, start: &[u8], end: &[u8], limit: usize, reverse: bool) -> Result<Vec<KvPair>> {
        let own = self.writes.range(start, end);
        // Each own delete may hide one pair of the snapshot.
        let hidden = own.clone().filter(|(_, write)| write.value.is_none()).count();
        let stored_limit = limit.saturating_add(hidden);
        let mut scanner = self.snapshot.scanner(start, end, reverse).limit(stored_limit);
        let mut own: Box<dyn Iterator<Item = _> + Send> =
            if reverse { Box::new(own.rev()) } else { Box::new(own) };
        let mut next_own = own.next();
        let mut stored: VecDeque<KvPair> = VecDeque::new();
        let mut pairs = Vec::new();
        let mut exhausted = false;
        while pairs.len() < limit {
            if stored.is_empty() && !exhausted {
                match scanner.next_batch().await? {
                    Some(batch) => stored = batch.into(),
                    None => exhausted = true,
                }
                continue;
            }
            let Some((key, write)) = next_own else {
                let Some(pair) = stored.pop_front() else { break };
                pairs.push(pair);
                continue;
            };
            match stored.front() {
                Some(pair) if comes_first(&pair.key, key, reverse) => pairs.extend(stored.pop_front()),
                other => {
                    if other.is_some_and(|pair| pair.key == *key) {
                        stored.pop_front();
                    }
                    pairs.extend(write.value.clone().map(|value| KvPair { key: key.clone(), value }));
                    next_own = own.next();
                }
            }
        }
        Ok(pairs)
    }
}

/// Whether `a` comes before `b` in the direction of the walk.
fn comes_first(a: &Bytes, b: &Bytes, reverse: bool) -> bool {
    if reverse { a > b } else { a < b }
}
