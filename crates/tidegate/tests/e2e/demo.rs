//! `tidegate demo` as a user runs it.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::programs::{run, tidegate};
use crate::stack::send_signal;
use crate::wait::within;

/// Longest run of the demo.
const DEMO_LIMIT: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_proves_itself() {
    let ended = run(&mut tidegate(&["demo"]), "").await;
    let text = ended.ok();
    assert!(text.contains("exactly those of the statements, in order"), "{text}");
    for operation in ["INSERT", "UPDATE", "DELETE", "DDL"] {
        assert!(
            text.lines().any(|line| line.contains(" ms  ") && line.contains(operation)),
            "{operation}: {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_demo_can_be_connected_to_until_it_is_stopped() {
    let mut command = tidegate(&["demo", "--keep"]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let address = async {
        while let Some(line) = lines.next_line().await.expect("output") {
            if let Some(capture) = line.strip_prefix("Capture  ") {
                return capture.split_whitespace().next().expect("a URL").to_owned();
            }
        }
        panic!("the demo ended")
    };
    let url = within("the demo", DEMO_LIMIT, address).await;
    let health = reqwest::get(format!("{url}/api/v2/health")).await.expect("an answer");
    assert_eq!(health.status().as_u16(), 200);
    send_signal(&child, "INT").await;
    let ended = within("end of the demo", DEMO_LIMIT, child.wait()).await.expect("it ended");
    assert_eq!(ended.code(), Some(0));
    assert!(reqwest::get(format!("{url}/api/v2/health")).await.is_err(), "the stack still runs");
}
