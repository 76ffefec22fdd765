//! Why a changefeed stops or waits, with the codes that users of TiCDC know.

use kafka_sink::SinkError;

/// Codes that end a changefeed at once: trying again cannot help (cli-and-api reference, section states).
const FAST_FAIL: [&str; 18] = [
    "CDC:ErrGCTTLExceeded",
    "CDC:ErrSnapshotLostByGC",
    "CDC:ErrStartTsBeforeGC",
    "CDC:ErrExpressionColumnNotFound",
    "CDC:ErrExpressionParseFailed",
    "CDC:ErrInvalidFilterExpression",
    "CDC:ErrSchemaSnapshotNotFound",
    "CDC:ErrSyncRenameTableFailed",
    "CDC:ErrChangefeedUnretryable",
    "CDC:ErrCorruptedDataMutation",
    "CDC:ErrDispatcherFailed",
    "CDC:ErrColumnSelectorFailed",
    "CDC:ErrSinkURIInvalid",
    "CDC:ErrKafkaInvalidConfig",
    "CDC:ErrMySQLInvalidConfig",
    "CDC:ErrStorageSinkInvalidConfig",
    "CDC:ErrVersionIncompatible",
    "CDC:ErrClusterIDMismatch",
];

/// The error of a changefeed: a stable code and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{code}]{message}")]
pub struct FeedError {
    /// `CDC:Err…`.
    pub code: String,
    /// What happened and what to do, without secrets.
    pub message: String,
}

impl FeedError {
    /// An error with one of TiCDC's codes.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// True if retrying cannot help.
    pub fn is_fast_fail(&self) -> bool {
        FAST_FAIL.iter().any(|code| self.code == *code || self.message.contains(code))
    }
}

impl From<SinkError> for FeedError {
    fn from(error: SinkError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<changefeed_config::ConfigError> for FeedError {
    fn from(error: changefeed_config::ConfigError) -> Self {
        Self::new(error.code, error.message)
    }
}

impl From<event_sorter::SorterError> for FeedError {
    fn from(error: event_sorter::SorterError) -> Self {
        match error {
            event_sorter::SorterError::DiskFull { .. } => Self::new(
                "CDC:ErrDiskFull",
                format!(
                    "{error}; free space there, or start the capture with another data-dir; the changefeed goes on \
                     by itself when there is room"
                ),
            ),
            other => Self::new("CDC:ErrSorterDiskError", other.to_string()),
        }
    }
}

impl From<tikv_cdc::CdcError> for FeedError {
    fn from(error: tikv_cdc::CdcError) -> Self {
        let code = match &error {
            tikv_cdc::CdcError::VersionIncompatible { .. } => "CDC:ErrVersionIncompatible",
            tikv_cdc::CdcError::ClusterIdMismatch { .. } => "CDC:ErrClusterIDMismatch",
            tikv_cdc::CdcError::Spool { .. } => "CDC:ErrSorterDiskError",
            _ => "CDC:ErrEventFeedAborted",
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_a_code_of_its_own_that_is_retried_and_says_what_to_do() {
        let error = event_sorter::SorterError::DiskFull { path: "sorter/feed/000000000001.run".into() };
        let error = FeedError::from(error);
        assert_eq!(error.code, "CDC:ErrDiskFull");
        assert!(!error.is_fast_fail());
        assert!(error.message.contains("sorter/feed/000000000001.run"), "{error}");
        assert!(error.message.contains("free space"), "{error}");
    }
}
