use super::calibration::{Calibration, FOLDS, relevant};
use super::estimate::{FriendsEstimate, Gate, SCORED_TOGETHER};
use crate::lists::{best_of, narrow};
use crate::popularity::LIST_WEIGHTS;
use crate::random::{below, purpose, stream};
use rayon::prelude::*;

/// How much of an estimate is taken as the centre of the prior.
const STRENGTHS: [f64; 4] = [0.0, 0.5, 1.0, 2.0];

/// What the map from noised sums to items counts beside scores from one's own ratings.
const ITEM_WEIGHTS: [f64; 4] = [1.0, 2.0, 4.0, 8.0];

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
        kept: impl Fn(usize) -> usize + Sync,
        seed: u64,
    ) -> Self {
        let users: Vec<Kept> = calibration
            .judged
            .par_iter()
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
                let relevant = relevant(&others, &theirs, calibration.relevant_from);
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

    /// The factor of somebody who gave these ratings, by what was chosen.
    pub(super) fn factor(
        &self,
        calibration: &Calibration<'_>,
        items: &[u32],
        values: &[f32],
    ) -> Vec<f64> {
        let prior: Vec<f64> = self.mean.iter().map(|u| self.strength * u).collect();
        calibration.model.fold_in(items, values, Some(&prior))
    }

    /// The list of somebody who gave these ratings, items ascending, without those items.
    pub fn list(&self, calibration: &Calibration<'_>, items: &[u32], values: &[f32]) -> Vec<u32> {
        let (strength, weight) = (self.strength, self.popularity_weight);
        list(calibration, (items, values), &self.mean, strength, weight)
    }
}

/// How the friends' estimate and K ratings of one's own are blended: the estimated factor is the
/// centre of the prior that the ratings are folded in with, or what the sum says of items is added
/// to the scores by own ratings, whichever is better.
pub struct FewRatings {
    /// Whether it is used instead of [`OwnRatings`].
    pub gate: Gate,
    /// How much of the estimate is the centre.
    pub strength: f64,
    /// What the map to items counts beside own scores; 0 where the estimate is the centre.
    pub items_weight: f64,
    /// What popularity counts.
    pub popularity_weight: f64,
}

impl FewRatings {
    /// Chosen on the same users as `own`, each by an estimate not learnt from them.
    pub fn fit(calibration: &Calibration<'_>, own: &OwnRatings, friends: &FriendsEstimate) -> Self {
        let prior = |user: &Kept| friends.judged_factors.row(user.place);
        let mut found = try_all(calibration, &own.users, prior);
        let by_prior = STRENGTHS.len() * LIST_WEIGHTS.len();
        for (found, more) in found.iter_mut().zip(try_items(calibration, own, friends)) {
            found.extend(more);
        }
        let (top, gate) = Gate::choose(&found, |user| own.users[user].part, &own.found);
        let (strength, items_weight, popularity_weight) = match top.checked_sub(by_prior) {
            None => (choice(top).0, 0.0, choice(top).1),
            Some(place) => {
                let weights = LIST_WEIGHTS.len();
                let items_weight = ITEM_WEIGHTS[place / weights];
                (0.0, items_weight, LIST_WEIGHTS[place % weights])
            }
        };
        Self {
            gate,
            strength,
            items_weight,
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
        if self.items_weight > 0.0 {
            let factor = own.factor(calibration, items, values);
            let (map, features) = friends.item_scores(row);
            let features: Vec<f64> = features.iter().map(|x| self.items_weight * x).collect();
            let parts = [(&calibration.catalogue, &factor[..]), (map, &features[..])];
            let offset = (narrow(self.popularity_weight), &calibration.served[..]);
            return best_of(&parts, offset, items, calibration.judging.cutoff);
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
    let parts = [(&calibration.catalogue, &factor[..])];
    let offset = (narrow(weight), &calibration.served[..]);
    best_of(&parts, offset, items, calibration.judging.cutoff)
}

/// NDCG of every user with every weight of the map to items and of popularity.
fn try_items(
    calibration: &Calibration<'_>,
    own: &OwnRatings,
    friends: &FriendsEstimate,
) -> Vec<Vec<f64>> {
    let shortlist = &calibration.shortlist;
    let mut all = vec![Vec::new(); own.users.len()];
    for part in 0..FOLDS {
        let of_part = |place: &usize| own.users[*place].part == part;
        let places: Vec<usize> = (0..own.users.len()).filter(of_part).collect();
        let tried = places.par_chunks(SCORED_TOGETHER).map_init(
            || {
                let many = || vec![Vec::new(); SCORED_TOGETHER];
                (many(), many(), Vec::new())
            },
            |(scores, added, both), places| {
                let users = || places.iter().map(|&place| &own.users[place]);
                let factor = |user: &Kept| own.factor(calibration, &user.items, &user.values);
                let factors: Vec<Vec<f64>> = users().map(factor).collect();
                shortlist.blocks.scores_of(&factors, scores);
                let row = |user: &Kept| calibration.users[calibration.judged[user.place]].row;
                friends.judged_scores(users().map(row), part, added);
                let each = users().zip(scores.iter().zip(&*added));
                each.map(|(user, (scores, added))| {
                    let all = ITEM_WEIGHTS.map(|weight| (scores, added, narrow(weight)));
                    try_weights(calibration, user, &all, both)
                })
                .collect()
            },
        );
        let tried: Vec<Vec<Vec<f64>>> = tried.collect();
        for (place, tried) in places.into_iter().zip(tried.into_iter().flatten()) {
            all[place] = tried;
        }
    }
    all
}

/// NDCG of a user by each of some sums of scores, first + weight · second, with every weight of
/// popularity.
fn try_weights(
    calibration: &Calibration<'_>,
    user: &Kept,
    sums: &[(&Vec<f32>, &Vec<f32>, f32)],
    scores: &mut Vec<f32>,
) -> Vec<f64> {
    let shortlist = &calibration.shortlist;
    let skip = shortlist.places(&user.items);
    let wanted = (&user.relevant[..], calibration.judging.cutoff);
    let (mut found, mut last) = (Vec::new(), Vec::new());
    for (first, second, weight) in sums {
        scores.clear();
        let pairs = first.iter().zip(*second);
        scores.extend(pairs.map(|(first, second)| first + weight * second));
        for weight in LIST_WEIGHTS.map(narrow) {
            let offset = (weight, &shortlist.popularity[..]);
            let known = (&skip[..], &mut last);
            found.push(shortlist.judge(scores, offset, known, wanted));
        }
    }
    found
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
    let tried = users.par_chunks(SCORED_TOGETHER).map_init(
        || {
            let many = || vec![Vec::new(); SCORED_TOGETHER];
            (many(), many(), Vec::new())
        },
        |(own, shifts, scores), users| {
            // The fold-in is linear in its prior: two products serve every strength.
            let turned = |user: &Kept| -> Vec<f64> {
                let prior = Some(prior(user));
                let both = calibration.model.fold_in(&user.items, &user.values, prior);
                both.iter().zip(&user.own).map(|(a, b)| a - b).collect()
            };
            let turned: Vec<Vec<f64>> = users.iter().map(turned).collect();
            let alone: Vec<&[f64]> = users.iter().map(|user| &user.own[..]).collect();
            let blocks = &calibration.shortlist.blocks;
            blocks.scores_of(&alone, own);
            blocks.scores_of(&turned, shifts);
            let each = users.iter().zip(own.iter().zip(&*shifts));
            each.map(|(user, (own, shift))| {
                let all = STRENGTHS.map(|strength| (own, shift, narrow(strength)));
                try_weights(calibration, user, &all, scores)
            })
            .collect::<Vec<Vec<f64>>>()
        },
    );
    let tried: Vec<Vec<Vec<f64>>> = tried.collect();
    tried.into_iter().flatten().collect()
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
