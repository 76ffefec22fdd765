//! How MySQL's expressions map to `sqlparser`'s nodes.
//!
//! | MySQL | node |
//! |---|---|
//! | `'text'`, `"text"` | [`Value::SingleQuotedString`], escapes resolved; adjacent strings are joined |
//! | `N'text'` | [`Value::NationalStringLiteral`] |
//! | `_latin1'text'`, `_binary x'00'` | [`Expr::Prefixed`] with the introducer (`_latin1`) as prefix |
//! | `x'0aFF'`, `0x0aFF` | [`Value::HexStringLiteral`] with the digits as typed, an even number of them (`0xF` becomes `0F`) |
//! | `b'101'`, `0b101` | [`Value::SingleQuotedByteStringLiteral`] with the digits |
//! | `12`, `1.5`, `1e3` | [`Value::Number`] as typed |
//! | `TRUE`, `FALSE`, `NULL` | [`Value::Boolean`], [`Value::Null`] |
//! | `?` | [`Value::Placeholder`] holding `?1`, `?2`, … : the number of the placeholder in its statement, from 1 |
//! | `a`, `t.a`, `s.t.a` | [`Expr::Identifier`], [`Expr::CompoundIdentifier`] |
//! | `@v` | [`Expr::Identifier`] with the value `@v` and no quote |
//! | `@@x`, `@@global.x` | [`Expr::Identifier`] `@@x`, [`Expr::CompoundIdentifier`] of `@@global` and `x` |
//! | `@v := e` | [`Expr::BinaryOp`] with [`BinaryOperator::Assignment`] |
//! | `a OR b`, `a \|\| b` | [`BinaryOperator::Or`]; with `PIPES_AS_CONCAT` `\|\|` is [`BinaryOperator::StringConcat`] |
//! | `a AND b`, `a && b` | [`BinaryOperator::And`] |
//! | `a XOR b` | [`BinaryOperator::Xor`] |
//! | `NOT a`, `!a`, `~a`, `-a`, `+a` | [`UnaryOperator::Not`], `BangNot`, `BitwiseNot`, `Minus`, `Plus` |
//! | `a MOD b`, `a % b` | [`BinaryOperator::Modulo`] |
//! | `a DIV b` | [`BinaryOperator::MyIntegerDivide`] |
//! | `a ^ b`, `a << b`, `a >> b` | `BitwiseXor`, `PGBitwiseShiftLeft`, `PGBitwiseShiftRight` |
//! | `a <=> b` | [`BinaryOperator::Spaceship`] |
//! | `a REGEXP b`, `a RLIKE b` | [`Expr::RLike`] |
//! | `a MEMBER OF (b)` | [`Expr::MemberOf`] |
//! | `a -> '$.x'`, `a ->> '$.x'` | [`BinaryOperator::Arrow`], [`BinaryOperator::LongArrow`] |
//! | `BINARY a` | [`Expr::Cast`] to `BINARY` that [`is_binary_operator`] recognises |
//! | `CAST(a AS t)`, `CONVERT(a, t)`, `CONVERT(a USING c)` | [`Expr::Cast`], [`Expr::Convert`] |
//! | `(a)`, `(a, b)`, `ROW(a, b)` | [`Expr::Nested`], [`Expr::Tuple`] |
//! | `DATE '2024-01-01'`, `TIME '…'`, `TIMESTAMP '…'` | [`Expr::TypedString`] |
//! | `INTERVAL 1 DAY` | [`Expr::Interval`] with the unit; only next to `+`, `-` and in date functions |
//! | `DEFAULT`, `DEFAULT(a)` | [`Expr::Identifier`] `DEFAULT` unquoted, a function `DEFAULT` |
//! | `VALUES(a)` | a function `VALUES` |
//! | `TIMESTAMPADD(DAY, 1, a)` and other functions with a unit | a function whose first argument is the identifier `DAY` |
//! | `CURRENT_TIMESTAMP`, `CURRENT_DATE` … without parentheses | [`Expr::Function`] with [`FunctionArguments::None`] |
//!
//! Chains of `AND`, `OR`, `XOR`, `UNION` and `INTERSECT` are built as balanced trees, so that long ones are not deep: an
//! operand's place in the text is its place in the in-order walk of the tree. Deeper trees than the parser's limits
//! are never made.
//!
//! Queries:
//!
//! | MySQL | node |
//! |---|---|
//! | `FROM a, b` | several elements of `Select::from`; inside parentheses and in `UPDATE` a `CROSS JOIN` without condition |
//! | `FROM DUAL` | an empty `Select::from` |
//! | `JOIN`, `INNER JOIN`, `CROSS JOIN` | `JoinOperator::Join`, `Inner`, `CrossJoin`, each with or without a condition |
//! | `NATURAL [LEFT \| RIGHT] JOIN` | `Join`, `Left` or `Right` with `JoinConstraint::Natural` |
//! | `STRAIGHT_JOIN` | `JoinOperator::StraightJoin` |
//! | `t AS OF TIMESTAMP e` | `TableVersion::TimestampAsOf` |
//! | `(query)` as a query block | `SetExpr::Query` |
//! | `VALUES ROW(…)` | `SetExpr::Values` with `explicit_row` |
//! | `GROUP BY … WITH ROLLUP` | `GroupByWithModifier::Rollup` |
//! | `FOR UPDATE OF a, b` | one `LockClause` per table |
//! | `LOCK IN SHARE MODE` | a `LockClause` of `LockType::Share` |
//! | `FOR UPDATE WAIT n` | `Query::settings` with the key `lock_wait_seconds` |
//! | `INTO OUTFILE 'x' …` | `Query::settings` with the keys `into_outfile` and `outfile_format` (as typed) |
//! | `INTO @a, @b` | `Select::into` with identifiers as targets |
//! | `COUNT(*)` | a function with `FunctionArgExpr::Wildcard` |
//! | `GROUP_CONCAT(… ORDER BY … SEPARATOR 'x')` | `FunctionArgumentClause`s |
//! | `CHAR(65 USING utf8)`, `WEIGHT_STRING(a AS CHAR(3))` | a named argument `USING`, `CHAR` or `BINARY` behind the others |
//!
//! [`Value::SingleQuotedString`]: sqlparser::ast::Value::SingleQuotedString
//! [`Value::NationalStringLiteral`]: sqlparser::ast::Value::NationalStringLiteral
//! [`Value::HexStringLiteral`]: sqlparser::ast::Value::HexStringLiteral
//! [`Value::SingleQuotedByteStringLiteral`]: sqlparser::ast::Value::SingleQuotedByteStringLiteral
//! [`Value::Number`]: sqlparser::ast::Value::Number
//! [`Value::Boolean`]: sqlparser::ast::Value::Boolean
//! [`Value::Null`]: sqlparser::ast::Value::Null
//! [`Value::Placeholder`]: sqlparser::ast::Value::Placeholder
//! [`FunctionArguments::None`]: sqlparser::ast::FunctionArguments::None
//! [`UnaryOperator::Not`]: sqlparser::ast::UnaryOperator::Not
//! [`BinaryOperator`]: sqlparser::ast::BinaryOperator
//! [`BinaryOperator::Assignment`]: sqlparser::ast::BinaryOperator::Assignment
//! [`BinaryOperator::Or`]: sqlparser::ast::BinaryOperator::Or
//! [`BinaryOperator::And`]: sqlparser::ast::BinaryOperator::And
//! [`BinaryOperator::Xor`]: sqlparser::ast::BinaryOperator::Xor
//! [`BinaryOperator::StringConcat`]: sqlparser::ast::BinaryOperator::StringConcat
//! [`BinaryOperator::Modulo`]: sqlparser::ast::BinaryOperator::Modulo
//! [`BinaryOperator::MyIntegerDivide`]: sqlparser::ast::BinaryOperator::MyIntegerDivide
//! [`BinaryOperator::Spaceship`]: sqlparser::ast::BinaryOperator::Spaceship
//! [`BinaryOperator::Arrow`]: sqlparser::ast::BinaryOperator::Arrow
//! [`BinaryOperator::LongArrow`]: sqlparser::ast::BinaryOperator::LongArrow

use sqlparser::ast::{CastKind, DataType, Expr};

/// Tells the operator `BINARY a` from `CAST(a AS BINARY)`: the operator is a cast of the kind that no cast function
/// makes.
pub fn is_binary_operator(expr: &Expr) -> bool {
    matches!(expr, Expr::Cast { kind: CastKind::DoubleColon, data_type: DataType::Binary(None), .. })
}

/// Builds the operator `BINARY a`.
pub(crate) fn binary_operator(expr: Box<Expr>) -> Box<Expr> {
    Box::new(Expr::Cast {
        kind: CastKind::DoubleColon,
        expr,
        data_type: DataType::Binary(None),
        format: None,
    })
}
