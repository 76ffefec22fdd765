//! Sort keys of strings, as handles and index keys hold them when the new collation framework is on (the
//! default of every cluster created since TiDB 6.0).

mod general_ci;

use crate::{CodecError, FieldType, field::tp, memcomparable};
use std::{borrow::Cow, cmp::Ordering};

/// A collation whose sort keys are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Collation {
    /// `binary`: bytes as they are.
    Binary,
    /// `utf8mb4_bin`, `utf8_bin`, `ascii_bin`, `latin1_bin`: bytes without trailing spaces.
    PaddedBin,
    /// `utf8mb4_0900_bin`: bytes as they are (NO PAD).
    Utf8mb40900Bin,
    /// `utf8mb4_general_ci`, `utf8_general_ci`: two bytes of weight per character, without trailing spaces.
    GeneralCi,
}

impl Collation {
    /// The collation of this name; an empty name is the default, `utf8mb4_bin`.
    ///
    /// # Errors
    /// [`CodecError::UnsupportedCollation`] for any other.
    pub fn from_name(name: &str) -> Result<Self, CodecError> {
        match name {
            "binary" => Ok(Self::Binary),
            "" | "utf8mb4_bin" | "utf8_bin" | "utf8mb3_bin" | "ascii_bin" | "latin1_bin" => {
                Ok(Self::PaddedBin)
            }
            "utf8mb4_0900_bin" => Ok(Self::Utf8mb40900Bin),
            "utf8mb4_general_ci" | "utf8_general_ci" | "utf8mb3_general_ci" => Ok(Self::GeneralCi),
            _ => Err(CodecError::UnsupportedCollation(name.to_owned())),
        }
    }

    /// The collation of a column.
    ///
    /// # Errors
    /// As [`Collation::from_name`].
    pub fn of_column(field: &FieldType) -> Result<Self, CodecError> {
        Self::from_name(&field.collate)
    }

    /// Whether trailing spaces do not count.
    pub const fn pads(self) -> bool {
        matches!(self, Self::PaddedBin | Self::GeneralCi)
    }

    /// Appends the sort key of `text`.
    pub fn write_sort_key(self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sort_key(text));
    }

    /// The sort key of `text`, borrowed where it is a part of it.
    pub fn sort_key<'a>(self, text: &'a [u8]) -> Cow<'a, [u8]> {
        match self {
            Self::Binary | Self::Utf8mb40900Bin => Cow::Borrowed(text),
            Self::PaddedBin => Cow::Borrowed(trim_spaces(text)),
            Self::GeneralCi => {
                let mut key = Vec::with_capacity(text.len() * 2);
                for weight in weights(trim_spaces(text)) {
                    key.extend_from_slice(&weight.to_be_bytes());
                }
                Cow::Owned(key)
            }
        }
    }

    /// Appends the sort key of `text` in memory-comparable form.
    pub(crate) fn write_encoded_sort_key(self, text: &[u8], out: &mut Vec<u8>) {
        memcomparable::encode_bytes(&self.sort_key(text), out);
    }

    /// Compares two texts.
    pub fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Binary | Self::Utf8mb40900Bin => a.cmp(b),
            Self::PaddedBin => trim_spaces(a).cmp(trim_spaces(b)),
            Self::GeneralCi => weights(trim_spaces(a)).cmp(weights(trim_spaces(b))),
        }
    }

    /// The first `len` characters of a value (bytes where the character set is `binary` or `ascii`): what an
    /// index on a column prefix holds.
    pub fn prefix<'a>(self, field: &FieldType, value: &'a [u8], len: usize) -> &'a [u8] {
        if matches!(field.charset.as_str(), "binary" | "ascii") {
            return value.get(..len).unwrap_or(value);
        }
        // A byte that does not continue a character starts one.
        let start = value.iter().enumerate().filter(|(_, byte)| **byte & 0xC0 != 0x80).nth(len);
        start.and_then(|(at, _)| value.get(..at)).unwrap_or(value)
    }
}

/// Whether a handle or index key does not hold enough of a column's value, so that the value has to be kept
/// beside it: the row keeps such a primary key column, and an index entry has "restored data" for it.
pub fn needs_restored_data(field: &FieldType) -> bool {
    if !field.is_string() {
        return false;
    }
    match field.collate.as_str() {
        "binary" | "utf8mb4_0900_bin" => false,
        name if is_bin_name(name) => field.tp == tp::VARCHAR,
        _ => true,
    }
}

/// Whether the collation's sort key is the value itself, up to trailing spaces.
pub fn is_bin_collation(name: &str) -> bool {
    matches!(name, "binary" | "utf8mb4_0900_bin") || is_bin_name(name)
}

/// The `_bin` collations that pad.
fn is_bin_name(name: &str) -> bool {
    matches!(name, "ascii_bin" | "latin1_bin" | "utf8_bin" | "utf8mb4_bin")
}

/// `text` without trailing spaces.
#[inline]
pub(crate) fn trim_spaces(text: &[u8]) -> &[u8] {
    let kept = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    text.get(..kept).unwrap_or(text)
}

/// Weights of the characters up to the first invalid one, where TiDB stops too.
fn weights(text: &[u8]) -> impl Iterator<Item = u16> {
    let valid = match std::str::from_utf8(text) {
        Ok(valid) => valid,
        Err(error) => {
            text.get(..error.valid_up_to()).and_then(|head| std::str::from_utf8(head).ok()).unwrap_or("")
        }
    };
    valid.chars().map(general_ci::weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(name: &str, text: &str) -> Vec<u8> {
        Collation::from_name(name).unwrap().sort_key(text.as_bytes()).into_owned()
    }

    #[test]
    fn sort_keys() {
        assert_eq!(key("utf8mb4_bin", "aB  "), b"aB");
        assert_eq!(key("utf8mb4_0900_bin", "aB  "), b"aB  ");
        assert_eq!(key("binary", "a "), b"a ");
        assert_eq!(key("utf8mb4_general_ci", "Aé "), b"\0A\0E");
        assert_eq!(key("utf8mb4_general_ci", "ß"), b"\0S");
        assert_eq!(key("utf8mb4_general_ci", "😀"), [0xFF, 0xFD]);
        assert_eq!(key("utf8mb4_general_ci", "я"), [0x04, 0x2F]);
        assert_eq!(key("utf8mb4_general_ci", "中"), [0x4E, 0x2D]);
    }

    #[test]
    fn collations_without_keys_are_named() {
        for name in ["utf8mb4_unicode_ci", "utf8mb4_0900_ai_ci", "gbk_chinese_ci"] {
            assert_eq!(Collation::from_name(name), Err(CodecError::UnsupportedCollation(name.to_owned())));
        }
    }

    #[test]
    fn prefixes_count_characters() {
        let mut field = FieldType::new(tp::VARCHAR);
        assert_eq!(Collation::Binary.prefix(&field, "éa".as_bytes(), 1), [0xC3]);
        field.charset = "utf8mb4".to_owned();
        assert_eq!(Collation::PaddedBin.prefix(&field, "éab".as_bytes(), 2), "éa".as_bytes());
        assert_eq!(Collation::PaddedBin.prefix(&field, "éa".as_bytes(), 2), "éa".as_bytes());
        assert_eq!(Collation::PaddedBin.prefix(&field, "éa".as_bytes(), 0), b"");
    }

    #[test]
    fn restored_data_is_kept_where_the_key_loses_something() {
        let field = |code, collate: &str| FieldType { collate: collate.to_owned(), ..FieldType::new(code) };
        assert!(needs_restored_data(&field(tp::VARCHAR, "utf8mb4_bin")));
        assert!(!needs_restored_data(&field(tp::STRING, "utf8mb4_bin")));
        assert!(needs_restored_data(&field(tp::STRING, "utf8mb4_general_ci")));
        assert!(!needs_restored_data(&field(tp::VARCHAR, "utf8mb4_0900_bin")));
        assert!(!needs_restored_data(&field(tp::VARCHAR, "binary")));
        assert!(!needs_restored_data(&field(tp::LONG, "utf8mb4_general_ci")));
    }

    proptest! {
        #[test]
        fn keys_order_as_the_collation_compares(a: String, b: String) {
            for collation in
                [Collation::Binary, Collation::PaddedBin, Collation::Utf8mb40900Bin, Collation::GeneralCi]
            {
                let (ka, kb) = (collation.sort_key(a.as_bytes()), collation.sort_key(b.as_bytes()));
                prop_assert_eq!(ka.cmp(&kb), collation.compare(a.as_bytes(), b.as_bytes()));
            }
        }
    }
}
