//! Counts tests and checks.

use std::collections::BTreeMap;

use xtask::{Failure, Program};

/// Most lines of a panic that the summary shows.
const SHOWN_LINES: usize = 20;
/// Most characters of such a line.
const SHOWN_CHARS: usize = 500;

/// What passed and what failed so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Tests and checks that passed.
    passed: u64,
    /// Tests that failed, as their runner counted them, and checks.
    failed: u64,
    /// One line for each thing that failed.
    failures: Vec<String>,
}

impl Tally {
    /// Counts one check.
    pub(super) fn check(&mut self, name: &str, outcome: Result<(), Failure>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(failure) => {
                println!("{name}: {failure}");
                self.failed += 1;
                self.failures.push(format!("{name}: {failure}"));
            }
        }
    }

    /// Runs `cargo test` and counts the tests that it reports. A run that fails without a failed test (it didn't
    /// compile, or ran into its time limit) counts as one failure, and so does one that ran no test.
    pub(super) fn cargo_test(&mut self, name: &str, program: &Program) {
        let (mut passed, mut failed) = (0, 0);
        let mut reasons = Reasons::default();
        let first = self.failures.len();
        let outcome = program.run_watched(|line| {
            reasons.hear(line);
            if let Some((p, f)) = counts(line) {
                passed += p;
                failed += f;
            }
            if let Some(test) = failed_test(line) {
                self.failures.push(format!("{name}: {test}"));
            }
        });
        self.passed += passed;
        self.failed += failed;
        for failure in &mut self.failures[first..] {
            let reason = failure.strip_prefix(&format!("{name}: ")).and_then(|test| reasons.of(test));
            failure.push_str(&reason.unwrap_or_default());
        }
        match outcome {
            Err(failure) if failed == 0 => self.check(name, Err(failure)),
            Ok(()) if passed == 0 => self.check(name, Err(Failure::check("no test ran"))),
            _ => {}
        }
    }

    /// One line for each thing that failed.
    pub(super) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// The closing line.
    pub(super) fn summary(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }
}

/// Why tests failed: what they said when they panicked. The output of a suite is long, and often only its end is at hand.
#[derive(Debug, Default)]
struct Reasons {
    /// Test whose output is being printed.
    test: String,
    /// Whether the message of its panic is being printed.
    inside: bool,
    /// First lines of the message by test.
    lines: BTreeMap<String, Vec<String>>,
}

impl Reasons {
    /// Takes note of a line of the test runner.
    fn hear(&mut self, line: &str) {
        let line = plain(line);
        if let Some(rest) = line.strip_prefix("---- ") {
            self.test = rest.split(' ').next().unwrap_or_default().to_owned();
            self.inside = false;
        } else if line.starts_with("thread '") && line.contains(" panicked at ") {
            self.inside = !self.lines.contains_key(&self.test);
        } else if line.starts_with("stack backtrace:") || line.starts_with("note: ") || line.is_empty() {
            self.inside = false;
        } else if self.inside {
            let lines = self.lines.entry(self.test.clone()).or_default();
            if lines.len() < SHOWN_LINES {
                lines.push(line.chars().take(SHOWN_CHARS).collect());
            }
        }
    }

    /// What a test said, each line on a line of its own.
    fn of(&self, test: &str) -> Option<String> {
        Some(self.lines.get(test)?.iter().map(|line| format!("\n    {line}")).collect())
    }
}

/// Text without terminal colours.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // A sequence ends with its first letter; `ESC ( B` selects a character set.
            for c in chars.by_ref() {
                if c.is_ascii_alphabetic() {
                    break;
                }
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Passed and failed tests of a closing line of the test runner.
fn counts(line: &str) -> Option<(u64, u64)> {
    let line = plain(line);
    let rest = line.trim().strip_prefix("test result: ")?;
    let number = |word: &str| {
        let (before, _) = rest.split_once(&format!(" {word};"))?;
        before.rsplit(' ').next()?.parse::<u64>().ok()
    };
    Some((number("passed")?, number("failed")?))
}

/// The name of a test that is reported as failed.
fn failed_test(line: &str) -> Option<String> {
    let line = plain(line);
    let name = line.trim().strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted_with_and_without_colour() {
        let plain =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(counts(plain), Some((12, 0)));
        let coloured =
            "test result: \u{1b}[31mFAILED\u{1b}(B\u{1b}[m. 3 passed; 2 failed; 0 ignored; 0 measured";
        assert_eq!(counts(coloured), Some((3, 2)));
        assert_eq!(counts("test a::b ... ok"), None);
    }

    #[test]
    fn failed_tests_are_named() {
        assert_eq!(failed_test("test a::b ... \u{1b}[31mFAILED\u{1b}(B\u{1b}[m"), Some("a::b".to_owned()));
        assert_eq!(failed_test("test a::b ... ok"), None);
    }

    #[test]
    fn the_reason_of_a_failure_is_its_first_panic() {
        let mut reasons = Reasons::default();
        let output = "test a::b ... FAILED\n\nfailures:\n\n---- a::b stdout ----\nSEED=1\n\n\
            thread 'a::b' (7) panicked at crates/x/tests/e2e/y.rs:1:2:\n2 of 9 differ\nstep 3: GET /\n\
            stack backtrace:\n   0: main\n\nthread 'a::b' (7) panicked at z.rs:1:2:\nagain\n\
            ---- c stdout ----\nno panic\n";
        output.lines().for_each(|line| reasons.hear(line));
        assert_eq!(reasons.of("a::b").as_deref(), Some("\n    2 of 9 differ\n    step 3: GET /"));
        assert_eq!(reasons.of("c"), None);
    }

    #[test]
    fn a_failed_check_shows_in_the_summary() {
        let mut tally = Tally::default();
        tally.check("a", Ok(()));
        tally.check("b", Err(Failure::check("no")));
        assert_eq!(tally.summary(), "1 passed, 1 failed");
        assert_eq!(tally.failures(), ["b: no"]);
    }
}
