//! When the pipeline takes events from its source, and when it lets them wait.

use std::time::{Duration, Instant};

use event_sorter::{Sorter, SorterError, UntilWritable};

/// Longest pause of the intake in which rows go out that would be written to disk otherwise.
const PACE_LIMIT: Duration = Duration::from_millis(200);
/// After a pause in which too few rows went out, the next one comes no sooner than this.
const PACE_AGAIN: Duration = Duration::from_secs(2);

/// Decides whether events are taken.
pub(crate) struct Intake {
    /// Set while the sorter is full.
    room: Option<UntilWritable>,
    /// Set while rows go out that would be written to disk otherwise, with the end of the pause.
    pace: Option<(UntilWritable, tokio::time::Instant)>,
    /// No pause of that kind before.
    pace_after: Instant,
    /// Why the sorter is full and can't write, and since when.
    refused: Option<(SorterError, Instant)>,
}

/// How a pause ended.
pub(crate) enum PauseEnd {
    /// The sorter has room, or can't make any.
    Room(Result<(), SorterError>),
    /// Rows have gone out; false if it took too long.
    Lighter(bool),
}

impl Intake {
    /// Open.
    pub(crate) fn new() -> Self {
        Self { room: None, pace: None, pace_after: Instant::now(), refused: None }
    }

    /// True unless the sorter is full, or about to write rows that are on their way out.
    pub(crate) fn is_open(&self) -> bool {
        self.room.is_none() && self.refused.is_none() && self.pace.is_none()
    }

    /// Why the sorter is full and can't write, and since when.
    pub(crate) fn refused(&self) -> Option<&(SorterError, Instant)> {
        self.refused.as_ref()
    }

    /// Waits for the end of a pause, for ever if there is none. Can be dropped and called again.
    pub(crate) async fn pause(&mut self) -> PauseEnd {
        if let Some(room) = &mut self.room {
            return PauseEnd::Room(room.await);
        }
        match &mut self.pace {
            Some((until, deadline)) => {
                PauseEnd::Lighter(tokio::time::timeout_at(*deadline, until).await.is_ok())
            }
            None => std::future::pending().await,
        }
    }

    /// A pause is over.
    pub(crate) fn note(&mut self, end: PauseEnd) {
        match end {
            PauseEnd::Room(outcome) => self.note_room(outcome),
            PauseEnd::Lighter(lighter) => {
                self.pace = None;
                if !lighter {
                    self.pace_after = Instant::now() + PACE_AGAIN;
                }
            }
        }
    }

    /// Looks whether events may still be taken, after some were.
    pub(crate) fn look(&mut self, sorter: &Sorter) {
        self.look_for_room(sorter);
        self.look_for_pace(sorter);
    }

    /// Asks a sorter that could not write whether it can now: it tries again by itself.
    pub(crate) fn look_again(&mut self, sorter: &Sorter) {
        if self.refused.is_some() && self.room.is_none() {
            self.look_for_room(sorter);
        }
    }

    /// Takes no further events until the sorter has room for them.
    fn look_for_room(&mut self, sorter: &Sorter) {
        let until = sorter.until_writable();
        match until.outcome() {
            Some(outcome) => self.note_room(outcome),
            None => self.room = Some(until),
        }
    }

    /// Pauses the intake while rows go out fast enough: written to disk and read back, they would cost more than the
    /// store does that holds them a moment longer. Rows that can't go out, because their region is still being
    /// scanned or the sink is slow, are not waited for.
    fn look_for_pace(&mut self, sorter: &Sorter) {
        if self.is_open() && sorter.is_heavy() && Instant::now() >= self.pace_after {
            self.pace = Some((sorter.until_light(), tokio::time::Instant::now() + PACE_LIMIT));
        }
    }

    /// The sorter has room, or can't make any. A disk that refuses rows ends nothing: they stay in memory, streams are
    /// not read meanwhile, and what is in order goes out.
    fn note_room(&mut self, outcome: Result<(), SorterError>) {
        self.room = None;
        self.refused = match outcome {
            Ok(()) => None,
            Err(error) => {
                let since = self.refused.as_ref().map_or_else(Instant::now, |(_, since)| *since);
                Some((error, since))
            }
        };
    }
}
