//! Statements and their nodes.

use sqlparser::ast::{Expr, SelectItem, SetExpr, Value};
use tidb_sql::account::{AccountStatement, PrivilegeLevel};
use tidb_sql::ddl::{ColumnOption, CreateTableSource, TypeName};
use tidb_sql::utility::{
    Assignment, Begin, Explain, Scope, SetStatement, SetValue, Show, ShowFilter, TransactionMode,
};
use tidb_sql::{Ddl, ParsedStatement, SqlMode, Statement, parse, parse_one};

fn one(sql: &str) -> ParsedStatement {
    parse_one(sql, SqlMode::default()).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

fn statement(sql: &str) -> Statement {
    one(sql).statement
}

#[test]
fn all_kinds_of_statements_are_read() {
    for sql in include_str!("../data/statements.txt").lines() {
        one(sql);
        one(&format!("/* x */ {} ;", sql.to_uppercase().replace("\\N", "\\n")));
    }
}

#[test]
fn statements_are_split_with_their_places() {
    let sql = " -- first\nselect 1 ;; /* b */ insert into t values (';', ?, ?)\n;\n begin ";
    let statements = parse(sql, SqlMode::default()).unwrap();
    let texts: Vec<_> = statements.iter().map(|s| &sql[s.range.clone()]).collect();
    assert_eq!(texts, ["-- first\nselect 1", "/* b */ insert into t values (';', ?, ?)", "begin"]);
    assert_eq!(statements.iter().map(|s| s.placeholders).collect::<Vec<_>>(), [0, 2, 0]);
}

#[test]
fn an_empty_text_holds_no_statement() {
    for sql in ["", " ;; ", "-- x", "/* x */;"] {
        assert!(parse(sql, SqlMode::default()).unwrap().is_empty(), "{sql}");
    }
}

#[test]
fn headers_are_what_a_client_shows() {
    let headers = one("with c as (select 5) select 1+1 , 'abc', t.`a b`, count( * ), b as x, *, t.*, @v, (select 2), NULL, -1 from t").headers;
    assert_eq!(
        headers,
        ["1+1", "abc", "a b", "count( * )", "x", "*", "t.*", "@v", "(select 2)", "NULL", "-1"]
    );
}

#[test]
fn literals_have_their_values() {
    let Statement::Query(query) = statement(r"select 'a\'b' 'c', x'0a', 0xF, b'01', ?, N'n', ?") else {
        panic!()
    };
    let SetExpr::Select(select) = *query.body else { panic!() };
    let values: Vec<_> = select
        .projection
        .iter()
        .map(|item| match item {
            SelectItem::UnnamedExpr(Expr::Value(value)) => value.value.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        values,
        [
            Value::SingleQuotedString("a'bc".to_owned()),
            Value::HexStringLiteral("0a".to_owned()),
            Value::HexStringLiteral("0F".to_owned()),
            Value::SingleQuotedByteStringLiteral("01".to_owned()),
            Value::Placeholder("?1".to_owned()),
            Value::NationalStringLiteral("n".to_owned()),
            Value::Placeholder("?2".to_owned()),
        ]
    );
}

#[test]
fn a_column_keeps_its_type_and_options() {
    let sql = "create table t (a varchar(10) character set latin1 not null default 'x', b int(5) zerofill, c datetime(3) default now(3) on update now(3), primary key (a))";
    let Statement::Ddl(ddl) = statement(sql) else { panic!() };
    let Ddl::CreateTable(create) = *ddl else { panic!() };
    let CreateTableSource::Definition { columns, constraints, .. } = create.source else { panic!() };
    assert_eq!(constraints.len(), 1);
    assert_eq!(columns[0].column_type.name, TypeName::VarChar);
    assert_eq!(columns[0].column_type.length, Some(10));
    assert_eq!(columns[0].column_type.charset.as_deref(), Some("latin1"));
    assert!(matches!(columns[0].options[0], ColumnOption::NotNull));
    assert!(columns[1].column_type.unsigned && columns[1].column_type.zerofill);
    assert_eq!(columns[2].column_type.decimals, Some(3));
    assert_eq!(columns[2].options[1], ColumnOption::OnUpdateNow(Some(3)));
}

#[test]
fn set_knows_scopes_and_bare_words() {
    let Statement::Set(SetStatement::Assignments(list)) =
        statement("set global a.B = on, @@session.c = default, @`x y` := 5, names utf8mb4, @@d = utf8")
    else {
        panic!()
    };
    let text = |word: &str| {
        SetValue::Expr(Expr::Value(Value::SingleQuotedString(word.to_owned()).with_empty_span()))
    };
    assert_eq!(
        list[0],
        Assignment::System { scope: Scope::Global, name: "a.b".to_owned(), value: text("on") }
    );
    assert_eq!(
        list[1],
        Assignment::System { scope: Scope::Session, name: "c".to_owned(), value: SetValue::Default }
    );
    assert!(matches!(&list[2], Assignment::User { name, .. } if name == "x y"));
    assert_eq!(list[3], Assignment::Names { charset: Some("utf8mb4".to_owned()), collation: None });
    assert_eq!(
        list[4],
        Assignment::System { scope: Scope::Session, name: "d".to_owned(), value: text("utf8") }
    );
}

#[test]
fn show_has_filters_and_schemas() {
    let Statement::Show(show) = statement("show full columns from t in s like 'a%'") else { panic!() };
    let Show::Columns { full, table, filter, .. } = *show else { panic!() };
    assert!(full);
    assert_eq!(table.to_string(), "s.t");
    assert_eq!(filter, Some(ShowFilter::Like("a%".to_owned())));
}

#[test]
fn transactions_have_modes() {
    assert_eq!(
        statement("begin optimistic"),
        Statement::Begin(Begin { mode: Some(TransactionMode::Optimistic), ..Begin::default() })
    );
    assert_eq!(
        statement("rollback to p"),
        Statement::Rollback { savepoint: Some("p".to_owned()), chain: false, release: false }
    );
}

#[test]
fn describe_and_explain_are_told_apart() {
    assert!(matches!(statement("desc t a"), Statement::Explain(e) if matches!(*e, Explain::Table { .. })));
    let Statement::Explain(explain) = statement("explain analyze select 1") else { panic!() };
    assert!(matches!(*explain, Explain::Statement { analyze: true, .. }));
}

#[test]
fn version_comments_are_read_in_place() {
    let Statement::Set(_) = statement("/*!40101 SET NAMES utf8 */") else { panic!() };
    let Statement::Ddl(_) =
        statement("create table t (a bigint primary key /*T![auto_rand] auto_random(5) */)")
    else {
        panic!()
    };
}

#[test]
fn grants_have_levels() {
    let Statement::Account(account) = statement("grant select, create view on `s`.* to 'a'@'%', b") else {
        panic!()
    };
    let AccountStatement::Grant { privileges, level, users, .. } = *account else { panic!() };
    assert_eq!(privileges[1].name, "CREATE VIEW");
    assert_eq!(level, PrivilegeLevel::Schema(Some("s".to_owned())));
    assert_eq!(users.len(), 2);
}

#[test]
fn several_updated_tables_are_cross_joined() {
    let Statement::Update { update, ignore, .. } = statement("update ignore t, u set t.a = u.a") else {
        panic!()
    };
    assert!(ignore);
    assert_eq!(update.table.joins.len(), 1);
}

#[test]
fn unknown_statements_of_tidb_keep_their_name() {
    assert_eq!(statement("backup database s to 's3://x'"), Statement::Other { name: "BACKUP" });
}
