//! The journal: changes in order, synced to disk before they are acknowledged.
//!
//! Changes that arrive while a sync is under way share the next one. When the file has grown, a snapshot of the whole
//! state starts a new one.

mod file;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::{JournalFailed, StartError};
use crate::record::Record;

use file::Folder;

/// Changes that may wait for the disk.
const IN_FLIGHT: usize = 4096;
/// Smallest file that is replaced by a snapshot.
const ROTATE_BYTES: u64 = 16 << 20;
/// A file is replaced when it is that many times larger than its snapshot was.
const ROTATE_GROWTH: u64 = 4;

/// What the disk has.
#[derive(Debug, Clone, Default)]
struct Durable {
    sequence: u64,
    failed: Option<String>,
}

/// What waits for the disk.
#[derive(Debug, Default)]
struct Queue {
    /// Records, each with its length before it.
    records: Vec<u8>,
    /// Snapshot that starts a new file; `records` come after it.
    snapshot: Option<Vec<u8>>,
    /// Number of the last record.
    sequence: u64,
    /// Bytes of the present file, with what waits.
    file_bytes: u64,
    /// Bytes of the snapshot that started the present file.
    snapshot_bytes: u64,
    stop: bool,
}

/// State that the writer's thread shares.
#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wakeup: Condvar,
    durable: watch::Sender<Durable>,
}

/// Handle to the journal.
#[derive(Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
    durable: watch::Receiver<Durable>,
    slots: Arc<Semaphore>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Opens the journal of a folder and returns its records. Blocks.
    pub(crate) fn open(dir: &Path) -> Result<(Self, Vec<Record>), StartError> {
        let (folder, records) = Folder::open(dir)?;
        let (sender, durable) = watch::channel(Durable::default());
        let queue = Queue { file_bytes: folder.bytes(), ..Queue::default() };
        let shared = Arc::new(Shared { queue: Mutex::new(queue), wakeup: Condvar::new(), durable: sender });
        let thread_shared = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("pd-journal".to_owned())
            .spawn(move || writer::run(&thread_shared, folder))
            .map_err(|source| StartError::Journal { path: dir.to_owned(), source })?;
        let slots = Arc::new(Semaphore::new(IN_FLIGHT));
        Ok((Self { shared, durable, slots, writer: Mutex::new(Some(writer)) }, records))
    }

    /// Waits for room; the permit is kept until the change is durable.
    pub(crate) async fn admit(&self) -> Result<OwnedSemaphorePermit, JournalFailed> {
        Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(|_| JournalFailed { reason: "the server is shut down".to_owned() })
    }

    /// Adds a record and returns its number. The order of calls is the order on disk.
    pub(crate) fn append(&self, record: &Record) -> u64 {
        let mut queue = self.shared.queue.lock();
        let before = queue.records.len();
        // Writing to a growing vector cannot run out of room.
        let _ = record.encode_length_delimited(&mut queue.records);
        queue.file_bytes += u64::try_from(queue.records.len() - before).unwrap_or(0);
        queue.sequence += 1;
        self.shared.wakeup.notify_one();
        queue.sequence
    }

    /// Number of the last record.
    pub(crate) fn last(&self) -> u64 {
        self.shared.queue.lock().sequence
    }

    /// Whether it is time for a snapshot.
    pub(crate) fn wants_snapshot(&self) -> bool {
        let queue = self.shared.queue.lock();
        queue.file_bytes > ROTATE_BYTES.max(queue.snapshot_bytes.saturating_mul(ROTATE_GROWTH))
    }

    /// Starts a new file with a snapshot of the state after the last record.
    pub(crate) fn rotate(&self, snapshot: &Record) {
        let bytes = snapshot.encode_length_delimited_to_vec();
        let mut queue = self.shared.queue.lock();
        queue.records.clear();
        queue.snapshot_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        queue.file_bytes = queue.snapshot_bytes;
        queue.snapshot = Some(bytes);
        self.shared.wakeup.notify_one();
    }

    /// Waits until a record is on disk.
    pub(crate) async fn durable(&self, sequence: u64) -> Result<(), JournalFailed> {
        let mut durable = self.durable.clone();
        let state = durable
            .wait_for(|state| state.sequence >= sequence || state.failed.is_some())
            .await
            .map_err(|_| JournalFailed { reason: "the journal is closed".to_owned() })?;
        match &state.failed {
            Some(reason) => Err(JournalFailed { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Writes what waits and closes the file. Blocks for as long as a sync takes.
    pub(crate) fn close(&self) {
        self.shared.queue.lock().stop = true;
        self.shared.wakeup.notify_one();
        let writer = self.writer.lock().take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the journal's thread ended abnormally");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}
