//! Which tables a configuration selects.

use std::sync::Arc;

use changefeed_config::{ReplicaConfig, TableFilter};
use tidb_schema::{SchemaSnapshot, TableVersion};

use crate::FeedError;

/// A table in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
    /// Table id.
    pub table_id: i64,
    /// True if it has partitions.
    pub is_partition: bool,
}

/// Tables that a filter selects, by whether they can be replicated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableLists {
    /// Tables without a usable key.
    pub ineligible: Vec<TableName>,
    /// Tables that can be replicated.
    pub eligible: Vec<TableName>,
    /// Both.
    pub all: Vec<TableName>,
}

/// The tables with rows that a filter selects, by id.
pub(crate) fn selected(schema: &SchemaSnapshot, filter: &TableFilter) -> Vec<Arc<TableVersion>> {
    let mut tables = schema.tables_named(|schema, table| filter.matches_table(schema, table));
    tables.retain(|version| version.info.has_rows() && !version.is_system());
    tables
}

/// Lists the tables of a schema that the configuration selects, by schema and name.
pub(crate) fn list_tables(schema: &SchemaSnapshot, config: &ReplicaConfig) -> Result<TableLists, FeedError> {
    let filter = TableFilter::new(&config.filter.rules, config.case_sensitive)?;
    let mut lists = TableLists::default();
    let mut tables = selected(schema, &filter);
    tables.sort_by(|a, b| (a.schema_name(), a.table_name()).cmp(&(b.schema_name(), b.table_name())));
    for version in tables {
        let name = TableName {
            schema: version.schema_name().to_owned(),
            table: version.table_name().to_owned(),
            table_id: version.info.id,
            is_partition: version.info.enabled_partition().is_some(),
        };
        let list = if version.is_eligible(config.force_replicate) {
            &mut lists.eligible
        } else {
            &mut lists.ineligible
        };
        list.push(name.clone());
        lists.all.push(name);
    }
    Ok(lists)
}

/// Ids of the physical tables (partitions for themselves) that a configuration replicates, in ascending order.
pub(crate) fn physical_ids(schema: &SchemaSnapshot, config: &ReplicaConfig) -> Result<Vec<i64>, FeedError> {
    let filter = TableFilter::new(&config.filter.rules, config.case_sensitive)?;
    let mut ids = Vec::new();
    for version in selected(schema, &filter) {
        if version.is_eligible(config.force_replicate) {
            ids.extend(version.info.physical_ids());
        }
    }
    ids.sort_unstable();
    Ok(ids)
}
