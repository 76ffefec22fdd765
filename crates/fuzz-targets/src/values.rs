//! Keys and values.

use jiff::tz::TimeZone;
use tidb_codec::field::tp;
use tidb_codec::{
    Datum, Decimal, Duration, FieldType, Json, Time, TimeKind, datum as flagged, index, key as keys, text,
};

use crate::bytes::Parts;

/// Record, index and meta keys. What was decoded encodes to the same key.
pub(crate) fn key(data: &[u8]) {
    let _ = keys::table_id_of(data);
    if let Ok(record) = keys::decode_record_key(data) {
        let again = keys::record_key(record.table_id, &record.handle.to_owned());
        assert_eq!(again, keys::strip_keyspace(data), "record key");
    }
    let _ = keys::decode_index_key(data);
    let _ = index::decode_index_value(data);
    if let Ok(meta) = keys::meta::decode(data) {
        use keys::meta::{MetaKey, hash_key, list_element_key, list_meta_key, string_key};
        let again = match &meta {
            MetaKey::String { name } => string_key(name),
            MetaKey::HashField { name, field } => hash_key(name, field),
            MetaKey::ListMeta { name } => list_meta_key(name),
            MetaKey::ListElement { name, index } => list_element_key(name, *index),
            MetaKey::HashMeta { .. } => return,
        };
        assert!(data.ends_with(&again), "meta key");
    }
}

/// Flagged values. What was decoded encodes to bytes with the same value.
pub(crate) fn datum(data: &[u8]) {
    let mut rest = data;
    while !rest.is_empty() {
        let skipped = flagged::skip_one(rest);
        let Ok((value, tail)) = flagged::decode_one(rest) else { break };
        assert_eq!(skipped.ok(), Some(tail), "skipped as much as decoded");
        assert!(tail.len() < rest.len());
        let mut encoded = Vec::new();
        if flagged::encode_value(&value, &mut encoded).is_ok() {
            // spans become integers, see `encode_value`
            let expected = match &value {
                Datum::Duration(span) => Datum::Int(span.nanos()),
                other => other.clone(),
            };
            let again = flagged::decode_one(&encoded);
            assert_eq!(again, Ok((expected, [].as_slice())), "{value:?}");
        }
        let mut out = Vec::new();
        let _ = text::write_datum(&value, &TimeZone::UTC, &mut out);
        for code in
            [tp::LONG, tp::FLOAT, tp::VARCHAR, tp::DURATION, tp::DATETIME, tp::BIT, tp::ENUM, tp::YEAR]
        {
            let _ = value.clone().into_column(&FieldType::new(code));
        }
        rest = tail;
    }
}

/// Stored JSON.
pub(crate) fn json(data: &[u8]) {
    let mut direct = Vec::new();
    let written = text::write_json(data, &mut direct);
    let Ok(value) = Json::from_stored(data) else { return };
    let mut out = Vec::new();
    assert!(value.write_text(&mut out).is_ok() || written.is_err(), "valid JSON has a text");
    if written.is_ok() {
        assert_eq!(out, direct);
    }
    let mut stored = Vec::new();
    value.write_stored(&mut stored);
    assert_eq!(stored, data, "stored JSON");
    assert!(value.compare(&value).is_eq() || direct.windows(3).any(|part| part == b"NaN"));
    let _ = value.as_ref().to_node();
}

/// JSON text. What was parsed is valid stored JSON, and its text parses to the same.
pub(crate) fn json_text(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let Ok(value) = Json::parse(source) else { return };
    let mut stored = Vec::new();
    value.write_stored(&mut stored);
    assert_eq!(Json::from_stored(&stored).as_ref(), Ok(&value), "parsed JSON is valid");
    let text = value.to_string();
    assert_eq!(Json::parse(&text).as_ref(), Ok(&value), "{text}");
}

/// DECIMAL, stored and as text.
pub(crate) fn decimal(data: &[u8]) {
    let mut parts = Parts(data);
    let scale = parts.byte();
    let mut out = Vec::new();
    let written = text::write_decimal_bin(parts.0, (scale < 31).then_some(scale), &mut out).is_ok();
    if let Ok((value, _)) = Decimal::decode(parts.0) {
        assert!(written, "a decimal that can be decoded has a text");
        let mut plain = Vec::new();
        value.write_text(&mut plain);
        let plain = String::from_utf8_lossy(&plain).into_owned();
        assert_eq!(Decimal::parse(&plain).as_ref(), Ok(&value), "{plain}");
        let mut stored = Vec::new();
        if value.encode_own(&mut stored).is_ok() {
            assert_eq!(Decimal::decode(&stored).map(|(again, _)| again).as_ref(), Ok(&value));
        }
        let _ = (value.to_f64(), value.to_i64(), value.to_u64(), value.round(i16::from(scale)));
        let _ = value.fit(scale, scale / 2);
    }
    if let Ok(source) = std::str::from_utf8(data) {
        let _ = Decimal::parse(source);
        if let Ok((_, used)) = Decimal::parse_prefix(source) {
            assert!(used <= source.len());
        }
    }
}

/// Times and spans, packed and as text. A text that was written reads as the same value.
pub(crate) fn time(data: &[u8]) {
    let mut parts = Parts(data);
    let (fsp, zone, number) = (parts.byte() % 8, parts.byte(), parts.number());
    let zone = ["UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"]
        .get(usize::from(zone) % 4)
        .and_then(|name| TimeZone::get(name).ok())
        .unwrap_or(TimeZone::UTC);
    for code in [tp::DATE, tp::DATETIME, tp::TIMESTAMP, tp::NEW_DATE] {
        let mut out = Vec::new();
        let _ = text::write_time_packed(number, code, fsp, &zone, &mut out);
    }
    for kind in [TimeKind::Date, TimeKind::DateTime, TimeKind::Timestamp] {
        if let Ok(value) = Time::from_packed(number, kind, fsp) {
            let _ = (value.from_utc_to(&zone), value.to_utc_from(&zone), value.to_civil());
            let _ = (value.to_unix_micros(), value.round(fsp % 4), value.with_kind(TimeKind::Date, 0));
        }
        let _ = Time::from_number(number.cast_signed(), kind, fsp);
        let _ = Time::from_unix_micros(number.cast_signed(), kind, fsp);
    }
    let mut out = Vec::new();
    let nanos = number.cast_signed();
    // fractions beyond the largest span can be stored, but not typed
    let typed = nanos.unsigned_abs() <= (838 * 3600 + 59 * 60 + 59) * 1_000_000_000;
    if text::write_duration(nanos, fsp, &mut out).is_ok() && fsp <= 6 && typed {
        let shown = String::from_utf8_lossy(&out).into_owned();
        assert!(Duration::parse(&shown, fsp).is_ok(), "{shown}");
    }
    let _ = Duration::from_number(nanos, fsp).map(|span| span.round(fsp / 2));
    let Ok(source) = std::str::from_utf8(parts.0) else { return };
    let _ = Duration::parse(source, fsp);
    for kind in [TimeKind::Date, TimeKind::DateTime, TimeKind::Timestamp] {
        let _ = Time::parse_with_offset(source, kind, fsp);
        if let Ok(value) = Time::parse(source, kind, fsp.min(6)) {
            let shown = value.to_string();
            assert_eq!(Time::parse(&shown, kind, fsp.min(6)).as_ref(), Ok(&value), "{shown}");
        }
    }
}
