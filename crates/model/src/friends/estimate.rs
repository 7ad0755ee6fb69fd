use super::GATE;
use super::calibration::{Calibration, FOLDS, OwnList};
use super::features::Described;
use super::ridge::{Group, Ridge, summed};
use crate::eigen::turn;
use crate::lists::{Blocks, Catalogue, best_of, narrow};
use crate::popularity::LIST_WEIGHTS;
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use serde::{Deserialize, Serialize};

/// Decays that are tried on the map to a factor.
const FACTOR_DECAYS: [f64; 4] = [10.0, 100.0, 1_000.0, 10_000.0];
/// Decays that are tried on the map to the items themselves.
const ITEM_DECAYS: [f64; 4] = [300.0, 1_000.0, 3_000.0, 10_000.0];
/// What popularity may count beside the map to items, in the unit of its targets.
const RATE_WEIGHTS: [f64; 3] = [1.0, 1.5, 2.0];
/// Users who are scored while a block of items is in the nearest cache.
pub(super) const SCORED_TOGETHER: usize = 8;
/// What a user with few ratings counts where the map to items is learnt.
const FEW_WEIGHT: f64 = 0.25;

/// What a noised sum is mapped to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Candidate {
    /// A factor; lists are by its scores and popularity.
    Factor {
        /// Ridge of the map.
        decay: f64,
        /// What popularity counts beside it.
        popularity_weight: f64,
    },
    /// What is added to every item's popularity.
    Items {
        /// Ridge of the map.
        decay: f64,
    },
}

/// Whether an estimate is used, and why.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// Mean gain in NDCG over what it would take the place of, on calibration users, each by a
    /// map that was not learnt from them and a choice that was not made by them.
    pub gain: f64,
    /// Its paired standard error.
    pub standard_error: f64,
    /// Whether the gain is [`GATE`] standard errors or more.
    pub is_open: bool,
}

impl Gate {
    /// `found[user][choice]` against `base[user]`, the choice for one part of the users being the
    /// best on the other parts: the best of many would else open the gate by chance. Also the best
    /// choice on all.
    pub(super) fn choose(
        found: &[Vec<f64>],
        part: impl Fn(usize) -> usize,
        base: &[f64],
    ) -> (usize, Self) {
        let best = |left_out: Option<usize>| {
            let inside = found.iter().enumerate();
            let inside = inside.filter(|(user, _)| Some(part(*user)) != left_out);
            let mut totals = vec![0.0; found.first().map_or(0, Vec::len)];
            for (_, scores) in inside {
                totals
                    .iter_mut()
                    .zip(scores)
                    .for_each(|(total, score)| *total += score);
            }
            first_best(&totals)
        };
        let chosen: Vec<usize> = (0..FOLDS).map(|part| best(Some(part))).collect();
        let users = found.iter().zip(base).enumerate();
        let differences = users.map(|(user, (scores, base))| scores[chosen[part(user)]] - base);
        (best(None), Self::over(&differences.collect::<Vec<f64>>()))
    }

    /// Over paired differences.
    fn over(differences: &[f64]) -> Self {
        let count = differences.len() as f64;
        let gain = differences.iter().sum::<f64>() / count.max(1.0);
        let squares: f64 = differences.iter().map(|d| (d - gain) * (d - gain)).sum();
        let standard_error = (squares / (count - 1.0).max(1.0) / count.max(1.0)).sqrt();
        Self {
            gain,
            standard_error,
            is_open: gain > 0.0 && gain >= GATE * standard_error,
        }
    }
}

/// The map from noised sums to what their users like, and those sums' estimates.
pub struct FriendsEstimate {
    /// Whether it is used.
    pub gate: Gate,
    /// The best of those tried.
    pub candidate: Candidate,
    described: Described,
    /// The map to a factor, features × k, and what is added.
    weights: RealMatrix,
    mean: Vec<f64>,
    /// The map to items, features wide, and each item's popularity, where that is the best.
    items: Option<(Catalogue, Vec<f32>)>,
    /// Factors of the judged calibration users, each by a map not learnt from them.
    pub(super) judged_factors: RealMatrix,
    /// The best map to items, and of each part of the calibration users the same not learnt from
    /// them, for the shortlist.
    blended: Catalogue,
    blended_by_part: Vec<Blocks>,
}

impl FriendsEstimate {
    /// Learns from a release: `sums` are the rows of all opened users in order, with noise of
    /// standard deviation `sigma`, 0 where they are exact.
    pub fn fit(calibration: &Calibration<'_>, sums: &RealMatrix, sigma: f64) -> Self {
        let places: Vec<usize> = calibration.users.iter().map(|user| user.row).collect();
        let (described, features) = Described::new(sums, sigma, &places);
        let few: Vec<usize> = calibration.few.iter().map(|user| user.row).collect();
        let of_few = described.rows(&few);
        let every_row: Vec<usize> = (0..few.len()).collect();
        let rows = Rows {
            calibration,
            features: &features,
            few: Group::new(&of_few, &every_row, FEW_WEIGHT),
            of_few: &of_few,
        };
        let judged = calibration.judged.len();
        let rank = calibration.factors.columns();
        let weights = RATE_WEIGHTS.len();
        let mut found = vec![Vec::new(); judged];
        let mut factors = vec![RealMatrix::zeros(judged, rank); FACTOR_DECAYS.len()];
        let mut maps = ITEM_DECAYS.map(|_| Vec::new());
        for fold in 0..FOLDS {
            rows.fold(fold, &mut found, (&mut factors, &mut maps));
        }
        let part = |place: usize| calibration.judged[place] % FOLDS;
        let (top, gate) = Gate::choose(&found, part, &calibration.by_popularity);
        let of_factors = FACTOR_DECAYS.len() * LIST_WEIGHTS.len();
        let only = |user: &Vec<f64>| user[..of_factors].to_vec();
        let only: Vec<Vec<f64>> = found.iter().map(only).collect();
        let (top_factor, _) = Gate::choose(&only, part, &calibration.by_popularity);
        let top_factor = top_factor / LIST_WEIGHTS.len();
        let by_items: Vec<Vec<f64>> = found.iter().map(|u| u[of_factors..].to_vec()).collect();
        let (top_items, _) = Gate::choose(&by_items, part, &calibration.by_popularity);
        let top_items = top_items / weights;
        let candidate = if top < of_factors {
            Candidate::Factor {
                decay: FACTOR_DECAYS[top / LIST_WEIGHTS.len()],
                popularity_weight: LIST_WEIGHTS[top % LIST_WEIGHTS.len()],
            }
        } else {
            Candidate::Items {
                decay: ITEM_DECAYS[(top - of_factors) / weights],
            }
        };
        let everybody: Vec<usize> = (0..calibration.users.len()).collect();
        let learnt = rows.learn(&everybody);
        let every_item: Vec<u32> = (0u32..).take(calibration.rates.len()).collect();
        let towards = rows.items(&everybody, &learnt, &every_item);
        let map = |decay| Catalogue::new(&learnt.items_of(&towards, decay));
        let items = match candidate {
            Candidate::Factor { .. } => None,
            Candidate::Items { decay } => {
                let weight = RATE_WEIGHTS[(top - of_factors) % weights];
                let rate = |rate: &f64| narrow(rate * learnt.mass * weight);
                let popularity = calibration.rates.iter().map(rate).collect();
                Some((map(decay), popularity))
            }
        };
        let blended = map(ITEM_DECAYS[top_items]);
        Self {
            gate,
            candidate,
            weights: learnt.weights(FACTOR_DECAYS[top_factor]),
            mean: learnt.mean,
            items,
            blended,
            blended_by_part: std::mem::take(&mut maps[top_items]),
            judged_factors: factors.swap_remove(top_factor),
            described,
        }
    }

    /// The list of the opened user at `row`, without `skip`, which is ascending: by the estimate,
    /// or by popularity where the gate is closed.
    pub fn list(&self, calibration: &Calibration<'_>, row: usize, skip: &[u32]) -> Vec<u32> {
        if !self.gate.is_open {
            return calibration.popular(skip);
        }
        let cutoff = calibration.judging.cutoff;
        match (self.candidate, &self.items) {
            (_, Some((items, popularity))) => {
                let parts = [(items, &self.described.row(row)[..])];
                best_of(&parts, (1.0, popularity), skip, cutoff)
            }
            (Candidate::Items { .. }, None) => calibration.popular(skip),
            (
                Candidate::Factor {
                    popularity_weight, ..
                },
                None,
            ) => {
                let factor = self.factor(row);
                let parts = [(&calibration.catalogue, &factor[..])];
                let offset = (narrow(popularity_weight), &calibration.served[..]);
                best_of(&parts, offset, skip, cutoff)
            }
        }
    }

    /// Numbers that a sum is described by.
    pub(super) fn width(&self) -> usize {
        self.described.width()
    }

    /// What the sums are described by, once nothing more is asked of the estimate.
    pub(super) fn into_described(self) -> Described {
        self.described
    }

    /// The map to items, row by row, and each item's popularity, where that is the best.
    pub(super) fn items_map(&self) -> Option<(&[f32], &[f32])> {
        let (items, popularity) = self.items.as_ref()?;
        Some((items.rows(), popularity))
    }

    /// The map by which a sum adds to scores from own ratings, item by item.
    pub(super) fn blended_map(&self) -> &[f32] {
        self.blended.rows()
    }

    /// What the sum of the opened user at `row` adds to every item's score: rows, and what they are
    /// multiplied by.
    pub(super) fn item_scores(&self, row: usize) -> (&Catalogue, Vec<f64>) {
        (&self.blended, self.described.row(row))
    }

    /// The same of some rows for the shortlist, by a map that was not learnt from users of that part.
    pub(super) fn judged_scores(
        &self,
        rows: impl Iterator<Item = usize>,
        part: usize,
        scores: &mut [Vec<f32>],
    ) {
        let features: Vec<Vec<f64>> = rows.map(|row| self.described.row(row)).collect();
        self.blended_by_part[part].scores_of(&features, scores);
    }

    /// The factor that the opened user at `row` is estimated to have, whatever the gate says.
    pub fn factor(&self, row: usize) -> Vec<f64> {
        mapped(&self.described.row(row), &self.weights, &self.mean)
    }
}

/// The first of the largest.
pub(super) fn first_best(totals: &[f64]) -> usize {
    let mut best = 0;
    for (place, total) in totals.iter().enumerate() {
        if *total > totals[best] {
            best = place;
        }
    }
    best
}

fn mapped(features: &[f64], weights: &RealMatrix, mean: &[f64]) -> Vec<f64> {
    let mut factor = mean.to_vec();
    for (place, x) in features.iter().enumerate() {
        let row = weights.row(place).iter();
        factor.iter_mut().zip(row).for_each(|(to, w)| *to += x * w);
    }
    factor
}

/// Features of those who are learnt from.
struct Rows<'a> {
    calibration: &'a Calibration<'a>,
    /// Of the calibration users, in their order.
    features: &'a RealMatrix,
    /// Users with few ratings.
    few: Group,
    of_few: &'a RealMatrix,
}

/// A regression on some calibration users.
struct Learnt {
    ridge: Ridge,
    /// Fᵀ·(T − mean), features × k.
    towards: RealMatrix,
    mean: Vec<f64>,
    /// The same with the users who have few ratings, for a map to items.
    items_ridge: Ridge,
    group: Group,
    /// Mean over the calibration users of what they liked, in the unit of an item map.
    mass: f64,
}

/// What a user's liked items count as targets of a map to items.
fn target(user: &OwnList) -> f64 {
    1.0 / (user.items.len().max(1) as f64).sqrt()
}

impl Rows<'_> {
    fn features_of(&self, user: usize) -> &[f64] {
        self.features.row(user)
    }

    fn learn(&self, users: &[usize]) -> Learnt {
        let calibration = self.calibration;
        let all = users.iter().map(|&user| &calibration.users[user]);
        let group = Group::new(self.features, users, 1.0);
        let mean = calibration.mean_factor(users.iter().copied());
        let (width, rank) = (self.features.columns(), mean.len());
        let mut towards = RealMatrix::zeros(width, rank);
        let sums = summed(
            users,
            width * rank,
            #[inline(always)]
            |user, sums| {
                let features = self.features_of(user).iter();
                for (x, sums) in features.zip(sums.chunks_exact_mut(rank)) {
                    let own = calibration.factors.row(user).iter().zip(&mean);
                    sums.iter_mut()
                        .zip(own)
                        .for_each(|(sum, (u, mean))| *sum += x * (u - mean));
                }
            },
        );
        towards.values_mut().copy_from_slice(&sums);
        let liked = all.map(|user| user.relevant.len() as f64 * target(user));
        Learnt {
            ridge: Ridge::new(&[&group]),
            towards,
            mean,
            mass: liked.sum::<f64>() / users.len().max(1) as f64,
            items_ridge: Ridge::new(&[&group, &self.few]),
            group,
        }
    }

    /// Items × features: Fᵀ·(T − mean) for T what users liked, of the items `wanted` in ascending
    /// order, over the root of the number that they rated.
    fn items(&self, users: &[usize], learnt: &Learnt, wanted: &[u32]) -> RealMatrix {
        let few = self.calibration.few.iter().enumerate();
        let few = few.map(|(place, user)| (&self.few, user, self.of_few.row(place)));
        let users = users.iter().map(|&user| {
            let own = &self.calibration.users[user];
            (&learnt.group, own, self.features_of(user))
        });
        let users: Vec<(&Group, &OwnList, &[f64])> = users.chain(few).collect();
        let liked = (0u32..users.len().try_into().unwrap_or(u32::MAX)).into_par_iter();
        let liked = liked.flat_map_iter(|place| {
            let items = users[place as usize].1.relevant.iter();
            let items = items.filter_map(|item| wanted.binary_search(item).ok());
            items.map(move |item| (item, place))
        });
        let mut liked: Vec<(usize, u32)> = liked.collect();
        liked.par_sort_unstable();
        let mut towards = RealMatrix::zeros(wanted.len(), self.features.columns());
        towards
            .values_mut()
            .par_chunks_exact_mut(self.features.columns())
            .enumerate()
            .for_each(|(item, sums)| {
                let first = liked.partition_point(|(of, _)| *of < item);
                let likes = liked[first..].iter().take_while(|(of, _)| *of == item);
                for &(_, place) in likes {
                    let (group, user, features) = users[place as usize];
                    let value = group.weight * target(user);
                    let row = features.iter().zip(&group.mean);
                    sums.iter_mut()
                        .zip(row)
                        .for_each(|(sum, (x, mean))| *sum += value * (x - mean));
                }
            });
        towards
    }

    /// Judges every candidate on the judged users of one part, by maps learnt from the others.
    fn fold(
        &self,
        fold: usize,
        found: &mut [Vec<f64>],
        (factors, kept): (&mut [RealMatrix], &mut [Vec<Blocks>]),
    ) {
        let calibration = self.calibration;
        let part = |user: usize| user % FOLDS;
        let rest: Vec<usize> = (0..calibration.users.len())
            .filter(|&user| part(user) != fold)
            .collect();
        let learnt = self.learn(&rest);
        let shortlist = &calibration.shortlist;
        let towards = self.items(&rest, &learnt, &shortlist.items);
        let maps = FACTOR_DECAYS.map(|decay| learnt.weights(decay));
        for (decay, factors) in maps.iter().zip(factors) {
            for (place, &user) in calibration.judged.iter().enumerate() {
                if part(user) == fold {
                    let factor = mapped(self.features_of(user), decay, &learnt.mean);
                    factors.row_mut(place).copy_from_slice(&factor);
                }
            }
        }
        let rates = shortlist.items.iter();
        let rates = rates.map(|&item| narrow(calibration.rates[item as usize] * learnt.mass));
        let rates: Vec<f32> = rates.collect();
        let by_items = ITEM_DECAYS.map(|decay| Blocks::new(&learnt.items_of(&towards, decay)));
        let judged: Vec<usize> = (0..calibration.judged.len())
            .filter(|&place| part(calibration.judged[place]) == fold)
            .collect();
        let judged_together = judged.par_chunks(SCORED_TOGETHER).map_init(
            || vec![Vec::new(); SCORED_TOGETHER],
            |scores, places| {
                let users = || places.iter().map(|&place| calibration.judged[place]);
                let features: Vec<&[f64]> = users().map(|user| self.features_of(user)).collect();
                let mut found = vec![Vec::new(); places.len()];
                let mut last = vec![Vec::new(); places.len()];
                let mut judge = |scores: &[Vec<f32>], weights: &[f64], offset: &[f32]| {
                    let each = found.iter_mut().zip(&mut last).zip(scores);
                    for (((found, last), scores), user) in each.zip(users()) {
                        let wanted = &calibration.users[user].relevant[..];
                        let wanted = (wanted, calibration.judging.cutoff);
                        for &weight in weights {
                            let offset = (narrow(weight), offset);
                            let known = (&[][..], &mut *last);
                            found.push(shortlist.judge(scores, offset, known, wanted));
                        }
                    }
                };
                for weights in &maps {
                    let of = |features: &&[f64]| mapped(features, weights, &learnt.mean);
                    let factors: Vec<Vec<f64>> = features.iter().map(of).collect();
                    shortlist.blocks.scores_of(&factors, scores);
                    judge(scores, &LIST_WEIGHTS, &shortlist.popularity);
                }
                for items in &by_items {
                    items.scores_of(&features, scores);
                    judge(scores, &RATE_WEIGHTS, &rates);
                }
                found
            },
        );
        let judged_together: Vec<Vec<Vec<f64>>> = judged_together.collect();
        for (place, scores) in judged
            .into_iter()
            .zip(judged_together.into_iter().flatten())
        {
            found[place] = scores;
        }
        for (kept, map) in kept.iter_mut().zip(by_items) {
            kept.push(map);
        }
    }
}

impl Learnt {
    /// Features × k.
    fn weights(&self, decay: f64) -> RealMatrix {
        let inverse = self.ridge.inverse(decay);
        let mut weights = RealMatrix::zeros(inverse.rows(), self.mean.len());
        for row in 0..inverse.rows() {
            for (place, a) in inverse.row(row).iter().enumerate() {
                let from = self.towards.row(place).iter();
                let to = weights.row_mut(row).iter_mut();
                to.zip(from).for_each(|(to, b)| *to += a * b);
            }
        }
        weights
    }

    /// The map to items.
    fn items_of(&self, towards: &RealMatrix, decay: f64) -> RealMatrix {
        let mut map = towards.clone();
        turn(&mut map, &self.items_ridge.inverse(decay));
        map
    }
}
