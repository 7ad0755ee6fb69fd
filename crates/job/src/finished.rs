//! What P0 keeps of a job that has finished, for its people.

use s3rec_model::{Accuracy, Verdict};
use s3rec_spmm::noise_first::guarantee::Guarantee;
use serde::{Deserialize, Serialize};

use crate::rating::RoundReport;
use crate::report::{PhaseCost, VerdictGroup, VerdictReport};
use crate::{AgreedParameters, ModelSettings};

/// What is reported of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishedJob {
    /// What both sides agreed on.
    pub parameters: Option<AgreedParameters>,
    /// Everything before the rounds.
    pub offline: PhaseCost,
    /// The rounds.
    pub online: PhaseCost,
    /// Largest resident set of P0's daemon.
    pub peak_rss_bytes: u64,
    /// P0's users with ratings.
    pub users: u64,
    /// Its items.
    pub items: u64,
    /// Its distinct ratings.
    pub ratings: u64,
    /// BLAKE3 of the file of ratings, in hexadecimal.
    pub data_digest: String,
    /// Lowest and highest rating.
    pub scale: (f64, f64),
    /// What came of it.
    pub result: JobResult,
}

/// What a job came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum JobResult {
    /// A model that was trained.
    Trained(TrainedResult),
    /// A model of friends' sums.
    Friends(FriendsResult),
}

/// What a training came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainedResult {
    /// On held-out ratings; none where nothing was held out.
    pub quality: Option<HeldOutErrors>,
    /// Values clipped on encoding.
    pub saturations: u64,
    /// Round by round.
    pub rounds: Vec<RoundReport>,
    /// What fixed point may have moved an opened value by.
    pub product_error_bound: f64,
    /// What a reader should know, one sentence each.
    pub warnings: Vec<String>,
    /// The scale that was learnt on; none of older versions.
    pub standardisation: Option<Standardisation>,
    /// How much popularity counts in lists.
    pub popularity_weight: f64,
}

/// The scale that a training learnt on, in rating units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standardisation {
    /// m.
    pub centre: f64,
    /// s.
    pub spread: f64,
    /// The lowest rating that was learnt from as it is.
    pub lowest: f64,
    /// The highest.
    pub highest: f64,
    /// Ratings outside, which were drawn in.
    pub drawn_in: u64,
}

/// What an opening of friends' sums came to; what an older version did not store is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FriendsResult {
    /// Towards one pair of users.
    pub guarantee: Guarantee,
    /// The same in words.
    pub statement: String,
    /// What the map from friends' sums to lists came to.
    pub learnt: Option<FriendsLearnt>,
    /// What it was worth to whom.
    pub verdict: Option<VerdictReport>,
}

/// What the map from friends' sums to lists came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FriendsLearnt {
    /// |O|.
    pub opened: u32,
    /// Users with ratings who were opened to learn from.
    pub calibration: u32,
    /// Mean gain in NDCG@10 of users without ratings.
    pub gain: f64,
    /// Its paired standard error.
    pub standard_error: f64,
    /// Whether the friends' estimate is used.
    pub is_used: bool,
    /// `factor` or `items`.
    pub candidate: String,
}

/// Errors over so many held-out ratings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeldOutErrors {
    /// RMSE and MAE.
    pub errors: Accuracy,
    /// Ratings.
    pub ratings: u64,
}

/// A model of P0's, under its job's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRecord {
    /// The ratings that it was made from.
    pub dataset: String,
    /// What it was trained with.
    pub settings: ModelSettings,
    /// Users with ratings.
    pub users: u64,
    /// Items.
    pub items: u64,
    /// On held-out ratings.
    pub quality: Option<HeldOutErrors>,
    /// Later than every model before it, milliseconds since the Unix epoch.
    pub created_unix_ms: i64,
}

/// A model beside what it must beat; none where nothing was held out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The model.
    pub model: Option<HeldOutErrors>,
    /// The mean of all ratings.
    pub global_mean: Option<HeldOutErrors>,
    /// The mean with user and item biases.
    pub biases: Option<HeldOutErrors>,
    /// The same solver without the social term.
    pub no_social: Option<HeldOutErrors>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

impl From<&Verdict> for VerdictReport {
    fn from(verdict: &Verdict) -> Self {
        let tasks = [
            ("lists", &verdict.details.lists),
            ("ratings", &verdict.details.ratings),
        ];
        let groups = tasks.into_iter().flat_map(|(task, found)| {
            let groups = found.iter().flat_map(|found| &found.groups);
            groups.map(move |group| VerdictGroup {
                task: task.into(),
                group: group.group.clone(),
                users: u32::try_from(group.plain.users).unwrap_or(u32::MAX),
                used: group.used,
                without: group.plain.without,
                with: group.plain.with,
                low: group.plain.low,
                high: group.plain.high,
            })
        });
        Self {
            task: verdict.task.name().into(),
            group: verdict.group.clone(),
            without: verdict.without,
            with: verdict.with,
            low: verdict.low,
            high: verdict.high,
            worth_it: verdict.worth_it,
            sentence: verdict.sentence.clone(),
            warnings: verdict.details.warnings.clone(),
            groups: groups.collect(),
        }
    }
}
