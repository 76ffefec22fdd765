//! Timestamps: many callers, one stream, several requests under way.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;

use super::members::Members;
use super::tso_service::{Granted, Requests, SourceFinder};

/// Callers that may queue before the next one waits for room.
const QUEUE: usize = 1024;
/// Callers whose wishes share a request at most.
const BATCH_CALLERS: usize = 512;
/// Requests under way on the stream. Few, so that callers meet in one request when the server is slow.
const IN_FLIGHT: usize = 4;
/// Largest number of timestamps one caller may reserve: a millisecond has 2^18.
const MAX_COUNT: u32 = 1 << 17;
/// Most timestamps in one request.
const BATCH_COUNT: u32 = 1 << 17;
/// Silence after which the stream counts as broken.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a caller waits in all, over reconnections.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// First wait before a new stream.
const RETRY_BASE: Duration = Duration::from_millis(5);
/// Longest wait before a new stream.
const RETRY_MAX: Duration = Duration::from_millis(200);
/// Reconnection never gives up by itself; callers do.
const RETRY_BUDGET: Duration = Duration::MAX;

/// One caller's wish.
#[derive(Debug)]
struct Wish {
    count: u32,
    answer: oneshot::Sender<Result<u64>>,
}

/// A request under way, with the callers it serves in order.
#[derive(Debug)]
struct Batch {
    count: u32,
    wishes: Vec<Wish>,
    sent: Instant,
}

/// How a stream ended.
enum SessionEnd {
    /// All clients are gone.
    Closed,
    /// The way to the leader has changed; the next stream takes it.
    Rerouted,
    /// The stream broke; it lived to give at least one answer if `served`.
    Broken { address: String, reason: String, served: bool },
}

/// Handle to the task that owns the stream.
#[derive(Debug, Clone)]
pub(super) struct TsoClient {
    wishes: mpsc::Sender<Wish>,
    members: Arc<Members>,
    last_failure: Arc<Mutex<String>>,
}

impl TsoClient {
    /// Starts the task; it ends when the last handle is dropped.
    pub(super) fn spawn(members: Arc<Members>) -> Self {
        let (wishes, receiver) = mpsc::channel(QUEUE);
        let last_failure = Arc::new(Mutex::new("no answer yet".to_owned()));
        tokio::spawn(run(Arc::clone(&members), receiver, Arc::clone(&last_failure)));
        Self { wishes, members, last_failure }
    }

    /// Reserves `count` timestamps and returns the first.
    pub(super) async fn get(&self, count: u32) -> Result<u64> {
        if count > MAX_COUNT {
            return Err(Error::InvalidResponse {
                method: "Tso",
                reason: format!("{count} timestamps at once are too many"),
            });
        }
        let started = Instant::now();
        let (answer, received) = oneshot::channel();
        let ask = async {
            self.wishes.send(Wish { count, answer }).await.map_err(|_| Error::Closed)?;
            received.await.map_err(|_| Error::Closed)?
        };
        match tokio::time::timeout(TOTAL_TIMEOUT, ask).await {
            Ok(result) => result,
            Err(_) => {
                let last = format!("Tso: {}", self.last_failure.lock());
                Err(self.members.unavailable(started.elapsed(), last))
            }
        }
    }
}

/// Opens streams one after the other as long as there are clients.
async fn run(members: Arc<Members>, mut wishes: mpsc::Receiver<Wish>, last_failure: Arc<Mutex<String>>) {
    let mut backoff = Backoff::new(RETRY_BASE, RETRY_MAX, RETRY_BUDGET);
    let mut waiting: Vec<Wish> = Vec::new();
    let mut sources = SourceFinder::new();
    loop {
        if waiting.is_empty() && wishes.recv_many(&mut waiting, BATCH_CALLERS).await == 0 {
            return;
        }
        let mut session = Session { waiting, in_flight: VecDeque::new(), served: false };
        let route = members.route_changes().borrow().clone();
        let end = session.run(&members, &mut sources, &mut wishes).await;
        waiting = session.unanswered();
        match end {
            SessionEnd::Closed => return,
            SessionEnd::Rerouted => sources.invalidate(),
            SessionEnd::Broken { address, reason, served } => {
                tracing::debug!(%address, reason, "timestamp stream broke");
                *last_failure.lock() = format!("{address}: {reason}");
                sources.invalidate();
                if served {
                    backoff = Backoff::new(RETRY_BASE, RETRY_MAX, RETRY_BUDGET);
                }
                backoff.wait().await;
                members.refresh_after(&route).await;
            }
        }
    }
}

/// One stream's life.
struct Session {
    waiting: Vec<Wish>,
    in_flight: VecDeque<Batch>,
    served: bool,
}

impl Session {
    /// Serves callers until the stream breaks or the clients are gone.
    async fn run(
        &mut self,
        members: &Members,
        sources: &mut SourceFinder,
        wishes: &mut mpsc::Receiver<Wish>,
    ) -> SessionEnd {
        let mut rerouted = members.route_changes();
        let leader = || rerouted.borrow().describe();
        let source = match sources.find(members).await {
            Ok(source) => source,
            Err(error) => return self.broken(leader(), error.to_string()),
        };
        let address = source.describe();
        let (requests, opening) = match source.prepare(members) {
            Ok(prepared) => prepared,
            Err(error) => return self.broken(address, error.to_string()),
        };
        // The first request goes ahead of the call: some servers send no headers before the first answer.
        self.send_batches(&requests);
        let mut inbound = match tokio::time::timeout(ANSWER_TIMEOUT, opening.open()).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(status)) => return self.broken(address, status.to_string()),
            Err(_) => return self.broken(address, format!("no answer within {ANSWER_TIMEOUT:?}")),
        };
        loop {
            let deadline = self.in_flight.front().map(|batch| batch.sent + ANSWER_TIMEOUT);
            tokio::select! {
                biased;
                answer = inbound.next() => match answer {
                    Ok(Some(answer)) => if let Err(reason) = self.answered(answer, members.cluster_id()) {
                        return self.broken(address, reason);
                    },
                    Ok(None) => return self.broken(address, "the server closed the stream".to_owned()),
                    Err(status) => return self.broken(address, status.to_string()),
                },
                received = wishes.recv_many(&mut self.waiting, BATCH_CALLERS), if self.waiting.is_empty() => {
                    if received == 0 {
                        return SessionEnd::Closed;
                    }
                }
                _ = rerouted.changed() => return SessionEnd::Rerouted,
                () = until(deadline) => {
                    return self.broken(address, format!("no answer within {ANSWER_TIMEOUT:?}"));
                }
            }
            self.send_batches(&requests);
        }
    }

    /// The end of a broken stream.
    fn broken(&self, address: String, reason: String) -> SessionEnd {
        SessionEnd::Broken { address, reason, served: self.served }
    }

    /// Sends what waits, as far as the limit of requests under way allows.
    fn send_batches(&mut self, requests: &Requests) {
        self.waiting.retain(|wish| !wish.answer.is_closed());
        while !self.waiting.is_empty() && self.in_flight.len() < IN_FLIGHT {
            let mut count = 0_u32;
            let fitting = self
                .waiting
                .iter()
                .take_while(|wish| {
                    count += wish.count;
                    count <= BATCH_COUNT
                })
                .count()
                .max(1);
            let wishes: Vec<Wish> = self.waiting.drain(..fitting).collect();
            let count = wishes.iter().map(|wish| wish.count).sum();
            let sent = Instant::now();
            self.in_flight.push_back(Batch { count, wishes, sent });
            if !requests.ask(count) {
                // The stream is ending: the reader will report it and the batch is repeated on the next one.
                return;
            }
        }
    }

    /// Hands the timestamps of an answer to the callers of the oldest request.
    fn answered(&mut self, answer: Granted, cluster_id: u64) -> std::result::Result<(), String> {
        if let Some(refusal) = answer.refusal {
            return Err(refusal);
        }
        if answer.cluster_id != 0 && answer.cluster_id != cluster_id {
            return Err(format!("the server belongs to cluster {}, not to {cluster_id}", answer.cluster_id));
        }
        let timestamp = answer.last.ok_or("an answer has no timestamp")?;
        let batch = self.in_flight.pop_front().ok_or("an answer without a request")?;
        if batch.count != answer.count {
            let reason = format!("{} timestamps came for {} asked", answer.count, batch.count);
            self.in_flight.push_front(batch);
            return Err(reason);
        }
        let last = Timestamp::compose(timestamp.physical, timestamp.logical).0;
        let mut next = last.checked_sub(u64::from(batch.count) - 1).ok_or("a timestamp is too small")?;
        self.served = true;
        for wish in batch.wishes {
            // A caller that has gone away leaves a gap, which is harmless.
            let _ = wish.answer.send(Ok(next));
            next += u64::from(wish.count);
        }
        Ok(())
    }

    /// The callers that got nothing, oldest first, to be served by the next stream.
    fn unanswered(&mut self) -> Vec<Wish> {
        let mut wishes: Vec<Wish> = self.in_flight.drain(..).flat_map(|batch| batch.wishes).collect();
        wishes.append(&mut self.waiting);
        wishes.retain(|wish| !wish.answer.is_closed());
        wishes
    }
}

/// Waits for a point in time, or for ever.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
