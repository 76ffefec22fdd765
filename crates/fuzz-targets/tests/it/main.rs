//! Tests over the committed corpus.
#![allow(clippy::unwrap_used)] // also in the helpers of tests

mod corpus;
