//! The file of a backup.
//!
//! | bytes | what |
//! |---|---|
//! | 15 | `s3rec backup 1`, line feed |
//! | 4 | length of the manifest, little-endian |
//! | as many | the manifest, JSON: whose, when, and every file with its length and BLAKE3 |
//! | 32, 64 | the platform's public signing key, and its signature over the manifest |
//! | the rest | the files in the manifest's order, each content once |
//!
//! A file whose content stood before has none of its own: a job's copy of the data is mostly the
//! data set itself.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use s3rec_audit::{PublicKey, Signature, Signer};
use serde::{Deserialize, Serialize};

const MAGIC: &[u8] = b"s3rec backup 1\n";
const LABEL: &str = "backup";
/// Longest manifest, bytes: some ten thousand files.
const LONGEST: u32 = 16 << 20;
const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
/// Read and written at a time.
const BLOCK: usize = 1 << 16;

/// Name of the dump of the store's tables.
pub const STORE: &str = "store";
/// Name of the audit log up to the moment of the backup.
pub const LOG: &str = "audit.log";

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the daemon that made it.
    pub version: String,
    /// Whose: `rating` or `social`.
    pub role: String,
    /// When it was made, milliseconds since the Unix epoch.
    pub made_unix_ms: i64,
    /// Schema of the store.
    pub schema: u64,
    /// Sequence of the audit log's last entry in it.
    pub last_entry: u64,
    /// That entry's hash, hexadecimal.
    pub last_hash: String,
    /// In the order of their contents.
    pub files: Vec<Entry>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// [`STORE`], [`LOG`], or the place in the data directory.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its content, hexadecimal.
    pub digest: String,
}

/// Why a file is no backup to restore from.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{path} is no backup of s3rec, or one of a later version")]
    Magic {
        /// The file.
        path: PathBuf,
    },
    /// It ends too early.
    #[error("{path} is cut off: it ends within {what}")]
    Short {
        /// The file.
        path: PathBuf,
        /// Where.
        what: String,
    },
    /// Something was changed.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// Another key signed it.
    #[error("{path} was signed by the key {actual}, not by this platform's, {own}")]
    Signer {
        /// The file.
        path: PathBuf,
        /// Whose signature it has.
        actual: PublicKey,
        /// Ours.
        own: PublicKey,
    },
}

/// BLAKE3 of what a reader gives, hexadecimal, and how long it was.
///
/// # Errors
/// The reader's.
pub(crate) fn digest(reader: impl Read) -> io::Result<(String, u64)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(reader)?;
    Ok((hasher.finalize().to_hex().to_string(), hasher.count()))
}

/// Everything before the first content.
///
/// # Errors
/// A manifest that is too long, or does not encode.
pub(crate) fn head(manifest: &Manifest, signer: &Signer) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(manifest)?;
    let length = u32::try_from(text.len()).ok();
    let length = length.filter(|length| *length <= LONGEST).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "too many files for one backup")
    })?;
    let mut head = MAGIC.to_vec();
    head.extend(length.to_le_bytes());
    head.extend(&text);
    head.extend(signer.public().as_bytes());
    head.extend(signer.sign(LABEL, &text));
    Ok(head)
}

/// An open backup whose manifest is believed, at the first content.
pub(crate) struct Archive {
    path: PathBuf,
    reader: BufReader<File>,
    pub(crate) manifest: Manifest,
}

impl Archive {
    /// Reads the manifest, which must have a good signature of one of the keys that are believed.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub(crate) fn open(
        path: &Path,
        own: PublicKey,
        believed: Option<PublicKey>,
    ) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|source| broken(path, source))?;
        let mut reader = BufReader::with_capacity(BLOCK, file);
        let mut magic = [0; MAGIC.len()];
        match reader.read_exact(&mut magic) {
            Ok(()) if magic == MAGIC => {}
            Err(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(broken(path, source));
            }
            _ => return Err(ArchiveError::Magic { path: path.into() }),
        }
        let damaged = |what: &str| ArchiveError::Damaged {
            path: path.into(),
            what: what.into(),
        };
        let length = u32::from_le_bytes(exactly(&mut reader, path)?);
        if length > LONGEST {
            return Err(damaged("its manifest cannot be so long"));
        }
        let mut text = vec![0; length as usize];
        fill(&mut reader, path, &mut text)?;
        let key: [u8; KEY_BYTES] = exactly(&mut reader, path)?;
        let signature: Signature = exactly::<SIGNATURE_BYTES>(&mut reader, path)?;
        let key = PublicKey::from_bytes(&key).map_err(|_| damaged("its key is none"))?;
        if !key.has_signed(LABEL, &text, &signature) {
            return Err(damaged("its manifest is not what was signed"));
        }
        if key != own && Some(key) != believed {
            return Err(ArchiveError::Signer {
                path: path.into(),
                actual: key,
                own,
            });
        }
        let manifest = serde_json::from_slice(&text);
        Ok(Self {
            path: path.into(),
            reader,
            manifest: manifest.map_err(|_| damaged("its manifest does not read"))?,
        })
    }

    /// Gives every content, with the place of its entry in the manifest, to whatever `into` makes
    /// for it; then there must be nothing more.
    ///
    /// # Errors
    /// [`ArchiveError`]; that of a writer as the archive's.
    pub(crate) fn contents<W: Write>(
        &mut self,
        mut into: impl FnMut(usize, &Entry) -> io::Result<W>,
    ) -> Result<(), ArchiveError> {
        let mut seen = HashSet::new();
        for (place, entry) in self.manifest.files.iter().enumerate() {
            if !seen.insert(entry.digest.as_str()) {
                continue;
            }
            let mut writer = into(place, entry).map_err(|source| broken(&self.path, source))?;
            let mut hasher = blake3::Hasher::new();
            let mut block = vec![0; BLOCK];
            let mut left = entry.bytes;
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
                let part = block.get_mut(..most).unwrap_or_default();
                self.reader.read_exact(part).map_err(|source| {
                    if source.kind() == io::ErrorKind::UnexpectedEof {
                        let (path, what) = (self.path.clone(), entry.name.clone());
                        return ArchiveError::Short { path, what };
                    }
                    broken(&self.path, source)
                })?;
                hasher.update(part);
                let written = writer.write_all(part);
                written.map_err(|source| broken(&self.path, source))?;
                left -= most as u64;
            }
            let flushed = writer.flush();
            flushed.map_err(|source| broken(&self.path, source))?;
            if hasher.finalize().to_hex().as_str() != entry.digest {
                return Err(ArchiveError::Damaged {
                    path: self.path.clone(),
                    what: format!("{} is not what its digest states", entry.name),
                });
            }
        }
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(ArchiveError::Damaged {
                path: self.path.clone(),
                what: "it goes on behind its last file".into(),
            }),
            Err(source) => Err(broken(&self.path, source)),
        }
    }
}

fn exactly<const N: usize>(reader: &mut impl Read, path: &Path) -> Result<[u8; N], ArchiveError> {
    let mut bytes = [0; N];
    fill(reader, path, &mut bytes)?;
    Ok(bytes)
}

fn fill(reader: &mut impl Read, path: &Path, bytes: &mut [u8]) -> Result<(), ArchiveError> {
    reader.read_exact(bytes).map_err(|source| {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            let what = "its manifest".into();
            return ArchiveError::Short {
                path: path.into(),
                what,
            };
        }
        broken(path, source)
    })
}

fn broken(path: &Path, source: io::Error) -> ArchiveError {
    ArchiveError::File {
        path: path.into(),
        source,
    }
}
