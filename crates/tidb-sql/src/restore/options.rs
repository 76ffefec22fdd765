//! What a canonical text leaves out or changes.

/// How canonical texts are written. The default is what a change feed sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreOptions<'a> {
    /// Character set that introduces strings (`_UTF8MB4'a'`): that of the session that typed them. Empty: none.
    pub charset: &'a str,
    /// Schema that qualifies tables which have none. Empty: they stay so.
    pub default_schema: &'a str,
    /// TiDB-only syntax stands in `/*T![feature] … */` comments.
    pub special_comments: bool,
    /// Placement options are left out.
    pub skip_placement: bool,
    /// `TTL` is followed by `TTL_ENABLE = 'OFF'`, whatever was typed.
    pub ttl_off: bool,
    /// Backslashes are doubled in every string. TiDB's own texts do so in values of expressions only, hence an element
    /// of an ENUM or the comment of a table with a backslash reads differently there.
    pub escape_backslash: bool,
}

impl Default for RestoreOptions<'_> {
    fn default() -> Self {
        Self {
            charset: "utf8mb4",
            default_schema: "",
            special_comments: true,
            skip_placement: true,
            ttl_off: true,
            escape_backslash: false,
        }
    }
}

impl<'a> RestoreOptions<'a> {
    /// Everything as typed, strings without introducer: for texts that are shown to people.
    pub fn plain() -> Self {
        Self {
            charset: "",
            default_schema: "",
            special_comments: false,
            skip_placement: false,
            ttl_off: false,
            escape_backslash: true,
        }
    }

    /// The same with another character set of strings.
    pub fn with_charset(self, charset: &'a str) -> Self {
        Self { charset, ..self }
    }
}
