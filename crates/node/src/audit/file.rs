//! The file of an audit log: appended to, never changed, mended only where nothing that was
//! acknowledged is lost.
//!
//! `audit.log` holds the entries. `audit.head` holds in two slots, written in turn, which
//! entry was last acknowledged and where the file ended then. An entry is on disk before its
//! head is, and its head before anybody relies on it. So at the next start, bytes behind the
//! acknowledged end are either whole entries, which stay, or the torn tail of one that nobody
//! was told of, which goes. Anything else is damage, and the daemon does not start.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use s3rec_audit::entry::Fields;
use s3rec_audit::record::MAGIC;
use s3rec_audit::{AuditError, Chain, Entry, Head, Kind};

/// Name of the log in the data directory.
pub const LOG_FILE: &str = "audit.log";
/// Name of the file that says what was acknowledged.
pub const HEAD_FILE: &str = "audit.head";

/// Logs that a restore has ended are called so, with the time between in milliseconds. They stay
/// beside the one that goes on: what they counted counts.
pub(crate) const EARLIER_LOG: &str = "audit.until-";
/// See [`EARLIER_LOG`].
pub(crate) const EARLIER_END: &str = ".log";

/// End of the file, sequence, log, hash, and a checksum of those.
const SLOT_BYTES: usize = 8 + 8 + 32 + 32 + 32;

/// Failures of the log's files. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum AuditFileError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An entry cannot be written as it is, or one on disk does not decode.
    #[error("{path}: entry {entry}: {source}")]
    Entry {
        /// The file.
        path: PathBuf,
        /// Which entry.
        entry: u64,
        /// Why.
        source: AuditError,
    },
    /// The log is shorter than what was acknowledged, or differs from it.
    #[error(
        "{path} does not hold entry {entry} as it was acknowledged: the file was changed or restored \
         from an older copy. Keep it, and ask the other platform for its log; a new one begins when both \
         {path} and audit.head are moved away"
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// The entry that was acknowledged last.
        entry: u64,
    },
    /// Neither slot of the head's file is whole.
    #[error("{path} is damaged; move it away after `s3rec audit verify` has found the log sound")]
    Slots {
        /// The file.
        path: PathBuf,
    },
    /// An earlier entry could not be written, and its remains could not be removed.
    #[error("{path}: an entry could not be written, so none is any more; restart the daemon")]
    Poisoned {
        /// The file.
        path: PathBuf,
    },
}

impl AuditFileError {
    /// Without random bytes no entry is written.
    pub(super) fn no_entropy() -> Self {
        Self::File {
            path: PathBuf::from(LOG_FILE),
            source: io::Error::other("the system gives no entropy"),
        }
    }

    /// What kind of error the file system's was; `Other` where none of its caused this.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::File { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        }
    }
}

/// An open log.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    log: File,
    heads: File,
    chain: Chain,
    length: u64,
    poisoned: bool,
}

impl LogFile {
    /// Opens the log in `data_dir`, which must exist, and mends a torn tail.
    ///
    /// # Errors
    /// [`AuditFileError`], above all [`AuditFileError::Lost`].
    pub fn open(data_dir: &Path) -> Result<Self, AuditFileError> {
        let (path, head_path) = (data_dir.join(LOG_FILE), data_dir.join(HEAD_FILE));
        let mut log = open(&path)?;
        let heads = open(&head_path)?;
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)
            .map_err(|source| broken(&path, source))?;
        let acknowledged = acknowledged(&heads, &head_path)?;
        let (chain, end) = read(&path, &bytes, acknowledged)?;
        let mut opened = Self {
            path,
            log,
            heads,
            chain,
            length: end,
            poisoned: false,
        };
        if end < bytes.len() as u64 {
            let lost = bytes.len() as u64 - end;
            tracing::warn!("removed {lost} bytes of an audit entry that was never acknowledged");
            opened.cut()?;
        }
        if end == 0 {
            opened.write(MAGIC.as_bytes())?;
        }
        // What was whole but not acknowledged is now.
        opened.acknowledge()?;
        Ok(opened)
    }

    /// The newest entry.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        self.chain.head()
    }

    /// Where the log lies, its length and newest entry.
    pub(super) fn end(&self) -> (PathBuf, u64, Option<Head>) {
        (self.path.clone(), self.length, self.head())
    }

    /// Appends an entry; when this returns, it survives whatever happens to the machine.
    ///
    /// # Errors
    /// [`AuditFileError`]; the log is then as it was before.
    pub fn append(
        &mut self,
        time_unix_ms: i64,
        kind: Kind,
        fields: Fields,
    ) -> Result<Head, AuditFileError> {
        let next = self.chain.next(time_unix_ms, kind, fields);
        let (bytes, chain) = next.map_err(|source| AuditFileError::Entry {
            path: self.path.clone(),
            entry: self.chain.head().map_or(0, |head| head.sequence + 1),
            source,
        })?;
        self.write(&bytes)?;
        self.chain = chain;
        self.acknowledge()?;
        self.chain.head().ok_or_else(|| self.poison())
    }

    /// Shows every entry, oldest first; what `look` misses in one ends it with that entry's number.
    /// Logs that a restore has ended come before this one.
    pub(super) fn each(
        &self,
        mut look: impl FnMut(&Entry) -> Result<(), AuditError>,
    ) -> Result<(), AuditFileError> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let earlier = earlier_logs(directory).map_err(|source| broken(directory, source))?;
        for path in earlier {
            let bytes = std::fs::read(&path).map_err(|source| broken(&path, source))?;
            each_in(&path, &bytes, &mut look)?;
        }
        let mut bytes = vec![0; usize::try_from(self.length).unwrap_or(usize::MAX)];
        let read = self.log.read_exact_at(&mut bytes, 0);
        read.map_err(|source| broken(&self.path, source))?;
        each_in(&self.path, &bytes, &mut look)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AuditFileError> {
        if self.poisoned {
            return Err(self.poison());
        }
        let end = SeekFrom::Start(self.length);
        let written = self.log.seek(end).and_then(|_| self.log.write_all(bytes));
        match written.and_then(|()| self.log.sync_data()) {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(source) => {
                // A full disk mostly: what was written of it must not stand before the next one.
                if self.cut().is_err() {
                    self.poisoned = true;
                }
                Err(broken(&self.path, source))
            }
        }
    }

    fn cut(&mut self) -> Result<(), AuditFileError> {
        let cut = self.log.set_len(self.length);
        cut.and_then(|()| self.log.sync_data())
            .map_err(|source| broken(&self.path, source))
    }

    fn acknowledge(&mut self) -> Result<(), AuditFileError> {
        let Some(head) = self.chain.head() else {
            return Ok(());
        };
        let mut slot = Vec::with_capacity(SLOT_BYTES);
        slot.extend(self.length.to_le_bytes());
        slot.extend(head.sequence.to_le_bytes());
        slot.extend(head.log);
        slot.extend(head.hash);
        let checksum = *blake3::hash(&slot).as_bytes();
        slot.extend(checksum);
        // The other slot keeps the head before, should this write be torn.
        let place = head.sequence % 2 * SLOT_BYTES as u64;
        let written = self.heads.write_all_at(&slot, place);
        let written = written.and_then(|()| self.heads.sync_data());
        written.map_err(|source| broken(&self.path.with_file_name(HEAD_FILE), source))
    }

    fn poison(&self) -> AuditFileError {
        AuditFileError::Poisoned {
            path: self.path.clone(),
        }
    }
}

/// The logs that a restore has ended, oldest first.
///
/// # Errors
/// The file system's.
pub(crate) fn earlier_logs(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(data_dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let until = name.strip_prefix(EARLIER_LOG);
        let until = until.and_then(|rest| rest.strip_suffix(EARLIER_END));
        if let Some(until) = until.and_then(|until| until.parse::<i64>().ok()) {
            logs.push((until, entry.path()));
        }
    }
    logs.sort();
    Ok(logs.into_iter().map(|(_, path)| path).collect())
}

/// Shows every entry of the log in `bytes`, which is whole.
fn each_in(
    path: &Path,
    bytes: &[u8],
    look: &mut impl FnMut(&Entry) -> Result<(), AuditError>,
) -> Result<(), AuditFileError> {
    let mut chain = Chain::default();
    let mut rest = bytes.get(MAGIC.len()..).unwrap_or_default();
    while !rest.is_empty() {
        let wrong = |source| AuditFileError::Entry {
            path: path.to_owned(),
            entry: chain.head().map_or(0, |head| head.sequence + 1),
            source,
        };
        let (entry, next, length) = chain.read(rest).map_err(wrong)?;
        look(&entry).map_err(wrong)?;
        chain = next;
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// The newest acknowledged head and where the file ended, none in a new log.
///
/// # Errors
/// [`AuditFileError`].
pub fn last_acknowledged(data_dir: &Path) -> Result<Option<(Head, u64)>, AuditFileError> {
    let path = data_dir.join(HEAD_FILE);
    match File::open(&path) {
        Ok(file) => acknowledged(&file, &path),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(broken(&path, source)),
    }
}

fn acknowledged(file: &File, path: &Path) -> Result<Option<(Head, u64)>, AuditFileError> {
    let mut bytes = Vec::new();
    let read = file
        .try_clone()
        .and_then(|file| file.take(2 * SLOT_BYTES as u64).read_to_end(&mut bytes));
    read.map_err(|source| broken(path, source))?;
    let newest = bytes
        .chunks(SLOT_BYTES)
        .filter_map(slot)
        .max_by_key(|(head, _)| head.sequence);
    match newest {
        None if bytes.iter().any(|byte| *byte != 0) => Err(AuditFileError::Slots {
            path: path.to_owned(),
        }),
        newest => Ok(newest),
    }
}

fn slot(bytes: &[u8]) -> Option<(Head, u64)> {
    let (content, checksum) = bytes.split_at_checked(SLOT_BYTES - 32)?;
    if blake3::hash(content).as_bytes() != checksum {
        return None;
    }
    let (end, rest) = content.split_first_chunk()?;
    let (sequence, rest) = rest.split_first_chunk()?;
    let (log, hash) = rest.split_first_chunk()?;
    let head = Head {
        log: *log,
        sequence: u64::from_le_bytes(*sequence),
        hash: hash.try_into().ok()?,
    };
    Some((head, u64::from_le_bytes(*end)))
}

/// The chain of all whole entries, and where they end.
fn read(
    path: &Path,
    bytes: &[u8],
    acknowledged: Option<(Head, u64)>,
) -> Result<(Chain, u64), AuditFileError> {
    let lost = |entry| AuditFileError::Lost {
        path: path.to_owned(),
        entry,
    };
    let magic = MAGIC.as_bytes();
    if !bytes.starts_with(magic) {
        return match acknowledged {
            Some((head, _)) => Err(lost(head.sequence)),
            None if magic.starts_with(bytes) => Ok((Chain::default(), 0)),
            None => Err(AuditFileError::Entry {
                path: path.to_owned(),
                entry: 0,
                source: AuditError::Magic { expected: MAGIC },
            }),
        };
    }
    let (mut chain, mut offset, mut met) = (Chain::default(), magic.len(), acknowledged.is_none());
    while offset < bytes.len() {
        let entry = chain.head().map_or(0, |head| head.sequence + 1);
        let (next, length) = match chain.read(&bytes[offset..]) {
            Ok((_, next, length)) => (next, length),
            // Zeros or half an entry at the very end: the write that a crash cut off.
            Err(_) if met => break,
            Err(source) => {
                return Err(AuditFileError::Entry {
                    path: path.to_owned(),
                    entry,
                    source,
                });
            }
        };
        (chain, offset) = (next, offset + length);
        if let Some((head, end)) = acknowledged
            && entry == head.sequence
        {
            met = chain.head() == Some(head) && offset as u64 == end;
            if !met {
                return Err(lost(head.sequence));
            }
        }
    }
    match acknowledged {
        Some((head, _)) if !met => Err(lost(head.sequence)),
        _ => Ok((chain, offset as u64)),
    }
}

fn open(path: &Path) -> Result<File, AuditFileError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let opened = options.mode(0o600).open(path);
    opened.map_err(|source| broken(path, source))
}

fn broken(path: &Path, source: io::Error) -> AuditFileError {
    AuditFileError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_audit::entry::fields;

    fn append(log: &mut LogFile, text: &str) -> Head {
        let fields = fields([("text", text.into())]);
        log.append(1, Kind::Daemon, fields).unwrap()
    }

    /// A closed log of three entries, and where each ends.
    fn three(directory: &Path) -> Vec<u64> {
        let mut log = LogFile::open(directory).unwrap();
        let ends = ["one", "two", "three"].map(|text| {
            append(&mut log, text);
            log.length
        });
        ends.to_vec()
    }

    #[test]
    fn a_log_goes_on_where_it_ended() {
        let directory = tempfile::tempdir().unwrap();
        three(directory.path());
        let mut log = LogFile::open(directory.path()).unwrap();
        assert_eq!(append(&mut log, "four").sequence, 3);
        let (head, end) = last_acknowledged(directory.path()).unwrap().unwrap();
        assert_eq!((Some(head), end), (log.head(), log.length));
    }

    #[test]
    fn a_torn_tail_is_mended_wherever_it_is_torn() {
        let source = tempfile::tempdir().unwrap();
        let ends = three(source.path());
        let whole = std::fs::read(source.path().join(LOG_FILE)).unwrap();
        // As a crash leaves it: the third entry half written, the second acknowledged.
        let directory = tempfile::tempdir().unwrap();
        for length in ends[1]..=ends[2] {
            let path = directory.path().join(LOG_FILE);
            std::fs::write(&path, &whole[..usize::try_from(ends[1]).unwrap()]).unwrap();
            let _ = std::fs::remove_file(directory.path().join(HEAD_FILE));
            drop(LogFile::open(directory.path()).unwrap());
            std::fs::write(&path, &whole[..usize::try_from(length).unwrap()]).unwrap();
            let mut log = LogFile::open(directory.path()).unwrap();
            let expected = if length == ends[2] { 3 } else { 2 };
            assert_eq!(append(&mut log, "next").sequence, expected, "{length}");
        }
    }

    #[test]
    fn what_was_acknowledged_is_never_mended_away() {
        for cut in 0..3 {
            let directory = tempfile::tempdir().unwrap();
            let ends = three(directory.path());
            let path = directory.path().join(LOG_FILE);
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(ends[2] - 1 - cut * 20).unwrap();
            let refused = LogFile::open(directory.path()).unwrap_err();
            assert!(
                matches!(
                    refused,
                    AuditFileError::Lost { .. } | AuditFileError::Entry { .. }
                ),
                "{refused}"
            );
            assert!(refused.to_string().contains(LOG_FILE), "{refused}");
        }
        // An older copy of the whole log.
        let directory = tempfile::tempdir().unwrap();
        let ends = three(directory.path());
        let path = directory.path().join(LOG_FILE);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(ends[1]).unwrap();
        let refused = LogFile::open(directory.path()).unwrap_err();
        assert!(matches!(refused, AuditFileError::Lost { entry: 2, .. }));
    }

    #[test]
    fn a_torn_slot_leaves_the_one_before_and_two_are_damage() {
        let directory = tempfile::tempdir().unwrap();
        three(directory.path());
        let path = directory.path().join(HEAD_FILE);
        let mut slots = std::fs::read(&path).unwrap();
        slots[3] ^= 1;
        std::fs::write(&path, &slots).unwrap();
        let log = LogFile::open(directory.path()).unwrap();
        assert_eq!(log.head().unwrap().sequence, 2);
        drop(log);
        let mut slots = std::fs::read(&path).unwrap();
        slots[3] ^= 1;
        slots[SLOT_BYTES + 3] ^= 1;
        std::fs::write(&path, &slots).unwrap();
        let refused = LogFile::open(directory.path()).unwrap_err();
        assert!(matches!(refused, AuditFileError::Slots { .. }), "{refused}");
    }
}
