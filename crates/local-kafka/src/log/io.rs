//! The I/O threads: each partition belongs to one of them, so that its changes happen one after the other and off the
//! async runtime.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::append::{AppendError, AppendJob, Appended, Round};
use super::partition::PartitionLog;
pub(crate) use super::retention::DeleteError;
use super::sync::Syncer;
use crate::batch::BatchHeader;
use crate::config::FlushPolicy;
use crate::limits::{IO_QUEUE_JOBS, IO_ROUND_JOBS, MAX_IO_THREADS};

/// A change to one partition.
enum Job {
    /// Append a batch.
    Append(Arc<PartitionLog>, AppendJob),
    /// Delete records before an offset.
    Delete(Arc<PartitionLog>, i64, oneshot::Sender<Result<i64, DeleteError>>),
    /// Delete what the settings of the topic no longer keep, given the time in milliseconds.
    Retain(Arc<PartitionLog>, i64),
    /// End the partition.
    Close(Arc<PartitionLog>, oneshot::Sender<()>),
}

/// The I/O threads of a broker.
#[derive(Debug)]
pub(crate) struct IoThreads {
    /// One queue per thread.
    queues: Vec<mpsc::Sender<Job>>,
}

/// Waits for the I/O threads to end.
#[derive(Debug)]
pub(crate) struct IoJoin {
    /// The I/O threads.
    threads: Vec<JoinHandle<()>>,
    /// The sync thread, which ends after them.
    sync_thread: JoinHandle<()>,
}

impl IoJoin {
    /// Blocks until everything queued is written and synced. The queues must be dropped before.
    pub(crate) fn join(self) {
        for thread in self.threads {
            let _ = thread.join();
        }
        let _ = self.sync_thread.join();
    }
}

impl IoThreads {
    /// Starts the threads.
    pub(crate) fn start(policy: FlushPolicy) -> std::io::Result<(Self, IoJoin)> {
        let count = thread::available_parallelism().map_or(1, usize::from).min(MAX_IO_THREADS);
        let (syncer, sync_thread) = Syncer::start(policy)?;
        let mut queues = Vec::with_capacity(count);
        let mut threads = Vec::with_capacity(count);
        for i in 0..count {
            let (sender, receiver) = mpsc::channel(IO_QUEUE_JOBS);
            let syncer = syncer.clone();
            let name = format!("kafka-io-{i}");
            threads.push(thread::Builder::new().name(name).spawn(move || run(receiver, &syncer))?);
            queues.push(sender);
        }
        Ok((Self { queues }, IoJoin { threads, sync_thread }))
    }

    /// Queues a checked batch; the outcome arrives by the receiver. Batches of one caller keep their order.
    pub(crate) async fn append(
        &self,
        partition: &Arc<PartitionLog>,
        batch: Bytes,
        header: BatchHeader,
    ) -> oneshot::Receiver<Result<Appended, AppendError>> {
        let (reply, outcome) = oneshot::channel();
        self.send(partition, Job::Append(Arc::clone(partition), AppendJob { batch, header, reply })).await;
        outcome
    }

    /// Deletes records before `offset` (-1: all) and returns the new first visible offset.
    pub(crate) async fn delete_records(
        &self,
        partition: &Arc<PartitionLog>,
        offset: i64,
    ) -> Result<i64, DeleteError> {
        let (reply, outcome) = oneshot::channel();
        self.send(partition, Job::Delete(Arc::clone(partition), offset, reply)).await;
        outcome.await.unwrap_or(Err(DeleteError::Closed))
    }

    /// Applies retention to a partition, eventually.
    pub(crate) async fn retain(&self, partition: &Arc<PartitionLog>, now_ms: i64) {
        self.send(partition, Job::Retain(Arc::clone(partition), now_ms)).await;
    }

    /// Ends a partition; returns when no job touches its files any more.
    pub(crate) async fn close(&self, partition: &Arc<PartitionLog>) {
        let (reply, done) = oneshot::channel();
        self.send(partition, Job::Close(Arc::clone(partition), reply)).await;
        let _ = done.await;
    }

    /// Queues a job for the thread of the partition. If the thread is gone, the job's reply channel closes.
    async fn send(&self, partition: &PartitionLog, job: Job) {
        let id = partition.id();
        let spread = (id.topic_id.as_u128() as usize).wrapping_add(usize::try_from(id.index).unwrap_or(0));
        if let Some(queue) = self.queues.get(spread % self.queues.len().max(1)) {
            let _ = queue.send(job).await;
        }
    }
}

/// One I/O thread.
fn run(mut queue: mpsc::Receiver<Job>, syncer: &Syncer) {
    let mut jobs = Vec::with_capacity(IO_ROUND_JOBS);
    while queue.blocking_recv_many(&mut jobs, IO_ROUND_JOBS) > 0 {
        let mut round = Round::default();
        let mut appends: Vec<(Arc<PartitionLog>, Vec<AppendJob>)> = Vec::new();
        for job in jobs.drain(..) {
            if let Job::Append(partition, append) = job {
                match appends.iter_mut().find(|(p, _)| Arc::ptr_eq(p, &partition)) {
                    Some((_, queued)) => queued.push(append),
                    None => appends.push((partition, vec![append])),
                }
                continue;
            }
            write(&mut appends, &mut round);
            other(job, &mut round);
        }
        write(&mut appends, &mut round);
        syncer.finish(&mut round);
    }
}

/// Writes the appends collected so far.
fn write(appends: &mut Vec<(Arc<PartitionLog>, Vec<AppendJob>)>, round: &mut Round) {
    for (partition, jobs) in appends.drain(..) {
        partition.append(jobs, round);
    }
}

/// Does a job which is not an append.
fn other(job: Job, round: &mut Round) {
    match job {
        Job::Append(partition, append) => partition.append(vec![append], round),
        Job::Delete(partition, offset, reply) => {
            let _ = reply.send(partition.delete_records(offset, round));
        }
        Job::Retain(partition, now_ms) => partition.apply_retention(now_ms, round),
        Job::Close(partition, reply) => {
            partition.close();
            let _ = reply.send(());
        }
    }
}
