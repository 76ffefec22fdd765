//! What the demo writes, and the events that must come of it.

use crate::consume::event::{Columns, DdlEvent, Event, Operation, RowEvent};

/// Database of the demo.
pub(super) const DATABASE: &str = "tidegate_demo";
/// Table of the demo.
const TABLE: &str = "orders";
/// Its primary key.
pub(super) const KEY: &str = "id";

/// Statements that belong together and the events of them.
pub(super) struct Step {
    /// The statements. A step with more than one is a transaction.
    pub(super) statements: &'static [&'static str],
    /// The events, in the order in which they must come, with one commit timestamp.
    pub(super) events: Vec<Expected>,
}

/// An event that must come.
#[derive(Debug)]
pub(super) enum Expected {
    /// A schema change.
    Ddl {
        /// Kind of statement.
        kind: &'static str,
        /// Table, or empty.
        table: &'static str,
        /// The statement in TiDB's canonical form.
        sql: &'static str,
    },
    /// A row's change.
    Row {
        /// What happened.
        operation: Operation,
        /// The row, without or with the added column.
        data: Vec<Option<&'static str>>,
        /// The row before an update.
        old: Option<Vec<Option<&'static str>>>,
    },
}

/// Columns of the table; the last one is added by the script.
pub(super) const COLUMNS: [&str; 5] = [KEY, "customer", "amount", "state", "note"];

/// An insert of a row.
fn insert(row: &[&'static str]) -> Expected {
    Expected::Row { operation: Operation::Insert, data: texts(row), old: None }
}

/// A delete of a row.
fn delete(row: &[&'static str]) -> Expected {
    Expected::Row { operation: Operation::Delete, data: texts(row), old: None }
}

/// An update of a row.
fn update(old: &[&'static str], row: &[&'static str]) -> Expected {
    Expected::Row { operation: Operation::Update, data: texts(row), old: Some(texts(old)) }
}

/// Values that are not NULL.
fn texts(row: &[&'static str]) -> Vec<Option<&'static str>> {
    row.iter().copied().map(Some).collect()
}

/// Reads the table at the end.
pub(super) const READ_BACK: &str = "SELECT * FROM orders ORDER BY id";

/// The script.
pub(super) fn steps() -> Vec<Step> {
    vec![
        Step {
            statements: &["CREATE DATABASE tidegate_demo"],
            events: vec![Expected::Ddl { kind: "QUERY", table: "", sql: "CREATE DATABASE `tidegate_demo`" }],
        },
        Step { statements: &["USE tidegate_demo"], events: vec![] },
        Step {
            statements: &[
                "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer VARCHAR(64), amount DECIMAL(10,2), state VARCHAR(16))",
            ],
            events: vec![Expected::Ddl {
                kind: "CREATE",
                table: TABLE,
                sql: "CREATE TABLE `orders` (`id` BIGINT PRIMARY KEY,`customer` VARCHAR(64),`amount` DECIMAL(10,2),`state` VARCHAR(16))",
            }],
        },
        Step {
            statements: &["INSERT INTO orders VALUES (1, 'Ada', 12.5, 'new'), (2, 'Grace', 99, 'new')"],
            events: vec![insert(&["1", "Ada", "12.50", "new"]), insert(&["2", "Grace", "99.00", "new"])],
        },
        Step {
            statements: &["UPDATE orders SET state = 'paid' WHERE id = 1"],
            events: vec![update(&["1", "Ada", "12.50", "new"], &["1", "Ada", "12.50", "paid"])],
        },
        Step {
            statements: &["DELETE FROM orders WHERE id = 2"],
            events: vec![delete(&["2", "Grace", "99.00", "new"])],
        },
        transaction(),
        Step {
            statements: &["ALTER TABLE orders ADD COLUMN note VARCHAR(100)"],
            events: vec![Expected::Ddl {
                kind: "ALTER",
                table: TABLE,
                sql: "ALTER TABLE `orders` ADD COLUMN `note` VARCHAR(100)",
            }],
        },
        Step {
            statements: &["INSERT INTO orders VALUES (5, 'Alan', 3, 'new', 'with <b>note</b> & naïve text')"],
            events: vec![insert(&["5", "Alan", "3.00", "new", "with <b>note</b> & naïve text"])],
        },
        Step {
            statements: &["UPDATE orders SET amount = amount * 2 WHERE id = 3"],
            events: vec![Expected::Row {
                operation: Operation::Update,
                data: vec![Some("3"), Some("Edsger"), Some("14.00"), Some("new"), None],
                old: Some(vec![Some("3"), Some("Edsger"), Some("7.00"), Some("new"), None]),
            }],
        },
    ]
}

/// A transaction over several rows: deletes come first, then updates, then inserts.
fn transaction() -> Step {
    Step {
        statements: &[
            "BEGIN",
            "INSERT INTO orders VALUES (3, 'Edsger', 7, 'new')",
            "UPDATE orders SET state = 'shipped' WHERE id = 1",
            "INSERT INTO orders VALUES (2, 'Barbara', 40.4, 'new'), (4, 'Kathleen', 0.01, 'new')",
            "COMMIT",
        ],
        events: vec![
            update(&["1", "Ada", "12.50", "paid"], &["1", "Ada", "12.50", "shipped"]),
            insert(&["2", "Barbara", "40.40", "new"]),
            insert(&["3", "Edsger", "7.00", "new"]),
            insert(&["4", "Kathleen", "0.01", "new"]),
        ],
    }
}

impl Expected {
    /// Whether an event is this one.
    pub(super) fn is(&self, event: &Event) -> bool {
        match (self, event) {
            (
                Self::Ddl { kind, table, sql },
                Event::Ddl(DdlEvent { kind: k, database, table: t, sql: s, .. }),
            ) => k == kind && database == DATABASE && t == table && s == sql,
            (Self::Row { operation, data, old }, Event::Row(row)) => {
                row.operation == *operation && is_of_table(row) && images_are(row, data, old.as_deref())
            }
            _ => false,
        }
    }
}

/// Whether a row is of the demo's table.
fn is_of_table(row: &RowEvent) -> bool {
    row.database == DATABASE && row.table == TABLE && row.keys == [KEY]
}

/// Whether an event has these images and no others.
fn images_are(row: &RowEvent, data: &[Option<&str>], old: Option<&[Option<&str>]>) -> bool {
    let [images] = row.rows.as_slice() else { return false };
    let old_is = match (&images.old, old) {
        (Some(columns), Some(values)) => columns_are(columns, values),
        (None, None) => true,
        _ => false,
    };
    old_is && columns_are(&images.data, data)
}

/// Whether columns have these values, in order.
fn columns_are(columns: &Columns, values: &[Option<&str>]) -> bool {
    columns.0.len() == values.len()
        && columns
            .0
            .iter()
            .zip(COLUMNS)
            .zip(values)
            .all(|(((name, value), expected), wanted)| name == expected && value.as_deref() == *wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_event_is_accepted() {
        let wanted = insert(&["1", "Ada", "12.50", "new"]);
        let event = |data: &str, keys: &str| {
            let text = format!(
                r#"{{"database":"tidegate_demo","table":"orders","pkNames":[{keys}],"type":"INSERT","es":0,"old":null,"data":[{data}]}}"#
            );
            Event::parse(text.as_bytes()).unwrap()
        };
        let row = r#"{"id":"1","customer":"Ada","amount":"12.50","state":"new"}"#;
        assert!(wanted.is(&event(row, "\"id\"")));
        assert!(!wanted.is(&event(row, "")));
        assert!(!wanted.is(&event(&row.replace("12.50", "12.5"), "\"id\"")));
        assert!(!wanted.is(&event(r#"{"id":"1","customer":"Ada","amount":"12.50"}"#, "\"id\"")));
    }

    #[test]
    fn every_kind_of_change_is_in_the_script() {
        let steps = steps();
        let events: Vec<_> = steps.iter().flat_map(|step| &step.events).collect();
        for operation in [Operation::Insert, Operation::Update, Operation::Delete] {
            assert!(
                events
                    .iter()
                    .any(|event| matches!(event, Expected::Row { operation: o, .. } if *o == operation))
            );
        }
        assert!(steps.iter().any(|step| step.statements.contains(&"COMMIT") && step.events.len() > 2));
    }
}
