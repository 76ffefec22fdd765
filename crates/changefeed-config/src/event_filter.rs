//! Event filters: rows and DDLs that a changefeed leaves out.

use std::collections::HashSet;

use regex::Regex;

use crate::error::ConfigError;
use crate::filter_config::{EventFilterRule, FilterConfig};
use crate::table_filter::TableFilter;
use crate::value_filter::ValueFilter;

/// Kind of a row change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// A new row.
    Insert,
    /// A changed row.
    Update,
    /// A deleted row.
    Delete,
}

impl RowKind {
    /// Name in `ignore-event`.
    fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// DDL event types that `alter table` stands for.
const ALTER_TABLE: [&str; 32] = [
    "rename table",
    "modify table comment",
    "modify table charset and collate",
    "add table partition",
    "drop table partition",
    "truncate table partition",
    "exchange table partition",
    "reorganize table partition",
    "alter table partitioning",
    "remove table partitioning",
    "add column",
    "drop column",
    "modify column",
    "set default value",
    "rebase auto id",
    "add primary key",
    "drop primary key",
    "create index",
    "drop index",
    "rename index",
    "alter index visibility",
    "add foreign key",
    "drop foreign key",
    "add fulltext index",
    "create hybrid index",
    "alter ttl info",
    "alter ttl remove",
    "multi schema change",
    "alter table",
    "rebase auto random",
    "shard row id",
    "alter table comment",
];
/// Other event types that are accepted.
const OTHER_EVENTS: [&str; 17] = [
    "all dml",
    "all ddl",
    "insert",
    "update",
    "delete",
    "create schema",
    "create database",
    "drop schema",
    "drop database",
    "modify schema charset and collate",
    "create table",
    "drop table",
    "truncate table",
    "recover table",
    "create view",
    "drop view",
    "alter table",
];

/// Kinds of DDL jobs whose name in TiDB is not their name in `ignore-event`, with the latter.
const JOB_NAMES: [(&str, &str); 19] = [
    ("add index", "create index"),
    ("drop multi-indexes", "drop index"),
    ("add multi-columns", "add column"),
    ("drop multi-columns", "drop column"),
    ("create tables", "create table"),
    ("rename tables", "rename table"),
    ("rebase auto_increment ID", "rebase auto id"),
    ("rebase auto_random ID", "rebase auto random"),
    ("shard row ID", "shard row id"),
    ("add partition", "add table partition"),
    ("drop partition", "drop table partition"),
    ("truncate partition", "truncate table partition"),
    ("exchange partition", "exchange table partition"),
    ("alter table reorganize partition", "reorganize table partition"),
    ("alter table partition by", "alter table partitioning"),
    ("alter table remove partitioning", "remove table partitioning"),
    ("alter table ttl", "alter ttl info"),
    ("alter table no_ttl", "alter ttl remove"),
    ("alter table multi-schema change", "multi schema change"),
];

/// The name in `ignore-event` of a kind of DDL job.
fn event_of_job(job: &str) -> &str {
    JOB_NAMES.iter().find(|(name, _)| *name == job).map_or(job, |(_, event)| event)
}

/// One compiled rule.
#[derive(Debug, Clone)]
struct Rule {
    /// Tables that it concerns.
    tables: TableFilter,
    /// Event types to leave out.
    events: HashSet<String>,
    /// DDL texts to leave out.
    sql: Vec<Regex>,
    /// Names in lower case: UPDATEs that change nothing else are left out. Empty: none are.
    update_only_columns: HashSet<String>,
}

/// Compiled event filters.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Rules.
    rules: Vec<Rule>,
    /// Expressions on values, of the rules that have some.
    values: Vec<ValueFilter>,
    /// Transactions to leave out, by start ts.
    start_ts: HashSet<u64>,
}

impl EventFilter {
    /// Compiles `[filter]`.
    pub fn new(config: &FilterConfig, case_sensitive: bool) -> Result<Self, ConfigError> {
        let rules = config
            .event_filters
            .iter()
            .flatten()
            .map(|rule| compile(rule, case_sensitive))
            .collect::<Result<_, _>>()?;
        let mut values = Vec::new();
        for (number, rule) in config.event_filters.iter().flatten().enumerate() {
            values.extend(ValueFilter::new(number, rule)?);
        }
        Ok(Self { rules, values, start_ts: config.ignore_txn_start_ts.iter().flatten().copied().collect() })
    }

    /// True if no rule can ever drop a row: the pipeline skips the check.
    pub fn keeps_all_rows(&self) -> bool {
        self.start_ts.is_empty()
            && self.rules.iter().all(|rule| {
                !["all dml", "insert", "update", "delete"].iter().any(|event| rule.events.contains(*event))
            })
    }

    /// True if the row is left out.
    pub fn ignores_row(&self, schema: &str, table: &str, kind: RowKind, start_ts: u64) -> bool {
        self.start_ts.contains(&start_ts)
            || self.rules.iter().any(|rule| {
                (rule.events.contains("all dml") || rule.events.contains(kind.name()))
                    && rule.tables.matches_rule(schema, table)
            })
    }

    /// The sets of columns, in lower case, by which UPDATEs of a table are left out that change only columns of one set.
    pub fn update_only_columns(&self, schema: &str, table: &str) -> Vec<HashSet<String>> {
        let rules = self.rules.iter().filter(|rule| !rule.update_only_columns.is_empty());
        rules
            .filter(|rule| rule.tables.matches_rule(schema, table))
            .map(|rule| rule.update_only_columns.clone())
            .collect()
    }

    /// The rules with expressions on the values of rows of a table.
    pub fn value_filters<'a>(
        &'a self,
        schema: &'a str,
        table: &'a str,
    ) -> impl Iterator<Item = &'a ValueFilter> {
        self.values.iter().filter(move |filter| filter.concerns(schema, table))
    }

    /// The rule that leaves rows of a kind out, for people; `None` if they are sent.
    pub fn row_rule(&self, schema: &str, table: &str, kind: RowKind) -> Option<String> {
        self.rules.iter().enumerate().find_map(|(number, rule)| {
            let event = ["all dml", kind.name()].into_iter().find(|event| rule.events.contains(*event))?;
            let hit = rule.tables.matches_rule(schema, table);
            hit.then(|| format!("filter.event-filters[{number}]: ignore-event {event:?}"))
        })
    }

    /// The rule that leaves a DDL out, for people; `None` if it is sent. `event` is the kind of its job, or its name in
    /// `ignore-event`.
    pub fn ddl_rule(&self, schema: &str, table: &str, event: &str, query: &str) -> Option<String> {
        self.rules.iter().enumerate().find_map(|(number, rule)| {
            let reason = rule.ignored_ddl(event, query)?;
            let hit = rule.tables.matches_rule(schema, table);
            hit.then(|| format!("filter.event-filters[{number}]: {reason}"))
        })
    }

    /// True if the DDL is tracked but not sent. `event` is the kind of its job in TiDB, such as `add column`.
    pub fn ignores_ddl(&self, schema: &str, table: &str, event: &str, query: &str, start_ts: u64) -> bool {
        self.start_ts.contains(&start_ts)
            || self.rules.iter().any(|rule| {
                rule.ignored_ddl(event, query).is_some() && rule.tables.matches_rule(schema, table)
            })
    }
}

impl Rule {
    /// Why the rule leaves out a DDL of the tables that it concerns, if it does.
    fn ignored_ddl(&self, event: &str, query: &str) -> Option<String> {
        let event = event_of_job(event);
        let alters = ALTER_TABLE.contains(&event);
        let mut by_type = ["all ddl", event].into_iter().chain(alters.then_some("alter table"));
        if let Some(name) = by_type.find(|name| self.events.contains(*name)) {
            return Some(format!("ignore-event {name:?}"));
        }
        let regex = self.sql.iter().find(|regex| regex.is_match(query))?;
        Some(format!("ignore-sql {:?}", regex.as_str()))
    }
}

/// Compiles one rule.
fn compile(rule: &EventFilterRule, case_sensitive: bool) -> Result<Rule, ConfigError> {
    let mut events = HashSet::new();
    for event in rule.ignore_event.iter().flatten() {
        let name = event.to_lowercase();
        if !ALTER_TABLE.contains(&name.as_str()) && !OTHER_EVENTS.contains(&name.as_str()) {
            return Err(ConfigError::new(
                "CDC:ErrInvalidIgnoreEventType",
                format!("invalid ignore event type: '{event}'"),
            ));
        }
        events.insert(name.replace("database", "schema"));
    }
    let sql = rule
        .ignore_sql
        .iter()
        .flatten()
        .map(|source| {
            Regex::new(source).map_err(|e| {
                ConfigError::new(
                    "CDC:ErrFilterRuleInvalid",
                    format!("filter rule is invalid ignore-sql {source:?}: {e}"),
                )
            })
        })
        .collect::<Result<_, _>>()?;
    let tables = TableFilter::matcher(rule.matcher.as_deref().unwrap_or_default(), case_sensitive)?;
    let update_only_columns =
        rule.ignore_update_only_columns.iter().flatten().map(|name| name.to_lowercase()).collect();
    Ok(Rule { tables, events, sql, update_only_columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rule: EventFilterRule) -> FilterConfig {
        FilterConfig { event_filters: Some(vec![rule]), ..FilterConfig::default() }
    }

    #[test]
    fn rows_and_ddls_are_left_out_by_type_and_text() {
        let rule = EventFilterRule {
            matcher: Some(vec!["app.orders".into()]),
            ignore_event: Some(vec!["delete".into(), "alter table".into()]),
            ignore_sql: Some(vec!["^drop".into()]),
            ..EventFilterRule::default()
        };
        let filter = EventFilter::new(&config(rule), false).expect("valid");
        assert!(!filter.keeps_all_rows());
        assert!(filter.ignores_row("app", "orders", RowKind::Delete, 1));
        assert!(!filter.ignores_row("app", "orders", RowKind::Insert, 1));
        assert!(!filter.ignores_row("app", "other", RowKind::Delete, 1));
        assert!(filter.ignores_ddl("app", "orders", "add column", "alter …", 1));
        assert!(filter.ignores_ddl("app", "orders", "drop table", "drop table orders", 1));
        assert!(!filter.ignores_ddl("app", "orders", "truncate table", "truncate …", 1));
        assert_eq!(
            filter.row_rule("app", "orders", RowKind::Delete).as_deref(),
            Some("filter.event-filters[0]: ignore-event \"delete\"")
        );
        assert_eq!(filter.row_rule("app", "orders", RowKind::Insert), None);
        assert_eq!(
            filter.ddl_rule("app", "orders", "drop table", "drop table orders").as_deref(),
            Some("filter.event-filters[0]: ignore-sql \"^drop\"")
        );
    }

    #[test]
    fn kinds_of_jobs_have_the_names_of_events() {
        for (event, job) in [
            ("create index", "add index"),
            ("add table partition", "add partition"),
            ("rebase auto id", "rebase auto_increment ID"),
            ("alter table", "alter table multi-schema change"),
            ("alter table", "exchange partition"),
            ("drop schema", "drop schema"),
        ] {
            let rule = EventFilterRule {
                matcher: Some(vec!["*.*".into()]),
                ignore_event: Some(vec![event.into()]),
                ..EventFilterRule::default()
            };
            let filter = EventFilter::new(&config(rule), false).expect(event);
            assert!(filter.ignores_ddl("a", "t", job, "…", 1), "{event}: {job}");
            assert!(!filter.ignores_ddl("a", "t", "create table", "…", 1), "{event}");
        }
    }

    #[test]
    fn expressions_are_parsed_and_belong_to_tables_by_the_case_of_their_names() {
        let rule = EventFilterRule {
            matcher: Some(vec!["app.Orders".into()]),
            ignore_insert_value_expr: Some("qty > 1".into()),
            ignore_delete_value_expr: Some(String::new()),
            ..EventFilterRule::default()
        };
        let filter = EventFilter::new(&config(rule), false).expect("valid");
        assert!(filter.keeps_all_rows(), "expressions are no reason to look at rows of other tables");
        let found: Vec<_> = filter.value_filters("app", "Orders").collect();
        assert_eq!(found.len(), 1);
        let exprs: Vec<_> = found[0].exprs().iter().map(|(when, expr)| (when.key(), expr.source())).collect();
        assert_eq!(exprs, [("ignore-insert-value-expr", "qty > 1")]);
        assert_eq!(filter.value_filters("app", "orders").count(), 0, "the case counts");
        for bad in ["qty >", "qty > 1; DROP TABLE t", "1) OR (1", "SELECT 1"] {
            let rule =
                EventFilterRule { ignore_delete_value_expr: Some(bad.into()), ..EventFilterRule::default() };
            let error = EventFilter::new(&config(rule), false).expect_err(bad);
            assert_eq!(error.code, "CDC:ErrInvalidFilterExpression", "{bad}");
            assert!(error.message.contains(&format!("There is a syntax error in: '{bad}'")), "{error}");
        }
    }

    #[test]
    fn unknown_event_types_are_refused_and_columns_are_told() {
        let rule = EventFilterRule {
            matcher: Some(vec!["app.orders".into()]),
            ignore_update_only_columns: Some(vec!["Seen_At".into()]),
            ..EventFilterRule::default()
        };
        let filter = EventFilter::new(&config(rule), false).expect("valid");
        let sets = filter.update_only_columns("app", "orders");
        assert!(sets.len() == 1 && sets[0].contains("seen_at"), "{sets:?}");
        assert!(filter.update_only_columns("app", "other").is_empty());
        let rule =
            EventFilterRule { ignore_event: Some(vec!["explode".into()]), ..EventFilterRule::default() };
        let error = EventFilter::new(&config(rule), false).expect_err("unknown");
        assert_eq!(error.code, "CDC:ErrInvalidIgnoreEventType");
    }
}
