//! Walks over key ranges, region by region.

use bytes::Bytes;
use tikv_proto::kvrpcpb;

use crate::error::Result;
use crate::keys;
use crate::snapshot::{KvPair, LockWaits, Snapshot};

/// Pairs in the first request of a scan.
const FIRST_BATCH: usize = 256;
/// Pairs in later requests: each doubles the last up to this.
const LARGEST_BATCH: usize = 4096;

/// A walk over a key range as of a timestamp, see [`Snapshot::scanner`].
#[derive(Debug)]
pub struct Scanner {
    snapshot: Snapshot,
    /// What is left of the range.
    start: Bytes,
    end: Bytes,
    reverse: bool,
    keys_only: bool,
    left: usize,
    batch: usize,
    done: bool,
}

impl Scanner {
    /// A walk over a raw range.
    pub(crate) fn new(snapshot: Snapshot, start: Bytes, end: Bytes, reverse: bool) -> Self {
        let done = !end.is_empty() && start >= end;
        Self { snapshot, start, end, reverse, keys_only: false, left: usize::MAX, batch: FIRST_BATCH, done }
    }

    /// Stops after `limit` pairs.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.left = limit;
        self
    }

    /// Leaves the values out.
    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    /// The next pairs, never an empty batch; `None` at the end.
    ///
    /// # Errors
    /// See [`Snapshot::get`].
    pub async fn next_batch(&mut self) -> Result<Option<Vec<KvPair>>> {
        while !self.done && self.left > 0 {
            let pairs = self.fetch().await?;
            self.left = self.left.saturating_sub(pairs.len());
            if !pairs.is_empty() {
                return Ok(Some(pairs));
            }
        }
        Ok(None)
    }

    /// Asks one region, and moves the range on.
    async fn fetch(&mut self) -> Result<Vec<KvPair>> {
        let snapshot = self.snapshot.clone();
        let client = snapshot.client();
        let mut backoff = client.region_backoff();
        let mut waiting = LockWaits::new(&snapshot);
        loop {
            let region = if self.reverse {
                client.regions().locate_before(&self.end).await?
            } else {
                client.regions().locate(&self.start).await?
            };
            let low = self.start.clone().max(region.raw_start.clone());
            let high = min_end(&self.end, &region.raw_end);
            let limit = self.batch.min(self.left);
            let (start_key, end_key) =
                if self.reverse { (high.clone(), low.clone()) } else { (low.clone(), high.clone()) };
            let request = kvrpcpb::ScanRequest {
                start_key,
                end_key,
                limit: u32::try_from(limit).unwrap_or(u32::MAX),
                version: snapshot.ts(),
                key_only: self.keys_only,
                reverse: self.reverse,
                ..Default::default()
            };
            let context = waiting.context(&region);
            let Some(answer) = client.call(&region, request, context, &mut backoff).await? else { continue };
            if let Some(error) = answer.error {
                waiting.on_error(error).await?;
                continue;
            }
            let full = answer.pairs.len() >= limit;
            let last = answer.pairs.last().map(pair_key);
            let pairs = self.unlocked(answer.pairs).await?;
            self.advance(full, last, low, high);
            return Ok(pairs);
        }
    }

    /// Reads pairs that were locked again one by one; the others are taken as they are.
    async fn unlocked(&self, answered: Vec<kvrpcpb::KvPair>) -> Result<Vec<KvPair>> {
        let mut pairs = Vec::with_capacity(answered.len());
        for pair in answered {
            if pair.error.is_none() {
                pairs.push(KvPair { key: pair.key, value: pair.value });
                continue;
            }
            let key = pair_key(&pair);
            if let Some(value) = self.snapshot.get(&key).await? {
                pairs.push(KvPair { key, value: if self.keys_only { Bytes::new() } else { value } });
            }
        }
        Ok(pairs)
    }

    /// Moves the range behind what was answered: behind the last key of a full batch, else behind the region.
    fn advance(&mut self, full: bool, last: Option<Bytes>, low: Bytes, high: Bytes) {
        self.batch = (self.batch * 2).min(LARGEST_BATCH);
        match (full, last, self.reverse) {
            (true, Some(last), false) => self.start = keys::successor(&last),
            (true, Some(last), true) => self.end = last,
            (_, _, false) => {
                self.done = high == self.end;
                self.start = high;
            }
            (_, _, true) => {
                self.done = low == self.start;
                self.end = low;
            }
        }
        if !self.end.is_empty() && self.start >= self.end {
            self.done = true;
        }
    }
}

/// Key of an answered pair; a locked one may carry it only in the lock.
fn pair_key(pair: &kvrpcpb::KvPair) -> Bytes {
    match pair.error.as_ref().and_then(|error| error.locked.as_ref()) {
        Some(lock) if pair.key.is_empty() => lock.key.clone(),
        _ => pair.key.clone(),
    }
}

/// The nearer of two ends, where empty is the farthest.
fn min_end(a: &Bytes, b: &Bytes) -> Bytes {
    if a.is_empty() {
        b.clone()
    } else if b.is_empty() {
        a.clone()
    } else {
        a.min(b).clone()
    }
}
