//! Table filter rules: `schema.table` with wildcards, quotes, regular expressions and `!`.

use tidb_schema::is_system_schema;

use crate::error::ConfigError;
use crate::pattern::{Pattern, PatternParser};

/// One compiled rule.
#[derive(Debug, Clone)]
struct Rule {
    /// False for `!` rules.
    include: bool,
    /// Matches the schema.
    schema: Pattern,
    /// Matches the table.
    table: Pattern,
    /// True if the table part is a bare `*`.
    all_tables: bool,
    /// As the user wrote it.
    text: String,
}

/// Rules of which the last that matches decides.
#[derive(Debug, Clone)]
pub struct TableFilter {
    /// Rules in the order they were written.
    rules: Vec<Rule>,
    /// Names are compared as they are, not in lower case.
    case_sensitive: bool,
}

impl TableFilter {
    /// Compiles rules; no rule at all means `*.*`.
    pub fn new(rules: &[String], case_sensitive: bool) -> Result<Self, ConfigError> {
        let all = ["*.*".to_owned()];
        let source = if rules.is_empty() { &all } else { rules };
        Self::matcher(source, case_sensitive)
    }

    /// Compiles the matcher of a dispatcher, selector or event filter: no rule matches nothing.
    pub fn matcher(rules: &[String], case_sensitive: bool) -> Result<Self, ConfigError> {
        let mut compiled = Vec::new();
        for rule in rules {
            let text = if case_sensitive { rule.clone() } else { rule.to_lowercase() };
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let parsed = parse_rule(text).map(|parsed| Rule { text: rule.trim().to_owned(), ..parsed });
            compiled.push(parsed.map_err(|reason| {
                ConfigError::new(
                    "CDC:ErrFilterRuleInvalid",
                    format!(
                        "filter rule is invalid &{{[{}] [] []}}: at <cmdline>:1: {reason}",
                        rules.join(" ")
                    ),
                )
            })?);
        }
        Ok(Self { rules: compiled, case_sensitive })
    }

    /// Calls `with` with the name in the case that the rules have.
    fn fold<T>(&self, name: &str, with: impl FnOnce(&str) -> T) -> T {
        let is_lower = |byte: u8| byte.is_ascii() && !byte.is_ascii_uppercase();
        if self.case_sensitive || name.bytes().all(is_lower) {
            with(name)
        } else {
            with(&name.to_lowercase())
        }
    }

    /// The last rule that matches the table.
    fn last_hit(&self, schema: &str, table: &str) -> Option<&Rule> {
        self.fold(schema, |schema| {
            self.fold(table, |table| {
                let hit = |rule: &&Rule| rule.schema.matches(schema) && rule.table.matches(table);
                self.rules.iter().rev().find(hit)
            })
        })
    }

    /// The rule that decides about the table, as it was written; `None` if none matches.
    pub fn deciding_rule(&self, schema: &str, table: &str) -> Option<&str> {
        self.last_hit(schema, table).map(|rule| rule.text.as_str())
    }

    /// True if the last rule that matches the table includes it. System schemas are not special here.
    pub fn matches_rule(&self, schema: &str, table: &str) -> bool {
        self.last_hit(schema, table).is_some_and(|rule| rule.include)
    }

    /// True if the table is replicated.
    pub fn matches_table(&self, schema: &str, table: &str) -> bool {
        !is_system_schema(schema) && self.matches_rule(schema, table)
    }

    /// True if DDLs of the schema itself are replicated: some rule includes tables of it and no later rule excludes
    /// all of them.
    pub fn matches_schema(&self, schema: &str) -> bool {
        !is_system_schema(schema)
            && self.fold(schema, |schema| {
                let hit = |rule: &&Rule| rule.schema.matches(schema) && (rule.include || rule.all_tables);
                self.rules.iter().rev().find(hit).is_some_and(|rule| rule.include)
            })
    }
}

/// Parses one rule.
fn parse_rule(text: &str) -> Result<Rule, String> {
    if text.starts_with('@') {
        return Err("syntax error: importing filter files is disabled".to_owned());
    }
    let mut parser = PatternParser::new(text);
    let include = !parser.eat('!');
    let schema = parser.part()?;
    if !parser.eat('.') {
        return Err("syntax error: missing table pattern".to_owned());
    }
    let all_tables = parser.rest() == "*";
    let table = parser.part()?;
    if !parser.rest().is_empty() {
        return Err("syntax error: stray characters after table pattern".to_owned());
    }
    Ok(Rule { include, schema, table, all_tables, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(rules: &[&str]) -> TableFilter {
        let rules: Vec<String> = rules.iter().map(|r| (*r).to_owned()).collect();
        TableFilter::new(&rules, false).expect("valid rules")
    }

    #[test]
    fn the_last_hit_decides_and_no_hit_excludes() {
        let f = filter(&["app.*", "!app.tmp_*", "app.tmp_keep"]);
        assert!(f.matches_table("APP", "Orders"));
        assert!(!f.matches_table("app", "tmp_1"));
        assert!(f.matches_table("app", "tmp_keep"));
        assert!(!f.matches_table("other", "x"));
        assert!(filter(&[]).matches_table("any", "thing"));
        assert_eq!(f.deciding_rule("app", "TMP_1"), Some("!app.tmp_*"));
        assert_eq!(f.deciding_rule("other", "x"), None);
    }

    #[test]
    fn system_schemas_are_never_replicated() {
        let f = filter(&["*.*", "mysql.*"]);
        assert!(!f.matches_table("MySQL", "user") && !f.matches_schema("information_schema"));
    }

    #[test]
    fn schema_ddl_follows_the_table_rules() {
        assert!(filter(&["a.t1"]).matches_schema("a"));
        assert!(!filter(&["*.*", "!a.*"]).matches_schema("a"));
        assert!(filter(&["*.*", "!a.t1"]).matches_schema("a"));
        assert!(!filter(&["b.*"]).matches_schema("a"));
    }

    #[test]
    fn quotes_and_regular_expressions() {
        let f = filter(&["`db.1`.`t*`", r"/^shard\d+$/.*"]);
        assert!(f.matches_table("db.1", "t*") && !f.matches_table("db.1", "tx"));
        assert!(f.matches_table("shard12", "x") && !f.matches_table("shardx", "x"));
    }

    #[test]
    fn syntax_errors_carry_ticdcs_text() {
        for (rule, reason) in [
            ("a.b.c", "syntax error: stray characters after table pattern"),
            ("[", "syntax error: failed to parse character class"),
            ("a", "syntax error: missing table pattern"),
        ] {
            let error = TableFilter::new(&[rule.to_owned()], false).expect_err(rule);
            assert_eq!(error.code, "CDC:ErrFilterRuleInvalid");
            assert_eq!(
                error.message,
                format!("filter rule is invalid &{{[{rule}] [] []}}: at <cmdline>:1: {reason}")
            );
        }
    }
}
