//! Values of quoted tokens.

use std::borrow::Cow;

/// The value of a quoted token (with its quotes): doubled quotes count once; with `escapes`, backslash sequences are
/// resolved as MySQL does it: `\%` and `\_` keep their backslash, an unknown sequence loses it.
pub(crate) fn string_value(quoted: &str, escapes: bool) -> Cow<'_, str> {
    let mut chars = quoted.chars();
    let Some(quote) = chars.next() else { return Cow::Borrowed("") };
    let inner = chars.as_str();
    let inner = inner.strip_suffix(quote).unwrap_or(inner);
    let special = |c: char| c == quote || (escapes && c == '\\');
    if !inner.contains(special) {
        return Cow::Borrowed(inner);
    }
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c == quote {
            chars.next();
            value.push(c);
        } else if escapes && c == '\\' {
            unescape(chars.next(), &mut value);
        } else {
            value.push(c);
        }
    }
    Cow::Owned(value)
}

/// Appends what a backslash before `c` stands for.
fn unescape(c: Option<char>, value: &mut String) {
    match c {
        Some('n') => value.push('\n'),
        Some('0') => value.push('\0'),
        Some('b') => value.push('\u{8}'),
        Some('Z') => value.push('\u{1a}'),
        Some('r') => value.push('\r'),
        Some('t') => value.push('\t'),
        Some(c @ ('%' | '_')) => {
            value.push('\\');
            value.push(c);
        }
        Some(c) => value.push(c),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::string_value;

    #[test]
    fn escapes_and_doubled_quotes_are_resolved() {
        assert_eq!(string_value(r"'a\nb''c\\d\%e\qf'", true), "a\nb'c\\d\\%eqf");
        assert_eq!(string_value(r"'a\nb'", false), r"a\nb");
        assert_eq!(string_value("`a``b`", false), "a`b");
        assert_eq!(string_value(r#""it's""#, true), "it's");
    }
}
