//! Whether the rules of a configuration fit the tables that it selects: told when a changefeed is created, rather than
//! by the first row.

use std::sync::Arc;

use change_format::{CanalEncoder, CanalOptions};
use changefeed_config::{ColumnFilter, PartitionRule};
use jiff::tz::TimeZone;
use tidb_schema::{SchemaSnapshot, TableVersion};

use crate::FeedError;
use crate::row_filter::RowFilter;
use crate::run_once::Plan;
use crate::tables::selected;

/// Checks filter expressions, dispatch rules and column selectors against every selected table of a schema.
///
/// # Errors
/// The first rule that does not fit.
pub(crate) fn check_tables(
    schema: &SchemaSnapshot,
    plan: &Plan,
    force_replicate: bool,
    zone: &TimeZone,
) -> Result<(), FeedError> {
    let options = Arc::new(CanalOptions { time_zone: zone.clone(), ..CanalOptions::default() });
    for version in selected(schema, &plan.tables) {
        if let Some(filter) = RowFilter::of(&version, &plan.events, zone) {
            filter.check()?;
        }
        if version.is_eligible(force_replicate) {
            check_routes(&version, plan, &options)?;
        }
    }
    Ok(())
}

/// Checks the dispatch rule and the column selector of a table.
fn check_routes(version: &TableVersion, plan: &Plan, options: &Arc<CanalOptions>) -> Result<(), FeedError> {
    let (schema, table) = (version.schema_name(), version.table_name());
    let selector = plan.router.column_selector(schema, table);
    let rule = plan.router.route(schema, table).partition;
    let named = matches!(rule, PartitionRule::IndexValue(Some(_)) | PartitionRule::Columns(_));
    if named {
        let dispatch = |e: change_format::EncodeError| {
            FeedError::new("CDC:ErrDispatcherFailed", format!("dispatcher failed: {}", e.chain()))
        };
        let encoder = CanalEncoder::new(version, Arc::clone(options)).map_err(dispatch)?;
        match &rule {
            PartitionRule::IndexValue(Some(index)) => {
                encoder.index_columns(version, index).map_err(dispatch)?;
            }
            PartitionRule::Columns(names) => {
                encoder.named_columns(version, names).map_err(dispatch)?;
            }
            _ => {}
        }
    }
    match selector {
        Some(selector) => check_selector(version, selector, &rule),
        None => Ok(()),
    }
}

/// Whether every column of a key stays in messages.
fn keeps(version: &TableVersion, selector: &ColumnFilter, positions: impl Iterator<Item = usize>) -> bool {
    let mut columns = positions.filter_map(|position| version.info.columns.get(position)).peekable();
    columns.peek().is_some() && columns.all(|column| selector.selects(&column.name.l))
}

/// What identifies a row (its key, or the columns of some unique index), and what chooses its partition, must stay in
/// its messages.
fn check_selector(
    version: &TableVersion,
    selector: &ColumnFilter,
    rule: &PartitionRule,
) -> Result<(), FeedError> {
    let refuse = |column: &str, why: &str| {
        Err(FeedError::new(
            "CDC:ErrColumnSelectorFailed",
            format!(
                "column selector failed: column {column} of {}.{} is left out, but {why}; add it to the columns of \
                 sink.column-selectors",
                version.schema_name(),
                version.table_name()
            ),
        ))
    };
    let by_index = || {
        let unique = version.info.indices.iter().filter(|index| index.unique || index.primary);
        unique
            .map(|index| index.columns.iter().filter_map(|part| part.position()))
            .any(|positions| keeps(version, selector, positions))
    };
    let identified = version.handle_key.is_empty()
        || keeps(version, selector, version.handle_key.columns.iter().copied())
        || by_index();
    for (position, column) in version.info.columns.iter().enumerate() {
        if !column.state.is_public() || selector.selects(&column.name.l) {
            continue;
        }
        if !identified && version.handle_key.contains(position) {
            return refuse(&column.name.o, "it belongs to the key of the table");
        }
        let dispatches = match rule {
            PartitionRule::Columns(names) => names.iter().any(|name| name.to_lowercase() == column.name.l),
            PartitionRule::IndexValue(Some(index)) => {
                let found = version.info.index(&index.to_lowercase());
                found.is_some_and(|index| index.columns.iter().any(|part| part.position() == Some(position)))
            }
            _ => false,
        };
        if dispatches {
            return refuse(&column.name.o, "rows are dispatched by it");
        }
    }
    Ok(())
}
