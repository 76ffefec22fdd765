//! Probe of an SQL server: it greets first.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::probe::{Answer, io_cause};

/// Protocol version of the greeting.
const PROTOCOL_10: u8 = 10;
/// First byte of an error instead of a greeting.
const ERROR: u8 = 0xff;
/// Longest greeting that is read; servers send about 100 bytes.
const MAX_GREETING: usize = 1024;

/// Reads the greeting and its version.
pub(super) async fn sql(host: IpAddr, port: u16) -> Answer {
    let mut stream =
        TcpStream::connect(SocketAddr::new(host, port)).await.map_err(|error| io_cause(&error))?;
    let mut header = [0; 4];
    stream.read_exact(&mut header).await.map_err(|error| io_cause(&error))?;
    let [a, b, c, _] = header;
    let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
    if length == 0 || length > MAX_GREETING {
        return Err("the greeting is not that of the MySQL protocol".to_owned());
    }
    let mut packet = vec![0; length];
    stream.read_exact(&mut packet).await.map_err(|error| io_cause(&error))?;
    // The server need not wait for a login.
    let _ = stream.shutdown().await;
    version(&packet).map(Some)
}

/// The version in a greeting.
fn version(packet: &[u8]) -> Result<String, String> {
    match packet.split_first() {
        Some((&PROTOCOL_10, rest)) => {
            let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            Ok(String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned())
        }
        Some((&ERROR, rest)) => {
            let message = rest.get(2..).unwrap_or_default();
            Err(format!("refused: {}", String::from_utf8_lossy(message)))
        }
        _ => Err("the greeting is not that of the MySQL protocol".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_tells_the_version_and_an_error_its_text() {
        assert_eq!(version(b"\x0a8.0.11-TiDB-v8.5.4\0rest"), Ok("8.0.11-TiDB-v8.5.4".to_owned()));
        assert_eq!(
            version(b"\xff\x10\x04Too many connections"),
            Err("refused: Too many connections".to_owned())
        );
        assert!(version(b"HTTP/1.1").is_err());
        assert!(version(b"").is_err());
    }
}
