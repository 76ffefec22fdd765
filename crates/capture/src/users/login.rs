//! The login part of MySQL's protocol: whether a server lets a user in.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::encryption::encrypt;
use super::proof::{CACHING_SHA2, NATIVE, prove};

/// Long passwords, protocol 4.1, transactions, 4.1 authentication, plug-ins.
const CAPABILITIES: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 19;
/// Capability of servers and clients that encrypt.
const SSL: u32 = 1 << 11;
/// Largest packet that we announce, bytes.
const MAX_PACKET: u32 = 1 << 20;
/// Largest packet that we read, bytes: nothing that a login needs is longer.
const MAX_READ: usize = 64 << 10;
/// utf8mb4_bin.
const COLLATION: u8 = 46;
/// Most packets of a login.
const MAX_STEPS: usize = 8;
/// First byte of an OK packet.
const OK: u8 = 0;
/// First byte of more authentication data.
const MORE: u8 = 1;
/// First byte of a request to prove the password in another way.
const SWITCH: u8 = 0xfe;
/// First byte of an error packet.
const ERROR: u8 = 0xff;
/// More data: the server knew the hash, and OK follows.
const FAST_AUTH_OK: u8 = 3;
/// More data: the server needs the password itself.
const FULL_AUTH: u8 = 4;
/// COM_QUIT.
const QUIT: u8 = 1;
/// MySQL's numbers for users who are not let in: no right to the database, wrong password, locked account.
const DENIED: [u16; 3] = [1044, 1045, 3118];

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoginError {
    /// The server says no.
    #[error("Error {code}: {message}")]
    Denied {
        /// MySQL's number.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The server can't let anybody in now.
    #[error("Error {code}: {message}")]
    Server {
        /// MySQL's number.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The connection failed.
    #[error("cannot connect to TiDB: {0}")]
    Io(#[from] std::io::Error),
    /// The server does not speak the protocol as we do.
    #[error("unexpected answer of TiDB: {0}")]
    Protocol(&'static str),
    /// The user proves the password in a way that is not known here.
    #[error("the authentication plugin {0:?} is not supported: use {NATIVE} or {CACHING_SHA2}")]
    Plugin(String),
    /// The password would be sent in plain text.
    #[error("{CACHING_SHA2} needs a TiDB with TLS: set auto-tls = true there")]
    NeedsTls,
}

/// Whether the server at `address` lets a user in.
pub(super) async fn check(address: &str, user: &str, password: &str) -> Result<(), LoginError> {
    if user.contains('\0') {
        return Err(LoginError::Protocol("a user name with a zero byte"));
    }
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut plain = Packets { stream, sequence: 0 };
    let greeting = Greeting::parse(&plain.read().await?)?;
    if greeting.capabilities & SSL == 0 {
        return plain.log_in(&greeting, user, password, false).await;
    }
    plain.write(&beginning(CAPABILITIES | SSL)).await?;
    let mut encrypted = Packets { sequence: plain.sequence, stream: encrypt(plain.stream).await? };
    encrypted.log_in(&greeting, user, password, true).await
}

/// What the server says first.
#[derive(Debug, PartialEq, Eq)]
struct Greeting {
    /// What it can do.
    capabilities: u32,
    /// What the password is proved with.
    salt: Vec<u8>,
    /// How it likes best to have it proved.
    plugin: String,
}

impl Greeting {
    /// Reads the packet of protocol 10.
    fn parse(packet: &[u8]) -> Result<Self, LoginError> {
        const BAD: LoginError = LoginError::Protocol("greeting");
        let rest = match packet.split_first() {
            Some((&ERROR, _)) => return Err(refusal(packet)),
            Some((10, rest)) => rest,
            _ => return Err(BAD),
        };
        let version = rest.iter().position(|byte| *byte == 0).ok_or(BAD)?;
        // Connection id (4), salt (8), filler (1), capabilities (2), collation (1), status (2), capabilities (2),
        // length of the salt (1), filler (10).
        let (fixed, rest) = rest.get(version + 1..).and_then(|rest| rest.split_at_checked(31)).ok_or(BAD)?;
        let part = |low: usize, high: usize| u32::from(fixed[low]) | u32::from(fixed[high]) << 8;
        let capabilities = part(13, 14) | part(18, 19) << 16;
        let more = usize::from(fixed[20]).saturating_sub(8).max(13);
        let (salt, plugin) = rest.split_at_checked(more).ok_or(BAD)?;
        let salt = salt.strip_suffix(&[0]).unwrap_or(salt);
        let salt = fixed[4..12].iter().chain(salt).copied().collect();
        Ok(Self { capabilities, salt, plugin: text_to_zero(plugin) })
    }
}

/// Text up to a zero byte or the end.
fn text_to_zero(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Capabilities, limits and collation: the beginning of a login, and all of a request to encrypt.
fn beginning(capabilities: u32) -> Vec<u8> {
    let mut out = capabilities.to_le_bytes().to_vec();
    out.extend_from_slice(&MAX_PACKET.to_le_bytes());
    out.push(COLLATION);
    out.extend_from_slice(&[0; 23]);
    out
}

/// An error packet: number, `#` and SQLSTATE, text.
fn refusal(packet: &[u8]) -> LoginError {
    let Some((code, rest)) = packet.get(1..).and_then(|rest| rest.split_first_chunk::<2>()) else {
        return LoginError::Protocol("a cut error packet");
    };
    let code = u16::from_le_bytes(*code);
    let text = if rest.first() == Some(&b'#') { rest.get(6..).unwrap_or_default() } else { rest };
    let message = String::from_utf8_lossy(text).into_owned();
    if DENIED.contains(&code) {
        LoginError::Denied { code, message }
    } else {
        LoginError::Server { code, message }
    }
}

/// A stream of packets.
struct Packets<S> {
    /// The connection.
    stream: S,
    /// Number of the next packet.
    sequence: u8,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Packets<S> {
    /// Reads a packet.
    async fn read(&mut self) -> Result<Vec<u8>, LoginError> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).await?;
        let [a, b, c, sequence] = header;
        if sequence != self.sequence {
            return Err(LoginError::Protocol("packets out of order"));
        }
        self.sequence = sequence.wrapping_add(1);
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        if length > MAX_READ {
            return Err(LoginError::Protocol("a packet above 64 KiB"));
        }
        let mut packet = vec![0; length];
        self.stream.read_exact(&mut packet).await?;
        Ok(packet)
    }

    /// Writes a packet; those of a login are short.
    async fn write(&mut self, payload: &[u8]) -> Result<(), LoginError> {
        let length = u32::try_from(payload.len()).ok().filter(|length| *length < MAX_PACKET);
        let [a, b, c, _] = length.ok_or(LoginError::Protocol("too long a password"))?.to_le_bytes();
        let mut out = vec![a, b, c, self.sequence];
        out.extend_from_slice(payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.stream.write_all(&out).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Says who it is, and proves the password in the ways that the server asks for.
    async fn log_in(
        &mut self,
        greeting: &Greeting,
        user: &str,
        password: &str,
        encrypted: bool,
    ) -> Result<(), LoginError> {
        let mut plugin = if greeting.plugin == CACHING_SHA2 { CACHING_SHA2 } else { NATIVE }.to_owned();
        let proof = prove(&plugin, password, &greeting.salt).unwrap_or_default();
        let mut login = beginning(if encrypted { CAPABILITIES | SSL } else { CAPABILITIES });
        login.extend_from_slice(user.as_bytes());
        login.push(0);
        login.push(proof.len() as u8);
        login.extend_from_slice(&proof);
        login.extend_from_slice(plugin.as_bytes());
        login.push(0);
        self.write(&login).await?;
        for _ in 0..MAX_STEPS {
            let answer = self.read().await?;
            match answer.first() {
                Some(&OK) => {
                    self.sequence = 0;
                    // The server has said what we wanted to know, whether it hears the good-bye or not.
                    let _ = self.write(&[QUIT]).await;
                    return Ok(());
                }
                Some(&ERROR) => return Err(refusal(&answer)),
                Some(&SWITCH) => {
                    let rest = answer.get(1..).unwrap_or_default();
                    plugin = text_to_zero(rest);
                    let salt = rest.get(plugin.len() + 1..).unwrap_or_default();
                    let salt = salt.strip_suffix(&[0]).unwrap_or(salt);
                    let proof = prove(&plugin, password, salt).ok_or(LoginError::Plugin(plugin.clone()))?;
                    self.write(&proof).await?;
                }
                Some(&MORE) if plugin == CACHING_SHA2 => match answer.get(1) {
                    Some(&FAST_AUTH_OK) => {}
                    Some(&FULL_AUTH) if encrypted => {
                        let mut whole = password.as_bytes().to_vec();
                        whole.push(0);
                        self.write(&whole).await?;
                    }
                    Some(&FULL_AUTH) => return Err(LoginError::NeedsTls),
                    _ => return Err(LoginError::Protocol("more authentication data")),
                },
                _ => return Err(LoginError::Protocol("answer to the login")),
            }
        }
        Err(LoginError::Protocol("the login does not come to an end"))
    }
}

#[cfg(test)]
mod tests;
