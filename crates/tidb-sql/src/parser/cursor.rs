//! The place in the token list, and what all rules need: looking ahead, expecting, failing, limiting depth.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{NEAR_LIMIT, ParseError};
use crate::lexer::{Symbol, Token, TokenKind, string_value, tokenize};
use crate::mode::SqlMode;

/// Levels of nesting (parentheses, subqueries, function calls) that are followed. A level takes up to 12 kB of stack in
/// an unoptimised build (measured); this keeps well below a thread's usual 2 MiB.
pub(crate) const MAX_NESTING: usize = 100;

/// Height of a statement's trees, chains of operators included: what recursive consumers of a tree must bear. A clone
/// takes about 5 kB of stack per level (measured with `sqlparser` at opt-level 1). Chains of `AND`, `OR`, `XOR` and
/// `UNION` are built balanced and count with their logarithm.
pub(crate) const MAX_HEIGHT: usize = 200;

/// Why a rule failed. Small, because it is passed through many levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The token at this index fits nothing.
    Unexpected(usize),
    /// As before, with more words.
    Detail(usize, &'static str),
    /// Too deep.
    TooDeep,
}

/// Result of a rule.
pub(super) type Outcome<T> = Result<T, Failure>;

/// Parser state.
pub(super) struct Parser<'s> {
    /// The text.
    pub(super) source: &'s str,
    /// How it is read.
    pub(super) mode: SqlMode,
    /// Its tokens; the last is [`TokenKind::End`].
    tokens: Vec<Token>,
    /// Index of the next token.
    at: usize,
    /// Nesting at this place.
    nesting: usize,
    /// Height of the expression trees built so far at this level.
    pub(super) height: usize,
    /// Placeholders seen in this statement.
    pub(super) placeholders: usize,
    /// Texts of the items of the statement's outermost `SELECT`, once known.
    pub(super) headers: Option<Vec<String>>,
}

impl<'s> Parser<'s> {
    /// Starts at the beginning of a text.
    pub(super) fn new(source: &'s str, mode: SqlMode) -> Self {
        let tokens = tokenize(source, mode);
        Self { source, mode, tokens, at: 0, nesting: 0, height: 0, placeholders: 0, headers: None }
    }

    /// The token at a distance from the next one; past the end it is the end.
    pub(super) fn peek(&self, distance: usize) -> Token {
        match self.tokens.get(self.at.saturating_add(distance)).or(self.tokens.last()) {
            Some(token) => *token,
            None => Token { kind: TokenKind::End, start: 0, end: 0 },
        }
    }

    /// Kind of the next token.
    pub(super) fn kind(&self) -> TokenKind {
        self.peek(0).kind
    }

    /// Text of the token at a distance.
    pub(super) fn text(&self, distance: usize) -> &'s str {
        self.peek(distance).text(self.source)
    }

    /// Index of the next token, for [`Parser::reset`] and for failures.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes back to a token.
    pub(super) fn reset(&mut self, position: usize) {
        self.at = position;
    }

    /// Takes the next token. The end is never passed.
    pub(super) fn advance(&mut self) -> Token {
        let token = self.peek(0);
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        token
    }

    /// Byte offset where the next token starts.
    pub(super) fn offset(&self) -> usize {
        self.peek(0).start as usize
    }

    /// Byte offset where the last taken token ended.
    pub(super) fn previous_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |t| t.end as usize)
    }

    /// The original text of a byte range, without surrounding blanks.
    pub(super) fn slice(&self, range: Range<usize>) -> &'s str {
        self.source.get(range).unwrap_or("").trim()
    }

    /// Fails at the next token.
    pub(super) fn unexpected<T>(&self) -> Outcome<T> {
        Err(Failure::Unexpected(self.at))
    }

    /// Fails at the next token with more words (which start with a space).
    pub(super) fn refuse<T>(&self, detail: &'static str) -> Outcome<T> {
        Err(Failure::Detail(self.at, detail))
    }

    /// Whether the token at a distance is this keyword.
    pub(super) fn keyword_at(&self, distance: usize, keyword: &str) -> bool {
        let token = self.peek(distance);
        token.kind == TokenKind::Word && token.text(self.source).eq_ignore_ascii_case(keyword)
    }

    /// Whether the next token is this keyword.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        self.keyword_at(0, keyword)
    }

    /// Whether the next token is one of these keywords.
    pub(super) fn is_one_of(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is_keyword(keyword))
    }

    /// Whether the next tokens are these keywords.
    pub(super) fn are_keywords(&self, keywords: &[&str]) -> bool {
        keywords.iter().enumerate().all(|(i, keyword)| self.keyword_at(i, keyword))
    }

    /// Takes this keyword if it is next.
    pub(super) fn eat(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        if found {
            self.advance();
        }
        found
    }

    /// Takes these keywords if they are next.
    pub(super) fn eat_all(&mut self, keywords: &[&str]) -> bool {
        let found = self.are_keywords(keywords);
        if found {
            keywords.iter().for_each(|_| {
                self.advance();
            });
        }
        found
    }

    /// Takes one of these keywords and tells which.
    pub(super) fn eat_one_of(&mut self, keywords: &[&'static str]) -> Option<&'static str> {
        let found = keywords.iter().find(|keyword| self.is_keyword(keyword)).copied();
        if found.is_some() {
            self.advance();
        }
        found
    }

    /// Expects this keyword.
    pub(super) fn expect(&mut self, keyword: &str) -> Outcome<()> {
        if self.eat(keyword) { Ok(()) } else { self.unexpected() }
    }

    /// Expects these keywords.
    pub(super) fn expect_all(&mut self, keywords: &[&str]) -> Outcome<()> {
        keywords.iter().try_for_each(|keyword| self.expect(keyword))
    }

    /// Expects one of these keywords.
    pub(super) fn expect_one_of(&mut self, keywords: &[&'static str]) -> Outcome<&'static str> {
        match self.eat_one_of(keywords) {
            Some(keyword) => Ok(keyword),
            None => self.unexpected(),
        }
    }

    /// Whether the token at a distance is this symbol.
    pub(super) fn symbol_at(&self, distance: usize, symbol: Symbol) -> bool {
        self.peek(distance).kind == TokenKind::Symbol(symbol)
    }

    /// Whether the next token is this symbol.
    pub(super) fn is_symbol(&self, symbol: Symbol) -> bool {
        self.symbol_at(0, symbol)
    }

    /// Takes this symbol if it is next.
    pub(super) fn eat_symbol(&mut self, symbol: Symbol) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    /// Expects this symbol.
    pub(super) fn expect_symbol(&mut self, symbol: Symbol) -> Outcome<()> {
        if self.eat_symbol(symbol) { Ok(()) } else { self.unexpected() }
    }

    /// Takes an optional `=`.
    pub(super) fn eat_equal(&mut self) {
        self.eat_symbol(Symbol::Equal);
    }

    /// Whether a statement can end here.
    pub(super) fn at_statement_end(&self) -> bool {
        matches!(self.kind(), TokenKind::End | TokenKind::Symbol(Symbol::Semicolon))
    }

    /// One or more items with commas between.
    pub(super) fn comma_list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Outcome<T>) -> Outcome<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_symbol(Symbol::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `(` one or more items with commas between `)`.
    pub(super) fn paren_list<T>(&mut self, item: impl FnMut(&mut Self) -> Outcome<T>) -> Outcome<Vec<T>> {
        self.expect_symbol(Symbol::LeftParen)?;
        let items = self.comma_list(item)?;
        self.expect_symbol(Symbol::RightParen)?;
        Ok(items)
    }

    /// `(` something `)`.
    pub(super) fn parenthesized<T>(&mut self, inner: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.expect_symbol(Symbol::LeftParen)?;
        let value = inner(self)?;
        self.expect_symbol(Symbol::RightParen)?;
        Ok(value)
    }

    /// Runs a rule one level deeper.
    pub(super) fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        if self.nesting >= MAX_NESTING {
            return Err(Failure::TooDeep);
        }
        self.nesting += 1;
        let outcome = rule(self);
        self.nesting -= 1;
        outcome
    }

    /// Accounts for one more level of the tree that is being built.
    pub(super) fn grow(&mut self) -> Outcome<()> {
        self.height += 1;
        if self.height > MAX_HEIGHT { Err(Failure::TooDeep) } else { Ok(()) }
    }

    /// The value of a quoted token's text.
    pub(super) fn unquote(&self, token: Token) -> Cow<'s, str> {
        let text = token.text(self.source);
        let escapes = !self.mode.no_backslash_escapes
            && matches!(token.kind, TokenKind::Text | TokenKind::NationalText)
            || (matches!(token.kind, TokenKind::UserVariable | TokenKind::SystemVariable)
                && !text.starts_with('`'));
        string_value(text, escapes)
    }

    /// Skips to the end of the statement and gives the text up to there as typed. Parentheses are not looked at.
    pub(super) fn rest_of_statement(&mut self) -> Outcome<String> {
        let start = self.offset();
        let mut end = start;
        while !self.at_statement_end() {
            if self.kind() == TokenKind::Invalid {
                return self.unexpected();
            }
            end = self.advance().end as usize;
        }
        Ok(self.slice(start..end).to_owned())
    }

    /// Turns a failure into the error that a client sees.
    pub(super) fn describe(&self, failure: Failure) -> ParseError {
        let (index, detail) = match failure {
            Failure::TooDeep => return ParseError::TooDeep { limit: MAX_NESTING },
            Failure::Unexpected(index) => (index, ""),
            Failure::Detail(index, detail) => (index, detail),
        };
        let token = self.tokens.get(index).or(self.tokens.last()).copied();
        let (start, end) = token.map_or((0, 0), |t| (t.start as usize, t.end as usize));
        let (line, column) = line_and_column(self.source, end);
        let rest = self.source.get(start..).unwrap_or("");
        let (near, length) = cut(rest);
        ParseError::Syntax { line, column, near, detail: format!("{detail} {length}"), offset: start }
    }
}

/// The quoted part of the rest of a text, and the note that TiDB adds when it is cut.
fn cut(rest: &str) -> (String, String) {
    if rest.len() <= NEAR_LIMIT {
        return (rest.to_owned(), String::new());
    }
    let end = (0..=NEAR_LIMIT).rev().find(|i| rest.is_char_boundary(*i)).unwrap_or(0);
    (rest.get(..end).unwrap_or("").to_owned(), format!("(total length {})", rest.len()))
}

/// Line and column of a byte offset as TiDB's scanner counts them: characters read on the line, where the line break
/// before counts as the first character of its line.
fn line_and_column(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line = 1 + memchr::memchr_iter(b'\n', before.as_bytes()).count();
    let start = before.rfind('\n').unwrap_or(0);
    (line, before.get(start..).unwrap_or("").chars().count())
}
