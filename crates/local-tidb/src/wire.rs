//! Sessions behind the MySQL protocol.

use std::net::SocketAddr;
use std::sync::Arc;

use mysql_server::{
    Backend, Client, Column, Credential, DateTime, OkInfo, Param, Prepared, ResultWriter, Time, Value, status,
};
use tidb_codec::field::tp;
use tidb_codec::time::TimeParts;
use tidb_codec::{Datum, Duration, TimeKind};

use crate::engine::Engine;
use crate::exec::query::ResultColumn;
use crate::session::{QueryResult, Session};
use tidb_expr::SqlError;
use tidb_expr::coerce;

/// Opens sessions for clients.
#[derive(Debug)]
pub(crate) struct TidbBackend {
    /// What answers.
    engine: Arc<Engine>,
}

impl TidbBackend {
    /// A backend of an engine.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }
}

/// A session with its protocol side.
#[derive(Debug)]
pub(crate) struct WireSession {
    /// The session.
    session: Session,
}

/// An error as the protocol sends it.
fn wire_error(error: SqlError) -> mysql_server::SqlError {
    mysql_server::SqlError { code: error.code, sqlstate: error.sqlstate, message: error.message }
}

impl Backend for TidbBackend {
    type Session = WireSession;

    fn credential(&self, user: &str, _: SocketAddr) -> Option<Credential> {
        // The only account is `root` without a password.
        (user == "root").then(|| Credential::from_password(""))
    }

    async fn open(&self, client: Client) -> Result<WireSession, mysql_server::SqlError> {
        let user = format!("{}@{}", client.user, client.peer.ip());
        let mut session = Session::with_id(Arc::clone(&self.engine), u64::from(client.id), &user);
        session.set_collation(client.collation);
        if !client.database.is_empty() {
            session.use_database(&client.database).map_err(wire_error)?;
        }
        Ok(WireSession { session })
    }

    fn kill(&self, connection: u32) -> Result<(), mysql_server::SqlError> {
        Err(wire_error(SqlError::unsupported(format!("KILL {connection}"))))
    }
}

/// A column as the protocol describes it.
fn wire_column(c: &ResultColumn) -> Column {
    let ty = &c.ty;
    let textual = ty.is_string() || matches!(ty.tp, tp::ENUM | tp::SET | tp::JSON);
    let bytes_per_char =
        if textual { i64::from(tidb_expr::collation::max_char_bytes(ty.collation.charset)) } else { 1 };
    let kind = match ty.tp {
        tp::ENUM | tp::SET => tp::STRING,
        tp::VARCHAR => tp::VAR_STRING,
        tp::TINY_BLOB | tp::MEDIUM_BLOB | tp::LONG_BLOB => tp::BLOB,
        tp::NEW_DATE => tp::DATE,
        other => other,
    };
    let mut flags = (ty.flag & 0xFFFF) as u16;
    match ty.tp {
        tp::ENUM => flags |= mysql_server::column_flag::ENUM,
        tp::SET => flags |= mysql_server::column_flag::SET,
        tp::BLOB | tp::TINY_BLOB | tp::MEDIUM_BLOB | tp::LONG_BLOB => {
            flags |= mysql_server::column_flag::BLOB
        }
        _ => {}
    }
    // MySQL gives every text in the results' character set; TiDB's texts are all UTF-8.
    let collation = if textual && !ty.collation.is_binary() { 45 } else { 63 };
    Column {
        schema: c.schema.clone(),
        table: c.table.clone(),
        org_table: c.org_table.clone(),
        name: c.name.clone(),
        org_name: c.org_name.clone(),
        collation,
        length: u32::try_from(ty.flen.max(0).saturating_mul(bytes_per_char)).unwrap_or(u32::MAX),
        kind,
        flags: flags & !(1 << 15),
        decimals: u8::try_from(ty.decimal).unwrap_or(31),
    }
}

/// Text that a value needs beside itself.
fn side_text(value: &Datum, column: &ResultColumn) -> Vec<u8> {
    match value {
        Datum::Null
        | Datum::Int(_)
        | Datum::Uint(_)
        | Datum::Bytes(_)
        | Datum::Time(_)
        | Datum::Duration(_) => Vec::new(),
        other => coerce::text(other, &column.ty).map(|t| t.into_owned()).unwrap_or_default(),
    }
}

/// A time as the protocol sends it.
fn wire_time(parts: TimeParts) -> DateTime {
    DateTime {
        year: parts.year,
        month: parts.month,
        day: parts.day,
        hour: parts.hour,
        minute: parts.minute,
        second: parts.second,
        micros: parts.micro,
    }
}

/// A value as the protocol carries it; `text` is its [`side_text`].
fn wire_value<'a>(value: &'a Datum, column: &ResultColumn, text: &'a [u8]) -> Value<'a> {
    let number = || std::str::from_utf8(text).unwrap_or_default();
    match value {
        Datum::Null => Value::Null,
        Datum::Int(v) => Value::Int(*v),
        Datum::Uint(v) => Value::UInt(*v),
        Datum::Float(v) => Value::Float(*v, number()),
        Datum::Double(v) => Value::Double(*v, number()),
        Datum::Bytes(v) => Value::Bytes(v),
        Datum::Time(v) if column.ty.is_time() => Value::DateTime(wire_time(v.parts())),
        Datum::Duration(v) if column.ty.tp == tp::DURATION => Value::Time(Time {
            negative: v.is_negative(),
            hours: u32::try_from(v.hours()).unwrap_or(u32::MAX),
            minutes: v.minutes(),
            seconds: v.seconds(),
            micros: v.micros(),
        }),
        _ => Value::Bytes(text),
    }
}

/// Whether a value needs a text form because its kind is not that of its column.
fn is_foreign(value: &Datum, column: &ResultColumn) -> bool {
    match value {
        Datum::Time(_) => !column.ty.is_time(),
        Datum::Duration(_) => column.ty.tp != tp::DURATION,
        Datum::Int(_) | Datum::Uint(_) => !column.ty.is_integer() || column.ty.tp == tp::BIT,
        Datum::Bytes(_) => false,
        _ => false,
    }
}

/// A value of a foreign kind as text bytes.
fn as_text(value: &Datum, column: &ResultColumn) -> Datum {
    coerce::text(value, &column.ty).map_or(Datum::Null, |t| Datum::Bytes(t.into_owned()))
}

/// The value of a placeholder.
fn from_param(param: Param) -> Result<Datum, SqlError> {
    Ok(match param {
        Param::Null => Datum::Null,
        Param::Int(v) => Datum::Int(v),
        Param::UInt(v) => Datum::Uint(v),
        Param::Float(v) => Datum::Double(f64::from(v)),
        Param::Double(v) => Datum::Double(v),
        Param::Bytes(v) => Datum::Bytes(v),
        Param::DateTime(t, date_only) => {
            let parts = TimeParts {
                year: t.year,
                month: t.month,
                day: t.day,
                hour: t.hour,
                minute: t.minute,
                second: t.second,
                micro: t.micros,
            };
            let (kind, fsp) = if date_only { (TimeKind::Date, 0) } else { (TimeKind::DateTime, 6) };
            Datum::Time(tidb_codec::Time::new(parts, kind, fsp).map_err(coerce::codec)?)
        }
        Param::Time(t) => Datum::Duration(
            Duration::from_parts(t.negative, u64::from(t.hours), t.minutes, t.seconds, t.micros, 6)
                .map_err(coerce::codec)?,
        ),
    })
}

impl WireSession {
    /// Status bits of the session's state.
    fn session_status(&self) -> u16 {
        let mut bits = 0;
        if self.session.in_transaction() {
            bits |= status::IN_TRANS;
        }
        if self.session.autocommit() {
            bits |= status::AUTOCOMMIT;
        }
        if self.session.no_backslash_escapes() {
            bits |= status::NO_BACKSLASH_ESCAPES;
        }
        bits
    }

    /// Writes one result.
    async fn write(&self, result: QueryResult, more: bool, out: &mut ResultWriter<'_>) {
        let session_status = self.session_status();
        if result.columns.is_empty() {
            let info = OkInfo {
                affected: result.affected,
                last_insert_id: result.last_insert_id,
                warnings: result.warnings,
                info: &result.info,
            };
            out.ok(info, session_status, more);
            return;
        }
        out.start_rows(result.columns.iter().map(wire_column).collect(), session_status);
        for mut row in result.rows {
            for (value, column) in row.iter_mut().zip(&result.columns) {
                if is_foreign(value, column) {
                    *value = as_text(value, column);
                }
            }
            let texts: Vec<Vec<u8>> = row.iter().zip(&result.columns).map(|(v, c)| side_text(v, c)).collect();
            let values: Vec<Value<'_>> =
                row.iter().zip(&result.columns).zip(&texts).map(|((v, c), t)| wire_value(v, c, t)).collect();
            if !out.row(&values).await {
                break;
            }
        }
        out.end_rows(result.warnings, session_status, more);
    }
}

/// The text of a statement.
fn utf8(sql: &[u8]) -> Result<&str, mysql_server::SqlError> {
    std::str::from_utf8(sql).map_err(|e| {
        let bad = sql.get(e.valid_up_to()).copied().unwrap_or_default();
        wire_error(SqlError::new(
            1300,
            format!("Invalid utf8mb4 character string: '{bad:02X}' in the statement; send bytes as x'…'"),
        ))
    })
}

impl mysql_server::Session for WireSession {
    async fn query(&mut self, sql: &[u8], out: &mut ResultWriter<'_>) -> Result<(), mysql_server::SqlError> {
        let text = utf8(sql)?;
        let statements = self.session.parse(text).map_err(wire_error)?;
        let last = statements.len().saturating_sub(1);
        for (at, statement) in statements.iter().enumerate() {
            let own = text.get(statement.range.clone()).unwrap_or(text);
            let result = self.session.run(statement, own).await.map_err(wire_error)?;
            self.write(result, at < last, out).await;
        }
        Ok(())
    }

    async fn prepare(&mut self, sql: &[u8]) -> Result<Prepared, mysql_server::SqlError> {
        let info = self.session.prepare(utf8(sql)?).await.map_err(wire_error)?;
        let params = u16::try_from(info.params).map_err(|_| {
            wire_error(SqlError::new(1390, "Prepared statement contains too many placeholders"))
        })?;
        Ok(Prepared { id: info.id, params, columns: info.columns.iter().map(wire_column).collect() })
    }

    async fn execute(
        &mut self,
        id: u32,
        params: Vec<Param>,
        out: &mut ResultWriter<'_>,
    ) -> Result<(), mysql_server::SqlError> {
        let values = params.into_iter().map(from_param).collect::<Result<_, _>>().map_err(wire_error)?;
        let result = self.session.execute_prepared(id, values).await.map_err(wire_error)?;
        self.write(result, false, out).await;
        Ok(())
    }

    fn close_statement(&mut self, id: u32) {
        self.session.close_statement(id);
    }

    async fn use_database(&mut self, database: &str) -> Result<(), mysql_server::SqlError> {
        self.session.use_database(database).map_err(wire_error)
    }

    async fn fields(&mut self, table: &str) -> Result<Vec<Column>, mysql_server::SqlError> {
        self.session
            .fields(table)
            .map(|columns| columns.iter().map(wire_column).collect())
            .map_err(wire_error)
    }

    async fn reset(&mut self) -> Result<(), mysql_server::SqlError> {
        self.session.reset().await;
        Ok(())
    }

    fn status(&self) -> u16 {
        self.session_status()
    }

    async fn close(self) {
        self.session.close().await;
    }
}
