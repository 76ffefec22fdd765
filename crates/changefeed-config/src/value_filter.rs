//! Value expressions: rows that a changefeed leaves out because of what is in them.

use tidb_expr::table::ValueExpr;

use crate::error::ConfigError;
use crate::filter_config::EventFilterRule;
use crate::table_filter::TableFilter;

/// Which row of which kind of change an expression is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueMoment {
    /// The row of an INSERT.
    Insert,
    /// The row before an UPDATE.
    UpdateOld,
    /// The row after an UPDATE.
    UpdateNew,
    /// The row of a DELETE.
    Delete,
}

impl ValueMoment {
    /// The key of `[[filter.event-filters]]`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Insert => "ignore-insert-value-expr",
            Self::UpdateOld => "ignore-update-old-value-expr",
            Self::UpdateNew => "ignore-update-new-value-expr",
            Self::Delete => "ignore-delete-value-expr",
        }
    }
}

/// The expressions of one event filter.
#[derive(Debug, Clone)]
pub struct ValueFilter {
    /// Number of the event filter in the configuration, from 0.
    pub number: usize,
    /// Tables that it concerns; the case of names counts whatever `case-sensitive` says, as in TiCDC.
    tables: TableFilter,
    /// The expressions, in the order in which they are asked.
    exprs: Vec<(ValueMoment, ValueExpr)>,
}

impl ValueFilter {
    /// Compiles the expressions of a rule; `None` if it has none.
    ///
    /// # Errors
    /// Text that is no expression: TiCDC calls this error `ErrExpressionParseFailed`, and the code that it answers with is
    /// `CDC:ErrInvalidFilterExpression`.
    pub(crate) fn new(number: usize, rule: &EventFilterRule) -> Result<Option<Self>, ConfigError> {
        let mut exprs = Vec::new();
        for (moment, text) in [
            (ValueMoment::Insert, &rule.ignore_insert_value_expr),
            (ValueMoment::UpdateOld, &rule.ignore_update_old_value_expr),
            (ValueMoment::UpdateNew, &rule.ignore_update_new_value_expr),
            (ValueMoment::Delete, &rule.ignore_delete_value_expr),
        ] {
            if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
                let expr = ValueExpr::parse(text).map_err(|reason| invalid_expression(text, &reason))?;
                exprs.push((moment, expr));
            }
        }
        if exprs.is_empty() {
            return Ok(None);
        }
        let tables = TableFilter::matcher(rule.matcher.as_deref().unwrap_or_default(), true)?;
        Ok(Some(Self { number, tables, exprs }))
    }

    /// Whether the expressions are about a table.
    pub fn concerns(&self, schema: &str, table: &str) -> bool {
        self.tables.matches_rule(schema, table)
    }

    /// The expressions.
    pub fn exprs(&self) -> &[(ValueMoment, ValueExpr)] {
        &self.exprs
    }
}

/// The error about an expression that cannot be understood or used.
pub fn invalid_expression(text: &str, reason: &dyn std::fmt::Display) -> ConfigError {
    ConfigError::new(
        "CDC:ErrInvalidFilterExpression",
        format!("invalid filter expressions. There is a syntax error in: '{text}': {reason}"),
    )
}
