//! Errors of configuration, with TiCDC's codes.

/// Something in a configuration is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{code}]{message}")]
pub struct ConfigError {
    /// `CDC:Err…`.
    pub code: &'static str,
    /// Which key or value, and what would be right.
    pub message: String,
}

impl ConfigError {
    /// An error with one of TiCDC's codes.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// `CDC:ErrInvalidReplicaConfig`, with the reason. TiCDC leaves the `%s` of its template in the text.
    pub fn invalid(reason: impl std::fmt::Display) -> Self {
        Self::new("CDC:ErrInvalidReplicaConfig", format!("invalid replica config, %s: {reason}"))
    }

    /// `CDC:ErrSinkURIInvalid`, with the reason. TiCDC leaves the `%s` of its template in the text.
    pub fn sink_uri(reason: impl std::fmt::Display) -> Self {
        Self::new("CDC:ErrSinkURIInvalid", format!("sink uri invalid '%s': {reason}"))
    }

    /// `CDC:ErrKafkaInvalidConfig`, with the reason.
    pub fn kafka(reason: impl std::fmt::Display) -> Self {
        Self::new("CDC:ErrKafkaInvalidConfig", format!("kafka config invalid: {reason}"))
    }
}
