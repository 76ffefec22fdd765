//! The directory of spill files, and how many of them are open at once.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::SorterError;

/// Name of the file whose lock marks the directory as used.
const LOCK_FILE: &str = "LOCK";
/// Suffix of spill files.
const SUFFIX: &str = "run";

/// Open files for reading, the least recently used one closed first.
struct OpenFiles {
    /// How many may be open.
    limit: usize,
    /// Counts uses.
    clock: u64,
    /// Open files by number, with their last use.
    files: HashMap<u64, (Arc<File>, u64)>,
}

/// The directory that holds spill files.
pub(crate) struct SpillDir {
    /// Where it is.
    path: PathBuf,
    /// Holds the lock while the sorter lives.
    _lock: File,
    /// Number of the next file.
    next: AtomicU64,
    /// Files open for reading.
    open: Mutex<OpenFiles>,
    /// Bytes in all files.
    bytes: AtomicU64,
    /// Files that exist.
    count: AtomicU64,
    /// Files that nobody reads any more, to be unlinked by the spill thread.
    garbage: Mutex<Vec<PathBuf>>,
}

impl SpillDir {
    /// Creates the directory if it is missing, locks it, and removes the files of an earlier process.
    pub(crate) fn open(path: &Path, max_open_files: usize) -> Result<Arc<Self>, SorterError> {
        fs::create_dir_all(path).map_err(|error| SorterError::io(path, error))?;
        let lock_path = path.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| SorterError::io(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SorterError::DirectoryInUse { dir: path.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(SorterError::io(&lock_path, error)),
        }
        remove_old_files(path).map_err(|error| SorterError::io(path, error))?;
        Ok(Arc::new(Self {
            path: path.to_owned(),
            _lock: lock,
            next: AtomicU64::new(0),
            open: Mutex::new(OpenFiles { limit: max_open_files.max(1), clock: 0, files: HashMap::new() }),
            bytes: AtomicU64::new(0),
            count: AtomicU64::new(0),
            garbage: Mutex::new(Vec::new()),
        }))
    }

    /// Creates a spill file; it is removed when the last reference to it is dropped.
    pub(crate) fn create(self: &Arc<Self>) -> Result<(Arc<SpillFile>, File), SorterError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{number:012}.{SUFFIX}"));
        let file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(&path)
            .map_err(|error| SorterError::io(&path, error))?;
        self.count.fetch_add(1, Ordering::Relaxed);
        let spill = SpillFile { dir: Arc::clone(self), number, path, bytes: AtomicU64::new(0) };
        Ok((Arc::new(spill), file))
    }

    /// Bytes in all spill files, and their number.
    pub(crate) fn usage(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.count.load(Ordering::Relaxed))
    }

    /// Unlinks the files that nobody reads any more.
    pub(crate) fn remove_garbage(&self) {
        for path in std::mem::take(&mut *self.garbage.lock()) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "a spill file could not be removed");
            }
        }
    }

    /// The file for reading, opened if need be.
    fn reader(&self, file: &SpillFile) -> io::Result<Arc<File>> {
        let mut open = self.open.lock();
        open.clock += 1;
        let clock = open.clock;
        if let Some((reader, used)) = open.files.get_mut(&file.number) {
            *used = clock;
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(File::open(&file.path)?);
        if open.files.len() >= open.limit
            && let Some(oldest) =
                open.files.iter().min_by_key(|(_, (_, used))| *used).map(|(number, _)| *number)
        {
            open.files.remove(&oldest);
        }
        open.files.insert(file.number, (Arc::clone(&reader), clock));
        Ok(reader)
    }
}

/// Removes spill files, and nothing else.
fn remove_old_files(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_file() && path.extension().is_some_and(|suffix| suffix == SUFFIX) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// A file with runs of one or more tables.
pub(crate) struct SpillFile {
    /// The directory that it is in.
    dir: Arc<SpillDir>,
    /// Its number, unique in the directory.
    number: u64,
    /// Its path.
    path: PathBuf,
    /// Bytes written.
    bytes: AtomicU64,
}

impl SpillFile {
    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Counts written bytes.
    pub(crate) fn grew(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.dir.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reads `length` bytes at `offset`.
    pub(crate) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, SorterError> {
        let mut buffer = vec![0; length];
        self.dir
            .reader(self)
            .and_then(|file| file.read_exact_at(&mut buffer, offset))
            .map_err(|error| SorterError::io(&self.path, error))?;
        Ok(buffer)
    }
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        self.dir.open.lock().files.remove(&self.number);
        self.dir.bytes.fetch_sub(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        self.dir.count.fetch_sub(1, Ordering::Relaxed);
        self.dir.garbage.lock().push(std::mem::take(&mut self.path));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_directory_is_cleaned_at_start_and_used_by_one_sorter_only() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("000000000007.run"), b"old").unwrap();
        fs::write(dir.path().join("notes.txt"), b"not ours").unwrap();
        let opened = SpillDir::open(dir.path(), 2).unwrap();
        assert!(!dir.path().join("000000000007.run").exists());
        assert!(dir.path().join("notes.txt").exists());
        assert!(matches!(SpillDir::open(dir.path(), 2), Err(SorterError::DirectoryInUse { .. })));
        drop(opened);
        assert!(SpillDir::open(dir.path(), 2).is_ok());
    }

    #[test]
    fn few_files_stay_open_however_many_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let spill = SpillDir::open(dir.path(), 3).unwrap();
        let mut files = Vec::new();
        for number in 0_u8..20 {
            let (file, mut writer) = spill.create().unwrap();
            writer.write_all(&[number; 10]).unwrap();
            file.grew(10);
            files.push(file);
        }
        for _ in 0..2 {
            for (file, number) in files.iter().zip(0_u8..) {
                assert_eq!(file.read(2, 3).unwrap(), [number; 3]);
                assert!(spill.open.lock().files.len() <= 3);
            }
        }
        assert_eq!(spill.usage(), (200, 20));
        drop(files);
        spill.remove_garbage();
        assert_eq!(spill.usage(), (0, 0));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
