//! Steps that are a command of cargo or of the program.

use std::path::PathBuf;
use std::time::Duration;

use super::tally::Tally;
use xtask::{Failure, Program, workspace};

/// Longest time of the demo.
const DEMO_LIMIT: Duration = Duration::from_secs(120);

/// `cargo fmt --check`.
pub(super) fn format() -> Result<(), Failure> {
    Program::new("cargo fmt --all --check -- -l").run()
}

/// How the program and the tests are compiled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    /// What cargo is told.
    flag: &'static str,
    /// Folder of the output.
    folder: &'static str,
}

impl Profile {
    /// Little optimised, with assertions: quick to compile.
    pub(super) const DEV: Self = Self { flag: "", folder: "debug" };
    /// What users get.
    pub(super) const RELEASE: Self = Self { flag: "--release", folder: "release" };

    /// A command of cargo. It names the whole workspace: cargo unifies the features of what is named, and with two
    /// different choices it would compile most dependencies twice.
    fn cargo(self, command: &str, targets: &str) -> String {
        format!("cargo {command} --locked --workspace {} {targets}", self.flag)
    }

    /// A program.
    fn program(self, path: &str) -> PathBuf {
        let mut path = workspace::target_dir().join(self.folder).join(path);
        path.as_mut_os_string().push(std::env::consts::EXE_SUFFIX);
        path
    }
}

/// Clippy. In the profile of the tests, which need its build scripts and macros anyway: a second profile would compile the
/// C library of the Kafka client twice.
pub(super) fn lint(profile: Profile) -> Result<(), Failure> {
    Program::new(&profile.cargo("clippy", "--all-targets -- -D warnings")).run()
}

/// Tests of the crates: in the sources, in `tests/it`, in the benchmark of the pipeline.
const UNIT_TARGETS: &str = "--lib --bins --test it --example pipeline";
/// Tests of the program.
const E2E_TARGET: &str = "--test e2e";

/// Compiles the program and all tests.
pub(super) fn build(profile: Profile) -> Result<(), Failure> {
    Program::new(&profile.cargo("test", &format!("{UNIT_TARGETS} {E2E_TARGET} --no-run"))).run()
}

/// Tests of which none may be left out because the original Kafka is not there.
fn with_kafka(line: &str) -> Program {
    Program::new(line).variable(real_kafka::NEED_KAFKA, "1")
}

/// Tests of the crates, and the examples in their documentation.
pub(super) fn unit(profile: Profile, tally: &mut Tally) {
    let unit = profile.cargo("test", &format!("{UNIT_TARGETS} --no-fail-fast"));
    tally.cargo_test("unit", &with_kafka(&unit));
    tally.cargo_test("doc", &Program::new(&profile.cargo("test", "--doc --no-fail-fast")));
}

/// Every recording with every changefeed of it: each is compared and printed. Compiled with the whole workspace, as the
/// tests are.
pub(super) fn golden(profile: Profile, tally: &mut Tally) {
    let folder = crate::golden::default_folder();
    if !folder.join("cluster").is_dir() {
        println!("NOT CHECKED: no recordings at {} (set TIDEGATE_GOLDEN)", folder.display());
        return;
    }
    let run = || {
        let folder = std::path::absolute(&folder).map_err(Failure::file(&folder))?;
        Program::new(&profile.cargo("build", "--example golden")).run()?;
        Program::new("").arg(profile.program("examples/golden")).arg(folder).run()
    };
    tally.check("golden", run());
}

/// Tests of the program.
pub(super) fn end_to_end(profile: Profile, tally: &mut Tally) {
    let tests = profile.cargo("test", &format!("{E2E_TARGET} --no-fail-fast"));
    tally.cargo_test("e2e", &with_kafka(&tests));
}

/// The demo, as a user runs it.
pub(super) fn demo(profile: Profile) -> Result<(), Failure> {
    let program = profile.program("tidegate");
    // The tests of the program have built it.
    if !program.exists() {
        Program::new(&profile.cargo("build", "--bin tidegate")).run()?;
    }
    Program::new("").arg(program).arg("demo").limit(DEMO_LIMIT).run()
}
