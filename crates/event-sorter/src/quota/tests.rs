use std::sync::atomic::AtomicBool;
use std::task::{Wake, Waker};

use super::*;

/// A waker that remembers that it was called.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_frame_is_charged_until_its_last_slice_is_gone() {
    let quota = MemoryQuota::new(1000);
    let frame = quota.own(Stage::Frames, vec![7_u8; 600]);
    let slice = frame.slice(10..12);
    drop(frame);
    assert_eq!((quota.used(), quota.used_by(Stage::Frames)), (600, 600));
    drop(slice);
    assert_eq!((quota.used(), quota.used_by(Stage::Frames)), (0, 0));
}

#[test]
fn a_waiter_is_woken_when_the_level_falls_below_its_share() {
    let quota = MemoryQuota::new(100);
    let mut charge = quota.charge(Stage::Sorter, 150);
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut context = Context::from_waker(&waker);
    let mut wait = Box::pin(quota.until_below(0.8));
    assert!(wait.as_mut().poll(&mut context).is_pending());
    charge.resize(85);
    assert!(!flag.0.load(Ordering::SeqCst));
    charge.resize(79);
    assert!(flag.0.load(Ordering::SeqCst));
    assert!(wait.as_mut().poll(&mut context).is_ready());
}

#[test]
fn a_child_charges_its_parent_and_waits_for_it() {
    let process = MemoryQuota::new(100);
    let one = process.child(80);
    let two = process.child(80);
    let _held = one.charge(Stage::Frames, 70);
    let other = two.charge(Stage::Frames, 60);
    assert_eq!((process.used(), one.used(), two.used()), (130, 70, 60));
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut context = Context::from_waker(&waker);
    let mut wait = Box::pin(one.until_below(1.0));
    assert!(wait.as_mut().poll(&mut context).is_pending());
    drop(other);
    assert!(flag.0.load(Ordering::SeqCst));
    assert!(wait.as_mut().poll(&mut context).is_ready());
}
