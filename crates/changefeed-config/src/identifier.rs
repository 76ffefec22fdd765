//! Names of changefeeds and clusters.

use crate::error::ConfigError;

/// Longest id, bytes.
const MAX_ID_BYTES: usize = 128;
/// Words that a cluster can't be called, because they are folders below it in etcd.
const RESERVED_CLUSTER_IDS: [&str; 6] = ["owner", "capture", "task", "changefeed", "job", "meta"];

/// True for letters and digits in groups joined by single hyphens.
fn is_identifier(id: &str) -> bool {
    id.len() <= MAX_ID_BYTES
        && id.split('-').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Checks the id of a changefeed.
pub fn validate_changefeed_id(id: &str) -> Result<(), ConfigError> {
    if is_identifier(id) {
        return Ok(());
    }
    Err(ConfigError::new("CDC:ErrAPIInvalidParam", format!("invalid changefeed_id: {id}")))
}

/// Checks the id of a cluster of captures.
pub fn validate_cluster_id(id: &str) -> Result<(), ConfigError> {
    if is_identifier(id) && !RESERVED_CLUSTER_IDS.contains(&id) {
        return Ok(());
    }
    Err(ConfigError::new(
        "CDC:ErrInvalidServerOption",
        format!(
            "invalid cluster-id {id:?}: use letters, digits and single hyphens, at most {MAX_ID_BYTES} bytes, and none of {}",
            RESERVED_CLUSTER_IDS.join(", ")
        ),
    ))
}

/// An id for a changefeed that was given none.
pub fn new_changefeed_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_groups_of_letters_and_digits() {
        for good in ["simple-replication-task", "a", "A1-b2", &new_changefeed_id()] {
            assert!(validate_changefeed_id(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "bad_id!", "ä", &"a".repeat(129)] {
            assert!(validate_changefeed_id(bad).is_err(), "{bad}");
        }
        assert!(validate_cluster_id("default").is_ok());
        assert!(validate_cluster_id("owner").is_err());
    }
}
