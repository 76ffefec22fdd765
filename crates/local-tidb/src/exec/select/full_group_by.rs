//! The check of `ONLY_FULL_GROUP_BY`.

use super::plan::Plan;
use crate::exec::Exec;
use tidb_expr::Expr;
use tidb_expr::bind::Scope;
use tidb_expr::{Result, SqlError};

impl Exec<'_> {
    /// With `ONLY_FULL_GROUP_BY`, columns beside aggregates must be grouped by.
    pub(super) fn check_grouping(&self, plan: &Plan, scope: &Scope) -> Result<()> {
        let grouped = !plan.group.is_empty();
        if !self.cx.mode.only_full_group_by || plan.aggregates.is_empty() && !grouped {
            return Ok(());
        }
        let by_column: Vec<usize> = plan
            .group
            .iter()
            .filter_map(|e| if let Expr::Column { index, .. } = e { Some(*index) } else { None })
            .collect();
        // Grouping by a key decides all columns; expressions are not compared with each other here.
        let only_columns = plan.group.len() == by_column.len();
        for (at, (expr, column)) in plan.projection.iter().enumerate() {
            let mut stray = None;
            expr.for_each_column(&mut |index| {
                if index < scope.columns.len() && !by_column.contains(&index) {
                    stray = Some(index);
                }
            });
            let Some(index) = stray else { continue };
            if !grouped {
                return Err(SqlError::new(
                    1140,
                    format!(
                        "In aggregated query without GROUP BY, expression #{} of SELECT list contains nonaggregated column '{}'; this is incompatible with sql_mode=only_full_group_by",
                        at + 1,
                        column.name
                    ),
                ));
            }
            let key_column =
                scope.columns.iter().enumerate().any(|(i, c)| {
                    by_column.contains(&i) && c.ty.flag & tidb_codec::field::flag::PRI_KEY != 0
                });
            if only_columns && !key_column && matches!(expr, Expr::Column { .. }) {
                let name = scope.columns.get(index).map(|c| c.name.clone()).unwrap_or_default();
                return Err(SqlError::new(
                    1055,
                    format!(
                        "Expression #{} of SELECT list is not in GROUP BY clause and contains nonaggregated column '{name}' which is not functionally dependent on columns in GROUP BY clause; this is incompatible with sql_mode=only_full_group_by",
                        at + 1
                    ),
                ));
            }
        }
        Ok(())
    }
}
