//! Rows recorded from a TiDB cluster, round trips, and damaged rows.

use super::*;
use crate::{
    Datum, Decimal, Duration, FieldType, HandleRef, Json, Time, TimeKind, datum,
    field::{flag, tp},
    key, text,
};
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// Bytes of a hexadecimal text.
fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

fn field(code: u8, flen: i64, decimal: i64) -> FieldType {
    FieldType { flen, decimal, ..FieldType::new(code) }
}

fn unsigned(code: u8) -> FieldType {
    FieldType { flag: flag::UNSIGNED, ..FieldType::new(code) }
}

fn members(code: u8, elems: &[&str]) -> FieldType {
    FieldType { elems: elems.iter().map(|e| (*e).to_owned()).collect(), ..FieldType::new(code) }
}

/// Columns 2 to 18 of the recorded tables `c1` and `v1`.
fn columns() -> Vec<FieldType> {
    vec![
        FieldType::new(tp::TINY),
        unsigned(tp::LONGLONG),
        field(tp::NEW_DECIMAL, 20, 5),
        FieldType::new(tp::FLOAT),
        FieldType::new(tp::DOUBLE),
        FieldType::new(tp::STRING),
        FieldType::new(tp::VARCHAR),
        FieldType::new(tp::BLOB),
        FieldType::new(tp::DATE),
        field(tp::DATETIME, 26, 6),
        field(tp::TIMESTAMP, 23, 3),
        field(tp::DURATION, 13, 2),
        FieldType::new(tp::YEAR),
        members(tp::ENUM, &["a", "b"]),
        members(tp::SET, &["x", "y"]),
        field(tp::BIT, 9, 0),
        FieldType::new(tp::JSON),
    ]
}

/// What both recorded rows hold.
const TEXTS: [&str; 17] = [
    "-5",
    "18446744073709551615",
    "-12345.67891",
    "1.5",
    "-2.25",
    "abc",
    "été",
    "\0\u{FF}",
    "2024-02-29",
    "2024-02-29 12:34:56.789012",
    "2024-02-29 12:34:56.789",
    "-12:34:56.78",
    "2024",
    "2",
    "3",
    "341",
    r#"{"a": [1, 2.5, "x", null, true]}"#,
];

/// Key and value of a row of `c1`, written with row checksums on.
const ROW_V2: (&str, &str) = (
    "74800000000000019b5f728000000000000001",
    "80021100000002030405060708090a0b0c0d0e0f1011120100090015001d00250028002d002f0037003f0047004f005100520053\
     0055009d00fbffffffffffffffff14057fffffffffcfc6fef6ccbff80000000000003ffdffffffffffff616263c3a974c3a900ff\
     0000000000bab219140a0cb8c8bab219080a0cb8c8bab21900c58485cdd6ffffe807020355010101000000470000001300000001\
     00031400000061050000003300000009210000000b290000000c3100000004000000000401000000010000000000000000000000\
     00000440017802aa559fb6",
);

/// A row of `v1` after an update of its first columns, with a JSON value of NULL, in format v1.
const ROW_V1: &str = "08040807080609ffffffffffffffffff0108080614057fffffffffcfc6fef6cc080a05bff8000000000000080c053ff\
     dffffffffffff080e02066162630810020ac3a974c3a90812020400ff0814098080808080c0aed9190816099494b0c08bd9aed919081\
     8098894b0c08bd9aed919081a08ffebd9a7cfcc14081c08d01f081e090208200903082209d502";

/// Text of a value; bytes that are no UTF-8 as Latin-1.
fn shown(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap_or_else(|e| e.into_bytes().into_iter().map(char::from).collect())
}

fn strip(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn a_recorded_row_decodes_and_encodes_to_the_same_bytes() {
    let (key_bytes, value) = (hex(ROW_V2.0), hex(&strip(ROW_V2.1)));
    let key = key::decode_record_key(&key_bytes).unwrap();
    assert_eq!((key.table_id, key.handle), (411, HandleRef::Int(1)));
    let row = RowV2::parse(&value).unwrap();
    assert_eq!(row.verify_checksum(&key_bytes), Ok(true));
    let (fields, zone) = (columns(), TimeZone::UTC);
    let mut data = Vec::new();
    for ((id, raw), (column, expected)) in row.values().zip(fields.iter().zip(TEXTS)) {
        let mut out = Vec::new();
        text::write_column(column, raw, &zone, &mut out).unwrap();
        assert_eq!(shown(out), expected);
        assert_eq!(row.get(id), Some(Some(raw)));
        data.push((id, column, decode_column(column, raw).unwrap()));
    }
    assert_eq!(data.len(), fields.len());
    assert_eq!(row.get(1), None);
    let columns: Vec<ColumnValue<'_>> =
        data.iter().map(|(id, column, datum)| (*id, *column, datum)).collect();
    let mut out = Vec::new();
    write_row_v2(&columns, Some(key.handle), &mut out).unwrap();
    assert_eq!(out, value);
}

#[test]
fn a_recorded_row_of_the_old_format_decodes_and_encodes_to_the_same_bytes() {
    let value = hex(&strip(ROW_V1));
    let Row::V1(row) = Row::parse(&value).unwrap() else { panic!("format v1") };
    let (fields, zone) = (columns(), TimeZone::UTC);
    let mut data = Vec::new();
    for ((id, stored), (column, expected)) in row.values().zip(fields.iter().zip(TEXTS)) {
        let stored = stored.unwrap();
        let mut out = Vec::new();
        assert_eq!(text::write_flagged(column, stored, &zone, &mut out), Ok(&[][..]));
        assert_eq!(shown(out), if id == 2 { "-4" } else { expected });
        data.push((id, column, datum::decode_one(stored).unwrap().0.into_column(column).unwrap()));
    }
    assert_eq!(data.len(), fields.len() - 1);
    let columns: Vec<ColumnValue<'_>> =
        data.iter().map(|(id, column, datum)| (*id, *column, datum)).collect();
    assert_eq!(encode_row_v1(&columns).unwrap(), value);
}

#[test]
fn a_recorded_common_handle_holds_the_sort_key() {
    let key_bytes = hex("74800000000000019d5f72010041004500000000fb038000000000000001");
    let value = hex("80020200000001030300040041c3a90102ced73e53");
    let key = key::decode_record_key(&key_bytes).unwrap();
    let row = RowV2::parse(&value).unwrap();
    assert_eq!(row.verify_checksum(&key_bytes), Ok(true));
    let mut name = field(tp::VARCHAR, 10, 0);
    name.collate = "utf8mb4_general_ci".to_owned();
    let mut handle = Vec::new();
    let stored = decode_column(&name, row.get(1).unwrap().unwrap()).unwrap();
    datum::encode_key_column(&name, &stored, None, &mut handle).unwrap();
    datum::encode_key_column(&FieldType::new(tp::LONG), &Datum::Int(1), None, &mut handle).unwrap();
    assert_eq!(key.handle, HandleRef::Common(&handle));
}

#[test]
fn a_damaged_row_fails_its_checksum() {
    let (key_bytes, mut value) = (hex(ROW_V2.0), hex(&strip(ROW_V2.1)));
    value[60] ^= 1;
    let damaged = RowV2::parse(&value).unwrap().verify_checksum(&key_bytes);
    assert!(matches!(damaged, Err(crate::CodecError::ChecksumMismatch { .. })));
    let other_key = hex("74800000000000019b5f728000000000000002");
    assert!(RowV2::parse(&hex(&strip(ROW_V2.1))).unwrap().verify_checksum(&other_key).is_err());
}

#[test]
fn column_checksums_take_values_in_their_text_forms() {
    let (int, name, when) =
        (FieldType::new(tp::LONG), FieldType::new(tp::VARCHAR), field(tp::DATETIME, 19, 0));
    let time = Time::parse("2020-01-02 03:04:05", TimeKind::DateTime, 0).unwrap();
    let values = [
        (&int, Datum::Int(-1)),
        (&name, Datum::Bytes(b"ab".to_vec())),
        (&int, Datum::Null),
        (&when, Datum::Time(time)),
    ];
    let computed = checksum::of_columns(values.iter().map(|(f, d)| (*f, d))).unwrap();
    let mut covered = vec![0xFF; 8];
    covered.extend_from_slice(b"\x02\0\0\0ab\x13\0\0\x002020-01-02 03:04:05");
    assert_eq!(computed, crc32fast::hash(&covered));
    let stored = Checksum { version: 0, main: 1, extra: Some(computed) };
    assert_eq!(stored.check(computed), Ok(()));
    assert!(stored.check(2).is_err());
}

#[test]
fn malformed_rows_are_refused() {
    for bad in [
        "",
        "80",
        "8000010000000201",
        "800002000000020102000100aabb",
        "80000200000002010100020",
        "8000020000000102020001000a0b",
        "800001000000020100aabb",
        "800401000000020100aa",
        "8002010000000201",
        "800201000000020100aa0700000000",
        "0000",
        "0801",
        "09",
        "08020a",
    ] {
        assert!(Row::parse(&hex(bad)).is_err(), "{bad}");
    }
    assert!(matches!(Row::parse(&[0]), Ok(Row::V1(row)) if row.values().count() == 0));
}

#[test]
fn values_a_column_cannot_hold_are_refused() {
    let encode = |field: &FieldType, datum: Datum| encode_row_v2(&[(1, field, &datum)]);
    assert!(encode(&unsigned(tp::LONG), Datum::Int(-1)).is_err());
    assert!(encode(&unsigned(tp::LONG), Datum::Int(200)).unwrap().ends_with(&[1, 0, 200]));
    assert!(encode(&FieldType::new(tp::LONG), Datum::Uint(u64::MAX)).is_err());
    assert!(encode(&FieldType::new(tp::LONG), Datum::Double(1.0)).is_err());
    assert!(encode(&field(tp::NEW_DECIMAL, 3, 1), Datum::Decimal(Decimal::from(100u64))).is_err());
    assert!(encode(&FieldType::new(tp::GEOMETRY), Datum::Bytes(vec![])).is_err());
    let (int, one) = (FieldType::new(tp::LONG), Datum::Int(1));
    assert!(encode_row_v2(&[(1, &int, &one), (1, &int, &one)]).is_err());
    assert!(encode_row_v2(&[(-1, &int, &one)]).is_err());
}

#[test]
fn wide_rows_use_wide_ids_and_offsets() {
    let (blob, int) = (FieldType::new(tp::LONG_BLOB), FieldType::new(tp::LONG));
    let long = Datum::Bytes(vec![7; 70_000]);
    for columns in [
        vec![(1, &blob, &long), (2, &int, &Datum::Null)],
        vec![(1, &int, &Datum::Int(1)), (300, &int, &Datum::Int(2))],
    ] {
        let value = encode_row_v2(&columns).unwrap();
        assert_eq!(value[1], 1);
        let row = RowV2::parse(&value).unwrap();
        for (id, column, datum) in columns {
            let decoded = row.get(id).unwrap().map_or(Datum::Null, |raw| decode_column(column, raw).unwrap());
            assert_eq!(&decoded, datum);
        }
    }
}

/// Any column type with a value of it.
fn any_column() -> impl Strategy<Value = (FieldType, Datum)> {
    let time = |kind: TimeKind| {
        (1u16..=9999, 1u8..=12, 1u8..=28, 0u8..24, 0u32..1_000_000).prop_map(
            move |(year, month, day, hour, micro)| {
                let parts = crate::time::TimeParts { year, month, day, hour, minute: 5, second: 59, micro };
                Datum::Time(Time::new(parts, kind, 6).unwrap())
            },
        )
    };
    prop_oneof![
        any::<i64>().prop_map(|v| (FieldType::new(tp::LONGLONG), Datum::Int(v))),
        any::<u64>().prop_map(|v| (unsigned(tp::LONGLONG), Datum::Uint(v))),
        (1901i64..=2155).prop_map(|v| (FieldType::new(tp::YEAR), Datum::Int(v))),
        proptest::num::f32::NORMAL.prop_map(|v| (FieldType::new(tp::FLOAT), Datum::Float(v))),
        proptest::num::f64::NORMAL.prop_map(|v| (FieldType::new(tp::DOUBLE), Datum::Double(v))),
        any::<i32>().prop_map(|v| (
            field(tp::NEW_DECIMAL, 20, 5),
            Datum::Decimal(
                Decimal::from(i64::from(v)).div(&Decimal::from(1000u64), 4).unwrap().round(5).unwrap()
            )
        )),
        any::<Vec<u8>>().prop_map(|v| (FieldType::new(tp::VARCHAR), Datum::Bytes(v))),
        time(TimeKind::DateTime).prop_map(|v| (field(tp::DATETIME, 26, 6), v)),
        time(TimeKind::Date).prop_map(|v| (FieldType::new(tp::DATE), v)),
        (-3_020_399_000i64..=3_020_399_000).prop_map(|v| (
            field(tp::DURATION, 14, 3),
            Datum::Duration(Duration::new(v * 1_000_000 / 1000 * 1000, 3).unwrap())
        )),
        any::<u64>().prop_map(|v| (field(tp::BIT, 64, 0), Datum::Bit(v))),
        (0u64..=2).prop_map(|v| (members(tp::ENUM, &["a", "b"]), Datum::Enum(v))),
        (0u64..4).prop_map(|v| (members(tp::SET, &["x", "y"]), Datum::Set(v))),
        any::<String>().prop_map(|v| (
            FieldType::new(tp::JSON),
            Datum::Json(Json::from_node(&crate::json::JsonNode::String(v)).unwrap())
        )),
        proptest::collection::vec(proptest::num::f32::NORMAL, 0..5)
            .prop_map(|v| (FieldType::new(tp::VECTOR_FLOAT32), Datum::Vector(v))),
        Just((FieldType::new(tp::LONG), Datum::Null)),
    ]
}

/// Found by fuzzing: SQL has neither NaN nor infinity, and a FLOAT holds no more than a float of four bytes does.
#[test]
fn floats_that_are_no_numbers_are_refused() {
    let (single, double) = (field(tp::FLOAT, 12, -1), field(tp::DOUBLE, 22, -1));
    let mut out = Vec::new();
    for (field, value, accepted) in [
        (&double, f64::NAN, false),
        (&double, f64::INFINITY, false),
        (&double, f64::NEG_INFINITY, false),
        (&double, f64::MAX, true),
        (&single, f64::NAN, false),
        (&single, 1e39, false),
        (&single, -1e39, false),
        (&single, f64::from(f32::MAX), true),
    ] {
        // The comparable form of a positive number has its sign bit set; no value encodes to NaN.
        let bits = value.to_bits();
        let comparable = if value.is_sign_negative() { !bits } else { bits | 1 << 63 };
        let raw = comparable.to_be_bytes();
        assert_eq!(decode_column(field, &raw).is_ok(), accepted, "{value}");
        assert_eq!(text::write_column(field, &raw, &TimeZone::UTC, &mut out).is_ok(), accepted, "{value}");
        let flagged: Vec<u8> = std::iter::once(datum::flagged::FLOAT).chain(raw).collect();
        assert_eq!(
            text::write_flagged(field, &flagged, &TimeZone::UTC, &mut out).is_ok(),
            accepted,
            "{value}"
        );
    }
}

/// Found by fuzzing: the bytes of a string became the text of a number.
#[test]
fn flagged_values_of_another_type_are_refused() {
    let mut string = Vec::new();
    datum::encode_value(&Datum::Bytes(b"not a number".to_vec()), &mut string).unwrap();
    let mut out = Vec::new();
    for code in [tp::LONG, tp::DOUBLE, tp::NEW_DECIMAL, tp::DATETIME, tp::DURATION, tp::BIT, tp::JSON] {
        let written = text::write_flagged(&field(code, 20, 0), &string, &TimeZone::UTC, &mut out);
        assert!(written.is_err(), "type {code}");
        assert!(out.is_empty(), "type {code}");
    }
    let mut number = Vec::new();
    datum::encode_value(&Datum::Double(1.5), &mut number).unwrap();
    assert!(text::write_flagged(&field(tp::VARCHAR, 20, 0), &number, &TimeZone::UTC, &mut out).is_err());
}

proptest! {
    #[test]
    fn rows_of_both_formats_round_trip(
        columns in proptest::collection::btree_map(1i64..400, any_column(), 0..12),
        handle: i64,
        with_checksum: bool,
    ) {
        let given: Vec<ColumnValue<'_>> = columns.iter().map(|(id, (field, datum))| (*id, field, datum)).collect();
        let mut value = Vec::new();
        write_row_v2(&given, with_checksum.then_some(HandleRef::Int(handle)), &mut value).unwrap();
        let row = RowV2::parse(&value).unwrap();
        prop_assert_eq!(row.verify_checksum(&key::record_key(1, &crate::Handle::Int(handle))), Ok(with_checksum));
        let old_value = encode_row_v1(&given).unwrap();
        let old_row = RowV1::parse(&old_value).unwrap();
        let zone = TimeZone::UTC;
        for (id, field, datum) in given {
            let raw = row.get(id).unwrap();
            let decoded = raw.map_or(Datum::Null, |raw| decode_column(field, raw).unwrap());
            prop_assert_eq!(&decoded, datum);
            let stored = old_row.get(id).unwrap();
            let old = stored.map_or(Datum::Null, |stored| datum::decode_one(stored).unwrap().0.into_column(field).unwrap());
            prop_assert_eq!(&old, datum);
            if let (Some(raw), Some(stored)) = (raw, stored) {
                let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
                text::write_column(field, raw, &zone, &mut a).unwrap();
                text::write_flagged(field, stored, &zone, &mut b).unwrap();
                text::write_datum(datum, &zone, &mut c).unwrap();
                prop_assert_eq!(&a, &b);
                prop_assert_eq!(&a, &c);
            }
        }
    }

    #[test]
    fn damaged_rows_never_panic(column in any_column(), at: prop::sample::Index, byte: u8, bytes: Vec<u8>) {
        let mut value = encode_row_v2(&[(1, &column.0, &column.1)]).unwrap();
        *at.get_mut(&mut value) = byte;
        for value in [&value, &bytes] {
            let _ = RowV1::parse(value);
            if let Ok(row) = RowV2::parse(value) {
                for (_, raw) in row.values() {
                    let _ = decode_column(&column.0, raw);
                    let _ = text::write_column(&column.0, raw, &TimeZone::UTC, &mut Vec::new());
                }
            }
            let _ = text::write_flagged(&column.0, value, &TimeZone::UTC, &mut Vec::new());
        }
    }

    #[test]
    fn flagged_values_round_trip_and_skip(column in any_column(), tail: [u8; 2]) {
        let (field, datum) = column;
        for encode in [datum::encode_key, datum::encode_value] {
            let mut stored = Vec::new();
            encode(&datum, &mut stored).unwrap();
            stored.extend_from_slice(&tail);
            let (decoded, rest) = datum::decode_one(&stored).unwrap();
            prop_assert_eq!(rest, &tail[..]);
            prop_assert_eq!(datum::skip_one(&stored).unwrap(), &tail[..]);
            prop_assert_eq!(decoded.into_column(&field).unwrap(), datum.clone());
        }
    }

    #[test]
    fn key_order_is_value_order(a: (i64, Vec<u8>, f64), b: (i64, Vec<u8>, f64)) {
        let encode = |(x, y, z): &(i64, Vec<u8>, f64)| {
            let mut out = Vec::new();
            for datum in [Datum::Int(*x), Datum::Bytes(y.clone()), Datum::Double(*z)] {
                datum::encode_key(&datum, &mut out).unwrap();
            }
            out
        };
        prop_assert_eq!(Some(encode(&a).cmp(&encode(&b))), a.partial_cmp(&b));
    }
}
