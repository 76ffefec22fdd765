//! Tables that a configuration selects.

use axum::body::Bytes;
use axum::extract::State as Extract;

use super::Shared;
use super::answer::{ApiResult, body, compact};
use super::changefeeds::{owner, replica_config};
use super::models::{Tables, VerifyRequest};

/// POST /verify_table.
pub(crate) async fn verify(Extract(state): Extract<Shared>, bytes: Bytes) -> ApiResult {
    let request: VerifyRequest = body(&bytes)?;
    let config = replica_config(request.replica_config)?;
    let lists = owner(&state)?.verify_tables(&config, request.start_ts).await?;
    let items = |tables: Vec<changefeed::TableName>| tables.into_iter().map(Into::into).collect();
    Ok(compact(&Tables {
        ineligible_tables: items(lists.ineligible),
        eligible_tables: items(lists.eligible),
        all_tables: items(lists.all),
    }))
}
