//! A listener whose connections are encrypted before the API sees them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::files::Files;

/// Longest time for the beginning of an encrypted connection.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// Connections that may be at their beginning at once; more wait in the system's queue.
const MAX_HANDSHAKES: usize = 256;
/// Connections that may wait to be taken up.
const QUEUE: usize = 64;
/// Longest time in which a caller who is not let in can read why.
const REFUSAL_LIMIT: Duration = Duration::from_secs(2);
/// Bytes of its request that are read over meanwhile.
const REFUSAL_BYTES: u64 = 64 << 10;
/// Pause after a failed accept (out of file descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections whose handshake is done.
pub(crate) struct TlsListener {
    /// Where it listens.
    addr: SocketAddr,
    /// Connections in the order in which they are ready.
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    /// Accepts.
    _accepting: AbortOnDropHandle<()>,
}

impl TlsListener {
    /// Encrypts the connections of a listener.
    pub(super) fn new(listener: TcpListener, files: Arc<Files>) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(QUEUE);
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, files, sender)));
        Ok(Self { addr, ready, _accepting: accepting })
    }
}

/// Accepts connections. Each shakes hands on its own: one that does not go on keeps no other waiting.
async fn accept(
    listener: TcpListener,
    files: Arc<Files>,
    ready: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        // Nobody closes the semaphore.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (files, ready) = (Arc::clone(&files), ready.clone());
        tokio::spawn(async move {
            let _place = place;
            let acceptor = TlsAcceptor::from(files.current());
            match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream).into_fallible()).await {
                // The API has ended if nobody takes it.
                Ok(Ok(stream)) => drop(ready.send((stream, peer)).await),
                Ok(Err((error, stream))) => {
                    debug!(%peer, %error, "a caller was not let in");
                    refuse(stream).await;
                }
                Err(_) => debug!(%peer, "a caller did not finish the handshake"),
            }
        });
    }
}

/// Closes a connection on which an alert was sent. The caller may have sent its request already: closing with that
/// unread would reset the connection, and the caller would not learn why.
async fn refuse(mut stream: TcpStream) {
    let drain = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(REFUSAL_BYTES), &mut tokio::io::sink()).await
    };
    if let Ok(Err(error)) = tokio::time::timeout(REFUSAL_LIMIT, drain).await {
        debug!(%error, "a caller who was not let in is gone");
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The accepting task lives as long as this.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}
