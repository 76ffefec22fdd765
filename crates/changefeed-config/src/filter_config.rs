//! `[filter]`: which tables and events a changefeed replicates.

use serde::{Deserialize, Serialize};

/// `[filter]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct FilterConfig {
    /// Table filter rules.
    pub rules: Vec<String>,
    /// Transactions to leave out.
    pub ignore_txn_start_ts: Option<Vec<u64>>,
    /// Event filters.
    pub event_filters: Option<Vec<EventFilterRule>>,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self { rules: vec!["*.*".to_owned()], ignore_txn_start_ts: None, event_filters: None }
    }
}

/// `[[filter.event-filters]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct EventFilterRule {
    /// Table filter rules.
    pub matcher: Option<Vec<String>>,
    /// Event types to leave out.
    pub ignore_event: Option<Vec<String>>,
    /// Regular expressions of DDL texts to leave out.
    pub ignore_sql: Option<Vec<String>>,
    /// SQL expression on inserted rows.
    pub ignore_insert_value_expr: Option<String>,
    /// SQL expression on new rows of updates.
    pub ignore_update_new_value_expr: Option<String>,
    /// SQL expression on old rows of updates.
    pub ignore_update_old_value_expr: Option<String>,
    /// SQL expression on deleted rows.
    pub ignore_delete_value_expr: Option<String>,
    /// Updates of only these columns are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_update_only_columns: Option<Vec<String>>,
}
