//! What P1 computes with beyond its memory: the upload it answers and the answer itself.
//!
//! P1's memory is bounded by a setting, never by the number of users. What a round receives and
//! sends therefore lies in memory only where it fits, else in a file that has no name, which the
//! operating system takes back with the process. Which of the two follows from public sizes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::preprocessed::{Bulk, StockStorage};

/// What P1's answers may take of its machine.
#[derive(Clone, Debug)]
pub struct WorkingSpace {
    /// Most memory for ciphertexts, whatever the number of users, bytes. Threads have their own
    /// buffers beside it, some hundred KiB each.
    pub memory_limit_bytes: usize,
    /// Where the rest lies while a round is answered: room for its upload and answer.
    pub directory: PathBuf,
}

/// Bytes that are written once, one behind the other, and read back in any order.
pub(crate) enum Scratch {
    /// In memory, which was found large enough for `total_bytes`.
    Memory { bytes: Vec<u8>, total_bytes: usize },
    /// In a file without a name.
    File { file: File, length: u64 },
    /// In a stock's storage, `length` bytes from its beginning so far.
    Stored {
        storage: Arc<dyn StockStorage>,
        bulk: Bulk,
        length: u64,
    },
}

impl Scratch {
    /// None yet; `total_bytes` will come. In memory when `in_memory`.
    pub(crate) fn new(
        space: &WorkingSpace,
        in_memory: bool,
        total_bytes: usize,
    ) -> io::Result<Scratch> {
        if in_memory {
            let bytes = Vec::new();
            return Ok(Scratch::Memory { bytes, total_bytes });
        }
        let file = tempfile::tempfile_in(&space.directory).map_err(at(&space.directory))?;
        Ok(Scratch::File { file, length: 0 })
    }

    /// None yet, in a stock's storage.
    pub(crate) fn stored(storage: &Arc<dyn StockStorage>, bulk: Bulk) -> Scratch {
        Scratch::Stored {
            storage: Arc::clone(storage),
            bulk,
            length: 0,
        }
    }

    /// Puts `new` behind what is there.
    pub(crate) fn append(&mut self, new: &[u8]) -> io::Result<()> {
        match self {
            Scratch::Memory { bytes, total_bytes } => {
                // Once: growing by doubling would take thrice the size for a moment.
                bytes.reserve_exact(total_bytes.saturating_sub(bytes.len()));
                bytes.extend_from_slice(new);
            }
            Scratch::File { file, length } => {
                file.write_all_at(new, *length)?;
                *length += new.len() as u64;
            }
            Scratch::Stored {
                storage,
                bulk,
                length,
            } => {
                storage.write_at(*bulk, *length, new)?;
                *length += new.len() as u64;
            }
        }
        Ok(())
    }

    /// Reads what lies `offset_bytes` from the beginning.
    pub(crate) fn read_at(&self, offset_bytes: u64, out: &mut [u8]) -> io::Result<()> {
        match self {
            Scratch::Memory { bytes, .. } => {
                let start = usize::try_from(offset_bytes).map_err(io::Error::other)?;
                let stored = bytes
                    .get(start..)
                    .and_then(|rest| rest.get(..out.len()))
                    .ok_or(io::ErrorKind::UnexpectedEof)?;
                out.copy_from_slice(stored);
                Ok(())
            }
            Scratch::File { file, .. } => file.read_exact_at(out, offset_bytes),
            Scratch::Stored { storage, bulk, .. } => storage.read_at(*bulk, offset_bytes, out),
        }
    }
}

/// Adds the path to a file system's error; its kind stays.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessed::MemoryStorage;

    #[test]
    fn every_place_keeps_one_contract() {
        let directory = tempfile::tempdir().unwrap();
        let space = WorkingSpace {
            memory_limit_bytes: 0,
            directory: directory.path().to_owned(),
        };
        let storage: Arc<dyn StockStorage> = Arc::new(MemoryStorage::default());
        for mut scratch in [
            Scratch::new(&space, true, 7).unwrap(),
            Scratch::new(&space, false, 7).unwrap(),
            Scratch::stored(&storage, Bulk::Answer),
        ] {
            scratch.append(b"abc").unwrap();
            scratch.append(b"").unwrap();
            scratch.append(b"defg").unwrap();
            let mut read = [0; 4];
            scratch.read_at(2, &mut read).unwrap();
            assert_eq!(&read, b"cdef");
            assert!(scratch.read_at(4, &mut read).is_err());
            assert!(scratch.read_at(u64::MAX, &mut read).is_err());
        }
        // Nothing of it is found by name, then or later.
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let space = WorkingSpace {
            memory_limit_bytes: 0,
            directory: "/nowhere/at/all".into(),
        };
        let error = Scratch::new(&space, false, 7).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
