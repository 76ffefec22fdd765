//! Changefeeds.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse as _;
use changefeed::{CreateRequest, FeedError, Owner, UpdateRequest};
use changefeed_config::{ReplicaConfig, State, api_json, physical_time, tso_text};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{ApiError, ApiResult, List, body, compact, empty, null};
use super::models::{
    ChangefeedConfig, ChangefeedInfo, ChangefeedItem, ChangefeedStatus, ResumeRequest, Synced, config_toml,
};
use super::{ApiState, Shared};

/// The owner part of this capture.
pub(super) fn owner(state: &ApiState) -> Result<Arc<Owner>, ApiError> {
    state
        .membership
        .owner()
        .ok_or_else(|| ApiError(FeedError::new("CDC:ErrNotOwner", "this capture is not a owner")))
}

/// The query of the list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ListQuery {
    /// A state, `all`, or nothing.
    #[serde(default)]
    state: String,
}

/// GET /changefeeds.
pub(crate) async fn list(Extract(state): Extract<Shared>, Query(query): Query<ListQuery>) -> ApiResult {
    let shown = |feed: State| match query.state.as_str() {
        "" => !matches!(feed, State::Finished | State::Removed),
        "all" => true,
        wanted => feed.name() == wanted,
    };
    let items: Vec<_> = owner(&state)?
        .list()
        .into_iter()
        .filter(|(_, view)| shown(view.info.state))
        .map(|(id, view)| ChangefeedItem::new(id, &view, &state.time_zone))
        .collect();
    Ok(compact(&List::from(items)))
}

/// The content type of TOML.
pub(super) const TOML: &str = "application/toml";

/// Whether a caller asks for TOML.
fn wants_toml(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(TOML))
}

/// GET /changefeeds/:id: the changefeed, or with `Accept: application/toml` its configuration as a file.
pub(crate) async fn query(
    Extract(state): Extract<Shared>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult {
    let view = owner(&state)?.get(&id)?;
    if wants_toml(&headers) {
        let content_type = format!("{TOML}; charset=utf-8");
        return Ok(([(header::CONTENT_TYPE, content_type)], config_toml(&view.info.config)?).into_response());
    }
    let info = ChangefeedInfo::new(&id, &view, &state.time_zone);
    Ok(compact(&info.run_by(&state.membership.info.address)))
}

/// GET /changefeeds/:id/status.
pub(crate) async fn status(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    Ok(compact(&ChangefeedStatus::new(&owner(&state)?.get(&id)?)))
}

/// The configuration of a request.
pub(super) fn replica_config(json: Option<Value>) -> Result<ReplicaConfig, ApiError> {
    let unknown = json.as_ref().map(api_json::unknown_keys).unwrap_or_default();
    if !unknown.is_empty() {
        tracing::warn!(
            keys = unknown.join(", "),
            "a request's replica_config has unknown keys; they have no effect"
        );
    }
    let config = json.map(api_json::from_api).transpose()?.unwrap_or_default();
    for sentence in config.without_effect() {
        tracing::warn!("a request's replica_config: {sentence}");
    }
    Ok(config)
}

/// POST /changefeeds.
pub(crate) async fn create(Extract(state): Extract<Shared>, bytes: Bytes) -> ApiResult {
    let request: ChangefeedConfig = body(&bytes)?;
    let request = CreateRequest {
        id: request.changefeed_id,
        start_ts: request.start_ts.unwrap_or(0),
        target_ts: request.target_ts.unwrap_or(0),
        sink_uri: request.sink_uri.unwrap_or_default(),
        config: replica_config(request.replica_config)?,
    };
    let (id, view) = owner(&state)?.create(request).await?;
    Ok(compact(&ChangefeedInfo::new(&id, &view, &state.time_zone)))
}

/// PUT /changefeeds/:id.
pub(crate) async fn update(
    Extract(state): Extract<Shared>,
    Path(id): Path<String>,
    bytes: Bytes,
) -> ApiResult {
    let request: ChangefeedConfig = body(&bytes)?;
    if request.start_ts.unwrap_or(0) != 0 {
        return Err(ApiError(FeedError::new("CDC:ErrAPIInvalidParam", "start_ts can not be updated")));
    }
    let config = request.replica_config.map(|json| replica_config(Some(json))).transpose()?;
    let request = UpdateRequest {
        target_ts: request.target_ts,
        sink_uri: request.sink_uri.filter(|uri| !uri.is_empty()),
        config,
    };
    let view = owner(&state)?.update(&id, request).await?;
    Ok(compact(&ChangefeedInfo::new(&id, &view, &state.time_zone)))
}

/// DELETE /changefeeds/:id.
pub(crate) async fn remove(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    Ok(if owner(&state)?.remove(&id).await?.is_some() { empty() } else { null() })
}

/// POST /changefeeds/:id/pause.
pub(crate) async fn pause(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    owner(&state)?.pause(&id).await?;
    Ok(empty())
}

/// POST /changefeeds/:id/resume.
pub(crate) async fn resume(
    Extract(state): Extract<Shared>,
    Path(id): Path<String>,
    bytes: Bytes,
) -> ApiResult {
    let request: ResumeRequest = body(&bytes)?;
    let checkpoint = Some(request.overwrite_checkpoint_ts).filter(|ts| *ts != 0);
    owner(&state)?.resume(&id, checkpoint).await?;
    Ok(empty())
}

/// GET /changefeeds/:id/synced.
pub(crate) async fn synced(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    let owner = owner(&state)?;
    let view = owner.get(&id)?;
    let now = owner.now().await?;
    let settings = &view.info.config.synced_status;
    let behind = |ts: u64| (physical_time(now).as_millisecond() - physical_time(ts).as_millisecond()) / 1000;
    let synced =
        view.info.state == State::Normal && behind(view.checkpoint_ts) < settings.checkpoint_interval;
    let zone = &state.time_zone;
    let info =
        if synced { "The data syncing is finished" } else { "The data syncing is not finished, please wait" };
    Ok(compact(&Synced {
        synced,
        sink_checkpoint_ts: tso_text(view.checkpoint_ts, zone),
        puller_resolved_ts: tso_text(view.resolved_ts, zone),
        last_synced_ts: tso_text(0, zone),
        now_ts: tso_text(now, zone),
        info: info.to_owned(),
    }))
}
