//! One change of a changefeed at a time: changes of different ones do not wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// With so many entries, those that nobody uses are dropped.
const SWEEP_AT: usize = 64;

/// Turns by the id of the changefeed.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    by_id: Mutex<HashMap<String, Weak<AsyncMutex<()>>>>,
}

impl Turns {
    /// Waits until nobody else changes this changefeed; ends with the guard.
    pub(crate) async fn wait(&self, id: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut by_id = self.by_id.lock();
            if by_id.len() >= SWEEP_AT {
                by_id.retain(|_, turn| turn.strong_count() > 0);
            }
            match by_id.get(id).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::new(AsyncMutex::new(()));
                    by_id.insert(id.to_owned(), Arc::downgrade(&turn));
                    turn
                }
            }
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    /// Whether it is one's turn at once.
    fn at_once(turn: impl Future<Output = OwnedMutexGuard<()>>) -> bool {
        pin!(turn).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[tokio::test]
    async fn changes_of_one_changefeed_wait_and_those_of_others_do_not() {
        let turns = Turns::default();
        let first = turns.wait("a").await;
        assert!(!at_once(turns.wait("a")));
        assert!(at_once(turns.wait("b")));
        drop(first);
        assert!(at_once(turns.wait("a")));
    }

    #[tokio::test]
    async fn what_nobody_uses_is_dropped() {
        let turns = Turns::default();
        let held = turns.wait("held").await;
        for number in 0..10 * SWEEP_AT {
            turns.wait(&number.to_string()).await;
        }
        assert!(turns.by_id.lock().len() <= SWEEP_AT);
        assert!(!at_once(turns.wait("held")));
        drop(held);
    }
}
