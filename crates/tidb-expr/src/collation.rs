//! Character sets and collations: names, ids, comparison and sort keys.

use std::borrow::Cow;
use std::cmp::Ordering;

use tidb_codec::collation::Collation as Order;

/// A collation that this server can compare by.
#[derive(Debug, PartialEq, Eq)]
pub struct CollationInfo {
    /// Number in the wire protocol.
    pub id: u16,
    /// Name, e.g. `utf8mb4_bin`.
    pub name: &'static str,
    /// Its character set.
    pub charset: &'static str,
    /// It is the character set's default.
    pub is_default: bool,
    /// How its strings compare.
    order: Order,
}

/// A reference to one of [`ALL`].
pub type Collation = &'static CollationInfo;

/// An entry of [`ALL`].
const fn info(
    id: u16,
    name: &'static str,
    charset: &'static str,
    is_default: bool,
    order: Order,
) -> CollationInfo {
    CollationInfo { id, name, charset, is_default, order }
}

/// Every collation that columns may have.
pub static ALL: &[CollationInfo] = &[
    info(46, "utf8mb4_bin", "utf8mb4", true, Order::PaddedBin),
    info(63, "binary", "binary", true, Order::Binary),
    info(45, "utf8mb4_general_ci", "utf8mb4", false, Order::GeneralCi),
    info(309, "utf8mb4_0900_bin", "utf8mb4", false, Order::Utf8mb40900Bin),
    info(83, "utf8_bin", "utf8", true, Order::PaddedBin),
    info(33, "utf8_general_ci", "utf8", false, Order::GeneralCi),
    info(65, "ascii_bin", "ascii", true, Order::PaddedBin),
    info(47, "latin1_bin", "latin1", true, Order::PaddedBin),
];

/// Collations that a connection may name though no column may have them; strings then compare by `utf8mb4_bin`, as
/// literals next to a column do anyway.
static CONNECTION_ONLY: &[(u16, &str)] = &[
    (255, "utf8mb4_0900_ai_ci"),
    (224, "utf8mb4_unicode_ci"),
    (192, "utf8_unicode_ci"),
    (8, "latin1_swedish_ci"),
];

/// TiDB's default collation.
pub fn utf8mb4_bin() -> Collation {
    &ALL[0]
}

/// The collation of byte strings and of everything that is no string.
pub fn binary() -> Collation {
    &ALL[1]
}

/// Finds a collation by name, in any case.
pub fn by_name(name: &str) -> Option<Collation> {
    let name = if name.eq_ignore_ascii_case("utf8mb3_bin") { "utf8_bin" } else { name };
    ALL.iter().find(|c| c.name.eq_ignore_ascii_case(name))
}

/// Finds the name of a collation that a connection may use, by its number.
pub fn connection_name(id: u16) -> Option<&'static str> {
    ALL.iter()
        .find(|c| c.id == id)
        .map(|c| c.name)
        .or_else(|| CONNECTION_ONLY.iter().find(|(i, _)| *i == id).map(|(_, name)| *name))
}

/// Whether a connection may name this collation.
pub fn is_connection_collation(name: &str) -> bool {
    by_name(name).is_some() || CONNECTION_ONLY.iter().any(|(_, n)| n.eq_ignore_ascii_case(name))
}

/// The default collation of a character set.
pub fn default_of(charset: &str) -> Option<Collation> {
    let charset = if charset.eq_ignore_ascii_case("utf8mb3") { "utf8" } else { charset };
    ALL.iter().find(|c| c.is_default && c.charset.eq_ignore_ascii_case(charset))
}

/// Bytes of the longest character of a character set.
pub fn max_char_bytes(charset: &str) -> u32 {
    match charset {
        "utf8mb4" => 4,
        "utf8" => 3,
        _ => 1,
    }
}

impl CollationInfo {
    /// True for byte strings.
    pub fn is_binary(&self) -> bool {
        self.id == 63
    }

    /// True when strings that compare equal are equal but for trailing spaces.
    pub fn keeps_case(&self) -> bool {
        self.order != Order::GeneralCi
    }

    /// Compares two strings.
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.order.compare(a, b)
    }

    /// The bytes that stand for a string in keys: comparing them compares the strings.
    pub fn sort_key<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        self.order.sort_key(text)
    }

    /// Whether two characters are the same in this collation.
    pub fn same_char(&self, a: char, b: char) -> bool {
        if a == b || self.keeps_case() {
            return a == b;
        }
        let (mut left, mut right) = ([0; 4], [0; 4]);
        self.compare(a.encode_utf8(&mut left).as_bytes(), b.encode_utf8(&mut right).as_bytes()).is_eq()
    }
}

/// `text` without the spaces at its end.
pub fn trim_spaces(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| b != b' ').map_or(0, |at| at + 1);
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bin_ignores_trailing_spaces_only() {
        let bin = utf8mb4_bin();
        assert_eq!(bin.compare(b"a ", b"a"), Ordering::Equal);
        assert_eq!(bin.compare(b"A", b"a"), Ordering::Less);
        assert_eq!(binary().compare(b"a ", b"a"), Ordering::Greater);
        assert_eq!(*bin.sort_key(b"ab  "), *b"ab");
    }

    #[test]
    fn general_ci_ignores_case_and_accents() {
        let ci = by_name("UTF8MB4_GENERAL_CI").unwrap();
        assert_eq!(ci.compare("é".as_bytes(), b"E"), Ordering::Equal);
        assert_eq!(ci.compare("ß".as_bytes(), b"s "), Ordering::Equal);
        assert_eq!(*ci.sort_key("Aé".as_bytes()), [0, 0x41, 0, 0x45]);
        assert_eq!(ci.compare("ḃ".as_bytes(), b"B"), Ordering::Equal);
        assert!(ci.same_char('ж', 'Ж'));
        assert!(!ci.same_char('a', 'b'));
        assert!(!ci.same_char(' ', 'a'));
        assert!(!utf8mb4_bin().same_char('a', 'A'));
    }

    #[test]
    fn connections_may_name_more_than_columns() {
        assert_eq!(connection_name(255), Some("utf8mb4_0900_ai_ci"));
        assert!(by_name("utf8mb4_0900_ai_ci").is_none());
    }
}
