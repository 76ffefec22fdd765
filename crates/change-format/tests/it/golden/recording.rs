//! The files of a recording.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use change_format::CanalOptions;
use prost::Message as _;
use serde_json::Value;
use tikv_proto::cdcpb::{self, event};

/// One recorded script.
pub(crate) struct Recording {
    /// The script's name.
    pub(crate) name: String,
    /// Timestamp of the schema in `meta`.
    pub(crate) start_ts: u64,
    /// Keys and values of the meta range at `start_ts`.
    pub(crate) meta: Vec<(Vec<u8>, Vec<u8>)>,
    /// Rows in order of arrival.
    pub(crate) rows: Vec<event::Row>,
    /// Where the recorder lost a region: rows committed after this (milliseconds since 1970) may be missing.
    pub(crate) complete_until_ms: Option<u64>,
    changefeeds: Vec<Value>,
    folder: PathBuf,
}

/// One changefeed that ran over the script.
pub(crate) struct Variant {
    /// The changefeed's name.
    pub(crate) name: String,
    /// Settings of the encoder.
    pub(crate) options: CanalOptions,
    /// Whether tables without a key are replicated.
    pub(crate) force_replicate: bool,
    /// Rule of partition dispatch.
    pub(crate) dispatcher: String,
    /// Partitions of the topic.
    pub(crate) partitions: u32,
}

/// A recorded Kafka message.
pub(crate) struct Recorded {
    /// Partition.
    pub(crate) partition: u32,
    /// Whether the record has a key (of no bytes): rows do, others do not.
    pub(crate) has_key: bool,
    /// The value.
    pub(crate) value: String,
}

impl Recording {
    /// The folders of all recorded scripts, or `None` if there is no such place.
    pub(crate) fn list(root: &Path) -> Option<Vec<PathBuf>> {
        let entries = std::fs::read_dir(root.join("cluster")).ok()?;
        let mut folders: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        folders.sort();
        Some(folders)
    }

    /// Reads a recording.
    pub(crate) fn load(folder: &Path) -> Result<Self, io::Error> {
        let json = |name: &str| -> Result<Value, io::Error> {
            Ok(serde_json::from_slice(&std::fs::read(folder.join(name))?)?)
        };
        let changefeeds = json("changefeeds.json")?;
        let feed = read_feed(&std::fs::read(folder.join("feed.bin"))?)?;
        let ts = changefeeds["start_ts"].as_str().and_then(|text| text.parse().ok());
        Ok(Self {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            start_ts: ts.ok_or_else(|| io::Error::other("no start_ts"))?,
            meta: read_pairs(&std::fs::read(folder.join("meta.kv"))?),
            rows: feed.rows,
            complete_until_ms: feed.complete_until.map(|ts| ts >> LOGICAL_BITS),
            changefeeds: changefeeds["changefeeds"].as_array().cloned().unwrap_or_default(),
            folder: folder.to_owned(),
        })
    }

    /// The Canal-JSON changefeeds of the reference system.
    pub(crate) fn variants(&self) -> Vec<Variant> {
        self.changefeeds.iter().filter(|feed| feed["capture"] == "new").filter_map(variant).collect()
    }

    /// What the reference system sent.
    pub(crate) fn messages(&self, variant: &Variant) -> Result<Vec<Recorded>, String> {
        let path = self.folder.join("new").join(format!("{}.jsonl", variant.name));
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        text.lines().map(|line| recorded(line).ok_or_else(|| format!("not a message: {line}"))).collect()
    }
}

/// Reads [u32 length, bytes] pairs.
fn read_pairs(data: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rest = data;
    let mut next = || -> Option<Vec<u8>> {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (item, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = tail;
        Some(item.to_vec())
    };
    let mut pairs = Vec::new();
    while let (Some(key), Some(value)) = (next(), next()) {
        pairs.push((key, value));
    }
    pairs
}

/// Bits of a timestamp below the milliseconds.
const LOGICAL_BITS: u32 = 18;

/// What a recorded stream holds.
#[derive(Default)]
struct Feed {
    rows: Vec<event::Row>,
    /// Resolved timestamp of a region when the recorder lost it.
    complete_until: Option<u64>,
}

/// Reads [u64 time, u32 length, protobuf] records.
fn read_feed(data: &[u8]) -> Result<Feed, io::Error> {
    let mut feed = Feed::default();
    let mut resolved: HashMap<u64, u64> = HashMap::new();
    let mut rest = data;
    while let Some((_, tail)) = rest.split_first_chunk::<8>() {
        let Some((length, tail)) = tail.split_first_chunk::<4>() else { break };
        let Some((message, tail)) = tail.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            break;
        };
        rest = tail;
        let message = cdcpb::ChangeDataEvent::decode(message).map_err(io::Error::other)?;
        for change in message.events {
            match change.event {
                Some(event::Event::Entries(entries)) => feed.rows.extend(entries.entries),
                Some(event::Event::Error(_)) => {
                    let known = resolved.get(&change.region_id).copied().unwrap_or(0);
                    feed.complete_until = Some(feed.complete_until.map_or(known, |ts| ts.min(known)));
                }
                Some(event::Event::ResolvedTs(ts)) => {
                    resolved.insert(change.region_id, ts);
                }
                None => {}
            }
        }
        if let Some(batch) = message.resolved_ts {
            resolved.extend(batch.regions.iter().map(|region| (*region, batch.ts)));
        }
    }
    Ok(feed)
}

/// The settings of a changefeed; `None` if it is not of Canal-JSON.
fn variant(feed: &Value) -> Option<Variant> {
    let query = feed["sink_uri_query"].as_str()?;
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if parameter("protocol") != Some("canal-json") {
        return None;
    }
    let flag = |name: &str| parameter(name) == Some("true");
    let sink = &feed["replica_config"]["sink"];
    let options = CanalOptions {
        enable_tidb_extension: flag("enable-tidb-extension"),
        content_compatible: flag("content-compatible"),
        only_output_updated_columns: flag("only-output-updated-columns"),
        delete_only_output_handle_key_columns: sink["delete_only_output_handle_key_columns"] == true,
        ..CanalOptions::default()
    };
    Some(Variant {
        name: feed["variant"].as_str()?.to_owned(),
        options,
        force_replicate: feed["replica_config"]["force_replicate"] == true,
        dispatcher: sink["dispatchers"][0]["partition"].as_str().unwrap_or("default").to_owned(),
        partitions: u32::try_from(feed["partitions"].as_u64()?).ok()?,
    })
}

/// Reads one recorded message.
fn recorded(line: &str) -> Option<Recorded> {
    let line: Value = serde_json::from_str(line).ok()?;
    let value = match &line["value"]["text"] {
        Value::String(text) => text.clone(),
        _ => String::from_utf8(STANDARD.decode(line["value"]["base64"].as_str()?).ok()?).ok()?,
    };
    Some(Recorded {
        partition: u32::try_from(line["partition"].as_u64()?).ok()?,
        has_key: !line["key"].is_null(),
        value,
    })
}
