//! Rows that are left out because of their values.

use change_format::{CanalEncoder, EncodeError, Moment, RowChange, RowKind};
use changefeed_config::{EventFilter, ValueMoment, invalid_expression};
use jiff::tz::TimeZone;
use tidb_codec::Datum;
use tidb_expr::table::{BindError, RowExpr, ValueExpr};
use tidb_schema::TableVersion;

use crate::FeedError;

/// An expression bound to a version of a table. One that does not fit it is an error only when a row asks, as in TiCDC: a
/// table may lose the column of an expression whose kind of change never comes.
type Bound = Result<RowExpr, FeedError>;

/// The expressions that are about one version of a table, in the order of the configuration.
pub(crate) struct RowFilter {
    /// When each is asked, and what.
    exprs: Vec<(ValueMoment, Bound)>,
    /// Zone of TIMESTAMP values, and that of the expressions' session.
    zone: TimeZone,
    /// Columns of the table.
    width: usize,
}

/// Binds an expression.
fn bind(expr: &ValueExpr, version: &TableVersion, zone: &TimeZone) -> Bound {
    RowExpr::bind(expr, version.schema_name(), &version.info, zone).map_err(|error| match error {
        BindError::UnknownColumn { column } => FeedError::new(
            "CDC:ErrExpressionColumnNotFound",
            format!(
                "invalid filter expression(s). Cannot find column '{column}' from table '{}.{}' in: {}",
                version.schema_name(),
                version.table_name(),
                expr.source()
            ),
        ),
        BindError::Invalid(reason) => invalid_expression(expr.source(), &reason).into(),
    })
}

/// Whether an expression is asked for a kind of change, and of which row.
fn asked(moment: ValueMoment, kind: RowKind) -> Option<Moment> {
    match (moment, kind) {
        (ValueMoment::Insert, RowKind::Insert) | (ValueMoment::UpdateNew, RowKind::Update) => {
            Some(Moment::After)
        }
        (ValueMoment::UpdateOld, RowKind::Update) | (ValueMoment::Delete, RowKind::Delete) => {
            Some(Moment::Before)
        }
        _ => None,
    }
}

impl RowFilter {
    /// The filter of a version of a table; `None` if no rule is about it.
    pub(crate) fn of(version: &TableVersion, events: &EventFilter, zone: &TimeZone) -> Option<Self> {
        let rules = events.value_filters(version.schema_name(), version.table_name());
        let exprs: Vec<_> = rules
            .flat_map(|rule| rule.exprs())
            .map(|(moment, expr)| (*moment, bind(expr, version, zone)))
            .collect();
        let width = version.info.columns.len();
        (!exprs.is_empty()).then(|| Self { exprs, zone: zone.clone(), width })
    }

    /// The first expression that does not fit the table.
    pub(crate) fn check(&self) -> Result<(), FeedError> {
        match self.exprs.iter().find_map(|(_, bound)| bound.as_ref().err()) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Whether a change is left out. `values` is kept from row to row, so that nothing is allocated for columns of fixed
    /// length.
    pub(crate) fn ignores(
        &self,
        encoder: &CanalEncoder,
        change: &RowChange<'_>,
        kind: RowKind,
        values: &mut Vec<Datum>,
    ) -> Result<bool, FeedError> {
        for (when, bound) in &self.exprs {
            let Some(moment) = asked(*when, kind) else { continue };
            let expr = bound.as_ref().map_err(Clone::clone)?;
            let Some(reader) = encoder.reader(change, moment).map_err(|e| unreadable(&e))? else { continue };
            values.resize(self.width, Datum::Null);
            for column in expr.stored() {
                let found = reader.value(column.position).map_err(|e| unreadable(&e))?;
                if let Some(place) = values.get_mut(column.position) {
                    *place = found.unwrap_or_else(|| column.missing.clone());
                }
            }
            let ignored = expr.is_true(values, &self.zone).map_err(|reason| {
                let row = encoder.row_name(change);
                FeedError::new(
                    "CDC:ErrFailedToFilterDML",
                    format!(
                        "failed to filter dml event: {} of the row with handle {row}, commit-ts {}: {reason}; change \
                         the expression, or the row's value",
                        when.key(),
                        change.commit_ts
                    ),
                )
            })?;
            if ignored {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A row that cannot be read.
fn unreadable(error: &EncodeError) -> FeedError {
    FeedError::new("CDC:ErrFailedToFilterDML", format!("failed to filter dml event: {}", error.chain()))
}
