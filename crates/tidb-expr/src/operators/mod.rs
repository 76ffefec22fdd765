//! Logic, comparison, arithmetic and bit operators.

mod alternative;
mod arithmetic;
mod bits;
mod comparison;
mod division;
mod logic;

use tidb_codec::Datum;

use super::tree::Expr;
use crate::error::{Result, SqlError};

pub use alternative::{adapt, adapt_value, case_when};
pub use arithmetic::{add, arithmetic_type, multiply, negate, subtract};
pub use bits::{bit_and, bit_not, bit_or, bit_xor, shift_left, shift_right};
pub use comparison::{eq, ge, gt, in_list, le, like, lt, ne, null_safe_eq};
pub use division::{divide, int_divide, modulo};
pub use logic::{and, is_false, is_null, is_true, not, or, xor};

/// A truth value as SQL has it: 1, 0 or NULL.
fn boolean(value: Option<bool>) -> Datum {
    value.map_or(Datum::Null, |v| Datum::Int(i64::from(v)))
}

/// The argument at a position; functions are only built with as many as they take.
pub fn arg(args: &[Expr], at: usize) -> Result<&Expr> {
    args.get(at).ok_or_else(|| SqlError::internal("missing argument"))
}
