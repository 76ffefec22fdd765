//! Bytes and texts against TiDB's own packages: see `tests/data/README.md`.

use jiff::tz::{Offset, TimeZone};
use tidb_codec::row::{Row, RowV2, column, encode_row_v2, write_row_v2};
use tidb_codec::{Datum, Decimal, FieldType, Json, Time, TimeKind, datum, duration, float, key, text};

/// Differences that a failing test shows.
const SHOWN: usize = 20;

/// Compares every line; `case` gets its fields and returns what we say and what is expected.
fn compare(file: &str, at_least: usize, case: impl Fn(&[&str]) -> (String, String)) {
    let mut count = 0;
    let mut different = Vec::new();
    for (at, line) in file.lines().enumerate() {
        count += 1;
        let fields: Vec<_> = line.split('\t').collect();
        let (ours, theirs) = case(&fields);
        if ours != theirs {
            different.push(format!("line {}: {line}\n  ours   {ours}\n  theirs {theirs}\n", at + 1));
        }
    }
    assert!(count >= at_least, "{count} cases");
    let shown: String = different.iter().take(SHOWN).cloned().collect();
    assert!(different.is_empty(), "{} of {count} differ\n{shown}", different.len());
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a writer wrote, or its error.
fn written<E: std::fmt::Debug>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> String {
    let mut out = Vec::new();
    match write(&mut out) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(error) => format!("{error:?}"),
    }
}

fn zone(name: &str) -> TimeZone {
    let Some(sign) = name.find(['+', '-']).filter(|at| *at == 0).map(|_| &name[..1]) else {
        return TimeZone::get(name).unwrap();
    };
    let (hours, minutes) = name[1..].split_once(':').unwrap();
    let seconds = hours.parse::<i32>().unwrap() * 3600 + minutes.parse::<i32>().unwrap() * 60;
    Offset::from_seconds(if sign == "-" { -seconds } else { seconds }).unwrap().to_time_zone()
}

#[test]
fn decimals_have_the_same_text() {
    compare(include_str!("../data/decimal.tsv"), 3000, |fields| {
        let stored = unhex(fields[0]);
        let scale = fields[1].parse::<u8>().ok();
        let ours = written(|out| text::write_decimal_bin(&stored, scale, out).map(drop));
        let (mut value, _) = Decimal::decode(&stored).unwrap();
        if let Some(scale) = scale {
            value = value.round(scale.into()).unwrap();
        }
        assert_eq!(
            written(|out| {
                value.write_text(out);
                Ok::<_, ()>(())
            }),
            fields[2],
            "{fields:?}"
        );
        (ours, fields[2].to_owned())
    });
}

#[test]
fn decimals_have_the_same_bytes() {
    compare(include_str!("../data/decimal.tsv"), 3000, |fields| {
        let stored = unhex(fields[0]);
        if fields[1].parse::<u8>().is_ok_and(|scale| scale != stored[1]) {
            return (String::new(), String::new());
        }
        let mut out = Vec::new();
        Decimal::parse(fields[2]).unwrap().encode(stored[0], stored[1], &mut out).unwrap();
        (hex(&out), fields[0].to_owned())
    });
}

#[test]
fn times_have_the_same_text_in_every_zone() {
    compare(include_str!("../data/time.tsv"), 2000, |fields| {
        let (packed, tp, fsp) =
            (fields[0].parse().unwrap(), fields[1].parse().unwrap(), fields[2].parse().unwrap());
        (written(|out| text::write_time_packed(packed, tp, fsp, &zone(fields[3]), out)), fields[4].to_owned())
    });
}

#[test]
fn local_timestamps_are_the_same_instants() {
    compare(include_str!("../data/local_time.tsv"), 1000, |fields| {
        let local = Time::parse(fields[1], TimeKind::Timestamp, 0).unwrap();
        let ours = local.to_utc_from(&zone(fields[0])).map_or("!".to_owned(), |time| time.to_string());
        (ours, fields[2].to_owned())
    });
}

#[test]
fn durations_have_the_same_text() {
    compare(include_str!("../data/duration.tsv"), 3000, |fields| {
        let (nanos, fsp) = (fields[0].parse().unwrap(), fields[1].parse().unwrap());
        let ours = written(|out| text::write_duration(nanos, fsp, out));
        // not a rounded one: zero has no sign to read back
        let read = duration::Duration::parse(fields[2], fsp).unwrap();
        assert_eq!(read.nanos(), nanos, "{fields:?}");
        (ours, fields[2].to_owned())
    });
}

#[test]
fn floats_have_the_same_text() {
    compare(include_str!("../data/float.tsv"), 4000, |fields| {
        let ours = written(|out| {
            match fields[0] {
                "32" => float::write_f32(f32::from_bits(u32::from_str_radix(fields[1], 16).unwrap()), out),
                _ => float::write_f64(f64::from_bits(u64::from_str_radix(fields[1], 16).unwrap()), out),
            }
            Ok::<_, ()>(())
        });
        (ours, fields[2].to_owned())
    });
}

#[test]
fn json_has_the_same_text() {
    compare(include_str!("../data/json.tsv"), 4000, |fields| {
        let stored = unhex(fields[0]);
        let mut again = Vec::new();
        Json::from_stored(&stored).unwrap().write_stored(&mut again);
        assert_eq!(again, stored);
        (written(|out| text::write_json(&stored, out)), fields[1].to_owned())
    });
}

#[test]
fn json_text_is_parsed_to_the_same_bytes() {
    compare(include_str!("../data/json_parse.tsv"), 250, |fields| {
        let source = unhex(fields[0]);
        let ours = match Json::parse(std::str::from_utf8(&source).unwrap()) {
            Ok(json) => {
                let mut out = Vec::new();
                json.write_stored(&mut out);
                hex(&out)
            }
            Err(_) => "!".to_owned(),
        };
        (ours, fields[1].to_owned())
    });
}

/// A column of a recorded row: id, type, text of its value.
fn parse_column(spec: &str) -> (i64, FieldType, Option<Vec<u8>>) {
    let parts: Vec<_> = spec.split(',').collect();
    let mut field = FieldType::new(parts[1].parse().unwrap());
    field.flag = parts[2].parse().unwrap();
    field.flen = parts[3].parse().unwrap();
    field.decimal = parts[4].parse().unwrap();
    field.charset = if parts[5] == "b" { "binary" } else { "utf8mb4" }.to_owned();
    field.elems = ('a'..='j').take(parts[6].parse().unwrap()).map(String::from).collect();
    (parts[0].parse().unwrap(), field, (parts[7] != "-").then(|| unhex(parts[7])))
}

#[test]
fn rows_have_the_same_values_and_bytes() {
    compare(include_str!("../data/row.tsv"), 600, |fields| {
        let (row_key, stored) = (unhex(fields[0]), unhex(fields[2]));
        let record = key::decode_record_key(&row_key).unwrap();
        assert_eq!(key::record_key(record.table_id, &record.handle.to_owned()), row_key);
        let row = RowV2::parse(&stored).unwrap();
        assert!(matches!(Row::parse(&stored), Ok(Row::V2(_))));
        assert_eq!(row.verify_checksum(&row_key), Ok(fields[1] == "handle"));
        let columns: Vec<_> =
            fields[3].split(';').filter(|spec| !spec.is_empty()).map(parse_column).collect();
        let mut values = Vec::new();
        for (id, field, expected) in &columns {
            let raw = row.get(*id).unwrap();
            let ours = raw.map(|raw| written(|out| text::write_column(field, raw, &TimeZone::UTC, out)));
            let theirs = expected.as_ref().map(|text| String::from_utf8_lossy(text).into_owned());
            assert_eq!(ours, theirs, "column {id} {field:?}");
            values.push(raw.map_or(Datum::Null, |raw| column::decode_column(field, raw).unwrap()));
        }
        let given: Vec<_> =
            columns.iter().zip(&values).map(|((id, field, _), value)| (*id, field, value)).collect();
        let mut out = Vec::new();
        if fields[1] == "handle" {
            write_row_v2(&given, Some(record.handle), &mut out).unwrap();
        } else {
            out = encode_row_v2(&given).unwrap();
        }
        (hex(&out), fields[2].to_owned())
    });
}

#[test]
fn flagged_values_are_the_same() {
    compare(include_str!("../data/datum.tsv"), 2000, |fields| {
        let in_key = unhex(fields[2]);
        let (value, rest) = datum::decode_one(&in_key).unwrap();
        assert!(rest.is_empty());
        let ours = match &value {
            Datum::Null => String::new(),
            Datum::Bytes(bytes) => hex(bytes),
            Datum::Duration(span) => span.nanos().to_string(),
            other => written(|out| text::write_datum(other, &TimeZone::UTC, out)),
        };
        assert_eq!(ours, fields[1], "{fields:?}");
        let in_row = unhex(fields[3]);
        assert_eq!(datum::decode_one(&in_row).map(|(value, _)| value).as_ref(), Ok(&value));
        let (mut again_key, mut again_row) = (Vec::new(), Vec::new());
        datum::encode_key(&value, &mut again_key).unwrap();
        datum::encode_value(&value, &mut again_row).unwrap();
        if fields[0] == "duration" {
            // rows hold spans as integers; TiDB makes them so before it encodes a row
            assert_eq!(datum::decode_one(&again_row).unwrap().0, Datum::Int(fields[1].parse().unwrap()));
            again_row.clone_from(&in_row);
        }
        if fields[0] == "decimal" {
            // written with the digits it has, not with those of its column
            again_key.clone_from(&in_key);
            again_row.clone_from(&in_row);
        }
        (format!("{} {}", hex(&again_key), hex(&again_row)), format!("{} {}", fields[2], fields[3]))
    });
}
