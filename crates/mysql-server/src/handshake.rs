//! The greeting and the client's answer.

use crate::auth::{NATIVE, SALT_BYTES};
use crate::error::ProtocolError;
use crate::wire::{Reader, put_lenenc, put_lenenc_bytes};

/// Capability flags.
pub mod capability {
    #![allow(missing_docs)]
    pub const LONG_PASSWORD: u32 = 1;
    pub const FOUND_ROWS: u32 = 1 << 1;
    pub const LONG_FLAG: u32 = 1 << 2;
    pub const CONNECT_WITH_DB: u32 = 1 << 3;
    pub const COMPRESS: u32 = 1 << 5;
    pub const LOCAL_FILES: u32 = 1 << 7;
    pub const PROTOCOL_41: u32 = 1 << 9;
    pub const INTERACTIVE: u32 = 1 << 10;
    pub const SSL: u32 = 1 << 11;
    pub const TRANSACTIONS: u32 = 1 << 13;
    pub const SECURE_CONNECTION: u32 = 1 << 15;
    pub const MULTI_STATEMENTS: u32 = 1 << 16;
    pub const MULTI_RESULTS: u32 = 1 << 17;
    pub const PS_MULTI_RESULTS: u32 = 1 << 18;
    pub const PLUGIN_AUTH: u32 = 1 << 19;
    pub const CONNECT_ATTRS: u32 = 1 << 20;
    pub const PLUGIN_AUTH_LENENC: u32 = 1 << 21;
    pub const DEPRECATE_EOF: u32 = 1 << 24;
}
use capability as cap;

/// What this server can do.
pub(crate) const SERVER_CAPABILITIES: u32 = cap::LONG_PASSWORD
    | cap::FOUND_ROWS
    | cap::LONG_FLAG
    | cap::CONNECT_WITH_DB
    | cap::PROTOCOL_41
    | cap::INTERACTIVE
    | cap::TRANSACTIONS
    | cap::SECURE_CONNECTION
    | cap::MULTI_STATEMENTS
    | cap::MULTI_RESULTS
    | cap::PS_MULTI_RESULTS
    | cap::PLUGIN_AUTH
    | cap::CONNECT_ATTRS
    | cap::PLUGIN_AUTH_LENENC
    | cap::DEPRECATE_EOF;

/// Collation that the greeting announces: utf8mb4_bin, TiDB's default.
const DEFAULT_COLLATION: u8 = 46;

/// The server's first packet (protocol version 10).
pub(crate) fn greeting(version: &str, connection_id: u32, salt: &[u8; SALT_BYTES], status: u16) -> Vec<u8> {
    let mut out = vec![10];
    out.extend_from_slice(version.as_bytes());
    out.push(0);
    out.extend_from_slice(&connection_id.to_le_bytes());
    out.extend_from_slice(&salt[..8]);
    out.push(0);
    out.extend_from_slice(&(SERVER_CAPABILITIES as u16).to_le_bytes());
    out.push(DEFAULT_COLLATION);
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&((SERVER_CAPABILITIES >> 16) as u16).to_le_bytes());
    out.push(SALT_BYTES as u8 + 1);
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(&salt[8..]);
    out.push(0);
    out.extend_from_slice(NATIVE.as_bytes());
    out.push(0);
    out
}

/// The client's answer to the greeting, or a COM_CHANGE_USER.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    /// Capabilities that both sides have.
    pub(crate) capabilities: u32,
    /// Collation id that the client wants.
    pub(crate) collation: u16,
    /// User name.
    pub(crate) user: String,
    /// Answer to the salt.
    pub(crate) auth: Vec<u8>,
    /// Default database, or empty.
    pub(crate) database: String,
    /// Name of the method that `auth` was made with.
    pub(crate) plugin: String,
}

/// Bytes as text; a name that is not UTF-8 matches nothing anyway.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Login {
    /// Parses HandshakeResponse41.
    pub(crate) fn parse(packet: &[u8]) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(packet);
        let wanted = reader.u32()?;
        if wanted & cap::PROTOCOL_41 == 0 {
            return Err(ProtocolError::Malformed("clients older than protocol 4.1 are not supported"));
        }
        if wanted & cap::SSL != 0 && packet.len() == 32 {
            return Err(ProtocolError::Malformed("TLS is not offered by this server"));
        }
        let capabilities = wanted & SERVER_CAPABILITIES;
        reader.u32()?;
        let collation = reader.u8()?;
        reader.take(23)?;
        let user = text(reader.nul_bytes());
        let auth = if wanted & cap::PLUGIN_AUTH_LENENC != 0 {
            reader.lenenc_bytes()?
        } else if wanted & cap::SECURE_CONNECTION != 0 {
            let n = reader.u8()?;
            reader.take(n.into())?
        } else {
            reader.nul_bytes()
        };
        let auth = auth.to_vec();
        let database =
            if wanted & cap::CONNECT_WITH_DB != 0 { text(reader.nul_bytes()) } else { String::new() };
        let plugin =
            if wanted & cap::PLUGIN_AUTH != 0 { text(reader.nul_bytes()) } else { NATIVE.to_owned() };
        Ok(Self { capabilities, collation: collation.into(), user, auth, database, plugin })
    }

    /// Parses COM_CHANGE_USER (without the command byte) on a connection with these capabilities.
    pub(crate) fn parse_change_user(packet: &[u8], capabilities: u32) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(packet);
        let user = text(reader.nul_bytes());
        let n = reader.u8()?;
        let auth = reader.take(n.into())?.to_vec();
        let database = text(reader.nul_bytes());
        let collation = if reader.rest().len() >= 2 { reader.u16()? } else { DEFAULT_COLLATION.into() };
        let plugin = if capabilities & cap::PLUGIN_AUTH != 0 && !reader.rest().is_empty() {
            text(reader.nul_bytes())
        } else {
            NATIVE.to_owned()
        };
        Ok(Self { capabilities, collation, user, auth, database, plugin })
    }
}

/// Asks the client to answer again with another method.
pub(crate) fn auth_switch(plugin: &str, salt: &[u8; SALT_BYTES]) -> Vec<u8> {
    let mut out = vec![0xfe];
    out.extend_from_slice(plugin.as_bytes());
    out.push(0);
    out.extend_from_slice(salt);
    out.push(0);
    out
}

/// An OK packet. Servers write the text with its length, whatever the documentation says of clients without session
/// tracking.
pub(crate) fn ok_packet(
    header: u8,
    affected: u64,
    last_id: u64,
    status: u16,
    warnings: u16,
    info: &str,
) -> Vec<u8> {
    let mut out = vec![header];
    put_lenenc(&mut out, affected);
    put_lenenc(&mut out, last_id);
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&warnings.to_le_bytes());
    if !info.is_empty() {
        put_lenenc_bytes(&mut out, info.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_login_with_database_and_plugin_is_understood() {
        let mut packet = Vec::new();
        let flags = cap::PROTOCOL_41 | cap::SECURE_CONNECTION | cap::PLUGIN_AUTH | cap::CONNECT_WITH_DB;
        packet.extend_from_slice(&flags.to_le_bytes());
        packet.extend_from_slice(&[0; 4]);
        packet.push(45);
        packet.extend_from_slice(&[0; 23]);
        packet.extend_from_slice(b"root\0\x02hitest\0mysql_native_password\0");
        let login = Login::parse(&packet).expect("valid");
        assert_eq!((login.user.as_str(), login.database.as_str()), ("root", "test"));
        assert_eq!((login.auth.as_slice(), login.plugin.as_str()), (b"hi".as_slice(), NATIVE));
    }

    #[test]
    fn the_text_of_an_ok_packet_has_its_length() {
        assert_eq!(ok_packet(0, 2, 0, 2, 0, "Records: 2"), b"\0\x02\0\x02\0\0\0\x0aRecords: 2");
        assert_eq!(ok_packet(0, 2, 0, 2, 0, "").len(), 7);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = Login::parse(&bytes);
            let _ = Login::parse_change_user(&bytes, u32::MAX);
        }
    }
}
