//! Models on disk: one file each, written whole or not at all, readable by us alone.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use s3rec_algebra::RealMatrix;
use s3rec_data::{IdTable, RatingSet};
use s3rec_model::{Model, Unit};
use s3rec_wire::status::{Fault, Reason};
use serde::{Deserialize, Serialize};

use crate::stored_friends::StoredFriends;

/// Version of the model files.
const FORMAT: u32 = 2;
/// The version before, whose models were learnt in rating units.
const FORMAT_IN_RATING_UNITS: u32 = 1;

/// A model on disk, with the ids behind its rows.
pub(crate) struct StoredModel {
    rows: StoredRows,
    learnt_in: LearntIn,
}

/// What both versions have; the number of the version comes first.
#[derive(Serialize, Deserialize)]
struct StoredRows {
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

/// What the version in rating units has not.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct LearntIn {
    unit: Unit,
    popularity_weight: f64,
}

impl StoredModel {
    pub(crate) fn new(
        model: &Model,
        ratings: &RatingSet,
        row_norm_bound: u64,
        popularity_weight: f64,
    ) -> Self {
        let rows = StoredRows {
            format: FORMAT,
            mean: model.mean,
            scale: model.scale,
            user_ids: ratings.users.names().map(String::from).collect(),
            item_ids: ratings.items.names().map(String::from).collect(),
            columns: model.users.columns(),
            users: model.users.values().to_vec(),
            items: model.items.values().to_vec(),
            row_norm_bound,
        };
        let learnt_in = LearntIn {
            unit: model.unit,
            popularity_weight,
        };
        Self { rows, learnt_in }
    }

    /// Writes the file whole or not at all, readable by us alone.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> Result<(), Fault> {
        let bytes = postcard::to_stdvec(&(&self.rows, self.learnt_in)).map_err(|error| {
            Fault::new(Reason::Bug, format!("a model does not encode: {error}"))
        })?;
        write_whole(directory, &directory.join(name), &bytes)
    }

    pub(crate) fn read(directory: &Path, name: &str) -> Result<Self, Fault> {
        let path = directory.join(name);
        let failed =
            |what: String| Fault::new(Reason::StorageFailed, format!("{}: {what}", path.display()));
        let bytes = std::fs::read(&path).map_err(|error| failed(error.to_string()))?;
        let torn = |error: postcard::Error| failed(error.to_string());
        let (rows, rest): (StoredRows, &[u8]) = postcard::take_from_bytes(&bytes).map_err(torn)?;
        let learnt_in = match rows.format {
            FORMAT => postcard::from_bytes(rest).map_err(torn)?,
            FORMAT_IN_RATING_UNITS => LearntIn {
                unit: Unit::OF_RATINGS,
                // It was the width of the scale then, always.
                popularity_weight: rows.scale.1 - rows.scale.0,
            },
            other => return Err(failed(format!("format {other} is not {FORMAT}"))),
        };
        Ok(Self { rows, learnt_in })
    }

    /// How much popularity counts in lists.
    pub(crate) fn popularity_weight(&self) -> f64 {
        self.learnt_in.popularity_weight
    }

    /// Removes the file; one that is not there is no error.
    pub(crate) fn remove(directory: &Path, name: &str) -> Result<(), Fault> {
        for path in [directory.join(name), StoredFriends::path(directory, name)] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let message = format!("{}: {error}", path.display());
                    return Err(Fault::storage(message, error.kind()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) fn into_model(self) -> Result<(Model, IdTable, IdTable), Fault> {
        let corrupt = |_| Fault::new(Reason::StorageFailed, "a stored model has torn matrices");
        let rows = self.rows;
        let model = Model {
            unit: self.learnt_in.unit,
            mean: rows.mean,
            scale: rows.scale,
            users: RealMatrix::from_vec(rows.user_ids.len(), rows.columns, rows.users)
                .map_err(corrupt)?,
            items: RealMatrix::from_vec(rows.item_ids.len(), rows.columns, rows.items)
                .map_err(corrupt)?,
        };
        let users = rows.user_ids.into_iter().collect();
        Ok((model, users, rows.item_ids.into_iter().collect()))
    }
}

/// Writes a file of `directory` whole or not at all, readable by us alone.
pub(crate) fn write_whole(directory: &Path, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let failed = |error: std::io::Error| {
        Fault::storage(format!("{}: {error}", path.display()), error.kind())
    };
    let mut builder = std::fs::DirBuilder::new();
    builder
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(failed)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    std::fs::rename(&new, path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_data::RatingOptions;

    fn model() -> (Model, RatingSet) {
        let file = Path::new("ratings.tsv");
        let rows = "a\tx\t1\nb\tx\t5\nb\ty\t3\n";
        let ratings = RatingSet::read_from(file, rows.as_bytes(), &RatingOptions::default());
        let matrix = |rows: usize| {
            let values = (0..rows * 2).map(|n| n as f64 - 1.5).collect();
            RealMatrix::from_vec(rows, 2, values).unwrap()
        };
        let model = Model {
            unit: Unit {
                centre: 3.0,
                spread: 2.0,
                ..Unit::OF_RATINGS
            },
            mean: 0.1,
            scale: (1.0, 5.0),
            users: matrix(2),
            items: matrix(2),
        };
        (model, ratings.unwrap())
    }

    #[test]
    fn a_model_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let (model, ratings) = model();
        let stored = StoredModel::new(&model, &ratings, 7, 2.0);
        stored.write(directory.path(), "m").unwrap();
        let read = StoredModel::read(directory.path(), "m").unwrap();
        assert_eq!(read.popularity_weight(), 2.0);
        let (back, users, items) = read.into_model().unwrap();
        assert_eq!((back.unit, back.mean), (model.unit, model.mean));
        assert_eq!(back.users.values(), model.users.values());
        assert_eq!((users.len(), items.len()), (2, 2));
    }

    #[test]
    fn a_model_of_the_version_before_is_in_rating_units() {
        let directory = tempfile::tempdir().unwrap();
        let (model, ratings) = model();
        let mut rows = StoredModel::new(&model, &ratings, 7, 2.0).rows;
        rows.format = FORMAT_IN_RATING_UNITS;
        let write = |rows: &StoredRows| {
            let bytes = postcard::to_stdvec(rows).unwrap();
            std::fs::write(directory.path().join("old"), bytes).unwrap();
            StoredModel::read(directory.path(), "old")
        };
        let (back, ..) = write(&rows).unwrap().into_model().unwrap();
        assert_eq!(back.unit, Unit::OF_RATINGS);
        rows.format = 3;
        assert!(write(&rows).is_err());
    }

    #[test]
    fn a_removed_model_is_gone_and_what_cannot_be_removed_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::write(path.join("model"), b"values").unwrap();
        StoredModel::remove(path, "model").unwrap();
        assert!(!path.join("model").exists());
        // Not there is as good as removed.
        StoredModel::remove(path, "model").unwrap();
        std::fs::create_dir(path.join("folder")).unwrap();
        let refused = StoredModel::remove(path, "folder").unwrap_err();
        assert_eq!(refused.reason, Reason::StorageFailed);
    }
}
