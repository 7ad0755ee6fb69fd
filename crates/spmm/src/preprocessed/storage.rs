//! Where a stock lives: one small record that is replaced atomically, and bulk values.
//!
//! The protocol's safety rests on order: what a rule of section 3.3 wants on disk is on disk
//! when [`StockStorage::save`] returns, before anything that depends on it leaves the machine.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crate::scratch::at;

/// The bulk values of a stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bulk {
    /// W at P0, R at P1: shares of Y·Z, round by round.
    Shares,
    /// P1: P0's ciphertext bodies, kept to answer again when Y changes.
    Upload,
    /// P1: responses of the last block, until P0 is known to have them.
    Answer,
    /// P1: P0's public key, as received.
    PublicKey,
    /// P1: the rows it fetched of the block being answered.
    Fetched,
}

impl Bulk {
    const ALL: [Bulk; 5] = [
        Bulk::Shares,
        Bulk::Upload,
        Bulk::Answer,
        Bulk::PublicKey,
        Bulk::Fetched,
    ];

    fn file_name(self) -> &'static str {
        match self {
            Bulk::Shares => "shares",
            Bulk::Upload => "upload",
            Bulk::Answer => "answer",
            Bulk::PublicKey => "public-key",
            Bulk::Fetched => "fetched",
        }
    }
}

/// Durable storage of one party's stock.
pub trait StockStorage: Send + Sync {
    /// The record as last saved; `None` when there never was one.
    ///
    /// # Errors
    /// The storage's.
    fn load(&self) -> io::Result<Option<Vec<u8>>>;

    /// Replaces the record: when this returns, a crash keeps the new one; before, the old one.
    /// Bulk values written earlier are durable too.
    ///
    /// # Errors
    /// The storage's; whether old or new record is kept is then open.
    fn save(&self, record: &[u8]) -> io::Result<()>;

    /// Writes bulk values; durable at the next [`save`](StockStorage::save).
    ///
    /// # Errors
    /// The storage's.
    fn write_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads bulk values back.
    ///
    /// # Errors
    /// The storage's; `UnexpectedEof` for what was never written.
    fn read_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Forgets bulk values that are no longer needed.
    ///
    /// # Errors
    /// The storage's.
    fn discard(&self, bulk: Bulk) -> io::Result<()>;

    /// How long a block under way goes without a save: what is made or received within it is lost
    /// with the process or the connection. A save waits for the disk, so a fast link saves rarely,
    /// while over a slow one every frame counts.
    fn saves_every(&self) -> Duration {
        Duration::from_millis(250)
    }
}

/// A stock in a directory of its own: files `record` and one for each [`Bulk`], mode 0600.
pub struct DirectoryStorage {
    directory: PathBuf,
    bulk: BTreeMap<Bulk, BulkFile>,
    /// Locked while this lives: two owners of one stock would use its columns twice.
    _lock: File,
}

struct BulkFile {
    file: File,
    /// Written since the last save.
    is_dirty: AtomicBool,
}

impl DirectoryStorage {
    /// Opens or creates the directory, for this user alone, and locks it until dropped.
    ///
    /// # Errors
    /// The file system's, with the path; `WouldBlock` when this or another process has it open.
    pub fn open(directory: &Path) -> io::Result<DirectoryStorage> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(at(directory))?;
        let path = directory.join("lock");
        let lock = private(OpenOptions::new().create(true).truncate(false)).open(&path);
        let lock = lock.map_err(at(&path))?;
        lock.try_lock()?;
        let mut bulk = BTreeMap::new();
        for kind in Bulk::ALL {
            let path = directory.join(kind.file_name());
            let file = private(OpenOptions::new().create(true).truncate(false)).open(&path);
            let file = file.map_err(at(&path))?;
            bulk.insert(
                kind,
                BulkFile {
                    file,
                    is_dirty: AtomicBool::new(false),
                },
            );
        }
        Ok(DirectoryStorage {
            directory: directory.to_owned(),
            bulk,
            _lock: lock,
        })
    }

    /// The record of a stock that somebody else may have open, for
    /// [`SocialStock::openings_of`](super::SocialStock::openings_of).
    ///
    /// # Errors
    /// The file system's.
    pub fn peek(directory: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(directory.join("record")) {
            Ok(record) => Ok(Some(record)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Overwrites and removes a stock and what lies beside it, also under the hands of a computing
    /// thread that has it open still, whose next save then fails. What crossed the wire is only
    /// removed. See [`overwrite`] for what that is worth.
    ///
    /// # Errors
    /// The file system's.
    pub fn erase(directory: &Path) -> io::Result<()> {
        Self::empty(directory, &[])?;
        fs::remove_dir_all(directory)
    }

    /// As [`Self::erase`], but for the files `but` and the directory itself.
    ///
    /// # Errors
    /// The file system's.
    pub fn empty(directory: &Path, but: &[&str]) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if !but.iter().any(|name| entry.file_name() == *name) && entry.file_type()?.is_file() {
                files.push(entry);
            }
        }
        // All secrets before any name: what fails between is found and overwritten again.
        for entry in &files {
            let of = |bulk: &Bulk| entry.file_name() == bulk.file_name();
            let crossed = Bulk::ALL.iter().find(|bulk| of(bulk));
            if crossed.is_none_or(|bulk| *bulk == Bulk::Shares) {
                overwrite(&mut OpenOptions::new().write(true).open(entry.path())?)?;
            }
        }
        for entry in &files {
            fs::remove_file(entry.path())?;
        }
        File::open(directory)?.sync_all()
    }

    fn file(&self, bulk: Bulk) -> io::Result<&BulkFile> {
        self.bulk
            .get(&bulk)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// Overwrites a whole file with zeros, on disk when this returns.
///
/// On a file system that writes in place, on a disk that does, the content is gone then. File
/// systems that copy on write (btrfs, ZFS, snapshots of any) and flash storage, which moves what
/// is written, may keep the old content where only somebody with the device finds it.
///
/// # Errors
/// The file system's.
pub fn overwrite(file: &mut File) -> io::Result<()> {
    const AT_ONCE: usize = 1 << 16;
    let zeros = [0; AT_ONCE];
    let mut left = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    while left > 0 {
        let now = usize::try_from(left).map_or(AT_ONCE, |left| left.min(AT_ONCE));
        file.write_all(zeros.get(..now).unwrap_or(&zeros))?;
        left -= now as u64;
    }
    file.sync_all()
}

/// Writes a secret file for this user alone, over one that may be there: when this returns, a
/// crash keeps the new content; before, the old one. The old one is [overwritten](overwrite).
///
/// # Errors
/// The file system's, with the path.
pub fn replace(directory: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let (path, next) = (directory.join(name), directory.join(format!("{name}.next")));
    let replaced = || {
        let mut file = private(OpenOptions::new().create(true).truncate(true)).open(&next)?;
        file.write_all(content)?;
        file.sync_all()?;
        // Held open, it can be overwritten once nothing leads to it any more.
        let old = match OpenOptions::new().write(true).open(&path) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        fs::rename(&next, &path)?;
        File::open(directory)?.sync_all()?;
        old.map_or(Ok(()), |mut old| overwrite(&mut old))
    };
    replaced().map_err(at(&next))
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.read(true).write(true).mode(0o600)
}

impl StockStorage for DirectoryStorage {
    fn load(&self) -> io::Result<Option<Vec<u8>>> {
        DirectoryStorage::peek(&self.directory)
    }

    fn save(&self, record: &[u8]) -> io::Result<()> {
        for (kind, bulk) in &self.bulk {
            if bulk.is_dirty.swap(false, Ordering::AcqRel) {
                let synced = bulk.file.sync_data();
                synced.map_err(at(&self.directory.join(kind.file_name())))?;
            }
        }
        replace(&self.directory, "record", record)
    }

    fn write_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        let path = self.directory.join(bulk.file_name());
        let bulk = self.file(bulk)?;
        let written = bulk.file.write_all_at(bytes, offset_bytes);
        written.map_err(at(&path))?;
        bulk.is_dirty.store(true, Ordering::Release);
        Ok(())
    }

    fn read_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file(bulk)?.file.read_exact_at(bytes, offset_bytes)
    }

    fn discard(&self, bulk: Bulk) -> io::Result<()> {
        self.file(bulk)?.file.set_len(0)
    }
}

/// A stock in memory: for benchmarks, and for tests, which keep a clone as "the disk" while the
/// process that used it is killed. [`snapshot`](MemoryStorage::snapshot) makes a backup.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    content: Arc<RwLock<Content>>,
}

#[derive(Clone, Default)]
struct Content {
    record: Option<Vec<u8>>,
    bulk: BTreeMap<Bulk, Vec<u8>>,
}

impl MemoryStorage {
    /// A copy of the present content that later writes do not touch.
    #[must_use]
    pub fn snapshot(&self) -> MemoryStorage {
        MemoryStorage {
            content: Arc::new(RwLock::new(self.read().clone())),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StockStorage for MemoryStorage {
    fn load(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.read().record.clone())
    }

    fn save(&self, record: &[u8]) -> io::Result<()> {
        self.write().record = Some(record.to_vec());
        Ok(())
    }

    fn write_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset_bytes).map_err(io::Error::other)?;
        let mut content = self.write();
        let values = content.bulk.entry(bulk).or_default();
        if values.len() < offset + bytes.len() {
            values.resize(offset + bytes.len(), 0);
        }
        match values.get_mut(offset..offset + bytes.len()) {
            Some(place) => place.copy_from_slice(bytes),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        Ok(())
    }

    fn read_at(&self, bulk: Bulk, offset_bytes: u64, bytes: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset_bytes).map_err(io::Error::other)?;
        let content = self.read();
        let stored = content
            .bulk
            .get(&bulk)
            .and_then(|values| values.get(offset..)?.get(..bytes.len()));
        bytes.copy_from_slice(stored.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn discard(&self, bulk: Bulk) -> io::Result<()> {
        self.write().bulk.remove(&bulk);
        Ok(())
    }

    fn saves_every(&self) -> Duration {
        Duration::ZERO
    }
}

/// When a block under way is to be saved next.
pub(crate) struct Saves {
    every: Duration,
    last: Option<Instant>,
}

impl Saves {
    /// A block begins, or goes on from what is saved: its first frame is saved in any case, so that
    /// a connection that carries one gets on.
    pub(crate) fn of(storage: &dyn StockStorage) -> Saves {
        Saves {
            every: storage.saves_every(),
            last: None,
        }
    }

    /// Whether a save is due, which is then made.
    pub(crate) fn is_due(&mut self) -> bool {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= self.every);
        if is_due {
            self.last = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests;
