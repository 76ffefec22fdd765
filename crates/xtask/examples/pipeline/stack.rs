//! A local stack of its own for the benchmark.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::process::{Usage, usage};
use xtask::{Failure, Program, workspace};

/// Usual port of SQL.
pub(crate) const SQL_PORT: u16 = 4000;
/// Usual port of the capture's HTTP API.
pub(crate) const CAPTURE_PORT: u16 = 8300;
/// Usual port of Kafka.
pub(crate) const KAFKA_PORT: u16 = 9092;
/// Usual port of PD.
pub(crate) const PD_PORT: u16 = 2379;
/// Longest time until the stack says that it is ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Longest time until it has stopped.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How often it is looked whether it has stopped.
const STOP_PROBE: Duration = Duration::from_millis(50);
/// First word of the line that says that the stack is ready.
const READY: &str = "Ready";

/// A running stack; ended when dropped.
pub(crate) struct Stack {
    /// The process.
    child: Child,
    /// Added to every port.
    offset: u16,
    /// From the start of the process to the line that says that it is ready.
    pub(crate) start_seconds: f64,
}

impl Stack {
    /// Starts the program in the release profile, after building it if need be.
    pub(crate) fn start(data_dir: &Path, offset: u16) -> Result<Self, Failure> {
        Self::start_with(data_dir, offset, &[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(data_dir: &Path, offset: u16, args: &[&str]) -> Result<Self, Failure> {
        if !workspace::tidegate_program().exists() {
            Program::new("cargo build --release --locked --package tidegate").run()?;
        }
        let program = workspace::tidegate_program();
        let started = Instant::now();
        let child = Command::new(&program)
            .args(["up", "--port-offset", &offset.to_string(), "--data-dir"])
            .arg(data_dir)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| Failure::Start { command: program.display().to_string(), source })?;
        let mut stack = Self { child, offset, start_seconds: 0.0 };
        stack.wait_ready()?;
        stack.start_seconds = started.elapsed().as_secs_f64();
        Ok(stack)
    }

    /// Waits for the line that says that the stack is ready. Later lines are read, so that the pipe does not fill.
    fn wait_ready(&mut self) -> Result<(), Failure> {
        let Some(stdout) = self.child.stdout.take() else {
            return Err(Failure::check("the stack has no output"));
        };
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if line.starts_with(READY) {
                    // The receiver is gone only when nobody waits any more.
                    let _ = sender.send(());
                }
            }
        });
        match receiver.recv_timeout(START_LIMIT) {
            Ok(()) => Ok(()),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(Failure::check("the stack ended before it was ready"))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(Failure::check(format!("the stack was not ready after {} s", START_LIMIT.as_secs())))
            }
        }
    }

    /// A port of the stack.
    pub(crate) fn port(&self, usual: u16) -> u16 {
        usual.saturating_add(self.offset)
    }

    /// What the process uses.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        usage(self.child.id())
    }

    /// Asks it to stop and waits until it has; it must end with success.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        Program::new("kill -TERM").arg(self.child.id().to_string()).run()?;
        let asked = Instant::now();
        while asked.elapsed() < STOP_LIMIT {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(Failure::check(format!("the stack ended with {status}"))),
                Ok(None) => std::thread::sleep(STOP_PROBE),
                Err(error) => return Err(Failure::check(format!("the stack is lost: {error}"))),
            }
        }
        Err(Failure::check(format!("the stack did not stop within {} s", STOP_LIMIT.as_secs())))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Already ended, or about to be: nobody is left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
