//! One moment of store, audit log and files, while jobs go on.
//!
//! Files are held by hard links, which an import or a deletion does not change, and the data sets
//! stand still while the store is copied from one of its read transactions: so every record has
//! the file that it is about. The log is copied last.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::MutexGuard;

use s3rec_audit::Kind;
use s3rec_audit::export::hexadecimal;
use s3rec_wire::status::Fault;
use tempfile::TempDir;

use super::archive::{Entry, LOG, Manifest, STORE, digest, head};
use crate::audit::{Audit, earlier_logs};
use crate::datasets::Content;
use crate::pki::CertificateRole;
use crate::platform::Core;
use crate::process::now_unix_ms;
use crate::spool::SPOOLED;
use crate::store::{SCHEMA_VERSION, Store};

/// How the names of folders begin that a backup needs while it leaves.
const STAGED: &str = ".backup-";
/// How the names of files end that are about to replace others.
const UNFINISHED: &str = ".new";
/// Bytes of one message.
const CHUNK_BYTES: usize = 1 << 20;

/// A folder whose files stand still while they are held.
pub trait Held: Sync {
    /// Nothing in the folder, and nothing that the store says of it, changes meanwhile.
    fn hold(&self) -> MutexGuard<'_, ()>;
    /// Where.
    fn folder(&self) -> &Path;
}

/// A backup that is ready to leave.
#[derive(Debug)]
pub struct Backup {
    head: Vec<u8>,
    /// What follows, in its order, with the lengths that the head states.
    contents: Vec<(PathBuf, u64)>,
    total_bytes: u64,
    /// Holds the files; removed with this.
    _staged: TempDir,
}

/// What a platform keeps.
pub(super) struct Kept<'a> {
    pub(super) data_dir: &'a Path,
    pub(super) store: &'a Store,
    pub(super) audit: &'a Audit,
    pub(super) role: CertificateRole,
}

impl<C: Content> Core<C> {
    /// A copy of what this platform keeps: the store, the audit log, `held`, and the files of
    /// `folders`, none of which ever changes. Blocks. `who` stands in the audit log.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`](s3rec_wire::status::Reason::StorageFailed).
    pub fn back_up(
        &self,
        held: &[&dyn Held],
        folders: &[PathBuf],
        who: &str,
    ) -> Result<Backup, Fault> {
        let kept = Kept {
            data_dir: &self.data_dir,
            store: &self.store,
            audit: &self.audit,
            role: self.role(),
        };
        kept.back_up(held, folders, who)
    }
}

impl Kept<'_> {
    pub(super) fn back_up(
        &self,
        held: &[&dyn Held],
        folders: &[PathBuf],
        who: &str,
    ) -> Result<Backup, Fault> {
        let data_dir = self.data_dir;
        let failed = |error: io::Error| storage(data_dir, &error);
        let staged = tempfile::Builder::new()
            .prefix(STAGED)
            .tempdir_in(data_dir)
            .map_err(failed)?;
        let made_unix_ms = now_unix_ms();
        let mut names = Vec::new();
        // What the store names is there before it is copied or after; what is made or deleted
        // meanwhile is in one of both.
        for folder in folders {
            link_files(staged.path(), folder, &mut names)?;
        }
        {
            let _still: Vec<_> = held.iter().map(|held| held.hold()).collect();
            self.store
                .dump(&staged.path().join(STORE))
                .map_err(Fault::from)?;
            for held in held {
                link_files(staged.path(), held.folder(), &mut names)?;
            }
        }
        for folder in folders {
            link_files(staged.path(), folder, &mut names)?;
        }
        for log in earlier_logs(data_dir).map_err(failed)? {
            link_file(&log, staged.path(), &mut names)?;
        }
        // Behind the store: it has all that the store has, and more.
        let last = self.audit.copy(&staged.path().join(LOG))?;
        let mut all = vec![STORE.to_owned(), LOG.to_owned()];
        all.extend(names);
        let (files, contents) = entries(staged.path(), all).map_err(failed)?;
        let manifest = Manifest {
            version: env!("CARGO_PKG_VERSION").into(),
            role: self.role.name().into(),
            made_unix_ms,
            schema: SCHEMA_VERSION,
            last_entry: last.sequence,
            last_hash: hexadecimal(&last.hash),
            files,
        };
        let head = head(&manifest, self.audit.signer()).map_err(failed)?;
        let total_bytes = contents.iter().map(|(_, bytes)| bytes).sum::<u64>() + head.len() as u64;
        let entry = [
            ("what", "a backup was made".into()),
            ("by", who.into()),
            ("bytes", total_bytes.into()),
            ("files", (manifest.files.len() as u64).into()),
            ("manifest", (*blake3::hash(&head).as_bytes()).into()),
        ];
        self.audit.record(Kind::Daemon, entry)?;
        tracing::info!(who, bytes = total_bytes, "a backup was made");
        Ok(Backup {
            head,
            contents,
            total_bytes,
            _staged: staged,
        })
    }
}

impl Backup {
    /// Of the whole file.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Gives the file piece by piece to `take`, until it wants no more. Blocks.
    ///
    /// # Errors
    /// The file system's; `UnexpectedEof` where a file became shorter.
    pub fn send(self, mut take: impl FnMut(Vec<u8>) -> bool) -> io::Result<()> {
        for piece in self.head.chunks(CHUNK_BYTES) {
            if !take(piece.to_vec()) {
                return Ok(());
            }
        }
        for (path, bytes) in &self.contents {
            let mut file = File::open(path)?.take(*bytes);
            let mut left = *bytes;
            while left > 0 {
                let mut piece = Vec::new();
                let most = left.min(CHUNK_BYTES as u64);
                file.by_ref().take(most).read_to_end(&mut piece)?;
                if piece.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                left -= piece.len() as u64;
                if !take(piece) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Removes what a backup left that its daemon's end cut short.
pub(crate) fn sweep(data_dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(data_dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(STAGED) {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Hard links to the files of a folder, under its name, and where they are; one that is there
/// stays.
fn link_files(staged: &Path, folder: &Path, names: &mut Vec<String>) -> Result<(), Fault> {
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(storage(folder, &error)),
    };
    let mut paths = Vec::new();
    for entry in listed {
        let entry = entry.map_err(|error| storage(folder, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(SPOOLED) && !name.ends_with(UNFINISHED) {
            paths.push(entry.path());
        }
    }
    // So that two backups of the same state have the same order.
    paths.sort();
    let name = folder.file_name().unwrap_or_default();
    let within = staged.join(name);
    std::fs::create_dir_all(&within).map_err(|error| storage(&within, &error))?;
    for path in paths {
        let mut linked = Vec::new();
        link_file(&path, &within, &mut linked)?;
        let folder = name.to_string_lossy();
        names.extend(linked.into_iter().map(|file| format!("{folder}/{file}")));
    }
    Ok(())
}

/// A hard link to a file, in a folder, and its name unless it has one there or is gone.
fn link_file(path: &Path, within: &Path, names: &mut Vec<String>) -> Result<(), Fault> {
    let Some(name) = path.file_name() else {
        return Ok(());
    };
    match std::fs::hard_link(path, within.join(name)) {
        Ok(()) => names.push(name.to_string_lossy().into_owned()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
            ) => {}
        Err(error) => return Err(storage(path, &error)),
    }
    Ok(())
}

/// Entries of the manifest, and the contents that are to leave with their lengths.
type Listed = (Vec<Entry>, Vec<(PathBuf, u64)>);

/// The entries of files, and where each content that is to leave lies: once, whoever has it.
fn entries(staged: &Path, names: Vec<String>) -> io::Result<Listed> {
    let (mut files, mut contents) = (Vec::new(), Vec::new());
    let mut by_inode: HashMap<u64, (String, u64)> = HashMap::new();
    let mut seen = HashSet::new();
    for name in names {
        let path = staged.join(&name);
        let file = File::open(&path)?;
        let inode = file.metadata()?.ino();
        let (digest, bytes) = match by_inode.get(&inode) {
            Some(known) => known.clone(),
            None => {
                let digested = digest(file)?;
                by_inode.insert(inode, digested.clone());
                digested
            }
        };
        if seen.insert(digest.clone()) {
            contents.push((path, bytes));
        }
        files.push(Entry {
            name,
            bytes,
            digest,
        });
    }
    Ok((files, contents))
}

fn storage(path: &Path, error: &io::Error) -> Fault {
    Fault::storage(format!("{}: {error}", path.display()), error.kind())
}
