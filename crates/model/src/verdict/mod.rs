//! Was it worth it? What one noised opening of friends' sums gained, from P0's own held-out
//! ratings and nothing else: no second opening, no look at a link. It stays at P0.
//!
//! [`judge`] takes what P0 has at the end of a job. Calibration users were opened though they have
//! ratings; here they are judged as if they had none, or few:
//!
//! | group | what is hidden of them |
//! |---|---|
//! | `cold` | all their ratings |
//! | `k1` … `k4` | all but K, drawn at random |
//! | `warm` | one in five, one at least |
//! | `few` | the headline: `cold` and `k1` … `k4`, weighted to the users who truly have so few |
//!
//! **Nested cross-validation.** Users are split in [`PARTS`] parts at random. Those of one part are
//! judged by a map, a gate, and every other choice (decays, weights, strengths, the better of two
//! popularities) made on the other parts alone, which split once more for it. The base models have
//! seen no rating of any calibration user, and popularity none of those who are judged. "Without"
//! is the best that such a user could be served without friends: popularity, or their own few
//! ratings folded in, drawn to what calibration users are like on average; "with" the same with the
//! friends' estimate wherever its gate opened. Without that average, links that say nothing would
//! gain too: it is learnt from the same sample.
//!
//! **Weights.** Users who were sampled have more friends than users who truly have few ratings.
//! P0 knows nobody's number of friends, but the length of everybody's noised sum
//! ([`noisy_degree`]). By it users fall into strata, and the headline gives every stratum (and
//! number of ratings) the share it has among the opened users who truly have fewer ratings than
//! the threshold. The groups' plain figures are not weighted, nor is the headline where fewer than
//! twenty users truly have so few: it is then `cold`.
//!
//! **Interval.** 95 %, paired, over users, everything about one user together. It is about this
//! release's map and this population; how much another sample of calibration users would change
//! the map is not in it. Worth it is said where the headline's interval lies above 0, and of
//! nothing else: which task and which group that is, is fixed before anything is measured.

mod nested;
#[cfg(test)]
pub(crate) mod planted;
mod report;
#[cfg(test)]
mod tests;
mod weigh;

pub use report::{GroupVerdict, StratumVerdict, TaskVerdict, Verdict, VerdictDetails, Weighted};

use crate::evaluate::{RankingSettings, Relevance};
use crate::friends::{
    Calibration, Estimates, FriendsEstimate, Judging, OpenedSides, PredictedBase, noisy_degree,
};
use crate::random::{below, purpose, stream};
use crate::{ListsModel, ListsSettings, ModelError, SolverSettings, Unit};
use nested::Nested;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::{RatingMatrix, user_mask};
use serde::{Deserialize, Serialize};

/// Parts of the outer cross-validation.
pub const PARTS: usize = 5;
/// Fewest calibration users from whom anything can be told.
pub const FEWEST: usize = 40;
/// Largest number of kept ratings that is a group of its own.
pub(crate) const MOST_KEPT: usize = 4;

/// What users are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictTask {
    /// Lists, judged by NDCG at the cutoff over all items.
    Lists,
    /// Predicted ratings, judged by RMSE.
    Ratings,
}

impl VerdictTask {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lists => "lists",
            Self::Ratings => "ratings",
        }
    }
}

/// How a verdict is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictSettings {
    /// Which task the headline is about; fixed before anything is measured.
    pub task: VerdictTask,
    /// P0's implicit model, whose factors were opened.
    pub lists: ListsSettings,
    /// P0's explicit model without links; none: ratings are not judged.
    pub ratings: Option<SolverSettings>,
    /// k of NDCG@k.
    pub cutoff: usize,
    /// Which hidden items a list should have.
    pub relevance: Relevance,
    /// Users with fewer ratings are those whom it is for; 5 at most.
    pub few_below: usize,
    /// Calibration users whose lists decide in each part, at most; maps are learnt from all.
    pub deciding: usize,
    /// Users judged, at most, evenly spread.
    pub judged: usize,
    /// Seed of the parts and of which ratings are kept.
    pub seed: u64,
}

impl Default for VerdictSettings {
    fn default() -> Self {
        let ranking = RankingSettings::default();
        Self {
            task: VerdictTask::Lists,
            lists: ListsSettings::default(),
            ratings: None,
            cutoff: ranking.cutoff,
            relevance: ranking.relevance,
            few_below: 5,
            deciding: 2000,
            judged: 2000,
            seed: 0,
        }
    }
}

/// What P0 has at the end of a job.
#[derive(Clone, Copy)]
pub struct Opened<'a> {
    /// All its ratings, users and items as in the job.
    pub ratings: &'a RatingMatrix,
    /// Lowest and highest rating.
    pub scale: (f64, f64),
    /// O, W and the calibration sample, as they were opened.
    pub sides: &'a OpenedSides,
    /// Noised friends' sums: a row for every user of O, in order.
    pub sums: &'a RealMatrix,
    /// Standard deviation of their noise, in units of one friend's row; 0 for exact sums.
    pub sigma: f64,
    /// The model that was opened, if it is at hand; it must not have seen a rating by a
    /// calibration user. None: learnt here from the others' ratings and the settings, which
    /// gives the same.
    pub model: Option<&'a ListsModel>,
    /// The explicit model of the others' ratings, if it is at hand, learnt with the settings that
    /// ratings are judged with. None: learnt here, which gives the same.
    pub explicit: Option<&'a PredictedBase>,
}

impl Opened<'_> {
    /// The ratings of everybody but the calibration users: what base models may see.
    pub fn base(&self) -> RatingMatrix {
        self.ratings.without_users(&self.sides.calibration)
    }

    /// Of every opened row.
    fn degrees(&self) -> Vec<f64> {
        let rows = 0..self.sums.rows();
        rows.map(|row| noisy_degree(self.sums.row(row), self.sigma))
            .collect()
    }

    /// Which of P0's users P1 has too.
    pub(crate) fn is_common(&self) -> Vec<bool> {
        let common = self.sides.opened.iter().chain(&self.sides.uploaded);
        user_mask(self.ratings.users(), common)
    }
}

/// Judges what the opening gained. Takes about as long as ten maps are learnt; `progress` is told
/// what is under way. The same inputs give the same verdict, on any number of threads.
///
/// With fewer than [`FEWEST`] calibration users who can be judged it says that nothing can be told.
///
/// # Errors
/// Settings out of range, sums of another shape than O, or no rating but those of calibration
/// users.
pub fn judge(
    opened: &Opened<'_>,
    settings: &VerdictSettings,
    progress: &mut dyn FnMut(&str),
) -> Result<Verdict, ModelError> {
    settings.lists.validate()?;
    if let Some(ratings) = &settings.ratings {
        ratings.validate()?;
    }
    check(opened)?;
    let base = opened.base();
    if base.is_empty() {
        return Err(ModelError::NoRatings("uploaded users'"));
    }
    let degrees = opened.degrees();
    let nested = Nested {
        opened,
        settings,
        base: &base,
        relevant_from: settings.relevance.from(&Unit::of(&base)),
        parts: parts(opened, settings.seed),
        degrees: &degrees,
    };
    if nested.parts.len() < FEWEST {
        return Ok(report::too_few(&nested));
    }
    progress("verdict: the base model");
    let learnt;
    let model = match opened.model {
        Some(model) => model,
        None => {
            learnt = ListsModel::learn(&base, &settings.lists)?;
            &learnt
        }
    };
    let lists = nested.lists(model, progress)?;
    let ratings = match &settings.ratings {
        Some(solver) => Some(nested.ratings(solver, progress)?),
        None => None,
    };
    Ok(report::verdict(&nested, &lists, ratings.as_deref()))
}

/// Estimates every opened user's factor by a map learnt from all calibration users: what lists are
/// made with, and what other rankers may use.
///
/// # Errors
/// As [`judge`].
pub fn estimate(opened: &Opened<'_>, settings: &VerdictSettings) -> Result<Estimates, ModelError> {
    settings.lists.validate()?;
    check(opened)?;
    let base = opened.base();
    if base.is_empty() || opened.sides.calibration.is_empty() {
        return Err(ModelError::NoRatings("uploaded and calibration users'"));
    }
    let learnt;
    let model = match opened.model {
        Some(model) => model,
        None => {
            learnt = ListsModel::learn(&base, &settings.lists)?;
            &learnt
        }
    };
    let judging = Judging {
        cutoff: settings.cutoff,
        relevance: settings.relevance,
        users: settings.deciding,
    };
    let is_common = opened.is_common();
    let (ratings, sides) = (opened.ratings, opened.sides);
    let calibration = Calibration::new(model, &base, ratings, sides, &is_common, judging);
    let estimate = FriendsEstimate::fit(&calibration, opened.sums, opened.sigma);
    Ok(Estimates::of(model, &estimate, (opened.sums, opened.sigma)))
}

/// Refuses what cannot be a release.
fn check(opened: &Opened<'_>) -> Result<(), ModelError> {
    let rows = opened.sides.opened.len();
    if opened.sums.rows() != rows {
        return Err(ModelError::ProductShape {
            expected_rows: rows,
            expected_columns: opened.sums.columns(),
            actual_rows: opened.sums.rows(),
            actual_columns: opened.sums.columns(),
        });
    }
    let sides = opened.sides;
    let all = [&sides.opened, &sides.uploaded, &sides.calibration];
    let known = opened.ratings.users();
    let ascend = |users: &[u32]| {
        let inside = users.iter().all(|user| (*user as usize) < known);
        inside && users.windows(2).all(|pair| pair[0] < pair[1])
    };
    if all.into_iter().all(|users| ascend(users)) {
        return Ok(());
    }
    Err(ModelError::Release(
        "its users are not in the order of their indices".to_owned(),
    ))
}

/// The part of every calibration user with ratings, ascending by user.
fn parts(opened: &Opened<'_>, seed: u64) -> Vec<(u32, usize)> {
    let calibration = opened.sides.calibration.iter().copied();
    let mut users: Vec<u32> = calibration
        .filter(|&user| !opened.ratings.by_user(user as usize).0.is_empty())
        .collect();
    let mut rng = stream(seed, purpose::VERDICT);
    for place in (1..users.len()).rev() {
        users.swap(place, below(&mut rng, place + 1));
    }
    let mut parts: Vec<(u32, usize)> = users
        .into_iter()
        .enumerate()
        .map(|(place, user)| (user, place % PARTS))
        .collect();
    parts.sort_unstable();
    parts
}
