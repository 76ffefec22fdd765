//! kcat, when it is installed: the oldest librdkafka in use.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::broker::{fresh, soon};

/// Runs kcat; `None` if it is not installed.
async fn kcat(args: &[&str], input: &str) -> Option<(bool, String)> {
    let child = Command::new("kcat")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("kcat is not installed, nothing tested");
            return None;
        }
        Err(e) => panic!("{e}"),
    };
    child.stdin.take().expect("stdin").write_all(input.as_bytes()).await.expect("input");
    let output = soon(child.wait_with_output()).await.expect("output");
    Some((output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[tokio::test]
async fn kcat_lists_produces_consumes_and_joins_a_group() {
    let (broker, _dir) = fresh().await;
    let addr = broker.local_addr().to_string();
    let Some((ok, _)) = kcat(&["-b", &addr, "-t", "t", "-P", "-K", ":"], "k1:v1\nk2:v2\n").await else {
        return;
    };
    assert!(ok);
    let (_, listed) = kcat(&["-b", &addr, "-L"], "").await.expect("installed");
    assert!(listed.contains("topic \"t\" with 1 partitions"), "{listed}");
    let format = ["-f", "%o %k=%s\\n"];
    let read = [&["-b", &addr, "-t", "t", "-C", "-e", "-q", "-o", "beginning"][..], &format].concat();
    assert_eq!(kcat(&read, "").await.expect("installed"), (true, "0 k1=v1\n1 k2=v2\n".into()));
    let last = [&["-b", &addr, "-t", "t", "-C", "-e", "-q", "-o", "-1"][..], &format].concat();
    assert_eq!(kcat(&last, "").await.expect("installed"), (true, "1 k2=v2\n".into()));
    let by_time = [&["-b", &addr, "-t", "t", "-C", "-e", "-q", "-o", "s@1"][..], &format].concat();
    assert_eq!(kcat(&by_time, "").await.expect("installed"), (true, "0 k1=v1\n1 k2=v2\n".into()));
    let grouped =
        ["-b", &addr, "-q", "-e", "-f", "%s\\n", "-X", "auto.offset.reset=earliest", "-G", "g", "t"];
    assert_eq!(kcat(&grouped, "").await.expect("installed"), (true, "v1\nv2\n".into()));
    broker.shutdown().await;
}
