//! Character sets and collations: names, ids, comparison and sort keys.

use std::cmp::Ordering;

/// How the strings of a collation compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Byte by byte.
    Binary,
    /// Byte by byte, trailing spaces do not count.
    PadSpace,
    /// MySQL's `general_ci` weights: case and most Latin, Greek and Cyrillic accents do not count, nor do trailing
    /// spaces.
    GeneralCi,
}

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
    order: Order,
}

/// A reference to one of [`ALL`].
pub type Collation = &'static CollationInfo;

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
    info(46, "utf8mb4_bin", "utf8mb4", true, Order::PadSpace),
    info(63, "binary", "binary", true, Order::Binary),
    info(45, "utf8mb4_general_ci", "utf8mb4", false, Order::GeneralCi),
    info(309, "utf8mb4_0900_bin", "utf8mb4", false, Order::Binary),
    info(83, "utf8_bin", "utf8", true, Order::PadSpace),
    info(33, "utf8_general_ci", "utf8", false, Order::GeneralCi),
    info(65, "ascii_bin", "ascii", true, Order::PadSpace),
    info(47, "latin1_bin", "latin1", true, Order::PadSpace),
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
        match self.order {
            Order::Binary => a.cmp(b),
            Order::PadSpace => trim_spaces(a).cmp(trim_spaces(b)),
            Order::GeneralCi => weights(trim_spaces(a)).cmp(weights(trim_spaces(b))),
        }
    }

    /// The bytes that stand for a string in keys: comparing them compares the strings.
    pub fn sort_key(&self, text: &[u8]) -> Vec<u8> {
        match self.order {
            Order::Binary => text.to_vec(),
            Order::PadSpace => trim_spaces(text).to_vec(),
            Order::GeneralCi => weights(trim_spaces(text)).flat_map(u16::to_be_bytes).collect(),
        }
    }

    /// Whether two characters are the same in this collation.
    pub fn same_char(&self, a: char, b: char) -> bool {
        a == b || (self.order == Order::GeneralCi && weight(a) == weight(b))
    }
}

/// `text` without the spaces at its end.
pub fn trim_spaces(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|&b| b != b' ').map_or(0, |at| at + 1);
    &text[..end]
}

/// The `general_ci` weights of a text, one per character; bytes that are no UTF-8 weigh what they are.
fn weights(text: &[u8]) -> impl Iterator<Item = u16> + '_ {
    text.utf8_chunks().flat_map(|chunk| {
        chunk.valid().chars().map(weight).chain(chunk.invalid().iter().map(|&b| u16::from(b)))
    })
}

/// Latin letters with accents from U+0100 on, as runs of one base letter: `(first, last, base)`.
static LATIN_EXTENDED_A: &[(u32, u32, u8)] = &[
    (0x100, 0x105, b'A'),
    (0x106, 0x10D, b'C'),
    (0x10E, 0x10F, b'D'),
    (0x112, 0x11B, b'E'),
    (0x11C, 0x123, b'G'),
    (0x124, 0x125, b'H'),
    (0x128, 0x131, b'I'),
    (0x134, 0x135, b'J'),
    (0x136, 0x137, b'K'),
    (0x139, 0x13E, b'L'),
    (0x143, 0x148, b'N'),
    (0x14C, 0x151, b'O'),
    (0x154, 0x159, b'R'),
    (0x15A, 0x161, b'S'),
    (0x162, 0x165, b'T'),
    (0x168, 0x173, b'U'),
    (0x174, 0x175, b'W'),
    (0x176, 0x178, b'Y'),
    (0x179, 0x17E, b'Z'),
    (0x17F, 0x17F, b'S'),
];

/// Weight of a character in `general_ci`.
fn weight(c: char) -> u16 {
    let code = u32::from(c);
    match code {
        0..=0x7F => u16::from(c.to_ascii_uppercase() as u8),
        0x80..=0xFF => latin1_weight(code as u16),
        0x100..=0x17F => LATIN_EXTENDED_A
            .iter()
            .find(|(first, last, _)| (*first..=*last).contains(&code))
            .map_or_else(|| upper(c), |(_, _, base)| u16::from(*base)),
        0x386..=0x3CE => greek_weight(c),
        0x400 | 0x401 | 0x450 | 0x451 => 0x415,
        0x403 | 0x453 => 0x413,
        0x407 | 0x457 => 0x406,
        0x40C | 0x45C => 0x41A,
        0x40D | 0x45D => 0x418,
        0x40E | 0x45E => 0x423,
        0x1_0000.. => 0xFFFD,
        _ => upper(c),
    }
}

/// Weight of U+0080…U+00FF.
fn latin1_weight(code: u16) -> u16 {
    let folded = if (0xE0..=0xFE).contains(&code) && code != 0xF7 { code - 0x20 } else { code };
    let base = match folded {
        0xB5 => return 0x39C,
        0xC0..=0xC5 => b'A',
        0xC7 => b'C',
        0xC8..=0xCB => b'E',
        0xCC..=0xCF => b'I',
        0xD1 => b'N',
        0xD2..=0xD6 => b'O',
        0xD9..=0xDC => b'U',
        0xDD | 0xFF => b'Y',
        0xDF => b'S',
        other => return other,
    };
    u16::from(base)
}

/// Weight of a Greek letter: accents do not count.
fn greek_weight(c: char) -> u16 {
    match u32::from(c) {
        0x386 | 0x3AC => 0x391,
        0x388 | 0x3AD => 0x395,
        0x389 | 0x3AE => 0x397,
        0x38A | 0x390 | 0x3AA | 0x3AF | 0x3CA => 0x399,
        0x38C | 0x3CC => 0x39F,
        0x38E | 0x3AB | 0x3B0 | 0x3CB | 0x3CD => 0x3A5,
        0x38F | 0x3CE => 0x3A9,
        0x3C2 => 0x3A3,
        _ => upper(c),
    }
}

/// The upper-case form of a character when that is one character of the basic plane, else itself.
fn upper(c: char) -> u16 {
    let mut folded = c.to_uppercase();
    let first = match (folded.next(), folded.next()) {
        (Some(one), None) => one,
        _ => c,
    };
    u16::try_from(u32::from(first)).unwrap_or(0xFFFD)
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
        assert_eq!(bin.sort_key(b"ab  "), b"ab");
    }

    #[test]
    fn general_ci_ignores_case_and_accents() {
        let ci = by_name("UTF8MB4_GENERAL_CI").unwrap();
        assert_eq!(ci.compare("é".as_bytes(), b"E"), Ordering::Equal);
        assert_eq!(ci.compare("ß".as_bytes(), b"s "), Ordering::Equal);
        assert_eq!(ci.sort_key("Aé".as_bytes()), [0, 0x41, 0, 0x45]);
        assert!(ci.same_char('ж', 'Ж'));
    }

    #[test]
    fn connections_may_name_more_than_columns() {
        assert_eq!(connection_name(255), Some("utf8mb4_0900_ai_ci"));
        assert!(by_name("utf8mb4_0900_ai_ci").is_none());
    }
}
