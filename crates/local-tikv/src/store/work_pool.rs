//! Threads for engine calls, which may block on the disk.

use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;

/// Jobs that may wait; beyond it the store says it is busy.
const MAX_QUEUED: usize = 4096;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
    /// Threads that sleep.
    idle: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
}

/// A fixed number of threads that work off a bounded queue.
pub(crate) struct WorkPool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

/// The queue is full, or the pool is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

impl WorkPool {
    /// Starts `threads` threads called `name`.
    pub(crate) fn start(name: &str, threads: usize) -> std::io::Result<Self> {
        let pool = Self { shared: Arc::default(), threads: Mutex::default() };
        for _ in 0..threads.max(1) {
            let shared = pool.shared.clone();
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&shared))?;
            pool.threads.lock().push(thread);
        }
        Ok(pool)
    }

    /// Queues a job.
    pub(crate) fn submit(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Refused> {
        let mut queue = self.shared.queue.lock();
        if queue.closed || queue.jobs.len() >= MAX_QUEUED {
            return Err(Refused);
        }
        queue.jobs.push_back(Box::new(job));
        if queue.idle > 0 {
            self.shared.ready.notify_one();
        }
        Ok(())
    }

    /// Finishes the queued jobs and ends the threads.
    pub(crate) fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.ready.notify_all();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker thread had panicked");
            }
        }
    }
}

impl Drop for WorkPool {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.ready.notify_all();
    }
}

fn work(shared: &Shared) {
    let mut queue = shared.queue.lock();
    loop {
        if let Some(job) = queue.jobs.pop_front() {
            drop(queue);
            // A job that panics fails its own request (whoever waits sees its channel closed), not the pool.
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                tracing::error!("a job panicked");
            }
            queue = shared.queue.lock();
        } else if queue.closed {
            return;
        } else {
            queue.idle += 1;
            shared.ready.wait(&mut queue);
            queue.idle -= 1;
        }
    }
}
