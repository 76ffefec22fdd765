//! The part of MySQL's client protocol that the benchmark needs: log in without a password, run a statement, read one
//! value. Small on purpose: what is measured is the server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use xtask::Failure;

/// Longest silence of the server.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest payload of one packet.
const MAX_PAYLOAD: usize = (1 << 24) - 1;
/// CLIENT_LONG_PASSWORD, CLIENT_PROTOCOL_41, CLIENT_TRANSACTIONS, CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH.
const CAPABILITIES: u32 = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
/// utf8mb4_bin.
const CHARSET: u8 = 46;
/// COM_QUERY.
const COM_QUERY: u8 = 3;
/// First byte of an answer that means success.
const OK: u8 = 0x00;
/// First byte of an answer that asks for another way to log in, and of the end of rows.
const SWITCH_OR_EOF: u8 = 0xfe;
/// First byte of an error.
const ERROR: u8 = 0xff;
/// First byte of more data for the login.
const MORE_DATA: u8 = 0x01;

/// A connection that is logged in as root.
pub(crate) struct Connection {
    /// Socket.
    stream: TcpStream,
    /// Who is talked to.
    peer: String,
    /// Number of the next packet.
    sequence: u8,
}

impl Connection {
    /// Connects and logs in.
    pub(crate) fn open(port: u16) -> Result<Self, Failure> {
        let peer = format!("127.0.0.1:{port}");
        let connect = || -> std::io::Result<TcpStream> {
            let stream = TcpStream::connect(&peer)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(READ_TIMEOUT))?;
            Ok(stream)
        };
        let stream = connect().map_err(Failure::connection(&peer))?;
        let mut connection = Self { stream, peer, sequence: 0 };
        connection.log_in()?;
        Ok(connection)
    }

    /// Answers the greeting.
    fn log_in(&mut self) -> Result<(), Failure> {
        let greeting = self.read_packet()?;
        self.refuse_error(&greeting)?;
        let mut answer = Vec::new();
        answer.extend_from_slice(&CAPABILITIES.to_le_bytes());
        answer.extend_from_slice(&(MAX_PAYLOAD as u32).to_le_bytes());
        answer.push(CHARSET);
        answer.extend_from_slice(&[0; 23]);
        answer.extend_from_slice(b"root\0");
        answer.push(0);
        answer.extend_from_slice(b"mysql_native_password\0");
        self.write_packet(&answer)?;
        loop {
            let packet = self.read_packet()?;
            self.refuse_error(&packet)?;
            match packet.first() {
                Some(&OK) => return Ok(()),
                Some(&SWITCH_OR_EOF) => self.write_packet(&[])?,
                Some(&MORE_DATA) => {}
                other => return Err(self.unexpected("login", other)),
            }
        }
    }

    /// Runs a statement that returns no rows.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<(), Failure> {
        let packet = self.query(sql)?;
        match packet.first() {
            Some(&OK) => Ok(()),
            other => Err(self.unexpected(sql, other)),
        }
    }

    /// Runs a query; the text of the first value of the first row.
    pub(crate) fn value(&mut self, sql: &str) -> Result<String, Failure> {
        self.query(sql)?;
        let mut value = None;
        let mut ends = 0;
        // Columns end with one packet, rows with a second.
        while ends < 2 {
            let packet = self.read_packet()?;
            self.refuse_error(&packet)?;
            if packet.first() == Some(&SWITCH_OR_EOF) && packet.len() < 9 {
                ends += 1;
            } else if ends == 1 && value.is_none() {
                // Values shorter than 251 bytes have one byte of length.
                let length = packet.first().map_or(0, |length| usize::from(*length));
                value = packet.get(1..1 + length).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            }
        }
        value.ok_or_else(|| Failure::check(format!("{sql}: no row")))
    }

    /// Sends a statement; the first packet of the answer.
    fn query(&mut self, sql: &str) -> Result<Vec<u8>, Failure> {
        self.sequence = 0;
        let mut packet = Vec::with_capacity(sql.len() + 1);
        packet.push(COM_QUERY);
        packet.extend_from_slice(sql.as_bytes());
        if packet.len() >= MAX_PAYLOAD {
            return Err(Failure::check("the statement is longer than one packet"));
        }
        self.write_packet(&packet)?;
        let answer = self.read_packet()?;
        self.refuse_error(&answer)?;
        Ok(answer)
    }

    /// One packet.
    fn read_packet(&mut self) -> Result<Vec<u8>, Failure> {
        let mut read = || -> std::io::Result<Vec<u8>> {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header)?;
            let [a, b, c, sequence] = header;
            let mut payload = vec![0; u32::from_le_bytes([a, b, c, 0]) as usize];
            self.stream.read_exact(&mut payload)?;
            self.sequence = sequence.wrapping_add(1);
            Ok(payload)
        };
        read().map_err(Failure::connection(&self.peer))
    }

    /// Sends a packet in one piece.
    fn write_packet(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
        let mut packet = Vec::with_capacity(payload.len() + 4);
        packet.extend_from_slice(&[a, b, c, self.sequence]);
        packet.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&packet).map_err(Failure::connection(&self.peer))
    }

    /// Turns an error packet into a failure.
    fn refuse_error(&self, packet: &[u8]) -> Result<(), Failure> {
        if packet.first() != Some(&ERROR) {
            return Ok(());
        }
        let text = String::from_utf8_lossy(packet.get(3..).unwrap_or_default()).into_owned();
        Err(Failure::check(format!("{}: {text}", self.peer)))
    }

    /// An answer that makes no sense.
    fn unexpected(&self, what: &str, first: Option<&u8>) -> Failure {
        let what: String = what.chars().take(60).collect();
        Failure::check(format!("{}: unexpected answer {first:?} to {what}", self.peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that sends the greeting, then answers each packet of the client with the next group of packets.
    fn server(answers: Vec<Vec<Vec<u8>>>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut peer = Connection { stream, peer: "client".to_owned(), sequence: 0 };
            peer.write_packet(b"\x0a8.0.11\0rest of the greeting").unwrap();
            for answer in answers {
                peer.read_packet().unwrap();
                for packet in answer {
                    peer.write_packet(&packet).unwrap();
                }
            }
        });
        port
    }

    const OK_PACKET: [u8; 7] = [0, 0, 0, 2, 0, 0, 0];
    const EOF_PACKET: [u8; 5] = [0xfe, 0, 0, 2, 0];

    #[test]
    fn a_statement_succeeds_or_fails_with_the_servers_words() {
        let error = b"\xff\x28\x04#42000You have an error".to_vec();
        let port = server(vec![vec![OK_PACKET.to_vec()], vec![OK_PACKET.to_vec()], vec![error]]);
        let mut connection = Connection::open(port).unwrap();
        connection.execute("SELECT").unwrap();
        let failure = connection.execute("SELEC").unwrap_err().to_string();
        assert!(failure.ends_with("#42000You have an error"), "{failure}");
    }

    #[test]
    fn the_first_value_of_a_result_is_read() {
        let rows =
            [vec![1], b"column".to_vec(), EOF_PACKET.to_vec(), b"\x0242".to_vec(), EOF_PACKET.to_vec()];
        let port = server(vec![vec![OK_PACKET.to_vec()], rows.to_vec()]);
        let mut connection = Connection::open(port).unwrap();
        assert_eq!(connection.value("SELECT COUNT(*)").unwrap(), "42");
    }

    #[test]
    fn another_way_to_log_in_is_followed_with_an_empty_password() {
        let switch = b"\xfecaching_sha2_password\0salt".to_vec();
        let port = server(vec![vec![switch], vec![OK_PACKET.to_vec()]]);
        assert!(Connection::open(port).is_ok());
    }
}
