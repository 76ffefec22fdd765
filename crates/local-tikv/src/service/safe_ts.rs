//! The timestamp below which reads of any copy are complete.

use super::TikvService;
use crate::keys::{KeyRange, decode_boundary};
use tikv_proto::kvrpcpb::{StoreSafeTsRequest, StoreSafeTsResponse};
use tonic::Status;

impl TikvService {
    /// `GetStoreSafeTS`: the smallest resolved ts of the regions in a range of encoded keys (none: all regions).
    pub(super) async fn safe_ts(&self, request: StoreSafeTsRequest) -> Result<StoreSafeTsResponse, Status> {
        let range = request.key_range.unwrap_or_default();
        let boundary = |key: &[u8]| {
            decode_boundary(key).ok_or_else(|| Status::invalid_argument("a key of the range is not encoded"))
        };
        let range = KeyRange { start: boundary(&range.start_key)?, end: boundary(&range.end_key)? };
        let now = self.store.placement.timestamp().await;
        let now = now.map_err(|error| Status::unavailable(error.to_string()))?;
        // From here on a one-phase commit is later than `now`, or announced in the lock table.
        self.store.max_ts.update(now);
        let regions = self.store.regions.all();
        let concerned = regions.iter().filter(|region| region.range().intersect(&range).is_some());
        let oldest = concerned.filter_map(|region| self.store.locks.oldest_change(region.id())).min();
        Ok(StoreSafeTsResponse { safe_ts: oldest.map_or(now, |oldest| oldest.min(now)) })
    }
}
