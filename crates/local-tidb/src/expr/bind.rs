//! Binding: from parsed expressions to [`Expr`], with names resolved.

use sqlparser::ast::{
    self, BinaryOperator as Op, Expr as Ast, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Query, UnaryOperator, Value,
};
use tidb_codec::Datum;

use super::result_type::ResultType;
use super::tree::{EvalFn, Expr};
use super::{cast_type, functions, interval, literal, operators as ops};
use crate::catalog::lower;
use crate::collation;
use crate::error::{Result, SqlError};

/// Deepest nesting of expressions that is followed.
pub(crate) const MAX_DEPTH: usize = 200;

/// A column that expressions may name.
#[derive(Debug, Clone)]
pub(crate) struct ScopeColumn {
    /// Database, lower case; empty for derived tables.
    pub(crate) db: String,
    /// Table or alias, lower case.
    pub(crate) table: String,
    /// Name as shown.
    pub(crate) name: String,
    /// Name, lower case.
    pub(crate) lower: String,
    /// The table's own name, for column metadata.
    pub(crate) org_table: String,
    /// Type.
    pub(crate) ty: ResultType,
}

/// The columns of the current row, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The columns.
    pub(crate) columns: Vec<ScopeColumn>,
    /// Columns that are found by name only once, because a join merged them.
    pub(crate) merged: Vec<usize>,
}

impl Scope {
    /// Finds a column by its name, perhaps with table and database before it.
    ///
    /// # Errors
    /// 1054, 1052.
    pub(crate) fn find(&self, path: &[&str], clause: &str) -> Result<usize> {
        let parts: Vec<String> = path.iter().map(|p| lower(p)).collect();
        let (db, table, name) = match parts.as_slice() {
            [name] => (None, None, name),
            [table, name] => (None, Some(table), name),
            [db, table, name] => (Some(db), Some(table), name),
            _ => return Err(SqlError::unknown_column(&path.join("."), clause)),
        };
        let mut found = self.columns.iter().enumerate().filter(|(at, c)| {
            c.lower == *name
                && table.is_none_or(|t| c.table == *t)
                && db.is_none_or(|d| c.db == *d)
                && !(table.is_none() && self.merged.contains(at))
        });
        match (found.next(), found.next()) {
            (Some((at, _)), None) => Ok(at),
            (Some(_), Some(_)) => {
                Err(SqlError::new(1052, format!("Column '{}' in {clause} is ambiguous", path.join("."))))
            }
            _ => Err(SqlError::unknown_column(&path.join("."), clause)),
        }
    }
}

/// Where variables come from.
pub(crate) trait Variables {
    /// `@@name`, `@@global.name`: value and type.
    ///
    /// # Errors
    /// 1193 for an unknown one.
    fn system(&self, global: bool, name: &str) -> Result<(Datum, ResultType)>;
    /// `@name`.
    fn user(&self, name: &str) -> Datum;
}

/// An aggregate function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggregateKind {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    GroupConcat,
    BitAnd,
    BitOr,
    BitXor,
}

/// A call of an aggregate function.
#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    /// Which.
    pub(crate) kind: AggregateKind,
    /// Arguments; none for `COUNT(*)`.
    pub(crate) args: Vec<Expr>,
    /// `DISTINCT`.
    pub(crate) distinct: bool,
    /// Text between the parts of `GROUP_CONCAT`.
    pub(crate) separator: Vec<u8>,
    /// Result.
    pub(crate) ty: ResultType,
}

/// Binds expressions against a scope.
pub(crate) struct Binder<'a> {
    /// The columns.
    pub(crate) scope: &'a Scope,
    /// The variables.
    pub(crate) variables: &'a dyn Variables,
    /// Values of placeholders.
    pub(crate) params: &'a [(Datum, ResultType)],
    /// Subqueries met so far, by slot.
    pub(crate) subqueries: &'a mut Vec<Query>,
    /// Aggregates met so far; `None` where they are not allowed.
    pub(crate) aggregates: Option<Vec<Aggregate>>,
    /// Name of the clause, for messages.
    pub(crate) clause: &'static str,
    /// In `ON DUPLICATE KEY UPDATE`: where the new row's columns start, for `VALUES(c)`.
    pub(crate) new_row: Option<usize>,
    /// Result columns that may be named where no column has the name: `HAVING`, `ORDER BY`.
    pub(crate) aliases: Vec<(String, Expr)>,
    /// A backslash in a `LIKE` pattern is an ordinary character.
    pub(crate) no_backslash_escapes: bool,
    /// Longest chain of `AND` or `OR` met: such expressions are too deep to be printed.
    pub(crate) longest_chain: usize,
    depth: usize,
}

/// A call of an operator.
fn operator(name: &'static str, eval: EvalFn, args: Vec<Expr>, ty: ResultType) -> Expr {
    Expr::Call { name, eval, args, ty }
}

fn predicate(name: &'static str, eval: EvalFn, args: Vec<Expr>) -> Expr {
    operator(name, eval, args, ResultType::boolean())
}

fn negate_if(negated: bool, expr: Expr) -> Expr {
    if negated { predicate("not", ops::not, vec![expr]) } else { expr }
}

impl<'a> Binder<'a> {
    /// A binder without aggregates.
    pub(crate) fn new(
        scope: &'a Scope,
        variables: &'a dyn Variables,
        params: &'a [(Datum, ResultType)],
        subqueries: &'a mut Vec<Query>,
        clause: &'static str,
    ) -> Self {
        Self {
            scope,
            variables,
            params,
            subqueries,
            aggregates: None,
            clause,
            new_row: None,
            aliases: Vec::new(),
            no_backslash_escapes: false,
            longest_chain: 0,
            depth: 0,
        }
    }

    /// Binds an expression.
    ///
    /// # Errors
    /// Unknown names, wrong argument counts, forms that are not supported.
    pub(crate) fn bind(&mut self, expr: &Ast) -> Result<Expr> {
        if self.depth >= MAX_DEPTH {
            return Err(SqlError::new(1436, "Thread stack overrun: expression nested too deeply"));
        }
        self.depth += 1;
        let bound = self.bind_inner(expr);
        self.depth -= 1;
        bound
    }

    fn bind_all(&mut self, exprs: &[Ast]) -> Result<Vec<Expr>> {
        exprs.iter().map(|e| self.bind(e)).collect()
    }

    /// Sends each form to a function of its own, so that the frames of deep expressions stay small.
    fn bind_inner(&mut self, expr: &Ast) -> Result<Expr> {
        match expr {
            Ast::Nested(inner) => self.bind(inner),
            Ast::BinaryOp { left, op, right } => self.binary(left, op, right),
            Ast::UnaryOp { op, expr } => self.unary(*op, expr),
            Ast::Function(function) => self.function(function),
            Ast::Identifier(ident) => self.identifier(std::slice::from_ref(ident)),
            Ast::CompoundIdentifier(path) => self.identifier(path),
            Ast::Value(v) => self.value(&v.value),
            Ast::IsNull(_)
            | Ast::IsNotNull(_)
            | Ast::IsTrue(_)
            | Ast::IsNotTrue(_)
            | Ast::IsFalse(_)
            | Ast::IsNotFalse(_)
            | Ast::IsUnknown(_)
            | Ast::IsNotUnknown(_) => self.is_test(expr),
            Ast::InList { .. } | Ast::Between { .. } | Ast::Like { .. } => self.predicate(expr),
            Ast::InSubquery { .. } | Ast::Exists { .. } | Ast::Subquery(_) => self.subquery(expr),
            Ast::Cast { expr, data_type, .. } | Ast::Convert { expr, data_type: Some(data_type), .. } => {
                let ty = cast_type::of(data_type)?;
                self.cast(expr, ty)
            }
            Ast::Convert { expr, charset: Some(charset), .. } => {
                self.convert_using(expr, &charset.to_string())
            }
            Ast::Collate { expr, collation } => self.collate(expr, &collation.to_string()),
            Ast::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            other => self.rare(other),
        }
    }

    #[inline(never)]
    fn value(&mut self, value: &Value) -> Result<Expr> {
        if matches!(value, Value::Placeholder(_)) {
            return self.placeholder(value);
        }
        literal::value(value).map(|(value, ty)| Expr::constant(value, ty))
    }

    /// Forms with a syntax of their own that are no operators.
    #[inline(never)]
    fn rare(&mut self, expr: &Ast) -> Result<Expr> {
        match expr {
            Ast::Prefixed { prefix, value } => self.introduced(&prefix.value, value),
            Ast::Tuple(parts) => self.bind_all(parts).map(Expr::Row),
            Ast::TypedString(typed) => {
                let (value, text_type) = literal::value(&typed.value.value)?;
                let ty = self.typed_literal(&typed.data_type, &typed.value.value)?;
                Ok(Expr::Cast { expr: Box::new(Expr::constant(value, text_type)), ty })
            }
            Ast::Extract { field, expr, .. } => {
                let args = self.bind_refs(&[expr])?;
                functions::call(&field.to_string(), args)
                    .map_err(|_| SqlError::unsupported(format!("EXTRACT({field})")))
            }
            Ast::Ceil { expr, .. } => self.call("ceil", &[expr]),
            Ast::Floor { expr, .. } => self.call("floor", &[expr]),
            Ast::Position { expr, r#in } => self.call("position", &[expr, r#in]),
            Ast::Substring { expr, substring_from, substring_for, .. } => {
                let parts: Vec<&Ast> = [Some(expr), substring_from.as_ref(), substring_for.as_ref()]
                    .into_iter()
                    .flatten()
                    .map(Box::as_ref)
                    .collect();
                self.call("substring", &parts)
            }
            Ast::Trim { trim_where, trim_what, expr, .. } => {
                let name = match trim_where {
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                    _ => "trim",
                };
                let parts: Vec<&Ast> =
                    [Some(expr), trim_what.as_ref()].into_iter().flatten().map(Box::as_ref).collect();
                self.call(name, &parts)
            }
            other => Err(SqlError::unsupported(format!("expression {other}"))),
        }
    }

    /// A call of a built-in function.
    fn call(&mut self, name: &str, args: &[&Ast]) -> Result<Expr> {
        let args = self.bind_refs(args)?;
        functions::call(name, args)
    }

    fn bind_refs(&mut self, exprs: &[&Ast]) -> Result<Vec<Expr>> {
        exprs.iter().map(|e| self.bind(e)).collect()
    }

    fn cast(&mut self, expr: &Ast, ty: ResultType) -> Result<Expr> {
        let expr = Box::new(self.bind(expr)?);
        Ok(Expr::Cast { expr, ty })
    }

    #[inline(never)]
    fn convert_using(&mut self, expr: &Ast, charset: &str) -> Result<Expr> {
        let collation = collation::default_of(charset)
            .ok_or_else(|| SqlError::new(1115, format!("Unknown character set: '{charset}'")))?;
        self.cast(expr, ResultType::text_of(-1, collation))
    }

    #[inline(never)]
    fn collate(&mut self, expr: &Ast, name: &str) -> Result<Expr> {
        let found = collation::by_name(name.trim_matches('`')).ok_or_else(|| {
            SqlError::new(1273, format!("Unsupported collation when new collation is enabled: '{name}'"))
        })?;
        self.cast(expr, ResultType::text_of(-1, found))
    }

    /// `IS NULL` and its kin.
    #[inline(never)]
    fn is_test(&mut self, expr: &Ast) -> Result<Expr> {
        let (inner, name, eval, negated): (_, _, EvalFn, _) = match expr {
            Ast::IsTrue(e) => (e, "istrue", ops::is_true, false),
            Ast::IsNotTrue(e) => (e, "istrue", ops::is_true, true),
            Ast::IsFalse(e) => (e, "isfalse", ops::is_false, false),
            Ast::IsNotFalse(e) => (e, "isfalse", ops::is_false, true),
            Ast::IsNull(e) | Ast::IsUnknown(e) => (e, "isnull", ops::is_null, false),
            Ast::IsNotNull(e) | Ast::IsNotUnknown(e) => (e, "isnull", ops::is_null, true),
            other => return Err(SqlError::unsupported(format!("expression {other}"))),
        };
        let args = vec![self.bind(inner)?];
        Ok(negate_if(negated, predicate(name, eval, args)))
    }

    #[inline(never)]
    fn predicate(&mut self, expr: &Ast) -> Result<Expr> {
        match expr {
            Ast::InList { expr, list, negated } => {
                let mut args = vec![self.bind(expr)?];
                args.extend(self.bind_all(list)?);
                Ok(negate_if(*negated, predicate("in", ops::in_list, args)))
            }
            Ast::Between { expr, negated, low, high } => {
                let value = self.bind(expr)?;
                let above = predicate("ge", ops::ge, vec![value.clone(), self.bind(low)?]);
                let below = predicate("le", ops::le, vec![value, self.bind(high)?]);
                Ok(negate_if(*negated, predicate("and", ops::and, vec![above, below])))
            }
            Ast::Like { negated, any: false, expr, pattern, escape_char } => {
                let mut args = vec![self.bind(expr)?, self.bind(pattern)?];
                args.push(match escape_char {
                    Some(e) => self.bind(e)?,
                    None => {
                        let mark = if self.no_backslash_escapes { "" } else { "\\" };
                        Expr::constant(Datum::Bytes(mark.as_bytes().to_vec()), ResultType::text())
                    }
                });
                Ok(negate_if(*negated, predicate("like", ops::like, args)))
            }
            other => Err(SqlError::unsupported(format!("expression {other}"))),
        }
    }

    #[inline(never)]
    fn subquery(&mut self, expr: &Ast) -> Result<Expr> {
        Ok(match expr {
            Ast::InSubquery { expr, subquery, negated } => {
                let expr = Box::new(self.bind(expr)?);
                Expr::InSubquery {
                    expr,
                    slot: self.slot(subquery),
                    negated: *negated,
                    ty: ResultType::boolean(),
                }
            }
            Ast::Exists { subquery, negated } => {
                Expr::Exists { slot: self.slot(subquery), negated: *negated, ty: ResultType::boolean() }
            }
            Ast::Subquery(query) => Expr::Subquery { slot: self.slot(query), ty: ResultType::text() },
            other => return Err(SqlError::unsupported(format!("expression {other}"))),
        })
    }

    /// The type of `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'`; fraction digits are those of the text.
    fn typed_literal(&self, data_type: &ast::DataType, value: &Value) -> Result<ResultType> {
        let fsp = match value {
            Value::SingleQuotedString(s) => functions::fraction_digits(s.as_bytes()),
            _ => 0,
        };
        Ok(match data_type.to_string().to_ascii_uppercase().as_str() {
            "DATE" => ResultType::date(),
            name if name.starts_with("TIMESTAMP") || name.starts_with("DATETIME") => {
                ResultType::datetime(fsp)
            }
            name if name.starts_with("TIME") => ResultType::duration(fsp),
            name => return Err(SqlError::unsupported(format!("literal of type {name}"))),
        })
    }

    fn slot(&mut self, query: &Query) -> usize {
        self.subqueries.push(query.clone());
        self.subqueries.len() - 1
    }

    fn placeholder(&self, value: &Value) -> Result<Expr> {
        let Value::Placeholder(text) = value else {
            return Err(SqlError::unsupported(format!("literal {value}")));
        };
        let number: usize = text.trim_start_matches('?').parse().unwrap_or(0);
        match number.checked_sub(1).and_then(|at| self.params.get(at)) {
            Some((value, ty)) => Ok(Expr::constant(value.clone(), ty.clone())),
            None => Err(SqlError::new(1210, "Incorrect arguments to EXECUTE")),
        }
    }

    /// `_binary x'00'`: the value in the introduced character set.
    fn introduced(&mut self, prefix: &str, value: &Ast) -> Result<Expr> {
        let charset = prefix.trim_start_matches('_');
        let collation = collation::default_of(charset)
            .ok_or_else(|| SqlError::new(1115, format!("Unknown character set: '{charset}'")))?;
        match self.bind(value)? {
            Expr::Const { value, ty } => Ok(Expr::constant(value, ResultType::text_of(ty.flen, collation))),
            other => Ok(other),
        }
    }

    fn identifier(&mut self, path: &[ast::Ident]) -> Result<Expr> {
        if let [first, rest @ ..] = path
            && first.quote_style.is_none()
        {
            if let Some(name) = first.value.strip_prefix("@@") {
                return self.system_variable(name, rest);
            }
            if let (Some(name), []) = (first.value.strip_prefix('@'), rest) {
                return Ok(user_variable(self.variables.user(&name.to_ascii_lowercase())));
            }
        }
        let names: Vec<&str> = path.iter().map(|p| p.value.as_str()).collect();
        match (self.scope.find(&names, self.clause), names.as_slice()) {
            (Ok(index), _) => Ok(self.column(index)),
            (Err(error), [name]) => {
                let wanted = lower(name);
                self.aliases.iter().find(|(alias, _)| *alias == wanted).map(|(_, e)| e.clone()).ok_or(error)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// A reference to a column of the scope.
    pub(crate) fn column(&self, index: usize) -> Expr {
        match self.scope.columns.get(index) {
            Some(c) => Expr::Column {
                index,
                ty: c.ty.clone(),
                name: format!("{}.{}.{}", c.db, c.table, c.name).into(),
            },
            None => Expr::null(),
        }
    }

    fn system_variable(&self, first: &str, rest: &[ast::Ident]) -> Result<Expr> {
        let scope = first.to_ascii_lowercase();
        let (global, name) = match (scope.as_str(), rest) {
            ("global", [name]) => (true, name.value.clone()),
            ("session" | "local" | "instance", [name]) => (false, name.value.clone()),
            (_, []) => (false, first.to_owned()),
            (_, [name]) => (false, format!("{first}.{}", name.value)),
            _ => return Err(SqlError::new(1193, format!("Unknown system variable '{first}'"))),
        };
        let (value, ty) = self.variables.system(global, &name)?;
        Ok(Expr::constant(value, ty))
    }

    fn unary(&mut self, op: UnaryOperator, expr: &Ast) -> Result<Expr> {
        // `-9223372036854775808` is one number.
        if op == UnaryOperator::Minus
            && let Ast::Value(v) = expr
            && let Value::Number(digits, _) = &v.value
        {
            return literal::number(&format!("-{digits}")).map(|(value, ty)| Expr::constant(value, ty));
        }
        let operand = self.bind(expr)?;
        apply_unary(op, operand)
    }

    fn binary(&mut self, left: &Ast, op: &Op, right: &Ast) -> Result<Expr> {
        if let (Op::Plus | Op::Minus, Ast::Interval(i)) = (op, right) {
            return self.date_add(left, i, *op == Op::Minus);
        }
        if let (Op::Plus, Ast::Interval(i)) = (op, left) {
            return self.date_add(right, i, false);
        }
        if matches!(op, Op::And | Op::Or) {
            return self.chain(left, op, right);
        }
        let args = self.bind_refs(&[left, right])?;
        apply_binary(op, args)
    }

    /// `a AND b AND c …`, as one call however many there are.
    fn chain(&mut self, left: &Ast, op: &Op, right: &Ast) -> Result<Expr> {
        let mut parts = vec![right];
        let mut rest = left;
        while let Ast::BinaryOp { left, op: inner, right } = rest
            && inner == op
        {
            parts.push(right);
            rest = left;
        }
        parts.push(rest);
        self.longest_chain = self.longest_chain.max(parts.len());
        let args = parts.into_iter().rev().map(|part| self.bind(part)).collect::<Result<Vec<_>>>()?;
        Ok(if *op == Op::And { predicate("and", ops::and, args) } else { predicate("or", ops::or, args) })
    }

    #[inline(never)]
    fn date_add(&mut self, date: &Ast, i: &ast::Interval, negative: bool) -> Result<Expr> {
        let date = self.bind(date)?;
        let field = i.leading_field.as_ref().map(ToString::to_string).unwrap_or_default();
        let unit =
            interval::unit(&field).ok_or_else(|| SqlError::unsupported(format!("INTERVAL unit {field}")))?;
        let value = self.bind(&i.value)?;
        Ok(date_add(date, value, unit, negative))
    }

    fn case(
        &mut self,
        operand: Option<&Ast>,
        whens: &[ast::CaseWhen],
        otherwise: Option<&Ast>,
    ) -> Result<Expr> {
        let operand = operand.map(|o| self.bind(o)).transpose()?;
        let mut args = Vec::new();
        let mut ty = ResultType::null();
        for when in whens {
            let condition = self.bind(&when.condition)?;
            args.push(match &operand {
                Some(o) => predicate("eq", ops::eq, vec![o.clone(), condition]),
                None => condition,
            });
            let result = self.bind(&when.result)?;
            ty = ty.merge(result.ty());
            args.push(result);
        }
        if let Some(otherwise) = otherwise {
            let result = self.bind(otherwise)?;
            ty = ty.merge(result.ty());
            args.push(result);
        }
        Ok(operator("case", ops::case_when, args, ty))
    }

    fn function(&mut self, f: &Function) -> Result<Expr> {
        let name = match f.name.0.as_slice() {
            [ast::ObjectNamePart::Identifier(ident)] => ident.value.to_ascii_lowercase(),
            _ => return Err(SqlError::unsupported(format!("function {}", f.name))),
        };
        if f.over.is_some() || f.filter.is_some() || !f.within_group.is_empty() {
            return Err(SqlError::unsupported("window functions"));
        }
        let list = match &f.args {
            FunctionArguments::None => {
                &ast::FunctionArgumentList { duplicate_treatment: None, args: vec![], clauses: vec![] }
            }
            FunctionArguments::List(list) => list,
            FunctionArguments::Subquery(_) => {
                return Err(SqlError::unsupported(format!("function {name} of a subquery")));
            }
        };
        if let Some(kind) = aggregate_kind(&name) {
            return self.aggregate(kind, &name, list);
        }
        if name == "values" {
            return self.new_value(list);
        }
        let mut raw = Vec::new();
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => raw.push(e),
                other => return Err(SqlError::unsupported(format!("function argument {other}"))),
            }
        }
        self.special_or_builtin(&name, &raw)
    }

    /// Functions whose arguments are no plain expressions, then all others.
    fn special_or_builtin(&mut self, name: &str, raw: &[&Ast]) -> Result<Expr> {
        if matches!(name, "date_add" | "adddate" | "date_sub" | "subdate" | "timestampadd" | "timestampdiff")
        {
            return self.date_function(name, raw);
        }
        self.call(name, raw)
    }

    #[inline(never)]
    fn date_function(&mut self, name: &str, raw: &[&Ast]) -> Result<Expr> {
        match (name, raw) {
            ("date_add" | "adddate", [date, Ast::Interval(i)]) => self.date_add(date, i, false),
            ("date_sub" | "subdate", [date, Ast::Interval(i)]) => self.date_add(date, i, true),
            ("adddate" | "subdate", [date, days]) => {
                let (date, days) = (self.bind(date)?, self.bind(days)?);
                let unit = interval::unit("day").ok_or_else(|| SqlError::unsupported("ADDDATE"))?;
                Ok(date_add(date, days, unit, name == "subdate"))
            }
            ("timestampadd", [Ast::Identifier(unit), value, date]) => {
                let found = interval::unit(&unit.value)
                    .ok_or_else(|| SqlError::unsupported(format!("TIMESTAMPADD unit {}", unit.value)))?;
                let (value, date) = (self.bind(value)?, self.bind(date)?);
                Ok(date_add(date, value, found, false))
            }
            ("timestampdiff", [Ast::Identifier(unit), a, b]) => {
                let unit = Expr::constant(Datum::Bytes(unit.value.clone().into_bytes()), ResultType::text());
                let mut args = vec![unit];
                args.extend(self.bind_refs(&[a, b])?);
                functions::call(name, args)
            }
            _ => self.call(name, raw),
        }
    }

    /// `VALUES(c)` in `ON DUPLICATE KEY UPDATE`.
    fn new_value(&mut self, list: &ast::FunctionArgumentList) -> Result<Expr> {
        let (Some(offset), [FunctionArg::Unnamed(FunctionArgExpr::Expr(e))]) =
            (self.new_row, list.args.as_slice())
        else {
            return Err(SqlError::unsupported("VALUES() outside ON DUPLICATE KEY UPDATE"));
        };
        match self.bind(e)? {
            Expr::Column { index, ty, name } => Ok(Expr::Column { index: index + offset, ty, name }),
            _ => Err(SqlError::new(1064, "VALUES() needs a column")),
        }
    }

    fn aggregate(
        &mut self,
        kind: AggregateKind,
        name: &str,
        list: &ast::FunctionArgumentList,
    ) -> Result<Expr> {
        let Some(outer) = self.aggregates.take() else {
            return Err(SqlError::new(1111, "Invalid use of group function"));
        };
        let bound = self.aggregate_args(kind, list);
        let mut aggregates = outer;
        let (args, separator) = match bound {
            Ok(parts) => parts,
            Err(e) => {
                self.aggregates = Some(aggregates);
                return Err(e);
            }
        };
        let ty = aggregate_type(kind, &args);
        let index = self.scope.columns.len() + aggregates.len();
        let distinct = list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct);
        aggregates.push(Aggregate { kind, args, distinct, separator, ty: ty.clone() });
        self.aggregates = Some(aggregates);
        Ok(Expr::Column { index, ty, name: name.into() })
    }

    fn aggregate_args(
        &mut self,
        kind: AggregateKind,
        list: &ast::FunctionArgumentList,
    ) -> Result<(Vec<Expr>, Vec<u8>)> {
        let mut separator = b",".to_vec();
        for clause in &list.clauses {
            match clause {
                ast::FunctionArgumentClause::Separator(v) => {
                    if let (Datum::Bytes(text), _) = literal::value(&v.value)? {
                        separator = text;
                    }
                }
                other => return Err(SqlError::unsupported(format!("aggregate clause {other}"))),
            }
        }
        let mut args = Vec::new();
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if kind == AggregateKind::Count => {}
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => args.push(self.bind(e)?),
                other => return Err(SqlError::unsupported(format!("aggregate argument {other}"))),
            }
        }
        Ok((args, separator))
    }
}

#[inline(never)]
fn apply_unary(op: UnaryOperator, operand: Expr) -> Result<Expr> {
    Ok(match op {
        UnaryOperator::Plus => operand,
        UnaryOperator::Minus => {
            let ty = ops::arithmetic_type(operand.ty(), &ResultType::int(), false, false);
            let ty = if operand.ty().is_integer() { ResultType::int() } else { ty };
            operator("-", ops::negate, vec![operand], ty)
        }
        UnaryOperator::Not | UnaryOperator::BangNot => predicate("not", ops::not, vec![operand]),
        UnaryOperator::BitwiseNot => operator("~", ops::bit_not, vec![operand], ResultType::uint()),
        other => return Err(SqlError::unsupported(format!("operator {other}"))),
    })
}

#[inline(never)]
fn apply_binary(op: &Op, args: Vec<Expr>) -> Result<Expr> {
    let arithmetic = |divides: bool, multiplies: bool| match args.as_slice() {
        [a, b] => ops::arithmetic_type(a.ty(), b.ty(), divides, multiplies),
        _ => ResultType::double(),
    };
    let unsigned = args.iter().any(|a| a.ty().is_unsigned());
    let (name, eval, ty): (_, EvalFn, _) = match op {
        Op::Plus => ("+", ops::add, arithmetic(false, false)),
        Op::Minus => ("-", ops::subtract, arithmetic(false, false)),
        Op::Multiply => ("*", ops::multiply, arithmetic(false, true)),
        Op::Divide => ("/", ops::divide, arithmetic(true, false)),
        Op::Modulo => ("%", ops::modulo, arithmetic(false, false)),
        Op::MyIntegerDivide if unsigned => ("div", ops::int_divide, ResultType::uint()),
        Op::MyIntegerDivide => ("div", ops::int_divide, ResultType::int()),
        Op::Xor => ("xor", ops::xor, ResultType::boolean()),
        Op::Eq => ("eq", ops::eq, ResultType::boolean()),
        Op::NotEq => ("ne", ops::ne, ResultType::boolean()),
        Op::Lt => ("lt", ops::lt, ResultType::boolean()),
        Op::LtEq => ("le", ops::le, ResultType::boolean()),
        Op::Gt => ("gt", ops::gt, ResultType::boolean()),
        Op::GtEq => ("ge", ops::ge, ResultType::boolean()),
        Op::Spaceship => ("nulleq", ops::null_safe_eq, ResultType::boolean()),
        Op::BitwiseAnd => ("&", ops::bit_and, ResultType::uint()),
        Op::BitwiseOr => ("|", ops::bit_or, ResultType::uint()),
        Op::BitwiseXor => ("^", ops::bit_xor, ResultType::uint()),
        Op::PGBitwiseShiftLeft => ("<<", ops::shift_left, ResultType::uint()),
        Op::PGBitwiseShiftRight => (">>", ops::shift_right, ResultType::uint()),
        Op::StringConcat => return functions::call("concat", args),
        Op::Arrow => return functions::call("json_extract", args),
        Op::LongArrow => {
            return functions::call("json_unquote", vec![functions::call("json_extract", args)?]);
        }
        other => return Err(SqlError::unsupported(format!("operator {other}"))),
    };
    Ok(operator(name, eval, args, ty))
}

fn date_add(date: Expr, value: Expr, unit: &'static interval::Unit, negative: bool) -> Expr {
    let ty = interval::result_type(date.ty(), unit);
    Expr::DateAdd { args: vec![date, value], unit, negative, ty }
}

/// A user variable's value with the type that belongs to its kind.
fn user_variable(value: Datum) -> Expr {
    let ty = type_of_value(&value);
    Expr::constant(value, ty)
}

/// The type that a value without one is given.
pub(crate) fn type_of_value(value: &Datum) -> ResultType {
    match value {
        Datum::Null => ResultType::null(),
        Datum::Int(_) => ResultType::int(),
        Datum::Uint(_) | Datum::Enum(_) | Datum::Set(_) | Datum::Bit(_) => ResultType::uint(),
        Datum::Float(_) | Datum::Double(_) => ResultType::double(),
        Datum::Decimal(v) => ResultType::decimal(i64::from(v.precision()), i64::from(v.scale())),
        Datum::Time(v) if v.kind() == tidb_codec::TimeKind::Date => ResultType::date(),
        Datum::Time(v) => ResultType::datetime(v.fsp()),
        Datum::Duration(v) => ResultType::duration(v.fsp()),
        Datum::Json(_) => ResultType::json(),
        Datum::Bytes(_) | Datum::Vector(_) => ResultType::text(),
    }
}

fn aggregate_kind(name: &str) -> Option<AggregateKind> {
    Some(match name {
        "count" => AggregateKind::Count,
        "sum" => AggregateKind::Sum,
        "avg" => AggregateKind::Avg,
        "min" => AggregateKind::Min,
        "max" => AggregateKind::Max,
        "group_concat" => AggregateKind::GroupConcat,
        "bit_and" => AggregateKind::BitAnd,
        "bit_or" => AggregateKind::BitOr,
        "bit_xor" => AggregateKind::BitXor,
        _ => return None,
    })
}

fn aggregate_type(kind: AggregateKind, args: &[Expr]) -> ResultType {
    use tidb_codec::field::{flag, tp};
    let first = args.first().map_or_else(ResultType::null, |a| a.ty().clone());
    let exact = first.is_integer() || first.tp == tp::NEW_DECIMAL;
    match kind {
        AggregateKind::Count => {
            ResultType { flag: ResultType::int().flag | flag::NOT_NULL, ..ResultType::int() }
        }
        AggregateKind::Sum if exact => {
            ResultType::decimal((first.flen + 22).clamp(1, 65), first.decimal.max(0))
        }
        AggregateKind::Avg if exact => {
            ResultType::decimal((first.flen + 4).clamp(1, 65), (first.decimal.max(0) + 4).min(30))
        }
        AggregateKind::Sum | AggregateKind::Avg => ResultType::double(),
        AggregateKind::Min | AggregateKind::Max => {
            ResultType { flag: first.flag & !(flag::NOT_NULL | flag::PRI_KEY), ..first }
        }
        AggregateKind::GroupConcat => ResultType::text(),
        AggregateKind::BitAnd | AggregateKind::BitOr | AggregateKind::BitXor => ResultType::uint(),
    }
}
