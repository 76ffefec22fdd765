//! The SQL text of a DDL message, in TiDB's canonical form.

use tidb_schema::{DdlEvent, DdlText};
use tidb_sql::{RestoreOptions, SqlMode, Statement};
use tracing::warn;

/// Renders the text of an event. A statement that can't be parsed is sent as it was typed.
pub(crate) fn render(event: &DdlEvent) -> String {
    let wanted = match &event.text {
        DdlText::Rebuilt(sql) => return sql.clone(),
        DdlText::Query => None,
        DdlText::Statement(position) => Some(*position),
    };
    match restore(&event.query, event.sql_mode, wanted) {
        Ok(sql) => sql,
        Err(reason) => {
            warn!(query = %event.query, reason, "DDL is sent as it was typed");
            event.query.to_string()
        }
    }
}

/// Parses and restores a query, or the statement at a position of it.
fn restore(query: &str, sql_mode: u64, wanted: Option<usize>) -> Result<String, String> {
    let statements = tidb_sql::parse(query, SqlMode::from_bits(sql_mode)).map_err(|e| e.to_string())?;
    let statement = statements.get(wanted.unwrap_or(0)).ok_or("the query has fewer statements")?;
    let Statement::Ddl(ddl) = &statement.statement else { return Err("not a DDL statement".to_owned()) };
    let mut sql = tidb_sql::restore(ddl, RestoreOptions::default()).map_err(|e| e.to_string())?;
    if wanted.is_some() {
        sql.push(';');
    }
    Ok(sql)
}
