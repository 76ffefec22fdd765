//! A way to a broker that can be made slow, and cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes that are moved at once.
const BUFFER: usize = 16 << 10;
/// Largest request that is taken from a client, bytes.
const MAX_REQUEST: usize = 64 << 20;
/// A connection is cut after a number of bytes below this.
const CUT_WITHIN: std::ops::Range<usize> = 1..40_000;

/// What happens on the way.
#[derive(Debug, Clone)]
pub(crate) enum Weather {
    /// Nothing.
    Fair,
    /// Each request waits so long; those of a connection one after the other.
    Slow(Duration),
    /// Connections are reset after a random number of bytes in either direction.
    Cutting(Arc<Mutex<Cuts>>),
}

/// Chooses where connections are cut.
#[derive(Debug)]
pub(crate) struct Cuts {
    /// The choices.
    random: StdRng,
    /// Connections that were cut.
    count: usize,
}

impl Weather {
    /// Resets chosen by a seed.
    pub(crate) fn cutting(seed: u64) -> Self {
        Self::Cutting(Arc::new(Mutex::new(Cuts { random: StdRng::seed_from_u64(seed), count: 0 })))
    }
}

/// A listener in front of a broker.
pub(crate) struct Link {
    /// What happens.
    weather: Arc<Mutex<Weather>>,
    /// Ends the connections that there are.
    end: watch::Sender<()>,
    /// Accepts connections.
    task: JoinHandle<()>,
}

impl Link {
    /// Listens on an address and passes on to another.
    pub(crate) async fn open(listen: SocketAddr, broker: SocketAddr) -> Self {
        let listener = TcpListener::bind(listen).await.expect("a free port");
        let weather = Arc::new(Mutex::new(Weather::Fair));
        let shared = Arc::clone(&weather);
        let (end, ended) = watch::channel(());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let weather = shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let mut ended = ended.clone();
                ended.mark_unchanged();
                let now = Arc::clone(&shared);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = ended.changed() => {}
                        () = connection(client, broker, weather, now) => {}
                    }
                });
            }
        });
        Self { weather, end, task }
    }

    /// Changes what happens. Connections that there are end.
    pub(crate) fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
        self.end.send_replace(());
    }

    /// Connections that were cut by the present weather.
    pub(crate) fn cuts(&self) -> usize {
        match &*self.weather.lock().unwrap_or_else(PoisonError::into_inner) {
            Weather::Cutting(cuts) => cuts.lock().unwrap_or_else(PoisonError::into_inner).count,
            Weather::Fair | Weather::Slow(_) => 0,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Moves bytes between both sides until one of them or the weather ends it.
async fn connection(client: TcpStream, broker: SocketAddr, weather: Weather, now: Arc<Mutex<Weather>>) {
    let Ok(server) = TcpStream::connect(broker).await else { return };
    // Small requests must not wait for each other.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let Weather::Cutting(cuts) = weather else {
        let (client_in, client_out) = client.into_split();
        let (server_in, server_out) = server.into_split();
        tokio::select! {
            () = requests(client_in, server_out, now) => {}
            () = bytes(server_in, client_out) => {}
        }
        return;
    };
    let mut left = {
        let mut cuts = cuts.lock().unwrap_or_else(PoisonError::into_inner);
        cuts.random.random_range(CUT_WITHIN)
    };
    let (mut client, mut server) = (client, server);
    let (mut there, mut back) = (vec![0; BUFFER], vec![0; BUFFER]);
    while left > 0 {
        let moved = tokio::select! {
            read = client.read(&mut there) => match read {
                Ok(count) if count > 0 => {
                    let count = count.min(left);
                    server.write_all(&there[..count]).await.map(|()| count)
                }
                _ => return,
            },
            read = server.read(&mut back) => match read {
                Ok(count) if count > 0 => {
                    let count = count.min(left);
                    client.write_all(&back[..count]).await.map(|()| count)
                }
                _ => return,
            },
        };
        let Ok(moved) = moved else { return };
        left -= moved;
    }
    cuts.lock().unwrap_or_else(PoisonError::into_inner).count += 1;
    // Without waiting for what is not delivered: both see a reset.
    let _ = (client.set_zero_linger(), server.set_zero_linger());
}

/// Passes requests on, one after the other, each as late as the weather has it.
async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, weather: Arc<Mutex<Weather>>) {
    let mut frame = Vec::new();
    loop {
        let mut length = [0; 4];
        if from.read_exact(&mut length).await.is_err() {
            return;
        }
        let size = u32::from_be_bytes(length) as usize;
        if size > MAX_REQUEST {
            return;
        }
        frame.clear();
        frame.extend(length);
        frame.resize(length.len() + size, 0);
        if from.read_exact(&mut frame[length.len()..]).await.is_err() {
            return;
        }
        let delay = match &*weather.lock().unwrap_or_else(PoisonError::into_inner) {
            Weather::Slow(delay) => Some(*delay),
            Weather::Fair | Weather::Cutting(_) => None,
        };
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&frame).await.is_err() {
            return;
        }
    }
}

/// Passes bytes on.
async fn bytes(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // However it ends, the connection does.
    let _ = tokio::io::copy(&mut from, &mut to).await;
}
