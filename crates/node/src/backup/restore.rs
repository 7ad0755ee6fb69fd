//! An empty data directory becomes what a backup holds, without a daemon.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use s3rec_audit::export::hexadecimal;
use s3rec_audit::{Kind, PublicKey, Verified, verify};
use s3rec_job::{JobEvent, JobState};
use s3rec_wire::status::Fault;

use super::archive::{Archive, ArchiveError, Entry, LOG, Manifest, STORE};
use super::restored::{moment, note, other};
use crate::audit::{Audit, AuditFileError, EARLIER_END, EARLIER_LOG};
use crate::config::TlsSettings;
use crate::journal::Journal;
use crate::pki::{CertificateRole, of_hexadecimal};
use crate::process::now_unix_ms;
use crate::records::RestoredFrom;
use crate::store::{RESTORING, SCHEMA_VERSION, Store, StoreError};
use crate::tls::{SignerError, TlsError, TlsMaterial};

/// What to restore from.
#[derive(Clone, Debug, clap::Args)]
pub struct Given {
    /// The backup, as `s3rec rating backup` or `s3rec social backup` wrote it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// This platform's own audit log, where a newer one than the backup's is left: what it counted
    /// since the backup is counted again.
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// The public signing key that this platform had when the backup was made, where it has another
    /// one now: 64 hexadecimal digits.
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    pub signed_by: Option<PublicKey>,
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The backup is another platform's, or of another version.
    #[error("{path} {what}")]
    Unfit {
        /// The backup, or a file of it.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// There is something where the backup would go.
    #[error("{path} is not empty; a backup is restored into a new data_dir")]
    Occupied {
        /// The data directory.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Keys and certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key of our signatures.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The new audit log.
    #[error(transparent)]
    Audit(#[from] AuditFileError),
    /// An entry of it.
    #[error(transparent)]
    Refused(#[from] Fault),
}

impl RestoreError {
    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Archive(ArchiveError::Signer { actual, .. }) => Some(format!(
                "If that was this platform's key when the backup was made, say so: --signed-by {actual}"
            )),
            Self::Archive(ArchiveError::Short { .. } | ArchiveError::Damaged { .. }) => {
                Some("Nothing was restored. Take another copy of the backup, or an older one.".into())
            }
            Self::Occupied { .. } => Some(
                "Name another data_dir, or move what is there away: it may be newer than the backup."
                    .into(),
            ),
            _ => None,
        }
    }
}

/// What was restored.
#[derive(Clone, Copy, Debug)]
pub struct Restored {
    /// When the backup was made, milliseconds since the Unix epoch.
    pub made_unix_ms: i64,
    /// Files that were written.
    pub files: usize,
    /// Jobs that were open, and have ended.
    pub ended: usize,
    /// Of the new audit log: the hash of its first entry.
    pub log: [u8; 32],
}

impl Restored {
    /// For whoever restored it.
    #[must_use]
    pub fn told(&self, data_dir: &Path, role: CertificateRole) -> String {
        let other = other(role);
        let Self { files, ended, .. } = self;
        format!(
            "{}: {files} files of the backup of {}; {ended} jobs that were open have ended.\n\
             Start the daemon. No job begins before what was shown since is counted: s3rec {role} \
             reconcile.\n\
             The {other} platform refuses the new audit log until its people accept it: s3rec {other} \
             accept-log {}",
            data_dir.display(),
            moment(self.made_unix_ms),
            hexadecimal(&self.log),
        )
    }
}

/// Checks the whole backup, then makes `data_dir` of it. Jobs that were open have ended; nothing
/// leaves for the other platform before the people here have reconciled what was shown since.
///
/// # Errors
/// [`RestoreError`]. What was begun of a data directory is refused by the daemon.
pub fn restore(
    given: &Given,
    data_dir: &Path,
    role: CertificateRole,
    tls: &TlsSettings,
) -> Result<Restored, RestoreError> {
    let material = TlsMaterial::load(tls, role)?;
    let signer = material.signer()?;
    let open = || Archive::open(&given.file, signer.public(), given.signed_by);
    let mut checked = open()?;
    fits(&given.file, &checked.manifest, role)?;
    checked.contents(|_, _| Ok(io::sink()))?;
    let newer = given.log.as_deref();
    let newer = newer
        .map(|log| newer_log(log, &checked.manifest))
        .transpose()?;
    empty(data_dir)?;

    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RestoreError::File { path, source }
    };
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(data_dir);
    made.map_err(failed(data_dir))?;
    let unfinished = data_dir.join(RESTORING);
    new_file(&unfinished).map_err(failed(&unfinished))?;
    let mut archive = open()?;
    let manifest = archive.manifest.clone();
    let made = manifest.made_unix_ms;
    let earlier = data_dir.join(format!("{EARLIER_LOG}{made}{EARLIER_END}"));
    let place = |entry: &Entry| match entry.name.as_str() {
        LOG => earlier.clone(),
        name => data_dir.join(name),
    };
    archive.contents(|_, entry| {
        let path = place(entry);
        if let Some(folder) = path.parent() {
            builder.create(folder)?;
        }
        new_file(&path)
    })?;
    repeat(&manifest.files, place).map_err(failed(data_dir))?;
    if let Some(bytes) = newer {
        let mut file = File::create(&earlier).map_err(failed(&earlier))?;
        file.write_all(&bytes).map_err(failed(&earlier))?;
    }
    let dump = data_dir.join(STORE);
    Store::open_restoring(data_dir)?.load(&dump)?;
    std::fs::remove_file(&dump).map_err(failed(&dump))?;
    // Anew, so that a store of an older version is brought up to this one.
    let store = Store::open_restoring(data_dir)?;
    note(
        &store,
        &RestoredFrom {
            made_unix_ms: manifest.made_unix_ms,
            restored_unix_ms: now_unix_ms(),
        },
    )?;
    let audit = Audit::open(data_dir, role, material.certificate(), signer)?;
    let entry = [
        ("what", "restored from a backup".into()),
        ("made_unix_ms", manifest.made_unix_ms.unsigned_abs().into()),
        ("last_entry", manifest.last_entry.into()),
    ];
    let log = audit.record(Kind::Daemon, entry)?.log;
    let ended = end_open_jobs(&store, &audit, manifest.made_unix_ms)?;
    std::fs::remove_file(&unfinished).map_err(failed(&unfinished))?;
    let synced = File::open(data_dir).and_then(|folder| folder.sync_all());
    synced.map_err(failed(data_dir))?;
    Ok(Restored {
        made_unix_ms: manifest.made_unix_ms,
        files: manifest.files.len(),
        ended,
        log,
    })
}

/// Whatever was open when the backup was made may have gone on since, with columns of its stock
/// that are not to be used again, and under an approval that may be used up.
fn end_open_jobs(store: &Store, audit: &Audit, made_unix_ms: i64) -> Result<usize, RestoreError> {
    let journal = Journal::open(store)?;
    let open = journal.open_jobs();
    for job in &open {
        let last = journal.last(job).unwrap_or_default();
        let message = format!(
            "Not brought over by the backup of {}, from which this platform was restored. Propose the \
             job anew.",
            moment(made_unix_ms)
        );
        let entry = [
            ("job", job.as_str().into()),
            ("state", "failed".into()),
            ("message", message.as_str().into()),
        ];
        audit.record(Kind::End, entry)?;
        let ending = JobEvent {
            job: job.clone(),
            state: JobState::Failed,
            waiting_for: None,
            remaining_seconds: 0.0,
            message,
            ..last
        };
        // Its stock is in no backup, and its copy of the data goes when the daemon starts.
        journal.end(ending, || {})?;
    }
    Ok(open.len())
}

fn fits(path: &Path, manifest: &Manifest, role: CertificateRole) -> Result<(), RestoreError> {
    let unfit = |what: String| {
        Err(RestoreError::Unfit {
            path: path.into(),
            what,
        })
    };
    if manifest.role != role.name() {
        let (theirs, own) = (&manifest.role, role.name());
        return unfit(format!(
            "is a backup of a {theirs} platform; this is the {own} platform's daemon"
        ));
    }
    if manifest.schema > SCHEMA_VERSION {
        return unfit(format!(
            "was made by version {} (schema {}); this version reads schemas up to {SCHEMA_VERSION}",
            manifest.version, manifest.schema
        ));
    }
    for needed in [STORE, LOG] {
        if !manifest.files.iter().any(|file| file.name == needed) {
            return unfit(format!("lacks {needed}"));
        }
    }
    match manifest.files.iter().find(|file| !is_ours(&file.name)) {
        None => Ok(()),
        Some(file) => unfit(format!("names a file that no backup has: {:?}", file.name)),
    }
}

/// Names that a backup has: files, and files in a folder. None of them leaves the data directory.
pub(super) fn is_ours(name: &str) -> bool {
    let parts: Vec<_> = Path::new(name).components().collect();
    let plain = |part: &Component<'_>| matches!(part, Component::Normal(_));
    parts.iter().all(plain)
        && match parts.len() {
            1 => name == STORE || name == LOG || name.starts_with(EARLIER_LOG),
            2 => !name.starts_with("stocks/"),
            _ => false,
        }
}

/// The bytes of an audit log that is sound and goes on from the backup's.
fn newer_log(path: &Path, manifest: &Manifest) -> Result<Vec<u8>, RestoreError> {
    let bytes = std::fs::read(path).map_err(|source| RestoreError::File {
        path: path.into(),
        source,
    })?;
    let unfit = |what: String| RestoreError::Unfit {
        path: path.into(),
        what,
    };
    let log: Verified =
        verify(&bytes).map_err(|finding| unfit(format!("is damaged: {finding}")))?;
    if log.role != manifest.role {
        return Err(unfit(format!("is a {} platform's log", log.role)));
    }
    let place = usize::try_from(manifest.last_entry).ok();
    let hash = place.and_then(|place| log.entries.get(place));
    let hash = hash.map(|(_, hash)| hexadecimal(hash));
    match hash.as_ref() == Some(&manifest.last_hash) {
        true => Ok(bytes),
        false => Err(unfit(format!(
            "does not go on from the backup's log, whose last entry is {} ({})",
            manifest.last_entry, manifest.last_hash
        ))),
    }
}

/// Files whose content stood before under another name.
fn repeat(files: &[Entry], place: impl Fn(&Entry) -> PathBuf) -> io::Result<()> {
    for (at, file) in files.iter().enumerate() {
        let earlier = files.iter().take(at);
        let Some(same) = earlier.into_iter().find(|one| one.digest == file.digest) else {
            continue;
        };
        let path = place(file);
        if let Some(folder) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        std::fs::hard_link(place(same), path)?;
    }
    Ok(())
}

fn empty(data_dir: &Path) -> Result<(), RestoreError> {
    let listed =
        std::fs::read_dir(data_dir).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    match listed {
        // A new file system of its own has that.
        Ok(entries)
            if entries
                .iter()
                .all(|entry| entry.file_name() == "lost+found") =>
        {
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) => Err(RestoreError::Occupied {
            path: data_dir.into(),
        }),
        Err(source) => Err(RestoreError::File {
            path: data_dir.into(),
            source,
        }),
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

fn public_key(text: &str) -> Result<PublicKey, String> {
    let bytes = of_hexadecimal(text).ok_or("a key is 64 hexadecimal digits")?;
    PublicKey::from_bytes(&bytes).map_err(|error| error.to_string())
}
