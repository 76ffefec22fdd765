//! A tape in place of TiKV.

use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::{Notify, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::subscription::Subscription;
use super::tape::Tape;
use crate::source::{Source, SourceEvent};

/// In which order subscriptions get their events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// That of the tape; later subscriptions catch up first.
    Tape,
    /// Random, from this seed: each subscription keeps its order, and they overtake one another.
    Random(u64),
}

/// What the source and its player share.
struct Shared {
    /// The tape.
    tape: Arc<Tape>,
    /// Subscriptions. Bounded by the tables of the changefeed.
    subscriptions: Mutex<Vec<Subscription>>,
    /// Signals a new subscription.
    changed: Notify,
}

/// Follows tables on a tape.
pub(super) struct TapeSource {
    /// Shared with the player.
    shared: Arc<Shared>,
    /// Plays.
    _player: AbortOnDropHandle<()>,
}

impl TapeSource {
    /// A source whose events go to `events`.
    pub(super) fn new(tape: Arc<Tape>, order: Order, events: mpsc::Sender<SourceEvent>) -> Self {
        let shared = Arc::new(Shared { tape, subscriptions: Mutex::default(), changed: Notify::new() });
        let player = tokio::spawn(play(Arc::clone(&shared), order, events));
        Self { shared, _player: AbortOnDropHandle::new(player) }
    }
}

impl Source for TapeSource {
    fn subscribe(&self, table: i64, generation: u64, start_ts: u64) {
        let subscription = Subscription::new(table, generation, start_ts, &self.shared.tape);
        self.shared.subscriptions.lock().push(subscription);
        self.shared.changed.notify_one();
    }

    fn unsubscribe(&self, table: i64) {
        self.shared.subscriptions.lock().retain(|subscription| subscription.table != table);
    }
}

/// Plays until nobody listens any more.
async fn play(shared: Arc<Shared>, order: Order, events: mpsc::Sender<SourceEvent>) {
    let mut random = match order {
        Order::Tape => None,
        Order::Random(seed) => Some(SmallRng::seed_from_u64(seed)),
    };
    loop {
        let Some(played) = shared.step(random.as_mut()) else {
            shared.changed.notified().await;
            continue;
        };
        for event in played {
            if events.send(event).await.is_err() {
                return;
            }
        }
    }
}

impl Shared {
    /// Lets one subscription play on; `None` if all are at the end.
    fn step(&self, random: Option<&mut SmallRng>) -> Option<Vec<SourceEvent>> {
        let mut subscriptions = self.subscriptions.lock();
        let positions =
            subscriptions.iter().enumerate().filter_map(|(at, s)| Some((s.position(&self.tape)?, at)));
        let chosen = match random {
            None => positions.min(),
            Some(random) => {
                let ready: Vec<_> = positions.collect();
                if ready.is_empty() { None } else { ready.get(random.random_range(0..ready.len())).copied() }
            }
        };
        subscriptions.get_mut(chosen?.1).map(|subscription| subscription.step(&self.tape))
    }
}
