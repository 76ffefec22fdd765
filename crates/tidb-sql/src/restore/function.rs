//! Function calls and cast types.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, NullTreatment, ObjectNamePart, SearchModifier, TrimWhereField,
    Value,
};

use super::Written;
use super::writer::{Writer, unsupported};

impl Writer<'_> {
    /// Calls with a node of their own; then plain calls.
    pub(super) fn function_like(&mut self, expr: &Expr) -> Written {
        match expr {
            Expr::Function(function) => return self.function(function),
            Expr::Extract { field, expr, .. } => {
                self.plain("EXTRACT(");
                self.upper(&field.to_string());
                self.plain(" FROM ");
                self.expr(expr)?;
            }
            Expr::Position { expr, r#in } => {
                self.plain("POSITION(");
                self.expr(expr)?;
                self.plain(" IN ");
                self.expr(r#in)?;
            }
            Expr::Substring { expr, substring_from, substring_for, shorthand, .. } => {
                self.plain(if *shorthand { "SUBSTR(" } else { "SUBSTRING(" });
                self.expr(expr)?;
                for argument in [substring_from, substring_for].into_iter().flatten() {
                    self.plain(", ");
                    self.expr(argument)?;
                }
            }
            Expr::Trim { trim_where, trim_what, expr, .. } => self.trim(trim_where, trim_what, expr)?,
            Expr::MemberOf(member) => {
                self.expr(&member.value)?;
                self.plain(" MEMBER OF (");
                self.expr(&member.array)?;
            }
            Expr::MatchAgainst { columns, match_value, opt_search_modifier } => {
                self.plain("MATCH (");
                self.separated(columns, ",", Self::object_name)?;
                self.plain(") AGAINST (");
                self.value(&match_value.value)?;
                self.plain(match opt_search_modifier {
                    Some(SearchModifier::InBooleanMode) => " IN BOOLEAN MODE",
                    Some(
                        SearchModifier::WithQueryExpansion
                        | SearchModifier::InNaturalLanguageModeWithQueryExpansion,
                    ) => " WITH QUERY EXPANSION",
                    _ => "",
                });
            }
            other => return unsupported(format!("the expression {other}")),
        }
        self.plain(")");
        Ok(())
    }

    /// What stands between the parentheses of `TRIM`, with the opening one.
    fn trim(&mut self, place: &Option<TrimWhereField>, what: &Option<Box<Expr>>, expr: &Expr) -> Written {
        self.plain("TRIM(");
        match place {
            Some(TrimWhereField::Both) => self.plain("BOTH "),
            Some(TrimWhereField::Leading) => self.plain("LEADING "),
            Some(TrimWhereField::Trailing) => self.plain("TRAILING "),
            None => {}
        }
        if let Some(what) = what {
            self.expr(what)?;
            self.plain(" ");
        } else if place.is_some() {
            // A side without characters means blanks, and TiDB writes them down.
            let charset = self.options.charset;
            self.charset_string(charset, " ");
            self.plain(" ");
        }
        if place.is_some() || what.is_some() {
            self.plain("FROM ");
        }
        self.expr(expr)
    }

    /// A call.
    fn function(&mut self, function: &Function) -> Written {
        let empty = FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() };
        let list = match &function.args {
            FunctionArguments::List(list) => list,
            FunctionArguments::None => &empty,
            FunctionArguments::Subquery(_) => return unsupported("a query as argument"),
        };
        let name = match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(name)] => name.value.to_uppercase(),
            [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(name)] => {
                self.name(&schema.value);
                self.plain(".");
                self.name(&name.value);
                self.plain("(");
                self.arguments(list)?;
                self.plain(")");
                return Ok(());
            }
            _ => return unsupported("this function name"),
        };
        self.named_function(&name, list)?;
        self.over(function)
    }

    /// A call of an unqualified function, name in upper case.
    fn named_function(&mut self, name: &str, list: &FunctionArgumentList) -> Written {
        match (name, list.args.as_slice()) {
            ("MOD", [left, right]) => {
                self.modulo_operand(left)?;
                self.plain("%");
                return self.modulo_operand(right);
            }
            ("DEFAULT" | "VALUES", [column]) => {
                self.plain(name);
                self.plain("(");
                self.argument(column)?;
            }
            ("CHAR", args) => self.char_function(args)?,
            ("DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE", [date, step]) => {
                self.plain(name);
                self.plain("(");
                self.argument(date)?;
                self.plain(", ");
                self.step(step)?;
            }
            ("TIMESTAMPADD" | "TIMESTAMPDIFF", [unit, first, second]) => {
                self.plain(name);
                self.plain("(");
                self.unit(unit)?;
                for argument in [first, second] {
                    self.plain(", ");
                    self.argument(argument)?;
                }
            }
            ("GET_FORMAT", [kind, locale]) => {
                self.plain("GET_FORMAT(");
                self.unit(kind)?;
                self.plain(", ");
                self.argument(locale)?;
            }
            ("WEIGHT_STRING", [text, FunctionArg::Named { name: kind, arg, .. }]) => {
                self.plain("WEIGHT_STRING(");
                self.argument(text)?;
                self.plain(" AS ");
                self.plain(&kind.value);
                self.plain("(");
                self.argument_expr(arg)?;
                self.plain(")");
            }
            _ => {
                self.plain(synonym(name));
                self.plain("(");
                self.arguments(list)?;
                let is_separator =
                    |clause: &FunctionArgumentClause| matches!(clause, FunctionArgumentClause::Separator(_));
                if name == "GROUP_CONCAT" && !list.clauses.iter().any(is_separator) {
                    self.plain(" SEPARATOR ','");
                }
            }
        }
        self.plain(")");
        Ok(())
    }

    /// An argument that becomes the operand of an operator: another operator stands in parentheses. (TiDB leaves them
    /// out, which changes the meaning.)
    fn modulo_operand(&mut self, argument: &FunctionArg) -> Written {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(
                expr @ (Expr::BinaryOp { .. } | Expr::Interval(_)),
            )) => self.in_parentheses(|w| w.expr(expr)),
            other => self.argument(other),
        }
    }

    /// An argument that is a keyword: a unit of time, or the kind of value of a format.
    fn unit(&mut self, argument: &FunctionArg) -> Written {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(word))) = argument else {
            return self.argument(argument);
        };
        let upper = word.value.to_uppercase();
        self.plain(match upper.strip_prefix("SQL_TSI_").unwrap_or(&upper) {
            "TIMESTAMP" => "DATETIME",
            unit => unit,
        });
        Ok(())
    }

    /// `CHAR(…)` under the name that TiDB prints, without the closing parenthesis.
    fn char_function(&mut self, args: &[FunctionArg]) -> Written {
        self.plain("CHAR_FUNC(");
        let (charset, values) = match args.split_last() {
            Some((
                FunctionArg::Named { arg: FunctionArgExpr::Expr(Expr::Identifier(charset)), .. },
                values,
            )) => (Some(&charset.value), values),
            _ => (None, args),
        };
        for value in values {
            self.argument(value)?;
            self.plain(", ");
        }
        match charset {
            Some(charset) => self.string(charset),
            None => self.plain("NULL"),
        }
        Ok(())
    }

    /// The second argument of a date function; a bare number means days.
    fn step(&mut self, step: &FunctionArg) -> Written {
        match step {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(interval @ Expr::Interval(_))) => {
                self.interval(interval)
            }
            days => {
                self.plain("INTERVAL ");
                self.argument(days)?;
                self.plain(" DAY");
                Ok(())
            }
        }
    }

    /// Arguments with their clauses.
    fn arguments(&mut self, list: &FunctionArgumentList) -> Written {
        if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
            self.plain("DISTINCT ");
        }
        self.separated(&list.args, ", ", Self::argument)?;
        let mut separator = None;
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(items) => {
                    self.plain(" ");
                    self.order_by(items)?;
                }
                FunctionArgumentClause::Separator(text) => separator = Some(&text.value),
                _ => return unsupported("this clause of a function"),
            }
        }
        if let Some(Value::SingleQuotedString(text)) = separator {
            self.plain(" SEPARATOR ");
            self.string(text);
        }
        Ok(())
    }

    /// An argument.
    fn argument(&mut self, argument: &FunctionArg) -> Written {
        match argument {
            FunctionArg::Unnamed(arg) => self.argument_expr(arg),
            _ => unsupported("a named argument"),
        }
    }

    /// An argument's value; `*` is printed as 1.
    fn argument_expr(&mut self, arg: &FunctionArgExpr) -> Written {
        match arg {
            FunctionArgExpr::Expr(expr) => self.expr(expr),
            FunctionArgExpr::Wildcard => {
                self.plain("1");
                Ok(())
            }
            _ => unsupported("this argument"),
        }
    }

    /// `OVER …`.
    fn over(&mut self, function: &Function) -> Written {
        let Some(over) = &function.over else { return Ok(()) };
        if function.null_treatment == Some(NullTreatment::IgnoreNulls) {
            self.plain(" IGNORE NULLS");
        }
        self.plain(" OVER ");
        self.window(over)
    }
}

/// The name that TiDB prints for a function.
fn synonym(name: &str) -> &str {
    match name {
        "STD" | "STDDEV" => "STDDEV_POP",
        "VARIANCE" => "VAR_POP",
        "INSERT" => "INSERT_FUNC",
        "PASSWORD" => "PASSWORD_FUNC",
        other => other,
    }
}
