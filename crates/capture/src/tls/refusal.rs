//! Why a server does not let a caller in.
//!
//! With TLS 1.3 a caller is through with its handshake before the server has looked at its certificate. An HTTP client
//! may then meet the end of the connection before the alert that says why, and tell only that it was closed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tikv_client::Security;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::files::client_settings;
use super::paths;

/// Longest wait for what the server says. One that lets the caller in says nothing: it waits for a request.
const WAIT: Duration = Duration::from_secs(2);

/// Connects once more, without a request, and waits for what the server says. `None` if the server lets the caller in,
/// or if that can't be found out.
pub async fn refusal(security: &Security, url: &str) -> Option<String> {
    let config = client_settings(&paths(security)?).ok()?;
    let authority = url.strip_prefix("https://")?.split('/').next()?;
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).ok()?;
    tokio::time::timeout(WAIT, ask(config, authority, name)).await.ok()?.err().map(|error| error.to_string())
}

/// Shakes hands and reads; fails with what the server says.
async fn ask(config: ClientConfig, authority: &str, name: ServerName<'static>) -> io::Result<()> {
    let stream = TcpStream::connect(authority).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.read_u8().await.map(|_| ())
}
