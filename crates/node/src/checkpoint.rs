//! What a running job goes on from after a restart of its daemon: small files beside its stock,
//! each written whole or not at all, readable by us alone, and overwritten when it is replaced,
//! and when the stock is erased.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use s3rec_spmm::preprocessed::replace;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// A file's name, and the first byte of what this version writes.
#[derive(Clone, Copy, Debug)]
pub struct File(pub &'static str, u8);

/// What both sides agreed on, written once.
pub const AGREED: File = File("agreed", 1);
/// How far the job is, written every round. Version 1 kept its rounds as messages.
pub const PROGRESS: File = File("progress", 2);
/// The common users, written once when they are found. They outlive a stock that is thrown away:
/// a job that begins again has the same.
///
/// Version 1 kept them as a message.
pub const COMMON: File = File("common", 2);
/// Written once, before the first label of P1's ids leaves: no other ids are compared with them.
/// It outlives a stock like the common users.
pub const LABELLED: File = File("labelled", 1);

/// An opening of friends' sums: what it goes on from once its rows, or its a-parts, may have left.
pub const FRIENDS: File = File("friends", 1);

/// The files of one job.
#[derive(Clone, Debug)]
pub struct CheckpointFiles {
    directory: PathBuf,
}

impl CheckpointFiles {
    pub(crate) fn in_directory(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Replaces a file: when this returns, a crash keeps the new content; before, the old one.
    ///
    /// # Errors
    /// The file system's, with the path.
    pub fn save<T: Serialize>(&self, file: File, value: &T) -> io::Result<()> {
        let encoded = postcard::to_extend(value, vec![file.1]).map_err(io::Error::other)?;
        let encoded = Zeroizing::new(encoded);
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&self.directory);
        made.map_err(|error| {
            let path = self.directory.display();
            io::Error::new(error.kind(), format!("{path}: {error}"))
        })?;
        replace(&self.directory, file.0, &encoded)
    }

    /// What was saved last; `None` when nothing was, or its erasing was cut short.
    ///
    /// # Errors
    /// The file system's; `InvalidData` for a file that this version did not write.
    pub fn load<T: DeserializeOwned>(&self, file: File) -> io::Result<Option<T>> {
        self.load_or(file, |_, _| None)
    }

    /// The same; `older` reads what another version wrote, by its first byte and the rest.
    ///
    /// # Errors
    /// As [`Self::load`], where `older` gives nothing.
    pub fn load_or<T: DeserializeOwned>(
        &self,
        file: File,
        older: impl FnOnce(u8, &[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let File(name, version) = file;
        let path = self.directory.join(name);
        let encoded = match std::fs::read(&path) {
            Ok(encoded) => Zeroizing::new(encoded),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // Overwritten, and the process ended before it was removed.
        if !encoded.is_empty() && encoded.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let read = match encoded.split_first() {
            Some((first, body)) if *first == version => match postcard::take_from_bytes(body) {
                Ok((value, [])) => Some(value),
                _ => None,
            },
            Some((first, body)) => older(*first, body),
            None => None,
        };
        read.map(Some).ok_or_else(|| {
            let message = format!("{}: not written by this version", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_comes_back_and_nothing_else_does() {
        let directory = tempfile::tempdir().unwrap();
        let files = CheckpointFiles::in_directory(directory.path().join("job"));
        assert_eq!(files.load::<u32>(AGREED).unwrap(), None);
        let value = (7_u32, vec![0.1_f64, f64::MIN_POSITIVE]);
        files.save(AGREED, &(1_u32, vec![0.0_f64])).unwrap();
        files.save(AGREED, &value).unwrap();
        assert_eq!(files.load(AGREED).unwrap(), Some(value));
        let path = directory.path().join("job").join(AGREED.0);
        let good = std::fs::read(&path).unwrap();
        for bad in [
            &good[..good.len() - 1],
            &[good.as_slice(), &[0]].concat(),
            &[],
        ] {
            std::fs::write(&path, bad).unwrap();
            let refused = files.load::<(u32, Vec<f64>)>(AGREED).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        }
        std::fs::write(&path, vec![0; good.len()]).unwrap();
        assert!(files.load::<(u32, Vec<f64>)>(AGREED).unwrap().is_none());
        // A file that was being written when the process was killed changes nothing.
        std::fs::write(&path, &good).unwrap();
        std::fs::write(path.with_extension("next"), &good[..3]).unwrap();
        assert!(files.load::<(u32, Vec<f64>)>(AGREED).unwrap().is_some());
    }
}
