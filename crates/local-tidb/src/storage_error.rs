//! Storage failures as a MySQL client sees them.

use tikv_client::Error;

use tidb_expr::SqlError;

/// Turns a storage failure into the error that TiDB answers with.
pub(crate) fn from_client(error: Error) -> SqlError {
    match &error {
        Error::WriteConflict { start_ts, conflict_start_ts, conflict_commit_ts, key, .. } => SqlError::new(
            9007,
            format!(
                "Write conflict, txnStartTS={start_ts}, conflictStartTS={conflict_start_ts}, conflictCommitTS={conflict_commit_ts}, key={key}, reason=Optimistic [try again later]"
            ),
        ),
        Error::Deadlock { .. } => {
            SqlError::new(1213, "Deadlock found when trying to get lock; try restarting transaction")
        }
        Error::LockWaitTimeout { .. } => {
            SqlError::new(1205, "Lock wait timeout exceeded; try restarting transaction")
        }
        Error::LockBusy { .. } => SqlError::new(
            3572,
            "Statement aborted because lock(s) could not be acquired immediately and NOWAIT is set.",
        ),
        Error::TooLarge { size, .. } => {
            SqlError::new(8004, format!("Transaction is too large, size: {size}"))
        }
        Error::KeyExists { key } => SqlError::new(1062, format!("Duplicate entry '{key}' for key 'PRIMARY'")),
        Error::Locked { .. } => SqlError::new(1205, "Lock wait timeout exceeded; try restarting transaction"),
        Error::Retryable { reason, .. } => {
            SqlError::new(8002, format!("[{reason}] can not be retried, try again later"))
        }
        Error::Undetermined { .. } => SqlError::new(8501, error.to_string()),
        Error::RegionUnavailable { .. } => SqlError::new(9005, "Region is unavailable"),
        Error::Unavailable { .. } => SqlError::new(9001, "PD server timeout"),
        _ => SqlError::internal(error),
    }
}
