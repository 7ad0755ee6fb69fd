//! What P1 must have on disk, on disk: as little as there can be around it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use s3rec_spmm::SpmmError;
use s3rec_spmm::noise_first::{Noised, Opening, OpeningRecord};

use crate::memory::moving;

/// Files of one directory, each written once and synced.
#[derive(Clone)]
pub(super) struct OnDisk(PathBuf);

impl OnDisk {
    pub(super) fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// Durable when it returns.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        moving(|| {
            let mut file = File::create(self.0.join(name))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            File::open(&self.0)?.sync_all()
        })
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), SpmmError> {
        let written = self.write(name, bytes);
        written
            .map_err(|error| SpmmError::Refused(format!("{name} cannot be kept: {error}").into()))
    }
}

impl OpeningRecord for OnDisk {
    fn bind(&mut self, opening: &Opening) -> Result<(), SpmmError> {
        self.put("social-seed", opening.mask_seed.as_bytes())
    }

    fn permit(&mut self, _: u64, upload: &[u8; 32]) -> Result<(), SpmmError> {
        self.put("social-upload", upload)
    }

    fn count(&mut self, number: u64) -> Result<(), SpmmError> {
        self.put("social-count", &number.to_le_bytes())
    }

    fn keep(&mut self, _: u64, answer: &Noised) -> Result<(), SpmmError> {
        self.put("social-answer", answer.bytes())
    }
}
