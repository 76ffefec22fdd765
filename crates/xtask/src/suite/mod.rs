//! `cargo xtask test`: every check of the project, in order.

mod compat;
mod compose;
mod dependencies;
mod documents;
mod steps;
mod tally;
mod tools;

use std::time::Instant;

use clap::{Args, ValueEnum};

use steps::Profile;
use tally::Tally;
use xtask::Failure;

/// A step of the suite, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// Programs that the tests need; installs what is missing where it can.
    Tools,
    /// `cargo fmt --check`.
    Format,
    /// Links, dependencies, wording of the documents.
    Docs,
    /// The compose file, with every profile.
    Compose,
    /// Clippy, warnings are errors.
    Lint,
    /// The program and the tests, in the profile of the tests.
    Build,
    /// Tests of the crates.
    Unit,
    /// Recordings of the reference system through the pipeline, where there are any.
    Golden,
    /// Tests of the program: the whole pipeline with real clients.
    E2e,
    /// `tidegate demo`.
    Demo,
}

impl Step {
    /// What it does, for people.
    fn purpose(self) -> &'static str {
        match self {
            Self::Tools => "Programs that the tests need",
            Self::Format => "Format of the code",
            Self::Docs => "Documents",
            Self::Compose => "Compose file",
            Self::Lint => "Lints",
            Self::Build => "Build of the program and the tests",
            Self::Unit => "Tests of the crates",
            Self::Golden => "Recordings of the reference system",
            Self::E2e => "End-to-end tests",
            Self::Demo => "Demo",
        }
    }

    /// Runs it and counts.
    fn run(self, profile: Profile, tally: &mut Tally) {
        match self {
            Self::Tools => tally.check("tools", tools::run()),
            Self::Format => tally.check("format", steps::format()),
            Self::Docs => documents::run(tally),
            Self::Compose => compose::run(tally),
            Self::Lint => tally.check("lint", steps::lint(profile)),
            Self::Build => tally.check("build", steps::build(profile)),
            Self::Unit => steps::unit(profile, tally),
            Self::Golden => steps::golden(profile, tally),
            Self::E2e => steps::end_to_end(profile, tally),
            Self::Demo => tally.check("demo", steps::demo(profile)),
        }
    }
}

/// Flags.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Only these steps, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "STEP")]
    only: Vec<Step>,
    /// All steps but these, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "STEP", conflicts_with = "only")]
    skip: Vec<Step>,
    /// Test what is shipped, optimised; compiling takes two to three times as long.
    #[arg(long)]
    release: bool,
}

/// Runs the steps. The last line says how many tests and checks passed and failed.
pub(crate) fn run(args: &TestArgs) -> Result<(), Failure> {
    let chosen = Step::value_variants().iter().filter(|step| {
        if args.only.is_empty() { !args.skip.contains(step) } else { args.only.contains(step) }
    });
    let profile = if args.release { Profile::RELEASE } else { Profile::DEV };
    let mut tally = Tally::default();
    for step in chosen {
        println!("\n== {} ==", step.purpose());
        let started = Instant::now();
        let failed = tally.failures().len();
        step.run(profile, &mut tally);
        let word = if tally.failures().len() == failed { "done" } else { "FAILED" };
        println!("-- {}: {word} after {:.0} s", step.purpose(), started.elapsed().as_secs_f64());
    }
    println!();
    for failure in tally.failures() {
        println!("FAILED {failure}");
    }
    println!("{}", tally.summary());
    if tally.failures().is_empty() {
        return Ok(());
    }
    Err(Failure::check("the suite failed"))
}
