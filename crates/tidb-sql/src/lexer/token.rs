//! What the text is cut into.

/// Punctuation and operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `.`
    Dot,
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Star,
    /// `/`
    Slash,
    /// `%`
    Percent,
    /// `&`
    Ampersand,
    /// `&&`
    DoubleAmpersand,
    /// `|`
    Pipe,
    /// `||`
    DoublePipe,
    /// `^`
    Caret,
    /// `~`
    Tilde,
    /// `!`
    Bang,
    /// `=`
    Equal,
    /// `<=>`
    NullSafeEqual,
    /// `!=`, `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `:=`
    Assign,
    /// `:`
    Colon,
    /// `@` that starts no variable
    At,
    /// `{`
    LeftBrace,
    /// `}`
    RightBrace,
    /// `->`
    Arrow,
    /// `->>`
    LongArrow,
}

/// Kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// An unquoted word: a keyword or an identifier.
    Word,
    /// An unquoted word next to a `.`: never a keyword.
    QualifiedWord,
    /// An identifier in back quotes, or in double quotes with `ANSI_QUOTES`.
    QuotedIdentifier,
    /// A string in quotes.
    Text,
    /// `N'…'`.
    NationalText,
    /// A number without point and exponent.
    Integer,
    /// A number with a point and without exponent.
    Decimal,
    /// A number with an exponent.
    Float,
    /// `x'…'` or `0x…`.
    Hex,
    /// `b'…'` or `0b…`.
    Bits,
    /// `@name`.
    UserVariable,
    /// `@@name`.
    SystemVariable,
    /// `?`.
    Placeholder,
    /// `/*+ … */` after a statement's first word.
    Hint,
    /// Punctuation or operator.
    Symbol(Symbol),
    /// Something that is no token: an open quote or comment, a stray character.
    Invalid,
    /// The end of the text.
    End,
}

/// A token: what it is and where it stands in the text (byte offsets).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// Kind.
    pub(crate) kind: TokenKind,
    /// First byte.
    pub(crate) start: u32,
    /// Byte after the last.
    pub(crate) end: u32,
}

impl Token {
    /// Its text.
    pub(crate) fn text<'s>(&self, source: &'s str) -> &'s str {
        source.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}
