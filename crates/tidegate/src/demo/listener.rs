//! What arrives in the topic.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::Message;
use rdkafka::error::KafkaError;
use tokio::sync::watch;

use crate::consume::event::Event;
use crate::consume::subscription::Subscription;
use crate::consume::{Role, Style, lines};
use crate::failure::Failure;

/// A change that arrived.
pub(super) struct Received {
    /// The change.
    pub(super) event: Event,
    /// When it was committed.
    pub(super) commit_ts: u64,
    /// Partition that it came on.
    pub(super) partition: i32,
    /// From its commit until we had it, milliseconds.
    pub(super) latency_ms: i64,
}

/// Reads the topic.
pub(super) struct Listener {
    /// Membership in the group.
    subscription: Subscription,
    /// How the lines look.
    style: Style,
    /// Last watermark by partition.
    marks: HashMap<i32, u64>,
    /// Changes in order of arrival.
    received: Vec<Received>,
    /// Their number, for those who wait for it.
    arrived: watch::Sender<usize>,
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Listener {
    /// Reads with a subscription.
    pub(super) fn new(subscription: Subscription) -> Self {
        Self {
            subscription,
            style: Style::of_stdout(),
            marks: HashMap::new(),
            received: Vec::new(),
            arrived: watch::channel(0).0,
        }
    }

    /// Number of changes that arrived, as it grows.
    pub(super) fn arrived(&self) -> watch::Receiver<usize> {
        self.arrived.subscribe()
    }

    /// Waits for a sign of life of the changefeed.
    pub(super) async fn first_mark(&mut self) -> Result<(), Failure> {
        while self.marks.is_empty() {
            self.receive().await?;
        }
        Ok(())
    }

    /// Prints what arrives, until everything up to the timestamp that `end` will hold has arrived on every partition.
    pub(super) async fn until(&mut self, mut end: watch::Receiver<Option<u64>>) -> Result<(), Failure> {
        loop {
            let reached = end.borrow_and_update().is_some_and(|ts| self.has_all_up_to(ts));
            if reached {
                return Ok(());
            }
            tokio::select! {
                changed = end.changed() => changed?,
                received = self.receive() => received?,
            }
        }
    }

    /// Whether every partition promised that nothing up to `ts` will come any more.
    fn has_all_up_to(&self, ts: u64) -> bool {
        let assigned = self.subscription.assigned();
        let partitions = assigned.borrow();
        partitions.as_ref().is_some_and(|partitions| {
            !partitions.is_empty()
                && partitions
                    .iter()
                    .all(|partition| self.marks.get(partition).is_some_and(|mark| *mark >= ts))
        })
    }

    /// Takes the next message. Safe to cancel.
    async fn receive(&mut self) -> Result<(), Failure> {
        let message = match self.subscription.next().await {
            Ok(message) => message,
            Err(error @ KafkaError::MessageConsumptionFatal(_)) => return Err(error.into()),
            Err(error) => {
                tracing::debug!(%error, "consumer");
                return Ok(());
            }
        };
        let (partition, now) = (message.partition(), now_ms());
        let event = Event::parse(message.payload().unwrap_or_default()).map_err(|error| {
            Failure::new(format!("partition {partition} offset {}: {error}", message.offset()))
        })?;
        self.subscription.done(&message);
        let (commit_ts, commit_ms) = match &event {
            Event::Watermark(mark) => {
                self.marks.insert(partition, mark.ts);
                return Ok(());
            }
            Event::Row(row) => (row.commit_ts, row.commit_ms),
            Event::Ddl(ddl) => (ddl.commit_ts, ddl.commit_ms),
        };
        let commit_ts = commit_ts
            .ok_or_else(|| Failure::new("a change without its commit timestamp (_tidb.commitTs)"))?;
        if self.marks.get(&partition).is_some_and(|mark| *mark >= commit_ts) {
            return Err(Failure::new(format!(
                "partition {partition}: a change of {commit_ts} after a watermark past it"
            )));
        }
        let latency_ms = now.saturating_sub(commit_ms);
        let latency = self.style.paint(Role::Faint, &format!("{latency_ms:>5} ms"));
        for line in lines(&event, self.style) {
            println!("{latency}  {line}");
        }
        self.received.push(Received { event, commit_ts, partition, latency_ms });
        self.arrived.send_replace(self.received.len());
        Ok(())
    }

    /// Leaves the group; what arrived.
    pub(super) async fn finish(self) -> Vec<Received> {
        self.subscription.close().await;
        self.received
    }
}
