//! Steps that are a command of cargo or of the program.

use std::time::Duration;

use super::tally::Tally;
use xtask::{Failure, Program, workspace};

/// Longest time of the demo.
const DEMO_LIMIT: Duration = Duration::from_secs(120);

/// `cargo fmt --check`.
pub(super) fn format() -> Result<(), Failure> {
    Program::new("cargo fmt --all --check -- -l").run()
}

/// Clippy. In the profile of the tests, which need its build scripts and macros anyway: a second profile would compile the
/// C library of the Kafka client twice.
pub(super) fn lint() -> Result<(), Failure> {
    Program::new("cargo clippy --locked --workspace --all-targets -- -D warnings").run()
}

/// What is compiled and run as tests. Every command names the whole workspace: cargo unifies the features of what is
/// named, and with two different choices it would compile most dependencies twice.
const TEST: &str = "cargo test --locked --workspace";
/// Tests of the crates: in the sources, in `tests/it`, in the benchmark of the pipeline.
const UNIT_TARGETS: &str = "--lib --bins --test it --example pipeline";
/// Tests of the program.
const E2E_TARGET: &str = "--test e2e";

/// Compiles the program and all tests.
pub(super) fn build() -> Result<(), Failure> {
    Program::new(&format!("{TEST} {UNIT_TARGETS} {E2E_TARGET} --no-run")).run()
}

/// Tests of which none may be left out because the original Kafka is not there.
fn with_kafka(line: &str) -> Program {
    Program::new(line).variable(real_kafka::NEED_KAFKA, "1")
}

/// Tests of the crates, and the examples in their documentation.
pub(super) fn unit(tally: &mut Tally) {
    tally.cargo_test("unit", &with_kafka(&format!("{TEST} {UNIT_TARGETS} --no-fail-fast")));
    tally.cargo_test("doc", &Program::new(&format!("{TEST} --doc --no-fail-fast")));
}

/// Every recording with every changefeed of it: each is compared and printed. Compiled with the whole workspace, as the
/// tests are.
pub(super) fn golden(tally: &mut Tally) {
    let folder = crate::golden::default_folder();
    if !folder.join("cluster").is_dir() {
        println!("NOT CHECKED: no recordings at {} (set TIDEGATE_GOLDEN)", folder.display());
        return;
    }
    let run = || {
        let folder = std::path::absolute(&folder).map_err(Failure::file(&folder))?;
        Program::new("cargo build --locked --workspace --example golden").run()?;
        let example = workspace::target_dir().join("debug/examples/golden");
        Program::new("").arg(example).arg(folder).run()
    };
    tally.check("golden", run());
}

/// Tests of the program.
pub(super) fn end_to_end(tally: &mut Tally) {
    tally.cargo_test("e2e", &with_kafka(&format!("{TEST} {E2E_TARGET} --no-fail-fast")));
}

/// The demo, as a user runs it.
pub(super) fn demo() -> Result<(), Failure> {
    // The tests of the program have built it.
    if !workspace::tested_program().exists() {
        Program::new("cargo build --locked --workspace --bin tidegate").run()?;
    }
    Program::new("").arg(workspace::tested_program()).arg("demo").limit(DEMO_LIMIT).run()
}
