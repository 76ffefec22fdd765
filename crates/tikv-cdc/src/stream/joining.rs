//! The join of a log, on a thread that may block, and what its stream hears of it.

use std::sync::Arc;

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::spilling::Join;
use crate::spool::{JOIN_QUEUE, JoinEvent, JoinFailure, PrewriteSpool, SpoolError, join};
use crate::stream::Room;
use crate::stream::registrations::Place;

/// A log that is being joined. Dropping it gives the join up.
pub(crate) struct Joining {
    /// For whom.
    pub(crate) place: Place,
    /// What it tells.
    events: mpsc::Receiver<JoinEvent>,
}

impl Joining {
    /// Starts to join a log. Must be called in a tokio runtime.
    pub(crate) fn start(spool: &Arc<PrewriteSpool>, place: Place, todo: Join) -> Self {
        let (sender, events) = mpsc::channel(JOIN_QUEUE);
        let (spool, runtime) = (Arc::clone(spool), Handle::current());
        tokio::task::spawn_blocking(move || join(&spool, todo, &runtime, &sender));
        Self { place, events }
    }
}

/// Waits for what a join tells; forever if there is none. Cancelling the call loses nothing.
pub(crate) async fn next(joining: &mut Option<Joining>) -> JoinEvent {
    match joining {
        Some(joining) => {
            let interrupted = JoinFailure::Spool(SpoolError::Interrupted);
            joining.events.recv().await.unwrap_or(JoinEvent::Done(Err(interrupted)))
        }
        None => std::future::pending().await,
    }
}

/// Until the spool has room; `None` if it has. If the disk refuses, that is told with the next row.
pub(crate) fn spool_room(spool: &PrewriteSpool) -> Option<Room> {
    let mut until_writable = spool.until_writable();
    if (&mut until_writable).now_or_never().is_some() {
        return None;
    }
    Some(Box::pin(until_writable.map(drop)))
}
