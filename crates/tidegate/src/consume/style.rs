//! Colours of a terminal.

use std::io::IsTerminal;

/// Role of a piece of text, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Something new.
    Added,
    /// Something that changed.
    Changed,
    /// Something that is gone.
    Removed,
    /// A change of the schema.
    Schema,
    /// A name.
    Name,
    /// A key.
    Key,
    /// Less important.
    Faint,
}

impl Role {
    /// Its escape sequence.
    fn code(self) -> &'static str {
        match self {
            Self::Added => "\x1b[32m",
            Self::Changed => "\x1b[33m",
            Self::Removed => "\x1b[31m",
            Self::Schema => "\x1b[35m",
            Self::Name => "\x1b[1m",
            Self::Key => "\x1b[36m",
            Self::Faint => "\x1b[2m",
        }
    }
}

/// Whether and how text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Text only.
    Plain,
    /// With escape sequences.
    Coloured,
}

impl Style {
    /// Colours on a terminal that can show them, unless `NO_COLOR` is set (<https://no-color.org>).
    pub(crate) fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if std::io::stdout().is_terminal() && !refused && !dumb { Self::Coloured } else { Self::Plain }
    }

    /// Text in the colour of its role.
    pub(crate) fn paint(self, role: Role, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("{}{text}\x1b[0m", role.code()),
        }
    }
}
