//! Recordings of the reference system: their reader and the comparison with our messages. For tests only.
//!
//! A folder of recordings holds one folder per SQL script: what a store streamed while the script ran ([`Recording`])
//! and what the changefeeds of the reference system sent of it ([`Variant`], [`Recorded`]). [`compare`] compares those
//! with messages of ours, but for what may differ; [`check_watermarks`] checks watermarks by their meaning.
//! [`compare_captures`] compares what two captures sent that ran beside each other.

mod align;
mod compare;
mod difference;
mod error;
mod exceptions;
mod feed;
mod fields;
mod message;
mod peer;
mod recording;
mod watermark;

pub use compare::{Comparison, Ending, compare};
pub use difference::Difference;
pub use error::GoldenError;
pub use feed::Gap;
pub use message::{Recorded, Sent};
pub use peer::compare_captures;
pub use recording::{Recording, Region, Variant, folders, root};
pub use watermark::check_watermarks;
