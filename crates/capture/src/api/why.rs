//! Own routes: what holds a changefeed's checkpoint, and what memory it uses.

use axum::extract::{Path, State as Extract};
use changefeed::{DEFAULT_KEYSPACE, FeedMemory, Why};
use changefeed_config::tso_text;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::Shared;
use super::answer::{ApiResult, compact};
use super::changefeeds::owner;

/// What holds a changefeed's checkpoint, with times in the zone of the capture.
#[derive(Serialize)]
struct WhyAnswer {
    /// The answer.
    #[serde(flatten)]
    why: Why,
    /// Time of the checkpoint.
    checkpoint_time: String,
    /// Since when it has been held, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

impl WhyAnswer {
    /// The answer at `now`.
    fn new(why: Why, now: Timestamp, zone: &TimeZone) -> Self {
        let text = |ms: u64| tso_text(ms << 18, zone);
        let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let since = why
            .held_for
            .map(|held| text(now_ms.saturating_sub(u64::try_from(held.as_millis()).unwrap_or(u64::MAX))));
        Self { checkpoint_time: tso_text(why.checkpoint_ts, zone), since, why }
    }
}

/// GET /changefeeds/:id/why.
pub(crate) async fn why(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    let why = owner(&state)?.why(&id).await?;
    Ok(compact(&WhyAnswer::new(why, Timestamp::now(), &state.time_zone)))
}

/// Memory of a changefeed.
#[derive(Serialize)]
struct MemoryAnswer {
    /// Id of the changefeed.
    id: String,
    /// Keyspace.
    keyspace: &'static str,
    /// The accounts.
    #[serde(flatten)]
    memory: FeedMemory,
}

/// GET /changefeeds/:id/memory.
pub(crate) async fn memory(Extract(state): Extract<Shared>, Path(id): Path<String>) -> ApiResult {
    let memory = owner(&state)?.memory(&id)?;
    Ok(compact(&MemoryAnswer { id, keyspace: DEFAULT_KEYSPACE, memory }))
}
