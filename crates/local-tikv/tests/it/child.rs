//! A store in a process of its own, to be killed.
//!
//! The process is this test binary, told to run the test [`store_process`] alone.

use crate::cluster::Cluster;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Environment of the process: data directory and address of PD.
const DATA_DIR: &str = "LOCAL_TIKV_TEST_DATA_DIR";
const PD: &str = "LOCAL_TIKV_TEST_PD";
/// Before the address in the output.
const MARK: &str = "store listens on ";

pub(crate) struct Child {
    process: std::process::Child,
    pub(crate) addr: SocketAddr,
}

impl Child {
    pub(crate) fn start(cluster: &Cluster, data_dir: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::store_process", "--ignored", "--nocapture"])
            .env(DATA_DIR, data_dir)
            .env(PD, cluster.pd.addr().to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let addr = tokio::task::block_in_place(|| {
            lines.find_map(|line| Some(line.unwrap().split_once(MARK)?.1.parse().unwrap()))
        });
        Self { process, addr: addr.expect("the store did not start") }
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

/// Not a test: the body of the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs only as a child process of other tests"]
async fn store_process() {
    let (Ok(dir), Ok(pd)) = (std::env::var(DATA_DIR), std::env::var(PD)) else { return };
    let store = Cluster::open(Path::new(&dir), pd.parse().unwrap(), |_| {}).await;
    println!("{MARK}{}", store.local_addr());
    std::future::pending::<()>().await;
}
