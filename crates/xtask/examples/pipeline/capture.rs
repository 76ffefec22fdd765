//! A capture as a process of its own: this project's, or another program that takes the same flags.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::control;
use crate::process::{Usage, usage};
use xtask::{Failure, workspace};

/// Longest time until a capture answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked whether it is ready: no capture says so by itself.
const START_PROBE: Duration = Duration::from_millis(100);

/// Which program captures.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// This project's.
    Tidegate,
    /// A `cdc` program of TiCDC.
    TiCdc(PathBuf),
}

impl Kind {
    /// Word for tables and ids.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Tidegate => "tidegate",
            Self::TiCdc(_) => "ticdc",
        }
    }

    /// The program.
    fn program(&self) -> PathBuf {
        match self {
            Self::Tidegate => workspace::tidegate_program(),
            Self::TiCdc(path) => path.clone(),
        }
    }
}

/// A running capture; ended when dropped.
pub(crate) struct Capture {
    /// The process.
    child: Child,
    /// Port of its API.
    pub(crate) port: u16,
}

impl Capture {
    /// Starts a capture of the cluster whose PD listens on `pd`, in a cluster of captures of its own.
    pub(crate) fn start(kind: &Kind, pd: u16, port: u16, folder: &Path) -> Result<Self, Failure> {
        let program = kind.program();
        let data_dir = folder.join(format!("{}-data", kind.name()));
        let log = folder.join(format!("{}.log", kind.name()));
        let child = Command::new(&program)
            .arg("server")
            .arg(format!("--addr=127.0.0.1:{port}"))
            .arg(format!("--pd=http://127.0.0.1:{pd}"))
            .arg(format!("--cluster-id=bench-{}", kind.name()))
            .arg(format!("--data-dir={}", data_dir.display()))
            .arg(format!("--log-file={}", log.display()))
            .args(["--tz=UTC", "--log-level=warn"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|source| Failure::Start { command: program.display().to_string(), source })?;
        let mut capture = Self { child, port };
        let started = Instant::now();
        while !control::is_ready(port) {
            if let Ok(Some(status)) = capture.child.try_wait() {
                return Err(Failure::check(format!("{} ended with {status}", program.display())));
            }
            if started.elapsed() > START_LIMIT {
                let seconds = START_LIMIT.as_secs();
                return Err(Failure::check(format!("{} was not ready after {seconds} s", program.display())));
            }
            std::thread::sleep(START_PROBE);
        }
        Ok(capture)
    }

    /// What the process uses.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        usage(self.child.id())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Already ended, or about to be: nobody is left to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
