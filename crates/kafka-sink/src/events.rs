//! Events of producers: delivery reports, errors, requests for tokens.
//!
//! librdkafka queues them until someone asks. The library's own way is a thread per producer that asks all the time, and
//! of each tenth of a second waits the last millisecond by spinning: a hundred idle producers use a core. Here librdkafka
//! rings a bell when a queue is no longer empty, and a few threads, which all producers of the process share, handle what
//! is there.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rdkafka::bindings as sys;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

/// Threads that handle events. More than one, as handling may wait for a token server.
const THREADS: usize = 4;
/// Events of one producer that are handled before it is the turn of others.
const TURN: usize = 256;

/// Someone with events to handle.
trait Events: Send + Sync {
    /// Handles some.
    fn handle(&self);
}

/// The threads, and who has events for them. Each producer waits at most once.
struct Pool {
    waiting: Mutex<VecDeque<Weak<dyn Events>>>,
    came: Condvar,
}

impl Pool {
    /// The pool of this process; the first call starts its threads.
    fn get() -> std::io::Result<Arc<Self>> {
        static POOL: Mutex<Option<Arc<Pool>>> = Mutex::new(None);
        let mut pool = POOL.lock();
        if let Some(pool) = &*pool {
            return Ok(Arc::clone(pool));
        }
        let started = Arc::new(Self { waiting: Mutex::default(), came: Condvar::new() });
        for number in 0..THREADS {
            let threads = Arc::clone(&started);
            std::thread::Builder::new()
                .name(format!("kafka-events-{number}"))
                .spawn(move || threads.run())?;
        }
        *pool = Some(Arc::clone(&started));
        Ok(started)
    }

    /// What each thread does.
    fn run(&self) {
        loop {
            let next = {
                let mut waiting = self.waiting.lock();
                loop {
                    match waiting.pop_front() {
                        Some(next) => break next,
                        None => self.came.wait(&mut waiting),
                    }
                }
            };
            if let Some(next) = next.upgrade() {
                next.handle();
            }
        }
    }

    /// Has someone's events handled.
    fn push(&self, who: Weak<dyn Events>) {
        self.waiting.lock().push_back(who);
        self.came.notify_one();
    }
}

/// What librdkafka rings.
struct Bell {
    /// True from the first ring until the events are handled.
    rung: AtomicBool,
    /// Whose it is.
    owner: Weak<dyn Events>,
    /// Where the events are handled.
    pool: Arc<Pool>,
}

impl Bell {
    /// There are events.
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            self.pool.push(Weak::clone(&self.owner));
        }
    }
}

/// The queue of a producer's events.
struct Queue(*mut sys::rd_kafka_queue_t);

// SAFETY: librdkafka's queues are guarded by their own locks; any thread may use them.
#[allow(unsafe_code, reason = "a pointer to an object of librdkafka, which is thread-safe")]
unsafe impl Send for Queue {}
// SAFETY: as above.
#[allow(unsafe_code, reason = "a pointer to an object of librdkafka, which is thread-safe")]
unsafe impl Sync for Queue {}

#[allow(unsafe_code, reason = "rdkafka has no safe call for the event callback of a producer's queue")]
impl Queue {
    /// The main queue of a client.
    ///
    /// Must not outlive the client.
    fn of(client: *mut sys::rd_kafka_t) -> Self {
        // SAFETY: the pointer is that of a living client. The answer is a reference of our own, given back in `drop`.
        Self(unsafe { sys::rd_kafka_queue_get_main(client) })
    }

    /// Rings `bell` whenever the queue is no longer empty, until the queue is dropped. The bell must live so long.
    fn attach(&self, bell: *const Bell) {
        // SAFETY: `on_event` gets the pointer back only while the callback is set: `drop` takes it off under the lock
        // under which librdkafka calls it. The caller keeps the bell until after that.
        unsafe { sys::rd_kafka_queue_cb_event_enable(self.0, Some(on_event), bell.cast_mut().cast()) }
    }

    /// Number of events.
    fn len(&self) -> usize {
        // SAFETY: the reference is ours, and its client lives.
        unsafe { sys::rd_kafka_queue_length(self.0) }
    }
}

impl Drop for Queue {
    #[allow(unsafe_code, reason = "see `Queue`")]
    fn drop(&mut self) {
        // SAFETY: the reference is ours and is not used after this; without a callback nobody has the bell any more.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.0, None, std::ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.0);
        }
    }
}

/// Called by librdkafka, under the lock of the queue.
#[allow(unsafe_code, reason = "see `Queue::attach`")]
unsafe extern "C" fn on_event(_client: *mut sys::rd_kafka_t, bell: *mut c_void) {
    // SAFETY: the pointer that `Queue::attach` gave, which is valid as long as the callback is set.
    unsafe { &*bell.cast::<Bell>() }.ring();
}

/// A producer whose events are handled as they come. Fields are dropped in this order: first the callback goes, then the
/// producer, then the bell.
pub(crate) struct Served<C: ProducerContext + 'static> {
    queue: Queue,
    producer: BaseProducer<C>,
    bell: Box<Bell>,
}

impl<C: ProducerContext + 'static> Served<C> {
    /// Begins to handle the events of a producer.
    pub(crate) fn new(producer: BaseProducer<C>) -> std::io::Result<Arc<Self>> {
        let pool = Pool::get()?;
        let served = Arc::new_cyclic(|owner: &Weak<Self>| {
            let owner: Weak<dyn Events> = owner.clone();
            let queue = Queue::of(producer.client().native_ptr());
            Self { queue, producer, bell: Box::new(Bell { rung: AtomicBool::new(false), owner, pool }) }
        });
        served.queue.attach(&raw const *served.bell);
        // For what came before.
        served.bell.ring();
        Ok(served)
    }

    /// The producer.
    pub(crate) fn producer(&self) -> &BaseProducer<C> {
        &self.producer
    }
}

impl<C: ProducerContext + 'static> Events for Served<C> {
    fn handle(&self) {
        for _ in 0..TURN {
            // Handles one event at most.
            self.producer.poll(Duration::ZERO);
            if self.queue.len() > 0 {
                continue;
            }
            self.bell.rung.store(false, Ordering::SeqCst);
            // An event that came before this store rang in vain.
            if self.queue.len() == 0 || self.bell.rung.swap(true, Ordering::SeqCst) {
                return;
            }
        }
        self.bell.pool.push(Weak::clone(&self.bell.owner));
    }
}
