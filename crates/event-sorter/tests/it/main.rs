//! Tests of the sorter through its public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod failures;
mod model;
mod ordering;
mod waiting;

use bytes::Bytes;
use event_sorter::{Batch, FetchLimit, RowKind, SortedRow, Sorter};

/// A row with the given properties; the key is the number in eight bytes.
fn row(commit_ts: u64, start_ts: u64, kind: RowKind, key: u64, size: usize) -> SortedRow {
    let value = Bytes::from(vec![commit_ts as u8; size.max(1)]);
    let empty = Bytes::new();
    let (value, old_value) = match kind {
        RowKind::Delete => (empty, value),
        RowKind::Update => (value.clone(), value),
        RowKind::Insert => (value, empty),
    };
    SortedRow { key: Bytes::copy_from_slice(&key.to_be_bytes()), value, old_value, start_ts, commit_ts }
}

/// Fetches everything up to `upper`.
fn drain(sorter: &Sorter, table: i64, upper: u64, limit: FetchLimit) -> Vec<SortedRow> {
    let mut rows = Vec::new();
    loop {
        let Batch { rows: next, exhausted, .. } = sorter.fetch(table, upper, limit).unwrap();
        rows.extend(next);
        if exhausted {
            return rows;
        }
    }
}

/// Blocks until there is room.
fn wait_writable(sorter: &Sorter) {
    block_on(sorter.until_writable()).unwrap();
}

/// Runs a future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};

    /// Unparks the thread that waits.
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}
