//! From sorted rows and DDL effects to messages with a topic and a partition.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use change_format::{
    CanalEncoder, CanalOptions, DdlMessage, DispatchColumns, EncodeError, Encoded, MessageForm, RowChange,
    encode_ddl,
};
use changefeed_config::{EventFilter, EventRouter, PartitionRule, RowKind, TableFilter};
use event_sorter::{SortedRow, Stage};
use tidb_codec::{Datum, Sensitive};
use tidb_schema::{DdlEffect, DdlEvent, SchemaSnapshot, TableChange, TableVersion};
use tracing::{error, warn};

use crate::FeedError;
use crate::claim_check::{ClaimChecks, Outbox, Upload, Waiting};
use crate::ddl_text;
use crate::metrics::FeedCounters;
use crate::progress::Shipment;
use crate::row_filter::RowFilter;
use crate::table::Run;
use crate::tables::selected;

/// How a changefeed renders and routes what it sends.
pub(crate) struct Settings {
    /// Message format.
    pub(crate) canal: Arc<CanalOptions>,
    /// Topics and partitions.
    pub(crate) router: EventRouter,
    /// Which tables are replicated.
    pub(crate) tables: TableFilter,
    /// Which events of them are left out.
    pub(crate) events: EventFilter,
    /// Replicate tables without a usable key.
    pub(crate) force_replicate: bool,
    /// What happens to rows whose checksum does not match; `None`: checksums are not looked at.
    pub(crate) corruption: Option<Corruption>,
    /// Where messages go that are too large, if they are to be stored elsewhere.
    pub(crate) claim_check: Option<ClaimChecks>,
    /// What is counted.
    pub(crate) counters: FeedCounters,
}

/// What happens to a row whose checksum does not match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Corruption {
    /// It is sent all the same, and the log tells.
    Warn,
    /// The changefeed fails.
    Error,
}

/// A DDL message with its topic; DDLs go to partition 0.
pub(crate) struct TopicMessage {
    /// Topic.
    pub(crate) topic: String,
    /// Message.
    pub(crate) value: Vec<u8>,
}

/// Wall clock in milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64)
}

impl Settings {
    /// True if rows of this version of a table are sent.
    pub(crate) fn wants(&self, version: &TableVersion) -> bool {
        !version.is_system()
            && version.info.has_rows()
            && version.is_eligible(self.force_replicate)
            && self.tables.matches_table(version.schema_name(), version.table_name())
    }

    /// The tables whose rows are sent, by id.
    pub(crate) fn wanted(&self, schema: &SchemaSnapshot) -> Vec<Arc<TableVersion>> {
        let mut tables = selected(schema, &self.tables);
        tables.retain(|version| version.is_eligible(self.force_replicate));
        tables
    }

    /// The messages of a DDL, in order; none if the changefeed does not send it.
    pub(crate) fn ddl_messages(&self, effect: &DdlEffect) -> Result<Vec<TopicMessage>, FeedError> {
        let now_ms = unix_ms();
        let mut messages = Vec::new();
        for event in &effect.events {
            if !self.sends_ddl(event)? {
                continue;
            }
            let sql = ddl_text::render(event, &self.counters.unparsed_ddls);
            let mut value = encode_ddl(&DdlMessage::new(event, &sql), &self.canal, now_ms);
            self.compress(&mut value)?;
            let (schema, table) = event_name(event);
            messages.push(TopicMessage { topic: self.router.ddl_topic(schema, table), value });
        }
        Ok(messages)
    }

    /// Compresses a message that is no row's.
    pub(crate) fn compress(&self, value: &mut Vec<u8>) -> Result<(), FeedError> {
        self.canal
            .compression
            .compress(value, 0)
            .map_err(|e| FeedError::new("CDC:ErrCompressionFailed", e.to_string()))
    }

    /// True if consumers are told of the DDL.
    fn sends_ddl(&self, event: &DdlEvent) -> Result<bool, FeedError> {
        let (schema, table) = event_name(event);
        let wanted = if table.is_empty() {
            self.tables.matches_schema(schema)
        } else {
            self.tables.matches_table(schema, table)
        };
        if !wanted {
            let enters = event.old_name.is_some() && self.tables.matches_table(&event.schema, &event.table);
            if enters {
                return Err(FeedError::new(
                    "CDC:ErrSyncRenameTableFailed",
                    format!(
                        "table's old name is not in filter rule, and its new name in filter rule table id, ddl query: [{}]",
                        event.query
                    ),
                ));
            }
            return Ok(false);
        }
        let ineligible = event.change.as_ref().is_some_and(|change| {
            let eligible = |version: &Arc<TableVersion>| {
                version.is_eligible(self.force_replicate) || version.info.is_view()
            };
            !change.before.iter().chain(&change.after).any(eligible)
        });
        let ignored = self.events.ignores_ddl(
            schema,
            table,
            event.action.name().unwrap_or_default(),
            &event.query,
            event.finished_ts,
        );
        Ok(!ineligible && !ignored)
    }

    /// A table that loses its key can't be replicated any more: the user must decide.
    pub(crate) fn check_still_eligible(&self, change: &TableChange) -> Result<(), FeedError> {
        let Some(version) = change.after.as_ref() else { return Ok(()) };
        let (schema, table) = (version.schema_name(), version.table_name());
        if change.loses_eligibility(self.force_replicate) && self.tables.matches_table(schema, table) {
            return Err(FeedError::new(
                "CDC:ErrTableIneligible",
                format!(
                    "table {schema}.{table} lost its primary key or not-null unique key and can't be replicated; give \
                     it a key, exclude it with filter rules, or set force-replicate"
                ),
            ));
        }
        Ok(())
    }
}

/// The name that decides filters and the topic: the old one of a rename.
fn event_name(event: &DdlEvent) -> (&str, &str) {
    match &event.old_name {
        Some((schema, table)) => (schema, table),
        None => (&event.schema, &event.table),
    }
}

/// How the partition of a row is worked out.
enum Partitioner {
    /// The same for every row.
    Fixed(i32),
    /// By commit ts.
    Ts(u64),
    /// By column values.
    Columns(DispatchColumns, u64),
}

/// What is ready for one version of a table.
struct Prepared {
    /// The version.
    version: Arc<TableVersion>,
    /// The sink's partitions when it was prepared.
    epoch: u64,
    /// `None` if rows of this version are not sent.
    sending: Option<Sending>,
}

/// How rows of a version are sent.
struct Sending {
    /// Renders rows.
    encoder: CanalEncoder,
    /// Topic.
    topic: Arc<str>,
    /// Chooses partitions.
    partitioner: Partitioner,
    /// UPDATEs that change only columns of one of these sets are left out.
    update_only_columns: Vec<HashSet<String>>,
    /// Rows are left out by their values; `None` if no rule is about the table.
    filter: Option<RowFilter>,
}

/// Renders and sends the rows of one physical table.
pub(crate) struct RowEncoder {
    /// Physical id.
    table: i64,
    /// The version in force.
    prepared: Option<Prepared>,
    /// Reused buffer for key columns.
    scratch: Vec<u8>,
    /// Messages that wait until a large one is stored.
    pub(crate) outbox: Outbox,
    /// Reused values for the filter.
    values: Vec<Datum>,
}

impl RowEncoder {
    /// An encoder that has seen no row yet.
    pub(crate) fn new(table: i64) -> Self {
        Self { table, prepared: None, scratch: Vec::new(), outbox: Outbox::default(), values: Vec::new() }
    }

    /// Gets ready for rows committed at `commit_ts`; false if they are not sent.
    pub(crate) fn prepare(&mut self, commit_ts: u64, run: &Run) -> Result<bool, FeedError> {
        let found = run.schema.read().table_for_row(self.table, commit_ts);
        let version = found.map_err(|e| FeedError::new("CDC:ErrSchemaSnapshotNotFound", e.to_string()))?;
        let version = version.ok_or_else(|| {
            let message = format!("no schema for table id {} at {commit_ts}", self.table);
            FeedError::new("CDC:ErrSchemaStorageTableMiss", message)
        })?;
        let epoch = run.sink.partition_epoch();
        let is_current = |p: &Prepared| Arc::ptr_eq(&p.version, &version) && p.epoch == epoch;
        let current = self.prepared.as_ref().is_some_and(is_current);
        if !current {
            let sending = if run.settings.wants(&version) { Some(sending(&version, run)?) } else { None };
            self.prepared = Some(Prepared { version, epoch, sending });
        }
        Ok(self.prepared.as_ref().is_some_and(|prepared| prepared.sending.is_some()))
    }

    /// Sends one row. True if it was an UPDATE of a key: then only its DELETE was sent, and the INSERT is to follow at
    /// the end of the transaction.
    pub(crate) fn send(
        &mut self,
        row: &SortedRow,
        buffer: &mut Vec<u8>,
        run: &Run,
        shipment: &mut Shipment,
    ) -> Result<bool, FeedError> {
        let change = row_change(row);
        let Some((prepared, sending)) = self.prepared.as_ref().and_then(|p| Some((p, p.sending.as_ref()?)))
        else {
            return Ok(false);
        };
        let Some(kind) = change.kind() else { return Ok(false) };
        if !run.settings.events.keeps_all_rows() {
            let kind = match kind {
                change_format::RowKind::Delete => RowKind::Delete,
                change_format::RowKind::Update => RowKind::Update,
                change_format::RowKind::Insert => RowKind::Insert,
            };
            let (schema, table) = (prepared.version.schema_name(), prepared.version.table_name());
            if run.settings.events.ignores_row(schema, table, kind, row.start_ts) {
                return Ok(false);
            }
        }
        if kind == change_format::RowKind::Update {
            self.scratch.clear();
            for columns in &sending.update_only_columns {
                let listed = |name: &str| columns.contains(name);
                let only = sending.encoder.changes_only(&change, listed, &mut self.scratch);
                if only.map_err(|e| encode_error(sending, &change, &e))? {
                    return Ok(false);
                }
            }
        }
        if let Some(filter) = &sending.filter
            && filter.ignores(&sending.encoder, &change, kind, &mut self.values)?
        {
            return Ok(false);
        }
        if let Some(corruption) = run.settings.corruption {
            verify(sending, &change, corruption, &run.settings.counters)?;
        }
        self.scratch.clear();
        let splits = kind == change_format::RowKind::Update
            && sending
                .encoder
                .splits(&change, &mut self.scratch)
                .map_err(|e| encode_error(sending, &change, &e))?;
        let change = if splits { change.delete_half() } else { change };
        let place = Place { table: self.table, outbox: &mut self.outbox };
        send_change(sending, row, &change, &mut self.scratch, buffer, run, shipment, place)?;
        Ok(splits)
    }

    /// Sends the second half of a split UPDATE.
    pub(crate) fn send_insert(
        &mut self,
        row: &SortedRow,
        buffer: &mut Vec<u8>,
        run: &Run,
        shipment: &mut Shipment,
    ) -> Result<(), FeedError> {
        match self.prepared.as_ref().and_then(|prepared| prepared.sending.as_ref()) {
            Some(sending) => {
                let place = Place { table: self.table, outbox: &mut self.outbox };
                let change = row_change(row).insert_half();
                send_change(sending, row, &change, &mut self.scratch, buffer, run, shipment, place)
            }
            None => Ok(()),
        }
    }
}

/// Where a message gets its place in the order of its table.
struct Place<'a> {
    /// Physical id of the table.
    table: i64,
    /// Messages before it that could not be sent yet.
    outbox: &'a mut Outbox,
}

/// The row in the encoder's terms.
fn row_change(row: &SortedRow) -> RowChange<'_> {
    RowChange {
        start_ts: row.start_ts,
        commit_ts: row.commit_ts,
        key: &row.key,
        value: &row.value,
        old_value: &row.old_value,
    }
}

/// Encodes a change and hands it to the sink, or puts it behind what its table can't send yet.
#[allow(clippy::too_many_arguments)] // buffers of the table and what the run shares, all borrowed for one row
fn send_change(
    sending: &Sending,
    row: &SortedRow,
    change: &RowChange<'_>,
    scratch: &mut Vec<u8>,
    buffer: &mut Vec<u8>,
    run: &Run,
    shipment: &mut Shipment,
    place: Place<'_>,
) -> Result<(), FeedError> {
    buffer.clear();
    let now_ms = unix_ms();
    let failed = |e: EncodeError| encode_error(sending, change, &e);
    let upload = match sending.encoder.encode(change, now_ms, buffer).map_err(failed)? {
        Encoded::Nothing => return Ok(()),
        Encoded::Message | Encoded::HandleKeyOnly => None,
        Encoded::NeedsClaimCheck => Some(store_elsewhere(sending, change, now_ms, buffer, run, place.table)?),
    };
    let partition = match &sending.partitioner {
        Partitioner::Fixed(partition) => *partition,
        Partitioner::Ts(count) => (row.commit_ts % count) as i32,
        Partitioner::Columns(columns, count) => {
            scratch.clear();
            let hash = sending.encoder.row_hash(change, columns, scratch).map_err(failed)?;
            (u64::from(hash.value()) % count) as i32
        }
    };
    let parcel = shipment.add(&sending.topic, partition, buffer.len());
    if upload.is_some() || !place.outbox.is_empty() {
        let (topic, value) = (Arc::clone(&sending.topic), buffer.clone());
        let charge = run.quota.charge(Stage::Sink, value.len());
        place.outbox.push(Waiting { upload, topic, partition, value, parcel, charge });
        return Ok(());
    }
    // TiCDC's row messages have an empty key, not a null one.
    run.sink.send(&sending.topic, partition, Some(&[]), buffer, parcel)
}

/// Renders what depends on the table version only.
fn sending(version: &TableVersion, run: &Run) -> Result<Sending, FeedError> {
    let settings = &run.settings;
    let (schema, table) = (version.schema_name(), version.table_name());
    let selector = settings.router.column_selector(schema, table);
    let selects = |column: &tidb_schema::ColumnInfo| selector.is_none_or(|s| s.selects(&column.name.l));
    let encoder = CanalEncoder::with_columns(version, Arc::clone(&settings.canal), selects)
        .map_err(|e| FeedError::new("CDC:ErrCanalEncodeFailed", e.chain()))?;
    let route = settings.router.route(schema, table);
    let count = u64::from(run.sink.partitions(&route.topic)?.max(1).unsigned_abs());
    let dispatch = |e: change_format::EncodeError| FeedError::new("CDC:ErrDispatcherFailed", e.to_string());
    let partitioner = match &route.partition {
        PartitionRule::Table => Partitioner::Fixed((u64::from(encoder.table_hash().value()) % count) as i32),
        PartitionRule::Ts => Partitioner::Ts(count),
        PartitionRule::IndexValue(None) => Partitioner::Columns(encoder.handle_key_columns(version), count),
        PartitionRule::IndexValue(Some(index)) => {
            Partitioner::Columns(encoder.index_columns(version, index).map_err(dispatch)?, count)
        }
        PartitionRule::Columns(names) => {
            Partitioner::Columns(encoder.named_columns(version, names).map_err(dispatch)?, count)
        }
    };
    let update_only_columns = settings.events.update_only_columns(schema, table);
    warn_of_unknown_columns(version, &update_only_columns);
    let filter = RowFilter::of(version, &settings.events, &settings.canal.time_zone);
    Ok(Sending { encoder, topic: Arc::from(route.topic), partitioner, update_only_columns, filter })
}

/// Tells which columns of `ignore-update-only-columns` a table does not have; as in TiCDC they have no effect.
fn warn_of_unknown_columns(version: &TableVersion, sets: &[HashSet<String>]) {
    let there = |name: &String| version.info.columns.iter().any(|column| column.name.l == *name);
    let unknown: Vec<&str> = sets.iter().flatten().filter(|name| !there(name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        let table = format!("{}.{}", version.schema_name(), version.table_name());
        warn!(
            table,
            columns = unknown.join(", "),
            "ignore-update-only-columns: the table has no such columns"
        );
    }
}

/// Begins to store the message in `buffer` where its consumers can fetch it, and puts the message in its place that
/// says where.
fn store_elsewhere(
    sending: &Sending,
    change: &RowChange<'_>,
    now_ms: u64,
    buffer: &mut Vec<u8>,
    run: &Run,
    table: i64,
) -> Result<Upload, FeedError> {
    let failed = |e: EncodeError| encode_error(sending, change, &e);
    let Some(claim_checks) = &run.settings.claim_check else {
        return Err(failed(sending.encoder.too_large(buffer.len())));
    };
    let (name, location) = claim_checks.place();
    let mut reference = Vec::new();
    let form = MessageForm::ClaimCheck(&location);
    sending.encoder.encode_as(change, form, now_ms, &mut reference).map_err(failed)?;
    run.settings.canal.compression.compress(&mut reference, 0).map_err(failed)?;
    // Before anything is written: a message that cannot be sent must not leave an object behind at each try.
    if !run.settings.canal.fits(reference.len()) {
        return Err(failed(sending.encoder.too_large(reference.len())));
    }
    let upload = claim_checks.begin(name, buffer, table, &run.signal, &run.quota);
    *buffer = reference;
    Ok(upload)
}

/// Checks the checksums of a change's rows.
fn verify(
    sending: &Sending,
    change: &RowChange<'_>,
    corruption: Corruption,
    counters: &FeedCounters,
) -> Result<(), FeedError> {
    match sending.encoder.verify_checksums(change) {
        Ok(()) => Ok(()),
        Err(mismatch @ EncodeError::Corrupted { .. }) => {
            counters.corrupted_rows.inc();
            match corruption {
                Corruption::Warn => {
                    error!(reason = %mismatch.chain(), "a corrupted row is sent, as corruption-handle-level says");
                    Ok(())
                }
                Corruption::Error => Err(encode_error(sending, change, &mismatch)),
            }
        }
        Err(other) => Err(encode_error(sending, change, &other)),
    }
}

/// An encoding error with everything that led to it.
fn encode_error(sending: &Sending, change: &RowChange<'_>, error: &EncodeError) -> FeedError {
    let (code, message) = match error {
        EncodeError::TooLarge { .. } => {
            let row = Sensitive(sending.encoder.row_name(change));
            let message = format!("{error}; handle {row}, commit-ts {}", change.commit_ts);
            ("CDC:ErrMessageTooLarge", message)
        }
        EncodeError::Compression { .. } => ("CDC:ErrCompressionFailed", error.chain()),
        EncodeError::Corrupted { .. } => ("CDC:ErrCorruptedDataMutation", error.chain()),
        _ => ("CDC:ErrCanalEncodeFailed", error.chain()),
    };
    FeedError::new(code, message)
}
