//! The temporary store in which messages and upstream rows are put in order of their keys.

use std::collections::HashMap;
use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, Readable, Snapshot};
use tempfile::TempDir;
use tidb_codec::memcomparable::{decode_bytes, encode_bytes};

use crate::error::VerifyError;
use crate::history::Observation;
use crate::message::{Fields, RowMessage};

/// Memory for blocks of the store, bytes.
const CACHE_BYTES: u64 = 32 << 20;
/// Memory for entries of one kind that are not written yet, bytes.
const MEMTABLE_BYTES: u64 = 16 << 20;
/// Bytes of journals.
const JOURNAL_BYTES: u64 = 128 << 20;
/// Bytes of partition and offset behind a row's key.
const PLACE_BYTES: usize = 4 + 8;
/// Bytes of commit ts, flags and types in front of a message's values.
const HEAD_BYTES: usize = 8 + 1 + 4;
/// Flag: the row is there afterwards.
const PRESENT: u8 = 1;
/// Flag: the message need not hold all columns.
const PARTIAL: u8 = 2;
/// Flag: a watermark before the message had passed it.
const BEHIND: u8 = 4;

/// A message about a row, as it is kept.
pub(crate) struct Entry {
    /// Where and when.
    pub(crate) seen: Observation,
    /// True if the message need not hold all columns.
    pub(crate) partial: bool,
    /// Number of its types, see [`Types`].
    pub(crate) types: u32,
    /// Values; empty of a DELETE.
    pub(crate) data: Vec<u8>,
}

/// A row of the upstream, as it is kept.
pub(crate) struct UpstreamRow {
    /// Key in TiKV.
    pub(crate) key: Vec<u8>,
    /// Values.
    pub(crate) data: Fields,
}

/// The column types that messages had: one set for each version of a table.
#[derive(Debug, Default)]
pub(crate) struct Types {
    /// By number.
    sets: Vec<Fields>,
    /// Numbers.
    numbers: HashMap<Vec<(String, Option<String>)>, u32>,
}

impl Types {
    /// The number of a set.
    pub(crate) fn number(&mut self, types: &Fields) -> u32 {
        if let Some(number) = self.numbers.get(&types.0) {
            return *number;
        }
        let number = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.sets.push(types.clone());
        self.numbers.insert(types.0.clone(), number);
        number
    }

    /// The set with a number.
    pub(crate) fn get(&self, number: u32) -> Option<&Fields> {
        self.sets.get(usize::try_from(number).ok()?)
    }
}

/// The temporary store; its files are removed when it is dropped.
pub(crate) struct Ledger {
    /// The database.
    db: Database,
    /// Messages by table, row, partition and offset.
    messages: Keyspace,
    /// Rows of the upstream by table and row.
    rows: Keyspace,
    /// The folder.
    _folder: TempDir,
}

/// The key of a row within its table: its key columns' texts, in an order that is the same for both sides.
pub(crate) fn row_key<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Vec<u8> {
    let mut key = Vec::new();
    for value in values {
        key.push(u8::from(value.is_some()));
        encode_bytes(value.unwrap_or_default().as_bytes(), &mut key);
    }
    key
}

/// What keys of a table begin with. Names are compared in lower case, as TiDB does.
fn table_prefix(database: &str, table: &str) -> Vec<u8> {
    let mut prefix = Vec::new();
    encode_bytes(database.to_lowercase().as_bytes(), &mut prefix);
    encode_bytes(table.to_lowercase().as_bytes(), &mut prefix);
    prefix
}

impl Ledger {
    /// An empty store in a folder of its own.
    pub(crate) fn create(folder: Option<&Path>) -> Result<Self, VerifyError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("tidegate-verify-");
        let folder = match folder {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        };
        let folder = folder.map_err(VerifyError::Folder)?;
        let db = Database::builder(folder.path())
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .manual_journal_persist(true)
            .open()?;
        let keyspace = |name: &str| {
            db.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES))
        };
        let (messages, rows) = (keyspace("messages")?, keyspace("rows")?);
        Ok(Self { db, messages, rows, _folder: folder })
    }

    /// Keeps a message about the row with this key.
    pub(crate) fn put_message(
        &self,
        message: &RowMessage,
        key: &[u8],
        seen: Observation,
        types: u32,
    ) -> Result<(), VerifyError> {
        let mut place = table_prefix(&message.database, &message.table);
        encode_bytes(key, &mut place);
        place.extend_from_slice(&seen.partition.to_be_bytes());
        place.extend_from_slice(&seen.offset.to_be_bytes());
        let mut value = seen.commit_ts.to_be_bytes().to_vec();
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        value.push(
            flag(seen.present, PRESENT)
                | flag(message.partial, PARTIAL)
                | flag(seen.behind_watermark, BEHIND),
        );
        value.extend_from_slice(&types.to_be_bytes());
        if seen.present {
            value.extend_from_slice(&write_fields(&message.data)?);
        }
        Ok(self.messages.insert(place, value)?)
    }

    /// Keeps a row of the upstream.
    pub(crate) fn put_row(&self, row: &RowMessage, key: &[u8], raw_key: &[u8]) -> Result<(), VerifyError> {
        let mut place = table_prefix(&row.database, &row.table);
        encode_bytes(key, &mut place);
        let mut value = Vec::new();
        encode_bytes(raw_key, &mut value);
        value.extend_from_slice(&write_fields(&row.data)?);
        Ok(self.rows.insert(place, value)?)
    }

    /// A view of everything that was kept.
    pub(crate) fn view(&self) -> Snapshot {
        self.db.snapshot()
    }

    /// Messages about rows of a table, by row, partition and offset.
    pub(crate) fn messages(
        &self,
        view: &Snapshot,
        database: &str,
        table: &str,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Entry), VerifyError>> + use<> {
        let prefix = table_prefix(database, table);
        let skip = prefix.len();
        view.prefix(&self.messages, prefix).map(move |guard| {
            let (key, value) = guard.into_inner()?;
            read_message(key.get(skip..).unwrap_or_default(), &value)
        })
    }

    /// Rows of a table of the upstream, by row.
    pub(crate) fn rows(
        &self,
        view: &Snapshot,
        database: &str,
        table: &str,
    ) -> impl Iterator<Item = Result<(Vec<u8>, UpstreamRow), VerifyError>> + use<> {
        let prefix = table_prefix(database, table);
        let skip = prefix.len();
        view.prefix(&self.rows, prefix).map(move |guard| {
            let (key, value) = guard.into_inner()?;
            let damaged = |_| VerifyError::Damaged("a row");
            let (row, _) = decode_bytes(key.get(skip..).unwrap_or_default()).map_err(damaged)?;
            let (key, data) = decode_bytes(&value).map_err(damaged)?;
            Ok((row, UpstreamRow { key, data: read_fields(data)? }))
        })
    }
}

/// Reads a message from its key behind the table, and its value.
fn read_message(key: &[u8], value: &[u8]) -> Result<(Vec<u8>, Entry), VerifyError> {
    let damaged = || VerifyError::Damaged("a message");
    let (row, place) = decode_bytes(key).map_err(|_| damaged())?;
    let place: &[u8; PLACE_BYTES] = place.try_into().map_err(|_| damaged())?;
    let (head, data) = value.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
    let head: &[u8; HEAD_BYTES] = head.try_into().map_err(|_| damaged())?;
    let [p0, p1, p2, p3, o0, o1, o2, o3, o4, o5, o6, o7] = *place;
    let [c0, c1, c2, c3, c4, c5, c6, c7, flags, t0, t1, t2, t3] = *head;
    let seen = Observation {
        partition: i32::from_be_bytes([p0, p1, p2, p3]),
        offset: i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]),
        commit_ts: u64::from_be_bytes([c0, c1, c2, c3, c4, c5, c6, c7]),
        present: flags & PRESENT != 0,
        behind_watermark: flags & BEHIND != 0,
    };
    let types = u32::from_be_bytes([t0, t1, t2, t3]);
    Ok((row, Entry { seen, partial: flags & PARTIAL != 0, types, data: data.to_vec() }))
}

/// Values as they are kept.
fn write_fields(fields: &Fields) -> Result<Vec<u8>, VerifyError> {
    serde_json::to_vec(&fields.0).map_err(|_| VerifyError::Damaged("values"))
}

/// Reads values.
pub(crate) fn read_fields(bytes: &[u8]) -> Result<Fields, VerifyError> {
    serde_json::from_slice(bytes).map(Fields).map_err(|_| VerifyError::Damaged("values"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_by_row_and_offset_whatever_order_they_were_kept_in() {
        let ledger = Ledger::create(None).expect("a store");
        let message = |value: &str| RowMessage {
            database: "D".to_owned(),
            table: "T".to_owned(),
            primary_key: vec!["id".to_owned()],
            present: true,
            partial: false,
            stored_at: None,
            commit_ts: 7,
            types: Fields::default(),
            data: Fields(vec![("v".to_owned(), Some(value.to_owned()))]),
        };
        for (key, offset) in [("b", 3), ("a", 9), ("a", 1)] {
            let seen = Observation {
                partition: 2,
                offset,
                commit_ts: 7,
                present: true,
                behind_watermark: offset == 9,
            };
            ledger.put_message(&message(key), &row_key([Some(key)]), seen, 5).expect("kept");
        }
        let view = ledger.view();
        let all: Vec<_> = ledger.messages(&view, "d", "t").map(|entry| entry.expect("an entry")).collect();
        let offsets: Vec<_> = all.iter().map(|(_, entry)| entry.seen.offset).collect();
        assert_eq!(offsets, [1, 9, 3]);
        assert_eq!(all[0].0, row_key([Some("a")]));
        assert_eq!((all[1].1.types, all[1].1.seen.behind_watermark), (5, true));
        assert_eq!(read_fields(&all[2].1.data).expect("values"), message("b").data);
        assert_eq!(ledger.messages(&view, "d", "other").count(), 0);
    }

    #[test]
    fn keys_of_null_and_empty_text_differ() {
        assert_ne!(row_key([None]), row_key([Some("")]));
        assert_ne!(row_key([Some("a"), Some("b")]), row_key([Some("ab"), Some("")]));
    }
}
