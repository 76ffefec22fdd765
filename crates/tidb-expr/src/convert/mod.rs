//! Conversion of a value to a column's type when it is written.
//!
//! In strict mode a value that does not fit ends the statement; else the nearest value that fits is taken and a
//! warning given.

mod number;
mod text;
mod time;

use tidb_codec::field::{FieldType, tp};

use tidb_codec::{Datum, Json};

use crate::error::{Result, SqlError};
use crate::{EvalContext, Level, ResultType, coerce, json_value};

pub use number::LITERAL_BITS;

/// What a conversion is for: names the column in messages.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Column name.
    pub name: &'a str,
    /// Column type.
    pub field: &'a FieldType,
    /// Number of the row in its statement, from 1.
    pub row: usize,
}

impl Target<'_> {
    /// 1264: outside the column's range.
    fn out_of_range(&self) -> SqlError {
        SqlError::new(1264, format!("Out of range value for column '{}' at row {}", self.name, self.row))
    }

    /// 1265: part of the value is lost.
    fn truncated(&self) -> SqlError {
        SqlError::new(1265, format!("Data truncated for column '{}' at row {}", self.name, self.row))
    }

    /// 1406: longer than the column.
    fn too_long(&self) -> SqlError {
        SqlError::new(1406, format!("Data too long for column '{}' at row {}", self.name, self.row))
    }

    /// 1366: not a value of the kind.
    fn incorrect(&self, kind: &str, value: &str) -> SqlError {
        SqlError::new(
            1366,
            format!("Incorrect {kind} value: '{value}' for column '{}' at row {}", self.name, self.row),
        )
    }

    /// 1292: not a time.
    fn incorrect_time(&self, kind: &str, value: &str) -> SqlError {
        SqlError::new(
            1292,
            format!("Incorrect {kind} value: '{value}' for column '{}' at row {}", self.name, self.row),
        )
    }
}

/// Converts a value to a column's type; NULL stays NULL (whether the column takes it is checked elsewhere).
///
/// # Errors
/// In strict mode whatever does not fit; in any mode JSON text that is none.
pub fn to_column(value: Datum, from: &ResultType, target: Target<'_>, cx: &EvalContext) -> Result<Datum> {
    let field = target.field;
    match (&value, field.tp) {
        (Datum::Null, _) => Ok(Datum::Null),
        (_, tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG) => {
            number::integer(&value, from, target, cx)
        }
        (_, tp::YEAR) => number::year(&value, from, target, cx),
        (_, tp::BIT) => number::bit(&value, from, target, cx),
        (_, tp::FLOAT | tp::DOUBLE) => number::float(&value, from, target, cx),
        (_, tp::NEW_DECIMAL) => number::decimal(&value, from, target, cx),
        (_, tp::DATE | tp::NEW_DATE | tp::DATETIME | tp::TIMESTAMP) => {
            time::date_time(&value, from, target, cx)
        }
        (_, tp::DURATION) => time::duration(&value, from, target, cx),
        (_, tp::ENUM) => text::enumeration(&value, from, target, cx),
        (_, tp::SET) => text::set(&value, from, target, cx),
        (_, tp::JSON) => json(&value, from, target),
        _ if field.is_string() => text::string(value, from, target, cx),
        _ => Err(SqlError::unsupported(format!("columns of type code {}", field.tp))),
    }
}

/// JSON columns: text is parsed, everything else becomes a JSON value.
fn json(value: &Datum, from: &ResultType, target: Target<'_>) -> Result<Datum> {
    match value {
        Datum::Json(v) => Ok(Datum::Json(v.clone())),
        Datum::Bytes(_) if from.collation.is_binary() && from.is_string() => {
            Err(SqlError::new(3144, "Cannot create a JSON value from a string with CHARACTER SET 'binary'."))
        }
        Datum::Bytes(_) => {
            let source = coerce::string(value, from).unwrap_or_default();
            Json::parse(&source).map(Datum::Json).map_err(|e| {
                SqlError::new(3140, format!("Invalid JSON text: {e} for column '{}'", target.name))
            })
        }
        other => json_value::from_datum(other, from).map(Datum::Json),
    }
}

/// A cast in an expression: as [`to_column`], but never an error for values that do not fit.
pub fn cast(value: Datum, from: &ResultType, ty: &ResultType, cx: &EvalContext) -> Result<Datum> {
    let field = ty.to_field();
    let lenient = Lenient::of(cx);
    let result = to_column(value, from, Target { name: "", field: &field, row: 1 }, &lenient.0)?;
    for warning in lenient.0.take_warnings() {
        cx.warn(Level::Warning, &SqlError::new(1292, warning.message.replace(" for column '' at row 1", "")));
    }
    Ok(result)
}

/// A context whose bad values are warnings.
struct Lenient(EvalContext);

impl Lenient {
    /// A context like this one in which bad values are warnings.
    fn of(cx: &EvalContext) -> Self {
        let mut mode = cx.mode;
        mode.strict = false;
        Self(EvalContext::new(cx.now, cx.zone.clone(), mode, Default::default()))
    }
}
