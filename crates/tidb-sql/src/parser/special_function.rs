//! Functions with a syntax of their own.

use sqlparser::ast::{
    CastKind, CharacterLength, DataType, ExactNumberInfo, Expr, ExtractSyntax, Ident, ObjectName,
    TimezoneInfo, TrimWhereField,
};

use super::cursor::{Outcome, Parser};
use super::function::named_argument;
use super::nodes;
use crate::lexer::Symbol;

impl Parser<'_> {
    /// `CAST(a AS type)`.
    pub(super) fn cast(&mut self) -> Outcome<Box<Expr>> {
        self.advance();
        self.expect_symbol(Symbol::LeftParen)?;
        let expr = self.expr_box()?;
        self.expect("AS")?;
        let mut data_type = self.cast_type()?;
        if self.eat("ARRAY") {
            data_type =
                DataType::Array(sqlparser::ast::ArrayElemTypeDef::SquareBracket(Box::new(data_type), None));
        }
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None }))
    }

    /// `CONVERT(a, type)`, `CONVERT(a USING charset)`.
    pub(super) fn convert(&mut self) -> Outcome<Box<Expr>> {
        self.advance();
        self.expect_symbol(Symbol::LeftParen)?;
        let expr = self.expr_box()?;
        let (mut data_type, mut charset) = (None, None);
        if self.eat("USING") {
            charset = Some(ObjectName::from(vec![Ident::new(self.charset_name()?)]));
        } else {
            self.expect_symbol(Symbol::Comma)?;
            data_type = Some(self.cast_type()?);
        }
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Convert {
            is_try: false,
            expr,
            data_type,
            charset,
            target_before_value: false,
            styles: Vec::new(),
        }))
    }

    /// A type that values can be cast to.
    pub(super) fn cast_type(&mut self) -> Outcome<DataType> {
        const TYPES: [&str; 15] = [
            "BINARY",
            "CHAR",
            "CHARACTER",
            "DATE",
            "DATETIME",
            "DECIMAL",
            "TIME",
            "SIGNED",
            "UNSIGNED",
            "JSON",
            "DOUBLE",
            "FLOAT",
            "REAL",
            "YEAR",
            "VECTOR",
        ];
        let name = self.expect_one_of(&TYPES)?;
        Ok(match name {
            "BINARY" => DataType::Binary(self.optional_length()?),
            "CHAR" | "CHARACTER" => self.cast_char()?,
            "DATE" => DataType::Date,
            "DATETIME" => DataType::Datetime(self.optional_length()?),
            "TIME" => DataType::Time(self.optional_length()?, TimezoneInfo::None),
            "DECIMAL" => DataType::Decimal(self.optional_precision()?),
            "SIGNED" => {
                let _ = self.eat_one_of(&["INTEGER", "INT"]);
                DataType::Signed
            }
            "UNSIGNED" => {
                let _ = self.eat_one_of(&["INTEGER", "INT"]);
                DataType::Unsigned
            }
            "JSON" => DataType::JSON,
            "REAL" if self.mode.real_as_float => DataType::Float(ExactNumberInfo::None),
            "DOUBLE" | "REAL" => {
                self.eat("PRECISION");
                DataType::Double(ExactNumberInfo::None)
            }
            "FLOAT" => DataType::Float(self.optional_precision()?),
            "VECTOR" => DataType::Custom(
                ObjectName::from(vec![Ident::new("VECTOR")]),
                self.optional_length()?.iter().map(u64::to_string).collect(),
            ),
            _ => DataType::Custom(ObjectName::from(vec![Ident::new("YEAR")]), Vec::new()),
        })
    }

    /// `CHAR[(n)] [CHARACTER SET c]` of a cast; a charset makes it a custom type `CHAR` with length and charset.
    pub(super) fn cast_char(&mut self) -> Outcome<DataType> {
        let length = self.optional_length()?;
        let binary = self.eat("BINARY");
        let charset = if self.eat_charset_keyword() { Some(self.charset_name()?) } else { None };
        let binary = binary || self.eat("BINARY");
        if charset.is_none() && !binary {
            return Ok(DataType::Char(
                length.map(|length| CharacterLength::IntegerLength { length, unit: None }),
            ));
        }
        let mut details =
            vec![length.map(|l| l.to_string()).unwrap_or_default(), charset.unwrap_or_default()];
        if binary {
            details.push("BINARY".to_owned());
        }
        Ok(DataType::Custom(ObjectName::from(vec![Ident::new("CHAR")]), details))
    }

    /// `(n)`.
    pub(super) fn optional_length(&mut self) -> Outcome<Option<u64>> {
        if self.is_symbol(Symbol::LeftParen) { self.parenthesized(Self::number).map(Some) } else { Ok(None) }
    }

    /// `(p[, s])`.
    pub(super) fn optional_precision(&mut self) -> Outcome<ExactNumberInfo> {
        if !self.eat_symbol(Symbol::LeftParen) {
            return Ok(ExactNumberInfo::None);
        }
        let precision = self.number()?;
        let scale = if self.eat_symbol(Symbol::Comma) { Some(self.number()?) } else { None };
        self.expect_symbol(Symbol::RightParen)?;
        Ok(match scale.and_then(|scale| i64::try_from(scale).ok()) {
            Some(scale) => ExactNumberInfo::PrecisionAndScale(precision, scale),
            None => ExactNumberInfo::Precision(precision),
        })
    }

    /// `EXTRACT(unit FROM a)`.
    pub(super) fn extract(&mut self) -> Outcome<Box<Expr>> {
        self.advance();
        self.expect_symbol(Symbol::LeftParen)?;
        let field = self.time_unit()?;
        self.expect("FROM")?;
        let expr = self.expr_box()?;
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Extract { field, syntax: ExtractSyntax::From, expr }))
    }

    /// `POSITION(a IN b)`.
    pub(super) fn position_of(&mut self) -> Outcome<Box<Expr>> {
        self.advance();
        self.expect_symbol(Symbol::LeftParen)?;
        let expr = self.operators(0)?;
        self.expect("IN")?;
        let within = self.expr_box()?;
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Position { expr, r#in: within }))
    }

    /// `SUBSTRING(a, b[, c])`, `SUBSTRING(a FROM b [FOR c])`.
    pub(super) fn substring(&mut self) -> Outcome<Box<Expr>> {
        let shorthand = self.is_keyword("SUBSTR");
        self.advance();
        self.expect_symbol(Symbol::LeftParen)?;
        let expr = self.expr_box()?;
        let special = self.eat_symbol(Symbol::Comma);
        if !special {
            self.expect("FROM")?;
        }
        let substring_from = Some(self.expr_box()?);
        let more = if special { self.eat_symbol(Symbol::Comma) } else { self.eat("FOR") };
        let substring_for = if more { Some(self.expr_box()?) } else { None };
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Substring { expr, substring_from, substring_for, special, shorthand }))
    }

    /// `TRIM([BOTH | LEADING | TRAILING] [what] FROM a)`, `TRIM(a)`.
    pub(super) fn trim(&mut self) -> Outcome<Box<Expr>> {
        self.advance();
        self.expect_symbol(Symbol::LeftParen)?;
        let trim_where = self.eat_one_of(&["BOTH", "LEADING", "TRAILING"]).map(|keyword| match keyword {
            "BOTH" => TrimWhereField::Both,
            "LEADING" => TrimWhereField::Leading,
            _ => TrimWhereField::Trailing,
        });
        let first =
            if trim_where.is_some() && self.is_keyword("FROM") { None } else { Some(self.expr_box()?) };
        let (trim_what, expr) = match first {
            Some(first) if trim_where.is_none() && !self.is_keyword("FROM") => (None, first),
            what => {
                self.expect("FROM")?;
                (what, self.expr_box()?)
            }
        };
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Trim { trim_where, trim_what, expr, trim_characters: None }))
    }

    /// `CHAR(a, … [USING charset])`; the charset comes as an argument named `USING`.
    pub(super) fn char_function(&mut self) -> Outcome<Box<Expr>> {
        let name = Ident::new(self.advance().text(self.source));
        self.expect_symbol(Symbol::LeftParen)?;
        let mut args: Vec<_> = self.expr_list()?.into_iter().map(nodes::argument).collect();
        if self.eat("USING") {
            let charset = self.charset_name()?;
            args.push(named_argument("USING", nodes::identifier(&charset)));
        }
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Function(nodes::call(
            ObjectName::from(vec![name]),
            nodes::argument_list(args, vec![]),
        ))))
    }

    /// `WEIGHT_STRING(a [AS {CHAR | BINARY}(n)])`; the length comes as an argument named `CHAR` or `BINARY`.
    pub(super) fn weight_string(&mut self) -> Outcome<Box<Expr>> {
        let name = Ident::new(self.advance().text(self.source));
        self.expect_symbol(Symbol::LeftParen)?;
        let mut args = vec![nodes::argument(self.expr()?)];
        if self.eat("AS") {
            let kind = self.expect_one_of(&["CHAR", "CHARACTER", "BINARY"])?;
            let length = self.parenthesized(Self::number)?;
            let kind = if kind == "BINARY" { kind } else { "CHAR" };
            args.push(named_argument(kind, nodes::number(&length.to_string())));
        }
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Function(nodes::call(
            ObjectName::from(vec![name]),
            nodes::argument_list(args, vec![]),
        ))))
    }
}
