//! What worker and client threads tell the pipeline of a changefeed, without ever blocking.

use std::collections::HashSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::error::FeedError;

/// Slot of the DDL message that is on its way; physical table ids are positive.
pub(crate) const DDL_SLOT: i64 = 0;
/// Slot of the watermark messages that are on their way.
pub(crate) const WATERMARK_SLOT: i64 = -1;

/// Mail box of one pipeline. Bounded: it holds each slot at most once.
#[derive(Default)]
pub(crate) struct Signal {
    /// Slots with news since the last look.
    slots: Mutex<HashSet<i64>>,
    /// Tables that wait for room in the producer.
    parked: Mutex<HashSet<i64>>,
    /// Tables of which a large message was stored.
    stored: Mutex<HashSet<i64>>,
    /// The first error.
    error: Mutex<Option<FeedError>>,
    /// Wakes the pipeline.
    notify: Notify,
}

impl Signal {
    /// Progress was made for `slot`.
    pub(crate) fn completed(&self, slot: i64) {
        if self.slots.lock().insert(slot) {
            self.notify.notify_one();
        }
    }

    /// The table waits until the producer has room again.
    pub(crate) fn park(&self, table: i64) {
        self.parked.lock().insert(table);
        self.notify.notify_one();
    }

    /// A large message of the table was stored: what waits for it may go out.
    pub(crate) fn stored(&self, table: i64) {
        if self.stored.lock().insert(table) {
            self.notify.notify_one();
        }
    }

    /// The pipeline can't go on. The first error wins.
    pub(crate) fn fail(&self, error: FeedError) {
        self.error.lock().get_or_insert(error);
        self.notify.notify_one();
    }

    /// Something outside changed: look again.
    pub(crate) fn poke(&self) {
        self.notify.notify_one();
    }

    /// Takes the slots with news.
    pub(crate) fn take_slots(&self) -> HashSet<i64> {
        std::mem::take(&mut *self.slots.lock())
    }

    /// Takes the tables that wait for room.
    pub(crate) fn take_parked(&self) -> HashSet<i64> {
        std::mem::take(&mut *self.parked.lock())
    }

    /// Takes the tables of which large messages were stored.
    pub(crate) fn take_stored(&self) -> HashSet<i64> {
        std::mem::take(&mut *self.stored.lock())
    }

    /// True if a table waits for room.
    pub(crate) fn has_parked(&self) -> bool {
        !self.parked.lock().is_empty()
    }

    /// True if this table waits for room.
    pub(crate) fn is_parked(&self, table: i64) -> bool {
        self.parked.lock().contains(&table)
    }

    /// Takes the error, if there is one.
    pub(crate) fn take_error(&self) -> Option<FeedError> {
        self.error.lock().take()
    }

    /// Waits for news; news that came before the call count.
    pub(crate) async fn wait(&self) {
        self.notify.notified().await;
    }
}
