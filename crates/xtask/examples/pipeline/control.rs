//! Requests to the HTTP API of the capture.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use xtask::Failure;

/// Longest time of a request: a changefeed is created only after Kafka answered.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Creates a changefeed.
pub(crate) fn create_changefeed(port: u16, id: &str, sink_uri: &str) -> Result<(), Failure> {
    request(port, "POST", "/api/v2/changefeeds", &json!({"changefeed_id": id, "sink_uri": sink_uri}))
        .map(|_| ())
}

/// The state of a changefeed.
pub(crate) fn changefeed_state(port: u16, id: &str) -> Result<String, Failure> {
    let answer = request(port, "GET", &format!("/api/v2/changefeeds/{id}"), &Value::Null)?;
    Ok(answer.get("state").and_then(Value::as_str).unwrap_or("unknown").to_owned())
}

/// One request over a connection of its own, in HTTP/1.0: the answer ends with the connection.
fn request(port: u16, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
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
