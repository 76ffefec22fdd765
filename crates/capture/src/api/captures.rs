//! Captures and what runs on them.

use axum::extract::State as Extract;
use changefeed::{DEFAULT_KEYSPACE, FeedError};
use serde::Serialize;

use super::Shared;
use super::answer::{ApiError, ApiResult, List, compact, empty};
use super::changefeeds::owner;

/// A capture in the list.
#[derive(Serialize)]
struct CaptureItem {
    id: String,
    is_owner: bool,
    address: String,
    cluster_id: String,
}

/// GET /captures.
pub(crate) async fn list(Extract(state): Extract<Shared>) -> ApiResult {
    let captures = state.membership.captures().await;
    let captures = captures.map_err(|e| ApiError(FeedError::new("CDC:ErrPDEtcdAPIError", e.to_string())))?;
    let item = |(info, is_owner): (crate::election::CaptureInfo, bool)| CaptureItem {
        id: info.id,
        is_owner,
        address: info.address,
        cluster_id: state.cluster_id.clone(),
    };
    let items: Vec<_> = captures.into_iter().map(item).collect();
    Ok(compact(&List::from(items)))
}

/// A changefeed on a capture.
#[derive(Serialize)]
struct ProcessorItem {
    namespace: &'static str,
    changefeed_id: String,
    capture_id: String,
}

/// GET /processors: the owner runs every changefeed.
pub(crate) async fn processors(Extract(state): Extract<Shared>) -> ApiResult {
    let items: Vec<_> = owner(&state)?
        .list()
        .into_iter()
        .filter(|(_, view)| view.info.state.is_running())
        .map(|(changefeed_id, _)| ProcessorItem {
            namespace: DEFAULT_KEYSPACE,
            changefeed_id,
            capture_id: state.membership.info.id.clone(),
        })
        .collect();
    Ok(compact(&List::from(items)))
}

/// POST /owner/resign.
pub(crate) async fn resign(Extract(state): Extract<Shared>) -> ApiResult {
    state.membership.resign();
    Ok(empty())
}
