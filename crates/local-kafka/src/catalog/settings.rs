//! Topic settings under their Kafka names.

use std::collections::BTreeMap;

use crate::config::TopicConfig;
use crate::limits::{MAX_FRAME_BYTES, MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES};

/// Settings of one topic which differ from the broker's defaults, by Kafka name.
pub(crate) type Overrides = BTreeMap<String, String>;

/// Type of a setting's value, as DescribeConfigs numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SettingKind {
    /// True or false.
    Boolean = 1,
    /// Text.
    Text = 2,
    /// 32 bit integer.
    Int = 3,
    /// 64 bit integer.
    Long = 5,
    /// Comma separated list.
    List = 7,
}

/// A topic setting this broker honours.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Kafka name.
    pub(crate) name: &'static str,
    /// Name of the broker setting which gives its default.
    pub(crate) broker_name: &'static str,
    /// Type of the value.
    pub(crate) kind: SettingKind,
    /// One sentence for DescribeConfigs.
    pub(crate) documentation: &'static str,
    /// Text form of the value in effect.
    pub(crate) value: fn(&TopicConfig) -> String,
    /// Parses a value into the configuration; the error says what is allowed.
    set: fn(&mut TopicConfig, &str) -> Result<(), String>,
}

/// A broker setting which has no topic counterpart: name, type and one sentence.
pub(crate) const BROKER_SETTINGS: &[(&str, SettingKind, &str)] = &[
    ("advertised.listeners", SettingKind::Text, "Host and port told to clients."),
    ("auto.create.topics.enable", SettingKind::Boolean, "Whether asking for an unknown topic creates it."),
    ("broker.id", SettingKind::Int, "Id of this node."),
    ("connections.max.idle.ms", SettingKind::Long, "Idle connections are closed after this time."),
    ("default.replication.factor", SettingKind::Int, "Always 1: there is one node."),
    (
        "group.initial.rebalance.delay.ms",
        SettingKind::Int,
        "Time in which the first members of a group gather.",
    ),
    ("log.dirs", SettingKind::Text, "The data directory."),
    ("num.partitions", SettingKind::Int, "Partitions of topics created without a number."),
    ("offsets.retention.minutes", SettingKind::Int, "Life of committed offsets of groups without members."),
    ("socket.request.max.bytes", SettingKind::Int, "Largest request."),
];

/// All topic settings.
pub(crate) const TOPIC_SETTINGS: &[Setting] = &[
    Setting {
        name: "cleanup.policy",
        broker_name: "log.cleanup.policy",
        kind: SettingKind::List,
        documentation: "Old segments are deleted; compaction is not supported.",
        value: |_| "delete".into(),
        set: |_, v| only(v, "delete"),
    },
    Setting {
        name: "compression.type",
        broker_name: "compression.type",
        kind: SettingKind::Text,
        documentation: "Batches are stored as the producer compressed them.",
        value: |_| "producer".into(),
        set: |_, v| only(v, "producer"),
    },
    Setting {
        name: "max.message.bytes",
        broker_name: "message.max.bytes",
        kind: SettingKind::Int,
        documentation: "Largest record batch.",
        value: |c| c.max_message_bytes.to_string(),
        set: |c, v| {
            let bytes = number(v, 0, MAX_FRAME_BYTES as i64)?;
            c.max_message_bytes = i32::try_from(bytes).map_err(|e| e.to_string())?;
            Ok(())
        },
    },
    Setting {
        name: "message.timestamp.type",
        broker_name: "log.message.timestamp.type",
        kind: SettingKind::Text,
        documentation: "Timestamps are those of the producer.",
        value: |_| "CreateTime".into(),
        set: |_, v| only(v, "CreateTime"),
    },
    Setting {
        name: "min.insync.replicas",
        broker_name: "min.insync.replicas",
        kind: SettingKind::Int,
        documentation: "Always 1: there is one node.",
        value: |_| "1".into(),
        set: |_, v| only(v, "1"),
    },
    Setting {
        name: "retention.bytes",
        broker_name: "log.retention.bytes",
        kind: SettingKind::Long,
        documentation: "Size of a partition above which its oldest segments are deleted, -1 for never.",
        value: |c| c.retention_bytes.to_string(),
        set: |c, v| number(v, -1, i64::MAX).map(|n| c.retention_bytes = n),
    },
    Setting {
        name: "retention.ms",
        broker_name: "log.retention.ms",
        kind: SettingKind::Long,
        documentation: "Age after which segments are deleted, -1 for never.",
        value: |c| c.retention_ms.to_string(),
        set: |c, v| number(v, -1, i64::MAX).map(|n| c.retention_ms = n),
    },
    Setting {
        name: "segment.bytes",
        broker_name: "log.segment.bytes",
        kind: SettingKind::Int,
        documentation: "Size at which a segment file is completed.",
        value: |c| c.segment_bytes.to_string(),
        set: |c, v| number(v, MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES).map(|n| c.segment_bytes = n),
    },
];

/// Accepts one value only.
fn only(value: &str, supported: &str) -> Result<(), String> {
    if value == supported { Ok(()) } else { Err(format!("only {supported:?} is supported")) }
}

/// Parses an integer within bounds.
fn number(value: &str, min: i64, max: i64) -> Result<i64, String> {
    let n = value.trim().parse::<i64>().map_err(|_| "the value is not a number".to_owned())?;
    if (min..=max).contains(&n) { Ok(n) } else { Err(format!("the value must be between {min} and {max}")) }
}

/// Why a setting is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingError {
    /// Kafka or this broker has no such setting.
    #[error("topic setting {0:?} is not supported by this broker")]
    Unknown(String),
    /// The value is not allowed.
    #[error("invalid value {value:?} for {name}: {reason}")]
    Value {
        /// Name of the setting.
        name: String,
        /// The refused value.
        value: String,
        /// What is allowed.
        reason: String,
    },
    /// APPEND and SUBTRACT work on lists, none of which can be changed here.
    #[error("the list of {0} cannot be changed item by item")]
    ListOperation(String),
}

/// One change of IncrementalAlterConfigs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfigChange {
    /// Set to a value.
    Set(String),
    /// Back to the default.
    Delete,
    /// Append to or subtract from a list.
    List,
}

/// The configuration in effect for `overrides` on top of `defaults`.
pub(crate) fn effective(defaults: &TopicConfig, overrides: &Overrides) -> Result<TopicConfig, SettingError> {
    let mut config = *defaults;
    for (name, value) in overrides {
        let setting = TOPIC_SETTINGS.iter().find(|s| s.name == name);
        let setting = setting.ok_or_else(|| SettingError::Unknown(name.clone()))?;
        (setting.set)(&mut config, value).map_err(|reason| SettingError::Value {
            name: name.clone(),
            value: value.clone(),
            reason,
        })?;
    }
    Ok(config)
}

/// `overrides` after `changes`; does not check values.
pub(crate) fn changed(
    overrides: &Overrides,
    changes: impl IntoIterator<Item = (String, ConfigChange)>,
) -> Result<Overrides, SettingError> {
    let mut result = overrides.clone();
    for (name, change) in changes {
        match change {
            ConfigChange::Set(value) => {
                result.insert(name, value);
            }
            ConfigChange::Delete => {
                if !TOPIC_SETTINGS.iter().any(|s| s.name == name) {
                    return Err(SettingError::Unknown(name));
                }
                result.remove(&name);
            }
            ConfigChange::List => return Err(SettingError::ListOperation(name)),
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overrides(pairs: &[(&str, &str)]) -> Overrides {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn overrides_take_effect_over_the_defaults() {
        let set =
            overrides(&[("max.message.bytes", "1000"), ("retention.ms", "5"), ("cleanup.policy", "delete")]);
        let config = effective(&TopicConfig::default(), &set).unwrap();
        assert_eq!((config.max_message_bytes, config.retention_ms), (1000, 5));
        assert_eq!(config.segment_bytes, TopicConfig::default().segment_bytes);
    }

    #[test]
    fn unsupported_settings_and_values_are_refused_by_name() {
        for (name, value) in [("cleanup.policy", "compact"), ("retention.ms", "x"), ("segment.bytes", "1")] {
            let refused = effective(&TopicConfig::default(), &overrides(&[(name, value)])).unwrap_err();
            assert!(refused.to_string().contains(name), "{refused}");
        }
        let unknown = effective(&TopicConfig::default(), &overrides(&[("no.such", "1")])).unwrap_err();
        assert_eq!(unknown, SettingError::Unknown("no.such".into()));
    }

    #[test]
    fn incremental_changes_set_and_reset() {
        let before = overrides(&[("retention.ms", "5")]);
        let changes = [
            ("retention.ms".to_owned(), ConfigChange::Delete),
            ("retention.bytes".to_owned(), ConfigChange::Set("7".into())),
        ];
        assert_eq!(changed(&before, changes).unwrap(), overrides(&[("retention.bytes", "7")]));
    }
}
