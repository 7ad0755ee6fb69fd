//! What P0 keeps of an opening of friends' sums: one file, readable by us alone.

use std::path::{Path, PathBuf};

use s3rec_data::{IdTable, RatingSet};
use s3rec_model::friends::{Estimates, FriendsModel, FriendsModelBefore, FriendsRatings};
use s3rec_spmm::noise_first::Parameters;
use s3rec_wire::status::{Fault, Reason};
use serde::{Deserialize, Serialize};

use crate::stored::write_whole;

/// Version of the file; models of trainings count from 1.
const FORMAT: u32 = 3;
/// The version before, with a larger model.
const FORMAT_BEFORE: u32 = 2;
/// The first, also without predictions and what other rankers are told.
const FORMAT_OF_LISTS: u32 = 1;

/// What P0 got from an opening, and what it serves from it.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredFriends {
    format: u32,
    user_ids: Vec<String>,
    item_ids: Vec<String>,
    /// What was agreed on: μ, σ and sizes among it.
    pub(crate) parameters: Parameters,
    /// O, as rows of the users, in the order of the sums.
    opened: Vec<u32>,
    /// |O| × C, row by row, with noise.
    sums: Vec<f64>,
    pub(crate) model: FriendsModel,
    /// None in files of the version before.
    #[serde(skip)]
    pub(crate) ratings: Option<FriendsRatings>,
    #[serde(skip)]
    told: Option<Told>,
}

/// The same as the versions before stored it.
#[derive(Deserialize)]
struct StoredBefore {
    format: u32,
    user_ids: Vec<String>,
    item_ids: Vec<String>,
    parameters: Parameters,
    opened: Vec<u32>,
    sums: Vec<f64>,
    model: FriendsModelBefore,
}

impl From<StoredBefore> for StoredFriends {
    fn from(before: StoredBefore) -> Self {
        Self {
            format: before.format,
            user_ids: before.user_ids,
            item_ids: before.item_ids,
            parameters: before.parameters,
            opened: before.opened,
            sums: before.sums,
            model: before.model.into(),
            ratings: None,
            told: None,
        }
    }
}

/// What rankers of the platform's own are told of opened users, in their order.
#[derive(Serialize, Deserialize)]
struct Told {
    degrees: Vec<f64>,
    /// k.
    width: u32,
    /// |O| × k, row by row.
    estimates: Vec<f64>,
    is_used: bool,
}

impl StoredFriends {
    /// Of the agreed parameters, O and its sums, and what was learnt from them.
    pub(crate) fn new(
        ratings: &RatingSet,
        (parameters, opened, sums): (Parameters, Vec<u32>, Vec<f64>),
        (model, predicting): (FriendsModel, FriendsRatings),
        estimates: Estimates,
    ) -> Self {
        Self {
            format: FORMAT,
            user_ids: ratings.users.names().map(String::from).collect(),
            item_ids: ratings.items.names().map(String::from).collect(),
            parameters,
            opened,
            sums,
            model,
            ratings: Some(predicting),
            told: Some(Told {
                degrees: estimates.degrees,
                width: u32::try_from(estimates.factors.columns()).unwrap_or(u32::MAX),
                estimates: estimates.factors.values().to_vec(),
                is_used: estimates.gate.is_open,
            }),
        }
    }

    pub(crate) fn path(directory: &Path, name: &str) -> PathBuf {
        directory.join(format!("{name}.friends"))
    }

    /// Writes the file whole or not at all, readable by us alone.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> Result<(), Fault> {
        let bytes = postcard::to_stdvec(&(self, &self.ratings, &self.told)).map_err(|error| {
            Fault::new(Reason::Bug, format!("a model does not encode: {error}"))
        })?;
        write_whole(directory, &Self::path(directory, name), &bytes)
    }

    /// What is stored of a job's opening; none where there was none.
    pub(crate) fn read(directory: &Path, name: &str) -> Result<Option<Self>, Fault> {
        let path = Self::path(directory, name);
        let failed =
            |what: String| Fault::new(Reason::StorageFailed, format!("{}: {what}", path.display()));
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error.to_string())),
        };
        let torn = |error: postcard::Error| failed(error.to_string());
        let (format, _): (u32, &[u8]) = postcard::take_from_bytes(&bytes).map_err(torn)?;
        let (mut stored, rest): (Self, &[u8]) = match format {
            FORMAT => postcard::take_from_bytes(&bytes).map_err(torn)?,
            FORMAT_BEFORE | FORMAT_OF_LISTS => {
                let (before, rest): (StoredBefore, &[u8]) =
                    postcard::take_from_bytes(&bytes).map_err(torn)?;
                (before.into(), rest)
            }
            other => return Err(failed(format!("format {other} is not {FORMAT}"))),
        };
        if format != FORMAT_OF_LISTS {
            (stored.ratings, stored.told) = postcard::from_bytes(rest).map_err(torn)?;
        }
        Ok(Some(stored))
    }

    /// Its users and items.
    pub(crate) fn ids(&self) -> (IdTable, IdTable) {
        let table = |ids: &[String]| ids.iter().cloned().collect();
        (table(&self.user_ids), table(&self.item_ids))
    }

    /// |O|.
    pub(crate) fn opened(&self) -> usize {
        self.opened.len()
    }

    /// What rankers are told of the opened users: k, and whether the estimate is used.
    ///
    /// # Errors
    /// [`Reason::WrongState`] where an earlier version kept no estimates.
    pub(crate) fn told(&self) -> Result<(u32, bool), Fault> {
        let told = self.told.as_ref().ok_or_else(|| {
            let message = "an earlier version stored this model without its users' estimates";
            Fault::new(Reason::WrongState, message)
                .remedied_by("Make the job anew; the same users are opened again.")
        })?;
        Ok((told.width, told.is_used))
    }

    /// A run of opened users, fewer than asked for at the end and none past it.
    pub(crate) fn rows(&self, first: usize, most: usize) -> Option<OpenedRows> {
        let told = self.told.as_ref()?;
        let end = self.opened.len().min(first.saturating_add(most));
        if first >= end {
            return None;
        }
        let of = |values: &[f64], width: usize| {
            let values = values.get(first.checked_mul(width)?..end.checked_mul(width)?);
            Some(values?.to_vec())
        };
        let ids = self.opened.get(first..end)?.iter();
        let ids = ids.map(|&user| self.user_ids.get(user as usize).cloned());
        Some(OpenedRows {
            ids: ids.collect::<Option<_>>()?,
            sums: of(&self.sums, self.parameters.columns())?,
            degrees: of(&told.degrees, 1)?,
            estimates: of(&told.estimates, told.width as usize)?,
        })
    }
}

/// Some opened users, row by row.
pub(crate) struct OpenedRows {
    pub(crate) ids: Vec<String>,
    /// × C, with noise.
    pub(crate) sums: Vec<f64>,
    /// With noise.
    pub(crate) degrees: Vec<f64>,
    /// × k.
    pub(crate) estimates: Vec<f64>,
}
