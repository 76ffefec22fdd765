//! Files of the journal.
//!
//! A file is a magic number and frames: length and CRC-32 of the payload (little endian), then the payload: records,
//! each with its length before it. A frame is synced before the next one is written, so only the last can be torn.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use prost::Message;

use crate::error::StartError;
use crate::record::Record;

/// First bytes of a file.
const MAGIC: &[u8; 8] = b"TGPDLOG1";
/// Bytes before a payload: its length and CRC.
const FRAME_HEADER: usize = 8;
/// Names of files are this, a generation of 16 hexadecimal digits, and [`SUFFIX`].
const PREFIX: &str = "journal-";
/// End of the names of files.
const SUFFIX: &str = ".log";
/// Name of the file whose lock keeps other processes out.
const LOCK_NAME: &str = "LOCK";

/// The open folder.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    generation: u64,
    file: File,
    bytes: u64,
    /// Held for its lock.
    _lock: File,
}

impl Folder {
    /// Opens or creates the journal of a folder, cuts a torn end, and returns the records.
    pub(super) fn open(dir: &Path) -> Result<(Self, Vec<Record>), StartError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::Journal { path, source }
        };
        fs::create_dir_all(dir).map_err(failed(dir))?;
        let lock_path = dir.join(LOCK_NAME);
        let lock = File::create(&lock_path).map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StartError::DataDirInUse { dir: dir.to_owned() });
            }
            Err(fs::TryLockError::Error(source)) => return Err(failed(&lock_path)(source)),
        }
        let generation = newest(dir).map_err(failed(dir))?;
        let Some(generation) = generation else {
            let path = path_of(dir, 1);
            let file = create(dir, 1, &[], &[]).map_err(failed(&path))?;
            let bytes = u64::try_from(MAGIC.len()).unwrap_or(0);
            return Ok((Self { dir: dir.to_owned(), generation: 1, file, bytes, _lock: lock }, Vec::new()));
        };
        let path = path_of(dir, generation);
        let content = Bytes::from(fs::read(&path).map_err(failed(&path))?);
        let (records, valid) = read(&content).map_err(|(offset, reason)| StartError::Corrupt {
            path: path.clone(),
            offset,
            reason,
        })?;
        let mut file = OpenOptions::new().write(true).open(&path).map_err(failed(&path))?;
        if valid < u64::try_from(content.len()).unwrap_or(u64::MAX) {
            tracing::warn!(path = %path.display(), from = content.len(), to = valid, "cutting a torn end off the journal");
            file.set_len(valid).and_then(|()| file.sync_all()).map_err(failed(&path))?;
        }
        file.seek(SeekFrom::End(0)).map_err(failed(&path))?;
        remove_others(dir, generation).map_err(failed(dir))?;
        Ok((Self { dir: dir.to_owned(), generation, file, bytes: valid, _lock: lock }, records))
    }

    /// Bytes of the present file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends records and syncs.
    pub(super) fn write(&mut self, records: &[u8]) -> io::Result<()> {
        let frame = frame_of(records)?;
        self.file.write_all(&frame)?;
        self.bytes += u64::try_from(frame.len()).unwrap_or(0);
        self.file.sync_data()
    }

    /// Starts a new file with a snapshot and records after it; the old one is removed.
    pub(super) fn rotate(&mut self, snapshot: &[u8], records: &[u8]) -> io::Result<()> {
        let generation = self.generation + 1;
        self.file = create(&self.dir, generation, snapshot, records)?;
        self.bytes = self.file.metadata()?.len();
        self.generation = generation;
        remove_others(&self.dir, generation)
    }
}

/// Path of a generation's file.
fn path_of(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{generation:016x}{SUFFIX}"))
}

/// Generation of a file name.
fn generation_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?, 16).ok()
}

/// The newest generation in a folder.
fn newest(dir: &Path) -> io::Result<Option<u64>> {
    let mut newest = None;
    for entry in fs::read_dir(dir)? {
        newest = newest.max(entry?.file_name().to_str().and_then(generation_of));
    }
    Ok(newest)
}

/// Removes files of older generations and unfinished ones.
fn remove_others(dir: &Path, keep: u64) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.ends_with(".tmp") || generation_of(name).is_some_and(|generation| generation < keep) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes a new file under a temporary name, syncs it, and gives it its name.
fn create(dir: &Path, generation: u64, snapshot: &[u8], records: &[u8]) -> io::Result<File> {
    let path = path_of(dir, generation);
    let temporary = path.with_extension("tmp");
    let mut file = File::create(&temporary)?;
    file.write_all(MAGIC)?;
    for part in [snapshot, records] {
        if !part.is_empty() {
            file.write_all(&frame_of(part)?)?;
        }
    }
    file.sync_all()?;
    fs::rename(&temporary, &path)?;
    File::open(dir)?.sync_all()?;
    Ok(file)
}

/// A frame around a payload.
fn frame_of(payload: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(payload.len())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a journal frame is larger than 4 GiB"))?;
    let mut frame = Vec::with_capacity(FRAME_HEADER + payload.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    frame.extend_from_slice(payload);
    Ok(frame)
}

/// Reads a file: its records and the length of the part that is whole, or where and how it is damaged.
fn read(content: &Bytes) -> Result<(Vec<Record>, u64), (u64, String)> {
    if !content.starts_with(MAGIC) {
        return Err((0, "it does not begin as a journal".to_owned()));
    }
    let mut rest = content.slice(MAGIC.len()..);
    let mut records = Vec::new();
    loop {
        let offset = u64::try_from(content.len() - rest.len()).unwrap_or(u64::MAX);
        let torn = rest.iter().all(|byte| *byte == 0) || rest.len() < FRAME_HEADER;
        if torn {
            return Ok((records, offset));
        }
        let mut frame = rest.clone();
        let length = usize::try_from(frame.get_u32_le()).unwrap_or(usize::MAX);
        let crc = frame.get_u32_le();
        if length > frame.len() {
            return Ok((records, offset));
        }
        let payload = frame.split_to(length);
        if crc32fast::hash(&payload) != crc {
            if frame.is_empty() {
                return Ok((records, offset));
            }
            return Err((offset, "the checksum of a frame does not match".to_owned()));
        }
        decode(payload, &mut records).map_err(|error| (offset, error.to_string()))?;
        rest = frame;
    }
}

/// Reads the records of a frame.
fn decode(mut payload: Bytes, records: &mut Vec<Record>) -> Result<(), prost::DecodeError> {
    while payload.has_remaining() {
        records.push(Record::decode_length_delimited(&mut payload)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id_bound: u64) -> Record {
        Record { id_bound, ..Record::default() }
    }

    fn file(bounds: &[u64]) -> Vec<u8> {
        let mut content = MAGIC.to_vec();
        for bound in bounds {
            content.extend(frame_of(&record(*bound).encode_length_delimited_to_vec()).unwrap());
        }
        content
    }

    #[test]
    fn every_torn_end_is_cut_and_nothing_before_it() {
        let whole = file(&[1, 2, 3]);
        let two = file(&[1, 2]).len();
        for length in two..whole.len() {
            let (records, valid) = read(&Bytes::copy_from_slice(&whole[..length])).unwrap();
            assert_eq!(records, [record(1), record(2)]);
            assert_eq!(valid, two as u64);
        }
        let mut zeroes = whole.clone();
        zeroes.extend([0; 100]);
        assert_eq!(read(&zeroes.into()).unwrap().1, whole.len() as u64);
    }

    #[test]
    fn damage_before_the_end_is_reported() {
        let mut content = file(&[1, 2, 3]);
        content[MAGIC.len() + FRAME_HEADER] ^= 1;
        assert_eq!(read(&content.into()).unwrap_err().0, MAGIC.len() as u64);
        assert!(read(&Bytes::from_static(b"something else")).is_err());
    }

    #[test]
    fn a_new_file_replaces_the_old_one_and_others_are_kept_out() {
        let dir = tempfile::tempdir().unwrap();
        let (mut folder, records) = Folder::open(dir.path()).unwrap();
        assert!(records.is_empty());
        folder.write(&record(1).encode_length_delimited_to_vec()).unwrap();
        assert!(matches!(Folder::open(dir.path()), Err(StartError::DataDirInUse { .. })));
        let snapshot = record(7).encode_length_delimited_to_vec();
        folder.rotate(&snapshot, &record(8).encode_length_delimited_to_vec()).unwrap();
        folder.write(&record(9).encode_length_delimited_to_vec()).unwrap();
        drop(folder);
        let (folder, records) = Folder::open(dir.path()).unwrap();
        assert_eq!(records, [record(7), record(8), record(9)]);
        assert_eq!(folder.generation, 2);
        assert!(!path_of(dir.path(), 1).exists());
    }
}
