//! Connections to stores and placement drivers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tonic::transport::{Channel, Endpoint};

use crate::error::{Error, Result};
use crate::security::Security;

/// Largest message accepted from a server: a change stream of TiKV may send that much in one piece.
pub const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// HTTP/2 window of one stream. Larger than the protocol's 64 KiB so that one stream can fill a fast link.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// HTTP/2 window of a connection, the value that TiCDC uses.
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Silence after which a connection is probed.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long the probe may take before the connection counts as broken.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections kept; a cluster has fewer servers. The pool is emptied when it would grow past that.
const MAX_CHANNELS: usize = 4096;

/// Shared, lazily connected channels by address. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChannelPool {
    inner: Arc<PoolInner>,
}

/// State of a [`ChannelPool`].
#[derive(Debug)]
struct PoolInner {
    security: Security,
    channels: Mutex<HashMap<String, Channel>>,
}

impl ChannelPool {
    /// An empty pool.
    pub fn new(security: Security) -> Self {
        Self { inner: Arc::new(PoolInner { security, channels: Mutex::new(HashMap::new()) }) }
    }

    /// How the pool's connections are secured.
    pub fn security(&self) -> &Security {
        &self.inner.security
    }

    /// The channel to an address (`host:port` or a URL); it connects when first used and again after a failure.
    ///
    /// # Errors
    /// [`Error::InvalidEndpoint`] or [`Error::TlsNotConfigured`].
    pub fn channel(&self, address: &str) -> Result<Channel> {
        if let Some(channel) = self.inner.channels.lock().get(address) {
            return Ok(channel.clone());
        }
        let channel = new_channel(&self.inner.security, address)?;
        let mut channels = self.inner.channels.lock();
        if channels.len() >= MAX_CHANNELS {
            channels.clear();
        }
        Ok(channels.entry(address.to_owned()).or_insert(channel).clone())
    }

    /// Forgets the channel to an address; calls under way on it go on.
    pub fn forget(&self, address: &str) {
        self.inner.channels.lock().remove(address);
    }
}

/// A connection of its own to an address, lazily connected.
///
/// # Errors
/// [`Error::InvalidEndpoint`], [`Error::TlsNotConfigured`] or [`Error::Certificate`].
pub(crate) fn new_channel(security: &Security, address: &str) -> Result<Channel> {
    let url = security.url(address)?;
    let mut endpoint = Endpoint::from_shared(url).map_err(|error| Error::InvalidEndpoint {
        endpoint: address.to_owned(),
        reason: error.to_string(),
    })?;
    if let Some(tls) = security.tls_config()? {
        endpoint = endpoint.tls_config(tls).map_err(|error| Error::Certificate {
            path: security.ca.clone().unwrap_or_default(),
            reason: describe(&error),
        })?;
    }
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_lazy())
}

/// Whether a failed call never left this machine: no connection could be made.
pub(crate) fn was_never_sent(status: &tonic::Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// An error with its sources, in one line: the outer one of a connection says little.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
