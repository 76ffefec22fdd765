//! `tidegate up` as a child process.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::api::Api;
use crate::programs;
use crate::sql_client::SqlClient;
use crate::wait::within;

/// Longest time until the stack is ready. Far above what it takes: other tests run at the same time.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Longest time of an orderly stop.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Beginning of the line that tells that the stack is ready.
const READY: &str = "Ready in";
/// Lines of the program's output that are kept for a failed test.
const KEPT_LINES: usize = 400;
/// Offsets to choose from: past what the usual ports take, below the ports of outgoing connections.
const OFFSETS: std::ops::Range<u16> = 1_000..12_000;

/// Ports of the services.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    /// Added to the usual ports.
    pub(crate) offset: u16,
    /// MySQL protocol.
    pub(crate) sql: u16,
    /// Placement driver.
    pub(crate) pd: u16,
    /// Store.
    pub(crate) kv: u16,
    /// Capture.
    pub(crate) capture: u16,
    /// Broker.
    pub(crate) kafka: u16,
}

/// Ports that some test of this process has.
static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

impl Ports {
    /// The usual ports plus an offset.
    fn with_offset(offset: u16) -> Self {
        Self {
            offset,
            sql: 4000 + offset,
            pd: 2379 + offset,
            kv: 20160 + offset,
            capture: 8300 + offset,
            kafka: 9092 + offset,
        }
    }

    /// All of them.
    pub(crate) fn all(self) -> [u16; 5] {
        [self.sql, self.pd, self.kv, self.capture, self.kafka]
    }

    /// Ports that nobody has.
    pub(crate) fn free() -> Self {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = taken.get_or_insert_default();
        loop {
            let ports = Self::with_offset(rand::rng().random_range(OFFSETS));
            let is_free =
                |port| !taken.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
            if ports.all().into_iter().all(is_free) {
                taken.extend(ports.all());
                return ports;
            }
        }
    }

    /// Address of a port.
    pub(crate) fn addr(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }
}

/// What the program printed.
type Log = Arc<Mutex<Vec<String>>>;

/// A stack, or some of its services.
pub(crate) struct Stack {
    /// Ports of the services.
    pub(crate) ports: Ports,
    /// Folder of the data; it outlives the processes.
    data: TempDir,
    /// More arguments of `up`.
    args: Vec<String>,
    /// More variables of its environment.
    variables: Vec<(&'static str, String)>,
    /// The process, if it runs.
    child: Option<Child>,
    /// Last lines of its output.
    log: Log,
    /// Whether the process said that it is ready.
    ready: watch::Receiver<bool>,
}

impl Stack {
    /// Starts all services and waits until they are ready.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with more arguments.
    pub(crate) async fn start_with(args: &[&str]) -> Self {
        Self::start_on(Ports::free(), args).await
    }

    /// Starts with more arguments and variables.
    pub(crate) async fn start_in(variables: &[(&'static str, &str)], args: &[&str]) -> Self {
        let mut stack = Self::new(Ports::free(), args);
        stack.variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        stack.restart().await;
        stack
    }

    /// Starts on given ports, in a new folder.
    pub(crate) async fn start_on(ports: Ports, args: &[&str]) -> Self {
        let mut stack = Self::new(ports, args);
        stack.restart().await;
        stack
    }

    /// A stack that does not run yet.
    fn new(ports: Ports, args: &[&str]) -> Self {
        Self {
            ports,
            data: tempfile::Builder::new().prefix("tidegate-e2e-").tempdir().expect("a temporary folder"),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            variables: Vec::new(),
            child: None,
            log: Log::default(),
            ready: watch::channel(false).1,
        }
    }

    /// Starts the process and does not wait for it.
    pub(crate) fn launch(&mut self) {
        assert!(self.child.is_none(), "the stack runs already");
        let offset = self.ports.offset.to_string();
        let mut command = Command::new(programs::TIDEGATE);
        command.args(["up", "--port-offset", &offset, "--data-dir"]).arg(self.data.path()).args(&self.args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.env_remove("RUST_LOG").envs(self.variables.iter().cloned());
        let mut child = command.spawn().expect("the program starts");
        let (ready, is_ready) = watch::channel(false);
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        tokio::spawn(keep_lines(stdout, Arc::clone(&self.log), Some(ready)));
        tokio::spawn(keep_lines(stderr, Arc::clone(&self.log), None));
        self.ready = is_ready;
        self.child = Some(child);
    }

    /// Waits until the process is ready.
    pub(crate) async fn wait_ready(&mut self) {
        let ready = within("start of the stack", START_LIMIT, self.ready.wait_for(|ready| *ready)).await;
        let ended = ready.is_err();
        drop(ready);
        assert!(!ended, "the stack ended while it started");
    }

    /// Starts the process again, with the data that is there.
    pub(crate) async fn restart(&mut self) {
        self.launch();
        self.wait_ready().await;
    }

    /// Kills the process without a warning.
    pub(crate) async fn kill(&mut self) {
        let mut child = self.child.take().expect("the stack runs");
        child.start_kill().expect("the process can be killed");
        within("end of a killed process", STOP_LIMIT, child.wait()).await.expect("the process ended");
    }

    /// Asks the process to stop by a signal (`INT`, `TERM`) and waits for it.
    pub(crate) async fn stop(&mut self, signal: &str) -> ExitStatus {
        let mut child = self.child.take().expect("the stack runs");
        send_signal(&child, signal).await;
        within("orderly stop", STOP_LIMIT, child.wait()).await.expect("the process ended")
    }

    /// Whether the process runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// The capture's HTTP API.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.ports)
    }

    /// Folder of the data.
    pub(crate) fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// An SQL connection.
    pub(crate) async fn sql(&self) -> SqlClient {
        SqlClient::connect(Ports::addr(self.ports.sql)).await.expect("an SQL connection")
    }

    /// What the program printed last.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- output of the stack on offset {} ---\n{}\n---", self.ports.offset, self.log());
        }
    }
}

/// Sends a signal to a process.
pub(crate) async fn send_signal(child: &Child, signal: &str) {
    let pid = child.id().expect("the process runs").to_string();
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().await;
    assert!(sent.expect("sh").success(), "SIG{signal} to {pid}");
}

/// Keeps the last lines of an output, and tells when the program is ready.
async fn keep_lines(output: impl AsyncRead + Unpin, log: Log, ready: Option<watch::Sender<bool>>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(ready) = &ready
            && line.starts_with(READY)
        {
            ready.send_replace(true);
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() >= KEPT_LINES {
            log.remove(0);
        }
        log.push(line);
    }
}
