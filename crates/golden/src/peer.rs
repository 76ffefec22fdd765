//! Compares what two captures sent of the same changes: TiCDC of the classic architecture, and ours.

use std::collections::BTreeSet;

use crate::compare::{Comparison, Streams, compare_stream};
use crate::fields::Fields;
use crate::message::{Comparable, Sent};
use crate::{Difference, GoldenError};

/// Compares the messages of two captures that saw the same changes from the same start on.
///
/// Classic TiCDC writes the text of a `RENAME TABLE` in another way than its successor, which is the reference: names as
/// they were typed, without the schema, and no semicolon at the end. Nothing else may differ.
///
/// # Errors
/// If a message is no JSON object.
pub fn compare_captures(classic: &[Sent], ours: &[Sent]) -> Result<Comparison, GoldenError> {
    let (expected, actual) = (streams(classic)?, streams(ours)?);
    let mut comparison = Comparison::default();
    if expected.is_empty() {
        comparison.differences.push(Difference::ours("the topic of the other capture", "is empty"));
    }
    let names: BTreeSet<_> = expected.keys().chain(actual.keys()).collect();
    for stream in names {
        let (partition, schema, table) = stream;
        let left = expected.get(stream).map_or(&[][..], Vec::as_slice);
        let right = actual.get(stream).map_or(&[][..], Vec::as_slice);
        let place = format!("partition {partition} `{schema}`.`{table}`");
        compare_stream(&place, left, right, false, &mut comparison);
    }
    Ok(comparison)
}

/// Messages by stream.
fn streams(sent: &[Sent]) -> Result<Streams, GoldenError> {
    let mut streams = Streams::new();
    for message in sent {
        let value = plain_rename(&message.value)?;
        let Some(comparable) = Comparable::new(message.key.as_deref(), &value)? else { continue };
        let stream = (message.partition, comparable.schema.clone(), comparable.table.clone());
        streams.entry(stream).or_default().push(comparable);
    }
    Ok(streams)
}

/// The message with the text of a rename as classic TiCDC writes it at its shortest; any other as it is.
fn plain_rename(value: &str) -> Result<String, GoldenError> {
    let mut fields = Fields::parse(value)?;
    if fields.string("type") != "RENAME" {
        return Ok(value.to_owned());
    }
    let qualifier = format!("`{}`.", fields.string("database").replace('`', "``"));
    let sql = fields.string("sql").replace(&qualifier, "");
    let sql = serde_json::Value::from(sql.trim_end_matches(';')).to_string();
    for (name, raw) in &mut fields.0 {
        if name == "sql" {
            raw.clone_from(&sql);
        }
    }
    Ok(fields.render(|_| true))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn sent(value: &str) -> Sent {
        Sent { partition: 0, key: None, value: value.to_owned() }
    }

    #[test]
    fn only_the_text_of_a_rename_may_differ() {
        let rename = |sql: &str| {
            sent(&format!(
                r#"{{"database":"d","table":"u","isDdl":true,"type":"RENAME","es":1,"ts":2,"sql":"{sql}"}}"#
            ))
        };
        let create = |sql: &str| {
            sent(&format!(
                r#"{{"database":"d","table":"u","isDdl":true,"type":"CREATE","es":1,"ts":3,"sql":"{sql}"}}"#
            ))
        };
        let compare = |a: Sent, b: Sent| compare_captures(&[a], &[b]).unwrap();
        let same = compare(rename("RENAME TABLE `t` TO `u`"), rename("RENAME TABLE `d`.`t` TO `d`.`u`;"));
        assert_eq!((same.alike, same.differences.len()), (1, 0), "{:?}", same.differences);
        assert_eq!(compare(rename("RENAME TABLE `t` TO `u`"), rename("RENAME TABLE `v` TO `u`")).alike, 0);
        assert_eq!(compare(create("CREATE TABLE `u`"), create("CREATE TABLE `d`.`u`")).alike, 0);
    }

    #[test]
    fn missing_and_additional_messages_are_differences() {
        let row = |id: u8| {
            sent(&format!(
                r#"{{"database":"d","table":"t","isDdl":false,"type":"INSERT","es":1,"ts":{id},"data":[{{"id":"{id}"}}]}}"#
            ))
        };
        let comparison = compare_captures(&[row(1), row(2)], &[row(2), row(3)]).unwrap();
        assert_eq!((comparison.alike, comparison.differences.len()), (1, 2));
        // TiCDC may repeat itself, we have no reason to.
        assert_eq!(compare_captures(&[row(1), row(1)], &[row(1)]).unwrap().differences.len(), 0);
        assert_eq!(compare_captures(&[row(1)], &[row(1), row(1)]).unwrap().differences.len(), 1);
        assert_eq!(compare_captures(&[], &[]).unwrap().differences.len(), 1);
    }
}
