//! Built-in functions, by name.

mod control;
mod date_format;
mod dates;
mod info;
mod json;
mod math;
mod text;
mod text_code;
mod text_search;
mod unix_time;

use std::borrow::Cow;

use tidb_codec::{Datum, Decimal, Time, TimeKind};

use super::coerce::{self, Integer};
use super::eval::EvalContext;
use super::result_type::ResultType;
use super::tree::Expr;
use crate::error::{Result, SqlError};

/// A call: a function's unevaluated arguments and everything they depend on.
pub struct Call<'a> {
    /// Arguments.
    pub args: &'a [Expr],
    /// Current row.
    pub row: &'a [Datum],
    /// The rest.
    pub cx: &'a EvalContext,
    /// Type that the call was given.
    pub ty: &'a ResultType,
}

/// A named function.
#[derive(Debug)]
pub struct Builtin {
    /// Lower-case name.
    pub name: &'static str,
    /// Fewest arguments.
    min: usize,
    /// Most arguments.
    max: usize,
    /// Two calls with the same arguments may differ.
    pub varies: bool,
    /// Type of the result.
    ty: fn(&[Expr]) -> ResultType,
    /// What computes it.
    pub eval: fn(&Call<'_>) -> Result<Datum>,
}

/// Any number of arguments.
const MANY: usize = usize::MAX;

/// An entry of a table of functions.
const fn function(
    name: &'static str,
    min: usize,
    max: usize,
    ty: fn(&[Expr]) -> ResultType,
    eval: fn(&Call<'_>) -> Result<Datum>,
) -> Builtin {
    Builtin { name, min, max, varies: false, ty, eval }
}

/// A function whose results differ from call to call.
const fn varying(
    name: &'static str,
    min: usize,
    max: usize,
    ty: fn(&[Expr]) -> ResultType,
    eval: fn(&Call<'_>) -> Result<Datum>,
) -> Builtin {
    Builtin { name, min, max, varies: true, ty, eval }
}

/// Finds a function; `name` in lower case.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    let tables = [
        control::TABLE,
        text::TABLE,
        text_code::TABLE,
        text_search::TABLE,
        math::TABLE,
        dates::TABLE,
        date_format::TABLE,
        unix_time::TABLE,
        json::TABLE,
        info::TABLE,
    ];
    tables.into_iter().flatten().find(|f| f.name == name)
}

/// Builds a call.
///
/// # Errors
/// 1305 for an unknown function, 1582 for a wrong number of arguments.
pub(crate) fn call(name: &str, args: Vec<Expr>) -> Result<Expr> {
    let lower = name.to_ascii_lowercase();
    let function =
        find(&lower).ok_or_else(|| SqlError::new(1305, format!("FUNCTION {name} does not exist")))?;
    if args.len() < function.min || args.len() > function.max {
        return Err(SqlError::new(
            1582,
            format!("Incorrect parameter count in the call to native function '{lower}'"),
        ));
    }
    let ty = (function.ty)(&args);
    Ok(Expr::Builtin { function, args, ty })
}

impl<'a> Call<'a> {
    /// The argument at a position.
    fn arg(&self, at: usize) -> Result<&'a Expr> {
        self.args.get(at).ok_or_else(|| SqlError::internal("missing argument"))
    }

    /// Whether an argument was given.
    fn has(&self, at: usize) -> bool {
        at < self.args.len()
    }

    /// An argument's value.
    fn value(&self, at: usize) -> Result<Datum> {
        self.arg(at)?.eval(self.row, self.cx)
    }

    /// An argument as bytes of text.
    fn bytes(&self, at: usize) -> Result<Option<Vec<u8>>> {
        let value = self.value(at)?;
        if let Datum::Bytes(bytes) = value {
            return Ok(Some(bytes));
        }
        Ok(coerce::text(&value, self.arg(at)?.ty()).map(Cow::into_owned))
    }

    /// An argument as UTF-8 text.
    fn string(&self, at: usize) -> Result<Option<String>> {
        Ok(self.bytes(at)?.map(|b| String::from_utf8_lossy(&b).into_owned()))
    }

    /// An argument as a whole number.
    fn int(&self, at: usize) -> Result<Option<i64>> {
        coerce::int(&self.value(at)?, self.arg(at)?.ty(), self.cx)
    }

    /// An argument as a whole number of either sign convention.
    fn integer(&self, at: usize) -> Result<Option<Integer>> {
        coerce::integer(&self.value(at)?, self.arg(at)?.ty(), self.cx)
    }

    /// An argument as a double.
    fn double(&self, at: usize) -> Result<Option<f64>> {
        coerce::double(&self.value(at)?, self.arg(at)?.ty(), self.cx)
    }

    /// An argument as a decimal.
    fn decimal(&self, at: usize) -> Result<Option<Decimal>> {
        coerce::decimal(&self.value(at)?, self.arg(at)?.ty(), self.cx)
    }

    /// An argument as a date and time.
    fn time(&self, at: usize) -> Result<Option<Time>> {
        let value = self.value(at)?;
        let (kind, fsp) = match &value {
            Datum::Time(t) => (t.kind(), t.fsp()),
            Datum::Bytes(text) => (TimeKind::DateTime, fraction_digits(text)),
            Datum::Duration(d) => (TimeKind::DateTime, d.fsp()),
            _ => (TimeKind::DateTime, 0),
        };
        coerce::time(&value, self.arg(at)?.ty(), kind, fsp, self.cx)
    }
}

/// Digits behind the last point of a time's text.
pub(crate) fn fraction_digits(text: &[u8]) -> u8 {
    let Some(point) = text.iter().rposition(|b| *b == b'.') else { return 0 };
    let digits = text.iter().skip(point + 1).take_while(|b| b.is_ascii_digit()).count();
    u8::try_from(digits.min(6)).unwrap_or(6)
}

pub(crate) use text_code::unhex_text;

/// Text result, or NULL.
fn text_or_null(value: Option<Vec<u8>>) -> Datum {
    value.map_or(Datum::Null, Datum::Bytes)
}

/// Number result, or NULL.
fn int_or_null(value: Option<i64>) -> Datum {
    value.map_or(Datum::Null, Datum::Int)
}

/// A whole number.
fn int_type(_: &[Expr]) -> ResultType {
    ResultType::int()
}

/// An unsigned whole number.
fn uint_type(_: &[Expr]) -> ResultType {
    ResultType::uint()
}

/// A double.
fn double_type(_: &[Expr]) -> ResultType {
    ResultType::double()
}

/// Text.
fn text_type(_: &[Expr]) -> ResultType {
    ResultType::text()
}

/// A byte string.
fn bytes_type(_: &[Expr]) -> ResultType {
    ResultType::bytes()
}

/// JSON.
fn json_type(_: &[Expr]) -> ResultType {
    ResultType::json()
}

/// Type of the first argument.
fn first_type(args: &[Expr]) -> ResultType {
    args.first().map_or_else(ResultType::null, |a| a.ty().clone())
}

/// Text as long and in the collation of the first text argument.
fn like_text_type(args: &[Expr]) -> ResultType {
    let binary = args.iter().any(|a| a.ty().is_string() && a.ty().collation.is_binary());
    if binary {
        return ResultType::bytes();
    }
    let collation = args.iter().find(|a| a.ty().is_string()).map(|a| a.ty().collation);
    let flen = args.iter().map(|a| a.ty().flen.max(0)).fold(0i64, i64::saturating_add);
    ResultType::text_of(flen, collation.unwrap_or_else(crate::collation::utf8mb4_bin))
}

/// The common type of all arguments from a position on.
fn merged_type(args: &[Expr]) -> ResultType {
    args.iter().fold(ResultType::null(), |ty, a| ty.merge(a.ty()))
}
