//! One client connection: requests are answered in order, one at a time; reading runs ahead so that a client which
//! goes away is noticed while its request waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::api::{self, Answer};
use crate::broker::Broker;
use crate::frames::{Frame, FrameError, FrameReader};
use crate::limits::{MAX_MEMBERS_PER_CONNECTION, READ_AHEAD_FRAMES, WRITE_TIMEOUT};
use crate::wire::Request;

/// What request handlers know about the connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The broker.
    pub(crate) broker: Arc<Broker>,
    /// Address of the client.
    pub(crate) peer: SocketAddr,
    /// Address the client connected to.
    local: SocketAddr,
    /// The client is gone or the broker stops: a request which waits shall answer now.
    pub(crate) leaving: CancellationToken,
    /// Requests read and not answered yet.
    unanswered: AtomicUsize,
    /// Group members which speak over this connection: group id and member id.
    members: Mutex<Vec<(String, String)>>,
}

impl Connection {
    /// Host and port to tell this client.
    pub(crate) fn advertised(&self) -> (String, u16) {
        match &self.broker.config.advertised {
            Some(advertised) => advertised.clone(),
            None => (self.local.ip().to_canonical().to_string(), self.local.port()),
        }
    }

    /// Notes that a group member speaks over this connection.
    pub(crate) fn note_member(&self, group: &str, member: &str) {
        let mut members = self.members.lock();
        let known = members.iter().any(|(g, m)| g == group && m == member);
        if !known && !member.is_empty() {
            if members.len() >= MAX_MEMBERS_PER_CONNECTION {
                members.remove(0);
            }
            members.push((group.to_owned(), member.to_owned()));
        }
    }
}

/// Serves a connection until the client leaves or the broker stops.
pub(crate) async fn serve(
    broker: Arc<Broker>,
    stream: TcpStream,
    peer: SocketAddr,
    stopping: CancellationToken,
) {
    let local = match stream.local_addr().and_then(|local| stream.set_nodelay(true).map(|()| local)) {
        Ok(local) => local,
        Err(e) => {
            debug!(%peer, error = %e, "connection lost at once");
            return;
        }
    };
    let (reading, writing) = stream.into_split();
    let connection = Connection {
        broker,
        peer,
        local,
        leaving: stopping.child_token(),
        unanswered: AtomicUsize::new(0),
        members: Mutex::new(Vec::new()),
    };
    let (frames, queue) = mpsc::channel(READ_AHEAD_FRAMES);
    tokio::join!(
        read_frames(&connection, reading, frames),
        answer_frames(&connection, queue, writing, &stopping),
    );
    for (group, member) in connection.members.into_inner() {
        connection.broker.groups.disconnected(&group, &member);
    }
}

/// Reads frames until the client leaves or sends something else than requests.
async fn read_frames(connection: &Connection, reading: OwnedReadHalf, frames: mpsc::Sender<Frame>) {
    let config = &connection.broker.config;
    let mut reader = FrameReader::new(reading, config.max_frame_bytes);
    loop {
        let next = tokio::select! {
            next = reader.next(&connection.broker.memory, config.idle_timeout) => next,
            () = frames.closed() => break,
        };
        match next {
            Ok(Some(frame)) => {
                connection.unanswered.fetch_add(1, Ordering::Relaxed);
                if frames.send(frame).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            // The client waits for us, not we for the client.
            Err(FrameError::Idle) if connection.unanswered.load(Ordering::Relaxed) > 0 => {}
            Err(e) => {
                debug!(peer = %connection.peer, error = %e, "closing a connection");
                break;
            }
        }
    }
    connection.leaving.cancel();
}

/// Answers frames in order.
async fn answer_frames(
    connection: &Connection,
    mut queue: mpsc::Receiver<Frame>,
    mut writing: OwnedWriteHalf,
    stopping: &CancellationToken,
) {
    loop {
        let frame = tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            frame = queue.recv() => frame,
        };
        let Some(Frame { bytes, memory }) = frame else { break };
        let answer = match Request::read(bytes) {
            Ok(request) => api::answer(connection, &request).await,
            Err(e) => Err(e),
        };
        drop(memory);
        match answer {
            Ok(Answer::Bytes { bytes, memory }) => {
                if !write(connection, &mut writing, &bytes, WRITE_TIMEOUT).await {
                    break;
                }
                drop(memory);
            }
            Ok(Answer::None) => {}
            Ok(Answer::Close) => break,
            Err(e) => {
                warn!(peer = %connection.peer, error = %e, "closing a connection");
                break;
            }
        }
        connection.unanswered.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Writes an answer; false if the connection is of no further use.
async fn write(connection: &Connection, writing: &mut OwnedWriteHalf, bytes: &[u8], limit: Duration) -> bool {
    match timeout(limit, writing.write_all(bytes)).await {
        Ok(Ok(())) => true,
        Ok(Err(e)) => {
            debug!(peer = %connection.peer, error = %e, "cannot answer");
            false
        }
        Err(_) => {
            debug!(peer = %connection.peer, "the client does not read its answers");
            false
        }
    }
}
