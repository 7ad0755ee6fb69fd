//! Models on disk: one file each, written whole or not at all, readable by us alone.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use s3rec_algebra::RealMatrix;
use s3rec_data::{IdTable, RatingSet};
use s3rec_model::Model;
use s3rec_wire::status::{Fault, Reason};
use serde::{Deserialize, Serialize};

/// Version of the model files.
const FORMAT: u32 = 1;

/// A model on disk, with the ids behind its rows.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredModel {
    format: u32,
    mean: f64,
    scale: (f64, f64),
    user_ids: Vec<String>,
    item_ids: Vec<String>,
    columns: usize,
    users: Vec<f64>,
    items: Vec<f64>,
    row_norm_bound: u64,
}

impl StoredModel {
    pub(crate) fn new(model: &Model, ratings: &RatingSet, row_norm_bound: u64) -> Self {
        Self {
            format: FORMAT,
            mean: model.mean,
            scale: model.scale,
            user_ids: ratings.users.names().map(String::from).collect(),
            item_ids: ratings.items.names().map(String::from).collect(),
            columns: model.users.columns(),
            users: model.users.values().to_vec(),
            items: model.items.values().to_vec(),
            row_norm_bound,
        }
    }

    /// Writes the file whole or not at all, readable by us alone.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> Result<(), Fault> {
        let path = directory.join(name);
        let failed = |error: std::io::Error| {
            Fault::storage(format!("{}: {error}", path.display()), error.kind())
        };
        let bytes = postcard::to_stdvec(self).map_err(|error| {
            Fault::new(Reason::Bug, format!("a model does not encode: {error}"))
        })?;
        let mut builder = std::fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        let new = directory.join(format!("{name}.new"));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .map_err(failed)?;
        file.write_all(&bytes)
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        std::fs::rename(&new, &path).map_err(failed)
    }

    pub(crate) fn read(directory: &Path, name: &str) -> Result<Self, Fault> {
        let path = directory.join(name);
        let failed =
            |what: String| Fault::new(Reason::StorageFailed, format!("{}: {what}", path.display()));
        let bytes = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
        let stored: Self =
            postcard::from_bytes(&bytes).map_err(|error| failed(error.to_string()))?;
        if stored.format != FORMAT {
            return Err(failed(format!("format {} is not {FORMAT}", stored.format)));
        }
        Ok(stored)
    }

    /// Removes the file; one that is not there is no error.
    pub(crate) fn remove(directory: &Path, name: &str) -> Result<(), Fault> {
        let path = directory.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::storage(
                format!("{}: {error}", path.display()),
                error.kind(),
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn into_model(self) -> Result<(Model, IdTable, IdTable), Fault> {
        let corrupt = |_| Fault::new(Reason::StorageFailed, "a stored model has torn matrices");
        let model = Model {
            mean: self.mean,
            scale: self.scale,
            users: RealMatrix::from_vec(self.user_ids.len(), self.columns, self.users)
                .map_err(corrupt)?,
            items: RealMatrix::from_vec(self.item_ids.len(), self.columns, self.items)
                .map_err(corrupt)?,
        };
        let users = self.user_ids.into_iter().collect();
        Ok((model, users, self.item_ids.into_iter().collect()))
    }
}
