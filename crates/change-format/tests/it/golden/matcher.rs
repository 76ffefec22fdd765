//! Joins the two halves of transactions in a recorded stream.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use tikv_proto::cdcpb::event::row::OpType;
use tikv_proto::cdcpb::event::{self, LogType};

/// A committed change of a row.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    /// Row after; empty for a delete.
    pub(crate) value: Bytes,
    /// Row before; empty if there was none.
    pub(crate) old_value: Bytes,
}

/// Commit timestamp, start timestamp, key.
pub(crate) type CommitKey = (u64, u64, Bytes);

/// All committed changes; those that arrived twice are there once.
pub(crate) fn committed<'a>(rows: impl Iterator<Item = &'a event::Row>) -> BTreeMap<CommitKey, Committed> {
    let mut prewrites: HashMap<(u64, Bytes), &event::Row> = HashMap::new();
    let mut committed = BTreeMap::new();
    for row in rows {
        let id = (row.start_ts, row.key.clone());
        match row.r#type() {
            LogType::Prewrite => {
                // A heartbeat of a lock comes without the value.
                if !row.value.is_empty() || !prewrites.contains_key(&id) {
                    prewrites.insert(id, row);
                }
            }
            LogType::Commit => {
                // One without its first half was before the scan, which has sent it as committed.
                if let Some(prewrite) = prewrites.remove(&id) {
                    committed.insert((row.commit_ts, row.start_ts, row.key.clone()), change(prewrite));
                }
            }
            LogType::Committed => {
                committed.insert((row.commit_ts, row.start_ts, row.key.clone()), change(row));
            }
            LogType::Rollback => {
                prewrites.remove(&id);
            }
            LogType::Unknown | LogType::Initialized => {}
        }
    }
    committed
}

/// The images of a row.
fn change(row: &event::Row) -> Committed {
    let value = if row.op_type() == OpType::Delete { Bytes::new() } else { row.value.clone() };
    Committed { value, old_value: row.old_value.clone() }
}
