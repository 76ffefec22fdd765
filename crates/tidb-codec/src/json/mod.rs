//! TiDB's binary JSON.
//!
//! A value is a type code and its bytes. Offsets inside arrays and objects count from the start of the array
//! or object.

mod build;
mod compare;
mod parse;
mod read;
mod text;

pub use build::JsonNode;
pub(crate) use read::stored_len;
pub use read::{JsonRef, JsonValue};
pub use text::TextForm;

use crate::CodecError;
use std::{cmp::Ordering, fmt};

/// Deepest nesting of a document.
pub const MAX_DEPTH: usize = 100;

/// Type codes of values.
pub mod code {
    /// Object.
    pub const OBJECT: u8 = 0x01;
    /// Array.
    pub const ARRAY: u8 = 0x03;
    /// `null`, `true` or `false`.
    pub const LITERAL: u8 = 0x04;
    /// Signed integer.
    pub const INT64: u8 = 0x09;
    /// Unsigned integer.
    pub const UINT64: u8 = 0x0A;
    /// Double.
    pub const DOUBLE: u8 = 0x0B;
    /// String.
    pub const STRING: u8 = 0x0C;
    /// A value of a SQL type that JSON has not, with its bytes.
    pub const OPAQUE: u8 = 0x0D;
    /// DATE.
    pub const DATE: u8 = 0x0E;
    /// DATETIME.
    pub const DATETIME: u8 = 0x0F;
    /// TIMESTAMP.
    pub const TIMESTAMP: u8 = 0x10;
    /// TIME.
    pub const DURATION: u8 = 0x11;
}

/// The byte of the literal `null`.
pub(crate) const LITERAL_NULL: u8 = 0;
/// The byte of the literal `true`.
pub(crate) const LITERAL_TRUE: u8 = 1;
/// The byte of the literal `false`.
pub(crate) const LITERAL_FALSE: u8 = 2;
/// Bytes before the entries of an array or object: number of members and size.
pub(crate) const HEADER: usize = 8;
/// Bytes of a key entry: offset and length.
pub(crate) const KEY_ENTRY: usize = 6;
/// Bytes of a value entry: type code, then offset or literal.
pub(crate) const VALUE_ENTRY: usize = 5;

/// A JSON value in binary form, known to be well formed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Json {
    code: u8,
    value: Vec<u8>,
}

impl Json {
    /// The literal `null`.
    pub fn null() -> Self {
        Self { code: code::LITERAL, value: vec![LITERAL_NULL] }
    }

    /// Takes a stored value: type code, then its bytes.
    ///
    /// # Errors
    /// A malformed value.
    pub fn from_stored(stored: &[u8]) -> Result<Self, CodecError> {
        let value = JsonRef::from_stored(stored)?;
        value.validate()?;
        Ok(value.to_owned_unchecked())
    }

    /// Parses JSON text: keys sorted by their bytes, of equal keys the last stays; numbers become signed,
    /// else unsigned integers where they are written as such and fit, else doubles.
    ///
    /// # Errors
    /// Text that is no JSON, nesting deeper than [`MAX_DEPTH`], or a key of more than 65,535 bytes.
    pub fn parse(text: &str) -> Result<Self, CodecError> {
        Self::from_node(&JsonNode::parse(text)?)
    }

    /// Type code, see [`code`].
    pub fn type_code(&self) -> u8 {
        self.code
    }

    /// Bytes of the value, without the type code.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// Borrows the value.
    pub fn as_ref(&self) -> JsonRef<'_> {
        JsonRef::new(self.code, &self.value)
    }

    /// Appends type code and bytes.
    pub fn write_stored(&self, out: &mut Vec<u8>) {
        out.reserve(1 + self.value.len());
        out.push(self.code);
        out.extend_from_slice(&self.value);
    }

    /// Appends the text as MySQL prints it: `", "` between members, `": "` behind keys.
    ///
    /// # Errors
    /// A double that is no number.
    pub fn write_text(&self, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.as_ref().write_text(out)
    }

    /// Compares by MySQL's rules: first by type, numbers by value.
    pub fn compare(&self, other: &Self) -> Ordering {
        compare::compare(self.as_ref(), other.as_ref()).unwrap_or(Ordering::Equal)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write_text(&mut out).map_err(|_| fmt::Error)?;
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        Json::parse(text).unwrap().to_string()
    }

    #[test]
    fn text_is_printed_as_mysql_does() {
        assert_eq!(
            shown(r#" {"b":1 , "a":[true,false,null,1.5,-2]} "#),
            r#"{"a": [true, false, null, 1.5, -2], "b": 1}"#
        );
        assert_eq!(shown("[]"), "[]");
        assert_eq!(shown("{}"), "{}");
        assert_eq!(shown("18446744073709551615"), "18446744073709551615");
        assert_eq!(shown("18446744073709551616"), "1.8446744073709552e19");
        assert_eq!(shown("1.0"), "1.0");
        assert_eq!(shown("1e2"), "100.0");
        assert_eq!(shown("1e100"), "1e100");
        assert_eq!(shown(r#""a\u0041\n\"\\\/\ud83d\ude00\u0001<""#), "\"aA\\n\\\"\\\\/😀\\u0001<\"");
        assert_eq!(shown(r#""\ud800x""#), "\"\u{FFFD}x\"");
        assert_eq!(shown(r#"{"a":1,"a":2}"#), r#"{"a": 2}"#);
        assert_eq!(shown(r#"{"b":1,"aa":2,"a":3}"#), r#"{"a": 3, "aa": 2, "b": 1}"#);
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "[1,]",
            "{\"a\"}",
            "{a:1}",
            "01",
            "1.",
            "-",
            "tru",
            "\"a",
            "\"\u{1}\"",
            "1 2",
            "nul",
            "[1",
            "\"\\x\"",
            "+1",
        ] {
            assert!(matches!(Json::parse(text), Err(CodecError::InvalidJsonText { .. })), "{text}");
        }
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(Json::parse(&deep(MAX_DEPTH)).is_ok());
        assert!(matches!(Json::parse(&deep(MAX_DEPTH + 1)), Err(CodecError::JsonTooDeep { .. })));
        assert!(matches!(Json::parse(&deep(100_000)), Err(CodecError::JsonTooDeep { .. })));
    }

    #[test]
    fn values_of_sql_types_print_as_strings() {
        let time = crate::Time::parse("2020-01-02 03:04:05.6", crate::TimeKind::DateTime, 6).unwrap();
        let date = time.with_kind(crate::TimeKind::Date, 0).unwrap();
        let node = JsonNode::Array(vec![
            JsonNode::Time(time),
            JsonNode::Time(date),
            JsonNode::Duration(crate::Duration::parse("-1:02:03.5", 1).unwrap()),
            JsonNode::Opaque(253, b"abcd".to_vec()),
            JsonNode::Opaque(16, b"a".to_vec()),
        ]);
        let json = Json::from_node(&node).unwrap();
        assert_eq!(
            json.to_string(),
            r#"["2020-01-02 03:04:05.600000", "2020-01-02", "-01:02:03.500000", "base64:type253:YWJjZA==", "base64:type16:YQ=="]"#
        );
        let mut stored = Vec::new();
        json.write_stored(&mut stored);
        assert_eq!(Json::from_stored(&stored).unwrap(), json);
        assert_eq!(stored_len(&stored).unwrap(), stored.len());
    }

    #[test]
    fn comparison_ranks_types_then_values() {
        let ordered = [
            "null",
            "-1",
            "0.5",
            "1",
            "18446744073709551615",
            "\"a\"",
            "\"b\"",
            "{}",
            "{\"a\":1}",
            "{\"a\":2}",
            "[]",
            "[1]",
            "[1,2]",
            "[2]",
            "false",
            "true",
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                let (x, y) = (Json::parse(a).unwrap(), Json::parse(b).unwrap());
                assert_eq!(x.compare(&y), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(Json::parse("1").unwrap().compare(&Json::parse("1.0").unwrap()), Ordering::Equal);
    }

    fn any_node() -> impl Strategy<Value = JsonNode> {
        let leaf = prop_oneof![
            Just(JsonNode::Null),
            any::<bool>().prop_map(JsonNode::Bool),
            any::<i64>().prop_map(JsonNode::Int),
            (i64::MAX as u64 + 1..).prop_map(JsonNode::Uint),
            proptest::num::f64::NORMAL.prop_map(JsonNode::Double),
            any::<String>().prop_map(JsonNode::String),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(JsonNode::Array),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| JsonNode::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn bytes_and_text_round_trip(node in any_node()) {
            let json = Json::from_node(&node).unwrap();
            prop_assert_eq!(json.as_ref().to_node().unwrap(), node);
            let mut stored = Vec::new();
            json.write_stored(&mut stored);
            prop_assert_eq!(stored_len(&stored).unwrap(), stored.len());
            prop_assert_eq!(&Json::from_stored(&stored).unwrap(), &json);
            prop_assert_eq!(Json::parse(&json.to_string()).unwrap(), json);
        }

        #[test]
        fn damaged_bytes_never_panic(node in any_node(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let mut stored = Vec::new();
            Json::from_node(&node).unwrap().write_stored(&mut stored);
            *at.get_mut(&mut stored) = byte;
            let mut out = Vec::new();
            let _ = crate::text::write_json(&stored, &mut out);
            let _ = Json::from_stored(&stored);
            let _ = stored_len(&stored);
            let _ = Json::from_stored(&stored[..cut.index(stored.len())]);
        }

        #[test]
        fn parsing_never_panics(text: String, like in r#"[\[\]{}",:0-9eE.+\-\\untrfals ]{0,40}"#) {
            let _ = Json::parse(&text);
            let _ = Json::parse(&like);
        }
    }
}
