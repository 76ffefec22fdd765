//! The files of a recording.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tikv_proto::cdcpb::ChangeDataEvent;

use crate::GoldenError;
use crate::feed::{Gap, fill_gaps, read_frames};
use crate::message::{Recorded, read_line};

/// One recorded script.
#[derive(Debug)]
pub struct Recording {
    /// The script's name.
    pub name: String,
    /// Timestamp of the schema in `meta`; rows after it are in `frames`.
    pub start_ts: u64,
    /// Timestamp after the script's last commit.
    pub end_ts: u64,
    /// Regions that were registered at `start_ts`.
    pub regions: Vec<Region>,
    /// Keys and values of the meta range at `start_ts`.
    pub meta: Vec<(Vec<u8>, Vec<u8>)>,
    /// What the store sent, in order of arrival; what the recorder lost is bridged without rows, see `gaps`.
    pub frames: Vec<ChangeDataEvent>,
    /// What the recorder lost.
    pub gaps: Vec<Gap>,
    /// The changefeeds, as they were recorded.
    changefeeds: Vec<Value>,
    /// Where the files are.
    folder: PathBuf,
}

/// A region with its encoded range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Id.
    pub id: u64,
    /// Version of its range.
    pub version: u64,
    /// First key.
    pub start: Vec<u8>,
    /// First key behind it; empty if there is none.
    pub end: Vec<u8>,
}

/// One changefeed of the reference system that ran over the script.
#[derive(Debug, Clone)]
pub struct Variant {
    /// The changefeed's name.
    pub name: String,
    /// Partitions of the topic.
    pub partitions: u32,
    /// Query part of the sink URI.
    pub sink_uri_query: String,
    /// Replica configuration, as sent to the HTTP API.
    pub replica_config: Value,
}

/// The folder of recordings: `TIDEGATE_GOLDEN`, or `../shared/golden` beside the repository.
pub fn root() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden");
    std::env::var_os("TIDEGATE_GOLDEN").map_or(default, PathBuf::from)
}

/// The folders of recorded scripts below a folder: itself, its own, or those of its `cluster`. `None` if there are none.
pub fn folders(root: &Path) -> Option<Vec<PathBuf>> {
    let is_recording = |folder: &Path| folder.join("feed.bin").is_file();
    if is_recording(root) {
        return Some(vec![root.to_owned()]);
    }
    let cluster = root.join("cluster");
    let entries = std::fs::read_dir(if cluster.is_dir() { &cluster } else { root }).ok()?;
    let mut folders: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.retain(|folder| is_recording(folder));
    folders.sort();
    (!folders.is_empty()).then_some(folders)
}

/// Reads a file of a recording.
fn read(folder: &Path, name: &str) -> Result<Vec<u8>, GoldenError> {
    let path = folder.join(name);
    std::fs::read(&path).map_err(|source| GoldenError::File { path, source })
}

/// An error about what a file holds.
fn content(folder: &Path, name: &str, reason: impl ToString) -> GoldenError {
    GoldenError::Content { path: folder.join(name), reason: reason.to_string() }
}

/// Reads a JSON file.
fn read_json(folder: &Path, name: &str) -> Result<Value, GoldenError> {
    serde_json::from_slice(&read(folder, name)?).map_err(|error| content(folder, name, error))
}

impl Recording {
    /// Reads a recording.
    pub fn load(folder: &Path) -> Result<Self, GoldenError> {
        let changefeeds = read_json(folder, "changefeeds.json")?;
        let ts = |name: &str| {
            let ts = changefeeds[name].as_str().and_then(|text| text.parse().ok());
            ts.ok_or_else(|| content(folder, "changefeeds.json", format!("no {name}")))
        };
        let tape = read_json(folder, "tape.json")?;
        let regions = tape["regions"].as_array().and_then(|list| list.iter().map(region).collect());
        let frames =
            read_frames(&read(folder, "feed.bin")?).ok_or_else(|| content(folder, "feed.bin", "cut"))?;
        let (frames, gaps) = fill_gaps(frames);
        Ok(Self {
            name: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            start_ts: ts("start_ts")?,
            end_ts: ts("end_ts")?,
            regions: regions.ok_or_else(|| content(folder, "tape.json", "no regions"))?,
            meta: read_pairs(&read(folder, "meta.kv")?).ok_or_else(|| content(folder, "meta.kv", "cut"))?,
            frames,
            gaps,
            changefeeds: changefeeds["changefeeds"].as_array().cloned().unwrap_or_default(),
            folder: folder.to_owned(),
        })
    }

    /// The Canal-JSON changefeeds of the reference system.
    pub fn variants(&self) -> Vec<Variant> {
        let canal =
            |feed: &&Value| feed["variant"].as_str().is_some_and(|name| name.starts_with("canal-json"));
        self.of_capture("new").filter(canal).filter_map(variant).collect()
    }

    /// What the reference system sent.
    pub fn messages(&self, variant: &str) -> Result<Vec<Recorded>, GoldenError> {
        let name = format!("new/{variant}.jsonl");
        let text =
            String::from_utf8(read(&self.folder, &name)?).map_err(|e| content(&self.folder, &name, e))?;
        let line = |(at, line): (usize, &str)| {
            read_line(line)
                .ok_or_else(|| content(&self.folder, &name, format!("line {} is no message", at + 1)))
        };
        text.lines().enumerate().map(line).collect()
    }

    /// Why the classic capture refused to go on with a variant because a table had lost its key, if it did.
    pub fn refusal(&self, variant: &str) -> Option<&str> {
        let feed = self.of_capture("classic").find(|feed| feed["variant"] == variant)?;
        feed["error"]["message"].as_str().filter(|message| message.contains("become ineligible"))
    }

    /// The changefeeds of one capture.
    fn of_capture(&self, capture: &'static str) -> impl Iterator<Item = &Value> {
        self.changefeeds.iter().filter(move |feed| feed["capture"] == capture)
    }
}

/// Reads a region of `tape.json`.
fn region(value: &Value) -> Option<Region> {
    let unhex = |text: &str| -> Option<Vec<u8>> {
        let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
        digits?.chunks(2).map(|pair| u8::try_from(pair.first()? * 16 + pair.get(1)?).ok()).collect()
    };
    Some(Region {
        id: value["id"].as_u64()?,
        version: value["version"].as_u64()?,
        start: unhex(value["start_key_hex"].as_str()?)?,
        end: unhex(value["end_key_hex"].as_str()?)?,
    })
}

/// Reads a changefeed.
fn variant(feed: &Value) -> Option<Variant> {
    Some(Variant {
        name: feed["variant"].as_str()?.to_owned(),
        partitions: u32::try_from(feed["partitions"].as_u64()?).ok()?,
        sink_uri_query: feed["sink_uri_query"].as_str()?.to_owned(),
        replica_config: feed["replica_config"].clone(),
    })
}

/// Reads [u32 length, bytes] pairs; `None` if they are cut.
fn read_pairs(data: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut rest = data;
    let mut next = || -> Option<Vec<u8>> {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (item, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = tail;
        Some(item.to_vec())
    };
    let mut items = Vec::new();
    while let Some(key) = next() {
        items.push((key, next()?));
    }
    rest.is_empty().then_some(items)
}
