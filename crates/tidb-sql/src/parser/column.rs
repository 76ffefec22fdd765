//! Column definitions.

use sqlparser::ast::{Expr, FunctionArguments};

use super::cursor::{Outcome, Parser};
use super::nodes;
use crate::ddl::{ColumnDef, ColumnOption, ColumnPosition, ColumnType, Generated, PrimaryKeyKind, TypeName};
use crate::lexer::Symbol;

impl Parser<'_> {
    /// `name type options`.
    pub(super) fn column_def(&mut self) -> Outcome<ColumnDef> {
        let name = self.column_name()?;
        let mut options = Vec::new();
        let column_type = if self.eat("SERIAL") {
            options.extend(serial_options());
            let mut column_type = ColumnType::new(TypeName::BigInt);
            column_type.unsigned = true;
            column_type
        } else {
            self.column_type()?
        };
        while let Some(option) = self.column_option()? {
            options.extend(option);
        }
        Ok(ColumnDef { name, column_type, options })
    }

    /// An option, if one is next (`SERIAL DEFAULT VALUE` stands for several).
    fn column_option(&mut self) -> Outcome<Option<Vec<ColumnOption>>> {
        let option = if self.eat_all(&["NOT", "NULL"]) {
            ColumnOption::NotNull
        } else if self.eat("NULL") {
            ColumnOption::Null
        } else if self.eat("AUTO_INCREMENT") {
            ColumnOption::AutoIncrement
        } else if self.eat_all(&["PRIMARY", "KEY"]) || self.eat("KEY") {
            let kind = self.primary_key_kind();
            ColumnOption::PrimaryKey { kind, global: self.eat_global() }
        } else if self.eat("UNIQUE") {
            self.eat("KEY");
            ColumnOption::Unique { global: self.eat_global() }
        } else if self.eat("DEFAULT") {
            ColumnOption::Default(self.default_value()?)
        } else if self.eat_all(&["SERIAL", "DEFAULT", "VALUE"]) {
            return Ok(Some(serial_options()));
        } else if self.eat_all(&["ON", "UPDATE"]) {
            ColumnOption::OnUpdateNow(self.on_update_now()?)
        } else if self.eat("COMMENT") {
            ColumnOption::Comment(self.string()?)
        } else if self.eat("COLLATE") {
            ColumnOption::Collate(self.collation_name()?)
        } else {
            return self.rarer_column_option();
        };
        Ok(Some(vec![option]))
    }

    /// Options that come seldom.
    fn rarer_column_option(&mut self) -> Outcome<Option<Vec<ColumnOption>>> {
        let option = if self.is_one_of(&["CONSTRAINT", "CHECK"]) {
            self.column_check()?
        } else if self.is_one_of(&["GENERATED", "AS"]) {
            ColumnOption::Generated(self.generated()?)
        } else if self.is_keyword("REFERENCES") {
            ColumnOption::References(self.reference()?)
        } else if self.eat("COLUMN_FORMAT") {
            ColumnOption::ColumnFormat(self.expect_one_of(&["DEFAULT", "FIXED", "DYNAMIC"])?.to_owned())
        } else if self.eat("STORAGE") {
            ColumnOption::Storage(self.expect_one_of(&["DEFAULT", "DISK", "MEMORY"])?.to_owned())
        } else if self.eat("AUTO_RANDOM") {
            self.auto_random()?
        } else if self.eat("SECONDARY_ENGINE_ATTRIBUTE") {
            self.eat_equal();
            ColumnOption::SecondaryEngineAttribute(self.string()?)
        } else {
            return Ok(None);
        };
        Ok(Some(vec![option]))
    }

    /// `CLUSTERED`, `NONCLUSTERED`.
    pub(super) fn primary_key_kind(&mut self) -> Option<PrimaryKeyKind> {
        self.eat_one_of(&["CLUSTERED", "NONCLUSTERED"]).map(|word| match word {
            "CLUSTERED" => PrimaryKeyKind::Clustered,
            _ => PrimaryKeyKind::NonClustered,
        })
    }

    /// `GLOBAL` (true), `LOCAL` or nothing.
    fn eat_global(&mut self) -> bool {
        self.eat_one_of(&["GLOBAL", "LOCAL"]) == Some("GLOBAL")
    }

    /// `AUTO_RANDOM[(shard[, range])]`, behind the word.
    fn auto_random(&mut self) -> Outcome<ColumnOption> {
        let (mut shard_bits, mut range_bits) = (None, None);
        if self.eat_symbol(Symbol::LeftParen) {
            shard_bits = Some(self.number()?);
            if self.eat_symbol(Symbol::Comma) {
                range_bits = Some(self.number()?);
            }
            self.expect_symbol(Symbol::RightParen)?;
        }
        Ok(ColumnOption::AutoRandom { shard_bits, range_bits })
    }

    /// `[CONSTRAINT [name]] CHECK (expr) [[NOT] ENFORCED]`.
    fn column_check(&mut self) -> Outcome<ColumnOption> {
        let name = match self.eat("CONSTRAINT") && !self.is_keyword("CHECK") {
            true => Some(self.identifier()?),
            false => None,
        };
        self.expect("CHECK")?;
        let expr = self.parenthesized(Self::expr)?;
        Ok(ColumnOption::Check { name, expr, enforced: self.enforced() })
    }

    /// `[NOT] ENFORCED`; true if not given.
    pub(super) fn enforced(&mut self) -> bool {
        let not = self.eat_all(&["NOT", "ENFORCED"]);
        if !not {
            self.eat("ENFORCED");
        }
        !not
    }

    /// `[GENERATED ALWAYS] AS (expr) [VIRTUAL | STORED]`.
    fn generated(&mut self) -> Outcome<Generated> {
        if self.eat("GENERATED") {
            self.expect("ALWAYS")?;
        }
        self.expect("AS")?;
        let expr = self.parenthesized(Self::expr)?;
        let stored = self.eat_one_of(&["VIRTUAL", "STORED"]) == Some("STORED");
        Ok(Generated { expr, stored })
    }

    /// What follows `DEFAULT`.
    pub(super) fn default_value(&mut self) -> Outcome<Expr> {
        if self.is_symbol(Symbol::LeftParen) {
            let expr = self.parenthesized(Self::default_in_parentheses)?;
            return Ok(match expr {
                Expr::Function(_) => expr,
                other => Expr::Nested(Box::new(other)),
            });
        }
        if self.are_keywords(&["NEXT", "VALUE", "FOR"]) {
            return self.next_value().map(|call| *call);
        }
        if let Some(fraction) = self.now()? {
            return Ok(current_timestamp(fraction));
        }
        let is_call =
            self.symbol_at(1, Symbol::LeftParen) && self.peek(0).kind == crate::lexer::TokenKind::Word;
        if is_call || self.is_one_of(&["CURRENT_DATE", "CURDATE"]) {
            return self.primary().map(|call| *call);
        }
        self.signed_literal()
    }

    /// The inside of `DEFAULT (…)`; more parentheses around a function are dropped.
    fn default_in_parentheses(&mut self) -> Outcome<Expr> {
        if self.is_symbol(Symbol::LeftParen) && !self.query_follows(0) {
            let position = self.position();
            let expr = self.nested(|p| p.parenthesized(Self::default_in_parentheses))?;
            if self.is_symbol(Symbol::RightParen) {
                return Ok(expr);
            }
            self.reset(position);
        }
        if let Some(fraction) = self.now()? {
            return Ok(current_timestamp(fraction));
        }
        self.expr()
    }

    /// `CURRENT_TIMESTAMP[(n)]`, `NOW([n])` and synonyms if next, with the fractional digits.
    fn now(&mut self) -> Outcome<Option<Option<u64>>> {
        let call = self.symbol_at(1, Symbol::LeftParen);
        let Some(_) =
            self.eat_one_of(&["CURRENT_TIMESTAMP", "LOCALTIME", "LOCALTIMESTAMP"]).or_else(|| match call {
                true => self.eat_one_of(&["NOW"]),
                false => None,
            })
        else {
            return Ok(None);
        };
        if !self.eat_symbol(Symbol::LeftParen) {
            return Ok(Some(None));
        }
        let fraction = if self.is_symbol(Symbol::RightParen) { None } else { Some(self.number()?) };
        self.expect_symbol(Symbol::RightParen)?;
        Ok(Some(fraction))
    }

    /// What follows `ON UPDATE`.
    fn on_update_now(&mut self) -> Outcome<Option<u64>> {
        match self.now()? {
            Some(fraction) => Ok(fraction),
            None => self.unexpected(),
        }
    }

    /// `FIRST`, `AFTER column`.
    pub(super) fn column_position(&mut self) -> Outcome<Option<ColumnPosition>> {
        if self.eat("FIRST") {
            return Ok(Some(ColumnPosition::First));
        }
        if self.eat("AFTER") {
            return self.column_name().map(|column| Some(ColumnPosition::After(column)));
        }
        Ok(None)
    }
}

/// What `SERIAL` stands for besides the type.
fn serial_options() -> Vec<ColumnOption> {
    vec![ColumnOption::NotNull, ColumnOption::AutoIncrement, ColumnOption::Unique { global: false }]
}

/// The function `CURRENT_TIMESTAMP([n])`.
fn current_timestamp(fraction: Option<u64>) -> Expr {
    let arguments = fraction.iter().map(|n| nodes::number(&n.to_string())).collect();
    let mut call = nodes::simple_call("CURRENT_TIMESTAMP", arguments);
    if let (Expr::Function(function), None) = (&mut call, fraction) {
        function.args = FunctionArguments::None;
    }
    call
}
