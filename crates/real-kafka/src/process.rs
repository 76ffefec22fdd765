//! Servers as processes that outlive nobody by accident, and that are stopped by id.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::KafkaError;

/// Longest wait for a server to become ready.
pub(crate) const READY_LIMIT: Duration = Duration::from_secs(60);
/// Pause between two looks at a server: it can't tell by itself that it is ready, or gone.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Longest wait for the end of a server that was asked to stop.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Bytes of a log that an error shows.
const KEPT_LOG: usize = 3000;

/// A server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Name; its files begin with it.
    name: String,
    /// Folder of its files.
    folder: PathBuf,
    /// The process.
    child: Child,
}

/// The end of a server's log.
fn tail(path: &Path) -> String {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    let start = text.char_indices().rev().nth(KEPT_LOG).map_or(0, |(at, _)| at);
    text.get(start..).unwrap_or_default().to_owned()
}

impl Server {
    /// Starts a server; its output goes to `NAME.log`, its process id to `NAME.pid`.
    pub(crate) fn start(folder: &Path, name: &str, command: &mut Command) -> Result<Self, KafkaError> {
        let path = folder.join(format!("{name}.log"));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let log = log.map_err(KafkaError::file(&path))?;
        let errors = log.try_clone().map_err(KafkaError::file(&path))?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let program = name.to_owned();
        let child = command.spawn().map_err(|source| KafkaError::Start { program, source })?;
        let server = Self { name: name.to_owned(), folder: folder.to_owned(), child };
        let pid = server.pid_file();
        std::fs::write(&pid, server.child.id().to_string()).map_err(KafkaError::file(&pid))?;
        Ok(server)
    }

    /// File with the process id.
    fn pid_file(&self) -> PathBuf {
        self.folder.join(format!("{}.pid", self.name))
    }

    /// Waits until `ready`, at most for [`READY_LIMIT`].
    pub(crate) fn wait(&mut self, ready: impl Fn() -> bool) -> Result<(), KafkaError> {
        let start = Instant::now();
        while !ready() {
            let ended = !matches!(self.child.try_wait(), Ok(None));
            if ended || start.elapsed() > READY_LIMIT {
                let log = tail(&self.folder.join(format!("{}.log", self.name)));
                return Err(KafkaError::NotReady { server: self.name.clone(), limit: READY_LIMIT, log });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True while it runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it without a warning, and waits for its end.
    pub(crate) fn kill(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(self.pid_file());
    }

    /// Asks it to stop in order; kills it if it does not within [`STOP_LIMIT`].
    pub(crate) fn stop(&mut self) {
        signal(self.child.id(), "TERM");
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < STOP_LIMIT {
            std::thread::sleep(LOOK_AGAIN);
        }
        self.kill();
    }

    /// Stops or continues the process: it answers nothing in between.
    pub(crate) fn pause(&self, paused: bool) {
        signal(self.child.id(), if paused { "STOP" } else { "CONT" });
    }
}

/// Sends a signal; false if there is no such process.
fn signal(pid: u32, name: &str) -> bool {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).arg(pid.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}

/// Servers whose files are in this folder: name, process id, and whether they run. A process id that by now belongs to
/// another program does not count.
pub fn pids(folder: &Path) -> Result<Vec<(String, u32, bool)>, KafkaError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(KafkaError::file(folder))? {
        let path = entry.map_err(KafkaError::file(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".pid")) else {
            continue;
        };
        let text = std::fs::read_to_string(&path).map_err(KafkaError::file(&path))?;
        let Ok(pid) = text.trim().parse() else { continue };
        found.push((name.to_owned(), pid, is_ours(pid, folder)));
    }
    // Brokers before the ZooKeeper that they use.
    found.sort();
    Ok(found)
}

/// True if a process runs and has a file of the folder among its arguments.
fn is_ours(pid: u32, folder: &Path) -> bool {
    let mut ps = Command::new("ps");
    ps.args(["-o", "args=", "-p"]).arg(pid.to_string()).stdin(Stdio::null());
    let arguments = ps.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    arguments.is_ok_and(|arguments| arguments.contains(&*folder.to_string_lossy()))
}

/// Stops every server of a folder in order, by process id. Returns how many ran.
pub fn stop_all(folder: &Path) -> Result<usize, KafkaError> {
    let mut stopped = 0;
    for (name, pid, runs) in pids(folder)? {
        if runs {
            stopped += 1;
            signal(pid, "TERM");
            let start = Instant::now();
            while is_ours(pid, folder) {
                if start.elapsed() > STOP_LIMIT {
                    signal(pid, "KILL");
                }
                std::thread::sleep(LOOK_AGAIN);
            }
        }
        let file = folder.join(format!("{name}.pid"));
        std::fs::remove_file(&file).map_err(KafkaError::file(&file))?;
    }
    Ok(stopped)
}
