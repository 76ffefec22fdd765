//! What a verification found.

use std::fmt;

use tidb_codec::memcomparable::decode_bytes;

/// In what way topic and upstream differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The upstream has a row that the topic lacks.
    Missing,
    /// The topic has a row that the upstream lacks.
    Extra,
    /// The row has other values.
    Different {
        /// In these columns.
        columns: Vec<String>,
    },
    /// A change came behind a later change of its row.
    Misordered,
    /// A change came behind a watermark that had promised it.
    Late,
    /// A watermark is below one before it.
    WatermarkRegressed,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In what way.
    pub kind: DifferenceKind,
    /// `database.table`; empty if it is not about a table.
    pub table: String,
    /// Texts of the row's key columns; `None` is NULL.
    pub key: Vec<Option<String>>,
    /// Partition and offset of the message, if there is one.
    pub place: Option<(i32, i64)>,
}

impl Difference {
    /// A difference about the row with this key of the ledger.
    pub(crate) fn new(kind: DifferenceKind, table: String, key: &[u8], place: Option<(i32, i64)>) -> Self {
        let mut values = Vec::new();
        let mut rest = key;
        while let Some((flag, encoded)) = rest.split_first() {
            let Ok((value, after)) = decode_bytes(encoded) else { break };
            values.push((*flag == 1).then(|| String::from_utf8_lossy(&value).into_owned()));
            rest = after;
        }
        Self { kind, table, key: values, place }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match &self.kind {
            DifferenceKind::Missing => "missing",
            DifferenceKind::Extra => "extra",
            DifferenceKind::Different { .. } => "different",
            DifferenceKind::Misordered => "misordered",
            DifferenceKind::Late => "behind its watermark",
            DifferenceKind::WatermarkRegressed => "watermark went back",
        };
        write!(f, "{word}")?;
        if !self.table.is_empty() {
            let key: Vec<_> = self.key.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
            write!(f, ": {} key ({})", self.table, key.join(", "))?;
        }
        if let DifferenceKind::Different { columns } = &self.kind {
            write!(f, ", columns {}", columns.join(", "))?;
        }
        if let Some((partition, offset)) = self.place {
            write!(f, " at partition {partition}, offset {offset}")?;
        }
        Ok(())
    }
}

/// What was found of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableReport {
    /// `database.table`.
    pub name: String,
    /// Why it was not compared, if so.
    pub skipped: Option<String>,
    /// Rows that are equal.
    pub equal: u64,
    /// Of these, rows whose message held only the key.
    pub key_only: u64,
    /// Rows that have not changed since the changefeed's start, and are not in the topic.
    pub unchanged: u64,
    /// Rows that the topic lacks.
    pub missing: u64,
    /// Rows that the upstream lacks.
    pub extra: u64,
    /// Rows with other values.
    pub different: u64,
    /// Changes behind later ones.
    pub misordered: u64,
    /// Changes behind their watermark.
    pub late: u64,
    /// Messages that repeat an earlier one: allowed.
    pub repeated: u64,
}

impl TableReport {
    /// True if nothing is wrong with the table, as far as it was compared.
    pub fn is_equal(&self) -> bool {
        self.skipped.is_none()
            && self.missing + self.extra + self.different + self.misordered + self.late == 0
    }
}

impl fmt::Display for TableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.skipped {
            return write!(f, "{}: not compared: {reason}", self.name);
        }
        write!(f, "{}: {} equal", self.name, self.equal)?;
        let counts = [
            (self.key_only, "of them by key only"),
            (self.unchanged, "unchanged since the start"),
            (self.missing, "missing"),
            (self.extra, "extra"),
            (self.different, "different"),
            (self.misordered, "misordered"),
            (self.late, "behind their watermark"),
            (self.repeated, "messages repeated"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, ", {count} {what}")?;
        }
        Ok(())
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The ts of the comparison.
    pub watermark: u64,
    /// Messages about rows that were read.
    pub row_messages: u64,
    /// Tables, by id.
    pub tables: Vec<TableReport>,
    /// Watermarks that are below one before them.
    pub regressed_watermarks: u64,
    /// Differences one by one, the first ones.
    pub differences: Vec<Difference>,
}

impl Report {
    /// True if topic and upstream say the same: at least one table was compared, every table is equal.
    pub fn is_equal(&self) -> bool {
        !self.tables.is_empty()
            && self.regressed_watermarks == 0
            && self.tables.iter().all(TableReport::is_equal)
    }
}
