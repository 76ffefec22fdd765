//! Listings of the server itself: variables, status, warnings, connections, collations.

use tidb_codec::Datum;
use tidb_sql::utility::{Scope, ShowFilter};

use super::{text, text_or_null, texts};
use crate::exec::query::ResultColumn;
use crate::session::variable_table::{Scope as Where, VARIABLES};
use crate::session::{QueryResult, Session};
use crate::storage_error::from_client;
use tidb_expr::Result;
use tidb_expr::collation::{self, CollationInfo};
use tidb_expr::{Level, ResultType};

impl Session {
    /// `SHOW VARIABLES`.
    pub(super) fn show_variables(&self, scope: Scope, filter: Option<&ShowFilter>) -> Result<QueryResult> {
        let rows = VARIABLES
            .iter()
            .filter(|v| scope != Scope::Global || v.scope != Where::Session)
            .map(|v| {
                let value = if scope == Scope::Global {
                    self.variables.global(v.name)
                } else {
                    self.variables.get(v.name)
                };
                vec![text(v.name), text(value)]
            })
            .collect();
        self.filtered(texts(&["Variable_name", "Value"], rows), filter)
    }

    /// `SHOW STATUS`.
    pub(super) fn show_status(&self, filter: Option<&ShowFilter>) -> Result<QueryResult> {
        let rows = vec![
            vec![text("Ssl_cipher"), text("")],
            vec![text("Threads_connected"), text(self.engine.processes.lock().len().to_string())],
        ];
        self.filtered(texts(&["Variable_name", "Value"], rows), filter)
    }

    /// `SHOW WARNINGS`, `SHOW ERRORS` and their counts; `limit` is offset and count.
    pub(super) fn show_warnings(
        &self,
        count: bool,
        limit: Option<(u64, u64)>,
        errors_only: bool,
    ) -> QueryResult {
        let found = self.warnings.iter().filter(|w| !errors_only || w.level == Level::Error);
        if count {
            let name = if errors_only { "@@session.error_count" } else { "@@session.warning_count" };
            let columns = vec![ResultColumn::computed(name, ResultType::int())];
            let total = i64::try_from(found.count()).unwrap_or(i64::MAX);
            return QueryResult { columns, rows: vec![vec![Datum::Int(total)]], ..QueryResult::default() };
        }
        let (offset, most) = limit.unwrap_or((0, u64::MAX));
        let rows = found
            .skip(usize::try_from(offset).unwrap_or(usize::MAX))
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .map(|w| vec![text(w.level.word()), Datum::Int(i64::from(w.code)), text(w.message.clone())])
            .collect();
        let columns = vec![
            ResultColumn::computed("Level", ResultType::text_of(64, collation::utf8mb4_bin())),
            ResultColumn::computed("Code", ResultType::int()),
            ResultColumn::computed("Message", ResultType::text()),
        ];
        QueryResult { columns, rows, ..QueryResult::default() }
    }

    /// `SHOW PROCESSLIST`.
    pub(super) fn show_processes(&self) -> QueryResult {
        let processes = self.engine.processes.lock();
        let mut rows: Vec<(u64, Vec<Datum>)> = processes
            .iter()
            .map(|(id, p)| {
                let (user, host) = p.user.split_once('@').unwrap_or((p.user.as_str(), ""));
                let command = if p.statement.is_some() { "Query" } else { "Sleep" };
                let row = vec![
                    Datum::Uint(*id),
                    text(user),
                    text(host),
                    text_or_null(p.database.clone()),
                    text(command),
                    Datum::Uint(p.since.elapsed().as_secs()),
                    text("autocommit"),
                    text_or_null(p.statement.clone()),
                ];
                (*id, row)
            })
            .collect();
        rows.sort_by_key(|(id, _)| *id);
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        texts(&["Id", "User", "Host", "db", "Command", "Time", "State", "Info"], rows)
    }

    /// `SHOW MASTER STATUS`: the newest timestamp.
    ///
    /// # Errors
    /// Storage failures.
    pub(super) async fn show_master_status(&self) -> Result<QueryResult> {
        let names = ["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"];
        let ts = self.engine.client.pd().get_ts().await.map_err(from_client)?;
        Ok(texts(&names, vec![vec![text("tidb-binlog"), Datum::Uint(ts), text(""), text(""), text("")]]))
    }
}

/// `SHOW ENGINES`.
pub(super) fn engines() -> QueryResult {
    let row = [
        "InnoDB",
        "DEFAULT",
        "Supports transactions, row-level locking, and foreign keys",
        "YES",
        "YES",
        "YES",
    ];
    texts(&["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"], vec![row.map(text).to_vec()])
}

/// `SHOW COLLATION`.
pub(super) fn collations() -> QueryResult {
    let rows = collation::ALL.iter().map(collation_row).collect();
    texts(&["Collation", "Charset", "Id", "Default", "Compiled", "Sortlen"], rows)
}

/// A collation as `SHOW COLLATION` has it.
fn collation_row(c: &CollationInfo) -> Vec<Datum> {
    let default = if c.is_default { "Yes" } else { "" };
    vec![
        text(c.name),
        text(c.charset),
        Datum::Int(i64::from(c.id)),
        text(default),
        text("Yes"),
        Datum::Int(1),
    ]
}

/// `SHOW CHARACTER SET`: those of the default collations.
pub(super) fn charsets() -> QueryResult {
    let rows = collation::ALL
        .iter()
        .filter(|c| c.is_default)
        .map(|c| {
            vec![
                text(c.charset),
                text(c.charset),
                text(c.name),
                Datum::Int(i64::from(collation::max_char_bytes(c.charset))),
            ]
        })
        .collect();
    texts(&["Charset", "Description", "Default collation", "Maxlen"], rows)
}

/// `SHOW GRANTS`: every user may do everything.
pub(super) fn grants() -> QueryResult {
    let rows = vec![vec![text("GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION")]];
    texts(&["Grants for User"], rows)
}
