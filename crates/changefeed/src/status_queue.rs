//! Progress of many changefeeds in few transactions.
//!
//! Whoever has something to write and finds nobody writing writes for all who wait. etcd takes a limited number of
//! operations in a transaction and none twice for one key.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::oneshot;

use crate::FeedError;

/// Most keys in one transaction: etcd refuses more than 128 operations by default.
const BATCH: usize = 100;
/// How long the writer waits for others to come.
const GATHER: Duration = Duration::from_millis(5);

/// One key and its value.
pub(crate) type Pair = (String, Bytes);

/// A value that waits.
struct Waiting {
    /// Key and value.
    pair: Pair,
    /// Who waits for it.
    done: oneshot::Sender<Result<(), FeedError>>,
}

/// Values that wait to be written.
#[derive(Default)]
pub(crate) struct StatusQueue {
    /// In the order in which they came. Bounded: each changefeed waits for its own.
    waiting: Mutex<VecDeque<Waiting>>,
    /// Held by the one who writes.
    turn: AsyncMutex<()>,
}

impl StatusQueue {
    /// Writes a value, together with those of others; `write` writes a batch.
    ///
    /// # Errors
    /// What the transaction of the value's batch failed with.
    pub(crate) async fn put<F>(&self, pair: Pair, write: impl Fn(Vec<Pair>) -> F) -> Result<(), FeedError>
    where
        F: Future<Output = Result<(), FeedError>>,
    {
        let (done, mut written) = oneshot::channel();
        let mine = pair.clone();
        self.waiting.lock().push_back(Waiting { pair, done });
        loop {
            let turn = tokio::select! {
                biased;
                outcome = &mut written => return match outcome {
                    Ok(outcome) => outcome,
                    // Who wrote for us was dropped half way.
                    Err(_) => write(vec![mine]).await,
                },
                turn = self.turn.lock() => turn,
            };
            tokio::time::sleep(GATHER).await;
            let batch = self.next_batch();
            let pairs: Vec<Pair> = batch.iter().map(|waiting| waiting.pair.clone()).collect();
            let outcome = if pairs.is_empty() { Ok(()) } else { write(pairs).await };
            for waiting in batch {
                // Who has gone does not want to know.
                let _ = waiting.done.send(outcome.clone());
            }
            drop(turn);
        }
    }

    /// Takes the values of the next transaction. Of a key that waits twice the later value waits on.
    fn next_batch(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock();
        let mut keys = HashSet::new();
        let mut batch = Vec::with_capacity(waiting.len().min(BATCH));
        while batch.len() < BATCH
            && waiting.front().is_some_and(|next| keys.insert(next.pair.0.clone()))
            && let Some(next) = waiting.pop_front()
        {
            batch.push(next);
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::*;

    /// Writes into a map, and counts transactions.
    #[derive(Default)]
    struct Store(Mutex<(HashMap<String, Bytes>, Vec<usize>)>);

    impl Store {
        async fn write(&self, batch: Vec<Pair>) -> Result<(), FeedError> {
            tokio::task::yield_now().await;
            let mut store = self.0.lock();
            let keys: HashSet<_> = batch.iter().map(|(key, _)| key).collect();
            assert_eq!(keys.len(), batch.len(), "no key twice");
            store.1.push(batch.len());
            if batch.iter().any(|(key, _)| key == "bad") {
                return Err(FeedError::new("CDC:ErrPDEtcdAPIError", "no"));
            }
            store.0.extend(batch);
            Ok(())
        }
    }

    #[tokio::test]
    async fn many_values_are_written_in_few_transactions_and_none_is_lost() {
        let (queue, store) = (Arc::new(StatusQueue::default()), Arc::new(Store::default()));
        let tasks: Vec<_> = (0..1000)
            .map(|number: u32| {
                let (queue, store) = (Arc::clone(&queue), Arc::clone(&store));
                tokio::spawn(async move {
                    let pair = (format!("feed-{number}"), Bytes::from(number.to_string()));
                    queue.put(pair, |batch| store.write(batch)).await
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a task").expect("written");
        }
        let store = store.0.lock();
        assert_eq!(store.0.len(), 1000);
        assert!(store.1.len() <= 20 && store.1.iter().all(|size| *size <= BATCH), "{:?}", store.1);
    }

    #[tokio::test]
    async fn a_key_that_waits_twice_ends_with_the_later_value_and_failures_are_told() {
        let (queue, store) = (StatusQueue::default(), Store::default());
        let put = |key: &str, value: &'static str| {
            queue.put((key.to_owned(), Bytes::from(value)), |batch| store.write(batch))
        };
        let (first, second) = tokio::join!(put("a", "1"), put("a", "2"));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(store.0.lock().0["a"], "2");
        assert!(put("bad", "3").await.is_err());
        assert!(put("b", "4").await.is_ok());
    }

    #[tokio::test]
    async fn a_writer_that_goes_away_leaves_nobody_waiting() {
        let (queue, store) = (Arc::new(StatusQueue::default()), Arc::new(Store::default()));
        let begun = Arc::new(tokio::sync::Notify::new());
        let gone = {
            let (queue, begun) = (Arc::clone(&queue), Arc::clone(&begun));
            tokio::spawn(async move {
                let write = |_| {
                    begun.notify_one();
                    std::future::pending()
                };
                queue.put(("a".to_owned(), Bytes::new()), write).await
            })
        };
        tokio::task::yield_now().await;
        let other = {
            let (queue, store) = (Arc::clone(&queue), Arc::clone(&store));
            tokio::spawn(async move {
                queue.put(("b".to_owned(), Bytes::new()), |batch| store.write(batch)).await
            })
        };
        begun.notified().await;
        gone.abort();
        other.await.expect("a task").expect("written");
        assert!(store.0.lock().0.contains_key("b"));
    }
}
