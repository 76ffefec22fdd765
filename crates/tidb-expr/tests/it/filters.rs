//! Truth of expressions for values of each type.

use tidb_codec::field::{flag, tp};
use tidb_codec::{Datum, Decimal, Duration, Json, Time, TimeKind};

use crate::tables::{UNSIGNED, column, members, number, table, text, truth};

/// Checks the truth of expressions on a table of one column `c`.
#[track_caller]
fn check(field: tidb_codec::field::FieldType, value: &Datum, cases: &[(&str, bool)]) {
    let table = table(vec![column("c", field)]);
    for (source, expected) in cases {
        match truth(&table, source, std::slice::from_ref(value)) {
            Ok(found) => assert_eq!(found, *expected, "{source} for {value:?}"),
            Err(error) => panic!("{source} for {value:?}: {error}"),
        }
    }
}

#[test]
fn whole_numbers_signed_and_unsigned() {
    check(
        number(tp::LONG, 0, 11, 0),
        &Datum::Int(-7),
        &[
            ("c < 0", true),
            ("c = -7.0", true),
            ("c > 18446744073709551615", false),
            ("c in (1, -7)", true),
            ("c between -10 and -8", false),
            ("c % 2 = -1", true),
            ("abs(c) + 1 = 8", true),
            ("c", true),
            ("not c", false),
            ("c is null", false),
        ],
    );
    check(
        number(tp::LONGLONG, UNSIGNED, 20, 0),
        &Datum::Uint(u64::MAX),
        &[
            ("c > 9223372036854775807", true),
            ("c = 18446744073709551615", true),
            ("c > -1", true),
            ("c < 0", false),
        ],
    );
    check(number(tp::YEAR, UNSIGNED, 4, 0), &Datum::Int(2024), &[("c >= 2024", true), ("c = '2025'", false)]);
}

#[test]
fn exact_and_approximate_numbers() {
    let price = Datum::Decimal(Decimal::parse("19.990").unwrap());
    check(
        number(tp::NEW_DECIMAL, 0, 10, 3),
        &price,
        &[
            ("c = 19.99", true),
            ("c > 20", false),
            ("c * 2 = 39.98", true),
            ("round(c) = 20", true),
            ("c = '19.99'", true),
        ],
    );
    check(
        number(tp::DOUBLE, 0, 22, -1),
        &Datum::Double(0.5),
        &[("c = 0.5", true), ("c", true), ("c > 1e0", false)],
    );
    check(number(tp::FLOAT, 0, 12, -1), &Datum::Float(2.25), &[("c = 2.25", true), ("c div 2 = 1", true)]);
    let bits = Datum::Bit(0b101);
    check(
        number(tp::BIT, UNSIGNED, 8, 0),
        &bits,
        &[("c = 5", true), ("c & 4", true), ("c = b'101'", true), ("c & 2", false)],
    );
}

#[test]
fn text_compares_by_its_collation() {
    let value = Datum::Bytes("Äpfel ".into());
    check(
        text("utf8mb4_bin"),
        &value,
        &[
            ("c = 'Äpfel'", true),
            ("c = 'äpfel'", false),
            ("c like 'Ä%'", true),
            ("c like 'ä%'", false),
            ("lower(c) = 'äpfel'", true),
            ("char_length(c) = 6", true),
            ("c regexp '^Ä.*l'", true),
            ("c not regexp 'x'", true),
            ("concat(c, 'x') = 'Äpfel x'", true),
        ],
    );
    check(
        text("utf8mb4_general_ci"),
        &value,
        &[
            ("c = 'apfel'", true),
            ("c like 'äPF%'", true),
            ("c in ('x', 'ÄPFEL')", true),
            ("c regexp 'ÄPF'", true),
        ],
    );
    check(
        text("binary"),
        &Datum::Bytes(b"a ".to_vec()),
        &[("c = 'a'", false), ("c = x'6120'", true), ("c = 'a '", true)],
    );
}

#[test]
fn dates_and_times() {
    let time = |text: &str, kind| Datum::Time(Time::parse(text, kind, 3).unwrap());
    let created = time("2024-02-29 12:30:00.125", TimeKind::DateTime);
    check(
        number(tp::DATETIME, 0, 23, 3),
        &created,
        &[
            ("c > '2024-02-29'", true),
            ("c < '2024-02-29 12:30:00.126'", true),
            ("year(c) = 2024 and month(c) = 2", true),
            ("c + interval 1 day >= '2024-03-01 12:00:00'", true),
            ("date_format(c, '%Y%m') = '202402'", true),
            ("date(c) = '2024-02-29'", true),
            ("c = 20240229123000.125", true),
        ],
    );
    let stamp = time("2024-02-29 12:30:00", TimeKind::Timestamp);
    check(
        number(tp::TIMESTAMP, 0, 23, 3),
        &stamp,
        &[("unix_timestamp(c) = 1709209800", true), ("c < now()", true)],
    );
    let day = Datum::Time(Time::parse("2024-02-29", TimeKind::Date, 0).unwrap());
    check(number(tp::DATE, 0, 10, 0), &day, &[("c = '2024-02-29'", true), ("dayofweek(c) = 5", true)]);
    let span = Datum::Duration(Duration::parse("-01:30:00", 0).unwrap());
    check(number(tp::DURATION, 0, 10, 0), &span, &[("c < '00:00:00'", true), ("c = '-01:30:00'", true)]);
}

#[test]
fn enums_sets_and_json() {
    let states = members(tp::ENUM, &["new", "paid", "sent"]);
    check(
        states,
        &Datum::Enum(2),
        &[("c = 'paid'", true), ("c = 2", true), ("c in ('new', 'sent')", false), ("c > 1", true)],
    );
    let tags = members(tp::SET, &["red", "blue", "green"]);
    check(
        tags,
        &Datum::Set(0b101),
        &[("c = 'red,green'", true), ("c & 4", true), ("find_in_set('blue', c)", false)],
    );
    let document = Datum::Json(Json::parse(r#"{"a": {"b": [1, "x"]}, "n": 3}"#).unwrap());
    check(
        number(tp::JSON, 0, 4_294_967_295, 0),
        &document,
        &[
            ("c->'$.n' = 3", true),
            ("c->>'$.a.b[1]' = 'x'", true),
            ("json_extract(c, '$.missing') is null", true),
            ("json_length(c) = 2", true),
        ],
    );
}

#[test]
fn null_is_not_true() {
    check(
        number(tp::LONG, 0, 11, 0),
        &Datum::Null,
        &[
            ("c = 1", false),
            ("not (c = 1)", false),
            ("c is null", true),
            ("c <=> null", true),
            ("c = 1 or true", true),
            ("c = 1 and false", false),
            ("coalesce(c, 5) = 5", true),
            ("c in (1, null)", false),
            ("c / 0", false),
            ("case when c is null then 1 else 0 end", true),
        ],
    );
}

#[test]
fn a_division_by_zero_is_null() {
    check(
        number(tp::LONG, 0, 11, 0),
        &Datum::Int(3),
        &[("c / 0 is null", true), ("c div 0 = 1", false), ("c % 0 > 1", false)],
    );
}

#[test]
fn text_that_is_no_number_ends_the_evaluation() {
    let table = table(vec![column("c", text("utf8mb4_bin"))]);
    let row = [Datum::Bytes(b"12 apples".to_vec())];
    let error = truth(&table, "c > 10", &row).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (1292, "Truncated incorrect DOUBLE value: '12 apples'"));
    assert!(truth(&table, "c > 10", &[Datum::Bytes(b" 12 ".to_vec())]).unwrap());
    let error = truth(&table, "c + 9223372036854775807 > 0 and 9223372036854775807 + 1 > 0", &[Datum::Null]);
    assert_eq!(error.unwrap_err().code, 1690);
}

#[test]
fn columns_that_a_row_does_not_hold_have_their_origin_default() {
    let mut added = column("added", number(tp::LONG, 0, 11, 0));
    added.origin_default = "7".into();
    let mut stamp = column("stamp", number(tp::TIMESTAMP, flag::NOT_NULL, 19, 0));
    stamp.origin_default = "2020-01-01 00:00:00".into();
    let zero = column("zero", number(tp::LONG, flag::NOT_NULL, 11, 0));
    let none = column("none", number(tp::LONG, 0, 11, 0));
    let table = table(vec![column("c", number(tp::LONG, 0, 11, 0)), added, stamp, zero, none]);
    let row = [Datum::Int(1)];
    for source in ["added = 7", "stamp = '2020-01-01'", "zero = 0", "none is null", "c + added = 8"] {
        assert!(truth(&table, source, &row).unwrap(), "{source}");
    }
}

#[test]
fn virtual_columns_are_computed_from_what_is_stored() {
    let generated = |name: &str, expr: &str, field| {
        let mut column = column(name, field);
        column.generated_expr_string = expr.to_owned();
        column
    };
    let int = || number(tp::LONG, 0, 11, 0);
    let table = table(vec![
        column("price", int()),
        column("qty", int()),
        generated("total", "`price` * `qty`", int()),
        generated("label", "concat(_utf8mb4'n-', `total`)", text("utf8mb4_bin")),
        generated("flag", "if(`total` > 100, 1, 0)", int()),
    ]);
    let row = [Datum::Int(30), Datum::Int(4)];
    for source in ["total = 120", "label = 'n-120'", "flag", "total > price and flag = 1"] {
        assert!(truth(&table, source, &row).unwrap(), "{source}");
    }
    assert!(!truth(&table, "total", &[Datum::Null, Datum::Int(1)]).unwrap());
}
