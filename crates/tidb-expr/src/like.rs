//! `LIKE` patterns.

use crate::collation::Collation;

/// One element of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Exactly this character.
    Char(char),
    /// `_`: any one character.
    One,
    /// `%`: any number of characters.
    Any,
}

/// The characters of a text; bytes that are no UTF-8 become characters of their own.
fn characters(text: &[u8], bytes_only: bool) -> Vec<char> {
    if bytes_only {
        return text.iter().map(|&b| char::from(b)).collect();
    }
    text.utf8_chunks()
        .flat_map(|chunk| chunk.valid().chars().chain(chunk.invalid().iter().map(|&b| char::from(b))))
        .collect()
}

/// Splits a pattern; `escape` takes the special meaning from what follows it.
fn pieces(pattern: &[u8], escape: Option<char>, bytes_only: bool) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut chars = characters(pattern, bytes_only).into_iter().peekable();
    while let Some(c) = chars.next() {
        let piece = if Some(c) == escape && chars.peek().is_some() {
            Piece::Char(chars.next().unwrap_or(c))
        } else if c == '%' {
            Piece::Any
        } else if c == '_' {
            Piece::One
        } else {
            Piece::Char(c)
        };
        if piece != Piece::Any || out.last() != Some(&Piece::Any) {
            out.push(piece);
        }
    }
    out
}

/// Whether `text` matches `pattern` in full, comparing characters by `collation`.
pub fn matches(text: &[u8], pattern: &[u8], escape: Option<char>, collation: Collation) -> bool {
    let bytes_only = collation.is_binary();
    let pattern = pieces(pattern, escape, bytes_only);
    let text = characters(text, bytes_only);
    let (mut t, mut p) = (0, 0);
    // Where to go on after a mismatch: just behind the last `%`, one text character further.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let fits = match pattern.get(p) {
            Some(Piece::Any) => {
                retry = Some((t, p + 1));
                p += 1;
                continue;
            }
            Some(Piece::One) => true,
            Some(Piece::Char(c)) => text.get(t).is_some_and(|have| collation.same_char(*c, *have)),
            None => false,
        };
        if fits {
            t += 1;
            p += 1;
        } else if let Some((from, after)) = retry {
            retry = Some((from + 1, after));
            t = from + 1;
            p = after;
        } else {
            return false;
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|piece| *piece == Piece::Any))
}

#[cfg(test)]
mod tests {
    use super::matches;
    use crate::collation::{by_name, utf8mb4_bin};

    fn like(text: &str, pattern: &str) -> bool {
        matches(text.as_bytes(), pattern.as_bytes(), Some('\\'), utf8mb4_bin())
    }

    #[test]
    fn wildcards_match_any_text() {
        assert!(like("hello", "h%o"));
        assert!(like("hello", "%l_o"));
        assert!(like("", "%"));
        assert!(!like("", "_"));
        assert!(like("日本", "__"));
        assert!(!like("abc", "ab"));
        assert!(like("aXbXc", "a%b%c"));
    }

    #[test]
    fn escape_takes_the_meaning_from_a_wildcard() {
        assert!(like("50%", "50\\%"));
        assert!(!like("500", "50\\%"));
        assert!(like("a_b", "a\\_b"));
    }

    #[test]
    fn a_case_insensitive_collation_ignores_case() {
        let ci = by_name("utf8mb4_general_ci").unwrap();
        assert!(matches(b"ABC", b"a%c", Some('\\'), ci));
        assert!(!like("ABC", "a%c"));
    }
}
