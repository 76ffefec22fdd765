//! The forms of row messages that settings choose.

use std::sync::Arc;

use change_format::{
    CanalEncoder, CanalOptions, EncodeError, Encoded, LargeMessage, MessageForm, record_length,
};
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tidb_codec::field::flag;
use tidb_codec::row;

use crate::orders::{NOW_MS, change, encode, encoder, row_key, stored, table, version};

fn extension() -> CanalOptions {
    CanalOptions { enable_tidb_extension: true, ..CanalOptions::default() }
}

#[test]
fn insert_is_as_published() {
    let (key, value) = (row_key(7), stored(None, Some(1)));
    let expected = concat!(
        r#"{"id":0,"database":"shop","table":"orders","pkNames":["id"],"isDdl":false,"type":"INSERT","#,
        r#""es":1750000000123,"ts":1750000000456,"sql":"","#,
        r#""sqlType":{"id":-5,"amt":3,"st":4,"tags":-7,"raw":2004,"note":12,"ok":-7,"at":93,"code":4},"#,
        r#""mysqlType":{"id":"bigint unsigned","amt":"decimal","st":"enum","tags":"set","raw":"varbinary","#,
        r#""note":"varchar","ok":"bit","at":"timestamp","code":"int"},"old":null,"#,
        r#""data":[{"id":"7","amt":"12.50","st":"2","tags":"5","raw":"\u0000ÿ\u003cA","note":null,"ok":"3","#,
        r#""at":"2025-06-15 15:06:40.123","code":"1"}],"_tidb":{"commitTs":458752000032243713}}"#
    );
    assert_eq!(encode(&encoder(extension()), &change(&key, &[], &value)), expected);
}

#[test]
fn large_unsigned_values_widen_their_sql_type() {
    let (key, value) = (row_key(-1), stored(None, None));
    let json = encode(&encoder(CanalOptions::default()), &change(&key, &[], &value));
    assert!(json.contains(r#""sqlType":{"id":3,"amt":3"#), "{json}");
    assert!(json.contains(r#""data":[{"id":"18446744073709551615""#), "{json}");
    assert!(!json.contains("_tidb"));
}

#[test]
fn old_holds_all_columns_or_those_that_differ() {
    let (key, old, new) = (row_key(1), stored(Some("a"), Some(5)), stored(Some("b"), Some(5)));
    let update = change(&key, &old, &new);
    assert!(encode(&encoder(CanalOptions::default()), &update).contains(r#""old":[{"id":"1","amt":"12.50""#));
    let options = CanalOptions { only_output_updated_columns: true, ..CanalOptions::default() };
    assert!(encode(&encoder(options.clone()), &update).contains(r#""old":[{"note":"a"}],"data":[{"id":"1""#));
    let unchanged = change(&key, &old, &old);
    assert!(encode(&encoder(options), &unchanged).contains(r#""old":[{}],"#));
}

#[test]
fn null_differs_from_empty() {
    let (key, old, new) = (row_key(1), stored(None, None), stored(Some(""), None));
    let options = CanalOptions { only_output_updated_columns: true, ..CanalOptions::default() };
    assert!(encode(&encoder(options), &change(&key, &old, &new)).contains(r#""old":[{"note":null}]"#));
}

#[test]
fn content_compatible_has_full_types_and_changed_columns() {
    let (key, old, new) = (row_key(1), stored(Some("a"), None), stored(Some("b"), None));
    let options = CanalOptions { content_compatible: true, ..CanalOptions::default() };
    let json = encode(&encoder(options), &change(&key, &old, &new));
    let types = concat!(
        r#""mysqlType":{"id":"bigint(20) unsigned","amt":"decimal(8,2)","st":"enum('new','paid')","#,
        r#""tags":"set('a','b','c')","raw":"varbinary(4)","note":"varchar(20)","ok":"bit(8)","at":"timestamp(3)","#,
        r#""code":"int(11)"}"#
    );
    assert!(json.contains(types), "{json}");
    assert!(json.contains(r#""old":[{"note":"a"}]"#), "{json}");
}

#[test]
fn delete_can_be_cut_to_the_handle_key() {
    let (key, old) = (row_key(7), stored(Some("a"), None));
    let options = CanalOptions { delete_only_output_handle_key_columns: true, ..extension() };
    let json = encode(&encoder(options.clone()), &change(&key, &old, &[]));
    assert!(json.contains(
        r#""sqlType":{"id":-5},"mysqlType":{"id":"bigint unsigned"},"old":null,"data":[{"id":"7"}]"#
    ));
    assert!(!json.contains("onlyHandleKey"));
    let insert = encode(&encoder(options), &change(&key, &[], &old));
    assert!(insert.contains(r#""note":"a""#));
}

#[test]
fn timestamps_are_in_the_configured_zone() {
    let options =
        CanalOptions { time_zone: TimeZone::get("Asia/Shanghai").unwrap(), ..CanalOptions::default() };
    let (key, value) = (row_key(7), stored(None, None));
    assert!(
        encode(&encoder(options), &change(&key, &[], &value)).contains(r#""at":"2025-06-15 23:06:40.123""#)
    );
}

#[test]
fn row_key_is_the_raw_key_without_key_space() {
    let value = stored(None, None);
    let options = CanalOptions { output_row_key: true, ..extension() };
    let plain = encode(&encoder(options.clone()), &change(&row_key(7), &[], &value));
    assert!(plain.ends_with(r#","rowkey":"dIAAAAAAAABNX3KAAAAAAAAABw=="}}"#), "{plain}");
    let spaced = [b"x\0\0\x01".as_slice(), &row_key(7)].concat();
    assert_eq!(encode(&encoder(options), &change(&spaced, &[], &value)), plain);
}

#[test]
fn too_large_is_an_error_that_names_table_and_lengths() {
    let (key, value) = (row_key(7), stored(Some("a"), None));
    let full = encode(&encoder(CanalOptions::default()), &change(&key, &[], &value)).len();
    let limited = |max| encoder(CanalOptions { max_message_bytes: Some(max), ..CanalOptions::default() });
    let mut out = b"before".to_vec();
    let fits = limited(record_length(full)).encode(&change(&key, &[], &value), NOW_MS, &mut out);
    assert_eq!(fits, Ok(Encoded::Message));
    out.truncate(6);
    let error =
        limited(record_length(full) - 1).encode(&change(&key, &[], &value), NOW_MS, &mut out).unwrap_err();
    let text = format!(
        "message is too large. table:shop.orders, length:{}, maxMessageBytes:{}",
        record_length(full),
        record_length(full) - 1
    );
    assert_eq!(error.to_string(), text);
    assert_eq!(out, b"before");
}

#[test]
fn too_large_can_be_cut_to_the_handle_key() {
    let (key, value) = (row_key(9), stored(Some(&"x".repeat(2000)), None));
    let limited = |max| {
        let large_message = LargeMessage::HandleKeyOnly;
        encoder(CanalOptions { max_message_bytes: Some(max), large_message, ..extension() })
    };
    let mut out = Vec::new();
    let encoded = limited(600).encode(&change(&key, &[], &value), NOW_MS, &mut out);
    assert_eq!(encoded, Ok(Encoded::HandleKeyOnly));
    let json = String::from_utf8(out).unwrap();
    let end =
        r#""old":null,"data":[{"id":"9"}],"_tidb":{"commitTs":458752000032243713,"onlyHandleKey":true}}"#;
    assert!(json.ends_with(end), "{json}");
    let error = limited(100).encode(&change(&key, &[], &value), NOW_MS, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, EncodeError::TooLarge { max: 100, .. }));
}

#[test]
fn claim_check_hands_out_the_full_message_then_the_reference() {
    let (key, value) = (row_key(9), stored(Some(&"x".repeat(2000)), None));
    let large_message = LargeMessage::ClaimCheck;
    let encoder = encoder(CanalOptions { max_message_bytes: Some(600), large_message, ..extension() });
    let mut full = Vec::new();
    assert_eq!(encoder.encode(&change(&key, &[], &value), NOW_MS, &mut full), Ok(Encoded::NeedsClaimCheck));
    assert!(full.len() > 2000);
    let mut reference = Vec::new();
    let form = MessageForm::ClaimCheck("s3://bucket/cc/1.json");
    encoder.encode_as(&change(&key, &[], &value), form, NOW_MS, &mut reference).unwrap();
    let json = String::from_utf8(reference).unwrap();
    assert!(json.ends_with(r#""claimCheckLocation":"s3://bucket/cc/1.json"}}"#), "{json}");
    assert!(json.contains(r#""data":[{"id":"9"}]"#));
}

#[test]
fn cut_forms_go_with_every_other_option() {
    let key = row_key(9);
    let (old, new) = (stored(Some("a"), Some(1)), stored(Some(&"x".repeat(2000)), Some(1)));
    let options = CanalOptions {
        content_compatible: true,
        delete_only_output_handle_key_columns: true,
        output_row_key: true,
        max_message_bytes: Some(700),
        ..extension()
    };
    let cut = r#""sqlType":{"id":-5},"mysqlType":{"id":"bigint(20) unsigned"},"#;
    for (large_message, form, word) in [
        (LargeMessage::HandleKeyOnly, MessageForm::HandleKeyOnly, r#""onlyHandleKey":true"#),
        (
            LargeMessage::ClaimCheck,
            MessageForm::ClaimCheck("file:///a<b/1.json"),
            r#""claimCheckLocation":"file:///a\u003cb/1.json""#,
        ),
    ] {
        let encoder = encoder(CanalOptions { large_message, ..options.clone() });
        let end = format!(
            r#""_tidb":{{"commitTs":458752000032243713,{word},"rowkey":"dIAAAAAAAABNX3KAAAAAAAAACQ=="}}}}"#
        );
        for (row, old_member) in [
            (change(&key, &[], &new), "null"),
            // The handle key never differs between the images of one row.
            (change(&key, &old, &new), "[{}]"),
            (change(&key, &new, &[]), "null"),
        ] {
            let mut out = Vec::new();
            encoder.encode_as(&row, form, NOW_MS, &mut out).unwrap();
            let json = String::from_utf8(out).unwrap();
            let expected = format!(r#"{cut}"old":{old_member},"data":[{{"id":"9"}}],{end}"#);
            assert!(json.ends_with(&expected), "{json}\n{expected}");
        }
        // A DELETE that is cut anyway fits, and says nothing of a cut.
        let mut out = Vec::new();
        assert_eq!(encoder.encode(&change(&key, &new, &[]), NOW_MS, &mut out), Ok(Encoded::Message));
        assert!(!String::from_utf8(out).unwrap().contains(word));
    }
}

#[test]
fn without_a_handle_key_the_cut_form_is_empty() {
    let mut info = table();
    info.pk_is_handle = false;
    info.columns[0].field_type.flag = flag::UNSIGNED;
    let encoder = CanalEncoder::new(&version(info), Arc::new(CanalOptions::default())).unwrap();
    let mut out = Vec::new();
    let (key, value) = (row_key(3), stored(None, None));
    encoder.encode_as(&change(&key, &[], &value), MessageForm::HandleKeyOnly, NOW_MS, &mut out).unwrap();
    let json = String::from_utf8(out).unwrap();
    assert!(json.contains(r#""pkNames":[],"#), "{json}");
    assert!(json.ends_with(r#""sqlType":null,"mysqlType":null,"old":null,"data":[{}]}"#), "{json}");
}

#[test]
fn selected_columns_are_sent_and_key_names_stay() {
    let options = Arc::new(CanalOptions::default());
    let encoder =
        CanalEncoder::with_columns(&version(table()), Arc::clone(&options), |c| c.name.l == "note").unwrap();
    let (key, value) = (row_key(3), stored(Some("n"), None));
    let json = encode(&encoder, &change(&key, &[], &value));
    assert!(json.contains(r#""pkNames":["id"]"#));
    assert!(json.ends_with(
        r#""sqlType":{"note":12},"mysqlType":{"note":"varchar"},"old":null,"data":[{"note":"n"}]}"#
    ));
    let error = CanalEncoder::with_columns(&version(table()), options, |_| false).unwrap_err();
    assert!(matches!(error, EncodeError::NoColumns { .. }));
}

#[test]
fn what_came_and_went_sends_nothing() {
    let mut out = Vec::new();
    let encoded = encoder(CanalOptions::default()).encode(&change(&row_key(1), &[], &[]), NOW_MS, &mut out);
    assert_eq!((encoded, out.len()), (Ok(Encoded::Nothing), 0));
}

#[test]
fn columns_that_the_row_lacks_have_their_origin_default() {
    let mut info = table();
    info.columns[1].origin_default = "7".into();
    info.columns[2].origin_default = "paid".into();
    info.columns[3].origin_default = "a,c".into();
    info.columns[4].origin_default = "b\u{1}".into();
    info.columns[5].origin_default = "dflt".into();
    info.columns[6].origin_default_bit = Some(vec![9]);
    info.columns[7].origin_default = "2024-01-01 00:00:00".into();
    info.columns[8].field_type.flag |= flag::NOT_NULL;
    let zone = TimeZone::get("Asia/Tokyo").unwrap();
    let options = CanalOptions { time_zone: zone, ..CanalOptions::default() };
    let encoder = CanalEncoder::new(&version(info), Arc::new(options)).unwrap();
    let (key, value) = (row_key(1), row::encode_row_v2(&[]).unwrap());
    let data = concat!(
        r#""data":[{"id":"1","amt":"7.00","st":"2","tags":"5","raw":"b\u0001","note":"dflt","ok":"9","#,
        r#""at":"2024-01-01 09:00:00.000","code":"0"}]"#
    );
    let json = encode(&encoder, &change(&key, &[], &value));
    assert!(json.contains(data), "{json}");
}

#[test]
fn a_default_that_grew_in_utf8_does_not_stop_the_capture() {
    let mut info = table();
    info.columns[4].origin_default = "\u{fffd}\u{fffd}\u{fffd}".into();
    let encoder = CanalEncoder::new(&version(info), Arc::new(CanalOptions::default())).unwrap();
    let value = row::encode_row_v2(&[]).unwrap();
    assert!(encode(&encoder, &change(&row_key(1), &[], &value)).contains(r#""raw":"ï¿½ï¿½ï¿½""#));
}

#[test]
fn malformed_values_name_their_column_and_leave_no_trace() {
    let mut value = stored(Some("a"), None);
    let at = value.iter().position(|byte| *byte == b'a').unwrap();
    value.remove(at);
    let mut out = b"x".to_vec();
    let encoder = encoder(CanalOptions::default());
    let error = encoder.encode(&change(&row_key(1), &[], &value), NOW_MS, &mut out).unwrap_err();
    assert!(matches!(error, EncodeError::Row { .. }), "{error:?}");
    assert_eq!(out, b"x");
    let info = table();
    let bad = [(8, &info.columns[8].field_type, &tidb_codec::Datum::Int(-1))];
    let value = row::encode_row_v2(&bad).unwrap();
    let error = encoder.encode(&change(&row_key(1), &[], &value), NOW_MS, &mut out).unwrap_err();
    assert!(matches!(&error, EncodeError::Column { column, .. } if column == "at"), "{error:?}");
    assert_eq!(out, b"x");
}

proptest! {
    #[test]
    fn arbitrary_rows_never_panic(key: Vec<u8>, old: Vec<u8>, new: Vec<u8>, use_key: bool) {
        let encoder = encoder(extension());
        let good = row_key(5);
        let key = if use_key { &good } else { &key };
        let mut out = Vec::new();
        let _ = encoder.encode(&change(key, &old, &new), NOW_MS, &mut out);
        let _ = encoder.splits(&change(key, &old, &new), &mut out);
    }

    #[test]
    fn text_of_any_row_is_json(note in ".*", code: i32) {
        let encoder = encoder(extension());
        let (key, old, new) = (row_key(5), stored(None, None), stored(Some(&note), Some(code.into())));
        let json: serde_json::Value = serde_json::from_str(&encode(&encoder, &change(&key, &old, &new))).unwrap();
        prop_assert_eq!(json["data"][0]["note"].as_str(), Some(note.as_str()));
        let code = code.to_string();
        prop_assert_eq!(json["data"][0]["code"].as_str(), Some(code.as_str()));
    }

    #[test]
    fn same_input_same_bytes(note in ".*") {
        let (key, value) = (row_key(5), stored(Some(&note), None));
        let first = encode(&encoder(extension()), &change(&key, &[], &value));
        prop_assert_eq!(first, encode(&encoder(extension()), &change(&key, &[], &value)));
    }
}
