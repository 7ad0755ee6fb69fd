//! The file that nobody else can open: what is read from elsewhere is there whole before it goes on.

use std::fs::File;
use std::io::{Error, Seek};

use tokio::io::{AsyncWriteExt, BufWriter};

use crate::error::{SourceError, Trouble};
use crate::opened::Opened;

/// Rows come one by one, and files take more at once.
const BUFFER_BYTES: usize = 256 << 10;

/// An empty file without a name.
pub(crate) fn file() -> Result<File, SourceError> {
    tempfile::tempfile().map_err(|error| failed(&error))
}

/// Why what was read could not be kept.
pub(crate) fn failed(error: &Error) -> SourceError {
    let folder = std::env::temp_dir();
    SourceError::new(
        &folder.display().to_string(),
        Trouble::Local,
        format!("cannot keep there what is read: {error}"),
        "let TMPDIR name a folder with room for all of it",
    )
}

/// A file that is being filled.
pub(crate) struct Spool(BufWriter<tokio::fs::File>);

impl Spool {
    pub(crate) fn new(file: File) -> Self {
        let file = tokio::fs::File::from_std(file);
        Self(BufWriter::with_capacity(BUFFER_BYTES, file))
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let written = self.0.write_all(bytes).await;
        written.map_err(|error| failed(&error))
    }

    /// The file, all of it written, at its beginning.
    pub(crate) async fn finish(mut self) -> Result<Opened, SourceError> {
        self.0.flush().await.map_err(|error| failed(&error))?;
        let mut data = self.0.into_inner().into_std().await;
        data.rewind().map_err(|error| failed(&error))?;
        Ok(Opened {
            data,
            can_be_read_again: true,
        })
    }
}
