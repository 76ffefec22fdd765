//! Row changes from TiKV, as events of a changefeed.

use std::collections::HashMap;
use std::sync::Arc;

use event_sorter::{MemoryQuota, SortedRow};
use parking_lot::Mutex;
use tidb_codec::key::record_range;
use tikv_cdc::{
    CdcClient, SpanEvent, SpanReceiver, SpanReport, SpanRequest, SpanSender, SubscriptionHandle,
    span_channel_within,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::FeedError;
use crate::source::{Source, SourceEvent};

/// Bytes of rows that may wait between streams and the event loop; above it streams stop reading.
const CHANNEL_BYTES: usize = 16 << 20;

/// Tables that are followed, by subscription.
type Tables = Arc<Mutex<HashMap<u64, i64>>>;

/// Follows tables through the change feed client.
pub(crate) struct TikvSource {
    /// Client.
    cdc: Arc<CdcClient>,
    /// Where events of all subscriptions go.
    sender: SpanSender,
    /// Table of each subscription.
    tables: Tables,
    /// Subscriptions by table.
    handles: Mutex<HashMap<i64, (u64, SubscriptionHandle)>>,
    /// Where events of the changefeed go.
    events: mpsc::Sender<SourceEvent>,
    /// First number of this source's subscriptions: numbers are unique in the client.
    base: u64,
    /// Passes events on.
    _pump: AbortOnDropHandle<()>,
}

/// Numbers that no two sources share.
static NEXT_BASE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
/// Subscriptions that one source may make in its life.
const BASE_STEP: u64 = 1 << 32;

impl TikvSource {
    /// A source whose events go to `events`; what it receives is charged to `quota`.
    pub(crate) fn new(
        cdc: Arc<CdcClient>,
        events: mpsc::Sender<SourceEvent>,
        quota: Arc<MemoryQuota>,
    ) -> Self {
        let (sender, receiver) = span_channel_within(CHANNEL_BYTES, quota);
        let tables = Tables::default();
        let base = NEXT_BASE.fetch_add(BASE_STEP, std::sync::atomic::Ordering::Relaxed);
        let pump = tokio::spawn(pump(receiver, Arc::clone(&tables), events.clone(), base));
        let handles = Mutex::new(HashMap::new());
        Self { cdc, sender, tables, handles, events, base, _pump: AbortOnDropHandle::new(pump) }
    }
}

impl Source for TikvSource {
    fn subscribe(&self, table: i64, generation: u64, start_ts: u64) {
        let id = self.base + generation;
        self.tables.lock().insert(id, table);
        let (start, end) = record_range(table);
        let request = SpanRequest { id, start, end, start_ts, filter_loop: false };
        match self.cdc.subscribe(request, &self.sender) {
            Ok(handle) => {
                self.handles.lock().insert(table, (id, handle));
            }
            Err(error) => {
                self.tables.lock().remove(&id);
                let error = FeedError::from(error);
                // The loop reads this channel until it ends; a full one means that it is busy, not gone.
                let (events, failed) = (self.events.clone(), SourceEvent::Failed { table, error });
                tokio::spawn(async move { events.send(failed).await });
            }
        }
    }

    fn unsubscribe(&self, table: i64) {
        let ended = self.handles.lock().remove(&table);
        if let Some((id, handle)) = ended {
            self.tables.lock().remove(&id);
            drop(handle);
        }
    }

    fn inspect(&self, table: i64) -> Option<SpanReport> {
        self.handles.lock().get(&table).map(|(_, handle)| handle.inspect())
    }
}

/// Passes events on until either end is gone.
async fn pump(mut receiver: SpanReceiver, tables: Tables, events: mpsc::Sender<SourceEvent>, base: u64) {
    while let Some((id, event)) = receiver.recv().await {
        let Some(table) = tables.lock().get(&id).copied() else { continue };
        let generation = id - base;
        let event = match event {
            SpanEvent::Rows(rows) => {
                let rows = rows.into_iter().map(SortedRow::from).collect();
                SourceEvent::Rows { table, generation, rows }
            }
            SpanEvent::ResolvedTs(ts) => SourceEvent::Resolved { table, generation, ts },
            SpanEvent::Failed(error) => SourceEvent::Failed { table, error: error.into() },
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}
