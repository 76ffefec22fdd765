//! MySQL client/server protocol, server side.
//!
//! A [`Backend`] opens a [`Session`] for each connection that has proved who it is; the session answers statements
//! through a [`ResultWriter`], which speaks the text or the binary protocol as the command demands. Nothing here
//! knows SQL or storage.
//!
//! Supported: protocol 4.1 with 24-byte salts, `mysql_native_password` and `caching_sha2_password` (fast path, from
//! stored hashes), packets above 16 MiB, prepared statements with long data, multi-statements, EOF deprecation.
//! Refused by name: compression, cursors, `LOAD DATA LOCAL`, TLS.

mod auth;
mod column;
mod command;
mod connection;
mod error;
mod handshake;
mod packet;
mod params;
mod result;
mod server;
mod session;
mod value;
mod wire;

pub use auth::Credential;
pub use column::{Column, column_flag, column_type};
pub use error::{ProtocolError, SqlError, StartError};
pub use handshake::capability;
pub use params::Param;
pub use result::{OkInfo, ResultWriter};
pub use server::{Running, ServerConfig, start};
pub use session::{Backend, Client, Prepared, Session, status};
pub use value::{DateTime, Time, Value};
