//! Tasks that wait for a level to fall.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use parking_lot::Mutex;

/// One waiting task.
struct Waiter {
    /// Identity of the future, so that a second poll replaces the waker instead of adding one.
    id: u64,
    /// The task runs again once the level is below this.
    level: usize,
    /// How to wake it.
    waker: Waker,
}

/// Wakers of the tasks that wait for a level to fall below a threshold of their own.
#[derive(Default)]
pub(crate) struct FallWaiters {
    /// The largest threshold that somebody waits for; 0 when nobody waits.
    highest: AtomicUsize,
    /// The waiting tasks and the next identity.
    waiters: Mutex<(u64, Vec<Waiter>)>,
}

impl FallWaiters {
    /// Registers (or renews) a waiter and returns its identity.
    ///
    /// The caller must look at the level again after registering: a fall in between is not repeated.
    pub(crate) fn register(&self, id: Option<u64>, level: usize, waker: &Waker) -> u64 {
        let mut guard = self.waiters.lock();
        let (next, waiters) = &mut *guard;
        let id = id.unwrap_or_else(|| {
            *next += 1;
            *next
        });
        match waiters.iter_mut().find(|waiter| waiter.id == id) {
            Some(waiter) => waiter.waker.clone_from(waker),
            None => waiters.push(Waiter { id, level, waker: waker.clone() }),
        }
        let highest = waiters.iter().map(|waiter| waiter.level).max().unwrap_or(0);
        self.highest.store(highest, Ordering::SeqCst);
        id
    }

    /// Forgets a waiter.
    pub(crate) fn forget(&self, id: u64) {
        let mut guard = self.waiters.lock();
        guard.1.retain(|waiter| waiter.id != id);
        let highest = guard.1.iter().map(|waiter| waiter.level).max().unwrap_or(0);
        self.highest.store(highest, Ordering::SeqCst);
    }

    /// Wakes everybody whose threshold is above `level`.
    pub(crate) fn fell_to(&self, level: usize) {
        if level >= self.highest.load(Ordering::SeqCst) {
            return;
        }
        let mut woken = Vec::new();
        {
            let mut guard = self.waiters.lock();
            let waiters = std::mem::take(&mut guard.1);
            for waiter in waiters {
                if level < waiter.level {
                    woken.push(waiter.waker);
                } else {
                    guard.1.push(waiter);
                }
            }
            let highest = guard.1.iter().map(|waiter| waiter.level).max().unwrap_or(0);
            self.highest.store(highest, Ordering::SeqCst);
        }
        for waker in woken {
            waker.wake();
        }
    }

    /// Wakes everybody, whatever the level is.
    pub(crate) fn wake_all(&self) {
        let waiters = std::mem::take(&mut self.waiters.lock().1);
        self.highest.store(0, Ordering::SeqCst);
        for waiter in waiters {
            waiter.waker.wake();
        }
    }
}
