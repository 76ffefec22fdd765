//! `cargo xtask fuzz`: the decoders under libFuzzer.
//!
//! Coverage is asked of the stable compiler by the flags that `cargo fuzz` would pass to a nightly one; there is no
//! sanitizer, and none is needed where `unsafe` is the exception: panics, time and memory are what is looked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use xtask::{Failure, Program, workspace};

/// Flags of the compiler: counters at each edge and traced comparisons for libFuzzer, every check of Rust on.
const COMPILER_FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions=on -Coverflow-checks=on";
/// The variable that names a decoder to the program; without it the program lists them.
const TARGET_VARIABLE: &str = "TIDEGATE_FUZZ_TARGET";
/// Most resident memory of a run, MiB: a decoder that grows beyond it is a finding.
const MEMORY_LIMIT_MIB: u32 = 1024;
/// Largest single allocation, MiB. Inputs have at most some KiB.
const ALLOCATION_LIMIT_MIB: u32 = 64;
/// Longest time of one input in seconds.
const INPUT_SECONDS: u32 = 10;
/// What a run may take beyond its share: reading the corpus, writing a finding.
const GRACE: Duration = Duration::from_secs(120);

/// Flags.
#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// Minutes in total, divided equally among the decoders.
    #[arg(long, default_value_t = 13.0)]
    minutes: f64,
    /// Only these decoders [default: all].
    #[arg(long = "target")]
    targets: Vec<String>,
}

/// A decoder.
#[derive(Debug)]
struct Decoder {
    /// Name: also that of its folder in the corpus.
    name: String,
    /// Longest input in bytes.
    max_len: String,
}

/// Where everything is that is not in the repository.
struct Places {
    /// Folder of build output.
    build: PathBuf,
    /// The program.
    program: PathBuf,
}

/// Builds the program and runs each decoder for its share of the time. Findings of one do not keep the others from
/// being run.
pub(crate) fn run(args: &FuzzArgs) -> Result<(), Failure> {
    let places = build()?;
    let decoders = chosen(&places, &args.targets)?;
    let share = Duration::try_from_secs_f64(args.minutes * 60.0 / decoders.len() as f64)
        .map_err(|_| Failure::check(format!("{} minutes are no time", args.minutes)))?;
    let mut findings = Vec::new();
    for decoder in &decoders {
        if let Err(failure) = fuzz(&places, decoder, share) {
            findings.push(format!("{}: {failure}", decoder.name));
        }
    }
    if findings.is_empty() {
        println!("{} decoders, {:.0} s each: no finding", decoders.len(), share.as_secs_f64());
        return Ok(());
    }
    Err(Failure::check(format!(
        "{}\nInputs are in {}. Mend the code, put each input into crates/fuzz-targets/corpus/<decoder>, and write a test \
         that says what was wrong.",
        findings.join("\n"),
        places.build.join("findings").display()
    )))
}

/// Builds the program with coverage.
fn build() -> Result<Places, Failure> {
    let rustc = Program::new("rustc -vV").output()?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::check("`rustc -vV` does not tell the host"))?;
    let build = std::path::absolute(workspace::target_dir().join("fuzz"))
        .map_err(Failure::file(Path::new("target/fuzz")))?;
    // A target is named, so that build scripts and macros are compiled without the flags.
    Program::new("cargo build --release --locked --target")
        .arg(host)
        .within("fuzz")
        .variable("CARGO_TARGET_DIR", &build.to_string_lossy())
        .variable("RUSTFLAGS", COMPILER_FLAGS)
        .run()?;
    let build = build.canonicalize().map_err(Failure::file(&build))?;
    Ok(Places { program: build.join(host).join("release/decoders"), build })
}

/// The decoders that the program knows, or those of them that were named.
fn chosen(places: &Places, names: &[String]) -> Result<Vec<Decoder>, Failure> {
    let listed = Program::new("").arg(&places.program).variable(TARGET_VARIABLE, "").output()?;
    let all: Vec<Decoder> = listed
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, max_len)| Decoder { name: name.to_owned(), max_len: max_len.to_owned() })
        .collect();
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|known| known.name != **name)) {
        let known: Vec<&str> = all.iter().map(|known| known.name.as_str()).collect();
        return Err(Failure::check(format!("no decoder {unknown}; there are {}", known.join(", "))));
    }
    let all: Vec<Decoder> =
        all.into_iter().filter(|known| names.is_empty() || names.contains(&known.name)).collect();
    if all.is_empty() {
        return Err(Failure::check("the program lists no decoder"));
    }
    Ok(all)
}

/// Runs one decoder.
fn fuzz(places: &Places, decoder: &Decoder, share: Duration) -> Result<(), Failure> {
    // What earlier runs found to reach new code is kept, and begun with.
    let work = places.build.join("work").join(&decoder.name);
    let findings = places.build.join("findings").join(&decoder.name);
    for folder in [&work, &findings] {
        std::fs::create_dir_all(folder).map_err(Failure::file(folder))?;
    }
    Program::new("")
        .arg(&places.program)
        .arg(&work)
        .arg(workspace::root().join("crates/fuzz-targets/corpus").join(&decoder.name))
        .arg(format!("-max_total_time={}", share.as_secs().max(1)))
        .arg(format!("-max_len={}", decoder.max_len))
        .arg(format!("-rss_limit_mb={MEMORY_LIMIT_MIB}"))
        .arg(format!("-malloc_limit_mb={ALLOCATION_LIMIT_MIB}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .arg("-print_final_stats=1")
        .arg("-verbosity=0")
        .variable(TARGET_VARIABLE, &decoder.name)
        .limit(share + GRACE)
        .run()
}
