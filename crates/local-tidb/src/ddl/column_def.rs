//! From a column as written to a column as stored.

use serde_json::Value;
use sqlparser::ast::{Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArguments, Value as Literal};
use tidb_codec::Datum;
use tidb_codec::field::{flag, tp};
use tidb_schema::{CIStr, ColumnInfo, SchemaState};
use tidb_sql::ddl::{ColumnDef, ColumnOption, PrimaryKeyKind, TypeName};

use super::column_type;
use crate::catalog::Column;
use crate::default_value::CURRENT_TIMESTAMP;
use tidb_expr::bind::{Binder, Scope, Variables};
use tidb_expr::collation::Collation;
use tidb_expr::convert::{self, Target};
use tidb_expr::{EvalContext, ResultType, coerce};
use tidb_expr::{Result, SqlError};

/// Version of the column structure that TiDB writes now.
const COLUMN_VERSION: u64 = 2;
/// Longest identifier in characters.
const MAX_NAME_LEN: usize = 64;

/// A key that a column's own options ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImpliedKey {
    /// `PRIMARY KEY`.
    Primary(Option<PrimaryKeyKind>),
    /// `UNIQUE`.
    Unique,
}

/// Names must not be empty, too long, or end in a space.
///
/// # Errors
/// 1059, 1166.
pub(crate) fn check_name(name: &str, code: u16, kind: &str) -> Result<()> {
    if name.chars().count() > MAX_NAME_LEN {
        return Err(SqlError::new(1059, format!("Identifier name '{name}' is too long")));
    }
    if name.is_empty() || name.ends_with(' ') || name.contains('\0') {
        return Err(SqlError::new(code, format!("Incorrect {kind} name '{name}'")));
    }
    Ok(())
}

/// Builds a column; the keys that its options ask for come with it.
///
/// # Errors
/// Whatever is wrong with the type, default or options; unsupported options by name.
pub(crate) fn build(
    def: &ColumnDef,
    collation: Collation,
    variables: &dyn Variables,
    cx: &EvalContext,
) -> Result<(ColumnInfo, Vec<ImpliedKey>)> {
    let name = def.name.name.clone();
    check_name(&name, 1166, "column")?;
    let collate = def.options.iter().find_map(|o| match o {
        ColumnOption::Collate(c) => Some(c.as_str()),
        _ => None,
    });
    let mut column = ColumnInfo {
        name: CIStr::new(name.clone()),
        field_type: column_type::field_type(&name, &def.column_type, collate, collation)?,
        state: SchemaState::PUBLIC,
        version: COLUMN_VERSION,
        ..ColumnInfo::default()
    };
    let mut keys = Vec::new();
    let mut default: Option<&Ast> = None;
    let mut nullable = false;
    for option in &def.options {
        match option {
            ColumnOption::PrimaryKey { kind, .. } => keys.push(ImpliedKey::Primary(*kind)),
            ColumnOption::Unique { .. } => keys.push(ImpliedKey::Unique),
            ColumnOption::NotNull => column.field_type.flag |= flag::NOT_NULL,
            ColumnOption::Null => nullable = true,
            ColumnOption::AutoIncrement => {
                if !column.field_type.is_integer() && !matches!(column.field_type.tp, tp::FLOAT | tp::DOUBLE)
                {
                    return Err(SqlError::new(
                        1063,
                        format!("Incorrect column specifier for column '{name}'"),
                    ));
                }
                column.field_type.flag |= flag::AUTO_INCREMENT | flag::NOT_NULL;
            }
            ColumnOption::Default(expr) => default = Some(expr),
            ColumnOption::OnUpdateNow(fsp) => {
                if !matches!(column.field_type.tp, tp::TIMESTAMP | tp::DATETIME)
                    || fsp.unwrap_or(0) != u64::from(column.field_type.fsp())
                {
                    return Err(SqlError::new(1294, format!("Invalid ON UPDATE clause for '{name}' column")));
                }
                column.field_type.flag |= flag::ON_UPDATE_NOW;
            }
            ColumnOption::Comment(text) => column.comment = text.clone(),
            ColumnOption::Collate(_) | ColumnOption::ColumnFormat(_) | ColumnOption::Storage(_) => {}
            ColumnOption::Generated(_) => return Err(SqlError::unsupported("generated columns")),
            ColumnOption::References(_) => return Err(SqlError::unsupported("REFERENCES of a column")),
            ColumnOption::Check { .. } => return Err(SqlError::unsupported("CHECK constraints")),
            ColumnOption::AutoRandom { .. } => return Err(SqlError::unsupported("AUTO_RANDOM")),
            ColumnOption::SecondaryEngineAttribute(_) => {
                return Err(SqlError::unsupported("SECONDARY_ENGINE_ATTRIBUTE"));
            }
        }
    }
    if nullable && keys.iter().any(|k| matches!(k, ImpliedKey::Primary(_))) {
        return Err(SqlError::new(
            1171,
            "All parts of a PRIMARY KEY must be NOT NULL; if you need NULL in a key, use UNIQUE instead",
        ));
    }
    if matches!(def.column_type.name, TypeName::Bit) && column.field_type.flen == 0 {
        column.field_type.flen = 1;
    }
    if keys.iter().any(|k| matches!(k, ImpliedKey::Primary(_))) {
        column.field_type.flag |= flag::NOT_NULL;
    }
    if let Some(expr) = default {
        set_default(&mut column, expr, variables, cx)?;
    } else {
        mark_missing_default(&mut column);
    }
    Ok((column, keys))
}

/// A NOT NULL column without a default carries a flag that says so.
pub(crate) fn mark_missing_default(column: &mut ColumnInfo) {
    let has_default = !column.default.is_null() || column.default_bit.is_some();
    if !has_default && column.is_not_null() && !column.has_flag(flag::AUTO_INCREMENT) {
        column.field_type.flag |= flag::NO_DEFAULT_VALUE;
    }
}

/// Sets a column's default from its expression.
///
/// # Errors
/// 1067, 1101, expressions.
pub(crate) fn set_default(
    column: &mut ColumnInfo,
    expr: &Ast,
    variables: &dyn Variables,
    cx: &EvalContext,
) -> Result<()> {
    let name = column.name.o.clone();
    let invalid = || SqlError::new(1067, format!("Invalid default value for '{name}'"));
    column.field_type.flag &= !flag::NO_DEFAULT_VALUE;
    if let Some(fsp) = current_timestamp(expr) {
        if !matches!(column.field_type.tp, tp::TIMESTAMP | tp::DATETIME)
            || fsp != i64::from(column.field_type.fsp())
        {
            return Err(invalid());
        }
        column.default = Value::String(CURRENT_TIMESTAMP.to_owned());
        return Ok(());
    }
    if matches!(expr, Ast::Function(_) | Ast::Nested(_)) {
        return Err(SqlError::unsupported(format!("expression default of column '{name}'")));
    }
    let (scope, mut subqueries) = (Scope::default(), Vec::new());
    let bound = Binder::new(&scope, variables, &[], &mut subqueries, "default").bind(expr)?;
    let value = bound.eval(&[], cx)?;
    if value.is_null() {
        if column.is_not_null() {
            return Err(invalid());
        }
        column.default = Value::Null;
        return Ok(());
    }
    if column.field_type.is_blob() || column.field_type.tp == tp::JSON {
        return Err(SqlError::new(
            1101,
            format!("BLOB/TEXT/JSON column '{name}' can't have a default value"),
        ));
    }
    let mut strict = EvalContext::new(cx.now, cx.zone.clone(), cx.mode, cx.facts.clone());
    strict.mode.strict = true;
    strict.writing = true;
    let target = Target { name: &name, field: &column.field_type, row: 1 };
    let converted = convert::to_column(value, bound.ty(), target, &strict).map_err(|_| invalid())?;
    store_default(column, &converted, cx)
}

/// Writes a converted default into the schema: text; a TIMESTAMP in UTC; BIT also as bytes.
fn store_default(column: &mut ColumnInfo, value: &Datum, cx: &EvalContext) -> Result<()> {
    let ty = ResultType::of_column(&column.field_type);
    let stored = match value {
        Datum::Time(time) if column.field_type.tp == tp::TIMESTAMP => {
            Datum::Time(time.to_utc_from(&cx.zone).map_err(coerce::codec)?)
        }
        other => other.clone(),
    };
    let bytes = coerce::text(&stored, &ty).map(|t| t.into_owned()).unwrap_or_default();
    if column.field_type.tp == tp::BIT {
        // TiDB keeps the significant bytes only.
        let zeros = bytes.iter().take_while(|b| **b == 0).count().min(bytes.len().saturating_sub(1));
        let significant = bytes.get(zeros..).unwrap_or_default().to_vec();
        column.default = Value::String(significant.iter().map(|b| char::from(*b)).collect());
        column.default_bit = Some(significant);
    } else {
        column.default = Value::String(String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(())
}

/// Fraction digits of `CURRENT_TIMESTAMP[(n)]`, if the expression is that.
fn current_timestamp(expr: &Ast) -> Option<i64> {
    let Ast::Function(f) = expr else { return None };
    if !f.name.to_string().eq_ignore_ascii_case(CURRENT_TIMESTAMP) {
        return None;
    }
    match &f.args {
        FunctionArguments::List(list) => match list.args.as_slice() {
            [] => Some(0),
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(Ast::Value(v)))] => match &v.value {
                Literal::Number(n, _) => n.parse().ok(),
                _ => None,
            },
            _ => None,
        },
        _ => Some(0),
    }
}

/// The default that rows older than an added column get: fixed now.
///
/// # Errors
/// A default that cannot be read back.
pub(crate) fn freeze_origin_default(column: &mut ColumnInfo, cx: &EvalContext) -> Result<()> {
    if column.default.as_str() == Some(CURRENT_TIMESTAMP) {
        let zone =
            if column.field_type.tp == tp::TIMESTAMP { jiff::tz::TimeZone::UTC } else { cx.zone.clone() };
        let there = EvalContext::new(cx.now, zone, cx.mode, cx.facts.clone());
        let now = coerce::now(&there, tidb_codec::TimeKind::DateTime, column.field_type.fsp())?;
        column.origin_default = Value::String(now.to_string());
    } else if column.default.is_null() && column.is_not_null() {
        let probe = Column { ty: ResultType::of_column(&column.field_type), info: column.clone() };
        let zero = crate::default_value::zero(&probe);
        let text = coerce::string(&zero, &probe.ty).unwrap_or_default();
        if column.field_type.tp == tp::BIT {
            column.origin_default = Value::String("\0".to_owned());
            column.origin_default_bit = Some(vec![0]);
        } else if column.field_type.tp != tp::JSON {
            column.origin_default = Value::String(text);
        }
    } else {
        column.origin_default = column.default.clone();
        column.origin_default_bit = column.default_bit.clone();
    }
    Ok(())
}
