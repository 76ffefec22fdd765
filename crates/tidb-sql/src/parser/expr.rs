//! Expressions by precedence: `OR`, `XOR`, `AND`, `NOT`, comparisons, predicates, bit and arithmetic operators.

use sqlparser::ast::{BinaryOperator, Expr, Ident, MemberOf, ObjectName, UnaryOperator};

use super::cursor::{Outcome, Parser};
use super::nodes;
use crate::lexer::{Symbol, TokenKind};

/// Binding strength of `|`.
const BIT_OR: u8 = 1;
/// Binding strength of `&`.
const BIT_AND: u8 = 2;
/// Binding strength of `<<` and `>>`.
const SHIFT: u8 = 3;
/// Binding strength of `+` and `-`.
const ADDITIVE: u8 = 4;
/// Binding strength of `*`, `/`, `%`, `DIV` and `MOD`.
const MULTIPLICATIVE: u8 = 5;
/// Binding strength of `^`.
const BIT_XOR: u8 = 6;

/// A node of two operands.
pub(super) fn binary(left: Box<Expr>, op: BinaryOperator, right: Box<Expr>) -> Box<Expr> {
    Box::new(Expr::BinaryOp { left, op, right })
}

/// A node of one operand.
fn unary(op: UnaryOperator, expr: Box<Expr>) -> Box<Expr> {
    Box::new(Expr::UnaryOp { op, expr })
}

/// A tree of one associative operator over operands, of least height.
#[allow(clippy::vec_box)] // the nodes are boxed already, and trees take boxes
fn balanced(mut operands: Vec<Box<Expr>>, op: &BinaryOperator) -> Option<Box<Expr>> {
    while operands.len() > 1 {
        let mut pairs = Vec::with_capacity(operands.len().div_ceil(2));
        let mut rest = operands.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => binary(left, op.clone(), right),
                None => left,
            });
        }
        operands = pairs;
    }
    operands.pop()
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expr(&mut self) -> Outcome<Expr> {
        if self.lone_literal()
            && let Some(literal) = self.literal()?
        {
            return Ok(literal);
        }
        self.expr_box().map(|expr| *expr)
    }

    /// Whether a literal is next that is a whole expression, as most are in `VALUES`: a shortcut past all the levels.
    fn lone_literal(&self) -> bool {
        let literal = matches!(
            self.kind(),
            TokenKind::Integer
                | TokenKind::Decimal
                | TokenKind::Float
                | TokenKind::Text
                | TokenKind::Hex
                | TokenKind::Bits
        );
        literal && (self.symbol_at(1, Symbol::Comma) || self.symbol_at(1, Symbol::RightParen))
    }

    /// An expression on the heap. The rules that lead back here pass boxes to each other, because every one of them
    /// would else hold several whole nodes on the stack.
    pub(super) fn expr_box(&mut self) -> Outcome<Box<Expr>> {
        self.nested(|p| {
            let outer = std::mem::take(&mut p.height);
            let expr = p.or_expr();
            let inner = p.height + 1;
            p.height = outer.max(inner);
            expr
        })
    }

    /// Expressions with commas between.
    pub(super) fn expr_list(&mut self) -> Outcome<Vec<Expr>> {
        self.comma_list(Self::expr)
    }

    /// `a OR b`, `a || b` (without `PIPES_AS_CONCAT`), `@v := e`.
    fn or_expr(&mut self) -> Outcome<Box<Expr>> {
        if self.kind() == TokenKind::UserVariable && self.symbol_at(1, Symbol::Assign) {
            let variable = self.primary()?;
            self.advance();
            let value = self.expr_box()?;
            self.grow()?;
            return Ok(binary(variable, BinaryOperator::Assignment, value));
        }
        let first = self.xor_expr()?;
        if !self.is_or() {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.is_or() {
            self.advance();
            operands.push(self.sibling(Self::xor_expr)?);
        }
        self.finish_chain(operands, &BinaryOperator::Or)
    }

    /// A further operand of a chain: the chain is as high as its highest operand.
    fn sibling(&mut self, rule: impl FnOnce(&mut Self) -> Outcome<Box<Expr>>) -> Outcome<Box<Expr>> {
        let before = std::mem::take(&mut self.height);
        let expr = rule(self)?;
        self.height = self.height.max(before);
        Ok(expr)
    }

    /// Whether an `OR` is next.
    fn is_or(&self) -> bool {
        self.is_keyword("OR") || (self.is_symbol(Symbol::DoublePipe) && !self.mode.pipes_as_concat)
    }

    /// Builds the tree of a chain and accounts for its height.
    #[allow(clippy::vec_box)] // as above
    fn finish_chain(&mut self, operands: Vec<Box<Expr>>, op: &BinaryOperator) -> Outcome<Box<Expr>> {
        for _ in 0..=operands.len().ilog2() {
            self.grow()?;
        }
        match balanced(operands, op) {
            Some(expr) => Ok(expr),
            None => self.unexpected(),
        }
    }

    /// `a XOR b`.
    fn xor_expr(&mut self) -> Outcome<Box<Expr>> {
        let first = self.and_expr()?;
        if !self.is_keyword("XOR") {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.eat("XOR") {
            operands.push(self.sibling(Self::and_expr)?);
        }
        self.finish_chain(operands, &BinaryOperator::Xor)
    }

    /// `a AND b`, `a && b`.
    fn and_expr(&mut self) -> Outcome<Box<Expr>> {
        let first = self.not_expr()?;
        if !self.is_and() {
            return Ok(first);
        }
        let mut operands = vec![first];
        while self.is_and() {
            self.advance();
            operands.push(self.sibling(Self::not_expr)?);
        }
        self.finish_chain(operands, &BinaryOperator::And)
    }

    /// Whether an `AND` is next.
    fn is_and(&self) -> bool {
        self.is_keyword("AND") || self.is_symbol(Symbol::DoubleAmpersand)
    }

    /// `NOT a`, then comparisons.
    fn not_expr(&mut self) -> Outcome<Box<Expr>> {
        if !self.is_keyword("NOT") || self.mode.high_not_precedence {
            return self.comparison();
        }
        self.advance();
        let expr = self.nested(Self::not_expr)?;
        self.grow()?;
        Ok(unary(UnaryOperator::Not, expr))
    }

    /// `a = b`, `a IS NULL`, `a > ANY (…)`.
    fn comparison(&mut self) -> Outcome<Box<Expr>> {
        let mut left = self.predicate()?;
        loop {
            if self.eat("IS") {
                left = self.is_test(left)?;
            } else if let Some(op) = self.comparison_operator() {
                self.advance();
                left = self.compared(left, op)?;
            } else {
                return Ok(left);
            }
            self.grow()?;
        }
    }

    /// The comparison operator that is next.
    fn comparison_operator(&self) -> Option<BinaryOperator> {
        let TokenKind::Symbol(symbol) = self.kind() else { return None };
        Some(match symbol {
            Symbol::Equal => BinaryOperator::Eq,
            Symbol::NullSafeEqual => BinaryOperator::Spaceship,
            Symbol::NotEqual => BinaryOperator::NotEq,
            Symbol::Less => BinaryOperator::Lt,
            Symbol::LessEqual => BinaryOperator::LtEq,
            Symbol::Greater => BinaryOperator::Gt,
            Symbol::GreaterEqual => BinaryOperator::GtEq,
            _ => return None,
        })
    }

    /// The right side of a comparison.
    fn compared(&mut self, left: Box<Expr>, op: BinaryOperator) -> Outcome<Box<Expr>> {
        let quantifier = if self.symbol_at(1, Symbol::LeftParen) && self.query_follows(2) {
            self.eat_one_of(&["ANY", "SOME", "ALL"])
        } else {
            None
        };
        if let Some(quantifier) = quantifier {
            let right = Box::new(Expr::Subquery(self.subquery()?));
            return Ok(Box::new(match quantifier {
                "ALL" => Expr::AllOp { left, compare_op: op, right },
                _ => Expr::AnyOp { left, compare_op: op, right, is_some: quantifier == "SOME" },
            }));
        }
        let right = if self.kind() == TokenKind::UserVariable && self.symbol_at(1, Symbol::Assign) {
            self.expr_box()?
        } else {
            self.predicate()?
        };
        Ok(binary(left, op, right))
    }

    /// What follows `IS`.
    fn is_test(&mut self, left: Box<Expr>) -> Outcome<Box<Expr>> {
        let negated = self.eat("NOT");
        Ok(Box::new(match (self.expect_one_of(&["NULL", "TRUE", "FALSE", "UNKNOWN"])?, negated) {
            ("NULL", false) => Expr::IsNull(left),
            ("NULL", true) => Expr::IsNotNull(left),
            ("TRUE", false) => Expr::IsTrue(left),
            ("TRUE", true) => Expr::IsNotTrue(left),
            ("FALSE", false) => Expr::IsFalse(left),
            ("FALSE", true) => Expr::IsNotFalse(left),
            (_, false) => Expr::IsUnknown(left),
            (_, true) => Expr::IsNotUnknown(left),
        }))
    }

    /// `a IN (…)`, `a BETWEEN b AND c`, `a LIKE b`, `a REGEXP b`, `a MEMBER OF (b)`.
    fn predicate(&mut self) -> Outcome<Box<Expr>> {
        let left = self.operators(BIT_OR)?;
        let negated = self.is_keyword("NOT");
        let next = usize::from(negated);
        let known = ["IN", "BETWEEN", "LIKE", "ILIKE", "REGEXP", "RLIKE"];
        let Some(keyword) = known.into_iter().find(|keyword| self.keyword_at(next, keyword)) else {
            return if negated { Ok(left) } else { self.member_of(left) };
        };
        for _ in 0..=next {
            self.advance();
        }
        self.grow()?;
        match keyword {
            "IN" => self.in_list(left, negated),
            "BETWEEN" => self.between(left, negated),
            "LIKE" | "ILIKE" => self.like(left, negated, keyword == "ILIKE"),
            _ => self.regexp(left, negated, keyword == "REGEXP"),
        }
    }

    /// What follows `REGEXP`.
    fn regexp(&mut self, expr: Box<Expr>, negated: bool, regexp: bool) -> Outcome<Box<Expr>> {
        let pattern = self.concatenated()?;
        Ok(Box::new(Expr::RLike { negated, expr, pattern, regexp }))
    }

    /// `MEMBER OF (array)`.
    fn member_of(&mut self, left: Box<Expr>) -> Outcome<Box<Expr>> {
        if !self.are_keywords(&["MEMBER", "OF"]) {
            return Ok(left);
        }
        self.advance();
        self.advance();
        self.grow()?;
        let array = self.parenthesized(Self::concatenated)?;
        Ok(Box::new(Expr::MemberOf(MemberOf { value: left, array })))
    }

    /// What follows `IN`.
    fn in_list(&mut self, expr: Box<Expr>, negated: bool) -> Outcome<Box<Expr>> {
        if self.is_symbol(Symbol::LeftParen) && self.query_follows(1) && self.holds_query() {
            let subquery = self.subquery()?;
            return Ok(Box::new(Expr::InSubquery { expr, subquery, negated }));
        }
        let list = self.paren_list(Self::expr)?;
        Ok(Box::new(Expr::InList { expr, list, negated }))
    }

    /// What follows `BETWEEN`.
    fn between(&mut self, expr: Box<Expr>, negated: bool) -> Outcome<Box<Expr>> {
        let low = self.operators(BIT_OR)?;
        self.expect("AND")?;
        let high = self.nested(Self::predicate)?;
        Ok(Box::new(Expr::Between { expr, negated, low, high }))
    }

    /// What follows `LIKE`.
    fn like(&mut self, expr: Box<Expr>, negated: bool, case_insensitive: bool) -> Outcome<Box<Expr>> {
        let pattern = self.concatenated()?;
        let escape_char = match self.eat("ESCAPE") {
            true => Some(Box::new(nodes::value(sqlparser::ast::Value::SingleQuotedString(self.string()?)))),
            false => None,
        };
        Ok(Box::new(match case_insensitive {
            true => Expr::ILike { negated, any: false, expr, pattern, escape_char },
            false => Expr::Like { negated, any: false, expr, pattern, escape_char },
        }))
    }

    /// Bit and arithmetic operators that bind at least so strongly.
    pub(super) fn operators(&mut self, strength: u8) -> Outcome<Box<Expr>> {
        let mut left = match self.leading_interval()? {
            Some(sum) => sum,
            None => self.concatenated()?,
        };
        while let Some((op, found)) = self.arithmetic_operator() {
            if found < strength {
                break;
            }
            self.advance();
            let right = match found == ADDITIVE && self.interval_follows() {
                true => self.interval()?,
                false => self.sibling(|p| p.operators(found + 1))?,
            };
            self.grow()?;
            left = binary(left, op, right);
        }
        Ok(left)
    }

    /// `INTERVAL n unit + date`.
    fn leading_interval(&mut self) -> Outcome<Option<Box<Expr>>> {
        if !self.interval_follows() {
            return Ok(None);
        }
        let interval = self.interval()?;
        self.expect_symbol(Symbol::Plus)?;
        let date = self.operators(ADDITIVE + 1)?;
        self.grow()?;
        Ok(Some(binary(interval, BinaryOperator::Plus, date)))
    }

    /// The bit or arithmetic operator that is next, with its strength.
    fn arithmetic_operator(&self) -> Option<(BinaryOperator, u8)> {
        Some(match self.kind() {
            TokenKind::Symbol(symbol) => match symbol {
                Symbol::Pipe => (BinaryOperator::BitwiseOr, BIT_OR),
                Symbol::Ampersand => (BinaryOperator::BitwiseAnd, BIT_AND),
                Symbol::ShiftLeft => (BinaryOperator::PGBitwiseShiftLeft, SHIFT),
                Symbol::ShiftRight => (BinaryOperator::PGBitwiseShiftRight, SHIFT),
                Symbol::Plus => (BinaryOperator::Plus, ADDITIVE),
                Symbol::Minus => (BinaryOperator::Minus, ADDITIVE),
                Symbol::Star => (BinaryOperator::Multiply, MULTIPLICATIVE),
                Symbol::Slash => (BinaryOperator::Divide, MULTIPLICATIVE),
                Symbol::Percent => (BinaryOperator::Modulo, MULTIPLICATIVE),
                Symbol::Caret => (BinaryOperator::BitwiseXor, BIT_XOR),
                _ => return None,
            },
            TokenKind::Word if self.is_keyword("DIV") => (BinaryOperator::MyIntegerDivide, MULTIPLICATIVE),
            TokenKind::Word if self.is_keyword("MOD") => (BinaryOperator::Modulo, MULTIPLICATIVE),
            _ => return None,
        })
    }

    /// `a || b` with `PIPES_AS_CONCAT`, which binds stronger than arithmetic.
    pub(super) fn concatenated(&mut self) -> Outcome<Box<Expr>> {
        let mut left = self.unary()?;
        while self.mode.pipes_as_concat && self.eat_symbol(Symbol::DoublePipe) {
            let right = self.unary()?;
            self.grow()?;
            left = binary(left, BinaryOperator::StringConcat, right);
        }
        Ok(left)
    }

    /// `-a`, `+a`, `~a`, `!a`, `BINARY a`, `a COLLATE c`.
    fn unary(&mut self) -> Outcome<Box<Expr>> {
        let op = match self.kind() {
            TokenKind::Symbol(Symbol::Minus) => UnaryOperator::Minus,
            TokenKind::Symbol(Symbol::Plus) => UnaryOperator::Plus,
            TokenKind::Symbol(Symbol::Tilde) => UnaryOperator::BitwiseNot,
            TokenKind::Symbol(Symbol::Bang) => UnaryOperator::BangNot,
            TokenKind::Word if self.mode.high_not_precedence && self.is_keyword("NOT") => {
                UnaryOperator::BangNot
            }
            TokenKind::Word if self.is_keyword("BINARY") => {
                self.advance();
                let expr = self.nested(Self::unary)?;
                self.grow()?;
                return Ok(crate::expression::binary_operator(expr));
            }
            _ => return self.collated(),
        };
        self.advance();
        let expr = self.nested(Self::unary)?;
        self.grow()?;
        Ok(unary(op, expr))
    }

    /// `a COLLATE c`.
    fn collated(&mut self) -> Outcome<Box<Expr>> {
        let mut expr = self.primary()?;
        while self.is_keyword("COLLATE") {
            expr = self.collation_suffix(expr)?;
        }
        Ok(expr)
    }

    /// `COLLATE c` behind an operand.
    fn collation_suffix(&mut self, expr: Box<Expr>) -> Outcome<Box<Expr>> {
        self.advance();
        let collation = ObjectName::from(vec![Ident::new(self.collation_name()?)]);
        self.grow()?;
        Ok(Box::new(Expr::Collate { expr, collation }))
    }
}
