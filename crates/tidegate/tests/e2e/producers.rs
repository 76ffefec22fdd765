//! Who wrote to a topic, read from the broker's files: each batch carries the id of its producer, and no two processes have
//! the same.

use std::path::Path;

use serde_json::Value;

/// Bytes of a batch before its length.
const LENGTH_AT: usize = 8;
/// Bytes up to the end of its length.
const BODY_AT: usize = 12;
/// Where the producer's id is.
const PRODUCER_AT: usize = 43;
/// Length of a batch's head.
const HEAD: usize = 61;

/// A batch in a partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Offset of its first message.
    pub(crate) offset: i64,
    /// Who wrote it.
    pub(crate) producer: i64,
}

/// A big-endian number.
fn number(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The batches of a segment.
fn batches(mut bytes: &[u8]) -> Vec<Batch> {
    let mut all = Vec::new();
    while bytes.len() >= HEAD {
        let length = u32::from_be_bytes(bytes[LENGTH_AT..BODY_AT].try_into().expect("four bytes"));
        let whole = BODY_AT + usize::try_from(length).expect("a length");
        if whole > bytes.len() {
            break; // being written
        }
        all.push(Batch { offset: number(bytes, 0), producer: number(bytes, PRODUCER_AT) });
        bytes = &bytes[whole..];
    }
    all
}

/// The batches of each partition of a topic, in order, from the data folder of a broker.
pub(crate) fn of_topic(broker: &Path, topic: &str) -> Vec<Vec<Batch>> {
    let text = std::fs::read_to_string(broker.join("topics.json")).expect("the list of topics");
    let topics: Value = serde_json::from_str(&text).expect("JSON");
    let stored = topics.as_array().expect("topics").iter().find(|stored| stored["name"] == topic);
    let id = stored.expect("the topic")["id"].as_str().expect("an id").replace('-', "");
    let folder = broker.join("topics").join(id);
    let mut partitions: Vec<_> = std::fs::read_dir(&folder)
        .expect("partitions")
        .map(|entry| entry.expect("a folder").path())
        .collect();
    partitions.sort();
    partitions
        .iter()
        .map(|partition| {
            let mut segments: Vec<_> = std::fs::read_dir(partition)
                .expect("segments")
                .map(|entry| entry.expect("a file").path())
                .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
                .collect();
            segments.sort();
            segments.iter().flat_map(|path| batches(&std::fs::read(path).expect("a segment"))).collect()
        })
        .collect()
}

/// Batches of a producer that come after those of a later one: two wrote at once.
pub(crate) fn overlaps(partition: &[Batch]) -> Vec<Batch> {
    let mut gone = std::collections::HashSet::new();
    let mut current = None;
    let mut late = Vec::new();
    for batch in partition {
        if current == Some(batch.producer) {
            continue;
        }
        if gone.contains(&batch.producer) {
            late.push(*batch);
            continue;
        }
        gone.extend(current.replace(batch.producer));
    }
    late
}

#[test]
fn a_producer_that_comes_back_is_seen() {
    let log = |producers: &[i64]| -> Vec<Batch> {
        producers.iter().zip(0..).map(|(&producer, offset)| Batch { offset, producer }).collect()
    };
    assert!(overlaps(&log(&[1, 1, 2, 2, 3])).is_empty());
    assert_eq!(overlaps(&log(&[1, 2, 1, 2])), [Batch { offset: 2, producer: 1 }]);
    let mut bytes = vec![0; HEAD];
    bytes[LENGTH_AT + 3] = u8::try_from(HEAD - BODY_AT).expect("short");
    bytes[PRODUCER_AT + 7] = 9;
    assert_eq!(batches(&[bytes.as_slice(), &bytes[..30]].concat()), [Batch { offset: 0, producer: 9 }]);
}
