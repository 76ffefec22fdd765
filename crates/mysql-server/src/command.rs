//! Commands of the protocol.

/// The first byte of a command packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Ends the connection.
    Quit,
    /// Sets the default database.
    InitDb,
    /// Runs statements of text.
    Query,
    /// Lists columns of a table.
    FieldList,
    /// One line of server state.
    Statistics,
    /// Ends another connection.
    ProcessKill,
    /// Does nothing.
    Ping,
    /// Logs in again.
    ChangeUser,
    /// Prepares a statement.
    Prepare,
    /// Runs a prepared statement.
    Execute,
    /// Sends a part of a parameter.
    LongData,
    /// Forgets a prepared statement.
    CloseStatement,
    /// Drops long data of a prepared statement.
    ResetStatement,
    /// Switches multi-statements on or off.
    SetOption,
    /// Reads from a cursor.
    Fetch,
    /// Forgets the state of the session.
    ResetConnection,
    /// Something that is not supported.
    Unknown(u8),
}

impl From<u8> for Command {
    fn from(byte: u8) -> Self {
        match byte {
            0x01 => Self::Quit,
            0x02 => Self::InitDb,
            0x03 => Self::Query,
            0x04 => Self::FieldList,
            0x09 => Self::Statistics,
            0x0c => Self::ProcessKill,
            0x0e => Self::Ping,
            0x11 => Self::ChangeUser,
            0x16 => Self::Prepare,
            0x17 => Self::Execute,
            0x18 => Self::LongData,
            0x19 => Self::CloseStatement,
            0x1a => Self::ResetStatement,
            0x1b => Self::SetOption,
            0x1c => Self::Fetch,
            0x1f => Self::ResetConnection,
            other => Self::Unknown(other),
        }
    }
}
