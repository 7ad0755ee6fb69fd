//! Files on their way in: streamed in bounded chunks to a private file, then kept by name.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::{FileChunk, FileHeader, file_chunk::Part};
use tokio::time::timeout;
use tonic::Streaming;

/// Longest silence of a client that uploads.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// Longest name of a data set, bytes.
const MAX_NAME_BYTES: usize = 64;

/// How the names of files on their way in begin: as no data set's name does.
const SPOOLED: &str = ".spool-";

/// Removes what an import left that its daemon's end cut short: it takes room, and in a
/// container, where every daemon has the same process id, the place of the next import.
///
/// # Errors
/// [`Reason::StorageFailed`].
pub fn sweep(directory: &Path) -> Result<(), Fault> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(storage(directory, &error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| storage(directory, &error))?;
        if entry.file_name().to_string_lossy().starts_with(SPOOLED) {
            std::fs::remove_file(entry.path()).map_err(|error| storage(&entry.path(), &error))?;
        }
    }
    Ok(())
}

/// A file received in full, deleted when dropped.
#[derive(Debug)]
pub struct Spooled {
    /// How to read it.
    pub header: FileHeader,
    path: PathBuf,
}

impl Spooled {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the file as `directory/name`, replacing one of that name at once.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn keep(self, directory: &Path, name: &str) -> Result<PathBuf, Fault> {
        let kept = directory.join(name);
        std::fs::rename(&self.path, &kept).map_err(|error| storage(&kept, &error))?;
        Ok(kept)
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        // Gone already when it was kept.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Receives a file of at most `limit_bytes` into `directory` (made with mode 0700).
///
/// # Errors
/// [`Reason::InvalidRequest`] for a broken stream of chunks or a bad name,
/// [`Reason::LimitExceeded`], [`Reason::StorageFailed`].
pub async fn receive(
    mut chunks: Streaming<FileChunk>,
    directory: &Path,
    limit_bytes: u64,
) -> Result<Spooled, Fault> {
    let first = next(&mut chunks).await?.and_then(|chunk| chunk.part);
    let Some(Part::Header(header)) = first else {
        let message = "the first message of an import must be the file's header";
        return Err(Fault::new(Reason::InvalidRequest, message).at("field", "header"));
    };
    check_name(&header.dataset)?;

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| storage(directory, &error))?;
    let path = directory.join(format!("{SPOOLED}{:032x}", unique()));
    let failed = |error: std::io::Error| storage(&path, &error);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    let spooled = Spooled {
        header,
        path: path.clone(),
    };
    let mut received_bytes = 0_u64;
    while let Some(chunk) = next(&mut chunks).await? {
        let Some(Part::Data(data)) = chunk.part else {
            let message = "every message of an import after the first must be data";
            return Err(Fault::new(Reason::InvalidRequest, message).at("field", "data"));
        };
        received_bytes += data.len() as u64;
        if received_bytes > limit_bytes {
            let message = format!("the file is larger than limits.import_bytes = {limit_bytes}");
            return Err(Fault::new(Reason::LimitExceeded, message));
        }
        file.write_all(&data).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    Ok(spooled)
}

async fn next(chunks: &mut Streaming<FileChunk>) -> Result<Option<FileChunk>, Fault> {
    match timeout(IDLE_LIMIT, chunks.message()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(status)) => Err(Fault::new(
            Reason::InvalidRequest,
            format!("the upload broke off: {}", status.message()),
        )),
        Err(_) => Err(Fault::new(Reason::InvalidRequest, "the upload stalled")),
    }
}

/// Data set names become file names, so they are plain words.
fn check_name(name: &str) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let good = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.chars().all(plain)
        && !name.starts_with('.');
    if good {
        return Ok(());
    }
    let message =
        "a data set's name is 1 to 64 letters, digits, '-', '_' or '.', not beginning with '.'";
    Err(Fault::new(Reason::InvalidRequest, message).at("field", "dataset"))
}

/// A name that no other import of this process has.
fn unique() -> u128 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    u128::from(std::process::id()) << 64 | u128::from(counter)
}

fn storage(path: &Path, error: &std::io::Error) -> Fault {
    Fault::storage(format!("{}: {error}", path.display()), error.kind())
}

/// The fault of a kept file that cannot be read: the operator knows it by its own name, not by
/// where it was spooled. `is_too_large` where it outgrew `limits.import_bytes` once decompressed.
#[must_use]
pub fn unreadable(path: &Path, header: &FileHeader, error: &str, is_too_large: bool) -> Fault {
    let message = error.replace(&path.display().to_string(), &header.file_name);
    let reason = match is_too_large {
        true => Reason::LimitExceeded,
        false => Reason::InvalidFile,
    };
    let fault = Fault::new(reason, message).at("file", &header.file_name);
    match reason {
        Reason::LimitExceeded => fault.remedied_by("The limit is limits.import_bytes."),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_import_left_is_swept_and_no_data_set_is() {
        let directory = tempfile::tempdir().unwrap();
        assert!(sweep(&directory.path().join("not there yet")).is_ok());
        let left = format!("{SPOOLED}{:032x}", unique());
        assert!(check_name(&left).is_err(), "a data set may have this name");
        let kept = ["links", "spool-of-links", ".job-1"];
        for name in kept.into_iter().chain([left.as_str()]) {
            std::fs::write(directory.path().join(name), "x").unwrap();
        }
        sweep(directory.path()).unwrap();
        assert!(!directory.path().join(left).exists());
        assert!(kept.iter().all(|name| directory.path().join(name).exists()));
    }

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        for name in [
            "",
            "..",
            ".hidden",
            "a/b",
            "../x",
            "a b",
            &"x".repeat(65),
            "ü",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_name("film-trust_2.tsv").is_ok());
    }
}
