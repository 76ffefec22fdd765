//! The SQL text of a DDL message, in TiDB's canonical form.

use prometheus_client::metrics::counter::Counter;
use tidb_codec::Sensitive;
use tidb_schema::{DdlEvent, DdlText};
use tidb_sql::{RestoreOptions, SqlMode, Statement};
use tracing::warn;

/// Renders the text of an event. A statement that can't be parsed is sent as it was typed, and counted.
pub(crate) fn render(event: &DdlEvent, unparsed: &Counter) -> String {
    let wanted = match &event.text {
        DdlText::Rebuilt(sql) => return sql.clone(),
        DdlText::Query => None,
        DdlText::Statement(position) => Some(*position),
    };
    match restore(&event.query, event.sql_mode, wanted) {
        Ok(sql) => sql,
        Err(reason) => {
            unparsed.inc();
            warn!(query = %Sensitive(&event.query), reason, "DDL is sent as it was typed");
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

#[cfg(test)]
mod tests {
    use super::*;
    use tidb_schema::ActionType;

    fn event(query: &str) -> DdlEvent {
        DdlEvent {
            action: ActionType::ADD_COLUMN,
            finished_ts: 1,
            schema: "shop".to_owned(),
            table: "t".to_owned(),
            old_name: None,
            text: DdlText::Query,
            query: query.into(),
            sql_mode: 0,
            charset: String::new(),
            collate: String::new(),
            cdc_write_source: 0,
            bdr_role: String::new(),
            change: None,
        }
    }

    #[test]
    fn a_ddl_that_cannot_be_parsed_is_sent_as_typed_and_counted() {
        let unparsed = Counter::default();
        let typed = "alter table t frobnicate the (columns";
        assert_eq!(render(&event(typed), &unparsed), typed);
        assert_eq!(unparsed.get(), 1);
        assert_eq!(render(&event("select 1"), &unparsed), "select 1", "no DDL");
        assert_eq!(unparsed.get(), 2);
        let restored = render(&event("alter table t add column c int"), &unparsed);
        assert_eq!(restored, "ALTER TABLE `t` ADD COLUMN `c` INT");
        assert_eq!(unparsed.get(), 2);
    }
}
