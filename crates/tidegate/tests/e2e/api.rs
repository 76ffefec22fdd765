//! The capture's HTTP API.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tikv_client::Timestamp;

use crate::stack::Ports;
use crate::wait::until;

/// Longest time until a changefeed has caught up or has another state.
pub(crate) const CATCH_UP: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body of a success as JSON.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Text of an error.
    #[track_caller]
    pub(crate) fn error(&self) -> String {
        assert_ne!(self.status, 200, "{}", self.text);
        self.json()["error_msg"].as_str().unwrap_or_default().to_owned()
    }
}

/// A client of the API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    /// Connections.
    http: reqwest::Client,
    /// Address of the capture.
    base: String,
    /// Address of the broker.
    broker: String,
}

impl Api {
    /// A client for the capture on these ports.
    pub(crate) fn new(ports: Ports) -> Self {
        Self::at(ports.capture, ports)
    }

    /// A client for another capture that sends to the broker on these ports.
    pub(crate) fn at(port: u16, ports: Ports) -> Self {
        Self {
            http: reqwest::Client::new(),
            base: format!("http://127.0.0.1:{port}"),
            broker: format!("127.0.0.1:{}", ports.kafka),
        }
    }

    /// URL of the capture.
    pub(crate) fn url(&self) -> &str {
        &self.base
    }

    /// Sink URI of a topic, Canal-JSON with the TiDB extension.
    pub(crate) fn sink(&self, topic: &str) -> String {
        format!("kafka://{}/{topic}?protocol=canal-json&enable-tidb-extension=true", self.broker)
    }

    /// A request with any body.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body);
        }
        let answer = request.send().await?;
        Ok(Answer { status: answer.status().as_u16(), text: answer.text().await? })
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.raw(Method::GET, path, None).await.expect("the capture answers")
    }

    /// POST.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.raw(Method::POST, path, Some(body.to_string())).await.expect("the capture answers")
    }

    /// Creates a changefeed that sends to a topic.
    pub(crate) async fn create(&self, id: &str, sink: &str, start_ts: u64) -> Value {
        let body = json!({ "changefeed_id": id, "sink_uri": sink, "start_ts": start_ts });
        self.post("/api/v2/changefeeds", &body).await.ok()
    }

    /// State and checkpoint of a changefeed, or what the capture says instead.
    async fn status(&self, id: &str) -> Result<(String, u64), String> {
        let path = format!("/api/v2/changefeeds/{id}/status");
        let answer = self.raw(Method::GET, &path, None).await.map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        match (value["state"].as_str(), value["checkpoint_ts"].as_u64()) {
            (Some(state), Some(checkpoint)) => Ok((state.to_owned(), checkpoint)),
            _ => Err(answer.text),
        }
    }

    /// Waits until a changefeed has a state.
    pub(crate) async fn wait_state(&self, id: &str, state: &str) {
        let look = async || match self.status(id).await {
            Ok((seen, _)) if seen == state => Ok(()),
            other => Err(other),
        };
        until(&format!("state {state} of {id}"), CATCH_UP, look).await;
    }

    /// Waits until everything that was committed by now has been sent.
    pub(crate) async fn wait_caught_up(&self, id: &str) {
        self.wait_checkpoint(id, self.now().await, CATCH_UP).await;
    }

    /// Waits until everything that was committed up to `ts` has been sent.
    pub(crate) async fn wait_checkpoint(&self, id: &str, ts: u64, limit: Duration) {
        let look = async || match self.status(id).await {
            Ok((_, checkpoint)) if checkpoint >= ts => Ok(()),
            other => Err(other),
        };
        until(&format!("checkpoint of {id} at {ts}"), limit, look).await;
    }

    /// The cluster's time; the capture may just be starting.
    pub(crate) async fn now(&self) -> u64 {
        let look = async || {
            let body = Some("{}".to_owned());
            let answer =
                self.raw(Method::POST, "/api/v2/tso", body).await.map_err(|error| error.to_string())?;
            let value: Value = serde_json::from_str(&answer.text).unwrap_or_default();
            match (value["timestamp"].as_i64(), value["logic_time"].as_i64()) {
                (Some(physical), Some(logical)) => Ok(Timestamp::compose(physical, logical).0),
                _ => Err(answer.text),
            }
        };
        until("a timestamp of the capture", CATCH_UP, look).await
    }
}
