//! Reading request frames: a 32 bit length and so many bytes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::budget::MemoryBudget;
use crate::limits::{FRAME_READ_TIMEOUT, FREE_FRAME_BYTES, MIN_FRAME_BYTES};
use crate::wire::LENGTH_PREFIX;

/// Room made in the buffer before reading the start of a frame.
const MIN_READ_BYTES: usize = 4096;

/// A request frame and its share of the memory budget.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Its bytes, without the length.
    pub(crate) bytes: Bytes,
    /// Held as long as the bytes are.
    pub(crate) memory: Option<OwnedSemaphorePermit>,
}

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The length cannot be that of a request.
    #[error("a frame of {length} bytes is not a Kafka request{hint}")]
    Length {
        /// The length as read.
        length: i32,
        /// What the client probably speaks instead.
        hint: &'static str,
    },
    /// The client was silent for the idle time.
    #[error("the connection is idle")]
    Idle,
    /// The client stopped in the middle of a frame.
    #[error("the client stopped sending in the middle of a request")]
    Stalled,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Reads frames from a connection.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    /// The connection.
    stream: R,
    /// Bytes read ahead.
    buffer: BytesMut,
    /// Largest frame.
    max_bytes: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader for frames up to `max_bytes`.
    pub(crate) fn new(stream: R, max_bytes: usize) -> Self {
        Self { stream, buffer: BytesMut::with_capacity(FREE_FRAME_BYTES), max_bytes }
    }

    /// The next frame; `None` when the client closed the connection. May be called again after [`FrameError::Idle`].
    pub(crate) async fn next(
        &mut self,
        memory: &MemoryBudget,
        idle: Duration,
    ) -> Result<Option<Frame>, FrameError> {
        while self.buffer.len() < LENGTH_PREFIX {
            self.buffer.reserve(MIN_READ_BYTES);
            let (wait, late) = if self.buffer.is_empty() {
                (idle, FrameError::Idle)
            } else {
                (FRAME_READ_TIMEOUT, FrameError::Stalled)
            };
            match timeout(wait, self.stream.read_buf(&mut self.buffer)).await {
                Err(_) => return Err(late),
                Ok(Ok(0)) => return Ok(None),
                Ok(read) => read?,
            };
        }
        let length = self.take_length()?;
        let permit = if length > FREE_FRAME_BYTES { memory.take(length).await } else { None };
        // Reserved at once: the length is covered by the budget, and unused pages cost nothing.
        self.buffer.reserve(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            match timeout(FRAME_READ_TIMEOUT, self.stream.read_buf(&mut self.buffer)).await {
                Err(_) | Ok(Ok(0)) => return Err(FrameError::Stalled),
                Ok(read) => read?,
            };
        }
        let bytes = self.buffer.split_to(length).freeze();
        Ok(Some(Frame { bytes, memory: permit }))
    }

    /// Takes a checked length from the buffer.
    fn take_length(&mut self) -> Result<usize, FrameError> {
        let prefix = self.buffer.split_to(LENGTH_PREFIX);
        let bytes = prefix.first_chunk::<LENGTH_PREFIX>().copied().unwrap_or_default();
        let length = i32::from_be_bytes(bytes);
        let fits = usize::try_from(length).ok().filter(|l| (MIN_FRAME_BYTES..=self.max_bytes).contains(l));
        fits.ok_or(FrameError::Length { length, hint: hint(bytes) })
    }
}

/// Guesses from the first bytes what a client speaks which does not speak Kafka.
fn hint(first: [u8; LENGTH_PREFIX]) -> &'static str {
    match &first {
        [0x16, 3, ..] => " (TLS handshake on a plaintext port?)",
        b"GET " | b"POST" | b"HEAD" | b"PUT " => " (HTTP?)",
        _ => "",
    }
}
