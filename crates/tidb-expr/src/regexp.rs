//! `REGEXP`: regular expressions of RE2's kind, as in TiDB.

use regex::{Regex, RegexBuilder};
use tidb_codec::Datum;

use crate::error::{Result, SqlError};
use crate::eval::EvalContext;
use crate::operators::arg;
use crate::tree::Expr;
use crate::{coerce, compare};

/// Largest compiled pattern, bytes: patterns come from outside.
const SIZE_LIMIT: usize = 1 << 20;

/// Compiles a pattern.
fn compile(pattern: &str, args: &[Expr]) -> Result<Regex> {
    let (text, source) = (arg(args, 0)?, arg(args, 1)?);
    let folds = !compare::common_collation(text, source).keeps_case();
    RegexBuilder::new(pattern)
        .case_insensitive(folds)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|e| SqlError::new(3692, format!("Invalid regexp pattern '{pattern}': {e}")))
}

/// The pattern of `text REGEXP pattern` if it is a constant.
///
/// # Errors
/// 3692 for a pattern that is none.
pub(crate) fn fixed_pattern(args: &[Expr]) -> Result<Option<Regex>> {
    match args {
        [_, Expr::Const { value, ty }] if !value.is_null() => {
            let pattern = coerce::string(value, ty).unwrap_or_default();
            compile(&pattern, args).map(Some)
        }
        _ => Ok(None),
    }
}

/// Whether the text has a part that matches; NULL if either is.
///
/// # Errors
/// What the operands refuse, and a pattern that is none.
pub(crate) fn matches(
    args: &[Expr],
    compiled: Option<&Regex>,
    row: &[Datum],
    cx: &EvalContext,
) -> Result<Datum> {
    let (text, pattern) = (arg(args, 0)?, arg(args, 1)?);
    let value = text.eval_ref(row, cx)?;
    let Some(value) = coerce::text(&value, text.ty()) else { return Ok(Datum::Null) };
    let value = String::from_utf8_lossy(&value);
    let found = match compiled {
        Some(regex) => regex.is_match(&value),
        None => match coerce::string(&*pattern.eval_ref(row, cx)?, pattern.ty()) {
            Some(pattern) => compile(&pattern, args)?.is_match(&value),
            None => return Ok(Datum::Null),
        },
    };
    Ok(Datum::Int(i64::from(found)))
}
