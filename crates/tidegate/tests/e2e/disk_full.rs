//! The disk of the capture runs full while it sorts, and has room again.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::{Child, Command};

use crate::api::{Api, CATCH_UP};
use crate::programs::TIDEGATE;
use crate::replay::rebuild;
use crate::stack::{Ports, Stack};
use crate::topic;
use crate::wait::until;

/// How long the capture may take to register: a dead predecessor is waited for.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Rows of the table, each of some kilobytes that do not compress: more than memory and disk hold together.
const ROWS: usize = 4000;
/// Bytes of a row.
const ROW_BYTES: usize = 6000;
/// Server's file: little memory, so that sorting needs the disk.
const CONFIG: &str = "memory-quota = 8388608\n";

/// True if this machine lets the test have a file system of its own.
fn can_mount(folder: &Path) -> bool {
    let script = format!("mount -t tmpfs -o size=1m tmpfs '{}'", folder.display());
    let status = std::process::Command::new("unshare").args(["-rm", "sh", "-c", &script]).status();
    status.is_ok_and(|status| status.success())
}

/// Starts a capture whose data folder is a file system of 64 MiB, of which a file takes all but two.
fn capture(ports: Ports, data: &Path, config: &Path) -> Child {
    let (pd, addr) = (format!("http://127.0.0.1:{}", ports.pd), Ports::addr(ports.capture).to_string());
    let script = format!(
        "mount -t tmpfs -o size=64m tmpfs '{data}' && head -c 65011712 /dev/zero > '{data}/ballast' && \
         exec '{TIDEGATE}' server --pd {pd} --addr {addr} --data-dir '{data}' --config '{config}' --log-level warn",
        data = data.display(),
        config = config.display()
    );
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &script]).stdin(Stdio::null()).kill_on_drop(true);
    command.env_remove("RUST_LOG").spawn().expect("unshare starts")
}

/// Text that does not compress.
fn noise(random: &mut impl rand::Rng) -> String {
    use rand::RngExt;
    (0..ROW_BYTES)
        .map(|_| char::from(random.random_range(b'0'..=b'z')))
        .map(|c| if c == '\\' { '0' } else { c })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_a_warning_and_the_changefeed_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, config) = (folder.path().join("data"), folder.path().join("server.toml"));
    std::fs::create_dir(&data).expect("a folder");
    std::fs::write(&config, CONFIG).expect("a file");
    if !can_mount(&data) {
        eprintln!(
            "not tested: this machine allows no file systems in a namespace of one's own (unshare -rm)"
        );
        return;
    }
    let ports = Ports::free();
    let services = Stack::start_on(ports, &["--without", "capture"]).await;
    let mut client = services.sql().await;
    client.query("CREATE TABLE test.t (id BIGINT PRIMARY KEY, v VARCHAR(8000))").await.expect("a table");
    let process = capture(ports, &data, &config);
    let api = Api::new(ports);
    until("the capture is there", START_LIMIT, async || {
        let answer =
            api.raw(reqwest::Method::GET, "/status", None).await.map_err(|error| error.to_string())?;
        if answer.json()["is_owner"] == true { Ok(()) } else { Err(answer.text) }
    })
    .await;
    let start_ts = api.now().await;
    let mut random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(5);
    for first in (0..ROWS).step_by(100) {
        let rows: Vec<String> = (first..first + 100)
            .map(|id| format!("({id},'{}')", noise(&mut random).replace('\'', "0")))
            .collect();
        client.query(&format!("INSERT INTO test.t VALUES {}", rows.join(","))).await.expect("rows");
    }
    let body = json!({
        "changefeed_id": "feed", "sink_uri": api.sink("full"), "start_ts": start_ts,
    });
    api.post("/api/v2/changefeeds", &body).await.ok();
    api.wait_state("feed", "warning").await;
    let status = api.get("/api/v2/changefeeds/feed/status").await.ok();
    assert_eq!(status["last_warning"]["code"], "CDC:ErrDiskFull", "{status}");
    let message = status["last_warning"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("free space") && message.contains("sorter/feed"), "{message}");
    let why = until("the sorter is named", CATCH_UP, async || {
        let why = api.get("/api/v2/changefeeds/feed/why").await.ok();
        if why["reason"] == "sorter_disk" { Ok(why) } else { Err(why.to_string()) }
    })
    .await;
    assert_eq!(why["stage"], "sorter", "{why}");
    assert_eq!(why["memory"]["process"]["quota_bytes"], 8_388_608, "{why}");

    // The file system is visible through the process only.
    let pid = process.id().expect("the capture runs");
    let ballast = format!("/proc/{pid}/root{}/ballast", data.display());
    std::fs::remove_file(&ballast).unwrap_or_else(|error| panic!("{ballast}: {error}"));
    api.wait_caught_up("feed").await;
    api.wait_state("feed", "normal").await;
    let messages = topic::read_all(ports, "full").await;
    assert_eq!(rebuild(&messages).remove("t").map(|rows| rows.len()), Some(ROWS));
    drop(process);
}
