//! Two captures of one cluster as processes, and what can be done to them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tikv_client::EtcdClient;
use tokio::process::Child;

use crate::api::{Answer, Api};
use crate::programs::tidegate;
use crate::stack::{Ports, send_signal};
use crate::wait::until;

/// Life of a registration in etcd: the shortest that is allowed.
pub(crate) const LEASE: Duration = Duration::from_secs(5);
/// Longest time until a capture is registered and there is an owner.
const HEALED: Duration = Duration::from_secs(40);
/// Longest time for one call. A stopped process answers none.
const CALL_LIMIT: Duration = Duration::from_secs(8);
/// Start of the keys about captures and the owner.
const META: &str = "/tidb/cdc/default/__cdc_meta__";

/// A capture.
pub(crate) struct Node {
    /// Address of its API.
    pub(crate) addr: String,
    /// Calls it.
    pub(crate) api: Api,
    /// Folder of its data.
    data: PathBuf,
    /// The process, if it runs.
    child: Option<Child>,
    /// Whether it is stopped by a signal.
    stopped: bool,
}

impl Node {
    /// Starts a capture of the cluster on `ports`; its folder is below `folder`.
    pub(crate) fn start(ports: Ports, folder: &Path) -> Self {
        let port = Ports::free().capture;
        let addr = Ports::addr(port).to_string();
        let data = folder.join(&addr);
        let mut node = Self { api: Api::at(port, ports), data, addr, child: None, stopped: false };
        std::fs::create_dir_all(&node.data).expect("a folder");
        std::fs::write(node.config(), format!("capture-session-ttl = {}\n", LEASE.as_secs()))
            .expect("a file");
        node.launch(ports);
        node
    }

    /// The same address without the process, to call while something is done to that.
    pub(crate) fn caller(&self) -> Self {
        let Self { addr, api, data, .. } = self;
        Self { addr: addr.clone(), api: api.clone(), data: data.clone(), child: None, stopped: false }
    }

    /// Its settings.
    fn config(&self) -> PathBuf {
        self.data.join("server.toml")
    }

    /// Starts the process if it does not run.
    pub(crate) fn launch(&mut self, ports: Ports) {
        if self.child.is_some() {
            return;
        }
        let pd = format!("http://127.0.0.1:{}", ports.pd);
        let [data, config, log] =
            [self.data.clone(), self.config(), self.log()].map(|path| path.display().to_string());
        let args = [
            "server",
            "--pd",
            &pd,
            "--addr",
            &self.addr,
            "--data-dir",
            &data,
            "--config",
            &config,
            "--log-file",
            &log,
        ];
        self.child = Some(tidegate(&args).kill_on_drop(true).spawn().expect("the program starts"));
    }

    /// Its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.data.join("log")
    }

    /// Kills the process without a warning.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("killed");
        }
    }

    /// Stops the process as it is.
    pub(crate) async fn stop(&mut self) {
        send_signal(self.child.as_ref().expect("it runs"), "STOP").await;
        self.stopped = true;
    }

    /// Lets it go on.
    pub(crate) async fn go_on(&mut self) {
        if std::mem::take(&mut self.stopped) {
            send_signal(self.child.as_ref().expect("it runs"), "CONT").await;
        }
    }

    /// One call; `None` if there is no answer.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Option<Answer> {
        let call = self.api.raw(method, path, body.map(|body| body.to_string()));
        tokio::time::timeout(CALL_LIMIT, call).await.ok()?.ok()
    }

    /// Waits until it and another one are registered, and the owner answers.
    pub(crate) async fn wait_healed(&self, other: &Self) {
        until("both captures are registered and have an owner", HEALED, async || {
            let Some(answer) = self.call(Method::GET, "/api/v2/captures", None).await else {
                return Err("no answer".to_owned());
            };
            let captures: Value = serde_json::from_str(&answer.text).unwrap_or_default();
            let items = captures["items"].as_array().cloned().unwrap_or_default();
            let there = |addr: &str| items.iter().any(|item| item["address"] == addr);
            if items.len() != 2 || !there(&self.addr) || !there(&other.addr) {
                return Err(answer.text);
            }
            match self.call(Method::GET, "/api/v2/changefeeds?state=all", None).await {
                Some(answer) if answer.status == 200 => Ok(()),
                Some(answer) => Err(answer.text),
                None => Err("the owner does not answer".to_owned()),
            }
        })
        .await;
    }
}

/// Address and lease of the owner.
pub(crate) async fn owner(etcd: &EtcdClient) -> Option<(String, i64)> {
    let elections = etcd.get_prefix(format!("{META}/owner/")).await.ok()?;
    let oldest = elections.kvs.iter().min_by_key(|kv| kv.create_revision)?;
    let id = String::from_utf8_lossy(&oldest.value).into_owned();
    let capture = etcd.get(format!("{META}/capture/{id}")).await.ok()??;
    let info: Value = serde_json::from_slice(&capture.value).ok()?;
    Some((info["address"].as_str()?.to_owned(), oldest.lease))
}
