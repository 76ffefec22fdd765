//! Change feeds of TiKV: subscriptions, prewrite/commit matching, resolved-ts frontier.

pub mod frontier;
pub mod key_range;
pub mod matcher;
pub mod range_lock;
mod row;

pub use row::{Op, RowChange};
