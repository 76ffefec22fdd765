//! Running other programs.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::failure::Failure;
use crate::workspace;

/// A program with its arguments, run in the root of the repository.
#[derive(Debug, Clone)]
pub struct Program {
    /// Name and arguments.
    words: Vec<String>,
    /// Folder to run in, relative to the root.
    folder: String,
    /// Longest time that it may take, where someone else than a person waits for it.
    limit: Duration,
    /// Variables that are set for it.
    variables: Vec<(&'static str, &'static str)>,
}

/// Longest time of a program for which nothing else is said.
const DEFAULT_LIMIT: Duration = Duration::from_secs(40 * 60);

impl Program {
    /// A program with arguments that are separated by blanks.
    pub fn new(line: &str) -> Self {
        let words = line.split_whitespace().map(str::to_owned).collect();
        Self { words, folder: ".".to_owned(), limit: DEFAULT_LIMIT, variables: Vec::new() }
    }

    /// One more argument, which may hold blanks.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.words.push(arg.as_ref().to_string_lossy().into_owned());
        self
    }

    /// Runs in this folder of the repository.
    pub fn within(mut self, folder: &str) -> Self {
        folder.clone_into(&mut self.folder);
        self
    }

    /// May take so long.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// The command line.
    pub fn line(&self) -> String {
        self.words.join(" ")
    }

    /// The command. In CI nobody presses Ctrl-C: `timeout` of the system ends it with all of its children.
    fn command(&self) -> Command {
        let ci = std::env::var_os("CI").is_some() && Path::new("/usr/bin/timeout").exists();
        let mut words = self.words.iter();
        let mut command = if ci {
            let mut command = Command::new("/usr/bin/timeout");
            command.arg("--kill-after=10").arg(self.limit.as_secs().to_string()).args(words);
            command
        } else {
            let mut command = Command::new(words.next().map_or("", String::as_str));
            command.args(words);
            command
        };
        command.current_dir(workspace::root().join(&self.folder)).stdin(Stdio::null());
        command.envs(self.variables.iter().copied());
        command
    }

    /// Says what is run, and runs it. It must succeed.
    pub fn run(&self) -> Result<(), Failure> {
        println!("$ {}", self.line());
        let status =
            self.command().status().map_err(|source| Failure::Start { command: self.line(), source })?;
        self.judge(status)
    }

    /// Says what is run, and runs it; each line of its standard output is passed on and shown to `look`.
    pub fn run_watched(&self, mut look: impl FnMut(&str)) -> Result<(), Failure> {
        println!("$ {}", self.line());
        let failed = |source| Failure::Start { command: self.line(), source };
        let mut child = self.command().stdout(Stdio::piped()).spawn().map_err(failed)?;
        if let Some(stdout) = child.stdout.take() {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
                std::io::stdout().write_all(&line).map_err(failed)?;
                look(String::from_utf8_lossy(&line).trim_end());
                line.clear();
            }
        }
        let status = child.wait().map_err(failed)?;
        self.judge(status)
    }

    /// What it prints to standard output. It must succeed; its errors are part of the failure.
    pub fn output(&self) -> Result<String, Failure> {
        let output =
            self.command().output().map_err(|source| Failure::Start { command: self.line(), source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(Failure::Program {
            command: self.line(),
            status: format!("{}\n{}", output.status, errors.trim()),
        })
    }

    /// True if it can be started and succeeds; says nothing.
    pub fn succeeds(&self) -> bool {
        self.command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// What the exit status means.
    fn judge(&self, status: std::process::ExitStatus) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        Err(Failure::Program { command: self.line(), status: status.to_string() })
    }
}
