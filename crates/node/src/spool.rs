//! Files on their way in: streamed in bounded chunks to a private file, then kept by name.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use s3rec_data::FileHeader;
use s3rec_wire::convert::file_header_from_wire;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::{FileChunk, file_chunk::Part};
use tokio::time::timeout;
use tonic::Streaming;

use crate::datasets::{DatasetName, parts};

/// A file on its way in, chunk by chunk.
pub type Upload = Streaming<FileChunk>;

/// Longest silence of a client that uploads.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// Longest name of a file that people import: as long as their systems' paths.
const MAX_FILE_NAME_BYTES: usize = 4096;

/// How the names of files on their way in begin: as no data set's name does.
pub(crate) const SPOOLED: &str = ".spool-";

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
    /// The name that it asks for.
    pub name: DatasetName,
    path: PathBuf,
}

impl Spooled {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the file as `kept`, in the same directory, replacing one there at once. On disk
    /// when this returns.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`].
    pub fn keep(self, kept: &Path) -> Result<(), Fault> {
        std::fs::rename(&self.path, kept).map_err(|error| storage(kept, &error))?;
        let directory = kept.parent().unwrap_or(Path::new("."));
        let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|error| storage(directory, &error))
    }
}

#[cfg(test)]
impl Spooled {
    /// A file of that text, as if it had been received.
    pub(crate) fn for_tests(header: FileHeader, path: &Path, text: &str) -> Result<Self, Fault> {
        let name = DatasetName::parse(&header.dataset)?;
        std::fs::write(path, text).map_err(|error| storage(path, &error))?;
        Ok(Self {
            header,
            name,
            path: path.to_owned(),
        })
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
/// [`Reason::InvalidRequest`] for a header that makes no sense, a broken stream of chunks, or
/// one that is not what the header states; [`Reason::LimitExceeded`], [`Reason::StorageFailed`].
/// Nothing is left of a file that is not complete.
pub async fn receive(
    mut chunks: Upload,
    directory: &Path,
    limit_bytes: u64,
) -> Result<Spooled, Fault> {
    let first = next(&mut chunks).await?.and_then(|chunk| chunk.part);
    let Some(Part::Header(header)) = first else {
        let message = "the first message of an import must be the file's header";
        return Err(Fault::new(Reason::InvalidRequest, message).at("field", "header"));
    };
    let header = file_header_from_wire(header);
    let name = check(&header)?;
    if header.length > limit_bytes {
        return Err(too_long(limit_bytes));
    }

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
    let (length, digest) = (header.length, header.digest.clone());
    let spooled = Spooled {
        header,
        name,
        path: path.clone(),
    };
    let mut received_bytes = 0_u64;
    let mut hasher = blake3::Hasher::new();
    while let Some(chunk) = next(&mut chunks).await? {
        let Some(Part::Data(data)) = chunk.part else {
            let message = "every message of an import after the first must be data";
            return Err(Fault::new(Reason::InvalidRequest, message).at("field", "data"));
        };
        received_bytes += data.len() as u64;
        if received_bytes > limit_bytes {
            return Err(too_long(limit_bytes));
        }
        if received_bytes > length {
            break;
        }
        hasher.update(&data);
        file.write_all(&data).map_err(failed)?;
    }
    if received_bytes != length {
        let message = match received_bytes < length {
            true => format!("the upload ended after {received_bytes} of {length} bytes"),
            false => format!("the upload goes on after the {length} bytes that its header states"),
        };
        return Err(incomplete(message, "length"));
    }
    if hasher.finalize().as_bytes().as_slice() != digest {
        let message = "what arrived is not what the header's digest states";
        return Err(incomplete(message.into(), "digest"));
    }
    file.sync_all().map_err(failed)?;
    Ok(spooled)
}

async fn next(chunks: &mut Upload) -> Result<Option<FileChunk>, Fault> {
    match timeout(IDLE_LIMIT, chunks.message()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(status)) => Err(Fault::unread(&status).unwrap_or_else(|| {
            let message = format!("the upload broke off: {}", status.message());
            Fault::new(Reason::InvalidRequest, message)
        })),
        Err(_) => Err(Fault::new(Reason::InvalidRequest, "the upload stalled")),
    }
}

/// A header that makes sense before anything of the file is seen; gives the name asked for.
fn check(header: &FileHeader) -> Result<DatasetName, Fault> {
    let refused = |message: &str, field: &str| {
        Err(Fault::new(Reason::InvalidRequest, message).at("field", field))
    };
    if header.file_name.is_empty() {
        return refused(
            "file_name is empty; it is how errors name the file",
            "file_name",
        );
    }
    if header.file_name.len() > MAX_FILE_NAME_BYTES {
        return refused("file_name has more than 4096 bytes", "file_name");
    }
    if header.digest.len() != blake3::OUT_LEN {
        let message = "digest must be the BLAKE3 of the file, 32 bytes, and length its bytes";
        return refused(message, "digest");
    }
    let texts = [
        ("file_name", &header.file_name),
        ("user_column", &header.user_column),
        ("item_column", &header.item_column),
        ("rating_column", &header.rating_column),
        ("timestamp_column", &header.timestamp_column),
        ("truster_column", &header.truster_column),
        ("trustee_column", &header.trustee_column),
        ("weight_column", &header.weight_column),
    ];
    if let Some((field, _)) = texts
        .iter()
        .find(|(_, text)| text.contains(char::is_control))
    {
        return refused(&format!("{field} has a control character"), field);
    }
    parts::check(header)?;
    if !header.lineage.is_empty() {
        DatasetName::parse(&header.lineage).map_err(|fault| fault.at("field", "lineage"))?;
    }
    DatasetName::parse(&header.dataset)
}

fn too_long(limit_bytes: u64) -> Fault {
    let message = format!("the file is larger than limits.import_bytes = {limit_bytes}");
    Fault::new(Reason::LimitExceeded, message)
}

fn incomplete(message: String, field: &str) -> Fault {
    Fault::new(Reason::InvalidRequest, message)
        .at("field", field)
        .remedied_by("Import the file again; nothing was changed.")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_makes_no_sense_is_refused_by_field() {
        let good = FileHeader {
            file_name: "my links.tsv".into(),
            dataset: "links".into(),
            delimiter: "\t".into(),
            user_column: "who, whom".into(),
            digest: vec![0; 32],
            ..FileHeader::default()
        };
        assert_eq!(check(&good).unwrap().as_str(), "links");
        type Change = fn(&mut FileHeader);
        let cases: [(&str, Change); 9] = [
            ("file_name", |h| h.file_name.clear()),
            ("file_name", |h| h.file_name = "a\u{1b}[2Jb".into()),
            ("file_name", |h| h.file_name = "x".repeat(5000)),
            ("digest", |h| h.digest.clear()),
            ("digest", |h| h.digest = vec![0; 31]),
            ("item_column", |h| h.item_column = "a\nb".into()),
            ("weight_column", |h| h.weight_column = "\u{85}".into()),
            ("lineage", |h| h.lineage = "../links".into()),
            ("dataset", |h| h.dataset = "a\0".into()),
        ];
        for (field, change) in cases {
            let mut header = good.clone();
            change(&mut header);
            let refused = check(&header).unwrap_err();
            assert_eq!(refused.reason, Reason::InvalidRequest, "{field}");
            let named = refused.metadata.get("field");
            assert_eq!(named.map(String::as_str), Some(field));
        }
    }

    #[test]
    fn what_an_import_left_is_swept_and_no_data_set_is() {
        let directory = tempfile::tempdir().unwrap();
        assert!(sweep(&directory.path().join("not there yet")).is_ok());
        let left = format!("{SPOOLED}{:032x}", unique());
        assert!(
            DatasetName::parse(&left).is_err(),
            "a data set may have this name"
        );
        let kept = ["links", "spool-of-links", ".job-1"];
        for name in kept.into_iter().chain([left.as_str()]) {
            std::fs::write(directory.path().join(name), "x").unwrap();
        }
        sweep(directory.path()).unwrap();
        assert!(!directory.path().join(left).exists());
        assert!(kept.iter().all(|name| directory.path().join(name).exists()));
    }
}
