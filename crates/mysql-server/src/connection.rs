//! One connection: login, then commands until it ends.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::auth::{NATIVE, SALT_BYTES};
use crate::command::Command;
use crate::error::{ProtocolError, SqlError};
use crate::handshake::{Login, auth_switch, capability, greeting, ok_packet};
use crate::packet::PacketStream;
use crate::params;
use crate::result::{PacketSink, ResultWriter, eof, error_packet, futures_like::BoxFuture, put_columns};
use crate::session::{Backend, Client, Session, status};
use crate::wire::Reader;

/// A client that has not logged in after this long is dropped.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest packet before login, bytes: nobody needs more to say who they are.
const LOGIN_PACKET_BYTES: usize = 64 << 10;
/// Largest command, bytes (`max_allowed_packet`, TiDB's default).
pub(crate) const MAX_PACKET_BYTES: usize = 64 << 20;
/// Most prepared statements of a connection.
const MAX_STATEMENTS: usize = 16_382;

/// What the connection keeps of a prepared statement.
#[derive(Default)]
struct StatementState {
    /// Types of the last execution.
    types: Vec<(u8, bool)>,
    /// Long data, one slot per parameter.
    long_data: Vec<Option<Vec<u8>>>,
}

/// A connection that has not ended.
pub(crate) struct Connection<S, B: Backend> {
    /// The packets.
    stream: PacketStream<S>,
    /// Opens sessions.
    backend: Arc<B>,
    /// Connection id.
    id: u32,
    /// Where the client is.
    peer: SocketAddr,
    /// When the server started, for COM_STATISTICS.
    started: Instant,
    /// Capabilities that both sides have.
    capabilities: u32,
    /// Prepared statements.
    statements: HashMap<u32, StatementState>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> PacketSink for PacketStream<S> {
    fn put(&mut self, payload: &[u8]) {
        PacketStream::put(self, payload);
    }

    fn flush_if_large(&mut self) -> BoxFuture<'_, Result<(), ProtocolError>> {
        Box::pin(PacketStream::flush_if_large(self))
    }
}

/// MySQL's error for a command that is not understood.
fn unknown_command() -> SqlError {
    SqlError::new(1047, b"08S01", "Unknown command")
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send, B: Backend> Connection<S, B> {
    /// A connection on `socket`.
    pub(crate) fn new(socket: S, backend: Arc<B>, id: u32, peer: SocketAddr, started: Instant) -> Self {
        Self {
            stream: PacketStream::new(socket, LOGIN_PACKET_BYTES),
            backend,
            id,
            peer,
            started,
            capabilities: 0,
            statements: HashMap::new(),
        }
    }

    /// Serves the connection until the client leaves or `stop` fires.
    pub(crate) async fn run(mut self, version: &str, stop: CancellationToken) -> Result<(), ProtocolError> {
        let login = tokio::time::timeout(LOGIN_TIMEOUT, self.login(version));
        let mut session = tokio::select! {
            session = login => session.map_err(|_| ProtocolError::HandshakeTimeout)??,
            () = stop.cancelled() => return Ok(()),
        };
        self.stream.set_limit(MAX_PACKET_BYTES);
        let outcome = self.serve(&mut session, &stop).await;
        session.close().await;
        outcome
    }

    /// Greets, checks the answer and opens the session.
    async fn login(&mut self, version: &str) -> Result<B::Session, ProtocolError> {
        let salt = new_salt();
        self.stream.put(&greeting(version, self.id, &salt, status::AUTOCOMMIT));
        self.stream.flush().await?;
        let Some(packet) = self.stream.read().await? else {
            return Err(ProtocolError::Malformed("closed before login"));
        };
        let login = match Login::parse(&packet) {
            Ok(login) => login,
            Err(error) => {
                return self.refuse(SqlError::new(1043, b"08S01", format!("Bad handshake: {error}"))).await;
            }
        };
        self.capabilities = login.capabilities;
        self.authenticate(login, salt).await
    }

    /// Checks the password and opens the session; used by login and COM_CHANGE_USER.
    async fn authenticate(
        &mut self,
        login: Login,
        salt: [u8; SALT_BYTES],
    ) -> Result<B::Session, ProtocolError> {
        let using = if login.auth.is_empty() { "NO" } else { "YES" };
        let credential = self.backend.credential(&login.user, self.peer);
        let known = match &credential {
            Some(credential) => match credential.verify(&login.plugin, &salt, &login.auth) {
                Some(answer) => answer,
                None => {
                    self.stream.put(&auth_switch(NATIVE, &salt));
                    self.stream.flush().await?;
                    let answer = self.stream.read().await?.unwrap_or_default();
                    credential.verify(NATIVE, &salt, &answer).unwrap_or(false)
                }
            },
            None => false,
        };
        if !known {
            let text = format!(
                "Access denied for user '{}'@'{}' (using password: {using})",
                login.user,
                self.peer.ip()
            );
            return self.refuse(SqlError::new(1045, b"28000", text)).await;
        }
        let client = Client {
            id: self.id,
            user: login.user,
            peer: self.peer,
            database: login.database,
            collation: login.collation,
            capabilities: self.capabilities,
        };
        let backend = Arc::clone(&self.backend);
        match backend.open(client).await {
            Ok(session) => {
                self.stream.put(&ok_packet(0, 0, 0, session.status(), 0, ""));
                self.stream.flush().await?;
                Ok(session)
            }
            Err(error) => self.refuse(error).await,
        }
    }

    /// Sends an error and ends the connection.
    async fn refuse<T>(&mut self, error: SqlError) -> Result<T, ProtocolError> {
        self.stream.put(&error_packet(&error));
        self.stream.flush().await?;
        Err(ProtocolError::Denied(error.message))
    }

    /// Answers commands.
    async fn serve(
        &mut self,
        session: &mut B::Session,
        stop: &CancellationToken,
    ) -> Result<(), ProtocolError> {
        loop {
            self.stream.reset_sequence();
            let packet = tokio::select! {
                packet = self.stream.read() => packet,
                () = stop.cancelled() => {
                    let gone = SqlError::new(1053, b"08S01", "Server shutdown in progress");
                    self.stream.put(&error_packet(&gone));
                    return self.stream.flush().await;
                }
            };
            let packet = match packet {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(()),
                Err(ProtocolError::TooLarge { limit }) => {
                    let text = format!("Got a packet bigger than 'max_allowed_packet' bytes ({limit})");
                    return self.refuse(SqlError::new(1153, b"08S01", text)).await;
                }
                Err(error) => return Err(error),
            };
            let Some((&first, body)) = packet.split_first() else {
                return Err(ProtocolError::Malformed("empty command"));
            };
            if !self.command(session, Command::from(first), body).await? {
                return Ok(());
            }
            self.stream.flush().await?;
        }
    }

    /// Runs one command; false ends the connection.
    async fn command(
        &mut self,
        session: &mut B::Session,
        command: Command,
        body: &[u8],
    ) -> Result<bool, ProtocolError> {
        match command {
            Command::Quit => return Ok(false),
            Command::Ping => self.ok(session),
            Command::InitDb => {
                let outcome = session.use_database(&String::from_utf8_lossy(body)).await;
                self.ok_or(session, outcome);
            }
            Command::Query => {
                let mut out = ResultWriter::new(&mut self.stream, self.capabilities, false);
                finish(session.query(body, &mut out).await, out, session.status())?;
            }
            Command::FieldList => self.field_list(session, body).await,
            Command::Statistics => {
                let text = format!("Uptime: {}  Threads: 0  Questions: 0", self.started.elapsed().as_secs());
                self.stream.put(text.as_bytes());
            }
            Command::ProcessKill => {
                let outcome = match Reader::new(body).u32() {
                    Ok(id) => self.backend.kill(id),
                    Err(_) => Err(unknown_command()),
                };
                self.ok_or(session, outcome);
            }
            Command::SetOption => self.set_option(session, body),
            Command::ResetConnection => {
                self.statements.clear();
                let outcome = session.reset().await;
                self.ok_or(session, outcome);
            }
            Command::ChangeUser => return self.change_user(session, body).await,
            Command::Prepare => self.prepare(session, body).await,
            Command::Execute => self.execute(session, body).await?,
            Command::LongData => self.long_data(body),
            Command::CloseStatement => {
                if let Ok(id) = Reader::new(body).u32() {
                    self.statements.remove(&id);
                    session.close_statement(id);
                }
            }
            Command::ResetStatement => self.reset_statement(session, body),
            Command::Fetch => {
                let text = "Unknown prepared statement handler (cursors are not supported) given to mysqld_stmt_fetch";
                self.stream.put(&error_packet(&SqlError::new(1243, b"HY000", text)));
            }
            Command::Unknown(_) => self.stream.put(&error_packet(&unknown_command())),
        }
        Ok(true)
    }

    /// Queues an OK.
    fn ok(&mut self, session: &B::Session) {
        self.stream.put(&ok_packet(0, 0, 0, session.status(), 0, ""));
    }

    /// Queues an OK or the error.
    fn ok_or(&mut self, session: &B::Session, outcome: Result<(), SqlError>) {
        match outcome {
            Ok(()) => self.ok(session),
            Err(error) => self.stream.put(&error_packet(&error)),
        }
    }

    /// COM_FIELD_LIST: table name, then a pattern that clients leave empty.
    async fn field_list(&mut self, session: &mut B::Session, body: &[u8]) {
        let table = String::from_utf8_lossy(Reader::new(body).nul_bytes()).into_owned();
        match session.fields(&table).await {
            Ok(columns) => {
                put_columns(&mut self.stream, &columns, true);
                self.stream.put(&eof(0, session.status()));
            }
            Err(error) => self.stream.put(&error_packet(&error)),
        }
    }

    /// COM_SET_OPTION: 0 multi-statements on, 1 off.
    fn set_option(&mut self, session: &B::Session, body: &[u8]) {
        match Reader::new(body).u16() {
            Ok(0) => self.capabilities |= capability::MULTI_STATEMENTS,
            Ok(1) => self.capabilities &= !capability::MULTI_STATEMENTS,
            _ => return self.stream.put(&error_packet(&unknown_command())),
        }
        self.stream.put(&eof(0, session.status()));
    }

    /// COM_CHANGE_USER: a login on the same connection.
    async fn change_user(&mut self, session: &mut B::Session, body: &[u8]) -> Result<bool, ProtocolError> {
        let login = Login::parse_change_user(body, self.capabilities)?;
        let salt = new_salt();
        // The answer in the command belongs to the old salt: always ask again.
        let login = if login.auth.is_empty() {
            login
        } else {
            self.stream.put(&auth_switch(NATIVE, &salt));
            self.stream.flush().await?;
            let auth = self.stream.read().await?.unwrap_or_default();
            Login { auth, plugin: NATIVE.to_owned(), ..login }
        };
        if let Err(error) = session.reset().await {
            return self.refuse(error).await;
        }
        self.statements.clear();
        *session = self.authenticate(login, salt).await?;
        Ok(true)
    }

    /// COM_STMT_PREPARE.
    async fn prepare(&mut self, session: &mut B::Session, sql: &[u8]) {
        if self.statements.len() >= MAX_STATEMENTS {
            let text = format!(
                "Can't create more than max_prepared_stmt_count statements (current value: {MAX_STATEMENTS})"
            );
            return self.stream.put(&error_packet(&SqlError::new(1461, b"42000", text)));
        }
        let prepared = match session.prepare(sql).await {
            Ok(prepared) => prepared,
            Err(error) => return self.stream.put(&error_packet(&error)),
        };
        let mut packet = vec![0];
        packet.extend_from_slice(&prepared.id.to_le_bytes());
        packet.extend_from_slice(&(prepared.columns.len() as u16).to_le_bytes());
        packet.extend_from_slice(&prepared.params.to_le_bytes());
        packet.extend_from_slice(&[0, 0, 0]);
        self.stream.put(&packet);
        let with_eof = self.capabilities & capability::DEPRECATE_EOF == 0;
        let placeholder = crate::column::Column {
            name: "?".to_owned(),
            kind: crate::column::column_type::VAR_STRING,
            collation: 63,
            ..Default::default()
        };
        for columns in [&vec![placeholder; prepared.params.into()], &prepared.columns] {
            if !columns.is_empty() {
                put_columns(&mut self.stream, columns, false);
                if with_eof {
                    self.stream.put(&eof(0, session.status()));
                }
            }
        }
        let state = StatementState { types: Vec::new(), long_data: vec![None; prepared.params.into()] };
        self.statements.insert(prepared.id, state);
    }

    /// COM_STMT_EXECUTE.
    async fn execute(&mut self, session: &mut B::Session, body: &[u8]) -> Result<(), ProtocolError> {
        let mut reader = Reader::new(body);
        let (id, cursor, _iterations) = (reader.u32()?, reader.u8()?, reader.u32()?);
        let Some(state) = self.statements.get_mut(&id) else {
            let text = format!("Unknown prepared statement handler ({id}) given to mysqld_stmt_execute");
            self.stream.put(&error_packet(&SqlError::new(1243, b"HY000", text)));
            return Ok(());
        };
        // A client that asks for a cursor accepts a plain result: no cursor flag in the status, rows follow at once.
        let _ = cursor;
        let params = params::parse(reader.rest(), &mut state.types, &state.long_data)?;
        state.long_data.iter_mut().for_each(|slot| *slot = None);
        let mut out = ResultWriter::new(&mut self.stream, self.capabilities, true);
        finish(session.execute(id, params, &mut out).await, out, session.status())
    }

    /// COM_STMT_SEND_LONG_DATA; it has no answer, errors show at execution.
    fn long_data(&mut self, body: &[u8]) {
        let mut reader = Reader::new(body);
        let (Ok(id), Ok(index)) = (reader.u32(), reader.u16()) else { return };
        let Some(state) = self.statements.get_mut(&id) else { return };
        let total: usize = state.long_data.iter().flatten().map(Vec::len).sum();
        if total + reader.rest().len() > MAX_PACKET_BYTES {
            return;
        }
        if let Some(slot) = state.long_data.get_mut(usize::from(index)) {
            slot.get_or_insert_default().extend_from_slice(reader.rest());
        }
    }

    /// COM_STMT_RESET.
    fn reset_statement(&mut self, session: &B::Session, body: &[u8]) {
        match Reader::new(body).u32().ok().and_then(|id| self.statements.get_mut(&id)) {
            Some(state) => {
                state.long_data.iter_mut().for_each(|slot| *slot = None);
                self.ok(session);
            }
            None => {
                let text = "Unknown prepared statement handler given to mysqld_stmt_reset";
                self.stream.put(&error_packet(&SqlError::new(1243, b"HY000", text)));
            }
        }
    }
}

/// Ends the results of a command: an error, or an OK if the session wrote nothing.
fn finish(
    outcome: Result<(), SqlError>,
    mut out: ResultWriter<'_>,
    session_status: u16,
) -> Result<(), ProtocolError> {
    match outcome {
        Err(error) => out.error(&error),
        Ok(()) if out.results() == 0 => out.ok(crate::result::OkInfo::default(), session_status, false),
        Ok(()) => {}
    }
    out.into_broken().map_or(Ok(()), Err)
}

/// A fresh salt of printable bytes: some clients read it as text.
fn new_salt() -> [u8; SALT_BYTES] {
    std::array::from_fn(|_| rand::random_range(33..=126))
}
