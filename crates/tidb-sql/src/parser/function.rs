//! Function calls: those with a syntax of their own, aggregates, and all others.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator,
    FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, ObjectName, SearchModifier,
    Value,
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
        if !paren && !matches!(self.text(0).as_bytes().first(), Some(b'c' | b'C' | b'l' | b'L' | b'u' | b'U'))
        {
            return Ok(None);
        }
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
        if upper == "JSON_OBJECTAGG" {
            self.eat("ALL");
        }
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
pub(super) fn named_argument(name: &str, expr: Expr) -> FunctionArg {
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
