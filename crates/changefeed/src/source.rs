//! Where row changes come from: TiKV, or a tape of it in tests.

use event_sorter::SortedRow;

/// Something that was learned about one physical table.
#[derive(Debug)]
pub enum SourceEvent {
    /// Committed row changes, in any order.
    Rows {
        /// Physical table id.
        table: i64,
        /// Generation that [`Source::subscribe`] was called with.
        generation: u64,
        /// The changes.
        rows: Vec<SortedRow>,
    },
    /// No change at or below `ts` will follow.
    Resolved {
        /// Physical table id.
        table: i64,
        /// Generation that [`Source::subscribe`] was called with.
        generation: u64,
        /// The resolved ts.
        ts: u64,
    },
    /// The table can't be followed any more.
    Failed {
        /// Physical table id.
        table: i64,
        /// Why.
        error: crate::FeedError,
    },
}

/// Follows the record ranges of physical tables; events arrive on the channel that the pipeline was given.
pub trait Source: Send + Sync + 'static {
    /// Starts to follow a table: changes with commit ts above `start_ts`. Events carry `generation`, so that those of
    /// an earlier subscription of the same table can be told apart.
    fn subscribe(&self, table: i64, generation: u64, start_ts: u64);

    /// Stops following a table.
    fn unsubscribe(&self, table: i64);

    /// What goes on in the subscription of a table, for people; `None` if there is nothing to tell.
    fn inspect(&self, _table: i64) -> Option<tikv_cdc::SpanReport> {
        None
    }
}
