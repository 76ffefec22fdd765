//! Events as lines for people.

use std::fmt::Write;

use super::event::{Columns, DdlEvent, Event, Operation, RowEvent, RowImages, Watermark};
use super::style::{Role, Style};

/// Characters of a value that are shown.
const SHOWN_CHARS: usize = 200;

/// Lines that describe an event.
pub(crate) fn lines(event: &Event, style: Style) -> Vec<String> {
    match event {
        Event::Row(row) => row.rows.iter().map(|images| row_line(row, images, style)).collect(),
        Event::Ddl(ddl) => vec![ddl_line(ddl, style)],
        Event::Watermark(mark) => vec![watermark_line(*mark, style)],
    }
}

/// A row's change.
fn row_line(event: &RowEvent, images: &RowImages, style: Style) -> String {
    let role = match event.operation {
        Operation::Insert => Role::Added,
        Operation::Update => Role::Changed,
        Operation::Delete => Role::Removed,
    };
    let mut parts = vec![
        style.paint(Role::Faint, &time(event.commit_ms)),
        style.paint(role, event.operation.name()),
        style.paint(Role::Name, &table_name(&event.database, &event.table)),
        style.paint(Role::Key, &key_text(event, images)),
    ];
    let changes = match event.operation {
        Operation::Update => changed_columns(images, style),
        Operation::Insert | Operation::Delete => {
            let others = images.data.0.iter().filter(|(name, _)| !event.keys.contains(name));
            join(others)
        }
    };
    if !changes.is_empty() {
        parts.push(changes);
    }
    parts.join("  ")
}

/// A schema change.
fn ddl_line(event: &DdlEvent, style: Style) -> String {
    [
        style.paint(Role::Faint, &time(event.commit_ms)),
        style.paint(Role::Schema, "DDL   "),
        style.paint(Role::Name, &table_name(&event.database, &event.table)),
        clean(&event.kind),
        clean(&event.sql),
    ]
    .join("  ")
}

/// A watermark.
fn watermark_line(mark: Watermark, style: Style) -> String {
    style.paint(Role::Faint, &format!("{}  MARK    everything up to this time has been sent", time(mark.ms)))
}

/// The columns that identify the row; an update without a primary key shows all columns.
fn key_text(event: &RowEvent, images: &RowImages) -> String {
    if !event.keys.is_empty() {
        let keys = images.data.0.iter().filter(|(name, _)| event.keys.contains(name));
        return format!("[{}]", join(keys));
    }
    match event.operation {
        Operation::Update => format!("[no key: {}]", join(images.data.0.iter())),
        Operation::Insert | Operation::Delete => "[no key]".to_owned(),
    }
}

/// The columns of an update that have another value.
fn changed_columns(images: &RowImages, style: Style) -> String {
    let none = Columns::default();
    let old = images.old.as_ref().unwrap_or(&none);
    let mut text = String::new();
    for (name, before) in &old.0 {
        let after = images.data.get(name);
        if after == Some(before.as_deref()) {
            continue;
        }
        let separator = if text.is_empty() { "" } else { ", " };
        let after = after.map_or_else(|| "(absent)".to_owned(), value_text);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{separator}{}: {} -> {}",
            clean(name),
            style.paint(Role::Removed, &value_text(before.as_deref())),
            style.paint(Role::Added, &after)
        );
    }
    if text.is_empty() { "no column changed".to_owned() } else { text }
}

/// Columns with their values.
fn join<'a>(columns: impl Iterator<Item = &'a (String, Option<String>)>) -> String {
    let texts: Vec<_> =
        columns.map(|(name, value)| format!("{}={}", clean(name), value_text(value.as_deref()))).collect();
    texts.join(", ")
}

/// Name of a table, or of a database if there is no table.
fn table_name(database: &str, table: &str) -> String {
    if table.is_empty() { clean(database) } else { format!("{}.{}", clean(database), clean(table)) }
}

/// A value in quotes, shortened when long, or NULL.
fn value_text(value: Option<&str>) -> String {
    let Some(text) = value else { return "NULL".to_owned() };
    let total = text.chars().count();
    if total <= SHOWN_CHARS {
        return format!("\"{}\"", escape(text, true));
    }
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    format!("\"{}\"... ({total} characters)", escape(&shown, true))
}

/// Text without anything that a terminal would act on.
pub(crate) fn clean(text: &str) -> String {
    escape(text, false)
}

/// Text with control characters (and quotes, if asked for) in JSON's escapes.
fn escape(text: &str, quotes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' if quotes => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A time in UTC, to the millisecond.
fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| "-".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of a message, without colours.
    fn line(value: &str) -> String {
        lines(&Event::parse(value.as_bytes()).unwrap(), Style::Plain).remove(0)
    }

    #[test]
    fn an_update_shows_key_and_changed_columns_only() {
        let text = line(
            r#"{"database":"shop","table":"orders","pkNames":["id"],"type":"UPDATE","es":1750000001000,
            "old":[{"id":"1","state":"new","note":null}],"data":[{"id":"1","state":"paid","note":null}]}"#,
        );
        assert_eq!(
            text,
            "2025-06-15T15:06:41.000Z  UPDATE  shop.orders  [id=\"1\"]  state: \"new\" -> \"paid\""
        );
    }

    #[test]
    fn inserts_and_deletes_show_the_row() {
        let text = line(
            r#"{"database":"d","table":"t","pkNames":["a"],"type":"INSERT","es":0,"data":[{"a":"1","b":null}]}"#,
        );
        assert_eq!(text, "1970-01-01T00:00:00.000Z  INSERT  d.t  [a=\"1\"]  b=NULL");
        let text =
            line(r#"{"database":"d","table":"t","pkNames":[],"type":"DELETE","es":0,"data":[{"a":"1"}]}"#);
        assert_eq!(text, "1970-01-01T00:00:00.000Z  DELETE  d.t  [no key]  a=\"1\"");
    }

    #[test]
    fn text_cannot_command_the_terminal() {
        let text = line(
            r#"{"database":"d\u001b[2J","table":"t","type":"INSERT","es":0,"data":[{"a":"\u009b1m\n\"\u007f"}]}"#,
        );
        assert!(!text.chars().any(char::is_control), "{text}");
        assert!(text.contains("a=\"\\u009b1m\\n\\\"\\u007f\""), "{text}");
    }

    #[test]
    fn long_values_are_cut() {
        assert!(value_text(Some(&"x".repeat(1000))).ends_with("\"... (1000 characters)"));
    }
}
