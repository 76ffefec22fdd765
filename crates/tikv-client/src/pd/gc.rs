//! Safepoints that keep old versions from garbage collection.

use bytes::Bytes;
use tikv_proto::pdpb;

use crate::error::Result;

use super::PdClient;

impl PdClient {
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
