//! Watermarks, by their meaning.

use std::collections::BTreeMap;

use crate::feed::LOGICAL_BITS;
use crate::fields::Fields;
use crate::message::Sent;
use crate::{Difference, GoldenError, Recording, Variant};

/// What a partition has said.
#[derive(Default)]
struct Partition {
    /// The last watermark.
    watermark: u64,
    /// Watermarks so far.
    count: usize,
}

/// The text of a watermark without what differs from one to the next.
fn shape(fields: &Fields) -> String {
    fields.render(|name| !matches!(name, "ts" | "es" | "_tidb"))
}

/// Checks that watermarks have the recorded form, that none stands before a row or DDL at or below it, and that every
/// partition has one at or past `end_ts`. Returns their number.
///
/// # Errors
/// If the recording can't be read, or a message of ours is no JSON object.
pub fn check_watermarks(
    recording: &Recording,
    variant: &Variant,
    ours: &[Sent],
    end_ts: u64,
    differences: &mut Vec<Difference>,
) -> Result<usize, GoldenError> {
    let mut recorded = None;
    for message in recording.messages(&variant.name)? {
        let fields = Fields::parse(&message.value)?;
        if fields.string("type") == "TIDB_WATERMARK" {
            recorded = Some((message.key, shape(&fields)));
            break;
        }
    }
    let mut partitions: BTreeMap<u32, Partition> = BTreeMap::new();
    for sent in ours {
        let fields = Fields::parse(&sent.value)?;
        let partition = partitions.entry(sent.partition).or_default();
        if fields.string("type") != "TIDB_WATERMARK" {
            let commit_ts = fields.extension("commitTs").unwrap_or(u64::MAX);
            if partition.count > 0 && commit_ts <= partition.watermark {
                let place = format!("partition {}: after watermark {}", sent.partition, partition.watermark);
                differences.push(Difference::ours(place, &sent.value));
            }
            continue;
        }
        let ts = fields.extension("watermarkTs").unwrap_or(0);
        let place = || format!("watermark on partition {}", sent.partition);
        if recorded.as_ref() != Some(&(sent.key.clone(), shape(&fields))) {
            let recorded = recorded.as_ref().map(|(_, shape)| shape.clone());
            differences.push(Difference { place: place(), recorded, ours: Some(shape(&fields)) });
        }
        if fields.number("es") != Some(ts >> LOGICAL_BITS) || ts < partition.watermark {
            differences.push(Difference::ours(place(), &sent.value));
        }
        partition.watermark = ts;
        partition.count += 1;
    }
    for number in 0..variant.partitions {
        let partition = partitions.get(&number);
        if recorded.is_some() && partition.is_none_or(|partition| partition.watermark < end_ts) {
            let last = partition.map_or(0, |partition| partition.watermark);
            differences.push(Difference {
                place: format!("last watermark of partition {number}"),
                recorded: Some(format!("at least {end_ts}")),
                ours: Some(last.to_string()),
            });
        }
    }
    Ok(partitions.values().map(|partition| partition.count).sum())
}
