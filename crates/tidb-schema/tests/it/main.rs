//! Tests of the public interface.

mod apply;
mod history;
mod jobs;
mod recordings;
