//! Programs that the tests start: ours under both of its names, and the clients that users have.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufRead, AsyncWriteExt, Lines};
use tokio::process::Command;

use crate::stack::Ports;
use crate::wait::within;

/// Longest run of a program that ends by itself.
const RUN_LIMIT: Duration = Duration::from_secs(60);

/// Longest wait for the next line of a program that runs.
const LINE_LIMIT: Duration = Duration::from_secs(30);

/// The program under test.
pub(crate) const TIDEGATE: &str = env!("CARGO_BIN_EXE_tidegate");

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output of a program that succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }
}

/// Fails with advice if a tool is not there.
#[track_caller]
pub(crate) fn need(tool: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    assert!(there, "{tool} is not installed: `cargo xtask test` installs what the tests need");
}

/// Runs a program to its end.
pub(crate) async fn run(command: &mut Command, input: &str) -> Ended {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let work = async {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A program that does not read its input closes it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        child.wait_with_output().await.unwrap_or_else(|error| panic!("{program}: {error}"))
    };
    let output = within(&program, RUN_LIMIT, work).await;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// The next line of a program that runs.
///
/// # Panics
/// If there is none in time.
pub(crate) async fn line(lines: &mut Lines<impl AsyncBufRead + Unpin>) -> String {
    let next = async { lines.next_line().await.expect("output").expect("the program goes on") };
    within("the next line", LINE_LIMIT, next).await
}

/// `tidegate` with arguments.
pub(crate) fn tidegate(args: &[&str]) -> Command {
    let mut command = Command::new(TIDEGATE);
    command.args(args).env_remove("RUST_LOG");
    command
}

/// Our program under the name of TiCDC's.
pub(crate) struct Cdc {
    /// Folder of the link.
    folder: TempDir,
}

impl Cdc {
    /// Makes the link.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::os::unix::fs::symlink(TIDEGATE, folder.path().join("cdc")).expect("a link");
        Self { folder }
    }

    /// Folder that files for the command may be put in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `cdc` with arguments.
    pub(crate) async fn run(&self, args: &[&str], input: &str) -> Ended {
        let mut command = Command::new(self.folder.path().join("cdc"));
        command.args(args).current_dir(self.folder.path()).env_remove("RUST_LOG").env("TZ", "UTC");
        run(&mut command, input).await
    }
}

/// The `mysql` client with a script on its standard input; rows come tab-separated, without names.
pub(crate) async fn mysql(ports: Ports, script: &str) -> Ended {
    need("mysql");
    let port = ports.sql.to_string();
    let mut command = Command::new("mysql");
    command.args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--port", &port, "--user=root"]);
    command.args(["--batch", "--skip-column-names", "--default-character-set=utf8mb4"]);
    run(&mut command, script).await
}

/// `kcat` with arguments.
pub(crate) async fn kcat(ports: Ports, args: &[&str]) -> Ended {
    need("kcat");
    let broker = format!("127.0.0.1:{}", ports.kafka);
    run(Command::new("kcat").args(["-b", &broker]).args(args), "").await
}

/// `node consumer.js` in its folder; the caller adds settings.
pub(crate) fn node_consumer(ports: Ports, group: &str) -> Command {
    need("node");
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../consumer");
    assert!(
        folder.join("node_modules/kafkajs").is_dir(),
        "the packages of consumer/ are not installed: `cargo xtask test` installs what the tests need"
    );
    let mut command = Command::new("node");
    command.arg("consumer.js").current_dir(folder).kill_on_drop(true);
    command.env("KAFKA_BROKERS", format!("127.0.0.1:{}", ports.kafka)).env("KAFKA_GROUP_ID", group);
    command.env("KAFKA_TOPIC", "tidb-test").env("FROM_BEGINNING", "true").env("OUTPUT", "json");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
