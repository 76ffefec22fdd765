//! `SHOW`, `DESCRIBE`, `EXPLAIN`.

use sqlparser::ast;
use tidb_codec::Datum;
use tidb_sql::ddl::TableName;
use tidb_sql::utility::{Explain, Scope as VariableScope, Show, ShowFilter};

use super::variable_table::{Scope as Where, VARIABLES};
use super::{QueryResult, Session, show_create};
use crate::catalog::{Column, Index, Table};
use crate::collation;
use crate::error::{Result, SqlError};
use crate::exec::query::{ResultColumn, output_scope};
use crate::expr::bind::Binder;
use crate::expr::{ResultType, like};

/// A text value.
pub(super) fn text(value: impl Into<String>) -> Datum {
    Datum::Bytes(value.into().into_bytes())
}

/// A text value, or NULL.
fn text_or_null(value: Option<String>) -> Datum {
    value.map_or(Datum::Null, text)
}

/// A result of text columns.
pub(super) fn texts(names: &[&str], rows: Vec<Vec<Datum>>) -> QueryResult {
    let columns = names
        .iter()
        .map(|n| ResultColumn::computed(*n, ResultType::text_of(256, collation::utf8mb4_bin())))
        .collect();
    QueryResult { columns, rows, ..QueryResult::default() }
}

/// The default of a column as `SHOW COLUMNS` has it.
fn default_text(column: &Column) -> Option<String> {
    let default = &column.info.default;
    match default {
        serde_json::Value::Null => None,
        serde_json::Value::String(s) if column.ty.tp == tidb_codec::field::tp::BIT => {
            let bits = column
                .info
                .default_bit
                .as_ref()
                .map_or(0, |b| b.iter().fold(0u64, |sum, b| sum << 8 | u64::from(*b)));
            let _ = s;
            Some(format!("b'{bits:b}'"))
        }
        serde_json::Value::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    }
}

/// `PRI`, `UNI`, `MUL` or nothing.
pub(crate) fn key_text(column: &Column) -> &'static str {
    use tidb_codec::field::flag;
    if column.info.has_flag(flag::PRI_KEY) {
        "PRI"
    } else if column.info.has_flag(flag::UNIQUE_KEY) {
        "UNI"
    } else if column.info.has_flag(flag::MULTIPLE_KEY) {
        "MUL"
    } else {
        ""
    }
}

/// `auto_increment` and the like.
pub(crate) fn extra_text(column: &Column) -> String {
    let mut words = Vec::new();
    if column.is_auto_increment() {
        words.push("auto_increment".to_owned());
    }
    if crate::default_value::updates_now(column) {
        let fsp = column.ty.fsp();
        let digits = if fsp > 0 { format!("({fsp})") } else { String::new() };
        words.push(format!("DEFAULT_GENERATED on update CURRENT_TIMESTAMP{digits}"));
    }
    words.join(" ")
}

impl Session {
    /// Runs a `SHOW`.
    ///
    /// # Errors
    /// Unknown objects, listings that this server does not have.
    pub(super) async fn show(&mut self, show: &Show) -> Result<QueryResult> {
        match show {
            Show::Databases { filter } => self.show_databases(filter.as_ref()),
            Show::Tables { full, schema, filter } => {
                self.show_tables(*full, schema.as_deref(), filter.as_ref())
            }
            Show::TableStatus { schema, filter } => {
                self.show_table_status(schema.as_deref(), filter.as_ref())
            }
            Show::Columns { full, table, filter, .. } => {
                let table = self.table(table)?;
                let result = columns(&table, *full);
                self.filtered(result, filter.as_ref())
            }
            Show::Index { table, filter } => {
                let table = self.table(table)?;
                let result = indexes(&table);
                self.filtered(result, filter.as_ref())
            }
            Show::CreateTable(name) => {
                let table = self.table(name)?;
                let next = if table.auto_increment().is_some() {
                    Some(self.engine.auto_ids.peek(table.db.id, table.info.id).await?)
                } else {
                    None
                };
                let sql = show_create::table(&table, next);
                Ok(texts(&["Table", "Create Table"], vec![vec![text(table.name()), text(sql)]]))
            }
            Show::CreateDatabase { name, .. } => {
                let db = self.engine.schema().expect_database(name)?.info.clone();
                let sql = format!(
                    "CREATE DATABASE {} /*!40100 DEFAULT CHARACTER SET {} */",
                    show_create::quoted(&db.name.o),
                    db.charset
                );
                Ok(texts(&["Database", "Create Database"], vec![vec![text(db.name.o), text(sql)]]))
            }
            Show::Variables { scope, filter } => self.show_variables(*scope, filter.as_ref()),
            Show::Status { filter, .. } => {
                let rows = vec![
                    vec![text("Ssl_cipher"), text("")],
                    vec![text("Threads_connected"), text(self.engine.processes.lock().len().to_string())],
                ];
                self.filtered(texts(&["Variable_name", "Value"], rows), filter.as_ref())
            }
            Show::Warnings { count, limit } => Ok(self.show_warnings(*count, *limit, false)),
            Show::Errors { count, limit } => Ok(self.show_warnings(*count, *limit, true)),
            Show::Engines { filter } => {
                let row = [
                    "InnoDB",
                    "DEFAULT",
                    "Supports transactions, row-level locking, and foreign keys",
                    "YES",
                    "YES",
                    "YES",
                ];
                let result = texts(
                    &["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"],
                    vec![row.map(text).to_vec()],
                );
                self.filtered(result, filter.as_ref())
            }
            Show::Collation { filter } => {
                let rows = collation::ALL.iter().map(collation_row).collect();
                let result = texts(&["Collation", "Charset", "Id", "Default", "Compiled", "Sortlen"], rows);
                self.filtered(result, filter.as_ref())
            }
            Show::Charset { filter } => {
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
                let result = texts(&["Charset", "Description", "Default collation", "Maxlen"], rows);
                self.filtered(result, filter.as_ref())
            }
            Show::ProcessList { .. } => Ok(self.show_processes()),
            Show::Grants { .. } => {
                let rows = vec![vec![text("GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION")]];
                Ok(texts(&["Grants for User"], rows))
            }
            Show::MasterStatus => {
                let names = ["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"];
                let ts = self.engine.client.pd().get_ts().await.map_err(crate::storage_error::from_client)?;
                Ok(texts(
                    &names,
                    vec![vec![text("tidb-binlog"), Datum::Uint(ts), text(""), text(""), text("")]],
                ))
            }
            Show::TableNextRowId(name) => {
                let table = self.table(name)?;
                let next = self.engine.auto_ids.peek(table.db.id, table.info.id).await?;
                let column = table
                    .auto_increment()
                    .and_then(|at| table.columns.get(at))
                    .map_or("_tidb_rowid", |c| c.name());
                let row = vec![
                    text(table.db.name.o.clone()),
                    text(table.name()),
                    text(column),
                    Datum::Uint(next),
                    text("AUTO_INCREMENT"),
                ];
                Ok(texts(
                    &["DB_NAME", "TABLE_NAME", "COLUMN_NAME", "NEXT_GLOBAL_ROW_ID", "ID_TYPE"],
                    vec![row],
                ))
            }
            Show::Other { name, .. }
                if matches!(
                    name.as_str(),
                    "TRIGGERS" | "EVENTS" | "PLUGINS" | "FUNCTION STATUS" | "PROCEDURE STATUS"
                ) =>
            {
                Ok(texts(&["Name"], Vec::new()))
            }
            Show::Other { name, .. } => Err(SqlError::unsupported(format!("SHOW {name}"))),
            other => {
                let debug = format!("{other:?}");
                let name = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                Err(SqlError::unsupported(format!("SHOW {name}")))
            }
        }
    }

    /// `DESCRIBE` and `EXPLAIN`.
    ///
    /// # Errors
    /// As [`Session::show`].
    pub(super) async fn explain(&mut self, explain: &Explain) -> Result<QueryResult> {
        match explain {
            Explain::Table { table, column } => {
                let table = self.table(table)?;
                let filter = column.clone().map(ShowFilter::Like);
                self.filtered(columns(&table, false), filter.as_ref())
            }
            _ => Err(SqlError::unsupported("EXPLAIN")),
        }
    }

    fn table(&self, name: &TableName) -> Result<std::sync::Arc<Table>> {
        let db = name.schema.clone().or_else(|| self.database.clone()).ok_or_else(SqlError::no_database)?;
        self.engine.schema().expect_table(&db, &name.name).cloned()
    }

    /// Keeps the rows that a filter accepts: `LIKE` looks at the first column.
    fn filtered(&self, mut result: QueryResult, filter: Option<&ShowFilter>) -> Result<QueryResult> {
        match filter {
            None => {}
            Some(ShowFilter::Like(pattern)) => {
                let ci = collation::by_name("utf8mb4_general_ci").unwrap_or_else(collation::utf8mb4_bin);
                result.rows.retain(|row| match row.first() {
                    Some(Datum::Bytes(value)) => like::matches(value, pattern.as_bytes(), Some('\\'), ci),
                    _ => false,
                });
            }
            Some(ShowFilter::Where(condition)) => {
                let (scope, mut subqueries) = (output_scope(&result.columns), Vec::new());
                let bound = self.bind_filter(condition, &scope, &mut subqueries)?;
                let cx = self.context();
                let mut kept = Vec::new();
                for row in std::mem::take(&mut result.rows) {
                    if bound.is_true(&row, &cx)? {
                        kept.push(row);
                    }
                }
                result.rows = kept;
            }
        }
        Ok(result)
    }

    fn bind_filter(
        &self,
        condition: &ast::Expr,
        scope: &crate::expr::bind::Scope,
        subqueries: &mut Vec<ast::Query>,
    ) -> Result<crate::expr::Expr> {
        let bound = Binder::new(scope, &self.variables, &[], subqueries, "where clause").bind(condition)?;
        if subqueries.is_empty() { Ok(bound) } else { Err(SqlError::unsupported("subqueries in SHOW")) }
    }

    fn show_databases(&self, filter: Option<&ShowFilter>) -> Result<QueryResult> {
        let schema = self.engine.schema();
        let mut names: Vec<String> = schema.databases().map(|d| d.info.name.o.clone()).collect();
        names.push("INFORMATION_SCHEMA".to_owned());
        names.sort_by_key(|n| n.to_lowercase());
        let rows = names.into_iter().map(|n| vec![text(n)]).collect();
        self.filtered(texts(&["Database"], rows), filter)
    }

    fn show_tables(
        &self,
        full: bool,
        schema_name: Option<&str>,
        filter: Option<&ShowFilter>,
    ) -> Result<QueryResult> {
        let name = schema_name
            .map(str::to_owned)
            .or_else(|| self.database.clone())
            .ok_or_else(SqlError::no_database)?;
        let schema = self.engine.schema();
        let tables: Vec<(String, &str)> = if name.eq_ignore_ascii_case("information_schema") {
            crate::exec::memory_tables::NAMES.iter().map(|n| ((*n).to_owned(), "SYSTEM VIEW")).collect()
        } else {
            let db = schema.expect_database(&name)?;
            db.tables()
                .map(|t| (t.name().to_owned(), if t.info.is_view() { "VIEW" } else { "BASE TABLE" }))
                .collect()
        };
        let head = format!("Tables_in_{name}");
        if full {
            let rows = tables.into_iter().map(|(n, kind)| vec![text(n), text(kind)]).collect();
            return self.filtered(texts(&[&head, "Table_type"], rows), filter);
        }
        let rows = tables.into_iter().map(|(n, _)| vec![text(n)]).collect();
        self.filtered(texts(&[&head], rows), filter)
    }

    fn show_table_status(
        &self,
        schema_name: Option<&str>,
        filter: Option<&ShowFilter>,
    ) -> Result<QueryResult> {
        let name = schema_name
            .map(str::to_owned)
            .or_else(|| self.database.clone())
            .ok_or_else(SqlError::no_database)?;
        let schema = self.engine.schema();
        let rows = schema
            .expect_database(&name)?
            .tables()
            .map(|t| {
                let mut row = vec![text(t.name()), text("InnoDB"), Datum::Int(10), text("Compact")];
                row.extend(std::iter::repeat_n(Datum::Null, 10));
                row.extend([text(t.info.collate.clone()), text(""), text(""), text(t.info.comment.clone())]);
                row
            })
            .collect();
        let names = [
            "Name",
            "Engine",
            "Version",
            "Row_format",
            "Rows",
            "Avg_row_length",
            "Data_length",
            "Max_data_length",
            "Index_length",
            "Data_free",
            "Auto_increment",
            "Create_time",
            "Update_time",
            "Check_time",
            "Collation",
            "Checksum",
            "Create_options",
            "Comment",
        ];
        self.filtered(texts(&names, rows), filter)
    }

    fn show_variables(&self, scope: VariableScope, filter: Option<&ShowFilter>) -> Result<QueryResult> {
        let rows = VARIABLES
            .iter()
            .filter(|v| scope != VariableScope::Global || v.scope != Where::Session)
            .map(|v| {
                let value = if scope == VariableScope::Global {
                    self.variables.global(v.name)
                } else {
                    self.variables.get(v.name)
                };
                vec![text(v.name), text(value)]
            })
            .collect();
        self.filtered(texts(&["Variable_name", "Value"], rows), filter)
    }

    fn show_warnings(&self, count: bool, limit: Option<(u64, u64)>, errors_only: bool) -> QueryResult {
        let found = self.warnings.iter().filter(|w| !errors_only || w.level == crate::expr::Level::Error);
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

    fn show_processes(&self) -> QueryResult {
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

    /// The columns of a table of the current database, for clients that ask for a field list.
    ///
    /// # Errors
    /// 1046, 1146.
    pub fn fields(&self, table: &str) -> Result<Vec<ResultColumn>> {
        let table = self.table(&TableName::bare(table))?;
        Ok(table
            .columns
            .iter()
            .map(|c| ResultColumn {
                name: c.name().to_owned(),
                org_name: c.name().to_owned(),
                table: table.name().to_owned(),
                org_table: table.name().to_owned(),
                schema: table.db.name.o.clone(),
                ty: c.ty.clone(),
            })
            .collect())
    }
}

fn collation_row(c: &collation::CollationInfo) -> Vec<Datum> {
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

/// `SHOW [FULL] COLUMNS`.
fn columns(table: &Table, full: bool) -> QueryResult {
    let rows = table
        .columns
        .iter()
        .map(|c| {
            let ty = text(show_create::type_text(c));
            let null = text(if c.is_not_null() { "NO" } else { "YES" });
            let (key, default, extra) =
                (text(key_text(c)), text_or_null(default_text(c)), text(extra_text(c)));
            if !full {
                return vec![text(c.name()), ty, null, key, default, extra];
            }
            let collate = if c.ty.collation.is_binary() { Datum::Null } else { text(c.ty.collation.name) };
            let privileges = text("select,insert,update,references");
            vec![
                text(c.name()),
                ty,
                collate,
                null,
                key,
                default,
                extra,
                privileges,
                text(c.info.comment.clone()),
            ]
        })
        .collect();
    if full {
        texts(
            &["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"],
            rows,
        )
    } else {
        texts(&["Field", "Type", "Null", "Key", "Default", "Extra"], rows)
    }
}

/// `SHOW INDEX`.
fn indexes(table: &Table) -> QueryResult {
    let mut rows = Vec::new();
    let mut push = |name: &str,
                    unique: bool,
                    seq: usize,
                    column: &Column,
                    prefix: Option<usize>,
                    comment: &str,
                    clustered: bool| {
        rows.push(vec![
            text(table.name()),
            Datum::Int(i64::from(!unique)),
            text(name),
            Datum::Int(seq as i64),
            text(column.name()),
            text("A"),
            Datum::Int(0),
            prefix.map_or(Datum::Null, |p| Datum::Int(p as i64)),
            Datum::Null,
            text(if column.is_not_null() { "" } else { "YES" }),
            text("BTREE"),
            text(""),
            text(comment),
            text("YES"),
            Datum::Null,
            text(if clustered { "YES" } else { "NO" }),
        ]);
    };
    if let crate::catalog::HandleKind::Int(at) = table.handle
        && let Some(column) = table.columns.get(at)
    {
        push("PRIMARY", true, 1, column, None, "", true);
    }
    for index in &table.indices {
        let Index { info, columns } = index;
        for (seq, (at, prefix)) in columns.iter().enumerate() {
            if let Some(column) = table.columns.get(*at) {
                let clustered = info.primary && table.info.is_common_handle;
                push(&info.name.o, info.unique, seq + 1, column, *prefix, &info.comment, clustered);
            }
        }
    }
    let names = [
        "Table",
        "Non_unique",
        "Key_name",
        "Seq_in_index",
        "Column_name",
        "Collation",
        "Cardinality",
        "Sub_part",
        "Packed",
        "Null",
        "Index_type",
        "Comment",
        "Index_comment",
        "Visible",
        "Expression",
        "Clustered",
    ];
    texts(&names, rows)
}

/// A default as `INFORMATION_SCHEMA.COLUMNS` has it.
pub(crate) fn column_default(column: &Column) -> Datum {
    text_or_null(default_text(column))
}
