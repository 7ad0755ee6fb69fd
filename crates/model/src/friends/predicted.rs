//! Ratings of users with few of their own, predicted with and without what friends' sums say.
//!
//! | symbol | meaning |
//! |---|---|
//! | (u, b) | a user's factor and bias, folded in from what they rated |
//! | c | 0, and the bias that goes with their activity |
//! | m | mean of (u, b) − c over calibration users |
//! | δ | what the noised sum says of (u, b) − c, by ridge regression on calibration users |
//!
//! Without friends (u, b) is drawn to c + r·m, with them to c + s·δ. r, s and the ridge's decay are
//! chosen on calibration users, each by a mean and a map not learnt from them; friends are gated
//! against their absence as in lists ([`Gate`]). Were they held against c alone, links that say
//! nothing would seem to gain what m does.

use super::calibration::FOLDS;
use super::estimate::Gate;
use super::features::Described;
use super::few::keep;

use super::ridge::{Group, Ridge};
use crate::activity::ActivityPrior;
use crate::least_squares::{FEW, NormalEquations};
use crate::start::starting_model;
use crate::{Model, ModelError, SolverSettings, solver};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;
use std::sync::Arc;

/// Decays that are tried on the map.
const DECAYS: [f64; 4] = [10.0, 100.0, 1_000.0, 10_000.0];
/// How much of δ is taken.
const STRENGTHS: [f64; 3] = [0.5, 1.0, 2.0];
/// How much of m is taken.
const MEAN_STRENGTHS: [f64; 4] = [0.0, 0.5, 1.0, 2.0];

/// The explicit model without links, learnt from others' ratings alone. P0's secret.
pub struct PredictedBase {
    model: Model,
    activity: ActivityPrior,
    decays: (f64, f64),
}

/// A user as if they had given few ratings: those, and the ones that are to be predicted.
pub(crate) struct KeptRatings {
    pub(crate) items: Vec<u32>,
    pub(crate) values: Vec<f32>,
    pub(crate) hidden: Vec<u32>,
    pub(crate) hidden_values: Vec<f32>,
}

impl KeptRatings {
    /// Of a user's items and values, as if they had given `count` drawn at random; none where
    /// nothing would be left to judge by.
    pub(crate) fn draw((items, values): (&[u32], &[f32]), count: usize, seed: u64) -> Option<Self> {
        let (kept, rest) = keep(items, count, seed)?;
        let of = |places: &[usize]| -> (Vec<u32>, Vec<f32>) {
            places.iter().map(|&p| (items[p], values[p])).unzip()
        };
        let ((items, values), (hidden, hidden_values)) = (of(&kept), of(&rest));
        Some(Self {
            items,
            values,
            hidden,
            hidden_values,
        })
    }
}

impl PredictedBase {
    /// Learns from `base`, which has no rating by anybody who is judged or calibrated with.
    ///
    /// # Errors
    /// Settings out of range, and no ratings.
    pub fn learn(
        base: &RatingMatrix,
        scale: (f64, f64),
        settings: &SolverSettings,
    ) -> Result<Self, ModelError> {
        let settings = settings.without_social();
        let ratings = Arc::new(base.clone());
        let (_, activity) = starting_model(base, scale, &settings);
        let mut learning = solver(ratings, scale, &settings, None)?;
        while !learning.is_finished() {
            learning.step(None)?;
        }
        Ok(Self {
            model: learning.model().clone(),
            activity,
            decays: (settings.user_decay, settings.user_bias_decay),
        })
    }

    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    fn width(&self) -> usize {
        self.model.rank() + 1
    }

    /// c of somebody with so many ratings.
    fn centre(&self, ratings: usize) -> Vec<f64> {
        let mut centre = vec![0.0; self.width()];
        centre[self.width() - 1] = self.activity.centre(ratings);
        centre
    }

    /// (u, b) of somebody who gave these ratings, drawn to c + `shift`.
    pub(super) fn fold_in(&self, items: &[u32], values: &[f32], shift: &[f64]) -> Vec<f64> {
        let width = self.width();
        let mut centre = self.centre(items.len());
        centre.iter_mut().zip(shift).for_each(|(c, s)| *c += s);
        if items.is_empty() {
            return centre;
        }
        let mut system = NormalEquations::new(width);
        system.reset(self.decays);
        system.centre(&centre, self.decays);
        let stride = system.stride();
        let mut features = vec![0.0; items.len() * stride];
        let mut targets = Vec::with_capacity(items.len());
        let rows = features.chunks_exact_mut(stride);
        for (features, (&item, &value)) in rows.zip(items.iter().zip(values)) {
            let item = item as usize;
            features[..width - 1].copy_from_slice(self.model.item_factor(item));
            features[width - 1] = 1.0;
            let known = self.model.mean + self.model.item_bias(item);
            targets.push(self.model.unit.standardise(value) - known);
        }
        let mut row = vec![0.0; width];
        if items.len() <= FEW {
            system.solve_few(&features, &targets, &mut row);
        } else {
            system.observe_targets(&features, &targets);
            system.solve(&mut row);
        }
        row
    }

    /// z of an item for a row (u, b), not clipped.
    fn expected(&self, row: &[f64], item: u32) -> f64 {
        let item = item as usize;
        let (factor, bias) = row.split_at(row.len() - 1);
        let pairs = factor.iter().zip(self.model.item_factor(item));
        let dot: f64 = pairs.map(|(u, v)| u * v).sum();
        self.model.mean + self.model.item_bias(item) + bias[0] + dot
    }

    /// The rating of a z.
    fn rating(&self, expected: f64) -> f64 {
        let (lowest, highest) = self.model.scale;
        self.model.unit.restore(expected).clamp(lowest, highest)
    }

    /// Predictions of what is hidden of a user, drawn to c + `shift`.
    pub(crate) fn predictions(&self, user: &KeptRatings, shift: &[f64]) -> Vec<f64> {
        let row = self.fold_in(&user.items, &user.values, shift);
        let hidden = user.hidden.iter();
        hidden
            .map(|&item| self.rating(self.expected(&row, item)))
            .collect()
    }
}

/// What friends' sums say of how their user rates, and whether it is used.
pub(crate) struct PredictedFriends {
    described: Described,
    groups: Vec<Chosen>,
}

/// What was chosen for a group of users.
struct Chosen {
    /// r·m.
    alone: Vec<f64>,
    gate: Gate,
    map: Map,
    /// s.
    strength: f64,
}

/// δ of features.
#[derive(Clone)]
struct Map {
    /// Features × (k + 1).
    weights: RealMatrix,
    mean: Vec<f64>,
}

impl Map {
    fn of(&self, features: &[f64]) -> Vec<f64> {
        let mut shift = self.mean.clone();
        for (place, x) in features.iter().enumerate() {
            let row = self.weights.row(place).iter();
            shift.iter_mut().zip(row).for_each(|(to, w)| *to += x * w);
        }
        shift
    }
}

impl PredictedFriends {
    /// Learns from a release: `sums` are the rows of all opened users in order, `places` those of
    /// the calibration users, `all` what these rated, and `groups[group]` each of them as if they
    /// had rated less, none where nothing would be left to judge by.
    pub(crate) fn fit(
        base: &PredictedBase,
        (sums, sigma): (&RealMatrix, f64),
        places: &[usize],
        all: &[(&[u32], &[f32])],
        groups: &[Vec<Option<KeptRatings>>],
    ) -> Self {
        let (described, rows) = Described::new(sums, sigma, places);
        let targets: Vec<Vec<f64>> = all
            .par_iter()
            .map(|(items, values)| {
                let centre = base.centre(items.len());
                let row = base.fold_in(items, values, &[]);
                row.iter().zip(centre).map(|(a, b)| a - b).collect()
            })
            .collect();
        let learn = |users: &[usize]| learn(&rows, &targets, users);
        let users = 0..places.len();
        // δ of every user by every decay, each by a map that was not learnt from them.
        let mut shifts = vec![Said::default(); places.len()];
        for fold in 0..FOLDS {
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                users.clone().partition(|user| user % FOLDS == fold);
            let maps = learn(&outside);
            for user in inside {
                let features = rows.row(user);
                shifts[user] = Said {
                    mean: maps[0].mean.clone(),
                    shifts: maps.iter().map(|map| map.of(features)).collect(),
                };
            }
        }
        let maps = learn(&users.collect::<Vec<_>>());
        let groups = groups
            .iter()
            .map(|group| Chosen::of(base, group, &shifts, &maps));
        Self {
            groups: groups.collect(),
            described,
        }
    }

    /// What somebody in a group is drawn to besides c without friends.
    pub(crate) fn alone(&self, group: usize) -> &[f64] {
        &self.groups[group].alone
    }

    /// What the opened user at `row` is drawn to besides c, in a group; none where the gate is
    /// closed.
    pub(crate) fn shift(&self, group: usize, row: usize) -> Option<Vec<f64>> {
        let chosen = &self.groups[group];
        let shift = chosen.map.of(&self.described.row(row));
        let strong = || shift.iter().map(|x| chosen.strength * x).collect();
        chosen.gate.is_open.then(strong)
    }
}

/// What is said of one user by means and maps not learnt from them.
#[derive(Clone, Default)]
struct Said {
    mean: Vec<f64>,
    /// δ by decay.
    shifts: Vec<Vec<f64>>,
}

impl Chosen {
    fn of(
        base: &PredictedBase,
        group: &[Option<KeptRatings>],
        said: &[Said],
        maps: &[Map],
    ) -> Self {
        let known: Vec<usize> = (0..group.len()).filter(|&u| group[u].is_some()).collect();
        let tried: Vec<(Vec<f64>, Vec<f64>)> = known
            .par_iter()
            .filter_map(|&user| Some(try_all(base, group[user].as_ref()?, &said[user])))
            .collect();
        let (alone, found): (Vec<Vec<f64>>, Vec<Vec<f64>>) = tried.into_iter().unzip();
        let part = |place: usize| known[place] % FOLDS;
        let nothing = vec![0.0; alone.len()];
        let (best, _) = Gate::choose(&alone, part, &nothing);
        let without: Vec<f64> = alone.iter().map(|tried| tried[best]).collect();
        let (top, gate) = Gate::choose(&found, part, &without);
        let map = maps[top / STRENGTHS.len()].clone();
        let mean = map.mean.iter();
        Self {
            alone: mean.map(|m| MEAN_STRENGTHS[best] * m).collect(),
            gate,
            map,
            strength: STRENGTHS[top % STRENGTHS.len()],
        }
    }
}

/// One map for every decay, learnt from `users`.
fn learn(rows: &RealMatrix, targets: &[Vec<f64>], users: &[usize]) -> Vec<Map> {
    let width = targets.first().map_or(0, Vec::len);
    let count = users.len().max(1) as f64;
    let mut mean = vec![0.0; width];
    for &user in users {
        let target = targets[user].iter();
        mean.iter_mut()
            .zip(target)
            .for_each(|(m, t)| *m += t / count);
    }
    let mut towards = RealMatrix::zeros(rows.columns(), width);
    for &user in users {
        for (place, x) in rows.row(user).iter().enumerate() {
            let target = targets[user].iter().zip(&mean);
            let sums = towards.row_mut(place).iter_mut();
            sums.zip(target)
                .for_each(|(sum, (t, m))| *sum += x * (t - m));
        }
    }
    let ridge = Ridge::new(&[&Group::new(rows, users, 1.0)]);
    DECAYS
        .iter()
        .map(|&decay| Map {
            weights: product(&ridge.inverse(decay), &towards),
            mean: mean.clone(),
        })
        .collect()
}

fn product(a: &RealMatrix, b: &RealMatrix) -> RealMatrix {
    let mut out = RealMatrix::zeros(a.rows(), b.columns());
    for row in 0..a.rows() {
        for (place, a) in a.row(row).iter().enumerate() {
            let from = b.row(place).iter();
            let to = out.row_mut(row).iter_mut();
            to.zip(from).for_each(|(to, b)| *to += a * b);
        }
    }
    out
}

/// Squared errors, negative so that more is better: without friends by every strength of the mean,
/// and with every decay and strength.
fn try_all(base: &PredictedBase, user: &KeptRatings, said: &Said) -> (Vec<f64>, Vec<f64>) {
    let expected = |shift: &[f64]| -> Vec<f64> {
        let row = base.fold_in(&user.items, &user.values, shift);
        let hidden = user.hidden.iter();
        hidden.map(|&item| base.expected(&row, item)).collect()
    };
    let own = expected(&[]);
    // The fold-in is linear in its centre: one more serves every strength.
    let errors = |shifted: &[f64], strength: f64| -> f64 {
        let pairs = own.iter().zip(shifted);
        let expected = pairs.map(|(own, with)| own + strength * (with - own));
        let both = expected.zip(&user.hidden_values);
        both.map(|(z, &value)| -(base.rating(z) - f64::from(value)).powi(2))
            .sum()
    };
    let mean = expected(&said.mean);
    let alone = MEAN_STRENGTHS.map(|strength| errors(&mean, strength));
    let with = said.shifts.iter().flat_map(|shift| {
        let shifted = expected(shift);
        STRENGTHS.map(|strength| errors(&shifted, strength))
    });
    (alone.to_vec(), with.collect())
}
