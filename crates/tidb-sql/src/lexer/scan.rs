//! Cutting the text into tokens.

use super::token::{Symbol, Token, TokenKind};
use crate::mode::SqlMode;

/// Cuts a text into tokens; the last one is [`TokenKind::End`]. What cannot be read becomes [`TokenKind::Invalid`],
/// followed by the end. Texts of 4 GiB and more are invalid.
pub(crate) fn tokenize(source: &str, mode: SqlMode) -> Vec<Token> {
    if u32::try_from(source.len()).is_err() {
        return vec![
            Token { kind: TokenKind::Invalid, start: 0, end: 0 },
            Token { kind: TokenKind::End, start: 0, end: 0 },
        ];
    }
    let mut scanner = Scanner {
        source,
        bytes: source.as_bytes(),
        at: 0,
        mode,
        tokens: Vec::with_capacity(source.len() / 5 + 2),
        in_version_comment: false,
    };
    scanner.run();
    scanner.tokens
}

/// State of the cutting.
pub(super) struct Scanner<'s> {
    /// The text.
    pub(super) source: &'s str,
    /// The same as bytes.
    pub(super) bytes: &'s [u8],
    /// Next byte to read.
    pub(super) at: usize,
    /// How to read quotes.
    pub(super) mode: SqlMode,
    /// What was found.
    pub(super) tokens: Vec<Token>,
    /// Inside `/*! …` or `/*T! …`, so that `*/` is skipped.
    pub(super) in_version_comment: bool,
}

/// Whether a byte can be part of an unquoted identifier.
fn is_identifier_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Whether a byte can be part of an unquoted variable name.
fn is_variable_byte(byte: u8) -> bool {
    is_identifier_byte(byte) || byte == b'.'
}

impl Scanner<'_> {
    /// The byte at a distance from the next one, 0 past the end.
    pub(super) fn peek(&self, distance: usize) -> u8 {
        self.bytes.get(self.at + distance).copied().unwrap_or(0)
    }

    /// Whether the text from here on starts so.
    pub(super) fn starts_with(&self, prefix: &str) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(prefix.as_bytes()))
    }

    /// Skips bytes as long as the condition holds.
    fn skip_while(&mut self, condition: impl Fn(u8) -> bool) {
        while self.at < self.bytes.len() && condition(self.peek(0)) {
            self.at += 1;
        }
    }

    /// Adds a token that ends here.
    pub(super) fn push(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push(Token { kind, start: start as u32, end: self.at as u32 });
    }

    /// Adds a symbol of a length in bytes.
    fn symbol(&mut self, symbol: Symbol, length: usize) {
        let start = self.at;
        self.at += length;
        self.push(TokenKind::Symbol(symbol), start);
    }

    /// Reads everything.
    fn run(&mut self) {
        while self.skip_blanks() {
            if !self.next_token() {
                break;
            }
        }
        self.at = self.bytes.len();
        self.push(TokenKind::End, self.at);
    }

    /// Skips white space. False at the end of the text.
    fn skip_blanks(&mut self) -> bool {
        loop {
            self.skip_while(|b| b.is_ascii_whitespace() || b == 0x0b);
            if self.at >= self.bytes.len() {
                return false;
            }
            if self.peek(0) < 0x80 {
                return true;
            }
            match self.source.get(self.at..).and_then(|rest| rest.chars().next()) {
                Some(c) if c.is_whitespace() => self.at += c.len_utf8(),
                _ => return true,
            }
        }
    }

    /// Reads a token or skips a comment. False when reading cannot go on.
    fn next_token(&mut self) -> bool {
        let start = self.at;
        match self.peek(0) {
            b'\'' => return self.quoted(start, b'\'', TokenKind::Text, !self.mode.no_backslash_escapes),
            b'"' if self.mode.ansi_quotes => {
                return self.quoted(start, b'"', TokenKind::QuotedIdentifier, false);
            }
            b'"' => return self.quoted(start, b'"', TokenKind::Text, !self.mode.no_backslash_escapes),
            b'`' => return self.quoted(start, b'`', TokenKind::QuotedIdentifier, false),
            b'0'..=b'9' if self.after_identifier_dot() => self.word(start),
            b'0'..=b'9' => self.number(start),
            b'.' if self.peek(1).is_ascii_digit() && !self.after_identifier() => self.number(start),
            b'x' | b'X' if self.peek(1) == b'\'' => {
                return self.digits_literal(TokenKind::Hex, |b| b.is_ascii_hexdigit());
            }
            b'b' | b'B' if self.peek(1) == b'\'' => {
                return self.digits_literal(TokenKind::Bits, |b| b == b'0' || b == b'1');
            }
            b'n' | b'N' if self.peek(1) == b'\'' => {
                self.at += 1;
                return self.quoted(start, b'\'', TokenKind::NationalText, !self.mode.no_backslash_escapes);
            }
            b if is_identifier_byte(b) => self.word(start),
            b'@' => return self.variable(start),
            b'?' => {
                self.at += 1;
                self.push(TokenKind::Placeholder, start);
            }
            b'#' => self.skip_while(|b| b != b'\n'),
            b'-' if self.peek(1) == b'-' && self.is_dash_comment() => self.skip_while(|b| b != b'\n'),
            b'/' if self.peek(1) == b'*' => return self.comment(start),
            b'*' if self.in_version_comment && self.peek(1) == b'/' => {
                self.in_version_comment = false;
                self.at += 2;
            }
            _ => return self.operator(start),
        }
        true
    }

    /// Whether the token before ends right here and is an identifier, so that a `.` qualifies it.
    fn after_identifier(&self) -> bool {
        self.tokens.last().is_some_and(|t| {
            t.end as usize == self.at
                && matches!(t.kind, TokenKind::Word | TokenKind::QualifiedWord | TokenKind::QuotedIdentifier)
        })
    }

    /// Whether the token before is a `.` that qualifies, so that `t.1a` is read as a name.
    fn after_identifier_dot(&self) -> bool {
        match self.tokens.as_slice() {
            [.., name, dot] => {
                dot.kind == TokenKind::Symbol(Symbol::Dot)
                    && dot.end as usize == self.at
                    && name.end == dot.start
                    && matches!(
                        name.kind,
                        TokenKind::Word | TokenKind::QualifiedWord | TokenKind::QuotedIdentifier
                    )
            }
            _ => false,
        }
    }

    /// Reads an unquoted word.
    fn word(&mut self, start: usize) {
        self.skip_while(is_identifier_byte);
        let after_dot = self.tokens.last().is_some_and(|t| t.kind == TokenKind::Symbol(Symbol::Dot));
        let kind = if after_dot || self.peek(0) == b'.' { TokenKind::QualifiedWord } else { TokenKind::Word };
        self.push(kind, start);
    }

    /// Reads a quoted token from the quote at the current place on.
    fn quoted(&mut self, start: usize, quote: u8, kind: TokenKind, escapes: bool) -> bool {
        self.at += 1;
        while self.at < self.bytes.len() {
            let byte = self.peek(0);
            self.at += 1;
            if byte == quote {
                if self.peek(0) != quote {
                    self.push(kind, start);
                    return true;
                }
                self.at += 1;
            } else if byte == b'\\' && escapes {
                self.at += 1;
            }
        }
        self.invalid(start)
    }

    /// Adds an invalid token that covers the rest. Always false.
    pub(super) fn invalid(&mut self, start: usize) -> bool {
        self.at = self.bytes.len();
        self.push(TokenKind::Invalid, start);
        false
    }

    /// Reads `x'…'` or `b'…'`.
    fn digits_literal(&mut self, kind: TokenKind, is_digit: impl Fn(u8) -> bool) -> bool {
        let start = self.at;
        self.at += 2;
        self.skip_while(is_digit);
        if self.peek(0) != b'\'' || (kind == TokenKind::Hex && !(self.at - start).is_multiple_of(2)) {
            return self.invalid(start);
        }
        self.at += 1;
        self.push(kind, start);
        true
    }

    /// Reads a number, or an identifier that starts with digits.
    fn number(&mut self, start: usize) {
        if self.peek(0) == b'0' && self.prefixed_number(start) {
            return;
        }
        self.skip_while(|b| b.is_ascii_digit());
        let mut kind = TokenKind::Integer;
        if self.peek(0) == b'.' {
            kind = TokenKind::Decimal;
            self.at += 1;
            self.skip_while(|b| b.is_ascii_digit());
        }
        if matches!(self.peek(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.skip_while(|b| b.is_ascii_digit());
                return self.push(TokenKind::Float, start);
            }
        }
        if kind == TokenKind::Integer && is_identifier_byte(self.peek(0)) {
            return self.word(start);
        }
        self.push(kind, start);
    }

    /// Reads `0x…` and `0b…`. False if it is neither.
    fn prefixed_number(&mut self, start: usize) -> bool {
        let (kind, is_digit): (_, fn(&u8) -> bool) = match self.peek(1) {
            b'x' | b'X' => (TokenKind::Hex, u8::is_ascii_hexdigit),
            b'b' => (TokenKind::Bits, |b| matches!(b, b'0' | b'1')),
            _ => return false,
        };
        let rest = self.bytes.get(start + 2..).unwrap_or(&[]);
        let digits = rest.iter().take_while(|b| is_digit(b)).count();
        if digits == 0 || rest.get(digits).is_some_and(|b| is_identifier_byte(*b)) {
            self.word(start);
        } else {
            self.at = start + 2 + digits;
            self.push(kind, start);
        }
        true
    }

    /// Reads `@name`, `@'name'`, `@@name` or a lone `@`.
    fn variable(&mut self, start: usize) -> bool {
        self.at += 1;
        let system = self.peek(0) == b'@';
        if system {
            self.at += 1;
        }
        let kind = if system { TokenKind::SystemVariable } else { TokenKind::UserVariable };
        match self.peek(0) {
            quote @ (b'`' | b'\'' | b'"') => {
                let escapes = quote != b'`' && !self.mode.no_backslash_escapes;
                return self.quoted(start, quote, kind, escapes);
            }
            b if is_variable_byte(b) => {
                self.skip_while(is_variable_byte);
                if system && self.bytes.get(self.at - 1) == Some(&b'.') && self.peek(0) == b'`' {
                    return self.quoted(start, b'`', kind, false);
                }
                self.push(kind, start);
            }
            _ if system => return self.invalid(start),
            _ => self.push(TokenKind::Symbol(Symbol::At), start),
        }
        true
    }

    /// Reads an operator or punctuation.
    fn operator(&mut self, start: usize) -> bool {
        let (symbol, length) = match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'<', b'=', b'>') => (Symbol::NullSafeEqual, 3),
            (b'-', b'>', b'>') => (Symbol::LongArrow, 3),
            (b'-', b'>', _) => (Symbol::Arrow, 2),
            (b'<', b'=', _) => (Symbol::LessEqual, 2),
            (b'<', b'>', _) | (b'!', b'=', _) => (Symbol::NotEqual, 2),
            (b'<', b'<', _) => (Symbol::ShiftLeft, 2),
            (b'>', b'>', _) => (Symbol::ShiftRight, 2),
            (b'>', b'=', _) => (Symbol::GreaterEqual, 2),
            (b'&', b'&', _) => (Symbol::DoubleAmpersand, 2),
            (b'|', b'|', _) => (Symbol::DoublePipe, 2),
            (b':', b'=', _) => (Symbol::Assign, 2),
            (b'(', ..) => (Symbol::LeftParen, 1),
            (b')', ..) => (Symbol::RightParen, 1),
            (b',', ..) => (Symbol::Comma, 1),
            (b';', ..) => (Symbol::Semicolon, 1),
            (b'.', ..) => (Symbol::Dot, 1),
            (b'+', ..) => (Symbol::Plus, 1),
            (b'-', ..) => (Symbol::Minus, 1),
            (b'*', ..) => (Symbol::Star, 1),
            (b'/', ..) => (Symbol::Slash, 1),
            (b'%', ..) => (Symbol::Percent, 1),
            (b'&', ..) => (Symbol::Ampersand, 1),
            (b'|', ..) => (Symbol::Pipe, 1),
            (b'^', ..) => (Symbol::Caret, 1),
            (b'~', ..) => (Symbol::Tilde, 1),
            (b'!', ..) => (Symbol::Bang, 1),
            (b'=', ..) => (Symbol::Equal, 1),
            (b'<', ..) => (Symbol::Less, 1),
            (b'>', ..) => (Symbol::Greater, 1),
            (b':', ..) => (Symbol::Colon, 1),
            (b'{', ..) => (Symbol::LeftBrace, 1),
            (b'}', ..) => (Symbol::RightBrace, 1),
            _ => {
                self.at += 1;
                self.push(TokenKind::Invalid, start);
                return false;
            }
        };
        self.symbol(symbol, length);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        tokenize(sql, SqlMode::default())
            .iter()
            .filter(|t| t.kind != TokenKind::End)
            .map(|t| t.text(sql))
            .collect()
    }

    #[test]
    fn comments_are_skipped_and_version_comments_are_read() {
        assert_eq!(
            texts("a /* b */ -- c\n#d\n /*!40101 e */ /*T![ttl] f */ /*T![unknown] g */ /*T! h */ i--1"),
            ["a", "e", "f", "h", "i", "-", "-", "1"]
        );
    }

    #[test]
    fn digits_after_a_qualifying_dot_are_a_name() {
        assert_eq!(
            texts("t.1a + 1.5 + .5 + 1e3 + 1e"),
            ["t", ".", "1a", "+", "1.5", "+", ".5", "+", "1e3", "+", "1e"]
        );
    }

    #[test]
    fn open_quotes_are_invalid() {
        for sql in ["'a", "`a", "\"a\\\"", "/* a", "x'1'", "x'1g'", "b'2'", "@@", "'a\\"] {
            let tokens = tokenize(sql, SqlMode::default());
            assert!(tokens.iter().any(|t| t.kind == TokenKind::Invalid), "{sql}");
        }
    }

    #[test]
    fn ansi_quotes_make_identifiers() {
        let tokens = tokenize("\"a\"", SqlMode { ansi_quotes: true, ..SqlMode::default() });
        assert_eq!(tokens[0].kind, TokenKind::QuotedIdentifier);
    }
}
