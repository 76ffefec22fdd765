//! Latches: commands that touch a common key run one after the other, in the order of arrival.

use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// One command that holds or awaits latches.
#[derive(Default)]
struct Ticket {
    /// Latches in whose queue another command stands before this one.
    blocked_on: AtomicUsize,
    granted: Notify,
}

/// Queues by key hash; the front of a queue holds the latch. A queue without waiters has one entry.
#[derive(Default)]
pub(crate) struct Latches {
    queues: Mutex<HashMap<u64, VecDeque<Arc<Ticket>>>>,
}

impl Latches {
    /// Waits until no earlier command holds a latch on any of `keys`.
    ///
    /// All queues are entered at once, so two commands can never wait for each other.
    pub(crate) async fn acquire<'k>(self: &Arc<Self>, keys: impl Iterator<Item = &'k [u8]>) -> LatchGuard {
        let mut hashes: Vec<u64> = keys.map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let ticket = Arc::new(Ticket::default());
        let blocked = {
            let mut queues = self.queues.lock();
            let mut blocked = 0;
            for hash in &hashes {
                let queue = queues.entry(*hash).or_default();
                queue.push_back(ticket.clone());
                blocked += usize::from(queue.len() > 1);
            }
            ticket.blocked_on.store(blocked, Ordering::Release);
            blocked
        };
        let guard = LatchGuard { latches: self.clone(), ticket, hashes };
        if blocked > 0 {
            guard.ticket.granted.notified().await;
        }
        guard
    }
}

/// Gives the latches to the next commands when dropped, also when it was still waiting itself.
pub(crate) struct LatchGuard {
    latches: Arc<Latches>,
    ticket: Arc<Ticket>,
    hashes: Vec<u64>,
}

impl Drop for LatchGuard {
    fn drop(&mut self) {
        let mut queues = self.latches.queues.lock();
        for hash in &self.hashes {
            let Some(queue) = queues.get_mut(hash) else { continue };
            let Some(at) = queue.iter().position(|ticket| Arc::ptr_eq(ticket, &self.ticket)) else {
                continue;
            };
            queue.remove(at);
            match queue.front() {
                None => {
                    queues.remove(hash);
                }
                Some(next) if at == 0 => {
                    if next.blocked_on.fetch_sub(1, Ordering::AcqRel) == 1 {
                        next.granted.notify_one();
                    }
                }
                Some(_) => {}
            }
        }
    }
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    const SHORT: Duration = Duration::from_millis(20);

    async fn take(latches: &Arc<Latches>, keys: &[&str]) -> LatchGuard {
        latches.acquire(keys.iter().map(|key| key.as_bytes())).await
    }

    #[tokio::test]
    async fn commands_on_a_common_key_wait_for_each_other() {
        let latches = Arc::new(Latches::default());
        let first = take(&latches, &["a", "b"]).await;
        let free = timeout(SHORT, take(&latches, &["c"])).await;
        assert!(free.is_ok(), "another key is free");
        assert!(timeout(SHORT, take(&latches, &["b", "d"])).await.is_err());
        drop(first);
        assert!(timeout(SHORT, take(&latches, &["b", "d"])).await.is_ok());
    }

    #[tokio::test]
    async fn a_command_that_gave_up_does_not_block_the_ones_behind_it() {
        let latches = Arc::new(Latches::default());
        let first = take(&latches, &["a"]).await;
        assert!(timeout(SHORT, take(&latches, &["a", "b"])).await.is_err());
        assert!(timeout(SHORT, take(&latches, &["b"])).await.is_ok());
        drop(first);
        assert!(timeout(SHORT, take(&latches, &["a"])).await.is_ok());
        assert!(latches.queues.lock().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn crossing_commands_do_not_deadlock() {
        let latches = Arc::new(Latches::default());
        let counter = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let (latches, counter) = (latches.clone(), counter.clone());
                tokio::spawn(async move {
                    let keys: &[&str] = if n % 2 == 0 { &["x", "y"] } else { &["y", "x"] };
                    let _guard = take(&latches, keys).await;
                    let seen = counter.load(Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    counter.store(seen + 1, Ordering::SeqCst);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(counter.load(Ordering::SeqCst), 200);
    }
}
