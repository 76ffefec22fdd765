//! A small MySQL client: text protocol, no password, no TLS. Enough to run statements and read their rows.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Capabilities that we have: long passwords, protocol 4.1, transactions, 4.1 authentication, plug-ins.
const CAPABILITIES: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 19;
/// Capability bits of which the server must have: protocol 4.1.
const PROTOCOL_41: u16 = 1 << 9;
/// utf8mb4_bin.
const COLLATION: u8 = 46;
/// How the (empty) password is proved.
const PLUGIN: &[u8] = b"mysql_native_password";
/// Payload of a packet that is continued in the next one.
const FULL_PACKET: usize = 0xff_ffff;
/// Longest message that is read, bytes.
const MAX_MESSAGE: usize = 64 << 20;
/// COM_QUERY.
const QUERY: u8 = 3;
/// First byte of an OK packet.
const OK: u8 = 0;
/// First byte of more authentication data.
const MORE_AUTH: u8 = 1;
/// First byte of NULL in a row, and of a request for a local file in an answer.
const NULL: u8 = 0xfb;
/// First byte of an EOF packet, and of a request to authenticate in another way.
const EOF: u8 = 0xfe;
/// First byte of an error packet.
const ERROR: u8 = 0xff;
/// EOF packets are shorter than this; rows that begin with the same byte are not.
const EOF_LENGTH: usize = 9;

/// Why a statement did not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SqlError {
    /// The connection failed.
    #[error("connection to the SQL server: {0}")]
    Io(#[from] std::io::Error),
    /// The server refused.
    #[error("ERROR {code} ({state}): {message}")]
    Server {
        /// MySQL's error number.
        code: u16,
        /// SQLSTATE.
        state: String,
        /// Text of the server.
        message: String,
    },
    /// The server does not speak the protocol as we do.
    #[error("unexpected answer of the SQL server: {0}")]
    Protocol(&'static str),
}

/// A row of a result; `None` is NULL.
pub(crate) type SqlRow = Vec<Option<String>>;

/// What a statement gave.
#[derive(Debug, Default)]
pub(crate) struct SqlAnswer {
    /// Rows that changed.
    pub(crate) affected: u64,
    /// Rows of a query; bytes that are not UTF-8 are replaced.
    pub(crate) rows: Vec<SqlRow>,
}

/// A connection.
pub(crate) struct SqlClient {
    /// Stream of packets.
    stream: BufReader<TcpStream>,
    /// Number of the next packet.
    sequence: u8,
}

impl SqlClient {
    /// Connects as `root` without a password.
    ///
    /// # Errors
    /// No connection, or the server does not let us in.
    pub(crate) async fn connect(addr: SocketAddr) -> Result<Self, SqlError> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream: BufReader::new(stream), sequence: 0 };
        let greeting = client.read().await?;
        check_greeting(&greeting)?;
        client.write(&login()).await?;
        loop {
            let answer = client.read().await?;
            match answer.first() {
                Some(&OK) => return Ok(client),
                Some(&ERROR) => return Err(server_error(&answer)),
                Some(&MORE_AUTH) => {}
                // Whatever the method, the proof of an empty password is empty.
                Some(&EOF) => client.write(&[]).await?,
                _ => return Err(SqlError::Protocol("answer to the login")),
            }
        }
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// [`SqlError::Server`] if the statement fails; after any other error the connection is of no use.
    pub(crate) async fn query(&mut self, sql: &str) -> Result<SqlAnswer, SqlError> {
        let mut command = Vec::with_capacity(sql.len() + 1);
        command.push(QUERY);
        command.extend_from_slice(sql.as_bytes());
        self.sequence = 0;
        self.write(&command).await?;
        let first = self.read().await?;
        match first.first() {
            Some(&OK) => {
                let affected = Cursor(first.get(1..).unwrap_or_default()).length()?;
                Ok(SqlAnswer { affected: affected.unwrap_or_default(), rows: Vec::new() })
            }
            Some(&ERROR) => Err(server_error(&first)),
            Some(&NULL) => Err(SqlError::Protocol("a request for a local file")),
            Some(_) => {
                let columns = Cursor(&first).length()?.ok_or(SqlError::Protocol("number of columns"))?;
                self.rows(columns).await
            }
            None => Err(SqlError::Protocol("an empty packet")),
        }
    }

    /// Reads columns and rows of a result.
    async fn rows(&mut self, columns: u64) -> Result<SqlAnswer, SqlError> {
        for _ in 0..columns {
            self.read().await?;
        }
        if !is_eof(&self.read().await?) {
            return Err(SqlError::Protocol("more columns than announced"));
        }
        let mut rows = Vec::new();
        loop {
            let packet = self.read().await?;
            if is_eof(&packet) {
                return Ok(SqlAnswer { affected: 0, rows });
            }
            if packet.first() == Some(&ERROR) {
                return Err(server_error(&packet));
            }
            let mut cursor = Cursor(&packet);
            let row: Result<SqlRow, SqlError> = (0..columns).map(|_| cursor.text()).collect();
            rows.push(row?);
        }
    }

    /// Reads one message, put together of its packets.
    async fn read(&mut self) -> Result<Vec<u8>, SqlError> {
        let mut message = Vec::new();
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header).await?;
            let [a, b, c, sequence] = header;
            if sequence != self.sequence {
                return Err(SqlError::Protocol("packets out of order"));
            }
            self.sequence = sequence.wrapping_add(1);
            let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            let start = message.len();
            if start + length > MAX_MESSAGE {
                return Err(SqlError::Protocol("a message above 64 MiB"));
            }
            message.resize(start + length, 0);
            self.stream.read_exact(message.get_mut(start..).unwrap_or_default()).await?;
            if length < FULL_PACKET {
                return Ok(message);
            }
        }
    }

    /// Writes one message in as many packets as it takes.
    async fn write(&mut self, message: &[u8]) -> Result<(), SqlError> {
        let mut out = Vec::with_capacity(message.len() + 8);
        let mut rest = message;
        loop {
            let (part, later) = rest.split_at(rest.len().min(FULL_PACKET));
            let [a, b, c, ..] = u32::try_from(part.len()).unwrap_or_default().to_le_bytes();
            out.extend_from_slice(&[a, b, c, self.sequence]);
            out.extend_from_slice(part);
            self.sequence = self.sequence.wrapping_add(1);
            rest = later;
            if part.len() < FULL_PACKET {
                break;
            }
        }
        let stream = self.stream.get_mut();
        stream.write_all(&out).await?;
        stream.flush().await?;
        Ok(())
    }
}

/// Whether the server speaks our protocol.
fn check_greeting(packet: &[u8]) -> Result<(), SqlError> {
    match packet.split_first() {
        Some((&ERROR, _)) => return Err(server_error(packet)),
        Some((10, rest)) => {
            // Version, NUL, connection id (4), salt (8), filler (1), capabilities.
            let end = rest.iter().position(|byte| *byte == 0);
            let capabilities = end.and_then(|end| rest.get(end + 14..end + 16));
            if let Some(&[low, high]) = capabilities
                && u16::from_le_bytes([low, high]) & PROTOCOL_41 != 0
            {
                return Ok(());
            }
        }
        _ => {}
    }
    Err(SqlError::Protocol("greeting"))
}

/// The login of `root` without a password.
fn login() -> Vec<u8> {
    let mut out = CAPABILITIES.to_le_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(FULL_PACKET).unwrap_or_default().to_le_bytes());
    out.push(COLLATION);
    out.extend_from_slice(&[0; 23]);
    out.extend_from_slice(b"root\0");
    out.push(0); // length of the proof
    out.extend_from_slice(PLUGIN);
    out.push(0);
    out
}

/// Whether a packet ends a list.
fn is_eof(packet: &[u8]) -> bool {
    packet.first() == Some(&EOF) && packet.len() < EOF_LENGTH
}

/// An error packet: 0xff, code, `#` and SQLSTATE, text.
fn server_error(packet: &[u8]) -> SqlError {
    let Some((code, rest)) = packet.get(1..).and_then(|rest| rest.split_first_chunk::<2>()) else {
        return SqlError::Protocol("a cut error packet");
    };
    let (state, message) = match rest.split_at_checked(6) {
        Some((state, message)) if state.first() == Some(&b'#') => {
            (state.get(1..).unwrap_or_default(), message)
        }
        _ => (&b"HY000"[..], rest),
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    SqlError::Server { code: u16::from_le_bytes(*code), state: text(state), message: text(message) }
}

/// Reads length-encoded values.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// The next so many bytes.
    fn take(&mut self, count: usize) -> Result<&'a [u8], SqlError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SqlError::Protocol("a cut packet"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// A length-encoded number; `None` stands for NULL.
    fn length(&mut self) -> Result<Option<u64>, SqlError> {
        let width = match self.take(1)? {
            [NULL] => return Ok(None),
            [0xfc] => 2,
            [0xfd] => 3,
            [0xfe] => 8,
            [0xff] | [] | [_, _, ..] => return Err(SqlError::Protocol("a length")),
            [small] => return Ok(Some(u64::from(*small))),
        };
        let bytes = self.take(width)?;
        Ok(Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))))
    }

    /// A length-encoded text; `None` is NULL.
    fn text(&mut self) -> Result<Option<String>, SqlError> {
        let Some(length) = self.length()? else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| SqlError::Protocol("a length"))?;
        Ok(Some(String::from_utf8_lossy(self.take(length)?).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Frames payloads into packets with these numbers.
    fn packets(payloads: &[(u8, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (sequence, payload) in payloads {
            out.extend_from_slice(&(payload.len() as u32).to_le_bytes()[..3]);
            out.push(*sequence);
            out.extend_from_slice(payload);
        }
        out
    }

    /// A server that says these things, each after the client said something.
    async fn server(answers: Vec<Vec<u8>>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                stream.write_all(&answer).await.unwrap();
                let mut header = [0; 4];
                if stream.read_exact(&mut header).await.is_err() {
                    return;
                }
                let mut rest = vec![0; usize::from(header[0]) | usize::from(header[1]) << 8];
                stream.read_exact(&mut rest).await.unwrap();
            }
        });
        addr
    }

    /// A greeting of protocol 10.
    fn greeting() -> Vec<u8> {
        let mut out = b"\x0a8.0\0\x01\0\0\0saltsalt\0\xff\xff\x2e\x02\0\xff\xff\x15".to_vec();
        out.extend_from_slice(&[0; 10]);
        out.extend_from_slice(b"saltsaltsalt\0mysql_native_password\0");
        out
    }

    #[tokio::test]
    async fn rows_nulls_and_errors_are_read() {
        let column: &[u8] = b"\x03def";
        let addr = server(vec![
            packets(&[(0, &greeting())]),
            packets(&[(2, b"\0\0\0\x02\0\0\0")]),
            packets(&[
                (1, b"\x02"),
                (2, column),
                (3, column),
                (4, b"\xfe\0\0\x02\0"),
                (5, b"\x011\xfb"),
                (6, b"\xfe\0\0\x02\0"),
            ]),
            packets(&[(1, b"\xff\x26\x04#23000Duplicate entry '1'")]),
            packets(&[(1, b"\0\x05\0\x02\0\0\0")]),
        ])
        .await;
        let mut client = SqlClient::connect(addr).await.unwrap();
        assert_eq!(client.query("SELECT 1, NULL").await.unwrap().rows, [[Some("1".to_owned()), None]]);
        let error = client.query("INSERT").await.unwrap_err();
        assert_eq!(error.to_string(), "ERROR 1062 (23000): Duplicate entry '1'");
        assert_eq!(client.query("UPDATE").await.unwrap().affected, 5);
    }

    #[tokio::test]
    async fn a_refusal_instead_of_a_greeting_is_told() {
        let addr = server(vec![packets(&[(0, b"\xff\x10\x04Too many connections")])]).await;
        let Err(error) = SqlClient::connect(addr).await else { panic!("connected") };
        assert_eq!(error.to_string(), "ERROR 1040 (HY000): Too many connections");
    }

    #[test]
    fn cut_packets_are_errors() {
        assert!(Cursor(b"\x05abc").text().is_err());
        assert!(Cursor(b"\xfc\x01").length().is_err());
        assert!(Cursor(b"").length().is_err());
        assert_eq!(Cursor(b"\xfd\x01\x00\x01").length().unwrap(), Some(0x01_0001));
    }
}
