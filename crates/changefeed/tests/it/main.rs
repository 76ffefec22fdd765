//! A changefeed over real protocols: placement driver, store and broker run in this process; the test plays the SQL
//! server by writing schema and rows as TiDB does. And a changefeed over recorded streams.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bucket;
mod claim_check;
mod cluster;
mod disk;
mod garbage;
mod golden;
mod recordings;
mod replication;
