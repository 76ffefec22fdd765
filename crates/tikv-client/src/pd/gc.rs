//! Safepoints that keep old versions from garbage collection.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use tikv_proto::pdpb;

use crate::error::{Error, Result};

use super::PdClient;

impl PdClient {
    /// Keeps versions from `ts` on for `ttl_seconds` under a name (0 seconds or less lets go of them), and returns the
    /// smallest timestamp that anybody holds; one above `ts` means that versions at `ts` may be gone and nothing is held.
    ///
    /// Clusters without keyspaces hold versions by services' safepoints, also where the server knows barriers: PD takes
    /// both into account, and older tools look at the former. Where the server does not know safepoints of services any
    /// more, a barrier of the null keyspace does the same.
    ///
    /// # Errors
    /// See [`PdClient::update_service_gc_safepoint`].
    pub async fn hold_versions(&self, name: &str, ttl_seconds: i64, ts: u64) -> Result<u64> {
        if !self.inner.keeps_barriers.load(Ordering::Relaxed) {
            match self.update_service_gc_safepoint(name, ttl_seconds, ts).await {
                Err(error) if error.is_unimplemented() => {
                    self.inner.keeps_barriers.store(true, Ordering::Relaxed);
                }
                other => return other,
            }
        }
        let set = if ttl_seconds > 0 {
            self.set_gc_barrier(None, name, ts, ttl_seconds).await.map(|_| ())
        } else {
            self.delete_gc_barrier(None, name).await.map(|_| ())
        };
        let state = self.gc_state(None).await?.unwrap_or_default();
        match set {
            // Refused because versions up to the transaction safe point may be gone.
            Err(Error::Pd { .. }) if state.txn_safe_point > ts => Ok(state.txn_safe_point),
            Err(error) => Err(error),
            Ok(()) => {
                let barriers = state.gc_barriers.iter().map(|barrier| barrier.barrier_ts);
                Ok(barriers.min().unwrap_or(state.txn_safe_point))
            }
        }
    }

    /// Sets a service's safepoint for `ttl_seconds` (0 or less removes it) and returns the smallest of all services.
    /// A safepoint below that minimum is not applied: the answer is larger than what was asked.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable), [`Error::Rpc`](crate::Error::Rpc) or
    /// [`Error::Pd`](crate::Error::Pd); the same holds for all calls here.
    pub async fn update_service_gc_safepoint(
        &self,
        service_id: &str,
        ttl_seconds: i64,
        ts: u64,
    ) -> Result<u64> {
        let header = self.header();
        let service_id = Bytes::copy_from_slice(service_id.as_bytes());
        let answer = self
            .call("UpdateServiceGCSafePoint", |mut pd| {
                let request = pdpb::UpdateServiceGcSafePointRequest {
                    header: header.clone(),
                    service_id: service_id.clone(),
                    ttl: ttl_seconds,
                    safe_point: ts,
                };
                async move { pd.update_service_gc_safe_point(request).await }
            })
            .await?;
        Ok(answer.min_safe_point)
    }

    /// The safepoint up to which old versions may be gone.
    ///
    /// # Errors
    /// See [`PdClient::update_service_gc_safepoint`].
    pub async fn gc_safepoint(&self) -> Result<u64> {
        let header = self.header();
        let answer = self
            .call("GetGCSafePoint", |mut pd| {
                let request = pdpb::GetGcSafePointRequest { header: header.clone() };
                async move { pd.get_gc_safe_point(request).await }
            })
            .await?;
        Ok(answer.safe_point)
    }

    /// Moves the garbage collection safepoint forward and returns the one in force.
    ///
    /// # Errors
    /// See [`PdClient::update_service_gc_safepoint`].
    pub async fn update_gc_safepoint(&self, ts: u64) -> Result<u64> {
        let header = self.header();
        let answer = self
            .call("UpdateGCSafePoint", |mut pd| {
                let request = pdpb::UpdateGcSafePointRequest { header: header.clone(), safe_point: ts };
                async move { pd.update_gc_safe_point(request).await }
            })
            .await?;
        Ok(answer.new_safe_point)
    }

    /// Sets a barrier of a keyspace (`None` is the null keyspace).
    ///
    /// # Errors
    /// See [`PdClient::update_service_gc_safepoint`]; a barrier behind the transaction safe point is refused.
    pub async fn set_gc_barrier(
        &self,
        keyspace: Option<u32>,
        barrier_id: &str,
        ts: u64,
        ttl_seconds: i64,
    ) -> Result<Option<pdpb::GcBarrierInfo>> {
        let header = self.header();
        let answer = self
            .call("SetGCBarrier", |mut pd| {
                let request = pdpb::SetGcBarrierRequest {
                    header: header.clone(),
                    keyspace_scope: scope(keyspace),
                    barrier_id: barrier_id.to_owned(),
                    barrier_ts: ts,
                    ttl_seconds,
                };
                async move { pd.set_gc_barrier(request).await }
            })
            .await?;
        Ok(answer.new_barrier_info)
    }

    /// Removes a barrier and returns it, if there was one.
    ///
    /// # Errors
    /// See [`PdClient::update_service_gc_safepoint`].
    pub async fn delete_gc_barrier(
        &self,
        keyspace: Option<u32>,
        barrier_id: &str,
    ) -> Result<Option<pdpb::GcBarrierInfo>> {
        let header = self.header();
        let answer = self
            .call("DeleteGCBarrier", |mut pd| {
                let request = pdpb::DeleteGcBarrierRequest {
                    header: header.clone(),
                    keyspace_scope: scope(keyspace),
                    barrier_id: barrier_id.to_owned(),
                };
                async move { pd.delete_gc_barrier(request).await }
            })
            .await?;
        Ok(answer.deleted_barrier_info)
    }

    /// Safe points and barriers of a keyspace.
    ///
    /// # Errors
    /// See [`PdClient::update_service_gc_safepoint`].
    pub async fn gc_state(&self, keyspace: Option<u32>) -> Result<Option<pdpb::GcState>> {
        let header = self.header();
        let answer = self
            .call("GetGCState", |mut pd| {
                let request = pdpb::GetGcStateRequest {
                    header: header.clone(),
                    keyspace_scope: scope(keyspace),
                    exclude_gc_barriers: false,
                };
                async move { pd.get_gc_state(request).await }
            })
            .await?;
        Ok(answer.gc_state)
    }
}

/// Id that stands for "no keyspace".
const NULL_KEYSPACE: u32 = 0xFFFF_FFFF;

/// The scope message of a keyspace.
fn scope(keyspace: Option<u32>) -> Option<pdpb::KeyspaceScope> {
    Some(pdpb::KeyspaceScope { keyspace_id: keyspace.unwrap_or(NULL_KEYSPACE) })
}
