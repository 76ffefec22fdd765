//! Committed offsets: in memory for reading, in a journal for keeping.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};

use super::journal::{self, Change, JournalJob, JournalJoin};
use crate::error::StartError;
use crate::limits::MAX_COMMITTED_OFFSETS;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Next offset to read.
    pub(crate) offset: i64,
    /// Leader epoch the consumer knew, or -1.
    pub(crate) leader_epoch: i32,
    /// Text of the consumer's choosing.
    pub(crate) metadata: String,
    /// Time of the commit (milliseconds since the Unix epoch).
    pub(crate) at_ms: i64,
}

/// Why offsets were not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommitError {
    /// The journal could not be written; details are in the log output.
    #[error("the offsets could not be stored")]
    Storage,
    /// The broker keeps as many offsets as it can.
    #[error("the broker keeps at most {MAX_COMMITTED_OFFSETS} offsets")]
    Full,
}

/// Offsets by topic and partition.
pub(super) type GroupOffsets = HashMap<(String, i32), Committed>;

/// All offsets in memory.
#[derive(Debug, Default)]
pub(super) struct OffsetMap {
    /// By group.
    pub(super) groups: HashMap<String, GroupOffsets>,
    /// Offsets over all groups.
    pub(super) count: usize,
}

impl OffsetMap {
    /// Carries out a change.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Set { group, topic, partition, committed } => {
                let offsets = self.groups.entry(group).or_default();
                if offsets.insert((topic, partition), committed).is_none() {
                    self.count += 1;
                }
            }
            Change::Remove { group, topic, partition } => {
                if let Some(offsets) = self.groups.get_mut(&group) {
                    self.count -= usize::from(offsets.remove(&(topic, partition)).is_some());
                    if offsets.is_empty() {
                        self.groups.remove(&group);
                    }
                }
            }
            Change::RemoveGroup { group } => {
                self.count -= self.groups.remove(&group).map_or(0, |o| o.len());
            }
        }
    }
}

/// The committed offsets of all groups.
#[derive(Debug)]
pub(crate) struct OffsetStore {
    /// In memory; changed only by the journal thread, after the change is on disk.
    map: Arc<RwLock<OffsetMap>>,
    /// Queue of the journal thread.
    queue: mpsc::Sender<JournalJob>,
}

impl OffsetStore {
    /// Reads the journal in `dir` and starts its thread.
    pub(crate) fn open(dir: &Path) -> Result<(Self, JournalJoin), StartError> {
        let map = Arc::new(RwLock::new(OffsetMap::default()));
        let (queue, thread) = journal::start(dir, Arc::clone(&map))?;
        Ok((Self { map, queue }, thread))
    }

    /// Stores offsets of a group durably.
    pub(crate) async fn commit(
        &self,
        group: &str,
        offsets: Vec<(String, i32, Committed)>,
    ) -> Result<(), CommitError> {
        if self.map.read().count.saturating_add(offsets.len()) > MAX_COMMITTED_OFFSETS {
            return Err(CommitError::Full);
        }
        let set = |(topic, partition, committed)| Change::Set {
            group: group.to_owned(),
            topic,
            partition,
            committed,
        };
        self.change(offsets.into_iter().map(set).collect()).await
    }

    /// One committed offset.
    pub(crate) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        let map = self.map.read();
        map.groups.get(group)?.get(&(topic.to_owned(), partition)).cloned()
    }

    /// All committed offsets of a group, by topic and partition.
    pub(crate) fn all(&self, group: &str) -> Vec<(String, i32, Committed)> {
        let map = self.map.read();
        let offsets = map.groups.get(group).into_iter().flatten();
        let mut all: Vec<_> = offsets.map(|((t, p), c)| (t.clone(), *p, c.clone())).collect();
        all.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        all
    }

    /// Whether a group has committed offsets.
    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.map.read().groups.contains_key(group)
    }

    /// Groups with committed offsets.
    pub(crate) fn groups(&self) -> Vec<String> {
        self.map.read().groups.keys().cloned().collect()
    }

    /// Removes some offsets of a group.
    pub(crate) async fn remove(&self, group: &str, offsets: Vec<(String, i32)>) -> Result<(), CommitError> {
        let remove = |(topic, partition)| Change::Remove { group: group.to_owned(), topic, partition };
        self.change(offsets.into_iter().map(remove).collect()).await
    }

    /// Removes all offsets of a group.
    pub(crate) async fn remove_group(&self, group: &str) -> Result<(), CommitError> {
        self.change(vec![Change::RemoveGroup { group: group.to_owned() }]).await
    }

    /// Removes the offsets of a deleted topic in all groups.
    pub(crate) async fn remove_topic(&self, topic: &str) -> Result<(), CommitError> {
        let mut changes = Vec::new();
        for (group, offsets) in &self.map.read().groups {
            for (t, partition) in offsets.keys().filter(|(t, _)| t == topic) {
                changes.push(Change::Remove {
                    group: group.clone(),
                    topic: t.clone(),
                    partition: *partition,
                });
            }
        }
        self.change(changes).await
    }

    /// Removes groups for which `unused` holds and whose last commit is older than `age`.
    pub(crate) async fn expire(
        &self,
        now_ms: i64,
        age: Duration,
        unused: impl Fn(&str) -> bool,
    ) -> Result<(), CommitError> {
        let limit = now_ms.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let old = |offsets: &GroupOffsets| offsets.values().all(|c| c.at_ms < limit);
        let expired: Vec<Change> = {
            let map = self.map.read();
            let expired = map.groups.iter().filter(|(g, o)| old(o) && unused(g));
            expired.map(|(g, _)| Change::RemoveGroup { group: g.clone() }).collect()
        };
        self.change(expired).await
    }

    /// Has the journal thread make changes; returns when they are durable and visible.
    async fn change(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (reply, done) = oneshot::channel();
        let queued = self.queue.send(JournalJob { changes, reply }).await;
        queued.map_err(|_| CommitError::Storage)?;
        done.await.unwrap_or(Err(CommitError::Storage))
    }
}
