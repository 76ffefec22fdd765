//! Queues of transactions that wait for a lock to go away.

use super::wait_graph::{Wait, WaitGraph};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tikv_proto::kvrpcpb;
use tokio::sync::oneshot;

/// Why a waiter goes on.
#[derive(Debug)]
pub(crate) enum Wake {
    /// The lock is gone.
    Released,
    /// The lock changed hands, and waiting for the new holder would be a deadlock.
    Deadlock(Box<kvrpcpb::Deadlock>),
}

struct Waiter {
    id: u64,
    start_ts: u64,
    holder: u64,
    wake: oneshot::Sender<Wake>,
}

#[derive(Default)]
struct State {
    next_id: u64,
    queues: HashMap<Box<[u8]>, Vec<Waiter>>,
    graph: WaitGraph,
}

/// All waiting transactions of the store.
#[derive(Default)]
pub(crate) struct LockWaits {
    state: Mutex<State>,
}

impl LockWaits {
    /// Queues transaction `start_ts` behind `holder` on `key`; refuses to if that would be a deadlock.
    pub(crate) fn wait(
        self: &Arc<Self>,
        key: &[u8],
        start_ts: u64,
        holder: u64,
    ) -> Result<Ticket, Box<kvrpcpb::Deadlock>> {
        let mut state = self.state.lock();
        let wait = Wait { waiter: start_ts, holder, key: Box::from(key) };
        state.graph.add(wait.clone()).map_err(|chain| deadlock(&wait, &chain))?;
        state.next_id += 1;
        let id = state.next_id;
        let (wake, woken) = oneshot::channel();
        state.queues.entry(Box::from(key)).or_default().push(Waiter { id, start_ts, holder, wake });
        Ok(Ticket { waits: self.clone(), key: Box::from(key), id, woken, pass_on: false })
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().queues.is_empty()
    }

    /// The lock of `key` is gone: the oldest waiting transaction goes on.
    pub(crate) fn released(&self, key: &[u8]) {
        let mut state = self.state.lock();
        if !state.queues.is_empty() {
            wake_oldest(&mut state, key);
        }
    }

    /// `holder` locked `key`: who still waits there now waits for it.
    pub(crate) fn acquired(&self, key: &[u8], holder: u64) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Some(queue) = state.queues.get_mut(key) else { return };
        let mut kept = Vec::with_capacity(queue.len());
        for mut waiter in queue.drain(..) {
            if waiter.holder == holder || waiter.start_ts == holder {
                kept.push(waiter);
                continue;
            }
            state.graph.remove(waiter.start_ts, waiter.holder, key);
            let wait = Wait { waiter: waiter.start_ts, holder, key: Box::from(key) };
            match state.graph.add(wait.clone()) {
                Ok(()) => {
                    waiter.holder = holder;
                    kept.push(waiter);
                }
                Err(chain) => {
                    // A waiter that has left in this moment does not care.
                    let _ = waiter.wake.send(Wake::Deadlock(deadlock(&wait, &chain)));
                }
            }
        }
        *queue = kept;
        if queue.is_empty() {
            state.queues.remove(key);
        }
    }

    fn leave(&self, key: &[u8], id: u64, pass_on: bool) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let mut was_woken = true;
        if let Some(queue) = state.queues.get_mut(key) {
            if let Some(at) = queue.iter().position(|waiter| waiter.id == id) {
                let waiter = queue.swap_remove(at);
                state.graph.remove(waiter.start_ts, waiter.holder, key);
                was_woken = false;
            }
            if queue.is_empty() {
                state.queues.remove(key);
            }
        }
        if was_woken && pass_on {
            wake_oldest(state, key);
        }
    }
}

fn wake_oldest(state: &mut State, key: &[u8]) {
    let Some(queue) = state.queues.get_mut(key) else { return };
    while let Some(at) = (0..queue.len()).min_by_key(|at| queue.get(*at).map(|waiter| waiter.start_ts)) {
        let waiter = queue.swap_remove(at);
        state.graph.remove(waiter.start_ts, waiter.holder, key);
        if waiter.wake.send(Wake::Released).is_ok() {
            break;
        }
    }
    if queue.is_empty() {
        state.queues.remove(key);
    }
}

/// A place in a queue. Dropping it leaves the queue; if the turn had come, it goes to the next in the queue.
pub(crate) struct Ticket {
    waits: Arc<LockWaits>,
    key: Box<[u8]>,
    id: u64,
    woken: oneshot::Receiver<Wake>,
    pass_on: bool,
}

impl Ticket {
    /// Waits for the turn.
    pub(crate) async fn woken(&mut self) -> Wake {
        self.pass_on = true;
        // The sender is dropped only together with the queues.
        (&mut self.woken).await.unwrap_or(Wake::Released)
    }

    /// The key of the queue.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The turn was used: the key is locked again, the next in the queue waits for that lock.
    pub(crate) fn used(mut self) {
        self.pass_on = false;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.waits.leave(&self.key, self.id, self.pass_on);
    }
}

/// Hash of a key as reported with deadlocks.
fn key_hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

fn deadlock(last: &Wait, chain: &[Wait]) -> Box<kvrpcpb::Deadlock> {
    let entry = |wait: &Wait| kvrpcpb::WaitForEntry {
        txn: wait.waiter,
        wait_for_txn: wait.holder,
        key_hash: key_hash(&wait.key),
        key: Bytes::copy_from_slice(&wait.key),
        resource_group_tag: Bytes::new(),
        wait_time: 0,
    };
    let closing = chain.last().unwrap_or(last);
    Box::new(kvrpcpb::Deadlock {
        lock_ts: last.holder,
        lock_key: Bytes::copy_from_slice(&last.key),
        deadlock_key_hash: key_hash(&closing.key),
        wait_chain: chain.iter().chain([last]).map(entry).collect(),
        deadlock_key: Bytes::copy_from_slice(&closing.key),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_release_wakes_the_oldest_transaction_only() {
        let waits = Arc::new(LockWaits::default());
        let mut young = waits.wait(b"k", 20, 1).unwrap();
        let mut old = waits.wait(b"k", 10, 1).unwrap();
        waits.released(b"k");
        assert!(matches!(timeout(SHORT, old.woken()).await, Ok(Wake::Released)));
        assert!(timeout(SHORT, young.woken()).await.is_err());
    }

    #[tokio::test]
    async fn an_unused_turn_goes_to_the_next() {
        let waits = Arc::new(LockWaits::default());
        let mut first = waits.wait(b"k", 10, 1).unwrap();
        let mut second = waits.wait(b"k", 20, 1).unwrap();
        waits.released(b"k");
        assert!(timeout(SHORT, first.woken()).await.is_ok());
        drop(first);
        assert!(matches!(timeout(SHORT, second.woken()).await, Ok(Wake::Released)));
        second.used();
        assert!(waits.state.lock().queues.is_empty());
    }

    #[tokio::test]
    async fn a_lock_that_changes_hands_can_reveal_a_deadlock() {
        let waits = Arc::new(LockWaits::default());
        // 10 waits for 1 on k; 20 waits for 10 elsewhere; then 20 gets k.
        let mut waiter = waits.wait(b"k", 10, 1).unwrap();
        let _other = waits.wait(b"other", 20, 10).unwrap();
        waits.acquired(b"k", 20);
        let Ok(Wake::Deadlock(found)) = timeout(SHORT, waiter.woken()).await else { panic!("no deadlock") };
        assert_eq!((found.lock_ts, found.lock_key.as_ref()), (20, &b"k"[..]));
    }

    #[tokio::test]
    async fn the_second_of_two_crossing_waits_is_refused() {
        let waits = Arc::new(LockWaits::default());
        let _first = waits.wait(b"a", 1, 2).unwrap();
        let Err(found) = waits.wait(b"b", 2, 1) else { panic!("no deadlock") };
        assert_eq!((found.lock_ts, found.lock_key.as_ref()), (1, &b"b"[..]));
        assert_eq!(found.wait_chain.len(), 2);
    }
}
