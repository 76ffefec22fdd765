//! Threads that encode and send: one pool for all changefeeds of the process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

/// A piece of work that comes back to the queue when there is more of it.
pub(crate) trait Task: Send + Sync + 'static {
    /// Does a bounded amount of work; true if there is more to do now.
    fn step(&self) -> bool;
}

/// State of the pool.
#[derive(Default)]
struct Queue {
    /// Tasks that are ready. Bounded: each table is in it at most once.
    ready: VecDeque<Arc<dyn Task>>,
    /// The pool is going away.
    closed: bool,
}

/// What the threads share.
#[derive(Default)]
struct Shared {
    /// Tasks.
    queue: Mutex<Queue>,
    /// Signals a task or the end.
    changed: Condvar,
}

/// A fixed number of threads that take turns on ready tables, so that none starves.
pub(crate) struct WorkerPool {
    /// What the threads share.
    shared: Arc<Shared>,
    /// The threads.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl WorkerPool {
    /// Starts `count` threads.
    pub(crate) fn start(count: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut threads = Vec::new();
        for n in 0..count.max(1) {
            let shared = Arc::clone(&shared);
            let thread =
                std::thread::Builder::new().name(format!("encoder-{n}")).spawn(move || run(&shared))?;
            threads.push(thread);
        }
        Ok(Self { shared, threads: Mutex::new(threads) })
    }

    /// Queues a task. The caller makes sure that it is not queued yet.
    pub(crate) fn submit(&self, task: Arc<dyn Task>) {
        self.shared.queue.lock().ready.push_back(task);
        self.shared.changed.notify_one();
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.get_mut().drain(..) {
            if thread.join().is_err() {
                tracing::error!("an encoder thread had panicked");
            }
        }
    }
}

/// Takes tasks until the pool closes.
fn run(shared: &Shared) {
    loop {
        let task = {
            let mut queue = shared.queue.lock();
            loop {
                if queue.closed {
                    return;
                }
                match queue.ready.pop_front() {
                    Some(task) => break task,
                    None => shared.changed.wait(&mut queue),
                }
            }
        };
        if task.step() {
            shared.queue.lock().ready.push_back(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    struct Counter {
        steps: AtomicUsize,
        done: Mutex<mpsc::Sender<()>>,
    }

    impl Task for Counter {
        fn step(&self) -> bool {
            let more = self.steps.fetch_add(1, Ordering::SeqCst) < 9;
            if !more {
                self.done.lock().send(()).expect("the test waits");
            }
            more
        }
    }

    #[test]
    fn a_task_runs_until_it_has_no_more_to_do() {
        let pool = WorkerPool::start(2).expect("threads");
        let (sender, receiver) = mpsc::channel();
        let task = Arc::new(Counter { steps: AtomicUsize::new(0), done: Mutex::new(sender) });
        pool.submit(Arc::clone(&task) as Arc<dyn Task>);
        receiver.recv().expect("finished");
        assert_eq!(task.steps.load(Ordering::SeqCst), 10);
    }
}
