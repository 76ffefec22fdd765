//! Replays recordings of real systems through the encoder, with a matcher and an order of their own, and compares the
//! messages. The pipeline of a changefeed has such a test, too; this one shows that the encoder alone is right.
//!
//! Pure but for reading the files. The example `golden` runs it over a folder from the command line.

mod matcher;
mod replay;
mod settings;

use change_format::encode_watermark;
use golden::{Comparison, Ending, GoldenError, Recording, Variant, compare};
use serde_json::Value;

/// Replays a recording with the settings of one changefeed and compares the messages.
pub(crate) fn check(recording: &Recording, variant: &Variant) -> Result<Comparison, String> {
    let ours = replay::messages(recording, variant)?;
    let describe = |error: GoldenError| error.to_string();
    check_watermarks(&recording.messages(&variant.name).map_err(describe)?)?;
    compare(recording, variant, &ours, &Ending::Complete).map_err(describe)
}

/// Watermarks are encoded as recorded.
fn check_watermarks(recorded: &[golden::Recorded]) -> Result<(), String> {
    for message in recorded.iter().filter(|message| message.value.contains("TIDB_WATERMARK")) {
        let value: Value = serde_json::from_str(&message.value).map_err(|error| error.to_string())?;
        let (ts, now) = (value["_tidb"]["watermarkTs"].as_u64(), value["ts"].as_u64());
        let ours = encode_watermark(ts.unwrap_or(0), now.unwrap_or(0));
        if ours != message.value.as_bytes() {
            return Err(format!("watermark {} is {}", message.value, String::from_utf8_lossy(&ours)));
        }
    }
    Ok(())
}
