//! How a command fails.

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error for people: `Error: …` on stderr, exit code 1.
    Message(String),
    /// A flag that must be given was not: usage on stdout, the error on stderr, exit code 1.
    Missing {
        /// Path of the command, such as `cli changefeed query`.
        command: &'static str,
        /// Flag without hyphens.
        flag: &'static str,
    },
    /// A command group without a command: help, exit code 0.
    Usage(&'static str),
    /// A check was negative; everything was said already. Exit code 1.
    Silent,
}

impl Failure {
    /// An error for people.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    /// Help of a group.
    pub(crate) fn usage(command: &'static str) -> Self {
        Self::Usage(command)
    }

    /// The value of a flag that must be given.
    pub(crate) fn require<T>(value: Option<T>, command: &'static str, flag: &'static str) -> Result<T, Self> {
        value.ok_or(Self::Missing { command, flag })
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Message(error.to_string())
    }
}
