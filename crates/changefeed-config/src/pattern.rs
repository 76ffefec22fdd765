//! Wildcard patterns of table and column rules.

use crate::error::ConfigError;

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Atom {
    /// This character.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any run of characters.
    Any,
    /// `[a-z]` or `[!a-z]`.
    Class {
        /// True for `[!…]`.
        negated: bool,
        /// Inclusive ranges.
        ranges: Vec<(char, char)>,
    },
}

/// What one part of a rule matches.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    /// Text, then wildcards and characters.
    Wild {
        /// Every name that matches begins with it: most of very many names are told apart by that.
        start: String,
        /// What comes after.
        rest: Vec<Atom>,
    },
    /// `/…/`, not anchored.
    Regex(regex::Regex),
}

impl Pattern {
    /// A pattern that matches exactly `text`.
    pub(crate) fn literal(text: &str) -> Self {
        Self::Wild { start: text.to_owned(), rest: Vec::new() }
    }

    /// True if the whole `name` matches.
    pub(crate) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(name),
            Self::Wild { start, rest } => {
                name.strip_prefix(start.as_str()).is_some_and(|name| matches_atoms(rest, name))
            }
        }
    }
}

/// Classic wildcard matching with one backtrack point: linear in practice, quadratic at worst.
fn matches_atoms(atoms: &[Atom], name: &str) -> bool {
    let (mut a, mut rest) = (0, name.chars());
    // Where to go on if what follows the last `*` does not match: the `*` takes one character more.
    let mut back: Option<(usize, std::str::Chars<'_>)> = None;
    while let Some(c) = rest.clone().next() {
        let step = match atoms.get(a) {
            Some(Atom::Any) => {
                back = Some((a, rest.clone()));
                a += 1;
                continue;
            }
            Some(Atom::One) => true,
            Some(Atom::Char(want)) => *want == c,
            Some(Atom::Class { negated, ranges }) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated
            }
            None => false,
        };
        if step {
            a += 1;
            rest.next();
        } else if let Some((star, at)) = &mut back {
            at.next();
            (a, rest) = (*star + 1, at.clone());
        } else {
            return false;
        }
    }
    atoms[a.min(atoms.len())..].iter().all(|atom| *atom == Atom::Any)
}

/// Reads patterns out of a rule.
pub(crate) struct PatternParser<'a> {
    /// The rest of the rule.
    rest: &'a str,
}

impl<'a> PatternParser<'a> {
    /// Starts at the beginning of `rule`.
    pub(crate) fn new(rule: &'a str) -> Self {
        Self { rest: rule }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Consumes `c` if it comes next.
    pub(crate) fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Reads one part: quoted, a regular expression, or text with wildcards. Ends at a dot or at a character that
    /// can't stand in a part.
    pub(crate) fn part(&mut self) -> Result<Pattern, String> {
        match self.rest.chars().next() {
            None => Err("syntax error: missing pattern".to_owned()),
            Some(quote @ ('`' | '"')) => self.quoted(quote).map(|text| Pattern::literal(&text)),
            Some('/') => self.regex(),
            Some(_) => self.wild(),
        }
    }

    /// A quoted name; a doubled quote stands for one.
    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c != quote {
                text.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
                text.push(quote);
            } else {
                self.rest = &self.rest[at + c.len_utf8()..];
                return Ok(text);
            }
        }
        Err("syntax error: incomplete pattern: missing closing quote".to_owned())
    }

    /// A regular expression between slashes.
    fn regex(&mut self) -> Result<Pattern, String> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if c == '/' && !escaped {
                let source = self.rest[1..at].replace("\\/", "/");
                self.rest = &self.rest[at + 1..];
                return regex::Regex::new(&source)
                    .map(Pattern::Regex)
                    .map_err(|e| format!("syntax error: {e}"));
            }
            escaped = c == '\\' && !escaped;
        }
        Err("syntax error: incomplete pattern: missing closing slash".to_owned())
    }

    /// Characters and wildcards.
    fn wild(&mut self) -> Result<Pattern, String> {
        let mut atoms = Vec::new();
        while let Some(c) = self.rest.chars().next() {
            let atom = match c {
                '*' => Atom::Any,
                '?' => Atom::One,
                '[' => {
                    atoms.push(self.class()?);
                    continue;
                }
                '\\' => {
                    let Some(next) = self.rest.chars().nth(1).filter(|next| !next.is_ascii_alphanumeric())
                    else {
                        return Err("syntax error: cannot escape a letter or digit".to_owned());
                    };
                    self.rest = &self.rest[1..];
                    Atom::Char(next)
                }
                '_' | '$' | '-' => Atom::Char(c),
                c if c.is_alphanumeric() || !c.is_ascii() => Atom::Char(c),
                _ => break,
            };
            let length = self.rest.chars().next().map_or(0, char::len_utf8);
            self.rest = &self.rest[length..];
            atoms.push(atom);
        }
        if atoms.is_empty() {
            return Err(format!(
                "syntax error: unexpected character {:?}",
                self.rest.chars().next().unwrap_or(' ')
            ));
        }
        let literals = atoms.iter().map_while(|atom| if let Atom::Char(c) = atom { Some(*c) } else { None });
        let start: String = literals.collect();
        let rest = atoms.split_off(start.chars().count());
        Ok(Pattern::Wild { start, rest })
    }

    /// A character class.
    fn class(&mut self) -> Result<Atom, String> {
        let bad = || "syntax error: failed to parse character class".to_owned();
        let end = self.rest.find(']').filter(|end| *end > 1).ok_or_else(bad)?;
        let body = &self.rest[1..end];
        self.rest = &self.rest[end + 1..];
        let (negated, body) = match body.strip_prefix('!') {
            Some(body) => (true, body),
            None => (false, body),
        };
        let chars: Vec<char> = body.chars().collect();
        let mut ranges = Vec::new();
        let mut i = 0;
        while i < chars.len() {
            if i + 2 < chars.len() && chars[i + 1] == '-' {
                ranges.push((chars[i], chars[i + 2]));
                i += 3;
            } else {
                ranges.push((chars[i], chars[i]));
                i += 1;
            }
        }
        if ranges.is_empty() { Err(bad()) } else { Ok(Atom::Class { negated, ranges }) }
    }
}

/// A list of column patterns: the last one that matches decides, `!` excludes. Case does not matter.
#[derive(Debug, Clone)]
pub struct ColumnFilter {
    /// Patterns with whether they include.
    rules: Vec<(bool, Pattern)>,
}

impl ColumnFilter {
    /// Compiles the patterns.
    pub fn new(columns: &[String]) -> Result<Self, ConfigError> {
        let mut rules = Vec::new();
        for column in columns {
            let lower = column.to_lowercase();
            let mut parser = PatternParser::new(&lower);
            let include = !parser.eat('!');
            let pattern = parser.part().and_then(|pattern| {
                if parser.rest().is_empty() { Ok(pattern) } else { Err("stray characters".to_owned()) }
            });
            let pattern = pattern.map_err(|reason| {
                ConfigError::new(
                    "CDC:ErrFilterRuleInvalid",
                    format!("filter rule is invalid {column:?}: {reason}"),
                )
            })?;
            rules.push((include, pattern));
        }
        Ok(Self { rules })
    }

    /// True if the column is selected.
    pub fn selects(&self, column: &str) -> bool {
        let lower = column.to_lowercase();
        self.rules
            .iter()
            .rev()
            .find(|(_, pattern)| pattern.matches(&lower))
            .is_some_and(|(include, _)| *include)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_names() {
        let matches = |rule: &str, name: &str| PatternParser::new(rule).part().expect(rule).matches(name);
        assert!(matches("a*c?", "abbbcd"));
        assert!(!matches("a*c?", "abbbc"));
        assert!(matches("t_[0-9][!0-9]", "t_1x"));
        assert!(!matches("t_[0-9][!0-9]", "t_11"));
        assert!(matches("`a*`", "a*"));
        assert!(!matches("`a*`", "ab"));
        assert!(matches("/b.d/", "abxde"));
        assert!(matches("*a*b*", "xxaxxbxx"));
        assert!(matches("größe_*", "größe_1") && matches("größe_*", "größe_"));
        assert!(!matches("größe_*", "größe") && !matches("ab", "abc") && !matches("abc", "ab"));
    }

    #[test]
    fn the_last_matching_column_rule_decides() {
        let filter = ColumnFilter::new(&["*".into(), "!b".into()]).expect("valid");
        assert!(filter.selects("a") && !filter.selects("B"));
        assert!(ColumnFilter::new(&["[".into()]).is_err());
    }
}
