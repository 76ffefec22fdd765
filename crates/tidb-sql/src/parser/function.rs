//! Function calls: those with a syntax of their own, aggregates, and all others.

use sqlparser::ast::{
    CastKind, CharacterLength, DataType, DuplicateTreatment, ExactNumberInfo, Expr, ExtractSyntax, Function,
    FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, SearchModifier, TimezoneInfo, TrimWhereField, Value,
};

use super::cursor::{Outcome, Parser};
use super::nodes;
use crate::lexer::{Symbol, TokenKind};

/// Reserved words that are function names before a `(`.
const RESERVED_FUNCTIONS: [&str; 24] = [
    "IF",
    "LEFT",
    "RIGHT",
    "REPEAT",
    "REPLACE",
    "INSERT",
    "MOD",
    "DATABASE",
    "CHAR",
    "INTERVAL",
    "VALUES",
    "DEFAULT",
    "RANK",
    "DENSE_RANK",
    "ROW_NUMBER",
    "CUME_DIST",
    "PERCENT_RANK",
    "NTILE",
    "LAG",
    "LEAD",
    "FIRST_VALUE",
    "LAST_VALUE",
    "NTH_VALUE",
    "TIDB_CURRENT_TSO",
];

/// Aggregates, which take `DISTINCT` and `*`.
const AGGREGATES: [&str; 21] = [
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "GROUP_CONCAT",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "STD",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "VAR_POP",
    "VAR_SAMP",
    "VARIANCE",
    "APPROX_COUNT_DISTINCT",
    "APPROX_PERCENTILE",
    "JSON_ARRAYAGG",
    "JSON_OBJECTAGG",
    "JSON_SUM_CRC32",
];

/// Functions whose second argument may be `INTERVAL n unit`.
const DATE_ARITHMETIC: [&str; 4] = ["DATE_ADD", "DATE_SUB", "ADDDATE", "SUBDATE"];

impl Parser<'_> {
    /// A call that starts with a keyword, if one is next.
    pub(super) fn keyword_function(&mut self) -> Outcome<Option<Box<Expr>>> {
        let paren = self.symbol_at(1, Symbol::LeftParen);
        let upper = self.text(0).to_ascii_uppercase();
        let expr = match upper.as_str() {
            "CURRENT_USER" | "CURRENT_DATE" | "CURRENT_ROLE" | "UTC_DATE" | "CURRENT_TIME"
            | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "UTC_TIME" | "UTC_TIMESTAMP" => {
                self.optional_call()?
            }
            _ if !paren => return Ok(None),
            "CAST" => self.nested(Self::cast)?,
            "CONVERT" => self.nested(Self::convert)?,
            "EXTRACT" => self.nested(Self::extract)?,
            "POSITION" => self.nested(Self::position_of)?,
            "SUBSTRING" | "SUBSTR" => self.nested(Self::substring)?,
            "TRIM" => self.nested(Self::trim)?,
            "CHAR" => self.nested(Self::char_function)?,
            "WEIGHT_STRING" => self.nested(Self::weight_string)?,
            name if RESERVED_FUNCTIONS.contains(&name) => {
                let name = self.advance().text(self.source).to_owned();
                self.generic_call(vec![Ident::new(name)])?
            }
            _ => return Ok(None),
        };
        self.grow()?;
        Ok(Some(expr))
    }

    /// A function that may stand without parentheses.
    fn optional_call(&mut self) -> Outcome<Box<Expr>> {
        let name = self.advance().text(self.source).to_owned();
        if self.is_symbol(Symbol::LeftParen) {
            return self.generic_call(vec![Ident::new(name)]);
        }
        let mut function =
            nodes::call(ObjectName::from(vec![Ident::new(name)]), nodes::argument_list(vec![], vec![]));
        function.args = FunctionArguments::None;
        Ok(Box::new(Expr::Function(function)))
    }

    /// `CAST(a AS type)`.
    fn cast(&mut self) -> Outcome<Box<Expr>> {
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
    fn convert(&mut self) -> Outcome<Box<Expr>> {
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
    fn cast_type(&mut self) -> Outcome<DataType> {
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
    fn cast_char(&mut self) -> Outcome<DataType> {
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
    fn optional_precision(&mut self) -> Outcome<ExactNumberInfo> {
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
    fn extract(&mut self) -> Outcome<Box<Expr>> {
        self.advance();
        self.expect_symbol(Symbol::LeftParen)?;
        let field = self.time_unit()?;
        self.expect("FROM")?;
        let expr = self.expr_box()?;
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Extract { field, syntax: ExtractSyntax::From, expr }))
    }

    /// `POSITION(a IN b)`.
    fn position_of(&mut self) -> Outcome<Box<Expr>> {
        self.advance();
        self.expect_symbol(Symbol::LeftParen)?;
        let expr = self.operators(0)?;
        self.expect("IN")?;
        let within = self.expr_box()?;
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::Position { expr, r#in: within }))
    }

    /// `SUBSTRING(a, b[, c])`, `SUBSTRING(a FROM b [FOR c])`.
    fn substring(&mut self) -> Outcome<Box<Expr>> {
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
    fn trim(&mut self) -> Outcome<Box<Expr>> {
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
    fn char_function(&mut self) -> Outcome<Box<Expr>> {
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
    fn weight_string(&mut self) -> Outcome<Box<Expr>> {
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

    /// `NEXT VALUE FOR sequence`.
    pub(super) fn next_value(&mut self) -> Outcome<Box<Expr>> {
        self.expect_all(&["NEXT", "VALUE", "FOR"])?;
        let parts = self.qualified(2)?;
        Ok(Box::new(nodes::simple_call("NEXTVAL", vec![Expr::CompoundIdentifier(parts)])))
    }

    /// `MATCH (columns) AGAINST ('text' [mode])`.
    pub(super) fn match_against(&mut self) -> Outcome<Box<Expr>> {
        self.expect("MATCH")?;
        let columns = self.paren_list(|p| p.object_name(3))?;
        self.expect("AGAINST")?;
        self.expect_symbol(Symbol::LeftParen)?;
        let value = match self.kind() {
            TokenKind::Placeholder => *self.primary()?,
            _ => nodes::value(Value::SingleQuotedString(self.string()?)),
        };
        let Expr::Value(match_value) = value else { return self.unexpected() };
        let opt_search_modifier = self.search_modifier()?;
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Box::new(Expr::MatchAgainst { columns, match_value, opt_search_modifier }))
    }

    /// The mode of a full-text search.
    fn search_modifier(&mut self) -> Outcome<Option<SearchModifier>> {
        if self.eat_all(&["IN", "BOOLEAN", "MODE"]) {
            return Ok(Some(SearchModifier::InBooleanMode));
        }
        if self.eat_all(&["WITH", "QUERY", "EXPANSION"]) {
            return Ok(Some(SearchModifier::WithQueryExpansion));
        }
        if self.eat_all(&["IN", "NATURAL", "LANGUAGE", "MODE"]) {
            return Ok(Some(match self.eat_all(&["WITH", "QUERY", "EXPANSION"]) {
                true => SearchModifier::InNaturalLanguageModeWithQueryExpansion,
                false => SearchModifier::InNaturalLanguageMode,
            }));
        }
        Ok(None)
    }

    /// A call, from the `(` on.
    pub(super) fn generic_call(&mut self, parts: Vec<Ident>) -> Outcome<Box<Expr>> {
        let upper = match parts.as_slice() {
            [name] => name.value.to_ascii_uppercase(),
            _ => String::new(),
        };
        let args = self.nested(|p| p.arguments(&upper))?;
        let mut function = nodes::call(ObjectName::from(parts), args);
        self.window_suffix(&mut function)?;
        self.grow()?;
        Ok(Box::new(Expr::Function(function)))
    }

    /// The arguments of a call, with their parentheses.
    fn arguments(&mut self, upper: &str) -> Outcome<FunctionArgumentList> {
        self.expect_symbol(Symbol::LeftParen)?;
        let aggregate = AGGREGATES.contains(&upper);
        let mut list = nodes::argument_list(Vec::new(), Vec::new());
        if aggregate {
            list.duplicate_treatment = match self.eat_one_of(&["DISTINCT", "DISTINCTROW", "ALL"]) {
                Some("ALL") => Some(DuplicateTreatment::All),
                Some(_) => Some(DuplicateTreatment::Distinct),
                None => None,
            };
            if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
                self.eat("ALL");
            }
        }
        if upper == "COUNT" && self.eat_symbol(Symbol::Star) {
            list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
        } else if !self.is_symbol(Symbol::RightParen) {
            list.args = self.comma_list(|p| p.one_argument(upper))?;
        }
        if upper == "GROUP_CONCAT" {
            self.group_concat_clauses(&mut list.clauses)?;
        }
        self.expect_symbol(Symbol::RightParen)?;
        Ok(list)
    }

    /// One argument.
    fn one_argument(&mut self, upper: &str) -> Outcome<FunctionArg> {
        if DATE_ARITHMETIC.contains(&upper) && self.interval_follows() {
            return self.interval().map(|interval| nodes::argument(*interval));
        }
        self.expr().map(nodes::argument)
    }

    /// `[ORDER BY …] [SEPARATOR 'x']`.
    fn group_concat_clauses(&mut self, clauses: &mut Vec<FunctionArgumentClause>) -> Outcome<()> {
        if self.are_keywords(&["ORDER", "BY"]) {
            clauses.push(FunctionArgumentClause::OrderBy(self.order_by_list()?));
        }
        if self.eat("SEPARATOR") {
            let separator = Value::SingleQuotedString(self.string()?);
            clauses.push(FunctionArgumentClause::Separator(separator.with_empty_span()));
        }
        Ok(())
    }
}

/// An argument with a name, for syntax that plain arguments do not have.
fn named_argument(name: &str, expr: Expr) -> FunctionArg {
    FunctionArg::Named {
        name: Ident::new(name),
        arg: FunctionArgExpr::Expr(expr),
        operator: FunctionArgOperator::Space,
    }
}

/// Marks a function as one over a window.
pub(super) fn set_over(function: &mut Function, over: sqlparser::ast::WindowType) {
    function.over = Some(over);
}
