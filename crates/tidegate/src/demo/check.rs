//! Whether what arrived is what was written.

use std::collections::{BTreeMap, HashMap};

use super::listener::Received;
use super::script::{COLUMNS, KEY, Step};
use super::sql_client::SqlRow;
use crate::consume::event::{Event, Operation};
use crate::consume::{Style, lines};

/// Compares what arrived, in order of arrival, with the script. The reason if it differs.
pub(super) fn check(steps: &[Step], received: &[Received]) -> Result<(), String> {
    commits_do_not_go_back(received)?;
    // Between partitions only the commit timestamps tell the order.
    let mut sorted: Vec<_> = received.iter().collect();
    sorted.sort_by_key(|change| change.commit_ts);
    let mut rest = sorted.into_iter();
    let mut last_ts = 0;
    for step in steps {
        let mut step_ts = None;
        for expected in &step.events {
            let Some(change) = rest.next() else {
                return Err(format!("an event is missing: {expected:?}, of {:?}", step.statements));
            };
            if !expected.is(&change.event) {
                return Err(format!(
                    "expected {expected:?}, of {:?}\nreceived {:?}",
                    step.statements, change.event
                ));
            }
            if *step_ts.get_or_insert(change.commit_ts) != change.commit_ts {
                return Err(format!("the events of {:?} have different commit timestamps", step.statements));
            }
        }
        if step_ts.is_some_and(|ts| ts <= last_ts) {
            return Err(format!("{:?} has the commit timestamp of an earlier statement", step.statements));
        }
        last_ts = step_ts.unwrap_or(last_ts);
    }
    match rest.next() {
        None => Ok(()),
        Some(extra) => Err(format!(
            "an event that nothing was done for: {}",
            lines(&extra.event, Style::Plain).join("; ")
        )),
    }
}

/// On each partition commit timestamps rise.
fn commits_do_not_go_back(received: &[Received]) -> Result<(), String> {
    let mut last: HashMap<i32, u64> = HashMap::new();
    for change in received {
        let before = last.insert(change.partition, change.commit_ts).unwrap_or_default();
        if change.commit_ts < before {
            let (partition, ts) = (change.partition, change.commit_ts);
            return Err(format!("partition {partition}: a change of {ts} after one of {before}"));
        }
    }
    Ok(())
}

/// Compares the table that the events make with the rows of the table, sorted by key. The reason if they differ.
pub(super) fn rebuild(received: &[Received], rows: &[SqlRow]) -> Result<(), String> {
    let mut table: BTreeMap<u64, SqlRow> = BTreeMap::new();
    for change in received {
        let Event::Row(event) = &change.event else { continue };
        for images in &event.rows {
            let key = images.data.get(KEY).flatten().and_then(|key| key.parse().ok());
            let key = key.ok_or_else(|| format!("a row without a key: {images:?}"))?;
            match event.operation {
                Operation::Delete => table.remove(&key),
                // Columns that were added later are NULL in older rows.
                Operation::Insert | Operation::Update => table.insert(
                    key,
                    COLUMNS.iter().map(|name| images.data.get(name).flatten().map(str::to_owned)).collect(),
                ),
            };
        }
    }
    let rebuilt: Vec<_> = table.into_values().collect();
    if rebuilt == rows {
        Ok(())
    } else {
        Err(format!("the events make {rebuilt:?}, the table holds {rows:?}"))
    }
}

/// Median and largest latency, milliseconds.
pub(super) fn latencies(received: &[Received]) -> Option<(i64, i64)> {
    let mut all: Vec<_> = received.iter().map(|change| change.latency_ms).collect();
    all.sort_unstable();
    Some((*all.get(all.len() / 2)?, *all.last()?))
}

#[cfg(test)]
mod tests {
    use super::super::script::Expected;
    use super::*;
    use crate::consume::event::Event;

    /// Steps that create databases.
    fn steps(sql: &[&'static str]) -> Vec<Step> {
        sql.iter()
            .map(|sql| Step {
                statements: &["CREATE"],
                events: vec![Expected::Ddl { kind: "QUERY", table: "", sql }],
            })
            .collect()
    }

    /// The event of such a step.
    fn received(sql: &str, commit_ts: u64, partition: i32) -> Received {
        let text = format!(
            r#"{{"database":"tidegate_demo","table":"","isDdl":true,"type":"QUERY","es":1,"sql":"{sql}"}}"#
        );
        Received {
            event: Event::parse(text.as_bytes()).unwrap(),
            commit_ts,
            partition,
            latency_ms: i64::from(partition),
        }
    }

    #[test]
    fn order_counts_by_commit_over_partitions_and_by_arrival_within_one() {
        let steps = steps(&["a", "b"]);
        assert_eq!(check(&steps, &[received("b", 2, 1), received("a", 1, 0)]), Ok(()));
        let error = check(&steps, &[received("b", 2, 0), received("a", 1, 0)]).unwrap_err();
        assert!(error.contains("a change of 1 after one of 2"), "{error}");
    }

    #[test]
    fn missing_extra_and_repeated_events_are_told() {
        let steps = steps(&["a", "b"]);
        let error = |received: Vec<Received>| check(&steps, &received).unwrap_err();
        assert!(error(vec![received("a", 1, 0)]).starts_with("an event is missing"));
        assert!(
            error(vec![received("a", 1, 0), received("a", 1, 0), received("b", 2, 0)])
                .starts_with("expected")
        );
        assert!(
            error(vec![received("a", 1, 0), received("b", 2, 0), received("c", 3, 0)])
                .starts_with("an event that")
        );
        assert!(error(vec![received("a", 1, 0), received("b", 1, 0)]).contains("commit timestamp"));
    }

    #[test]
    fn the_table_is_rebuilt_from_its_changes() {
        let change = |operation: &str, row: &str| {
            let text = format!(r#"{{"type":"{operation}","es":1,"data":[{row}]}}"#);
            Received {
                event: Event::parse(text.as_bytes()).unwrap(),
                commit_ts: 1,
                partition: 0,
                latency_ms: 0,
            }
        };
        let changes = [
            change("INSERT", r#"{"id":"10","customer":"a"}"#),
            change("INSERT", r#"{"id":"9","customer":"b"}"#),
            change("UPDATE", r#"{"id":"10","customer":"c"}"#),
            change("DELETE", r#"{"id":"9","customer":"b"}"#),
        ];
        let row = vec![Some("10".to_owned()), Some("c".to_owned()), None, None, None];
        assert_eq!(rebuild(&changes, &[row]), Ok(()));
        assert!(rebuild(&changes, &[]).is_err());
    }

    #[test]
    fn latencies_are_summed_up() {
        assert_eq!(latencies(&[received("a", 1, 9), received("a", 1, 1), received("a", 1, 5)]), Some((5, 9)));
        assert_eq!(latencies(&[]), None);
    }
}
