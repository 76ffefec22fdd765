//! What expressions may say, and how they are refused.

use tidb_codec::field::{FieldType, tp};
use tidb_expr::table::{BindError, ValueExpr};
use tidb_schema::SchemaState;

use crate::tables::{bind, column, number, table, text};

/// A table with a column that is being added, and one whose collation nobody can compare by.
fn orders() -> tidb_schema::TableInfo {
    let int = || number(tp::LONG, 0, 11, 0);
    let mut hidden = column("coming", int());
    hidden.state = SchemaState::default();
    let foreign = FieldType { collate: "gbk_chinese_ci".to_owned(), ..text("utf8mb4_bin") };
    table(vec![column("id", int()), column("Qty", int()), hidden, column("name", foreign)])
}

#[test]
fn only_the_columns_that_are_read_are_asked_for() {
    let read = |source: &str| -> Vec<usize> {
        bind(&orders(), source).unwrap().stored().iter().map(|column| column.position).collect()
    };
    assert_eq!(read("qty > 1 and QTY < 5"), [1]);
    assert_eq!(read("t.qty > shop.t.id"), [1, 0]);
    assert_eq!(read("1 = 1"), [0; 0]);
}

#[test]
fn unknown_columns_are_named() {
    for (source, name) in [
        ("price > 1", "price"),
        ("qty > 1 and `x y` is null", "x y"),
        ("other.qty", "other.qty"),
        ("coming = 1", "coming"),
    ] {
        match bind(&orders(), source) {
            Err(BindError::UnknownColumn { column }) => assert_eq!(column, name, "{source}"),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn what_a_filter_cannot_have_is_refused_with_the_reason() {
    for (source, reason) in [
        ("nope(qty)", "FUNCTION nope does not exist"),
        ("sum(qty) > 1", "Invalid use of group function"),
        ("qty in (select 1)", "subquery"),
        ("qty > ?", "Incorrect arguments"),
        ("@@sql_mode = ''", "sql_mode"),
        ("(id, qty)", "should contain 1 column"),
        ("abs()", "Incorrect parameter count"),
        ("name = 'x'", "gbk_chinese_ci"),
        ("id regexp '('", "Invalid regexp pattern"),
    ] {
        match bind(&orders(), source) {
            Err(BindError::Invalid(error)) => assert!(error.message.contains(reason), "{source}: {error}"),
            other => panic!("{source}: {other:?}"),
        }
    }
}

#[test]
fn text_that_is_not_one_expression_is_no_expression() {
    for source in
        ["", "   ", "a >", "a = 1;", "a = 1; drop table t", "a) or (b", "select 1", "a = 1 limit 1", "'open"]
    {
        assert!(ValueExpr::parse(source).is_err(), "{source:?}");
    }
    let deep = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(ValueExpr::parse(&deep).is_err(), "nesting is bounded");
}
