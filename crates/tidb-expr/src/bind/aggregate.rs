//! Calls of aggregate functions.

use sqlparser::ast::{self, FunctionArg, FunctionArgExpr};
use tidb_codec::Datum;
use tidb_codec::field::{flag, tp};

use super::Binder;
use crate::error::{Result, SqlError};
use crate::{Expr, ResultType, literal};

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateKind {
    /// `COUNT`.
    Count,
    /// `SUM`.
    Sum,
    /// `AVG`.
    Avg,
    /// `MIN`.
    Min,
    /// `MAX`.
    Max,
    /// `GROUP_CONCAT`.
    GroupConcat,
    /// `BIT_AND`.
    BitAnd,
    /// `BIT_OR`.
    BitOr,
    /// `BIT_XOR`.
    BitXor,
}

/// A call of an aggregate function.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Which.
    pub kind: AggregateKind,
    /// Arguments; none for `COUNT(*)`.
    pub args: Vec<Expr>,
    /// `DISTINCT`.
    pub distinct: bool,
    /// Text between the parts of `GROUP_CONCAT`.
    pub separator: Vec<u8>,
    /// Result.
    pub ty: ResultType,
}

impl Binder<'_> {
    /// Binds a call of an aggregate: it becomes a reference to the column behind the scope's where its result will be.
    ///
    /// # Errors
    /// 1111 where aggregates are not allowed; what is wrong with the arguments.
    pub(super) fn aggregate(
        &mut self,
        kind: AggregateKind,
        name: &str,
        list: &ast::FunctionArgumentList,
    ) -> Result<Expr> {
        let Some(outer) = self.aggregates.take() else {
            return Err(SqlError::new(1111, "Invalid use of group function"));
        };
        let bound = self.aggregate_args(kind, list);
        let mut aggregates = outer;
        let (args, separator) = match bound {
            Ok(parts) => parts,
            Err(e) => {
                self.aggregates = Some(aggregates);
                return Err(e);
            }
        };
        let ty = aggregate_type(kind, &args);
        let index = self.scope.columns.len() + aggregates.len();
        let distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
        aggregates.push(Aggregate { kind, args, distinct, separator, ty: ty.clone() });
        self.aggregates = Some(aggregates);
        Ok(Expr::Column { index, ty, name: name.into() })
    }

    /// The arguments of an aggregate, and the separator of `GROUP_CONCAT`.
    fn aggregate_args(
        &mut self,
        kind: AggregateKind,
        list: &ast::FunctionArgumentList,
    ) -> Result<(Vec<Expr>, Vec<u8>)> {
        let mut separator = b",".to_vec();
        for clause in &list.clauses {
            match clause {
                ast::FunctionArgumentClause::Separator(v) => {
                    if let (Datum::Bytes(text), _) = literal::value(&v.value)? {
                        separator = text;
                    }
                }
                other => return Err(SqlError::unsupported(format!("aggregate clause {other}"))),
            }
        }
        let mut args = Vec::new();
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if kind == AggregateKind::Count => {}
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => args.push(self.bind(e)?),
                other => return Err(SqlError::unsupported(format!("aggregate argument {other}"))),
            }
        }
        Ok((args, separator))
    }
}

/// The aggregate of a name in lower case.
pub(super) fn aggregate_kind(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "count" => AggregateKind::Count,
        "sum" => AggregateKind::Sum,
        "avg" => AggregateKind::Avg,
        "min" => AggregateKind::Min,
        "max" => AggregateKind::Max,
        "group_concat" => AggregateKind::GroupConcat,
        "bit_and" => AggregateKind::BitAnd,
        "bit_or" => AggregateKind::BitOr,
        "bit_xor" => AggregateKind::BitXor,
        _ => return None,
    })
}

/// Type of the result of an aggregate.
fn aggregate_type(kind: AggregateKind, args: &[Expr]) -> ResultType {
    let first = args.first().map_or_else(ResultType::null, |a| a.ty().clone());
    let exact = first.is_integer() || first.tp == tp::NEW_DECIMAL;
    match kind {
        AggregateKind::Count => {
            ResultType { flag: ResultType::int().flag | flag::NOT_NULL, ..ResultType::int() }
        }
        AggregateKind::Sum if exact => {
            ResultType::decimal((first.flen + 22).clamp(1, 65), first.decimal.max(0))
        }
        AggregateKind::Avg if exact => {
            ResultType::decimal((first.flen + 4).clamp(1, 65), (first.decimal.max(0) + 4).min(30))
        }
        AggregateKind::Sum | AggregateKind::Avg => ResultType::double(),
        AggregateKind::Min | AggregateKind::Max => {
            ResultType { flag: first.flag & !(flag::NOT_NULL | flag::PRI_KEY), ..first }
        }
        AggregateKind::GroupConcat => ResultType::text(),
        AggregateKind::BitAnd | AggregateKind::BitOr | AggregateKind::BitXor => ResultType::uint(),
    }
}
