//! Which topic names are legal.

use crate::limits::MAX_TOPIC_NAME_LEN;

/// Checks a topic name by Kafka's rules; the error says what is wrong.
pub(crate) fn check_topic_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the topic name is empty".into());
    }
    if name == "." || name == ".." {
        return Err("a topic cannot be called '.' or '..'".into());
    }
    if name.len() > MAX_TOPIC_NAME_LEN {
        return Err(format!("the topic name is longer than {MAX_TOPIC_NAME_LEN} characters"));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.chars().all(legal) {
        return Err(format!(
            "topic name {name:?} has characters other than ASCII letters, digits, '.', '_' and '-'"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_kafka() {
        for good in ["a", "tidb-test", "A.b_c-9", &"x".repeat(249)] {
            assert!(check_topic_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", "a\0", &"x".repeat(250)] {
            assert!(check_topic_name(bad).is_err(), "{bad}");
        }
    }
}
