//! Packet framing: 3-byte length, 1-byte sequence; payloads of 16 MiB and more are split.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::error::ProtocolError;

/// Largest payload of one physical packet, bytes.
const MAX_CHUNK: usize = 0xff_ffff;
/// Buffered output is flushed to the socket above this size, bytes.
const FLUSH_BYTES: usize = 64 << 10;
/// Smallest read from the socket, bytes.
const READ_BYTES: usize = 16 << 10;

/// A connection cut into packets.
pub(crate) struct PacketStream<S> {
    /// The socket.
    socket: S,
    /// Bytes read and not consumed.
    input: Vec<u8>,
    /// Start of the unconsumed part of `input`.
    consumed: usize,
    /// Packets not yet written to the socket.
    output: Vec<u8>,
    /// Sequence number of the next packet in either direction.
    sequence: u8,
    /// Largest logical packet taken from the client, bytes.
    limit: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> PacketStream<S> {
    /// Wraps a socket. Logical packets above `limit` bytes are refused.
    pub(crate) fn new(socket: S, limit: usize) -> Self {
        Self { socket, input: Vec::new(), consumed: 0, output: Vec::new(), sequence: 0, limit }
    }

    /// A new command starts: sequence numbers begin at zero.
    pub(crate) fn reset_sequence(&mut self) {
        self.sequence = 0;
    }

    /// Sets the limit of logical packets, bytes.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Reads one logical packet; `None` when the client closed the connection between packets.
    pub(crate) async fn read(&mut self) -> Result<Option<Vec<u8>>, ProtocolError> {
        let mut payload = Vec::new();
        loop {
            if !self.fill(4).await? {
                return if payload.is_empty() {
                    Ok(None)
                } else {
                    Err(ProtocolError::Malformed("connection closed inside a packet"))
                };
            }
            let header = &self.input[self.consumed..self.consumed + 4];
            let length = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
            let got = header[3];
            if got != self.sequence {
                return Err(ProtocolError::Sequence { expected: self.sequence, got });
            }
            if payload.len() + length > self.limit {
                return Err(ProtocolError::TooLarge { limit: self.limit });
            }
            self.sequence = self.sequence.wrapping_add(1);
            self.consumed += 4;
            if !self.fill(length).await? {
                return Err(ProtocolError::Malformed("connection closed inside a packet"));
            }
            payload.extend_from_slice(&self.input[self.consumed..self.consumed + length]);
            self.consumed += length;
            if length < MAX_CHUNK {
                return Ok(Some(payload));
            }
        }
    }

    /// Makes `n` unconsumed bytes available; false if the connection ended before the first of them.
    async fn fill(&mut self, n: usize) -> Result<bool, ProtocolError> {
        if self.consumed == self.input.len() {
            self.input.clear();
            self.consumed = 0;
            self.input.shrink_to(READ_BYTES * 4);
        }
        while self.input.len() - self.consumed < n {
            if self.consumed > 0 {
                self.input.drain(..self.consumed);
                self.consumed = 0;
            }
            self.input.reserve(READ_BYTES.max(n.min(self.limit).saturating_sub(self.input.len())));
            if self.socket.read_buf(&mut self.input).await? == 0 {
                if self.input.is_empty() {
                    return Ok(false);
                }
                return Err(ProtocolError::Malformed("connection closed inside a packet"));
            }
        }
        Ok(true)
    }

    /// Queues one logical packet.
    pub(crate) fn put(&mut self, mut payload: &[u8]) {
        loop {
            let (chunk, rest) = payload.split_at(payload.len().min(MAX_CHUNK));
            self.output.extend_from_slice(&(chunk.len() as u32).to_le_bytes()[..3]);
            self.output.push(self.sequence);
            self.sequence = self.sequence.wrapping_add(1);
            self.output.extend_from_slice(chunk);
            if chunk.len() < MAX_CHUNK {
                return;
            }
            payload = rest;
        }
    }

    /// Writes queued packets out if there are many of them.
    pub(crate) async fn flush_if_large(&mut self) -> Result<(), ProtocolError> {
        if self.output.len() >= FLUSH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes queued packets out.
    pub(crate) async fn flush(&mut self) -> Result<(), ProtocolError> {
        if !self.output.is_empty() {
            self.socket.write_all(&self.output).await?;
            self.output.clear();
            self.output.shrink_to(FLUSH_BYTES * 2);
            self.socket.flush().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn payloads_of_16_mib_and_more_are_split_and_joined() {
        for size in [0, 1, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 5] {
            let (a, b) = tokio::io::duplex(1 << 16);
            let payload: Vec<u8> = (0..size).map(|i| i as u8).collect();
            let sent = payload.clone();
            let writer = tokio::spawn(async move {
                let mut stream = PacketStream::new(a, usize::MAX);
                stream.put(&sent);
                stream.flush().await
            });
            let mut stream = PacketStream::new(b, 64 << 20);
            let got = stream.read().await.expect("valid").expect("a packet");
            assert!(got == payload, "size {size}");
            writer.await.expect("no panic").expect("written");
        }
    }

    #[tokio::test]
    async fn a_packet_above_the_limit_is_refused_before_it_is_read() {
        let (a, mut b) = tokio::io::duplex(1 << 10);
        b.write_all(&[0xff, 0xff, 0x7f, 0]).await.expect("duplex");
        let error = PacketStream::new(a, 1000).read().await.expect_err("too large");
        assert!(matches!(error, ProtocolError::TooLarge { limit: 1000 }));
    }

    #[tokio::test]
    async fn packets_out_of_order_are_refused() {
        let (a, mut b) = tokio::io::duplex(1 << 10);
        b.write_all(&[1, 0, 0, 9, 1]).await.expect("duplex");
        let error = PacketStream::new(a, 1000).read().await.expect_err("sequence");
        assert!(matches!(error, ProtocolError::Sequence { expected: 0, got: 9 }));
    }
}
