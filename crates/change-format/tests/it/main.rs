//! Tests of the public interface.

mod golden;
mod recordings;
