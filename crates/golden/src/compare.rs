//! Compares messages with recorded ones, but for what may differ.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::align::{Pair, align, without_row_order};
use crate::exceptions;
use crate::feed::LOGICAL_BITS;
use crate::message::{Comparable, Sent};
use crate::{Difference, GoldenError, Recording, Variant};

/// How our run over a recording ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Everything was sent.
    Complete,
    /// A table lost its key: everything up to the checkpoint was sent, and nothing can be said of what follows.
    Refused {
        /// The checkpoint.
        checkpoint_ts: u64,
        /// The reason, for the report.
        reason: String,
    },
}

/// The outcome of a comparison.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Messages that are alike, without watermarks.
    pub alike: usize,
    /// Recorded messages that repeat an earlier one, and which we sent less often.
    pub repeated: usize,
    /// What is not as recorded.
    pub differences: Vec<Difference>,
    /// What was not compared, and why.
    pub notes: Vec<String>,
}

/// Partition, schema and table: messages of one stream are in order, others are not.
pub(crate) type Stream = (u32, String, String);

/// Messages by stream.
pub(crate) type Streams = BTreeMap<Stream, Vec<Comparable>>;

/// Compares our messages with those of a variant.
///
/// # Errors
/// If the recording can't be read, or a message of ours is no JSON object.
pub fn compare(
    recording: &Recording,
    variant: &Variant,
    ours: &[Sent],
    ending: &Ending,
) -> Result<Comparison, GoldenError> {
    let mut comparison = Comparison::default();
    let mut expected = Streams::new();
    for recorded in recording.messages(&variant.name)? {
        let value = exceptions::corrected(&recording.name, &recorded.value);
        let message = Comparable::new(recorded.key.as_deref(), &value)?;
        add(&mut expected, &recording.name, recorded.partition, message);
    }
    let mut actual = Streams::new();
    for sent in ours {
        let message = Comparable::new(sent.key.as_deref(), &sent.value)?;
        add(&mut actual, &recording.name, sent.partition, message);
    }
    cut(&mut expected, &mut actual, ending, &mut comparison.notes);
    leave_out_gaps(recording, &mut expected, &mut comparison.notes);
    let partitioned = partitioned(&expected);
    let is_late = |(_, schema, table): &Stream| exceptions::got_a_key(&recording.name, schema, table);
    if exceptions::has_table_that_got_a_key(&recording.name) && !actual.keys().any(is_late) {
        comparison
            .differences
            .push(Difference::ours("tables that got a key", "are not replicated from then on"));
    }
    let streams: BTreeSet<Stream> = expected.keys().chain(actual.keys()).cloned().collect();
    for stream in streams {
        let left = expected.get(&stream).map_or(&[][..], Vec::as_slice);
        let right = actual.get(&stream).map_or(&[][..], Vec::as_slice);
        let (partition, schema, table) = &stream;
        let place = format!("partition {partition} `{schema}`.`{table}`");
        if left.is_empty() && is_late(&stream) {
            let alike = exceptions::check_forced(recording, &place, right, &mut comparison.differences)?;
            comparison
                .notes
                .push(format!("{alike} messages of {schema}.{table}, which got a key: as if forced"));
            comparison.alike += alike;
            continue;
        }
        let without_order = partitioned.contains(&(schema.clone(), table.clone()));
        compare_stream(&place, left, right, without_order, &mut comparison);
    }
    if comparison.repeated > 0 {
        let note = format!("{} recorded messages repeat earlier ones, which we do not", comparison.repeated);
        comparison.notes.push(note);
    }
    Ok(comparison)
}

/// Puts a message into its stream; watermarks belong to none.
fn add(streams: &mut Streams, script: &str, partition: u32, message: Option<Comparable>) {
    let Some(message) = message else { return };
    let partition = exceptions::partition(script, &message.schema, &message.table, partition);
    let stream = (partition, message.schema.clone(), message.table.clone());
    streams.entry(stream).or_default().push(message);
}

/// Leaves out what lies behind the end of our run.
fn cut(expected: &mut Streams, actual: &mut Streams, ending: &Ending, notes: &mut Vec<String>) {
    let Ending::Refused { checkpoint_ts, reason } = ending else { return };
    let last = checkpoint_ts >> LOGICAL_BITS;
    let mut count = 0;
    for (which, streams) in [expected, actual].into_iter().enumerate() {
        for messages in streams.values_mut() {
            let before = messages.len();
            messages.retain(|message| message.es <= last);
            count += if which == 0 { before - messages.len() } else { 0 };
        }
    }
    notes.push(format!(
        "stopped at {checkpoint_ts} as it must ({reason}); {count} later recorded messages not compared"
    ));
}

/// Leaves out recorded rows that the recorded stream of the store does not have. What we send of them all the same is a
/// difference.
fn leave_out_gaps(recording: &Recording, expected: &mut Streams, notes: &mut Vec<String>) {
    for gap in &recording.gaps {
        let mut count = 0;
        for messages in expected.values_mut() {
            let before = messages.len();
            messages.retain(|message| message.is_ddl || !gap.lacks(message.es));
            count += before - messages.len();
        }
        notes.push(format!(
            "feed.bin has no rows of region {} committed after {} (lost in frame {}): {count} recorded rows not compared",
            gap.region, gap.after_ts, gap.frame
        ));
    }
}

/// Tables with partitions: their rows have no order between two DDLs.
fn partitioned(streams: &Streams) -> HashSet<(String, String)> {
    let ddls = streams.values().flatten().filter(|message| message.is_partitioned);
    ddls.map(|message| (message.schema.clone(), message.table.clone())).collect()
}

/// Compares one stream.
pub(crate) fn compare_stream(
    place: &str,
    expected: &[Comparable],
    actual: &[Comparable],
    without_order: bool,
    comparison: &mut Comparison,
) {
    let (mut left, mut right): (Vec<_>, Vec<_>) = (expected.iter().collect(), actual.iter().collect());
    if without_order {
        without_row_order(&mut left);
        without_row_order(&mut right);
    }
    let shown = |message: &Comparable| match &message.key {
        Some(key) if key.is_empty() => message.text.clone(),
        Some(key) => format!("{} (key {})", message.text, String::from_utf8_lossy(key)),
        None => format!("{} (no key)", message.text),
    };
    // The reference system delivers at least once. Our run has no failure, so it has no reason to repeat anything.
    let mut seen = HashSet::new();
    let repeated: HashSet<&str> =
        expected.iter().map(|message| message.text.as_str()).filter(|text| !seen.insert(*text)).collect();
    for (at, pair) in align(&left, &right, Comparable::same).into_iter().enumerate() {
        let (recorded, ours) = match pair {
            Pair::Same => {
                comparison.alike += 1;
                continue;
            }
            Pair::Differ(recorded, ours) => (Some(shown(recorded)), Some(shown(ours))),
            Pair::Left(recorded) if repeated.contains(recorded.text.as_str()) => {
                comparison.repeated += 1;
                continue;
            }
            Pair::Left(recorded) => (Some(shown(recorded)), None),
            Pair::Right(ours) => (None, Some(shown(ours))),
        };
        comparison.differences.push(Difference { place: format!("{place} message {at}"), recorded, ours });
    }
}

#[cfg(test)]
mod tests;
