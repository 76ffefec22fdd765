//! Reads as of a timestamp.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use tikv_proto::kvrpcpb;

use crate::backoff::Backoff;
use crate::client::{REGION_CONCURRENCY, TikvClient};
use crate::error::{Error, Result};
use crate::region::Region;
use crate::scan::Scanner;

/// Keys in one batch request.
const BATCH_GET_KEYS: usize = 4096;

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvPair {
    /// The raw key.
    pub key: Bytes,
    /// Its value; empty in scans of keys only.
    pub value: Bytes,
}

/// Reads as of a timestamp. Locks of ended transactions in the way are removed, those of live ones waited for.
#[derive(Debug, Clone)]
pub struct Snapshot {
    client: TikvClient,
    ts: u64,
}

impl Snapshot {
    /// Reads as of `ts`.
    pub(crate) fn new(client: TikvClient, ts: u64) -> Self {
        Self { client, ts }
    }

    /// The timestamp.
    pub fn ts(&self) -> u64 {
        self.ts
    }

    /// The client.
    pub(crate) fn client(&self) -> &TikvClient {
        &self.client
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Locked`] if a live transaction keeps the key locked, [`Error::RegionUnavailable`], or what the calls
    /// fail with; the same holds for all reads.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let mut backoff = self.client.region_backoff();
        let mut waiting = LockWaits::new(self);
        loop {
            let region = self.client.regions().locate(key).await?;
            let request = kvrpcpb::GetRequest {
                key: Bytes::copy_from_slice(key),
                version: self.ts,
                ..Default::default()
            };
            let context = waiting.context(&region);
            let Some(answer) = self.client.call(&region, request, context, &mut backoff).await? else {
                continue;
            };
            match answer.error {
                Some(error) => waiting.on_error(error).await?,
                None if answer.not_found => return Ok(None),
                None => return Ok(Some(answer.value)),
            }
        }
    }

    /// The values of many keys; keys without a value are not in the answer.
    ///
    /// # Errors
    /// See [`Snapshot::get`].
    pub async fn batch_get(&self, keys: Vec<Bytes>) -> Result<HashMap<Bytes, Bytes>> {
        let mut found = HashMap::with_capacity(keys.len());
        let mut wanted = keys;
        wanted.sort_unstable();
        wanted.dedup();
        let batches = self.batches(wanted).await?;
        let mut answers = futures::stream::iter(batches)
            .map(|(region, keys)| self.batch(region, keys))
            .buffer_unordered(REGION_CONCURRENCY);
        while let Some(pairs) = answers.next().await {
            found.extend(pairs?.into_iter().map(|pair| (pair.key, pair.value)));
        }
        Ok(found)
    }

    /// Divides sorted keys into requests to regions.
    async fn batches(&self, keys: Vec<Bytes>) -> Result<Vec<(Arc<Region>, Vec<Bytes>)>> {
        let mut batches: Vec<(Arc<Region>, Vec<Bytes>)> = Vec::new();
        for key in keys {
            match batches.last_mut() {
                Some((region, batch)) if batch.len() < BATCH_GET_KEYS && region.contains(&key) => {
                    batch.push(key)
                }
                _ => {
                    let region = self.client.regions().locate(&key).await?;
                    batches.push((region, vec![key]));
                }
            }
        }
        Ok(batches)
    }

    /// Reads the keys of one request, and again those that were locked or have moved.
    async fn batch(&self, region: Arc<Region>, keys: Vec<Bytes>) -> Result<Vec<KvPair>> {
        let mut backoff = self.client.region_backoff();
        let mut waiting = LockWaits::new(self);
        let mut found = Vec::with_capacity(keys.len());
        let mut open = vec![(region, keys)];
        while let Some((region, keys)) = open.pop() {
            let request =
                kvrpcpb::BatchGetRequest { keys: keys.clone(), version: self.ts, ..Default::default() };
            let context = waiting.context(&region);
            let Some(answer) = self.client.call(&region, request, context, &mut backoff).await? else {
                open.extend(self.batches(keys).await?);
                continue;
            };
            if let Some(error) = answer.error {
                waiting.on_error(error).await?;
                open.push((region, keys));
                continue;
            }
            let mut locked = Vec::new();
            let mut errors = Vec::new();
            for pair in answer.pairs {
                match pair.error {
                    Some(error) => {
                        let key = error.locked.as_ref().map_or(pair.key, |lock| lock.key.clone());
                        locked.push(key);
                        errors.push(error);
                    }
                    None => found.push(KvPair { key: pair.key, value: pair.value }),
                }
            }
            if !errors.is_empty() {
                waiting.on_errors(errors).await?;
                open.push((region, locked));
            }
        }
        Ok(found)
    }

    /// Pairs of a raw range in key order (`reverse`: against it), at most `limit`. An empty end is unbounded.
    ///
    /// # Errors
    /// See [`Snapshot::get`].
    pub async fn scan(&self, start: &[u8], end: &[u8], limit: usize, reverse: bool) -> Result<Vec<KvPair>> {
        let mut scanner = self.scanner(start, end, reverse).limit(limit);
        let mut pairs = Vec::new();
        while let Some(batch) = scanner.next_batch().await? {
            pairs.extend(batch);
        }
        Ok(pairs)
    }

    /// Walks a raw range in key order (`reverse`: against it), batch by batch. An empty end is unbounded.
    pub fn scanner(&self, start: &[u8], end: &[u8], reverse: bool) -> Scanner {
        Scanner::new(self.clone(), Bytes::copy_from_slice(start), Bytes::copy_from_slice(end), reverse)
    }
}

/// What a read has learnt about locks in its way.
pub(crate) struct LockWaits<'a> {
    snapshot: &'a Snapshot,
    backoff: Option<Backoff>,
    passable: Vec<u64>,
}

impl<'a> LockWaits<'a> {
    /// Nothing in the way yet.
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, backoff: None, passable: Vec::new() }
    }

    /// The request context, naming the transactions whose locks do not concern this read.
    pub(crate) fn context(&self, region: &Region) -> kvrpcpb::Context {
        kvrpcpb::Context { resolved_locks: self.passable.clone(), ..region.context() }
    }

    /// Handles a key error: resolves or waits for a lock, returns anything else.
    pub(crate) async fn on_error(&mut self, error: kvrpcpb::KeyError) -> Result<()> {
        self.on_errors(vec![error]).await
    }

    /// Handles key errors, see [`LockWaits::on_error`].
    pub(crate) async fn on_errors(&mut self, errors: Vec<kvrpcpb::KeyError>) -> Result<()> {
        let mut locks = Vec::with_capacity(errors.len());
        for mut error in errors {
            match error.locked.take() {
                Some(lock) => locks.push(lock),
                None => return Err(Error::from_key_error(error, self.snapshot.ts)),
            }
        }
        let client = &self.snapshot.client;
        let outcome = client.lock_resolver().clear_for_read(&locks, self.snapshot.ts).await?;
        for ts in outcome.passable {
            if !self.passable.contains(&ts) {
                self.passable.push(ts);
            }
        }
        let Some((lock, expires_in)) = outcome.alive else { return Ok(()) };
        let backoff = self.backoff.get_or_insert_with(|| client.lock_backoff());
        if backoff.wait_at_most(expires_in).await { Ok(()) } else { Err(Error::locked(&lock)) }
    }
}
