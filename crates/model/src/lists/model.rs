use super::ListsSettings;
use super::half_step::{Row, RowSolver};
use super::sweeps::{Swept, swept};
use crate::random::{normal, purpose, stream};
use crate::{ModelError, Predictor, Unit};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;

/// The least confidence of an observed pair.
const LEAST_CONFIDENCE: f64 = 0.05;

/// Factors learnt from which items people chose, and how sure it is that they wanted them. P0's
/// secret.
#[derive(Clone)]
pub struct ListsModel {
    settings: ListsSettings,
    unit: Unit,
    users: RealMatrix,
    /// In the basis in which `diagonal` is α·VᵀV.
    items: RealMatrix,
    diagonal: Vec<f64>,
    popularity: Vec<f64>,
    /// k × k: a factor times it is in the space of the factors that were brought along.
    given: Option<RealMatrix>,
}

impl ListsModel {
    /// Learns from `ratings`; the same ratings and settings give the same factors. Users and
    /// items without a rating get zeros.
    ///
    /// # Errors
    /// [`ModelError::NoRatings`], [`ModelError::Setting`], or [`ModelError::Diverged`] where
    /// settings are absurd enough for it.
    pub fn learn(ratings: &RatingMatrix, settings: &ListsSettings) -> Result<Self, ModelError> {
        settings.validate()?;
        if ratings.is_empty() {
            return Err(ModelError::NoRatings("training"));
        }
        let unit = Unit::of(ratings);
        let observed = confidences(ratings, settings, &unit)?;
        let popularity = popularity(ratings, settings, &unit, |_| true);
        let start = starting_items(&observed, settings);
        let Swept {
            users,
            items,
            diagonal,
        } = swept(&observed, start, settings);
        let values = users.values().par_iter().chain(items.values());
        if !values.all(|value| value.is_finite()) {
            return Err(ModelError::Diverged {
                steps: settings.sweeps,
            });
        }
        Ok(Self {
            settings: settings.clone(),
            unit,
            users,
            items,
            diagonal,
            popularity,
            given: None,
        })
    }

    /// Of parts that go together: `items` in the basis in which `diagonal` is α·VᵀV.
    pub(super) fn of_parts(
        (settings, unit): (ListsSettings, Unit),
        (users, items): (RealMatrix, RealMatrix),
        diagonal: Vec<f64>,
        popularity: Vec<f64>,
        given: RealMatrix,
    ) -> Self {
        Self {
            settings,
            unit,
            users,
            items,
            diagonal,
            popularity,
            given: Some(given),
        }
    }

    /// A factor of this model in the space of the factors that were brought along; as it is where
    /// none were.
    pub fn as_given(&self, factor: &[f64]) -> Vec<f64> {
        let Some(given) = &self.given else {
            return factor.to_vec();
        };
        let mut out = vec![0.0; given.columns()];
        for (place, u) in factor.iter().enumerate() {
            let row = given.row(place).iter();
            out.iter_mut().zip(row).for_each(|(out, g)| *out += u * g);
        }
        out
    }

    pub(super) fn users_mut(&mut self) -> &mut RealMatrix {
        &mut self.users
    }

    /// What it was learnt with.
    pub fn settings(&self) -> &ListsSettings {
        &self.settings
    }

    /// U: users × k.
    pub fn users(&self) -> &RealMatrix {
        &self.users
    }

    /// V: items × k.
    pub fn items(&self) -> &RealMatrix {
        &self.items
    }

    /// Roots of the eigenvalues of VᵀV, in the basis of the factors: U times them has distances
    /// like those of the scores.
    pub(crate) fn score_roots(&self) -> Vec<f64> {
        let alpha = self.settings.unobserved_weight;
        self.diagonal.iter().map(|g| (g / alpha).sqrt()).collect()
    }

    /// p, from 0 to 1.
    pub fn popularity(&self) -> &[f64] {
        &self.popularity
    }

    /// p among the users who are `wanted` alone, by the same confidences.
    pub fn popularity_among(
        &self,
        ratings: &RatingMatrix,
        wanted: impl Fn(u32) -> bool + Sync,
    ) -> Vec<f64> {
        popularity(ratings, &self.settings, &self.unit, wanted)
    }

    /// The factor of somebody who gave `ratings` (items ascending or not, values), whoever they
    /// are; with a prior, drawn to it as far as those ratings leave it open.
    ///
    /// Without ratings it is the prior. The prior's precision is α·VᵀV + λ_i·I, what draws
    /// everybody else to 0.
    pub fn fold_in(&self, items: &[u32], values: &[f32], prior: Option<&[f64]>) -> Vec<f64> {
        let mut row = vec![0.0; self.settings.rank];
        if !items.is_empty() {
            let confidences = values.iter();
            let confidences: Vec<f32> = confidences
                .map(|&value| confidence(&self.settings, &self.unit, value))
                .collect();
            let target = |place: usize| {
                let item = self.items.row(items[place] as usize).iter();
                1.0 - prior.map_or(0.0, |prior| {
                    prior.iter().zip(item).map(|(u, v)| u * v).sum()
                })
            };
            let decay = decay_of(&self.settings, items.len(), self.items.rows() as f64);
            let of = Row {
                other: &self.items,
                diagonal: &self.diagonal,
                decay,
                indices: items,
                confidences: &confidences,
            };
            RowSolver::new(self.settings.rank).solve(&of, target, &mut row);
        }
        for (value, prior) in row.iter_mut().zip(prior.unwrap_or_default()) {
            *value += prior;
        }
        row
    }
}

impl Predictor for ListsModel {
    /// ŷ_ij; 0 for an index out of range.
    fn score(&self, user: u32, item: u32) -> f64 {
        let (user, item) = (user as usize, item as usize);
        if user >= self.users.rows() || item >= self.items.rows() {
            return 0.0;
        }
        let pairs = self.users.row(user).iter().zip(self.items.row(item));
        pairs.map(|(u, v)| u * v).sum()
    }

    fn scale(&self) -> (f64, f64) {
        (0.0, 1.0)
    }
}

/// Ratings as confidences.
pub(super) fn confidences(
    ratings: &RatingMatrix,
    settings: &ListsSettings,
    unit: &Unit,
) -> Result<RatingMatrix, ModelError> {
    Ok(ratings.with_values(|value| confidence(settings, unit, value))?)
}

/// λ·(count + α·all)^ν: the decay of a row with so many observations among all of the other side.
pub(super) fn decay_of(settings: &ListsSettings, count: usize, all: f64) -> f64 {
    let weight = count as f64 + settings.unobserved_weight * all;
    settings.decay * weight.powf(settings.decay_exponent)
}

fn confidence(settings: &ListsSettings, unit: &Unit, rating: f32) -> f32 {
    let confidence = 1.0 + settings.confidence_slope * unit.standardise(rating);
    #[expect(clippy::cast_possible_truncation, reason = "of the size of 1")]
    let confidence = confidence.max(LEAST_CONFIDENCE) as f32;
    confidence
}

/// Small and random where somebody has the item, from the seed alone.
fn starting_items(observed: &RatingMatrix, settings: &ListsSettings) -> RealMatrix {
    let mut rng = stream(settings.seed, purpose::START);
    let spread = 0.1 / (settings.rank as f64).sqrt();
    let mut items = RealMatrix::zeros(observed.items(), settings.rank);
    for item in 0..observed.items() {
        let is_known = f64::from(u8::from(!observed.by_item(item).0.is_empty()));
        for value in items.row_mut(item) {
            *value = is_known * spread * normal(&mut rng);
        }
    }
    items
}

/// ln(1 + sum of confidences) over its maximum.
pub(super) fn popularity(
    ratings: &RatingMatrix,
    settings: &ListsSettings,
    unit: &Unit,
    wanted: impl Fn(u32) -> bool + Sync,
) -> Vec<f64> {
    let of_item = |item| {
        let (users, values) = ratings.by_item(item);
        let counted = users.iter().zip(values).filter(|(user, _)| wanted(**user));
        let sum: f64 = counted
            .map(|(_, &value)| f64::from(confidence(settings, unit, value)))
            .sum();
        sum.ln_1p()
    };
    let sums = (0..ratings.items()).into_par_iter().map(of_item);
    let mut sums: Vec<f64> = sums.collect();
    let most = sums.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    sums.iter_mut().for_each(|sum| *sum /= most);
    sums
}
