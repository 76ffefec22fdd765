//! Default values of columns.

use jiff::tz::TimeZone;
use tidb_codec::Datum;
use tidb_codec::field::flag;
use tidb_expr::{EvalContext, Result, SqlError, coerce, stored_default};

use crate::catalog::Column;
use crate::store::row::time_kind;

/// Text that stands for the time of the statement in a default.
pub(crate) const CURRENT_TIMESTAMP: &str = "CURRENT_TIMESTAMP";

/// The value that rows older than a column have.
///
/// # Errors
/// A stored default that cannot be read.
pub(crate) fn origin(column: &Column, zone: &TimeZone) -> Result<Datum> {
    stored_default::origin(&column.info, zone)
}

/// The value of a column that an INSERT leaves out; `None` when it has no default.
///
/// # Errors
/// A stored default that cannot be read.
pub(crate) fn current(column: &Column, cx: &EvalContext) -> Result<Option<Datum>> {
    let info = &column.info;
    if info.default_is_expr {
        return Err(SqlError::unsupported(format!("expression default of column '{}'", column.name())));
    }
    if info.default.as_str() == Some(CURRENT_TIMESTAMP) && column.ty.is_time() {
        return coerce::now(cx, time_kind(column), column.ty.fsp()).map(|t| Some(Datum::Time(t)));
    }
    if !info.default.is_null() || info.default_bit.is_some() {
        return stored_default::read(info, &info.default, info.default_bit.as_ref(), &cx.zone).map(Some);
    }
    Ok(if column.is_not_null() { None } else { Some(Datum::Null) })
}

/// Whether a column takes the statement's time at every UPDATE.
pub(crate) fn updates_now(column: &Column) -> bool {
    column.info.has_flag(flag::ON_UPDATE_NOW)
}

/// The zero value of a column's type.
pub(crate) fn zero(column: &Column) -> Datum {
    stored_default::zero(&column.info.field_type)
}
