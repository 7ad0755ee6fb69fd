//! Users without ratings, and with few: what one noised opening of friends' sums is worth to them.

use super::draw::{DrawOutcome, Drawing, GroupScores, MOST_KEPT};
use super::lists::ListsEvaluation;
use super::{EvaluationData, Interval, Spread};
use crate::ModelError;
use s3rec_sparse::{Rating, RatingMatrix};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How users without ratings are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColdSettings {
    /// μ of the release; none: exact sums.
    pub mu: Option<f64>,
    /// Share of the users whose ratings are hidden in each draw.
    pub hide_all: f64,
    /// f: share of the users with ratings enough who are opened for calibration.
    pub calibration_share: f64,
    /// Calibration users whose lists decide, at most.
    pub calibration_judged: usize,
    /// Placebos of each draw.
    pub placebo_draws: u64,
}

impl Default for ColdSettings {
    fn default() -> Self {
        Self {
            mu: Some(1.0),
            hide_all: 0.1,
            calibration_share: 0.2,
            calibration_judged: 5000,
            placebo_draws: 3,
        }
    }
}

/// What decides the noise of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseSize {
    /// |O|.
    pub opened: usize,
    /// |W|.
    pub uploaded: usize,
    /// C.
    pub columns: usize,
    /// Friends of one user, at most, over all users.
    pub most_friends: usize,
}

/// σ of a one-sided release of rows of norm 1.
pub type NoiseLevel<'a> = dyn Fn(&ReleaseSize) -> Result<f64, ModelError> + 'a;

/// One group of users, in every draw, by kind of list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColdReport {
    /// Draws.
    pub draws: usize,
    /// Users judged in a draw, mean: hidden, with a friend who has ratings and a relevant item.
    pub users: f64,
    /// |O|, mean over the draws.
    pub opened: f64,
    /// |W|.
    pub uploaded: f64,
    /// Calibration users, part of O.
    pub calibration: f64,
    /// σ in units of one friend's row.
    pub sigma: f64,
    /// The better of the most popular items among all and among common users.
    pub popularity: ListScore,
    /// From the ratings that were kept; popularity where none was.
    pub own: ListScore,
    /// With the estimate from noised sums, where its gate was open.
    pub friends: ListScore,
    /// With exact sums.
    pub friends_exact: ListScore,
    /// With noised sums over rewired links, the map fitted anew; mean over several.
    pub placebo: ListScore,
    /// What friends gain on what the user has without them, draw by draw.
    pub gain: Option<Interval>,
    /// What the placebo gains on it.
    pub placebo_gain: Option<Interval>,
    /// The gain weighted to users who truly have no ratings.
    pub gain_reweighted: Option<Interval>,
    /// In which share of the draws an estimate was used.
    pub gates_open: Gates,
}

/// NDCG at the cutoff over the draws.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ListScore {
    /// Of the users judged.
    pub ndcg_10: Spread,
    /// Weighted to the users who truly have no ratings, by their number of friends in W; null
    /// where there are none.
    pub ndcg_10_reweighted: Option<Spread>,
}

/// Shares of draws.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Gates {
    /// Noised sums.
    pub friends: f64,
    /// Exact sums.
    pub friends_exact: f64,
    /// Rewired links.
    pub placebo: f64,
}

/// What one noised opening is worth to users without ratings and with few.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColdEvaluation {
    /// Users whose ratings were all hidden; null where nobody could be judged.
    pub cold: Option<ColdReport>,
    /// Users all but K of whose ratings were hidden, by `k1` … `k4`.
    pub few: BTreeMap<String, ColdReport>,
    /// What a reader should know before using the figures.
    pub warnings: Vec<String>,
}

/// Hides users' ratings in so many draws, simulates one opening in each, and judges lists for
/// those users. The splits' held-out ratings together are all that is known.
///
/// `unrated`: of everybody who has links and no rating, the friends among P0's users.
///
/// # Errors
/// Data that make no matrix, settings out of range, or a release that `noise` refuses.
pub fn evaluate_cold(
    data: &EvaluationData<'_>,
    unrated: &[Vec<u32>],
    settings: (&ListsEvaluation, &ColdSettings),
    draws: usize,
    noise: &NoiseLevel<'_>,
    progress: &mut dyn FnMut(usize, &str),
) -> Result<ColdEvaluation, ModelError> {
    let (settings, cold) = settings;
    let wanted = draws;
    // Every rating is held out in one fold.
    let all = data.splits.iter().flat_map(|split| &split.test).copied();
    let all: Vec<Rating> = all.collect();
    let ratings = RatingMatrix::from_ratings(data.users, data.items, &all)?;
    let friends = friends_of(data);
    let drawing = Drawing {
        ratings: &ratings,
        friends: &friends,
        unrated,
        settings,
        cold,
        noise,
    };
    let (mut draws, mut warnings) = (Vec::new(), Vec::new());
    for draw in 0..wanted {
        progress(draw, "users without ratings");
        draws.extend(drawing.draw(settings.seed.wrapping_add(draw as u64))?);
    }
    if draws.len() < wanted {
        let text = "in some draws too few users could be judged or calibrated with: no figures for \
                    users without ratings from them";
        warnings.push(text.to_owned());
    }
    let few = (1..=MOST_KEPT).filter_map(|kept| {
        let group = ColdReport::over(&draws, kept)?;
        Some((format!("k{kept}"), group))
    });
    Ok(ColdEvaluation {
        cold: ColdReport::over(&draws, 0),
        few: few.collect(),
        warnings,
    })
}

/// Friends of every user in either direction, ascending.
pub(super) fn friends_of(data: &EvaluationData<'_>) -> Vec<Vec<u32>> {
    let mut friends = vec![BTreeSet::new(); data.users];
    for (i, f) in data.social.iter() {
        friends[i as usize].insert(f);
        friends[f as usize].insert(i);
    }
    let friends = friends.into_iter();
    friends.map(|of| of.into_iter().collect()).collect()
}

impl ColdReport {
    fn over(draws: &[DrawOutcome], kept: usize) -> Option<Self> {
        let draws: Vec<(&DrawOutcome, &GroupScores)> = draws
            .iter()
            .filter_map(|draw| Some((draw, draw.groups.get(kept)?.as_ref()?)))
            .collect();
        let mean = |pick: &dyn Fn(&DrawOutcome, &GroupScores) -> f64| {
            let sum: f64 = draws.iter().map(|(draw, group)| pick(draw, group)).sum();
            sum / draws.len() as f64
        };
        let score = |kind: usize| {
            let of = draws.iter().map(|(_, group)| group.scores[kind]);
            Some(ListScore {
                ndcg_10: Spread::over(of.clone().map(|score| score.mean))?,
                ndcg_10_reweighted: Spread::over(of.filter_map(|score| score.reweighted)),
            })
        };
        let gain = |kind: usize| {
            let differences = draws.iter();
            let differences = differences.map(|(_, g)| g.scores[kind].mean - g.scores[OWN].mean);
            Interval::over(&differences.collect::<Vec<f64>>())
        };
        let reweighted = draws.iter().filter_map(|(_, group)| {
            Some(group.scores[FRIENDS].reweighted? - group.scores[OWN].reweighted?)
        });
        Some(Self {
            draws: draws.len(),
            users: mean(&|_, group| group.users as f64),
            opened: mean(&|draw, _| draw.size.opened as f64),
            uploaded: mean(&|draw, _| draw.size.uploaded as f64),
            calibration: mean(&|draw, _| draw.calibration as f64),
            sigma: mean(&|draw, _| draw.sigma),
            popularity: score(POPULARITY)?,
            own: score(OWN)?,
            friends: score(FRIENDS)?,
            friends_exact: score(EXACT)?,
            placebo: score(PLACEBO)?,
            gain: gain(FRIENDS),
            placebo_gain: gain(PLACEBO),
            gain_reweighted: Interval::over(&reweighted.collect::<Vec<f64>>()),
            gates_open: Gates {
                friends: mean(&|_, group| group.gates[0]),
                friends_exact: mean(&|_, group| group.gates[1]),
                placebo: mean(&|_, group| group.gates[2]),
            },
        })
    }
}

/// Places of [`GroupScores::scores`].
const POPULARITY: usize = 0;
const OWN: usize = 1;
const FRIENDS: usize = 2;
const EXACT: usize = 3;
const PLACEBO: usize = 4;
