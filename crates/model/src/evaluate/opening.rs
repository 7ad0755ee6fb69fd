//! One noised opening of friends' sums over all that is known, simulated in the clear: what a
//! job would leave P0 with.

use super::EvaluationData;
use super::cold::{ColdSettings, NoiseLevel, ReleaseSize, friends_of};
use super::draw::noised;
use crate::friends::{COLUMNS, OpenedSides, Sampling, rows_to_open};
use crate::verdict::Opened;
use crate::{ListsModel, ModelError};
use s3rec_algebra::RealMatrix;
use s3rec_sparse::{Rating, RatingMatrix};

/// What P0 would have after a job. Users without ratings follow those of the data.
pub struct SimulatedOpening {
    /// All ratings that are known.
    pub ratings: RatingMatrix,
    /// Who is opened, who uploaded, who calibrated with.
    pub sides: OpenedSides,
    /// The model that was opened, without a rating by a calibration user.
    pub model: ListsModel,
    /// Noised sums, a row for every opened user.
    pub sums: RealMatrix,
    /// Standard deviation of their noise in friends' rows.
    pub sigma: f64,
    /// What decided it.
    pub size: ReleaseSize,
}

/// Makes a model out of ratings.
pub type Learn<'a> = dyn Fn(&RatingMatrix) -> Result<ListsModel, ModelError> + 'a;

/// Who is a common user.
#[derive(Debug, Clone, Default)]
pub struct Population {
    /// Of the data's users, by index.
    pub common: Vec<bool>,
    /// Common users beside those of the data, who have no ratings: their friends among the data's.
    pub unrated: Vec<Vec<u32>>,
}

impl SimulatedOpening {
    /// Opens once. The splits' held-out ratings together are all that is known. `learn` makes
    /// the model out of the ratings of everybody but the calibration users.
    ///
    /// # Errors
    /// Data that make no matrix, settings out of range, or a release that `noise` refuses.
    pub fn draw(
        data: &EvaluationData<'_>,
        population: &Population,
        (few_below, cold): (usize, &ColdSettings),
        learn: &Learn<'_>,
        noise: &NoiseLevel<'_>,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let all = data.splits.iter().flat_map(|split| &split.test).copied();
        let all: Vec<Rating> = all.collect();
        let unrated = &population.unrated;
        let users = data.users + unrated.len();
        let ratings = RatingMatrix::from_ratings(users, data.items, &all)?;
        let mut friends = friends_of(data);
        let mut common = population.common.clone();
        common.resize(data.users, false);
        common.resize(users, true);
        friends.extend_from_slice(unrated);
        let counts: Vec<usize> = (0..users)
            .map(|user| ratings.by_user(user).0.len())
            .collect();
        let sampling = Sampling {
            few_below,
            calibration_share: cold.calibration_share,
            seed,
        };
        let sides = OpenedSides::draw(&common, &counts, &sampling);
        let nothing = RealMatrix::zeros(0, COLUMNS);
        let base = Opened {
            ratings: &ratings,
            scale: data.scale,
            sides: &sides,
            sums: &nothing,
            sigma: 0.0,
            model: None,
            explicit: None,
        }
        .base();
        let model = learn(&base)?;
        let rows = rows_to_open(&model, &sides.uploaded, COLUMNS);
        let size = ReleaseSize {
            opened: sides.opened.len(),
            uploaded: sides.uploaded.len(),
            columns: rows.columns(),
            most_friends: friends.iter().map(Vec::len).max().unwrap_or(0),
        };
        let sigma = noise(&size)?;
        let block: Vec<Vec<u32>> = sides
            .opened
            .iter()
            .map(|user| {
                let of = friends[*user as usize].iter();
                let places = of.filter_map(|friend| sides.uploaded.binary_search(friend).ok());
                places
                    .filter_map(|place| u32::try_from(place).ok())
                    .collect()
            })
            .collect();
        let sums = noised(&block, &rows, sigma, (seed, 0));
        Ok(Self {
            ratings,
            sides,
            model,
            sums,
            sigma,
            size,
        })
    }

    /// As a verdict takes it.
    pub fn opened(&self, scale: (f64, f64)) -> Opened<'_> {
        Opened {
            ratings: &self.ratings,
            scale,
            sides: &self.sides,
            sums: &self.sums,
            sigma: self.sigma,
            model: Some(&self.model),
            explicit: None,
        }
    }
}
