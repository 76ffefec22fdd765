//! From a recorded stream to messages.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use change_format::{CanalEncoder, DdlMessage, Encoded, RowChange, RowKind, encode_ddl, partition_by_ts};
use golden::{Recording, Sent, Variant};
use tidb_codec::{Datum, datum, key, row};
use tidb_schema::{
    DDL_JOB_META_COLUMN_ID, DDL_JOB_TABLE_ID, DdlEffect, DdlText, Job, SchemaHistory, SchemaSnapshot,
    TableVersion, is_system_schema,
};
use tidb_sql::{RestoreOptions, SqlMode, Statement};
use tikv_proto::cdcpb::event;

use super::matcher::{self, CommitKey, Committed};
use super::settings::Settings;

/// A change with what orders it within its transaction: kind, then key.
type KindedRow = (RowKind, Bytes, CommitKey, Committed);

/// What is sent at one place of the order: commit timestamp, then rows (0) before DDL (1).
type Place = (u64, u8);

/// All messages in order of (commit timestamp, row before DDL); rows of one table in the order of its transactions.
pub(crate) fn messages(recording: &Recording, variant: &Variant) -> Result<Vec<Sent>, String> {
    let settings = &Settings::new(variant);
    let committed = matcher::committed(rows(recording));
    let snapshot = SchemaSnapshot::from_meta(recording.start_ts, recording.meta.iter().map(|(k, v)| (k, v)));
    let mut history = SchemaHistory::new(snapshot.map_err(|error| error.to_string())?);
    let mut places: BTreeMap<Place, Vec<Sent>> = BTreeMap::new();
    for (commit_ts, job) in jobs(&committed)? {
        let effect = history.apply(&job, commit_ts).map_err(|error| error.to_string())?;
        places.entry((commit_ts, 1)).or_default().extend(ddl_messages(&effect, settings));
    }
    let mut encoders =
        Encoders { settings, options: Arc::new(settings.options.clone()), made: HashMap::new() };
    for ((commit_ts, _, table), rows) in transactions(&committed) {
        let version = history.table_for_row(table, commit_ts).map_err(|error| error.to_string())?;
        let Some(version) = version else { continue };
        if version.is_system() || !version.is_eligible(settings.force_replicate) {
            continue;
        }
        let sent = encoders.transaction(&version, &rows)?;
        places.entry((commit_ts, 0)).or_default().extend(sent);
    }
    Ok(places.into_values().flatten().collect())
}

/// Rows in order of arrival.
fn rows(recording: &Recording) -> impl Iterator<Item = &event::Row> {
    let events = recording.frames.iter().flat_map(|frame| &frame.events);
    let entries = events.filter_map(|event| match &event.event {
        Some(event::Event::Entries(entries)) => Some(&entries.entries),
        _ => None,
    });
    entries.flatten()
}

/// Finished jobs in order.
fn jobs(committed: &BTreeMap<CommitKey, Committed>) -> Result<Vec<(u64, Job)>, String> {
    let mut jobs = Vec::new();
    for ((commit_ts, _, key), change) in committed {
        if key::table_id_of(key) != Some(DDL_JOB_TABLE_ID) || change.value.is_empty() {
            continue;
        }
        let json =
            job_json(&change.value).map_err(|error| error.to_string())?.ok_or("a job without its text")?;
        let job = Job::from_json(&json).map_err(|error| error.to_string())?;
        if job.is_done() {
            jobs.push((*commit_ts, job));
        }
    }
    jobs.sort_by_key(|(commit_ts, job)| (*commit_ts, job.schema_version()));
    Ok(jobs)
}

/// Column `job_meta` of a row of the job table, in either row format.
fn job_json(value: &[u8]) -> Result<Option<Vec<u8>>, tidb_codec::CodecError> {
    let row = match row::Row::parse(value)? {
        row::Row::V2(row) => return Ok(row.get(DDL_JOB_META_COLUMN_ID).flatten().map(<[u8]>::to_vec)),
        row::Row::V1(row) => row,
    };
    let Some(flagged) = row.get(DDL_JOB_META_COLUMN_ID).flatten() else { return Ok(None) };
    match datum::decode_one(flagged)? {
        (Datum::Bytes(bytes), _) => Ok(Some(bytes)),
        _ => Ok(None),
    }
}

/// The DDL messages of a job.
fn ddl_messages(effect: &DdlEffect, settings: &Settings) -> Vec<Sent> {
    let is_sent = |event: &&tidb_schema::DdlEvent| {
        let table = event.change.as_ref().and_then(|change| change.latest());
        !is_system_schema(&event.schema)
            && table.is_none_or(|table| table.is_eligible(settings.force_replicate))
    };
    let message = |event: &tidb_schema::DdlEvent| {
        let sql = match &event.text {
            DdlText::Rebuilt(sql) => sql.clone(),
            DdlText::Query => restored(&event.query, event.sql_mode, 0),
            DdlText::Statement(position) => restored(&event.query, event.sql_mode, *position) + ";",
        };
        let value = encode_ddl(&DdlMessage::new(event, &sql), &settings.options, 0);
        let value = String::from_utf8_lossy(&value).into_owned();
        Sent { partition: 0, key: None, value }
    };
    effect.events.iter().filter(is_sent).map(message).collect()
}

/// A statement of a query in TiDB's canonical form; as typed if it can't be read.
fn restored(query: &str, sql_mode: u64, position: usize) -> String {
    let statements = tidb_sql::parse(query, SqlMode::from_bits(sql_mode)).unwrap_or_default();
    let sql = statements.get(position).and_then(|parsed| match &parsed.statement {
        Statement::Ddl(ddl) => tidb_sql::restore(ddl, RestoreOptions::default()).ok(),
        _ => None,
    });
    sql.unwrap_or_else(|| query.to_owned())
}

/// Changes of rows by (commit timestamp, start timestamp, physical table).
fn transactions(committed: &BTreeMap<CommitKey, Committed>) -> BTreeMap<(u64, u64, i64), Vec<KindedRow>> {
    let mut transactions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (id @ (commit_ts, start_ts, key), change) in committed {
        let (Some(table), Ok(_)) = (key::table_id_of(key), key::decode_record_key(key)) else { continue };
        let Some(kind) = row_change(id, change).kind() else { continue };
        let rows = transactions.entry((*commit_ts, *start_ts, table)).or_default();
        rows.push((kind, key.clone(), id.clone(), change.clone()));
    }
    for rows in transactions.values_mut() {
        rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    }
    transactions
}

/// A change as the encoder takes it.
fn row_change<'a>(id: &'a CommitKey, change: &'a Committed) -> RowChange<'a> {
    RowChange {
        commit_ts: id.0,
        start_ts: id.1,
        key: &id.2,
        value: &change.value,
        old_value: &change.old_value,
    }
}

/// Encoders by table version.
struct Encoders<'a> {
    settings: &'a Settings,
    options: Arc<change_format::CanalOptions>,
    made: HashMap<(i64, u64), Arc<CanalEncoder>>,
}

impl Encoders<'_> {
    /// The messages of one transaction of one table: split updates send their second half last.
    fn transaction(&mut self, version: &Arc<TableVersion>, rows: &[KindedRow]) -> Result<Vec<Sent>, String> {
        let encoder = self.encoder(version)?;
        let mut sent = Vec::new();
        let mut inserts = Vec::new();
        let mut scratch = Vec::new();
        for (_, _, id, change) in rows {
            let row = row_change(id, change);
            if encoder.splits(&row, &mut scratch).map_err(|error| describe(&error))? {
                sent.push(self.encode(&encoder, version, &row.delete_half())?);
                inserts.push(self.encode(&encoder, version, &row.insert_half())?);
            } else {
                sent.push(self.encode(&encoder, version, &row)?);
            }
        }
        sent.append(&mut inserts);
        Ok(sent)
    }

    /// The encoder of a table version.
    fn encoder(&mut self, version: &Arc<TableVersion>) -> Result<Arc<CanalEncoder>, String> {
        let id = (version.info.id, version.since);
        if let Some(encoder) = self.made.get(&id) {
            return Ok(Arc::clone(encoder));
        }
        let encoder =
            CanalEncoder::new(version, Arc::clone(&self.options)).map_err(|error| describe(&error))?;
        let encoder = Arc::new(encoder);
        self.made.insert(id, Arc::clone(&encoder));
        Ok(encoder)
    }

    /// One message.
    fn encode(
        &self,
        encoder: &CanalEncoder,
        version: &TableVersion,
        row: &RowChange<'_>,
    ) -> Result<Sent, String> {
        let mut value = Vec::new();
        let encoded = encoder.encode(row, 0, &mut value).map_err(|error| describe(&error))?;
        if encoded != Encoded::Message {
            return Err(format!("unexpected form {encoded:?}"));
        }
        let partitions = self.settings.partitions;
        let partition = match self.settings.dispatcher.as_str() {
            "ts" => partition_by_ts(row.commit_ts, partitions),
            "index-value" => {
                let columns = encoder.handle_key_columns(version);
                let hash =
                    encoder.row_hash(row, &columns, &mut Vec::new()).map_err(|error| describe(&error))?;
                hash.partition(partitions)
            }
            _ => encoder.table_hash().partition(partitions),
        };
        let value = String::from_utf8(value).map_err(|error| error.to_string())?;
        Ok(Sent { partition, key: Some(Vec::new()), value })
    }
}

/// An error with its source.
fn describe(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
