//! What a server puts behind the protocol.

use std::net::SocketAddr;

use crate::auth::Credential;
use crate::column::Column;
use crate::error::SqlError;
use crate::params::Param;
use crate::result::ResultWriter;

/// Status flags of OK and EOF packets.
pub mod status {
    #![allow(missing_docs)]
    pub const IN_TRANS: u16 = 1;
    pub const AUTOCOMMIT: u16 = 2;
    pub const MORE_RESULTS: u16 = 8;
    pub const NO_BACKSLASH_ESCAPES: u16 = 512;
}

/// Who is connected.
#[derive(Debug, Clone)]
pub struct Client {
    /// Connection id, as CONNECTION_ID() shows it.
    pub id: u32,
    /// User name.
    pub user: String,
    /// Where the client is.
    pub peer: SocketAddr,
    /// Default database, or empty.
    pub database: String,
    /// Collation id that the client asked for.
    pub collation: u16,
    /// Capabilities that both sides have; see [`crate::capability`].
    pub capabilities: u32,
}

/// Opens sessions.
pub trait Backend: Send + Sync + 'static {
    /// What answers the statements of a connection.
    type Session: Session;

    /// What is known of the password of `user` coming from `peer`; `None` if there is no such user.
    fn credential(&self, user: &str, peer: SocketAddr) -> Option<Credential>;

    /// Opens a session for a client that has proved who it is.
    fn open(&self, client: Client) -> impl Future<Output = Result<Self::Session, SqlError>> + Send;

    /// Ends another connection, or only its statement (KILL).
    fn kill(&self, connection: u32) -> Result<(), SqlError>;
}

/// A prepared statement.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// Number that the client executes it by; chosen by the session.
    pub id: u32,
    /// Number of `?` in it.
    pub params: u16,
    /// Columns of its result, as far as they are known; empty for statements without one.
    pub columns: Vec<Column>,
}

/// The statements of one connection, one at a time.
pub trait Session: Send + 'static {
    /// Runs one or more statements of text, writing one result for each.
    fn query(
        &mut self,
        sql: &[u8],
        out: &mut ResultWriter<'_>,
    ) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// Prepares a statement.
    fn prepare(&mut self, sql: &[u8]) -> impl Future<Output = Result<Prepared, SqlError>> + Send;

    /// Runs a prepared statement.
    fn execute(
        &mut self,
        id: u32,
        params: Vec<Param>,
        out: &mut ResultWriter<'_>,
    ) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// Forgets a prepared statement.
    fn close_statement(&mut self, id: u32);

    /// Makes `database` the default one.
    fn use_database(&mut self, database: &str) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// Columns of a table, for COM_FIELD_LIST.
    fn fields(&mut self, table: &str) -> impl Future<Output = Result<Vec<Column>, SqlError>> + Send;

    /// Rolls back and forgets all state of the session (COM_RESET_CONNECTION, COM_CHANGE_USER).
    fn reset(&mut self) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// Bits of [`status`] that hold now.
    fn status(&self) -> u16;

    /// The connection is gone: rolls back what is open.
    fn close(self) -> impl Future<Output = ()> + Send;
}
