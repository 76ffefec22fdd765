//! The thread that writes the journal.

use super::file::Folder;
use super::{Durable, Shared};

/// What one turn writes.
struct Turn {
    snapshot: Option<Vec<u8>>,
    records: Vec<u8>,
    sequence: u64,
}

/// Writes and syncs until told to stop and nothing waits.
pub(super) fn run(shared: &Shared, mut folder: Folder) {
    let mut spare = Vec::new();
    while let Some(turn) = next_turn(shared, &mut spare) {
        let written = match &turn.snapshot {
            Some(snapshot) => folder.rotate(snapshot, &turn.records),
            None => folder.write(&turn.records),
        };
        if let Err(error) = written {
            tracing::error!(%error, "the journal cannot be written; no change is accepted any more");
            let failed = Some(error.to_string());
            shared.durable.send_modify(|durable| durable.failed = failed);
            return;
        }
        shared.durable.send_replace(Durable { sequence: turn.sequence, failed: None });
        spare = turn.records;
        spare.clear();
    }
}

/// Waits for something to write; `None` at the end. `spare` is the buffer for what comes meanwhile.
fn next_turn(shared: &Shared, spare: &mut Vec<u8>) -> Option<Turn> {
    let mut queue = shared.queue.lock();
    while queue.records.is_empty() && queue.snapshot.is_none() {
        if queue.stop {
            return None;
        }
        shared.wakeup.wait(&mut queue);
    }
    let records = std::mem::replace(&mut queue.records, std::mem::take(spare));
    Some(Turn { snapshot: queue.snapshot.take(), records, sequence: queue.sequence })
}
