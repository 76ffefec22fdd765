//! Dispatch rules: which topic and which partition a row goes to.

use crate::error::ConfigError;
use crate::pattern::ColumnFilter;
use crate::sink_config::{DispatchRule, SinkConfig};
use crate::table_filter::TableFilter;

/// Longest topic name of Kafka, bytes.
const MAX_TOPIC_BYTES: usize = 249;

/// How the partition of a row is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionRule {
    /// By schema and table name.
    Table,
    /// By commit ts.
    Ts,
    /// By the handle key, or the columns of the named index.
    IndexValue(Option<String>),
    /// By these columns.
    Columns(Vec<String>),
}

/// Where the rows of one table go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRoute {
    /// Topic.
    pub topic: String,
    /// How the partition is chosen.
    pub partition: PartitionRule,
}

/// One compiled rule.
#[derive(Debug, Clone)]
struct Rule {
    /// Tables that it concerns.
    tables: TableFilter,
    /// Topic expression; empty for the default topic.
    topic: String,
    /// Partition rule.
    partition: PartitionRule,
}

/// Compiled `[[sink.dispatchers]]` and `[[sink.column-selectors]]`.
#[derive(Debug, Clone)]
pub struct EventRouter {
    /// Dispatch rules; the first that matches decides.
    rules: Vec<Rule>,
    /// Column selectors; the first that matches decides.
    selectors: Vec<(TableFilter, ColumnFilter)>,
    /// Topic of the sink URI.
    default_topic: String,
}

/// The expression after its prefix of characters that a topic may hold.
fn after_plain(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Checks a topic expression: plain text with at most one `{schema}` and then at most one `{table}`.
fn check_topic(expression: &str) -> Result<(), ConfigError> {
    let mut rest = after_plain(expression);
    rest = after_plain(rest.strip_prefix("{schema}").unwrap_or(rest));
    rest = after_plain(rest.strip_prefix("{table}").unwrap_or(rest));
    if rest.is_empty() {
        return Ok(());
    }
    let message = format!("invalid topic expression: {expression} ");
    Err(ConfigError::new("CDC:ErrKafkaTopicExprInvalid", message))
}

/// Makes a valid topic name of a substituted expression.
fn topic_name(expression: &str, schema: &str, table: &str) -> String {
    let clean = |name: &str| -> String {
        name.chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
            .collect()
    };
    let mut topic = expression.replace("{schema}", &clean(schema)).replace("{table}", &clean(table));
    topic.truncate(MAX_TOPIC_BYTES);
    match topic.as_str() {
        "." => "_".to_owned(),
        ".." => "__".to_owned(),
        _ => topic,
    }
}

impl EventRouter {
    /// Compiles the rules.
    pub fn new(config: &SinkConfig, default_topic: &str, case_sensitive: bool) -> Result<Self, ConfigError> {
        let mut rules = Vec::new();
        for rule in config.dispatchers.iter().flatten() {
            if !rule.target_schema.is_empty() || !rule.target_table.is_empty() {
                return Err(ConfigError::new(
                    "CDC:ErrInvalidTableRoutingRule",
                    "target-schema and target-table are not supported yet; remove them",
                ));
            }
            check_topic(&rule.topic)?;
            rules.push(Rule {
                tables: TableFilter::matcher(&rule.matcher, case_sensitive)?,
                topic: rule.topic.clone(),
                partition: partition_rule(rule),
            });
        }
        let selectors = config
            .column_selectors
            .iter()
            .flatten()
            .map(|rule| {
                Ok((TableFilter::matcher(&rule.matcher, case_sensitive)?, ColumnFilter::new(&rule.columns)?))
            })
            .collect::<Result<_, ConfigError>>()?;
        Ok(Self { rules, selectors, default_topic: default_topic.to_owned() })
    }

    /// Topic of the sink URI.
    pub fn default_topic(&self) -> &str {
        &self.default_topic
    }

    /// Where rows of the table go.
    pub fn route(&self, schema: &str, table: &str) -> TableRoute {
        match self.rules.iter().find(|rule| rule.tables.matches_rule(schema, table)) {
            None => TableRoute { topic: self.default_topic.clone(), partition: PartitionRule::Table },
            Some(rule) => TableRoute {
                topic: if rule.topic.is_empty() {
                    self.default_topic.clone()
                } else {
                    topic_name(&rule.topic, schema, table)
                },
                partition: rule.partition.clone(),
            },
        }
    }

    /// Topic of a DDL; DDLs of a schema go to the default topic.
    pub fn ddl_topic(&self, schema: &str, table: &str) -> String {
        if table.is_empty() { self.default_topic.clone() } else { self.route(schema, table).topic }
    }

    /// The column selector of the table, if one matches.
    pub fn column_selector(&self, schema: &str, table: &str) -> Option<&ColumnFilter> {
        self.selectors
            .iter()
            .find(|(tables, _)| tables.matches_rule(schema, table))
            .map(|(_, columns)| columns)
    }
}

/// The partition rule of a dispatcher; unknown names mean the default, as in TiCDC.
fn partition_rule(rule: &DispatchRule) -> PartitionRule {
    let name = if rule.partition.is_empty() { &rule.dispatcher } else { &rule.partition };
    match name.to_lowercase().as_str() {
        "ts" => PartitionRule::Ts,
        "index-value" | "rowid" => {
            PartitionRule::IndexValue(Some(rule.index.clone()).filter(|i| !i.is_empty()))
        }
        "columns" => PartitionRule::Columns(rule.columns.clone().unwrap_or_default()),
        _ => PartitionRule::Table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::ReplicaConfig;

    fn router(toml: &str) -> Result<EventRouter, ConfigError> {
        let config = ReplicaConfig::from_toml(toml, "test").expect("toml");
        EventRouter::new(&config.sink, "default-topic", false)
    }

    #[test]
    fn the_first_matching_dispatcher_decides() {
        let r = router(
            "[sink]\ndispatchers = [{matcher=['app.*'], topic='{schema}_{table}', partition='index-value'}, \
             {matcher=['*.*'], partition='ts'}]",
        )
        .expect("valid");
        assert_eq!(
            r.route("app", "my orders"),
            TableRoute { topic: "app_my_orders".into(), partition: PartitionRule::IndexValue(None) }
        );
        assert_eq!(
            r.route("x", "y"),
            TableRoute { topic: "default-topic".into(), partition: PartitionRule::Ts }
        );
        assert_eq!(r.ddl_topic("app", ""), "default-topic");
    }

    #[test]
    fn topic_expressions_are_checked() {
        for good in ["", "x", "{schema}", "{table}", "a.{schema}-{table}_b"] {
            assert!(check_topic(good).is_ok(), "{good}");
        }
        for bad in ["{table}{schema}", "{schema}{schema}", "a b", "{x}"] {
            assert!(check_topic(bad).is_err(), "{bad}");
        }
    }
}
