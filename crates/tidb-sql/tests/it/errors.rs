//! Texts of syntax errors.

use tidb_sql::{ParseError, SqlMode, parse, parse_one};

fn message(sql: &str) -> String {
    parse(sql, SqlMode::default()).unwrap_err().to_string()
}

const HEAD: &str = "You have an error in your SQL syntax; check the manual that corresponds to your TiDB version for the right syntax to use ";

#[test]
fn an_error_names_the_place_and_quotes_the_rest() {
    for (sql, place) in [
        ("selec 1", "line 1 column 5 near \"selec 1\" "),
        ("create table", "line 1 column 12 near \"\" "),
        ("select * from t where", "line 1 column 21 near \"\" "),
        ("select 1;\nselect from t", "line 2 column 12 near \"from t\" "),
        ("create table t (a int b)", "line 1 column 23 near \"b)\" "),
        ("select 'a", "line 1 column 9 near \"'a\" "),
    ] {
        assert_eq!(message(sql), format!("{HEAD}{place}"), "{sql}");
    }
}

#[test]
fn a_long_rest_is_cut() {
    let sql = format!("selec {}", "x".repeat(5000));
    let text = message(&sql);
    assert!(text.ends_with("(total length 5006)"), "{}", text.len());
    assert!(text.len() < 2048 + 300);
}

#[test]
fn codes_are_those_of_mysql() {
    assert_eq!(parse("x", SqlMode::default()).unwrap_err().code(), 1064);
    assert_eq!(parse_one("", SqlMode::default()).unwrap_err(), ParseError::Empty);
    assert_eq!(ParseError::Empty.code(), 1065);
}

#[test]
fn reserved_words_are_no_names() {
    for sql in [
        "create table select (a int)",
        "select a from where",
        "create table t (key int, index int)",
        "use table",
    ] {
        assert!(parse(sql, SqlMode::default()).is_err(), "{sql}");
    }
    for sql in [
        "create table `select` (`index` int)",
        "select status, value, `key` from t.select",
        "select a.select from a",
    ] {
        assert!(parse(sql, SqlMode::default()).is_ok(), "{sql}");
    }
}

#[test]
fn one_statement_is_one() {
    assert!(parse_one("select 1;", SqlMode::default()).is_ok());
    assert!(parse_one("select 1; select 2", SqlMode::default()).is_err());
    assert!(parse_one(";", SqlMode::default()).is_err());
}
