//! Results of statements: OK, errors, and rows in text or binary form.

use crate::column::Column;
use crate::error::{ProtocolError, SqlError};
use crate::handshake::{capability, ok_packet};
use crate::session::status;
use crate::value::Value;
use crate::wire::put_lenenc;

/// Where results go; hides the socket type.
pub(crate) trait PacketSink: Send {
    /// Queues one packet.
    fn put(&mut self, payload: &[u8]);
    /// Writes queued packets out if there are many.
    fn flush_if_large(&mut self) -> futures_like::BoxFuture<'_, Result<(), ProtocolError>>;
}

/// The one future type that is needed here.
pub(crate) mod futures_like {
    /// A boxed future.
    pub(crate) type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
}

/// What a statement without rows reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OkInfo<'a> {
    /// Rows changed.
    pub affected: u64,
    /// First id that AUTO_INCREMENT made, or zero.
    pub last_insert_id: u64,
    /// Number of warnings.
    pub warnings: u16,
    /// Text such as `Records: 3  Duplicates: 0  Warnings: 0`.
    pub info: &'a str,
}

/// Writes the results of one command.
pub struct ResultWriter<'a> {
    /// Where packets go.
    sink: &'a mut dyn PacketSink,
    /// Capabilities that both sides have.
    capabilities: u32,
    /// Rows in binary form (COM_STMT_EXECUTE).
    binary: bool,
    /// Columns of the rows that are being written.
    columns: Vec<Column>,
    /// Reused row buffer.
    row: Vec<u8>,
    /// Number of results that were completed.
    results: usize,
    /// The connection broke while writing; nothing more can be said.
    broken: Option<ProtocolError>,
}

impl<'a> ResultWriter<'a> {
    /// A writer for one command.
    pub(crate) fn new(sink: &'a mut dyn PacketSink, capabilities: u32, binary: bool) -> Self {
        Self { sink, capabilities, binary, columns: Vec::new(), row: Vec::new(), results: 0, broken: None }
    }

    /// True if the client takes several results for one command.
    pub fn accepts_multiple(&self) -> bool {
        self.capabilities & (capability::MULTI_STATEMENTS | capability::MULTI_RESULTS) != 0
    }

    /// Reports a statement without rows. `more`: another result follows.
    pub fn ok(&mut self, info: OkInfo<'_>, session_status: u16, more: bool) {
        let status = with_more(session_status, more);
        self.sink.put(&ok_packet(0, info.affected, info.last_insert_id, status, info.warnings, info.info));
        self.results += 1;
    }

    /// Starts a result with rows.
    pub fn start_rows(&mut self, columns: Vec<Column>, session_status: u16) {
        self.row.clear();
        put_lenenc(&mut self.row, columns.len() as u64);
        self.sink.put(&self.row);
        put_columns(self.sink, &columns, false);
        if self.capabilities & capability::DEPRECATE_EOF == 0 {
            self.sink.put(&eof(0, session_status));
        }
        self.columns = columns;
    }

    /// Writes one row; values beyond the columns are ignored, missing ones are NULL. Waits while the client is slow.
    ///
    /// False once the connection is broken: the statement may stop.
    pub async fn row(&mut self, values: &[Value<'_>]) -> bool {
        if self.broken.is_some() {
            return false;
        }
        self.row.clear();
        if self.binary {
            binary_row(&mut self.row, &self.columns, values);
        } else {
            for (i, column) in self.columns.iter().enumerate() {
                values.get(i).unwrap_or(&Value::Null).put_text(column, &mut self.row);
            }
        }
        self.sink.put(&self.row);
        if let Err(error) = self.sink.flush_if_large().await {
            self.broken = Some(error);
        }
        self.broken.is_none()
    }

    /// Ends the rows. `more`: another result follows.
    pub fn end_rows(&mut self, warnings: u16, session_status: u16, more: bool) {
        let status = with_more(session_status, more);
        if self.capabilities & capability::DEPRECATE_EOF == 0 {
            self.sink.put(&eof(warnings, status));
        } else {
            self.sink.put(&ok_packet(0xfe, 0, 0, status, warnings, ""));
        }
        self.columns = Vec::new();
        self.results += 1;
    }

    /// Reports an error; nothing may follow.
    pub(crate) fn error(&mut self, error: &SqlError) {
        self.sink.put(&error_packet(error));
    }

    /// Number of results that were completed.
    pub(crate) fn results(&self) -> usize {
        self.results
    }

    /// Why the connection broke, if it did.
    pub(crate) fn into_broken(self) -> Option<ProtocolError> {
        self.broken
    }
}

/// Queues column definitions.
pub(crate) fn put_columns(sink: &mut dyn PacketSink, columns: &[Column], with_default: bool) {
    let mut packet = Vec::new();
    for column in columns {
        packet.clear();
        column.put(&mut packet, with_default);
        sink.put(&packet);
    }
}

/// Status with or without the flag that another result follows.
fn with_more(session_status: u16, more: bool) -> u16 {
    if more { session_status | status::MORE_RESULTS } else { session_status }
}

/// The EOF packet of clients that still want one.
pub(crate) fn eof(warnings: u16, status: u16) -> Vec<u8> {
    let mut out = vec![0xfe];
    out.extend_from_slice(&warnings.to_le_bytes());
    out.extend_from_slice(&status.to_le_bytes());
    out
}

/// An ERR packet.
pub(crate) fn error_packet(error: &SqlError) -> Vec<u8> {
    let mut out = vec![0xff];
    out.extend_from_slice(&error.code.to_le_bytes());
    out.push(b'#');
    out.extend_from_slice(&error.sqlstate);
    out.extend_from_slice(error.message.as_bytes());
    out
}

/// A row of the binary protocol: zero byte, NULL bitmap with an offset of two bits, values.
fn binary_row(out: &mut Vec<u8>, columns: &[Column], values: &[Value<'_>]) {
    out.push(0);
    let bitmap = out.len();
    out.resize(bitmap + (columns.len() + 2).div_ceil(8), 0);
    for (i, column) in columns.iter().enumerate() {
        match values.get(i).unwrap_or(&Value::Null) {
            Value::Null => out[bitmap + (i + 2) / 8] |= 1 << ((i + 2) % 8),
            value => value.put_binary(column, out),
        }
    }
}
