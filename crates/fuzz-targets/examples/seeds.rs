//! Seeds from recordings: `cargo run -p fuzz-targets --example seeds -- RECORDINGS OUT [TABLES]` writes a folder of
//! inputs per target, and the tables to TABLES if that is given. `cargo xtask fuzz --seed RECORDINGS` calls it and keeps
//! the inputs that reach something new.
#![allow(clippy::unwrap_used)] // a chore: it may stop

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use golden::{Recording, folders};
use prost::Message as _;
use tidb_codec::row::Row;
use tidb_codec::{Datum, datum, key};
use tidb_schema::{DDL_JOB_META_COLUMN_ID, DDL_JOB_TABLE_ID, Job, TableInfo};
use tikv_proto::cdcpb::ChangeDataEvent;
use tikv_proto::cdcpb::event::{Event as Content, Row as Change};

/// Inputs of a kind that one recording gives at most.
const PER_RECORDING: usize = 400;
/// Longest input that is kept.
const MAX_LEN: usize = 8192;
/// Most tables.
const MAX_TABLES: usize = 24;

/// Inputs by target.
#[derive(Default)]
struct Seeds(BTreeMap<&'static str, BTreeSet<Vec<u8>>>);

impl Seeds {
    /// Keeps an input unless it is too long.
    fn add(&mut self, target: &'static str, input: impl Into<Vec<u8>>) {
        let input = input.into();
        if input.len() <= MAX_LEN {
            self.0.entry(target).or_default().insert(input);
        }
    }
}

/// A part of an input with its length before it.
fn sized(part: &[u8]) -> Vec<u8> {
    [&u16::try_from(part.len()).unwrap().to_le_bytes(), part].concat()
}

/// The text of a job in a row of the job table.
fn job_json(value: &[u8]) -> Option<Vec<u8>> {
    match Row::parse(value).ok()? {
        Row::V2(row) => row.get(DDL_JOB_META_COLUMN_ID).flatten().map(<[u8]>::to_vec),
        Row::V1(row) => match datum::decode_one(row.get(DDL_JOB_META_COLUMN_ID).flatten()?).ok()?.0 {
            Datum::Bytes(bytes) => Some(bytes),
            _ => None,
        },
    }
}

/// Changes of rows with values, in order of arrival.
fn changes(frames: &[ChangeDataEvent]) -> Vec<&Change> {
    let events = frames.iter().flat_map(|frame| &frame.events);
    let entries = events.filter_map(|event| match &event.event {
        Some(Content::Entries(entries)) => Some(&entries.entries),
        _ => None,
    });
    entries.flatten().filter(|row| !row.value.is_empty() || !row.old_value.is_empty()).collect()
}

/// Seeds of one recording; its tables are added to `tables`.
fn collect(recording: &Recording, seeds: &mut Seeds, tables: &mut BTreeMap<String, TableInfo>) {
    for (key, value) in recording.meta.iter().take(PER_RECORDING) {
        seeds.add("key", key.clone());
        if value.starts_with(b"{") {
            seeds.add("schema", value.clone());
        }
    }
    for frames in recording.frames.chunks(4).take(PER_RECORDING) {
        seeds.add(
            "events",
            frames
                .iter()
                .flat_map(|f| sized(&f.encode_to_vec()[..f.encoded_len().min(4000)]))
                .collect::<Vec<_>>(),
        );
    }
    let mut story = Vec::new();
    for change in changes(&recording.frames) {
        if key::table_id_of(&change.key) != Some(DDL_JOB_TABLE_ID) {
            continue;
        }
        let Some(json) = job_json(&change.value) else { continue };
        let Ok(job) = Job::from_json(&json) else { continue };
        seeds.add("sql", [&[0], job.query.as_bytes()].concat());
        for info in job.table_info().into_iter().chain(job.table_infos()) {
            seeds.add("schema", serde_json::to_vec(info).unwrap());
            if job.is_done() {
                tables.insert(format!("{}.{}", recording.name, info.name.l), info.clone());
            }
        }
        if job.is_done() {
            story.push(json.clone());
            seeds.add("ddl_job", story.iter().rev().take(3).rev().cloned().collect::<Vec<_>>().join(&b'\n'));
        }
        seeds.add("ddl_job", json);
    }
    for (at, change) in changes(&recording.frames).into_iter().enumerate() {
        if at < PER_RECORDING {
            seeds.add("key", change.key.to_vec());
        }
        for value in [&change.value, &change.old_value] {
            match Row::parse(value) {
                Ok(Row::V2(row)) => {
                    seeds.add("row_v2", [sized(&change.key), value.to_vec()].concat());
                    for (_, raw) in row.values() {
                        seeds.add(if raw.len() > 8 { "json" } else { "time" }, raw);
                        seeds.add("decimal", [&[30], raw].concat());
                    }
                }
                Ok(Row::V1(_)) => {
                    seeds.add("row_v1", value.to_vec());
                    seeds.add("datum", value.to_vec());
                }
                Err(_) => {}
            }
        }
    }
}

/// Rows of the tables as input of `canal`.
fn rows(recordings: &[Recording], tables: &[TableInfo], seeds: &mut Seeds) {
    for change in recordings.iter().flat_map(|recording| changes(&recording.frames)) {
        let id = key::table_id_of(&change.key);
        for (at, table) in tables.iter().enumerate() {
            if id.is_some_and(|id| table.physical_ids().contains(&id)) {
                let table = u8::try_from(at).unwrap();
                seeds.add(
                    "canal",
                    [&[table], &sized(&change.key)[..], &sized(&change.old_value), &change.value].concat(),
                );
            }
        }
    }
}

fn main() {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (from, to) = (&args[0], &args[1]);
    let recordings: Vec<_> = folders(from).unwrap().iter().map(|f| Recording::load(f).unwrap()).collect();
    let (mut seeds, mut named) = (Seeds::default(), BTreeMap::new());
    for recording in &recordings {
        collect(recording, &mut seeds, &mut named);
    }
    // those with the most types of columns
    let mut tables: Vec<TableInfo> = named.into_values().collect();
    let types =
        |table: &TableInfo| table.columns.iter().map(|c| c.field_type.tp).collect::<BTreeSet<_>>().len();
    tables.sort_by_key(|table| (std::cmp::Reverse(types(table)), table.id));
    tables.truncate(MAX_TABLES);
    if let Some(file) = args.get(2) {
        std::fs::write(file, serde_json::to_vec(&tables).unwrap()).unwrap();
    }
    rows(&recordings, &tables, &mut seeds);
    for (target, inputs) in seeds.0 {
        let folder = to.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        for (at, input) in inputs.iter().enumerate() {
            std::fs::write(Path::join(&folder, format!("recorded-{at:05}")), input).unwrap();
        }
        println!("{target}: {} inputs", inputs.len());
    }
}
