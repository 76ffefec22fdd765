//! Rows of both formats.

use jiff::tz::TimeZone;
use tidb_codec::field::{flag, tp};
use tidb_codec::row::{self, Row, column};
use tidb_codec::{Datum, FieldType, text};

use crate::bytes::Parts;

/// A column type for a column id: every id of a small row has one, all types are met.
fn field(id: i64) -> FieldType {
    const CODES: &[u8] = &[
        tp::TINY,
        tp::SHORT,
        tp::INT24,
        tp::LONG,
        tp::LONGLONG,
        tp::YEAR,
        tp::FLOAT,
        tp::DOUBLE,
        tp::NEW_DECIMAL,
        tp::DATE,
        tp::DATETIME,
        tp::TIMESTAMP,
        tp::DURATION,
        tp::VARCHAR,
        tp::STRING,
        tp::BLOB,
        tp::ENUM,
        tp::SET,
        tp::BIT,
        tp::JSON,
        tp::VECTOR_FLOAT32,
        tp::NULL,
    ];
    let at = usize::try_from(id.rem_euclid(CODES.len() as i64)).unwrap_or(0);
    let mut field = FieldType::new(CODES.get(at).copied().unwrap_or(tp::LONG));
    field.elems = ["a", "b", "c"].map(str::to_owned).to_vec();
    field.decimal = id.rem_euclid(7);
    field.flen = 20;
    if id.rem_euclid(2) == 1 {
        field.flag = flag::UNSIGNED;
    }
    field
}

/// A row in format v2 with the key that its checksum covers.
pub(crate) fn version_2(data: &[u8]) {
    let mut parts = Parts(data);
    let key = parts.sized();
    let Ok(Row::V2(row)) = Row::parse(parts.0) else { return };
    let _ = row.verify_checksum(key);
    let mut kept: Vec<(i64, FieldType, Datum)> = Vec::new();
    for (id, raw) in row.values() {
        let field = field(id);
        let mut out = Vec::new();
        let written = text::write_column(&field, raw, &TimeZone::UTC, &mut out).is_ok();
        if let Ok(value) = column::decode_column(&field, raw) {
            assert!(written || matches!(value, Datum::Time(_) | Datum::Json(_)), "{field:?} {raw:?}");
            kept.push((id, field, value));
        }
    }
    kept.extend(row.null_ids().map(|id| (id, field(id), Datum::Null)));
    let columns: Vec<_> = kept.iter().map(|(id, field, value)| (*id, field, value)).collect();
    let Ok(again) = row::encode_row_v2(&columns) else { return };
    let Ok(Row::V2(again)) = Row::parse(&again) else { unreachable!("an encoded row is one") };
    for (id, field, value) in &kept {
        let read = again.get(*id).map(|raw| raw.map(|raw| column::decode_column(field, raw)));
        match read {
            Some(None) => assert!(value.is_null()),
            Some(Some(Ok(read))) => assert!(read == *value || format!("{read:?}") == format!("{value:?}")),
            other => unreachable!("{other:?} for {value:?}"),
        }
    }
    let _ = row::checksum::of_columns(kept.iter().map(|(_, field, value)| (field, value)));
}

/// A row in format v1.
pub(crate) fn version_1(data: &[u8]) {
    let Ok(Row::V1(row)) = Row::parse(data) else { return };
    for (id, flagged) in row.values() {
        let Some(flagged) = flagged else { continue };
        let mut out = Vec::new();
        let _ = text::write_flagged(&field(id), flagged, &TimeZone::UTC, &mut out);
        let _ = row.get(id);
    }
}
