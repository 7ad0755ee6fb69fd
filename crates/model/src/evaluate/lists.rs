//! Lists over folds, and for users without ratings: [`evaluate_lists`].

use super::cold::{ColdReport, ColdSettings, NoiseLevel, evaluate_cold};
use super::fold::inner;
use super::ranking::Judged;
use super::{EvaluationData, Interval, RankingMetrics, RankingSettings, RankingSpread, Split};
use crate::lists::{Blocks, best, narrow};
use crate::popularity::LIST_WEIGHTS;
use crate::{ListsModel, ListsSettings, ModelError, Unit};
use s3rec_sparse::{Rating, RatingMatrix};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListsEvaluation {
    /// The settings.
    pub lists: ListsSettings,
    /// Users with fewer training ratings are cold.
    pub cold_below: usize,
    /// How lists are judged.
    pub ranking: RankingSettings,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Users without ratings and one noised opening; none: not judged.
    pub cold: Option<ColdSettings>,
}

impl Default for ListsEvaluation {
    fn default() -> Self {
        Self {
            lists: ListsSettings::default(),
            cold_below: 5,
            ranking: RankingSettings::default(),
            seed: 0,
            cold: None,
        }
    }
}

/// The whole evaluation, as printed by `s3rec evaluate --task lists --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListsReport {
    /// Number of folds.
    pub folds: usize,
    /// What was evaluated.
    pub settings: ListsEvaluation,
    /// Lists of all users, by all items.
    pub quality: ListsTable,
    /// What the model gains in NDCG on popularity.
    pub gain: Option<Interval>,
    /// What popularity counts in each fold's lists, chosen on ratings held out once more.
    pub popularity_weights: Vec<f64>,
    /// Users whose ratings were all hidden; null where not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold: Option<ColdReport>,
    /// Users all but K of whose ratings were hidden, by `k1` … `k4`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub few: BTreeMap<String, ColdReport>,
    /// What a reader should know before using the figures.
    pub warnings: Vec<String>,
}

/// The comparison table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListsTable {
    /// The same list for everybody, without what they have.
    pub popularity: ListsQuality,
    /// Implicit ALS, without links.
    pub no_social: ListsQuality,
}

/// One model over all folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListsQuality {
    /// All users; null where nobody could be judged.
    pub ranking: Option<RankingSpread>,
    /// Cold users.
    pub cold_ranking: Option<RankingSpread>,
}

/// Evaluates popularity and the model of `settings` on every fold, and, where asked for, what one
/// noised opening is worth to users without ratings, in as many draws as there are folds.
///
/// `unrated`: of everybody who has links and no rating, the friends among P0's users; figures are
/// also weighted to them. `noise` tells the noise of a release that nothing but its size decides.
///
/// # Errors
/// No folds, an empty side of one, data that make no matrix, or settings out of range.
pub fn evaluate_lists(
    data: &EvaluationData<'_>,
    unrated: &[Vec<u32>],
    settings: &ListsEvaluation,
    noise: &NoiseLevel<'_>,
    progress: &mut dyn FnMut(usize, &str),
) -> Result<ListsReport, ModelError> {
    if data.splits.is_empty() {
        return Err(ModelError::NoRatings("fold's"));
    }
    let mut folds = Vec::new();
    for (fold, split) in data.splits.iter().enumerate() {
        progress(fold, "lists");
        let seed = settings.seed.wrapping_add(fold as u64);
        folds.push(fold_quality(data, split, settings, seed)?);
    }
    let table = |model: fn(&FoldLists) -> &ModelLists| ListsQuality {
        ranking: RankingSpread::over(folds.iter().filter_map(|fold| model(fold).all)),
        cold_ranking: RankingSpread::over(folds.iter().filter_map(|fold| model(fold).cold)),
    };
    let gain = |fold: &FoldLists| Some(fold.no_social.all?.ndcg - fold.popularity.all?.ndcg);
    let gains: Vec<f64> = folds.iter().filter_map(gain).collect();
    let mut report = ListsReport {
        folds: folds.len(),
        settings: settings.clone(),
        quality: ListsTable {
            popularity: table(|fold| &fold.popularity),
            no_social: table(|fold| &fold.no_social),
        },
        gain: Interval::over(&gains),
        popularity_weights: folds.iter().map(|fold| fold.weight).collect(),
        cold: None,
        few: BTreeMap::new(),
        warnings: Vec::new(),
    };
    if let Some(cold) = &settings.cold {
        let draws = data.splits.len();
        let found = evaluate_cold(data, unrated, (settings, cold), draws, noise, progress)?;
        (report.cold, report.few) = (found.cold, found.few);
        report.warnings = found.warnings;
    }
    if report.gain.is_none_or(|gain| !gain.is_gain()) {
        let text = "the lists are not surely better than the most popular items for everybody";
        report.warnings.push(text.to_owned());
    }
    Ok(report)
}

struct FoldLists {
    popularity: ModelLists,
    no_social: ModelLists,
    weight: f64,
}

struct ModelLists {
    all: Option<RankingMetrics>,
    cold: Option<RankingMetrics>,
}

/// Lists of `model` with several weights of popularity, judged by `test`; the last kind is
/// popularity alone.
fn judge(
    model: &ListsModel,
    train: &RatingMatrix,
    test: &[Rating],
    ranking: &RankingSettings,
    weights: &[f64],
) -> Vec<Judged> {
    let blocks = Blocks::new(model.items());
    let popularity: Vec<f32> = model.popularity().iter().map(|&p| narrow(p)).collect();
    let from = ranking.relevance.from(&Unit::of(train));
    Judged::by_lists(train, from, test, ranking, weights.len() + 1, |user| {
        let (seen, _) = train.by_user(user as usize);
        let mut scores = Vec::new();
        blocks.scores(model.users().row(user as usize), &mut scores);
        let mut lists: Vec<Vec<u32>> = Vec::with_capacity(weights.len() + 1);
        for &weight in weights {
            let known = (seen, lists.last().map_or(&[][..], |list| list));
            lists.push(best(
                &scores,
                (narrow(weight), &popularity),
                known,
                ranking.cutoff,
            ));
        }
        lists.push(best(
            &popularity,
            (0.0, &popularity),
            (seen, &[]),
            ranking.cutoff,
        ));
        lists
    })
}

fn fold_quality(
    data: &EvaluationData<'_>,
    split: &Split,
    settings: &ListsEvaluation,
    seed: u64,
) -> Result<FoldLists, ModelError> {
    let matrix = |ratings: &[Rating]| RatingMatrix::from_ratings(data.users, data.items, ratings);
    let weight = match settings.lists.popularity_weight {
        Some(weight) => weight,
        None => {
            let (learn, judge) = inner(&split.train, seed);
            let learn = matrix(&learn)?;
            let model = ListsModel::learn(&learn, &settings.lists)?;
            learn_weight(&model, &learn, &judge, &settings.ranking).0
        }
    };
    let train = matrix(&split.train)?;
    let model = ListsModel::learn(&train, &settings.lists)?;
    let is_cold = |user: u32| train.by_user(user as usize).0.len() < settings.cold_below;
    let lists = judge(&model, &train, &split.test, &settings.ranking, &[weight]);
    let measure = |kind: usize| ModelLists {
        all: lists[kind].over(|_| true),
        cold: lists[kind].over(is_cold),
    };
    Ok(FoldLists {
        popularity: measure(1),
        no_social: measure(0),
        weight,
    })
}

/// The weight of popularity with the best lists for `unseen`, the smallest of equals, and their
/// NDCG; −∞ where no list could be judged.
pub(crate) fn learn_weight(
    model: &ListsModel,
    train: &RatingMatrix,
    unseen: &[Rating],
    judged: &RankingSettings,
) -> (f64, f64) {
    let lists = judge(model, train, unseen, judged, &LIST_WEIGHTS);
    let mut top = (0.0, f64::NEG_INFINITY);
    for (weight, lists) in LIST_WEIGHTS.into_iter().zip(lists) {
        if let Some(metrics) = lists.over(|_| true)
            && metrics.ndcg > top.1
        {
            top = (weight, metrics.ndcg);
        }
    }
    top
}
