//! Writers: as fast as the server takes it, or at a given rate.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::mysql::Connection;
use crate::table::Row;
use xtask::Failure;

/// The table that is written at a given rate.
const TABLE: u64 = 1;

/// Runs one function per connection on threads of their own and waits for all; the first failure wins.
fn on_each(
    port: u16,
    connections: u64,
    write: impl Fn(u64, Connection) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|number| {
                let write = &write;
                scope.spawn(move || write(number, Connection::open(port)?))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Failure::check("a writer broke off")))
        })
    })
}

/// Inserts the rows into a table in statements of `batch` rows, as fast as they are taken.
pub(crate) fn fast(
    port: u16,
    table: u64,
    ids: Range<u64>,
    batch: u64,
    connections: u64,
) -> Result<(), Failure> {
    let next = AtomicU64::new(ids.start);
    on_each(port, connections, |_, mut connection| {
        loop {
            let first = next.fetch_add(batch, Ordering::Relaxed);
            if first >= ids.end {
                return Ok(());
            }
            connection.execute(&Row::insert(table, first..ids.end.min(first + batch)))?;
        }
    })
}

/// Inserts the rows into the first table one by one, `rate` per second over all connections; each row has its own moment, so that a slow
/// statement does not lower the rate of those after it. How late the latest statement was sent.
pub(crate) fn steady(port: u16, ids: Range<u64>, rate: u64, connections: u64) -> Result<Duration, Failure> {
    let started = Instant::now();
    let latest = AtomicU64::new(0);
    on_each(port, connections, |number, mut connection| {
        for id in (ids.start + number..ids.end).step_by(usize::try_from(connections).unwrap_or(1)) {
            let due = Duration::from_micros((id - ids.start).saturating_mul(1_000_000) / rate.max(1));
            match due.checked_sub(started.elapsed()) {
                Some(early) => std::thread::sleep(early),
                None => {
                    let late = started.elapsed().saturating_sub(due);
                    latest.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
                }
            }
            connection.execute(&Row::insert(TABLE, id..id + 1))?;
        }
        Ok(())
    })?;
    Ok(Duration::from_micros(latest.into_inner()))
}
