use bytes::Bytes;

use super::*;
use crate::row::Op;

/// Some rows of a given size.
fn rows(count: usize, commit_ts: u64) -> Vec<RowChange> {
    let row = RowChange {
        key: Bytes::from_static(b"key"),
        value: Bytes::new(),
        old_value: Bytes::new(),
        start_ts: 1,
        commit_ts,
        op: Op::Delete,
    };
    vec![row; count]
}

/// What an event is, in short.
fn short(event: Option<(u64, SpanEvent)>) -> (u64, u64) {
    match event {
        Some((span, SpanEvent::Rows(rows))) => (span, rows.len() as u64),
        Some((span, SpanEvent::ResolvedTs(ts))) => (span, 1_000_000 + ts),
        Some((span, SpanEvent::Failed(_))) => (span, 0),
        None => (0, 0),
    }
}

#[tokio::test]
async fn rows_come_before_the_resolved_ts_that_covers_them() {
    let (sender, mut receiver) = span_channel(1 << 20);
    sender.join(1, 7);
    sender.resolved(1, 5);
    sender.rows(1, rows(1, 6));
    sender.resolved(1, 6);
    assert_eq!(short(receiver.recv().await), (7, 1));
    assert_eq!(short(receiver.recv().await), (7, 1_000_006), "the older one is not told any more");
    assert!(receiver.try_recv().is_none());
}

#[tokio::test]
async fn spans_are_served_in_turn() {
    let (sender, mut receiver) = span_channel(1 << 20);
    for key in [1, 2] {
        sender.join(key, key);
    }
    for _ in 0..3 {
        sender.rows(1, rows(JOIN_ROWS, 6));
    }
    sender.rows(2, rows(1, 6));
    let spans: Vec<u64> =
        std::iter::from_fn(|| receiver.try_recv()).map(|event| short(Some(event)).0).collect();
    assert_eq!(spans, [1, 2, 1, 1]);
}

#[tokio::test]
async fn a_full_channel_makes_senders_wait() {
    let (sender, mut receiver) = span_channel(1000);
    sender.join(1, 1);
    sender.rows(1, rows(20, 6));
    assert!(sender.is_full());
    let waiting = tokio::spawn(sender.clone().until_room());
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert_eq!(short(receiver.recv().await), (1, 20));
    waiting.await.unwrap();
    assert_eq!(receiver.bytes(), 0);
}

#[tokio::test]
async fn an_ended_subscription_says_nothing_any_more() {
    let (sender, mut receiver) = span_channel(1000);
    sender.join(1, 7);
    sender.rows(1, rows(20, 6));
    sender.leave(1);
    sender.join(2, 7);
    sender.rows(1, rows(1, 6));
    sender.resolved(2, 3);
    assert_eq!(short(receiver.recv().await), (7, 1_000_003));
    assert!(!sender.is_full());
    drop(sender);
    assert!(receiver.recv().await.is_none());
}

#[tokio::test]
async fn a_dropped_receiver_frees_senders() {
    let (sender, receiver) = span_channel(10);
    sender.join(1, 7);
    sender.rows(1, rows(20, 6));
    let waiting = tokio::spawn(sender.clone().until_room());
    drop(receiver);
    waiting.await.unwrap();
}
