use super::calibration::{Calibration, FOLDS, relevant};
use super::estimate::{FriendsEstimate, Gate};
use crate::lists::{best, narrow};
use crate::popularity::LIST_WEIGHTS;
use crate::random::{below, purpose, stream};
use rayon::prelude::*;

/// How much of an estimate is taken as the centre of the prior.
const STRENGTHS: [f64; 4] = [0.0, 0.5, 1.0, 2.0];

/// A user as if they had rated few items: what is kept, and what a list should have.
struct Kept {
    /// Place among the judged calibration users.
    place: usize,
    /// Part of the cross-validation.
    part: usize,
    /// Ascending.
    items: Vec<u32>,
    relevant: Vec<u32>,
    /// From what is kept alone.
    own: Vec<f64>,
    values: Vec<f32>,
}

/// How lists are made from K ratings of one's own and nothing else, chosen on calibration users.
pub struct OwnRatings {
    users: Vec<Kept>,
    /// What everybody's mean factor counts as the centre of the prior.
    strength: f64,
    /// What popularity counts.
    popularity_weight: f64,
    mean: Vec<f64>,
    /// NDCG of `users`.
    found: Vec<f64>,
}

impl OwnRatings {
    /// Chosen on calibration users of whose ratings `kept` are kept at random.
    pub fn fit(calibration: &Calibration<'_>, kept: usize, seed: u64) -> Self {
        Self::fit_keeping(calibration, |_| kept, seed)
    }

    /// As [`Self::fit`], `kept` telling from a user's number of ratings how many are kept.
    pub fn fit_keeping(
        calibration: &Calibration<'_>,
        kept: impl Fn(usize) -> usize,
        seed: u64,
    ) -> Self {
        let users: Vec<Kept> = calibration
            .judged
            .iter()
            .enumerate()
            .filter_map(|(place, &user)| {
                let all = &calibration.users[user];
                let count = kept(all.items.len());
                let (kept, rest) = keep(&all.items, count, seed.wrapping_add(user as u64))?;
                let of = |places: &[usize]| -> (Vec<u32>, Vec<f32>) {
                    places
                        .iter()
                        .map(|&p| (all.items[p], all.values[p]))
                        .unzip()
                };
                let (items, values) = of(&kept);
                let (others, theirs) = of(&rest);
                let relevant = relevant(&others, &theirs, calibration.judging.relevant_from);
                (!relevant.is_empty()).then(|| Kept {
                    place,
                    part: user % FOLDS,
                    own: calibration.model.fold_in(&items, &values, None),
                    items,
                    values,
                    relevant,
                })
            })
            .collect();
        let mean = calibration.mean_factor(0..calibration.users.len());
        let found = try_all(calibration, &users, |_| &mean);
        let nothing = vec![0.0; users.len()];
        let (top, _) = Gate::choose(&found, |user| users[user].part, &nothing);
        let (strength, popularity_weight) = choice(top);
        let found = found.iter().map(|scores| scores[top]).collect();
        Self {
            users,
            strength,
            popularity_weight,
            mean,
            found,
        }
    }

    /// What popularity counts.
    pub(super) fn popularity_weight(&self) -> f64 {
        self.popularity_weight
    }

    /// The list of somebody who gave these ratings, items ascending, without those items.
    pub fn list(&self, calibration: &Calibration<'_>, items: &[u32], values: &[f32]) -> Vec<u32> {
        let (strength, weight) = (self.strength, self.popularity_weight);
        list(calibration, (items, values), &self.mean, strength, weight)
    }
}

/// How the friends' estimate and K ratings of one's own are blended: the estimate is the centre of
/// the prior that the ratings are folded in with.
pub struct FewRatings {
    /// Whether it is used instead of [`OwnRatings`].
    pub gate: Gate,
    /// How much of the estimate is the centre.
    pub strength: f64,
    /// What popularity counts.
    pub popularity_weight: f64,
}

impl FewRatings {
    /// Chosen on the same users as `own`, each by an estimate not learnt from them.
    pub fn fit(calibration: &Calibration<'_>, own: &OwnRatings, friends: &FriendsEstimate) -> Self {
        let prior = |user: &Kept| friends.judged_factors.row(user.place);
        let found = try_all(calibration, &own.users, prior);
        let (top, gate) = Gate::choose(&found, |user| own.users[user].part, &own.found);
        let (strength, popularity_weight) = choice(top);
        Self {
            gate,
            strength,
            popularity_weight,
        }
    }

    /// The list of the opened user at `row`, who gave these ratings, items ascending, without
    /// those items; from their own ratings alone where the gate is closed.
    pub fn list(
        &self,
        calibration: &Calibration<'_>,
        (own, friends): (&OwnRatings, &FriendsEstimate),
        row: usize,
        (items, values): (&[u32], &[f32]),
    ) -> Vec<u32> {
        if !self.gate.is_open {
            return own.list(calibration, items, values);
        }
        let prior = friends.factor(row);
        let (strength, weight) = (self.strength, self.popularity_weight);
        list(calibration, (items, values), &prior, strength, weight)
    }
}

fn list(
    calibration: &Calibration<'_>,
    (items, values): (&[u32], &[f32]),
    prior: &[f64],
    strength: f64,
    weight: f64,
) -> Vec<u32> {
    let prior: Vec<f64> = prior.iter().map(|u| strength * u).collect();
    let factor = calibration.model.fold_in(items, values, Some(&prior));
    let mut scores = Vec::new();
    calibration.catalogue.scores(&factor, &mut scores);
    let offset = (narrow(weight), &calibration.served[..]);
    best(&scores, offset, items, calibration.judging.cutoff)
}

/// Strength and weight of popularity at a place of what [`try_all`] tries.
fn choice(place: usize) -> (f64, f64) {
    let weights = LIST_WEIGHTS.len();
    (STRENGTHS[place / weights], LIST_WEIGHTS[place % weights])
}

/// NDCG of every user with every strength and weight of popularity.
fn try_all<'p>(
    calibration: &Calibration<'_>,
    users: &[Kept],
    prior: impl Fn(&Kept) -> &'p [f64] + Sync,
) -> Vec<Vec<f64>> {
    users
        .par_iter()
        .map_init(
            || (Vec::new(), Vec::new(), Vec::new()),
            |(own, shift, scores), user| {
                // The fold-in is linear in its prior: two products serve every strength.
                let prior = prior(user);
                let both = calibration
                    .model
                    .fold_in(&user.items, &user.values, Some(prior));
                let turned: Vec<f64> = both.iter().zip(&user.own).map(|(a, b)| a - b).collect();
                let shortlist = &calibration.shortlist;
                shortlist.catalogue.scores(&user.own, own);
                shortlist.catalogue.scores(&turned, shift);
                let skip = shortlist.places(&user.items);
                let wanted = (&user.relevant[..], calibration.judging.cutoff);
                let mut found = Vec::new();
                for strength in STRENGTHS.map(narrow) {
                    scores.clear();
                    let pairs = own.iter().zip(&*shift);
                    scores.extend(pairs.map(|(own, shift)| own + strength * shift));
                    for weight in LIST_WEIGHTS.map(narrow) {
                        let offset = (weight, &shortlist.popularity[..]);
                        found.push(shortlist.judge(scores, offset, &skip, wanted));
                    }
                }
                found
            },
        )
        .collect()
}

/// `count` places of a user's items drawn at random, ascending, and the others; none where nothing
/// would be left.
pub(crate) fn keep(items: &[u32], count: usize, seed: u64) -> Option<(Vec<usize>, Vec<usize>)> {
    if items.len() <= count {
        return None;
    }
    let mut rng = stream(seed, purpose::KEPT);
    let mut places: Vec<usize> = (0..items.len()).collect();
    for place in 0..count {
        let other = place + below(&mut rng, places.len() - place);
        places.swap(place, other);
    }
    let mut rest = places.split_off(count);
    places.sort_unstable();
    rest.sort_unstable();
    Some((places, rest))
}
