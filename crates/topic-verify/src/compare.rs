//! The walk over both sides.

use std::iter::Peekable;

use tidb_schema::TableVersion;

use crate::error::VerifyError;
use crate::history::{History, Observation};
use crate::ledger::{Entry, Ledger, UpstreamRow, read_fields};
use crate::lineage::{Lineage, lineage};
use crate::message::Fields;
use crate::report::{Difference, DifferenceKind, Report, TableReport};
use crate::topic::Contents;
use crate::upstream::Upstream;

/// Rows that the topic lacks and that are looked up together.
const MISSING_BATCH: usize = 512;

/// Entries of one name of a table, by row.
type Entries = Peekable<Box<dyn Iterator<Item = Result<(Vec<u8>, Entry), VerifyError>>>>;

/// Compares tables one after the other.
pub(crate) struct Comparison {
    /// What the topic holds beside rows.
    contents: Contents,
    /// What was found.
    report: Report,
    /// Differences that may still be described.
    left: usize,
}

/// What the topic says of a row.
struct TopicRow {
    /// All messages together.
    history: History,
    /// The one that decides.
    entry: Option<Entry>,
}

impl Comparison {
    /// Nothing compared yet.
    pub(crate) fn new(watermark: u64, contents: Contents, shown: usize) -> Self {
        let mut comparison = Self {
            report: Report { watermark, row_messages: contents.row_messages, ..Report::default() },
            contents,
            left: shown,
        };
        for (partition, offset) in std::mem::take(&mut comparison.contents.regressed) {
            comparison.report.regressed_watermarks += 1;
            comparison.show(
                DifferenceKind::WatermarkRegressed,
                String::new(),
                &[],
                Some((partition, offset)),
            );
        }
        comparison
    }

    /// Under which names the table is in the topic.
    pub(crate) fn lineage(&self, table: &TableVersion) -> Lineage {
        let mut found =
            lineage(&self.contents.ddls, table.schema_name(), table.table_name(), self.report.watermark);
        if table.handle_key.is_empty() {
            found.undecidable = Some("it has no key by which rows can be told apart".to_owned());
        }
        found
    }

    /// Leaves a table out.
    pub(crate) fn skip(&mut self, table: &TableVersion, reason: &str) {
        let skipped = Some(reason.to_owned());
        self.report.tables.push(TableReport { name: name(table), skipped, ..TableReport::default() });
    }

    /// Compares a table. Blocks.
    pub(crate) fn walk(
        &mut self,
        table: &TableVersion,
        types: &Fields,
        lineage: &Lineage,
        ledger: &Ledger,
        upstream: &Upstream,
    ) -> Result<(), VerifyError> {
        let view = ledger.view();
        // Oldest name first: its messages were sent first.
        let mut names: Vec<(Entries, u64, u64)> = Vec::new();
        for segment in lineage.segments.iter().rev() {
            let entries: Box<dyn Iterator<Item = _>> =
                Box::new(ledger.messages(&view, &segment.database, &segment.table));
            names.push((entries.peekable(), segment.after, segment.until));
        }
        let mut rows = ledger.rows(&view, table.schema_name(), table.table_name()).peekable();
        let mut found = TableReport { name: name(table), ..TableReport::default() };
        let mut missing: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        while let Some(key) = smallest(&mut names, &mut rows)? {
            let row = match rows.next_if(|row| row.as_ref().is_ok_and(|(row, _)| *row == key)) {
                Some(row) => Some(row?.1),
                None => None,
            };
            let said = gather(&mut names, &key)?;
            self.judge(&mut found, &key, said, row, types, &mut missing)?;
            if missing.len() >= MISSING_BATCH {
                self.judge_missing(&mut found, &mut missing, upstream)?;
            }
        }
        self.judge_missing(&mut found, &mut missing, upstream)?;
        self.report.tables.push(found);
        Ok(())
    }

    /// Compares a row.
    fn judge(
        &mut self,
        found: &mut TableReport,
        key: &[u8],
        said: TopicRow,
        row: Option<UpstreamRow>,
        types: &Fields,
        missing: &mut Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<(), VerifyError> {
        found.repeated += said.history.repeated;
        let place = |seen: &Observation| Some((seen.partition, seen.offset));
        for seen in &said.history.misordered {
            found.misordered += 1;
            self.show(DifferenceKind::Misordered, found.name.clone(), key, place(seen));
        }
        for seen in &said.history.late {
            found.late += 1;
            self.show(DifferenceKind::Late, found.name.clone(), key, place(seen));
        }
        let present = said.entry.filter(|entry| entry.seen.present);
        match (present, row) {
            (None, None) => {}
            (None, Some(row)) => missing.push((key.to_vec(), row.key)),
            (Some(entry), None) => {
                found.extra += 1;
                self.show(DifferenceKind::Extra, found.name.clone(), key, place(&entry.seen));
            }
            (Some(entry), Some(row)) => {
                let old = self.contents.types.get(entry.types).cloned().unwrap_or_default();
                let columns = differing(&read_fields(&entry.data)?, &row.data, &old, types);
                if columns.is_empty() {
                    found.equal += 1;
                    found.key_only += u64::from(entry.partial);
                } else {
                    found.different += 1;
                    let kind = DifferenceKind::Different { columns };
                    self.show(kind, found.name.clone(), key, place(&entry.seen));
                }
            }
        }
        Ok(())
    }

    /// Judges rows that the topic lacks: those that have not changed since the start of the changefeed may.
    fn judge_missing(
        &mut self,
        found: &mut TableReport,
        missing: &mut Vec<(Vec<u8>, Vec<u8>)>,
        upstream: &Upstream,
    ) -> Result<(), VerifyError> {
        let (keys, raw): (Vec<_>, Vec<_>) = missing.drain(..).unzip();
        if raw.is_empty() {
            return Ok(());
        }
        for (key, unchanged) in keys.iter().zip(upstream.unchanged(&raw)?) {
            if unchanged {
                found.unchanged += 1;
            } else {
                found.missing += 1;
                self.show(DifferenceKind::Missing, found.name.clone(), key, None);
            }
        }
        Ok(())
    }

    /// Describes a difference, if there is room.
    fn show(&mut self, kind: DifferenceKind, table: String, key: &[u8], place: Option<(i32, i64)>) {
        if self.left > 0 {
            self.left -= 1;
            self.report.differences.push(Difference::new(kind, table, key, place));
        }
    }

    /// What was found.
    pub(crate) fn finish(self) -> Report {
        self.report
    }
}

/// `database.table`.
fn name(table: &TableVersion) -> String {
    format!("{}.{}", table.schema_name(), table.table_name())
}

/// The smallest key that either side still has.
fn smallest(
    names: &mut [(Entries, u64, u64)],
    rows: &mut Peekable<impl Iterator<Item = Result<(Vec<u8>, UpstreamRow), VerifyError>>>,
) -> Result<Option<Vec<u8>>, VerifyError> {
    let mut least: Option<Vec<u8>> = None;
    let mut offer = |key: &Vec<u8>| {
        if least.as_ref().is_none_or(|least| key < least) {
            least = Some(key.clone());
        }
    };
    for (entries, ..) in names.iter_mut() {
        match entries.peek() {
            Some(Ok((key, _))) => offer(key),
            Some(Err(_)) => return Err(failed(entries.next())),
            None => {}
        }
    }
    match rows.peek() {
        Some(Ok((key, _))) => offer(key),
        Some(Err(_)) => return Err(failed(rows.next())),
        None => {}
    }
    Ok(least)
}

/// The error of an item that is known to be one.
fn failed<T>(item: Option<Result<T, VerifyError>>) -> VerifyError {
    match item {
        Some(Err(error)) => error,
        _ => VerifyError::Damaged("an entry"),
    }
}

/// Takes all messages about a row.
fn gather(names: &mut [(Entries, u64, u64)], key: &[u8]) -> Result<TopicRow, VerifyError> {
    let mut row = TopicRow { history: History::default(), entry: None };
    for (entries, after, until) in names {
        while let Some(next) = entries.next_if(|entry| entry.as_ref().is_ok_and(|(row, _)| row == key)) {
            let (_, entry) = next?;
            let counts = entry.seen.commit_ts > *after && entry.seen.commit_ts <= *until;
            if counts && row.history.take(entry.seen) {
                row.entry = Some(entry);
            }
        }
    }
    Ok(row)
}

/// Columns in which a message differs from the row. A column that was dropped since, or whose type is another now, is
/// not compared: the message is right for its time.
fn differing(message: &Fields, row: &Fields, old_types: &Fields, types: &Fields) -> Vec<String> {
    let differs = |(name, value): &&(String, Option<String>)| {
        let Some(now) = row.get(name) else { return false };
        let same_type = match (old_types.get(name), types.get(name)) {
            (Some(Some(old)), Some(Some(new))) => base_type(old) == base_type(new),
            _ => true,
        };
        same_type && now != value
    };
    message.0.iter().filter(differs).map(|(name, _)| name.clone()).collect()
}

/// A type without length and attributes, but with its sign.
fn base_type(text: &str) -> (&str, bool) {
    let word = text.split(['(', ' ']).next().unwrap_or(text);
    (word, text.contains("unsigned"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, Option<&str>)]) -> Fields {
        Fields(list.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect())
    }

    #[test]
    fn columns_differ_by_value_and_by_null() {
        let types = fields(&[("a", Some("int")), ("b", Some("varchar"))]);
        let message = fields(&[("a", Some("1")), ("b", None)]);
        assert_eq!(differing(&message, &message, &types, &types), Vec::<String>::new());
        let row = fields(&[("a", Some("2")), ("b", Some(""))]);
        assert_eq!(differing(&message, &row, &types, &types), ["a", "b"]);
    }

    #[test]
    fn dropped_and_retyped_columns_are_not_compared() {
        let message = fields(&[("gone", Some("1")), ("n", Some("1")), ("w", Some("1"))]);
        let row = fields(&[("n", Some("1.0")), ("w", Some("2")), ("new", Some("x"))]);
        let old = fields(&[("gone", Some("int")), ("n", Some("int")), ("w", Some("int"))]);
        let new = fields(&[("n", Some("decimal(5,1)")), ("w", Some("int(11)")), ("new", Some("text"))]);
        assert_eq!(differing(&message, &row, &old, &new), ["w"]);
    }
}
