//! `tidegate filter test`: which tables and events a configuration file selects, and by which rule. Nothing is changed.

mod ddl_event;

use std::path::PathBuf;

use changefeed_config::{EventFilter, ReplicaConfig, RowKind, TableFilter, ValueMoment, api_json};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::{ApiClient, Connection};
use crate::failure::Failure;
use ddl_event::DdlTarget;

/// `tidegate filter`.
#[derive(Debug, Subcommand)]
pub(crate) enum FilterCommand {
    /// Print which tables and event kinds match, and by which rule; with --server also for every table of its cluster.
    Test(FilterTestArgs),
}

/// Flags of `filter test`.
#[derive(Debug, Args)]
pub(crate) struct FilterTestArgs {
    /// Configuration file of a changefeed.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A table, as schema.table; may be given several times.
    #[arg(long, value_name = "SCHEMA.TABLE")]
    table: Vec<String>,
    /// A DDL statement: is it sent?
    #[arg(long, value_name = "STATEMENT")]
    sql: Vec<String>,
    /// A server whose tables are all tested, too, if one is named; and who asks it.
    #[command(flatten)]
    connection: Connection,
}

/// Compiled rules.
struct Rules {
    /// Tables.
    tables: TableFilter,
    /// Events.
    events: EventFilter,
}

/// Splits `schema.table`; back quotes around either part are taken off.
fn split_name(name: &str) -> Result<(String, String), Failure> {
    let bare = |part: &str| part.trim().trim_matches('`').to_owned();
    match name.split_once('.') {
        Some((schema, table)) if !schema.is_empty() && !table.is_empty() => Ok((bare(schema), bare(table))),
        _ => Err(Failure::new(format!("--table {name:?}: use schema.table, such as app.orders"))),
    }
}

impl Rules {
    /// Compiles the rules of a file.
    fn of(config: &ReplicaConfig) -> Result<Self, Failure> {
        Ok(Self {
            tables: TableFilter::new(&config.filter.rules, config.case_sensitive)?,
            events: EventFilter::new(&config.filter, config.case_sensitive)?,
        })
    }

    /// Whether a table is replicated, and why.
    fn table(&self, schema: &str, table: &str) -> (bool, String) {
        let selected = self.tables.matches_table(schema, table);
        let reason = match self.tables.deciding_rule(schema, table) {
            Some(rule) if selected || rule.starts_with('!') => format!("filter.rules: {rule}"),
            Some(_) => "a system schema".to_owned(),
            None => "no rule of filter.rules matches".to_owned(),
        };
        (selected, reason)
    }

    /// Lines about a table and the rows of it.
    fn table_lines(&self, schema: &str, table: &str) -> Vec<String> {
        let (selected, reason) = self.table(schema, table);
        let verdict = if selected { "replicated" } else { "left out" };
        let mut lines = vec![format!("{schema}.{table}: {verdict} ({reason})")];
        if !selected {
            return lines;
        }
        for (name, kind) in
            [("insert", RowKind::Insert), ("update", RowKind::Update), ("delete", RowKind::Delete)]
        {
            lines.push(match self.events.row_rule(schema, table, kind) {
                Some(rule) => format!("  {name}: left out ({rule})"),
                None => format!("  {name}: sent"),
            });
            lines.extend(self.value_lines(schema, table, kind));
            if kind == RowKind::Update {
                for columns in self.events.update_only_columns(schema, table) {
                    let mut columns: Vec<_> = columns.into_iter().collect();
                    columns.sort_unstable();
                    let columns = columns.join(", ");
                    lines.push(format!(
                        "    left out if nothing changes but {columns} (ignore-update-only-columns)"
                    ));
                }
            }
        }
        lines
    }

    /// Lines about the rows of a kind that are left out because of their values.
    fn value_lines<'a>(
        &'a self,
        schema: &'a str,
        table: &'a str,
        kind: RowKind,
    ) -> impl Iterator<Item = String> + 'a {
        let asked = move |moment: ValueMoment| match moment {
            ValueMoment::Insert => kind == RowKind::Insert,
            ValueMoment::UpdateOld | ValueMoment::UpdateNew => kind == RowKind::Update,
            ValueMoment::Delete => kind == RowKind::Delete,
        };
        self.events.value_filters(schema, table).flat_map(move |filter| {
            filter.exprs().iter().filter(move |(moment, _)| asked(*moment)).map(move |(moment, expr)| {
                let (number, key, text) = (filter.number, moment.key(), expr.source());
                format!("    left out where {text} (filter.event-filters[{number}]: {key})")
            })
        })
    }

    /// A line about a DDL on one table or schema.
    fn ddl_line(&self, target: &DdlTarget, sql: &str) -> String {
        let DdlTarget { schema, table, event } = target;
        let name = if table.is_empty() { schema.clone() } else { format!("{schema}.{table}") };
        let (selected, reason) = if table.is_empty() {
            (self.tables.matches_schema(schema), "filter.rules, by tables of the schema".to_owned())
        } else {
            self.table(schema, table)
        };
        let verdict = match self.events.ddl_rule(schema, table, event, sql) {
            _ if !selected => format!("left out ({reason})"),
            Some(rule) => format!("left out ({rule})"),
            None => format!("sent ({reason})"),
        };
        format!("{event} on {name}: {verdict}")
    }
}

/// Every table of the cluster of a server, as schema and table.
async fn tables_of(connection: &Connection) -> Result<Vec<(String, String)>, Failure> {
    let everything = api_json::to_api(&ReplicaConfig { force_replicate: true, ..ReplicaConfig::default() });
    let client = ApiClient::connect(connection).await?;
    let answer = client.post("/api/v2/get_all_tables", &json!({"replica_config": everything})).await?;
    let tables = answer.get("all_tables").and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |table: &Value, key: &str| table[key].as_str().unwrap_or_default().to_owned();
    Ok(tables.iter().map(|table| (text(table, "database_name"), text(table, "table_name"))).collect())
}

/// Runs a command.
pub(crate) async fn run(command: FilterCommand) -> Result<(), Failure> {
    let FilterCommand::Test(args) = command;
    let path = args.config.display().to_string();
    let text = std::fs::read_to_string(&args.config)
        .map_err(|e| Failure::new(format!("cannot read the configuration file {path}: {e}")))?;
    let config = ReplicaConfig::from_toml(&text, &path).map_err(Failure::new)?;
    let rules = Rules::of(&config)?;
    let mut tables = Vec::new();
    for name in &args.table {
        tables.push(split_name(name)?);
    }
    let named = tables.first().map(|(schema, _)| schema.clone());
    if args.connection.server.is_some() || args.connection.pd.is_some() {
        tables.extend(tables_of(&args.connection).await?);
    }
    if tables.is_empty() && args.sql.is_empty() {
        return Err(Failure::new(
            "nothing to test: give --table schema.table, --sql statement or --server url",
        ));
    }
    for (schema, table) in &tables {
        println!("{}", rules.table_lines(schema, table).join("\n"));
    }
    for sql in &args.sql {
        for target in ddl_event::targets(sql, named.as_deref()).map_err(Failure::new)? {
            println!("{}", rules.ddl_line(&target, sql));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rules of a file.
    fn rules(text: &str) -> Rules {
        let config = ReplicaConfig::from_toml(text, "x").expect("valid");
        Rules::of(&config).unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    const FILE: &str = "[filter]\nrules = ['app.*', '!app.tmp_*', 'mysql.*']\n\
        [[filter.event-filters]]\nmatcher = ['app.orders']\nignore-event = ['delete', 'create index']\n\
        ignore-sql = ['(?i)^drop']\n";

    #[test]
    fn tables_are_told_with_the_rule_that_decides() {
        let rules = rules(FILE);
        assert_eq!(
            rules.table_lines("app", "orders"),
            [
                "app.orders: replicated (filter.rules: app.*)",
                "  insert: sent",
                "  update: sent",
                "  delete: left out (filter.event-filters[0]: ignore-event \"delete\")",
            ]
        );
        assert_eq!(rules.table_lines("app", "tmp_1"), ["app.tmp_1: left out (filter.rules: !app.tmp_*)"]);
        assert_eq!(rules.table_lines("mysql", "user"), ["mysql.user: left out (a system schema)"]);
        assert_eq!(rules.table_lines("x", "y"), ["x.y: left out (no rule of filter.rules matches)"]);
    }

    #[test]
    fn columns_whose_changes_are_left_out_are_told() {
        let rules = rules(
            "[[filter.event-filters]]\nmatcher = ['app.orders']\nignore-update-only-columns = ['seen', 'At']\n",
        );
        assert_eq!(
            rules.table_lines("app", "orders")[2..4],
            ["  update: sent", "    left out if nothing changes but at, seen (ignore-update-only-columns)"]
        );
        assert!(!rules.table_lines("app", "other").concat().contains("nothing changes"));
    }

    #[test]
    fn rows_that_are_left_out_by_their_values_are_told() {
        let rules = rules(
            "[[filter.event-filters]]\nmatcher = ['app.orders']\nignore-insert-value-expr = 'qty > 100'\n\
             ignore-update-old-value-expr = \"state = 'done'\"\nignore-update-new-value-expr = 'qty is null'\n",
        );
        assert_eq!(
            rules.table_lines("app", "orders")[1..],
            [
                "  insert: sent",
                "    left out where qty > 100 (filter.event-filters[0]: ignore-insert-value-expr)",
                "  update: sent",
                "    left out where state = 'done' (filter.event-filters[0]: ignore-update-old-value-expr)",
                "    left out where qty is null (filter.event-filters[0]: ignore-update-new-value-expr)",
                "  delete: sent",
            ]
        );
        assert!(!rules.table_lines("app", "other").concat().contains("where"));
    }

    #[test]
    fn ddls_are_told_with_the_rule_that_decides() {
        let rules = rules(FILE);
        let line = |sql: &str| {
            let targets =
                ddl_event::targets(sql, Some("app")).unwrap_or_else(|error| panic!("{sql}: {error}"));
            targets.iter().map(|target| rules.ddl_line(target, sql)).collect::<Vec<_>>()
        };
        assert_eq!(
            line("ALTER TABLE orders ADD INDEX i (a)"),
            ["create index on app.orders: left out (filter.event-filters[0]: ignore-event \"create index\")"]
        );
        assert_eq!(
            line("ALTER TABLE orders ADD COLUMN a INT"),
            ["add column on app.orders: sent (filter.rules: app.*)"]
        );
        assert_eq!(
            line("DROP TABLE app.orders, app.tmp_2"),
            [
                "drop table on app.orders: left out (filter.event-filters[0]: ignore-sql \"(?i)^drop\")",
                "drop table on app.tmp_2: left out (filter.rules: !app.tmp_*)",
            ]
        );
        assert_eq!(
            line("CREATE DATABASE other"),
            ["create schema on other: left out (filter.rules, by tables of the schema)"]
        );
        assert!(ddl_event::targets("INSERT INTO t VALUES (1)", None).is_err());
        assert!(ddl_event::targets("DROP TABLE t", None).is_err(), "no schema is known");
    }
}
