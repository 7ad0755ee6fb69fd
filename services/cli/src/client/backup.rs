//! A backup, written as it comes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use s3rec_wire::v1;
use tonic::{Response, Status, Streaming};

use crate::failure::Failure;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WrittenBackup {
    /// Where.
    pub file: PathBuf,
    /// Its length.
    pub bytes: u64,
}

/// Writes a backup to a new file that its owner alone can read, and removes what is not whole.
///
/// # Errors
/// [`Failure::File`], above all for a file that is there; [`Failure::Refused`];
/// [`Failure::Incomplete`] for a backup that ends early.
pub async fn write_backup(
    path: &Path,
    call: impl Future<Output = Result<Response<Streaming<v1::BackupChunk>>, Status>>,
) -> Result<WrittenBackup, Failure> {
    let failed = |source| Failure::File {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let file = file.map_err(failed)?;
    let written = match call.await {
        Ok(chunks) => receive(file, path, chunks.into_inner()).await,
        Err(status) => Err(status.into()),
    };
    if written.is_err() {
        // It was made here.
        let _ = std::fs::remove_file(path);
    }
    Ok(WrittenBackup {
        file: path.to_owned(),
        bytes: written?,
    })
}

async fn receive(
    mut file: File,
    path: &Path,
    mut chunks: Streaming<v1::BackupChunk>,
) -> Result<u64, Failure> {
    let failed = |source: io::Error| Failure::File {
        path: path.to_owned(),
        source,
    };
    let (mut expected, mut bytes) = (0, 0);
    while let Some(chunk) = chunks.message().await? {
        expected = chunk.total_bytes.max(expected);
        bytes += chunk.data.len() as u64;
        file.write_all(&chunk.data).map_err(failed)?;
    }
    if bytes == 0 || bytes != expected {
        return Err(Failure::Incomplete {
            missing: "the end of the backup",
        });
    }
    file.sync_all().map_err(failed)?;
    Ok(bytes)
}

/// What the other platform lists, from the JSON that its command printed; without the words, which
/// are for people.
///
/// # Errors
/// [`Failure::File`], [`Failure::Usage`] for something else than such a list.
pub fn stated_since(path: &Path) -> Result<Vec<v1::Disclosure>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| Failure::File {
        path: path.to_owned(),
        source,
    })?;
    // Both platforms' lists have the same lines.
    let listed = s3rec_wire::json::from_json::<v1::ListRatingDisclosuresResponse>(&text);
    let listed = listed.map_err(|what| {
        let path = path.display();
        Failure::Usage(format!(
            "{path} is not what `disclosures --json` prints: {what}"
        ))
    })?;
    if listed.disclosures.is_empty() {
        let path = path.display();
        return Err(Failure::Usage(format!(
            "{path} lists no job; if nothing was shown since the backup, say --nothing-since"
        )));
    }
    let lines = listed.disclosures.into_iter();
    let lines = lines.map(|line| v1::Disclosure {
        statements: Vec::new(),
        own_statements: Vec::new(),
        ..line
    });
    Ok(lines.collect())
}
