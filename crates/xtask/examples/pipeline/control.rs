//! Requests to the HTTP API of the capture.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use xtask::Failure;

/// Longest time of a request: a changefeed is created only after Kafka answered.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Bits of a timestamp that are below the milliseconds.
const LOGICAL_BITS: u32 = 18;

/// Creates a changefeed for what is committed after `start_ts`; zero for now.
pub(crate) fn create_changefeed(port: u16, id: &str, sink_uri: &str, start_ts: u64) -> Result<(), Failure> {
    let body = json!({"changefeed_id": id, "sink_uri": sink_uri, "start_ts": start_ts});
    request(port, "POST", "/api/v2/changefeeds", &body).map(|_| ())
}

/// How a changefeed is.
pub(crate) struct Changefeed {
    /// Its state.
    pub(crate) state: String,
    /// Its checkpoint.
    pub(crate) checkpoint_ts: u64,
}

/// Asks how a changefeed is.
pub(crate) fn changefeed(port: u16, id: &str) -> Result<Changefeed, Failure> {
    let answer = request(port, "GET", &format!("/api/v2/changefeeds/{id}"), &Value::Null)?;
    Ok(Changefeed {
        state: answer.get("state").and_then(Value::as_str).unwrap_or("unknown").to_owned(),
        checkpoint_ts: answer.get("checkpoint_ts").and_then(Value::as_u64).unwrap_or(0),
    })
}

/// Ends a changefeed.
pub(crate) fn remove_changefeed(port: u16, id: &str) -> Result<(), Failure> {
    request(port, "DELETE", &format!("/api/v2/changefeeds/{id}"), &Value::Null).map(|_| ())
}

/// The present timestamp of the cluster.
pub(crate) fn tso(port: u16) -> Result<u64, Failure> {
    let answer = request(port, "POST", "/api/v2/tso", &json!({}))?;
    let part = |name: &str| answer.get(name).and_then(Value::as_u64);
    let (physical, logical) = part("timestamp")
        .zip(part("logic_time"))
        .ok_or_else(|| Failure::check(format!("the capture has no timestamp: {answer}")))?;
    Ok((physical << LOGICAL_BITS) | logical)
}

/// True once the capture has an owner to ask.
pub(crate) fn is_ready(port: u16) -> bool {
    request(port, "GET", "/api/v2/changefeeds", &Value::Null).is_ok()
}

/// One request over a connection of its own, in HTTP/1.0: the answer ends with the connection.
pub(crate) fn request(port: u16, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
    let peer = format!("127.0.0.1:{port}");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&peer)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {peer}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = exchange().map_err(Failure::connection(&peer))?;
    let (head, content) = answer.split_once("\r\n\r\n").unwrap_or((answer.as_str(), ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status == "200" {
        return serde_json::from_str(content).map_err(Failure::connection(&peer));
    }
    Err(Failure::check(format!("{method} {path}: {status}: {}", content.trim())))
}
