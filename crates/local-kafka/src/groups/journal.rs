//! The journal of committed offsets: appended and synced by its own thread, rewritten when mostly obsolete.
//!
//! A record is: length u32, CRC-32C u32, payload (big endian). Reading stops at the first record which is not intact.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::{Buf, BufMut};
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::offsets::{CommitError, Committed, OffsetMap};
use crate::error::StartError;
use crate::limits::{IO_ROUND_JOBS, JOURNAL_QUEUE, JOURNAL_SLACK_BYTES, MAX_JOURNAL_RECORD};
use crate::platform;

/// Name of the journal file.
const FILE: &str = "group-offsets.journal";
/// Bytes in front of a payload.
const FRAME: usize = 8;

/// A change of the committed offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// An offset was committed.
    Set {
        /// Group.
        group: String,
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// What was committed.
        committed: Committed,
    },
    /// An offset was removed.
    Remove {
        /// Group.
        group: String,
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// All offsets of a group were removed.
    RemoveGroup {
        /// Group.
        group: String,
    },
}

/// Changes with the place to tell their outcome.
#[derive(Debug)]
pub(super) struct JournalJob {
    /// What changes.
    pub(super) changes: Vec<Change>,
    /// Told when everything is durable and visible.
    pub(super) reply: oneshot::Sender<Result<(), CommitError>>,
}

/// Waits for the journal thread to end.
#[derive(Debug)]
pub(crate) struct JournalJoin(JoinHandle<()>);

impl JournalJoin {
    /// Blocks until the queue is worked off. The queue must be dropped before.
    pub(crate) fn join(self) {
        let _ = self.0.join();
    }
}

/// Reads the journal in `dir` into `map` and starts its thread.
pub(super) fn start(
    dir: &Path,
    map: Arc<RwLock<OffsetMap>>,
) -> Result<(mpsc::Sender<JournalJob>, JournalJoin), StartError> {
    let path = dir.join(FILE);
    let failed = |source| StartError::Storage { path: path.clone(), source };
    let mut journal = Journal::open(path.clone(), &mut map.write()).map_err(failed)?;
    let (queue, jobs) = mpsc::channel(JOURNAL_QUEUE);
    let thread = thread::Builder::new().name("kafka-journal".into()).spawn(move || journal.run(jobs, &map));
    Ok((queue, JournalJoin(thread.map_err(failed)?)))
}

/// The open journal.
struct Journal {
    /// Its path.
    path: PathBuf,
    /// The file, positioned at its end.
    file: File,
    /// Bytes in the file.
    size: u64,
    /// Bytes after the last rewrite.
    live: u64,
    /// A write failed: the file is rewritten before the next one.
    broken: bool,
}

impl Journal {
    /// Opens the journal and replays it into `map`; a torn tail is cut.
    fn open(path: PathBuf, map: &mut OffsetMap) -> io::Result<Self> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let mut rest = content.as_slice();
        while let Some(change) = next_change(&mut rest) {
            map.apply(change);
        }
        let size = (content.len() - rest.len()) as u64;
        if !rest.is_empty() {
            warn!(path = %path.display(), bytes = rest.len(), "cutting a torn tail");
            file.set_len(size)?;
            file.sync_all()?;
        }
        file.seek(SeekFrom::Start(size))?;
        path.parent().map_or(Ok(()), platform::sync_dir)?;
        let mut journal = Self { path, file, size, live: 0, broken: false };
        journal.rewrite_if_due(map)?;
        Ok(journal)
    }

    /// The journal thread.
    fn run(&mut self, mut jobs: mpsc::Receiver<JournalJob>, map: &RwLock<OffsetMap>) {
        let mut round = Vec::new();
        while jobs.blocking_recv_many(&mut round, IO_ROUND_JOBS) > 0 {
            let outcome = self.write(&round, map).map_err(|e| {
                error!(path = %self.path.display(), error = %e, "cannot store committed offsets");
                self.broken = true;
                CommitError::Storage
            });
            let mut map = map.write();
            for JournalJob { changes, reply } in round.drain(..) {
                if outcome.is_ok() {
                    changes.into_iter().for_each(|c| map.apply(c));
                }
                let _ = reply.send(outcome);
            }
        }
    }

    /// Appends the changes of all jobs and forces them to disk.
    fn write(&mut self, jobs: &[JournalJob], map: &RwLock<OffsetMap>) -> io::Result<()> {
        if self.broken {
            self.rewrite(&map.read())?;
            self.broken = false;
        }
        self.rewrite_if_due(&map.read())?;
        let mut bytes = Vec::new();
        for change in jobs.iter().flat_map(|j| &j.changes) {
            put_change(change, &mut bytes);
        }
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Rewrites the file once most of it is obsolete.
    fn rewrite_if_due(&mut self, map: &OffsetMap) -> io::Result<()> {
        if self.size > self.live.saturating_mul(2) + JOURNAL_SLACK_BYTES { self.rewrite(map) } else { Ok(()) }
    }

    /// Replaces the file by one which holds just the present offsets.
    fn rewrite(&mut self, map: &OffsetMap) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (group, offsets) in &map.groups {
            for ((topic, partition), committed) in offsets {
                let (group, topic) = (group.clone(), topic.clone());
                let change =
                    Change::Set { group, topic, partition: *partition, committed: committed.clone() };
                put_change(&change, &mut bytes);
            }
        }
        platform::replace_file(&self.path, &bytes)?;
        self.file = File::options().read(true).write(true).open(&self.path)?;
        self.size = fs::metadata(&self.path)?.len();
        self.live = self.size;
        self.file.seek(SeekFrom::End(0))?;
        Ok(())
    }
}

/// Appends one record.
fn put_change(change: &Change, out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    match change {
        Change::Set { group, topic, partition, committed } => {
            payload.put_u8(1);
            put_text(group, &mut payload);
            put_text(topic, &mut payload);
            payload.put_i32(*partition);
            payload.put_i64(committed.offset);
            payload.put_i32(committed.leader_epoch);
            payload.put_i64(committed.at_ms);
            put_text(&committed.metadata, &mut payload);
        }
        Change::Remove { group, topic, partition } => {
            payload.put_u8(2);
            put_text(group, &mut payload);
            put_text(topic, &mut payload);
            payload.put_i32(*partition);
        }
        Change::RemoveGroup { group } => {
            payload.put_u8(3);
            put_text(group, &mut payload);
        }
    }
    out.put_u32(u32::try_from(payload.len()).unwrap_or(u32::MAX));
    out.put_u32(crc32c::crc32c(&payload));
    out.put_slice(&payload);
}

/// Appends a text; protocol strings are at most 32767 bytes long.
fn put_text(text: &str, out: &mut Vec<u8>) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.extend(text.bytes().take(usize::from(length)));
}

/// Takes the next record; `None` at the end or at a record which is not intact.
fn next_change(rest: &mut &[u8]) -> Option<Change> {
    let mut bytes = *rest;
    let length = usize::try_from(bytes.try_get_u32().ok()?).ok().filter(|l| *l <= MAX_JOURNAL_RECORD)?;
    let crc = bytes.try_get_u32().ok()?;
    let mut payload = bytes.get(..length)?;
    if crc32c::crc32c(payload) != crc {
        return None;
    }
    let tag = payload.try_get_u8().ok()?;
    let group = take_text(&mut payload)?;
    let change = match tag {
        1 => Change::Set {
            group,
            topic: take_text(&mut payload)?,
            partition: payload.try_get_i32().ok()?,
            committed: take_committed(&mut payload)?,
        },
        2 => {
            Change::Remove { group, topic: take_text(&mut payload)?, partition: payload.try_get_i32().ok()? }
        }
        3 => Change::RemoveGroup { group },
        _ => return None,
    };
    *rest = rest.get(FRAME + length..)?;
    Some(change)
}

/// Takes a committed offset.
fn take_committed(payload: &mut &[u8]) -> Option<Committed> {
    let offset = payload.try_get_i64().ok()?;
    let leader_epoch = payload.try_get_i32().ok()?;
    let at_ms = payload.try_get_i64().ok()?;
    Some(Committed { offset, leader_epoch, at_ms, metadata: take_text(payload)? })
}

/// Takes a text.
fn take_text(payload: &mut &[u8]) -> Option<String> {
    let length = usize::from(payload.try_get_u16().ok()?);
    let (text, rest) = payload.split_at_checked(length)?;
    *payload = rest;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(group: &str, topic: &str, partition: i32, offset: i64) -> Change {
        let committed = Committed { offset, leader_epoch: 0, metadata: "m".into(), at_ms: 5 };
        Change::Set { group: group.into(), topic: topic.into(), partition, committed }
    }

    #[test]
    fn a_journal_replays_to_the_same_offsets_after_any_cut() {
        let changes = [
            set("g", "t", 0, 1),
            set("g", "t", 0, 2),
            set("h", "t", 1, 3),
            Change::Remove { group: "g".into(), topic: "t".into(), partition: 0 },
            Change::RemoveGroup { group: "h".into() },
        ];
        let mut bytes = Vec::new();
        let mut ends = vec![0];
        for c in &changes {
            put_change(c, &mut bytes);
            ends.push(bytes.len());
        }
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|e| **e <= cut).count() - 1;
            let mut rest = &bytes[..cut];
            let mut read = Vec::new();
            while let Some(c) = next_change(&mut rest) {
                read.push(c);
            }
            assert_eq!(read, changes[..whole]);
        }
    }

    #[test]
    fn the_journal_is_rewritten_when_most_of_it_is_obsolete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut bytes = Vec::new();
        for i in 0..100_000 {
            put_change(&set("group", "topic", 0, i), &mut bytes);
        }
        fs::write(&path, &bytes).unwrap();
        let mut map = OffsetMap::default();
        let journal = Journal::open(path.clone(), &mut map).unwrap();
        assert!(journal.size < 200, "{}", journal.size);
        assert_eq!(fs::metadata(&path).unwrap().len(), journal.size);
        assert_eq!(map.groups["group"][&("topic".to_owned(), 0)].offset, 99_999);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut rest = bytes.as_slice();
            while next_change(&mut rest).is_some() {}
        }
    }
}
