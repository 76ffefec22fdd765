//! Joins a log: its rows, ordered by key, meet a matcher as they would have met it on arrival.

use bytes::Bytes;
use tikv_proto::cdcpb::event::Row;

use super::{Join, LogEntry};
use crate::matcher::{MatchError, Matcher};
use crate::row::RowChange;

/// What is going on with one key of one transaction.
#[derive(Debug)]
pub struct Replay {
    /// Whose log it is.
    join: Join,
    /// Holds the rows of the present key only.
    matcher: Matcher,
    /// The present transaction and key.
    present: Option<(u64, Bytes)>,
}

impl Replay {
    /// Nothing read yet.
    pub fn new(join: Join) -> Self {
        let matcher = Matcher::replaying(join.start_ts, join.checkpoint_ts, join.resolved_ts);
        Self { join, matcher, present: None }
    }

    /// Takes the next row in the order of (start ts, key, order of arrival), where keys may be ordered in any way that
    /// keeps equal ones together. Complete changes are appended to `out`, locks that are left to `left`.
    ///
    /// # Errors
    /// See [`Matcher::on_row`].
    pub fn take(
        &mut self,
        order: u64,
        row: Row,
        out: &mut Vec<RowChange>,
        left: &mut Vec<LogEntry>,
    ) -> Result<(), MatchError> {
        let same =
            self.present.as_ref().is_some_and(|(start_ts, key)| *start_ts == row.start_ts && *key == row.key);
        if !same {
            self.finish(out, left)?;
            self.present = Some((row.start_ts, row.key.clone()));
        }
        if order > self.join.initialized_at && !self.matcher.is_initialized() {
            self.matcher.on_initialized(out)?;
        }
        self.matcher.on_row(row, out)
    }

    /// No more rows of the present key will come.
    ///
    /// # Errors
    /// See [`Matcher::on_row`].
    pub fn finish(&mut self, out: &mut Vec<RowChange>, left: &mut Vec<LogEntry>) -> Result<(), MatchError> {
        if self.present.take().is_none() {
            return Ok(());
        }
        if !self.matcher.is_initialized() {
            self.matcher.on_initialized(out)?;
        }
        let row = self.matcher.next_key();
        left.extend(row.map(|row| LogEntry { log: self.join.fresh, order: self.join.order, row }));
        Ok(())
    }
}
