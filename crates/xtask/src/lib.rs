//! What the chores of the project share: running programs, finding files, failing with a reason.

mod failure;
mod program;
pub mod workspace;

pub use failure::Failure;
pub use program::Program;
