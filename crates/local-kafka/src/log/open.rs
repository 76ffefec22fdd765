//! Opening a partition: reading seals, scanning what has none, cutting a torn tail.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, RwLock};
use tracing::{error, info, warn};

use super::partition::{LogState, PartitionId, PartitionLog, Writer};
use super::producers::ProducerTable;
use super::seal;
use super::segment::{Segment, walk};
use super::waiters::WaiterList;
use crate::config::TopicConfig;
use crate::platform;

/// File with the first visible offset of a partition.
const START_OFFSET_FILE: &str = "start-offset";

/// What the files of a partition hold.
pub(super) struct Loaded {
    /// First visible offset.
    pub(super) log_start: i64,
    /// All segments.
    pub(super) segments: Vec<Segment>,
    /// Producers at the end.
    pub(super) producers: ProducerTable,
}

impl PartitionLog {
    /// Opens the partition whose files are in `dir`; the directory need not exist.
    pub(crate) fn open(id: PartitionId, dir: PathBuf, config: Arc<RwLock<TopicConfig>>) -> io::Result<Self> {
        let loaded = load(&dir, &id)?;
        Ok(Self {
            id,
            dir,
            config,
            state: RwLock::new(LogState {
                log_start: loaded.log_start,
                segments: loaded.segments,
                closed: false,
            }),
            writer: Mutex::new(Writer { producers: loaded.producers, stale: false }),
            waiters: WaiterList::default(),
            appended: AtomicU64::new(0),
        })
    }
}

/// Reads the files in `dir`.
pub(super) fn load(dir: &Path, id: &PartitionId) -> io::Result<Loaded> {
    let mut loaded = Loaded {
        log_start: read_start_offset(dir),
        segments: Vec::new(),
        producers: ProducerTable::default(),
    };
    let offsets = segment_offsets(dir)?;
    let last = offsets.last().copied();
    for base_offset in offsets {
        let mut segment = Segment::new(dir, base_offset);
        if Some(base_offset) == last {
            scan(&mut segment, &mut loaded.producers)?;
            cut_tail(&segment, id)?;
        } else if !load_sealed(&mut segment, &mut loaded.producers, id)? {
            error!(partition = %id, segment = %segment.path.display(), "records in the middle of the log are damaged");
        }
        loaded.segments.push(segment);
    }
    let first = loaded.segments.first().map_or(0, |s| s.base_offset);
    loaded.log_start = loaded.log_start.max(first);
    if loaded.segments.last().is_some_and(|s| s.end_offset < loaded.log_start) {
        loaded.segments.push(Segment::new(dir, loaded.log_start));
    }
    Ok(loaded)
}

/// Base offsets of the segment files in `dir`, ascending.
fn segment_offsets(dir: &Path) -> io::Result<Vec<i64>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut offsets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_log = path.extension().is_some_and(|e| e == "log");
        let offset = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<i64>().ok());
        if let (true, Some(offset)) = (is_log, offset.filter(|o| *o >= 0)) {
            offsets.push(offset);
        }
    }
    offsets.sort_unstable();
    Ok(offsets)
}

/// Fills a complete segment from its seal or, failing that, by a scan; false if the file has damaged records.
fn load_sealed(segment: &mut Segment, producers: &mut ProducerTable, id: &PartitionId) -> io::Result<bool> {
    let size = fs::metadata(&segment.path)?.len();
    if let Some(sealed) = seal::read(segment, size) {
        *producers = sealed;
        return Ok(true);
    }
    info!(partition = %id, segment = %segment.path.display(), "scanning a segment without a valid seal");
    scan(segment, producers)?;
    if segment.size != size {
        return Ok(false);
    }
    seal::write(segment, producers)?;
    Ok(true)
}

/// Fills a segment by reading its file: every batch up to the first one which is torn, damaged or out of place.
fn scan(segment: &mut Segment, producers: &mut ProducerTable) -> io::Result<()> {
    let file = File::open(&segment.path)?;
    let size = file.metadata()?.len();
    walk(&file, 0, size, true, |_, header, bytes| {
        let intact = header.base_offset >= segment.end_offset
            && header.last_offset_delta >= 0
            && header.checksum_matches(bytes);
        if intact {
            segment.note(header);
            producers.record(header);
        }
        intact
    })?;
    Ok(())
}

/// Cuts what follows the last intact batch of the newest segment.
fn cut_tail(segment: &Segment, id: &PartitionId) -> io::Result<()> {
    let file = File::options().write(true).open(&segment.path)?;
    let size = file.metadata()?.len();
    if size > segment.size {
        warn!(partition = %id, bytes = size - segment.size, end_offset = segment.end_offset, "cutting a torn tail");
        file.set_len(segment.size)?;
        file.sync_all()?;
    }
    Ok(())
}

/// The first visible offset as stored, 0 if nothing is stored.
fn read_start_offset(dir: &Path) -> i64 {
    let text = fs::read_to_string(dir.join(START_OFFSET_FILE)).unwrap_or_default();
    text.trim().parse::<i64>().unwrap_or(0).max(0)
}

/// Stores the first visible offset.
pub(super) fn write_start_offset(dir: &Path, offset: i64) -> io::Result<()> {
    platform::replace_file(&dir.join(START_OFFSET_FILE), format!("{offset}\n").as_bytes())
}
