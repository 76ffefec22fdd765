//! Building `sqlparser`'s nodes.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, ObjectName, OrderBy, OrderByExpr,
    OrderByKind, Parens, Query, Select, SelectFlavor, SetExpr, SetOperator, SetQuantifier, Value, Values,
    WildcardAdditionalOptions,
};

/// A value.
pub(super) fn value(value: Value) -> Expr {
    Expr::Value(value.with_empty_span())
}

/// A number as typed.
pub(super) fn number(text: &str) -> Expr {
    value(Value::Number(text.to_owned(), false))
}

/// An identifier as expression.
pub(super) fn identifier(name: &str) -> Expr {
    Expr::Identifier(Ident::new(name))
}

/// An argument.
pub(super) fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

/// A function call with arguments.
pub(super) fn call(name: ObjectName, args: FunctionArgumentList) -> Function {
    Function {
        name,
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(args),
        within_group: Vec::new(),
        filter: None,
        null_treatment: None,
        over: None,
    }
}

/// A call of an unqualified function with plain arguments.
pub(super) fn simple_call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(argument).collect();
    Expr::Function(call(ObjectName::from(vec![Ident::new(name)]), argument_list(args, Vec::new())))
}

/// Arguments without `DISTINCT`.
pub(super) fn argument_list(
    args: Vec<FunctionArg>,
    clauses: Vec<FunctionArgumentClause>,
) -> FunctionArgumentList {
    FunctionArgumentList { duplicate_treatment: None, args, clauses }
}

/// The unit of a time interval in upper case, or `None` if the word is no unit.
pub(super) fn time_unit(word: &str) -> Option<DateTimeField> {
    let upper = word.to_ascii_uppercase();
    let plain = upper.strip_prefix("SQL_TSI_").unwrap_or(&upper);
    Some(match plain {
        "MICROSECOND" if plain == upper => DateTimeField::Microsecond,
        "SECOND" => DateTimeField::Second,
        "MINUTE" => DateTimeField::Minute,
        "HOUR" => DateTimeField::Hour,
        "DAY" => DateTimeField::Day,
        "WEEK" => DateTimeField::Week(None),
        "MONTH" => DateTimeField::Month,
        "QUARTER" => DateTimeField::Quarter,
        "YEAR" => DateTimeField::Year,
        "SECOND_MICROSECOND" | "MINUTE_MICROSECOND" | "MINUTE_SECOND" | "HOUR_MICROSECOND"
        | "HOUR_SECOND" | "HOUR_MINUTE" | "DAY_MICROSECOND" | "DAY_SECOND" | "DAY_MINUTE" | "DAY_HOUR"
        | "YEAR_MONTH"
            if plain == upper =>
        {
            DateTimeField::Custom(Ident::new(plain))
        }
        _ => return None,
    })
}

/// `*` without options.
pub(super) fn wildcard_options() -> WildcardAdditionalOptions {
    WildcardAdditionalOptions {
        wildcard_token: AttachedToken::empty(),
        ..WildcardAdditionalOptions::default()
    }
}

/// A row of `VALUES`.
pub(super) fn row(content: Vec<Expr>) -> Parens<Vec<Expr>> {
    Parens { opening_token: AttachedToken::empty(), content, closing_token: AttachedToken::empty() }
}

/// A query that is just this body.
pub(super) fn query(body: Box<SetExpr>) -> Box<Query> {
    Box::new(Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    })
}

/// A query of `VALUES` rows.
pub(super) fn values_query(rows: Vec<Vec<Expr>>, explicit_row: bool) -> Box<Query> {
    let rows = rows.into_iter().map(row).collect();
    query(Box::new(SetExpr::Values(Values { explicit_row, value_keyword: false, rows })))
}

/// `ORDER BY` items.
pub(super) fn order_by(items: Vec<OrderByExpr>) -> OrderBy {
    OrderBy { kind: OrderByKind::Expressions(items), interpolate: None }
}

/// A `SELECT` of nothing.
pub(super) fn empty_select() -> Box<Select> {
    Box::new(Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: Vec::new(),
        exclude: None,
        into: None,
        from: Vec::new(),
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    })
}

/// The body of a query that is still to be read.
pub(super) fn no_body() -> Box<SetExpr> {
    Box::new(SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: Vec::new() }))
}

/// A body of one `SELECT`.
pub(super) fn select_body(select: Box<Select>) -> Box<SetExpr> {
    Box::new(SetExpr::Select(select))
}

/// A body of a query in parentheses.
pub(super) fn query_body(query: Box<Query>) -> Box<SetExpr> {
    Box::new(SetExpr::Query(query))
}

/// A set operation.
pub(super) fn set_operation(
    left: Box<SetExpr>,
    op: SetOperator,
    all: bool,
    right: Box<SetExpr>,
) -> Box<SetExpr> {
    let set_quantifier = if all { SetQuantifier::All } else { SetQuantifier::None };
    Box::new(SetExpr::SetOperation { left, op, set_quantifier, right })
}
