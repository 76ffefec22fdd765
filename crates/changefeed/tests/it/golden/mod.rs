//! Recordings of the reference system through the pipeline.

use std::sync::Arc;

use changefeed::FeedError;
use changefeed::replay::{Order, Replay, Replayed, Tape, TapeRegion, replay};
use changefeed_config::api_json;
use golden::{Comparison, Ending, GoldenError, Recording, Sent, Variant, check_watermarks, compare};

/// The code of the error with which a changefeed stops when a table has lost its key.
const INELIGIBLE: &str = "CDC:ErrTableIneligible";

/// Why a recording could not be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// Its files.
    #[error(transparent)]
    Golden(#[from] GoldenError),
    /// The changefeed refused its configuration, or stood still.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Something else of the recording.
    #[error("{0}")]
    Recording(String),
}

/// What came out.
pub(crate) struct Checked {
    /// Messages alike, differences, notes.
    pub(crate) comparison: Comparison,
    /// Watermarks of ours.
    pub(crate) watermarks: usize,
}

/// The tape of a recording.
pub(crate) fn tape(recording: &Recording) -> Arc<Tape> {
    let region =
        |region: &golden::Region| TapeRegion::new(region.id, region.version, &region.start, &region.end);
    Arc::new(Tape::new(recording.regions.iter().map(region).collect(), recording.frames.clone()))
}

/// Replays a recording with the settings of one changefeed and compares the messages.
pub(crate) async fn check(
    recording: &Recording,
    tape: Arc<Tape>,
    variant: &Variant,
    order: Order,
) -> Result<Checked, CheckError> {
    let replayed = run(recording, tape, variant, order, 0).await?;
    let (ending, end_ts) = match &replayed.error {
        None => (Ending::Complete, recording.end_ts),
        // A stop is right where the classic capture stops, too.
        Some(error) if error.code == INELIGIBLE && recording.refusal(&variant.name).is_some() => {
            let checkpoint_ts = replayed.checkpoint_ts;
            (Ending::Refused { checkpoint_ts, reason: error.message.clone() }, 0)
        }
        Some(error) => return Err(error.clone().into()),
    };
    let sent = replayed.messages.into_iter().map(sent).collect::<Result<Vec<_>, _>>()?;
    let mut comparison = compare(recording, variant, &sent, &ending)?;
    let watermarks = check_watermarks(recording, variant, &sent, end_ts, &mut comparison.differences)?;
    Ok(Checked { comparison, watermarks })
}

/// Replays a recording with the settings of one changefeed: up to `target_ts`, or if that is zero to the end of the
/// script.
pub(crate) async fn run(
    recording: &Recording,
    tape: Arc<Tape>,
    variant: &Variant,
    order: Order,
    target_ts: u64,
) -> Result<Replayed, CheckError> {
    let scratch = tempfile::tempdir().map_err(|error| CheckError::Recording(error.to_string()))?;
    let config = api_json::from_api(variant.replica_config.clone()).map_err(FeedError::from)?;
    let partitions =
        i32::try_from(variant.partitions).map_err(|error| CheckError::Recording(error.to_string()))?;
    let request = Replay {
        sink_uri: format!("kafka://127.0.0.1:9092/golden?{}", variant.sink_uri_query),
        config,
        partitions,
        // The captures ran with --tz=UTC.
        time_zone: jiff::tz::TimeZone::UTC,
        meta: recording.meta.clone(),
        tape,
        start_ts: recording.start_ts,
        until_ts: if target_ts == 0 { recording.end_ts } else { u64::MAX },
        target_ts,
        scratch: scratch.path().to_owned(),
        order,
    };
    Ok(replay(request).await?)
}

/// A message in the terms of the comparison.
fn sent(message: changefeed::replay::Delivered) -> Result<Sent, CheckError> {
    let wrong = |what: String| CheckError::Recording(what);
    Ok(Sent {
        partition: u32::try_from(message.partition).map_err(|error| wrong(error.to_string()))?,
        key: message.key,
        value: String::from_utf8(message.value).map_err(|error| wrong(error.to_string()))?,
    })
}
