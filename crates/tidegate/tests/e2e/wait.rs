//! Waiting for something to become true, bounded.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Pause between two looks at something that cannot tell by itself that it changed.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks until `look` gives a value, at most for `limit`. What it saw instead last is told if it never does.
///
/// # Panics
/// When the time is over.
pub(crate) async fn until<T, S: Debug>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<T, S>,
) -> T {
    let start = Instant::now();
    loop {
        match look().await {
            Ok(value) => return value,
            Err(seen) if start.elapsed() >= limit => {
                panic!("{what}: not within {limit:?}; last seen: {seen:?}")
            }
            Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

/// The result of something that must end within `limit`.
///
/// # Panics
/// When it does not.
pub(crate) async fn within<T>(what: &str, limit: Duration, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, work).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {limit:?}"),
    }
}
