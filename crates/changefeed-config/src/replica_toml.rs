//! A configuration as the TOML of a file.

use serde_json::{Map, Value};

use crate::error::ConfigError;
use crate::replica::ReplicaConfig;

impl ReplicaConfig {
    /// The configuration in the spelling of its file, as JSON: what [`toml_text`] takes.
    pub fn file_form(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

/// Whether a value becomes a table of its own.
fn is_table(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(Value::is_object),
        _ => false,
    }
}

/// The value without what TOML has no word for (null), plain values before tables, which TOML wants in this order.
fn in_order(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| !value.is_null());
            let (tables, plain): (Vec<_>, Vec<_>) = kept.partition(|(_, value)| is_table(value));
            let ordered: Map<_, _> =
                plain.into_iter().chain(tables).map(|(key, value)| (key, in_order(value))).collect();
            Value::Object(ordered)
        }
        Value::Array(items) => items.into_iter().map(in_order).collect(),
        other => other,
    }
}

/// A configuration in the spelling of its file as TOML.
///
/// # Errors
/// Numbers that TOML cannot hold.
pub fn toml_text(config: Value) -> Result<String, ConfigError> {
    toml::to_string_pretty(&in_order(config))
        .map_err(|e| ConfigError::new("CDC:ErrEncodeFailed", format!("encode failed: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_comes_back_from_its_toml() {
        let text = "memory-quota = 1048576\ncase-sensitive = true\nchangefeed-error-stuck-duration = '40m'\n\
            [filter]\nrules = ['app.*', '!app.tmp_*']\nignore-txn-start-ts = [1, 2]\n\
            [[filter.event-filters]]\nmatcher = ['app.orders']\nignore-event = ['delete']\n\
            ignore-insert-value-expr = 'qty > 100'\n\
            [sink]\nprotocol = 'canal-json'\n\
            dispatchers = [{matcher = ['app.*'], topic = '{schema}_{table}', partition = 'index-value'}]\n\
            [sink.kafka-config]\npartition-num = 3\n[sink.kafka-config.codec-config]\nenable-tidb-extension = true\n";
        for text in ["", text] {
            let config = ReplicaConfig::from_toml(text, "given").expect("valid");
            let written = toml_text(config.file_form()).expect("TOML");
            let again = ReplicaConfig::from_toml(&written, "written")
                .unwrap_or_else(|error| panic!("{error}:\n{written}"));
            assert_eq!(again, config, "{written}");
        }
    }
}
