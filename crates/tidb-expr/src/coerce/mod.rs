//! Reading a value as another kind, the way MySQL does it for the arguments of functions and operators.

mod number;
mod text;
mod time;

use tidb_codec::{Datum, Json};

use super::result_type::ResultType;
use crate::error::{Result, SqlError};

pub use number::{Integer, decimal, decimal_to_integer, double, int, integer, number_prefix, truth};
pub use text::{string, text};
pub use time::{duration, duration_today, now, time};

/// A codec failure as an error of an expression.
pub fn codec(error: tidb_codec::CodecError) -> SqlError {
    use tidb_codec::CodecError;
    match error {
        CodecError::IncorrectValue { kind, text } => SqlError::incorrect_value(kind, &text),
        CodecError::OutOfRange { kind, value } => SqlError::out_of_range(&kind.to_uppercase(), &value),
        other => SqlError::internal(other),
    }
}

/// The value as JSON: text is parsed.
///
/// # Errors
/// 3140 for text that is no JSON.
pub fn json_document(value: &Datum, ty: &ResultType, function: &str) -> Result<Option<Json>> {
    match value {
        Datum::Null => Ok(None),
        Datum::Json(v) => Ok(Some(v.clone())),
        other => {
            let source = string(other, ty).unwrap_or_default();
            Json::parse(&source)
                .map(Some)
                .map_err(|e| SqlError::new(3140, format!("Invalid JSON text: {e} (in {function})")))
        }
    }
}
