//! A network that fails on demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

const PASS: u8 = 0;
const SWALLOW: u8 = 1;
const REFUSE: u8 = 2;

/// Forwards connections to a server.
pub(crate) struct Proxy {
    pub(crate) addr: SocketAddr,
    mode: Arc<AtomicU8>,
    /// Connections of older generations are cut.
    generation: watch::Sender<u64>,
    target: watch::Sender<Option<SocketAddr>>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mode = Arc::new(AtomicU8::new(PASS));
        let (generation, _) = watch::channel(0);
        let (target, targets) = watch::channel(None);
        let (accept_mode, accept_generation) = (Arc::clone(&mode), generation.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                let target: Option<SocketAddr> = *targets.borrow();
                if accept_mode.load(Ordering::SeqCst) == REFUSE {
                    continue;
                }
                let Some(target) = target else { continue };
                let mode = Arc::clone(&accept_mode);
                let mut cut = accept_generation.subscribe();
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        () = forward(client, server, &mode) => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        Self { addr, mode, generation, target, _task: AbortOnDropHandle::new(task) }
    }

    pub(crate) fn forward_to(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }

    /// Requests go through, answers do not.
    pub(crate) fn swallow_answers(&self) {
        self.mode.store(SWALLOW, Ordering::SeqCst);
    }

    /// Connections are cut and no new one is served.
    pub(crate) fn refuse(&self) {
        self.mode.store(REFUSE, Ordering::SeqCst);
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Connections are cut and new ones work.
    pub(crate) fn heal(&self) {
        self.mode.store(PASS, Ordering::SeqCst);
        self.generation.send_modify(|generation| *generation += 1);
    }
}

/// Copies both ways.
async fn forward(client: TcpStream, server: TcpStream, mode: &AtomicU8) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    };
    let answers = async {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count) = from_server.read(&mut buffer).await {
            if count == 0 {
                return;
            }
            let swallowed = mode.load(Ordering::SeqCst) == SWALLOW;
            if !swallowed && to_client.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(requests, answers);
}
