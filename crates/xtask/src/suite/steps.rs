//! Steps that are a command of cargo or of the program.

use std::time::Duration;

use super::tally::Tally;
use crate::failure::Failure;
use crate::program::Program;
use crate::workspace;

/// Longest time of the demo.
const DEMO_LIMIT: Duration = Duration::from_secs(120);

/// `cargo fmt --check`.
pub(super) fn format() -> Result<(), Failure> {
    Program::new("cargo fmt --all --check -- -l").run()
}

/// Clippy. In the release profile, whose build scripts and macros the build needs anyway: a second profile would
/// compile the C library of the Kafka client twice.
pub(super) fn lint() -> Result<(), Failure> {
    Program::new("cargo clippy --release --locked --workspace --all-targets -- -D warnings").run()
}

/// Builds the program.
pub(super) fn build() -> Result<(), Failure> {
    Program::new("cargo build --release --locked --package tidegate").run()
}

/// Tests of every crate but the program.
pub(super) fn unit(tally: &mut Tally) {
    let program = Program::new("cargo test --release --locked --workspace --exclude tidegate --no-fail-fast");
    tally.cargo_test("unit", &program);
}

/// Tests of the program.
pub(super) fn end_to_end(tally: &mut Tally) {
    let program = Program::new("cargo test --release --locked --package tidegate --no-fail-fast");
    tally.cargo_test("e2e", &program);
}

/// The demo, as a user runs it.
pub(super) fn demo() -> Result<(), Failure> {
    if !workspace::tidegate_program().exists() {
        build()?;
    }
    Program::new("").arg(workspace::tidegate_program()).arg("demo").limit(DEMO_LIMIT).run()
}
