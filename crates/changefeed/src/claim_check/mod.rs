//! Claim-check: messages that are too large for Kafka are stored elsewhere, and consumers are told where.
//!
//! Encoders don't wait for a store, which may be far away: they hand the message over and go on. Its reference, and
//! what follows it in its table, stay in the table's [`Outbox`] until the store has it.

mod bucket;
mod folder;
mod outbox;
mod reader;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use change_format::claim_check_object;
use changefeed_config::{ClaimCheckPlace, ClaimCheckStorage};
use event_sorter::{MemoryQuota, Stage};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, spawn_blocking};

pub(crate) use outbox::{Outbox, Waiting};
pub use reader::ClaimCheckReader;

use crate::FeedError;
use crate::signal::Signal;
use bucket::Bucket;
use folder::Folder;

/// Messages of one changefeed that are stored at the same time.
const UPLOADS_AT_ONCE: usize = 16;
/// Ending of the objects' names.
const EXTENSION: &str = "json";

/// Where messages are put.
#[derive(Debug)]
enum Store {
    /// Files.
    Folder(Arc<Folder>),
    /// Objects.
    Bucket(Bucket),
}

/// The store of one run for large messages.
#[derive(Debug)]
pub(crate) struct ClaimChecks {
    /// The place.
    store: Arc<Store>,
    /// Objects hold the bare message.
    raw_value: bool,
    /// Turns of uploads.
    turns: Arc<Semaphore>,
    /// Bytes that are not stored yet.
    pending: Arc<AtomicUsize>,
    /// Uploads run there.
    runtime: Handle,
}

/// A message that is being stored; dropped, it is given up.
#[derive(Debug)]
pub(crate) struct Upload {
    /// The store has it.
    stored: Arc<AtomicBool>,
    /// The task.
    task: AbortHandle,
}

impl Upload {
    /// True once the store has the message.
    pub(crate) fn is_stored(&self) -> bool {
        self.stored.load(Ordering::Acquire)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Bytes that are on their way until this is dropped.
struct Pending(Arc<AtomicUsize>, usize);

impl Pending {
    /// Counts them.
    fn new(pending: &Arc<AtomicUsize>, bytes: usize) -> Self {
        pending.fetch_add(bytes, Ordering::AcqRel);
        Self(Arc::clone(pending), bytes)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::AcqRel);
    }
}

impl ClaimChecks {
    /// Opens the place. Folders are proved to be writable; of buckets nothing is asked before there is a message.
    pub(crate) async fn open(config: &ClaimCheckStorage) -> Result<Self, FeedError> {
        let store = match &config.place {
            ClaimCheckPlace::S3(place) => Store::Bucket(Bucket::open(place)?),
            ClaimCheckPlace::Folder(folder) => {
                let folder = folder.clone();
                let opened = spawn_blocking(move || Folder::open(&folder)).await;
                let opened = opened
                    .map_err(|e| FeedError::new("CDC:ErrFailToCreateExternalStorage", e.to_string()))??;
                Store::Folder(Arc::new(opened))
            }
        };
        Ok(Self {
            store: Arc::new(store),
            raw_value: config.raw_value,
            turns: Arc::new(Semaphore::new(UPLOADS_AT_ONCE)),
            pending: Arc::default(),
            runtime: Handle::current(),
        })
    }

    /// Proves that messages can be stored, so that mistakes show at once.
    pub(crate) async fn prove(&self) -> Result<(), FeedError> {
        match &*self.store {
            Store::Folder(_) => Ok(()),
            Store::Bucket(bucket) => bucket.prove().await,
        }
    }

    /// A place that no message has yet: its name, and what consumers are told of it.
    pub(crate) fn place(&self) -> (String, String) {
        let name = object_name();
        let location = self.store.location(&name);
        (name, location)
    }

    /// The place of all messages, for people.
    pub(crate) fn destination(&self) -> String {
        self.store.location("")
    }

    /// Bytes that are not stored yet.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending.load(Ordering::Acquire)
    }

    /// Begins to store a message of a table. The end, good or bad, is told to `signal`.
    pub(crate) fn begin(
        &self,
        name: String,
        message: &[u8],
        table: i64,
        signal: &Arc<Signal>,
        quota: &Arc<MemoryQuota>,
    ) -> Upload {
        let content = Bytes::from(claim_check_object(message, self.raw_value));
        let held = (Pending::new(&self.pending, content.len()), quota.charge(Stage::Sink, content.len()));
        let (store, turns, signal) = (Arc::clone(&self.store), Arc::clone(&self.turns), Arc::clone(signal));
        let stored = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&stored);
        let task = self.runtime.spawn(async move {
            let Ok(_turn) = turns.acquire().await else { return };
            let outcome = store.store(&name, content).await;
            drop(held);
            match outcome {
                Ok(()) => {
                    done.store(true, Ordering::Release);
                    signal.stored(table);
                }
                Err(error) => signal.fail(error),
            }
        });
        Upload { stored, task: task.abort_handle() }
    }
}

impl Store {
    /// What consumers are told of an object.
    fn location(&self, name: &str) -> String {
        match self {
            Self::Folder(folder) => folder.location(name),
            Self::Bucket(bucket) => bucket.location(name),
        }
    }

    /// Reads an object.
    async fn read(&self, name: &str) -> Result<Bytes, String> {
        match self {
            Self::Folder(folder) => {
                let (folder, name) = (Arc::clone(folder), name.to_owned());
                let read = spawn_blocking(move || folder.read(&name)).await;
                read.map_err(|e| e.to_string())?.map(Bytes::from).map_err(|e| e.to_string())
            }
            Self::Bucket(bucket) => bucket.read(name).await,
        }
    }

    /// Stores a message.
    async fn store(&self, name: &str, content: Bytes) -> Result<(), FeedError> {
        let outcome = match self {
            Self::Folder(folder) => {
                let (folder, name) = (Arc::clone(folder), name.to_owned());
                let written = spawn_blocking(move || folder.store(&name, &content)).await;
                written.map_err(|e| e.to_string()).and_then(|outcome| outcome.map_err(|e| e.to_string()))
            }
            Self::Bucket(bucket) => bucket.store(name, content).await,
        };
        outcome.map_err(|reason| {
            let place = self.location(name);
            let message = format!(
                "cannot store a large message in {place}: {reason}; the changefeed goes on by itself when that works"
            );
            FeedError::new("CDC:ErrExternalStorageAPI", message)
        })
    }
}

/// A random UUID of version 4 with the ending.
fn object_name() -> String {
    let mut bits: u128 = rand::random();
    bits = bits & !(0xF << 76) | 4 << 76;
    bits = bits & !(0b11 << 62) | 0b10 << 62;
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    let (a, b, c, d, e) = (part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32));
    format!("{a}-{b}-{c}-{d}-{e}.{EXTENSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_random_uuids_of_version_4() {
        let (first, second) = (object_name(), object_name());
        assert_ne!(first, second);
        let stem = first.strip_suffix(".json").expect("the ending");
        let lengths: Vec<usize> = stem.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&stem[14..15], "4");
        assert!(matches!(&stem[19..20], "8" | "9" | "a" | "b"), "{stem}");
    }

    #[tokio::test]
    async fn bytes_are_pending_until_the_store_has_them_and_the_table_is_told() {
        let root = tempfile::tempdir().expect("folder");
        let place = ClaimCheckPlace::Folder(root.path().display().to_string());
        let checks = ClaimChecks::open(&ClaimCheckStorage { place, raw_value: false }).await.expect("opened");
        let (signal, quota) = (Arc::new(Signal::default()), MemoryQuota::new(1 << 20));
        let (name, location) = checks.place();
        let upload = checks.begin(name, b"{}", 7, &signal, &quota);
        assert_eq!(checks.pending_bytes(), br#"{"key":null,"value":"e30="}"#.len());
        signal.wait().await;
        assert!(upload.is_stored());
        assert_eq!((checks.pending_bytes(), quota.used()), (0, 0));
        assert_eq!(signal.take_stored().into_iter().collect::<Vec<_>>(), [7]);
        let path = location.strip_prefix("file://").expect("a file");
        assert_eq!(std::fs::read(path).expect("file"), br#"{"key":null,"value":"e30="}"#);
        std::fs::remove_dir_all(root.path()).expect("removed");
        let upload = checks.begin("a.json".to_owned(), b"{}", 7, &signal, &quota);
        signal.wait().await;
        assert!(!upload.is_stored());
        assert_eq!(signal.take_error().expect("told").code, "CDC:ErrExternalStorageAPI");
    }
}
