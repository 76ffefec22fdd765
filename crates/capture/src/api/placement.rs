//! Where tables are, and requests to move them. One capture, the owner, follows every table of every changefeed.

use axum::extract::{Path, Query, State as Extract};
use changefeed::FeedError;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{ApiError, ApiResult, List, compact, empty};
use super::changefeeds::owner;
use crate::election::CaptureInfo;

/// The id under which TiCDC counts the stream of DDLs among the tables.
const DDL_TABLE: i64 = 0;

/// Tables on a capture.
#[derive(Serialize)]
struct NodeTables {
    node_id: String,
    table_ids: Vec<i64>,
}

/// Tables of a changefeed on a capture, in classic TiCDC's words.
#[derive(Serialize)]
struct ProcessorTables {
    table_ids: Vec<i64>,
}

/// Number of streams of a changefeed.
#[derive(Serialize)]
struct DispatcherCount {
    count: usize,
}

/// Tables that a drained capture still has.
#[derive(Serialize)]
struct Drained {
    current_table_count: usize,
}

/// Where a table is to go.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct MoveQuery {
    /// Table.
    #[serde(rename = "tableID")]
    table_id: Option<String>,
    /// Capture.
    #[serde(rename = "targetNodeID")]
    target_node_id: Option<String>,
}

/// An error of the scheduler.
fn refused(reason: &str) -> ApiError {
    ApiError(FeedError::new("CDC:ErrSchedulerRequestFailed", format!("scheduler request failed, {reason}")))
}

/// Every registered capture, with whether it is the owner.
async fn captures(state: &Shared) -> Result<Vec<(CaptureInfo, bool)>, ApiError> {
    let captures = state.membership.captures().await;
    captures.map_err(|e| ApiError(FeedError::new("CDC:ErrPDEtcdAPIError", e.to_string())))
}

/// Finds a capture; whether it is the owner.
async fn is_owner(state: &Shared, id: &str) -> Result<bool, ApiError> {
    let found = captures(state).await?.into_iter().find(|(info, _)| info.id == id);
    found.map(|(_, is_owner)| is_owner).ok_or_else(|| {
        ApiError(FeedError::new("CDC:ErrCaptureNotExist", format!("capture not exists, {id}")))
    })
}

/// GET /changefeeds/:id/tables.
pub(crate) async fn tables(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    let mut table_ids = owner(&state)?.table_ids(&id).await?;
    table_ids.insert(0, DDL_TABLE);
    let here = NodeTables { node_id: state.membership.info.id.clone(), table_ids };
    Ok(compact(&List::from(vec![here])))
}

/// GET /changefeeds/:id/get_dispatcher_count: the tables and the stream of DDLs.
pub(crate) async fn dispatcher_count(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    let count = owner(&state)?.table_ids(&id).await?.len() + 1;
    Ok(compact(&DispatcherCount { count }))
}

/// GET /processors/:changefeed/:capture.
pub(crate) async fn processor(
    Extract(state): Extract<Shared>,
    Path((changefeed, capture)): Path<(String, String)>,
) -> ApiResult {
    let owner = owner(&state)?;
    let running = owner.get(&changefeed)?.info.state.is_running();
    let table_ids = if is_owner(&state, &capture).await? && running {
        owner.table_ids(&changefeed).await?
    } else {
        Vec::new()
    };
    Ok(compact(&ProcessorTables { table_ids }))
}

/// POST /captures/:id/drain: only a capture that is not the owner can be drained, and that one has no tables.
pub(crate) async fn drain(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    if captures(&state).await?.len() <= 1 {
        return Err(refused("only one capture alive"));
    }
    if is_owner(&state, &id).await? {
        return Err(refused("cannot drain the owner"));
    }
    Ok(compact(&Drained { current_table_count: 0 }))
}

/// POST /changefeeds/:id/move_table and move_split_table: a table can only be moved to where it is.
pub(crate) async fn move_table(
    Extract(state): Extract<Shared>,
    Path(id): Path<String>,
    Query(query): Query<MoveQuery>,
) -> ApiResult {
    let invalid = |reason: String| ApiError(FeedError::new("CDC:ErrAPIInvalidParam", reason));
    let text = query.table_id.unwrap_or_default();
    let table: i64 = text.parse().map_err(|_| {
        invalid(format!("invalid api parameter: tableID {text:?}: use the number of a table"))
    })?;
    let target = query.target_node_id.unwrap_or_default();
    if !owner(&state)?.table_ids(&id).await?.contains(&table) {
        return Err(invalid(format!("invalid api parameter: changefeed {id} has no table {table}")));
    }
    if is_owner(&state, &target).await? {
        return Ok(empty());
    }
    Err(refused("the owner follows all tables of a changefeed; resign it to move them all"))
}

/// POST /changefeeds/:id/split_table_by_region_count and merge_table.
pub(crate) async fn split_table(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    owner(&state)?.get(&id)?;
    Err(refused("tables are not split: one capture follows a table with all of its regions"))
}
