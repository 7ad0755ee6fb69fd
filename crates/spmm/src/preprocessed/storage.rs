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

    /// The record of a stock that somebody else may have open, for a
    /// [`StockSummary`](super::StockSummary).
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
mod tests {
    use super::*;

    fn keeps_what_it_is_given(storage: &dyn StockStorage) {
        assert!(storage.load().unwrap().is_none());
        storage.save(b"first").unwrap();
        storage.save(b"second, longer").unwrap();
        assert_eq!(storage.load().unwrap().unwrap(), b"second, longer");
        storage.write_at(Bulk::Shares, 5, b"abc").unwrap();
        storage.write_at(Bulk::Shares, 2, b"xy").unwrap();
        let mut read = [9; 4];
        storage.read_at(Bulk::Shares, 2, &mut read).unwrap();
        assert_eq!(&read, b"xy\0a");
        assert!(storage.read_at(Bulk::Shares, 6, &mut [0; 3]).is_err());
        assert!(storage.read_at(Bulk::Upload, 0, &mut [0; 1]).is_err());
        storage.discard(Bulk::Shares).unwrap();
        assert!(storage.read_at(Bulk::Shares, 2, &mut read).is_err());
    }

    #[test]
    fn memory_and_directory_keep_one_contract() {
        keeps_what_it_is_given(&MemoryStorage::default());
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stock");
        let opened = DirectoryStorage::open(&path).unwrap();
        keeps_what_it_is_given(&opened);
        let second = DirectoryStorage::open(&path);
        assert!(matches!(second, Err(error) if error.kind() == io::ErrorKind::WouldBlock));
        assert!(DirectoryStorage::peek(&path).unwrap().is_some());
        drop(opened);
        let reopened = DirectoryStorage::open(&path).unwrap();
        assert_eq!(reopened.load().unwrap().unwrap(), b"second, longer");
        DirectoryStorage::erase(&path).unwrap();
        assert!(!path.exists());
    }

    /// What can still be read of a secret through a hard link, as an undelete would.
    #[test]
    fn nothing_secret_is_left_where_it_was_replaced_or_erased() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stock");
        let storage = DirectoryStorage::open(&path).unwrap();
        let secret = b"a key that decrypts everything".repeat(5000);
        let linked = |name: &str, at: &str| {
            let link = directory.path().join(at);
            fs::hard_link(path.join(name), &link).unwrap();
            link
        };
        let is_gone = |link: &Path| {
            let left = fs::read(link).unwrap();
            left.len() == secret.len() && left.iter().all(|byte| *byte == 0)
        };
        storage.save(&secret).unwrap();
        let replaced = linked("record", "replaced");
        storage.save(&secret).unwrap();
        assert!(is_gone(&replaced));
        assert_eq!(storage.load().unwrap().unwrap(), secret);

        for bulk in Bulk::ALL {
            storage.write_at(bulk, 0, &secret).unwrap();
        }
        replace(&path, "progress", &secret).unwrap();
        // Cut short before its rename.
        fs::write(path.join("agreed.next"), &secret).unwrap();
        let names = ["record", "progress", "agreed.next", "shares"];
        let erased = names.map(|name| linked(name, name));
        DirectoryStorage::erase(&path).unwrap();
        assert!(!path.exists());
        for link in erased {
            assert!(is_gone(&link), "{}", link.display());
        }
    }

    /// A record that cannot be read is no missing record: a new stock would be made over it.
    #[test]
    fn a_record_that_cannot_be_read_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stock");
        assert!(DirectoryStorage::peek(&path).unwrap().is_none());
        fs::create_dir_all(path.join("record")).unwrap();
        assert!(DirectoryStorage::peek(&path).is_err());
        assert!(DirectoryStorage::open(&path).unwrap().load().is_err());
    }

    #[test]
    fn nobody_else_reads_a_stock() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stock");
        let storage = DirectoryStorage::open(&path).unwrap();
        storage.write_at(Bulk::Shares, 0, b"share").unwrap();
        storage.save(b"record").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        let files: Vec<_> = fs::read_dir(&path).unwrap().map(Result::unwrap).collect();
        assert!(files.len() > Bulk::ALL.len());
        for file in files {
            assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
        }
    }

    #[test]
    fn a_snapshot_is_a_backup() {
        let storage = MemoryStorage::default();
        storage.save(b"before").unwrap();
        let backup = storage.snapshot();
        storage.save(b"after").unwrap();
        assert_eq!(backup.load().unwrap().unwrap(), b"before");
    }

    #[test]
    fn emptying_spares_what_is_named_and_what_is_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        for name in ["kept", "secret", "other"] {
            fs::write(path.join(name), name).unwrap();
        }
        fs::create_dir(path.join("folder")).unwrap();
        fs::write(path.join("folder/file"), "of others").unwrap();
        DirectoryStorage::empty(path, &["kept"]).unwrap();
        assert_eq!(fs::read(path.join("kept")).unwrap(), b"kept");
        assert_eq!(fs::read(path.join("folder/file")).unwrap(), b"of others");
        assert_eq!(fs::read_dir(path).unwrap().count(), 2);
    }

    /// A secret that cannot be overwritten is not replaced without a word.
    #[test]
    fn what_cannot_be_opened_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (path, name) = (directory.path(), "secret");
        std::os::unix::fs::symlink(path.join(name), path.join(name)).unwrap();
        assert!(replace(path, name, b"new").is_err());
        assert!(path.join(name).is_symlink());
        fs::remove_file(path.join(name)).unwrap();
        replace(path, name, b"new").unwrap();
        assert_eq!(fs::read(path.join(name)).unwrap(), b"new");
    }
}
