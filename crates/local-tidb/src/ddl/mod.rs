//! DDL statements: checked against the newest schema, then run as jobs one at a time.

mod alter;
mod backfill;
mod column_def;
pub(crate) mod column_type;
mod database;
pub(crate) mod job;
pub(crate) mod meta;
mod table;
pub(crate) mod table_def;

use tidb_schema::{DbInfo, is_system_schema};
use tidb_sql::Ddl;
use tidb_sql::ddl::{AlterTable, AlterTableSpec, CreateIndexKind, TableConstraint, TableName};

use crate::engine::Engine;
use job::Origin;
use tidb_expr::bind::Variables;
use tidb_expr::{EvalContext, Level};
use tidb_expr::{Result, SqlError};

/// What a DDL statement needs of its session.
pub(crate) struct DdlContext<'a> {
    /// The engine.
    pub(crate) engine: &'a Engine,
    /// Current database.
    pub(crate) database: Option<String>,
    /// Variables for defaults.
    pub(crate) variables: &'a (dyn Variables + Sync),
    /// Time, zone and mode; takes the warnings.
    pub(crate) cx: &'a EvalContext,
    /// Where the statement comes from.
    pub(crate) origin: Origin,
}

impl DdlContext<'_> {
    /// Database and name of a table.
    ///
    /// # Errors
    /// 1046 without a current database.
    pub(crate) fn resolve(&self, name: &TableName) -> Result<(String, String)> {
        let db = name.schema.clone().or_else(|| self.database.clone()).ok_or_else(SqlError::no_database)?;
        Ok((db, name.name.clone()))
    }

    /// A note instead of an error, for `IF EXISTS` and `IF NOT EXISTS`.
    fn note(&self, error: &SqlError) {
        self.cx.warn(Level::Note, error);
    }

    /// A database that statements may change.
    fn writable_database(&self, name: &str) -> Result<DbInfo> {
        let schema = self.engine.schema();
        let db = schema.expect_database(name)?;
        if is_system_schema(name) && !name.eq_ignore_ascii_case("test") {
            return Err(SqlError::new(8108, format!("changes of system schema '{name}' are not supported")));
        }
        Ok(db.info.clone())
    }
}

/// Runs a DDL statement.
///
/// # Errors
/// What the statement's checks and its job fail with; unsupported statements by name.
pub(crate) async fn execute(cx: &DdlContext<'_>, ddl: &Ddl) -> Result<()> {
    let _one = cx.engine.ddl.lock().await;
    match ddl {
        Ddl::CreateDatabase(d) => Box::pin(database::create(cx, d)).await,
        Ddl::AlterDatabase(d) => Box::pin(database::alter(cx, d)).await,
        Ddl::DropDatabase(d) => Box::pin(database::drop(cx, d)).await,
        Ddl::CreateTable(d) => Box::pin(table::create(cx, d)).await,
        Ddl::DropTable(d) => Box::pin(table::drop(cx, d)).await,
        Ddl::TruncateTable(d) => Box::pin(table::truncate(cx, d)).await,
        Ddl::RenameTable(d) => Box::pin(table::rename(cx, &d.renames)).await,
        Ddl::AlterTable(d) => Box::pin(alter::alter(cx, d)).await,
        Ddl::CreateIndex(d) => {
            let constraint = match d.kind {
                CreateIndexKind::Plain => TableConstraint::Index {
                    name: Some(d.name.clone()),
                    if_not_exists: d.if_not_exists,
                    parts: d.parts.clone(),
                    options: Some(d.options.clone()),
                },
                CreateIndexKind::Unique => TableConstraint::Unique {
                    name: Some(d.name.clone()),
                    if_not_exists: d.if_not_exists,
                    parts: d.parts.clone(),
                    options: Some(d.options.clone()),
                },
                other => return Err(SqlError::unsupported(format!("CREATE {other:?} INDEX"))),
            };
            let specs = vec![AlterTableSpec::AddConstraint(constraint)];
            Box::pin(alter::alter(cx, &AlterTable { table: d.table.clone(), specs })).await
        }
        Ddl::DropIndex(d) => {
            let specs = vec![AlterTableSpec::DropIndex { if_exists: d.if_exists, name: d.name.clone() }];
            Box::pin(alter::alter(cx, &AlterTable { table: d.table.clone(), specs })).await
        }
        other => Err(SqlError::unsupported(statement_name(other))),
    }
}

/// Name of a DDL statement that this server does not have.
fn statement_name(ddl: &Ddl) -> String {
    let debug = format!("{ddl:?}");
    let variant = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let mut name = String::new();
    for c in variant.chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push(' ');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}
