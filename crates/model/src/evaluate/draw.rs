//! One draw: some users' ratings hidden, one opening simulated, and everybody who was hidden judged.

use super::block_placebo::rewired_block;
use super::cold::{ColdSettings, NoiseLevel, ReleaseSize};
use super::lists::ListsEvaluation;
use super::ranking::ndcg;
use crate::friends::{
    COLUMNS, Calibration, FewRatings, FriendsEstimate, Judging, KeptRatings, OpenedSides,
    OwnRatings, Sampling, relevant, rows_to_open,
};
use crate::random::{below, purpose, stream};
use crate::{ListsModel, ModelError};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::{Rating, RatingMatrix};

/// Largest K that is judged.
pub(super) const MOST_KEPT: usize = 4;
/// Fewest calibration users with a relevant item from whom anything can be learnt.
const FEWEST_JUDGED: usize = 20;

/// Lower ends of the strata of friends in W by which figures are weighted.
const STRATA: [usize; 7] = [0, 1, 2, 4, 8, 16, 32];

/// Everything the draws share.
pub(super) struct Drawing<'a> {
    pub(super) ratings: &'a RatingMatrix,
    /// Friends of every user in either direction, ascending.
    pub(super) friends: &'a [Vec<u32>],
    /// Friends of everybody who has no ratings.
    pub(super) unrated: &'a [Vec<u32>],
    pub(super) settings: &'a ListsEvaluation,
    pub(super) cold: &'a ColdSettings,
    pub(super) noise: &'a NoiseLevel<'a>,
}

/// NDCG of one group of users with one kind of list.
#[derive(Clone, Copy, Default)]
pub(super) struct Score {
    pub(super) mean: f64,
    /// Weighted to the users who truly have no ratings; none without any.
    pub(super) reweighted: Option<f64>,
}

/// One group of users.
pub(super) struct GroupScores {
    pub(super) users: usize,
    /// Popularity, own ratings, friends, exact friends, placebo.
    pub(super) scores: [Score; 5],
    /// Whether the gates of the last three were open, as a share.
    pub(super) gates: [f64; 3],
}

/// What a draw found.
pub(super) struct DrawOutcome {
    pub(super) size: ReleaseSize,
    pub(super) calibration: usize,
    pub(super) sigma: f64,
    /// By the number of ratings kept, from 0; none where nobody could be judged.
    pub(super) groups: Vec<Option<GroupScores>>,
}

/// A hidden user.
struct Hidden {
    /// Row in the release.
    row: usize,
    items: Vec<u32>,
    values: Vec<f32>,
    stratum: usize,
}

/// One release and what is made of it.
struct Fitted {
    estimate: FriendsEstimate,
    few: Vec<FewRatings>,
}

impl Drawing<'_> {
    /// None where there is nobody to calibrate with.
    pub(super) fn draw(&self, seed: u64) -> Result<Option<DrawOutcome>, ModelError> {
        let users = self.ratings.users();
        let hidden = self.hidden(seed);
        let train: Vec<Rating> = self
            .ratings
            .iter()
            .filter(|rating| !hidden[rating.user as usize])
            .collect();
        let all_train = RatingMatrix::from_ratings(users, self.ratings.items(), &train)?;
        let counts: Vec<usize> = (0..users)
            .map(|user| all_train.by_user(user).0.len())
            .collect();
        let is_common: Vec<bool> = self.friends.iter().map(|of| !of.is_empty()).collect();
        let sampling = Sampling {
            few_below: self.settings.cold_below,
            calibration_share: self.cold.calibration_share,
            seed,
        };
        let sides = OpenedSides::draw(&is_common, &counts, &sampling);
        if sides.uploaded.is_empty() || sides.calibration.len() < FEWEST_JUDGED {
            return Ok(None);
        }
        let base = all_train.without_users(&sides.calibration);
        let model = ListsModel::learn(&base, &self.settings.lists)?;
        let judging = Judging {
            cutoff: self.settings.ranking.cutoff,
            relevance: self.settings.ranking.relevance,
            users: self.cold.calibration_judged,
        };
        let calibration = Calibration::new(&model, &base, &all_train, &sides, &is_common, judging);
        if calibration.judged() < FEWEST_JUDGED {
            return Ok(None);
        }
        let own: Vec<OwnRatings> = (1..=MOST_KEPT)
            .map(|kept| OwnRatings::fit(&calibration, kept, seed))
            .collect();

        let block = self.block(&sides);
        let rows = rows_to_open(&model, &sides.uploaded, COLUMNS);
        let size = ReleaseSize {
            opened: sides.opened.len(),
            uploaded: sides.uploaded.len(),
            columns: rows.columns(),
            most_friends: self.friends.iter().map(Vec::len).max().unwrap_or(0),
        };
        let sigma = (self.noise)(&size)?;
        let fit = |block: &[Vec<u32>], sigma: f64, stream: u64| {
            let sums = noised(block, &rows, sigma, (seed, stream));
            let estimate = FriendsEstimate::fit(&calibration, &sums, sigma);
            let few = own.iter();
            let few = few
                .map(|own| FewRatings::fit(&calibration, own, &estimate))
                .collect();
            Fitted { estimate, few }
        };
        let friends = fit(&block, sigma, 0);
        let exact = fit(&block, 0.0, 0);
        let placebos: Vec<Fitted> = (1..=self.cold.placebo_draws)
            .map(|draw| {
                let rewired = rewired_block(&block, seed ^ (draw << 32));
                fit(&rewired, sigma, draw)
            })
            .collect();

        let judged = self.judged(&sides, &hidden, &counts, &block);
        let weights = self.weights(&sides);
        let groups = (0..=MOST_KEPT).map(|kept| {
            let group = Group {
                calibration: &calibration,
                own: &own,
                kept,
                seed,
                weights: &weights,
            };
            group.scores(&judged, (&friends, &exact, &placebos))
        });
        Ok(Some(DrawOutcome {
            size,
            calibration: sides.calibration.len(),
            sigma,
            groups: groups.collect(),
        }))
    }

    /// The share of the users with ratings whose ratings are hidden.
    fn hidden(&self, seed: u64) -> Vec<bool> {
        let mut rated: Vec<usize> = (0..self.ratings.users())
            .filter(|&user| !self.ratings.by_user(user).0.is_empty())
            .collect();
        let mut rng = stream(seed, purpose::HIDDEN);
        let mut hidden = vec![false; self.ratings.users()];
        let count = (self.cold.hide_all * rated.len() as f64).round();
        for place in 0..rated.len() {
            if place as f64 >= count {
                break;
            }
            let other = place + below(&mut rng, rated.len() - place);
            rated.swap(place, other);
            hidden[rated[place]] = true;
        }
        hidden
    }

    /// For every opened user the places of their friends among the uploaded.
    fn block(&self, sides: &OpenedSides) -> Vec<Vec<u32>> {
        let of = |user: &u32| in_w(&self.friends[*user as usize], sides).collect();
        sides.opened.iter().map(of).collect()
    }

    /// Hidden users with a friend who has ratings.
    fn judged(
        &self,
        sides: &OpenedSides,
        hidden: &[bool],
        counts: &[usize],
        block: &[Vec<u32>],
    ) -> Vec<Hidden> {
        let of = |(row, &user): (usize, &u32)| {
            let friends = &self.friends[user as usize];
            let is_known = friends.iter().any(|&friend| counts[friend as usize] > 0);
            let (items, values) = self.ratings.by_user(user as usize);
            (hidden[user as usize] && is_known).then(|| Hidden {
                row,
                items: items.to_vec(),
                values: values.to_vec(),
                stratum: stratum(block[row].len()),
            })
        };
        sides.opened.iter().enumerate().filter_map(of).collect()
    }

    /// The share of the users without ratings in each stratum; zeros where there are none.
    fn weights(&self, sides: &OpenedSides) -> [f64; STRATA.len()] {
        let mut weights = [0.0; STRATA.len()];
        for friends in self.unrated.iter().filter(|friends| !friends.is_empty()) {
            weights[stratum(in_w(friends, sides).count())] += 1.0;
        }
        weights
    }
}

fn in_w<'a>(friends: &'a [u32], sides: &'a OpenedSides) -> impl Iterator<Item = u32> + 'a {
    let place = |friend| sides.uploaded.binary_search(friend).ok();
    let places = friends.iter().filter_map(place);
    places.filter_map(|place| u32::try_from(place).ok())
}

fn stratum(friends: usize) -> usize {
    STRATA
        .iter()
        .rposition(|&from| friends >= from)
        .unwrap_or(0)
}

/// Friends' sums with Gaussian noise, in the clear.
pub(crate) fn noised(
    block: &[Vec<u32>],
    rows: &RealMatrix,
    sigma: f64,
    (seed, number): (u64, u64),
) -> RealMatrix {
    let mut rng = stream(seed, purpose::NOISE + number);
    let mut sums = RealMatrix::zeros(block.len(), rows.columns());
    for (row, friends) in block.iter().enumerate() {
        let sum = sums.row_mut(row);
        for &friend in friends {
            let of = rows.row(friend as usize).iter();
            sum.iter_mut().zip(of).for_each(|(sum, x)| *sum += x);
        }
        if sigma > 0.0 {
            sum.iter_mut()
                .for_each(|sum| *sum += sigma * gaussian(&mut rng));
        }
    }
    sums
}

/// By Box and Muller.
fn gaussian(rng: &mut ChaCha8Rng) -> f64 {
    let mut unit = || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let (radius, angle) = (unit(), unit());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// Hidden users with `kept` ratings kept.
struct Group<'a> {
    calibration: &'a Calibration<'a>,
    own: &'a [OwnRatings],
    kept: usize,
    seed: u64,
    weights: &'a [f64; STRATA.len()],
}

impl Group<'_> {
    fn scores(
        &self,
        judged: &[Hidden],
        (friends, exact, placebos): (&Fitted, &Fitted, &[Fitted]),
    ) -> Option<GroupScores> {
        let releases: Vec<&Fitted> = [friends, exact].into_iter().chain(placebos).collect();
        let judged = judged.par_iter();
        // Stratum, then NDCG of popularity, own ratings and every release.
        let found: Vec<(usize, Vec<f64>)> = judged
            .filter_map(|user| Some((user.stratum, self.lists(user, &releases)?)))
            .collect();
        if found.is_empty() {
            return None;
        }
        let score = |column: usize| self.score(&found, column);
        let mut placebo = Score::default();
        let count = placebos.len().max(1) as f64;
        for column in 4..4 + placebos.len() {
            let one = score(column);
            placebo.mean += one.mean / count;
            placebo.reweighted = one
                .reweighted
                .map(|reweighted| placebo.reweighted.unwrap_or(0.0) + reweighted / count);
        }
        let is_open = |fitted: &Fitted| match self.kept.checked_sub(1) {
            None => f64::from(u8::from(fitted.estimate.gate.is_open)),
            Some(place) => f64::from(u8::from(fitted.few[place].gate.is_open)),
        };
        let open_placebos: f64 = placebos.iter().map(is_open).sum();
        Some(GroupScores {
            users: found.len(),
            scores: [score(0), score(1), score(2), score(3), placebo],
            gates: [is_open(friends), is_open(exact), open_placebos / count],
        })
    }

    fn lists(&self, user: &Hidden, releases: &[&Fitted]) -> Option<Vec<f64>> {
        let calibration = self.calibration;
        let from = calibration.relevant_from();
        let seed = self.seed.wrapping_add(user.row as u64);
        let drawn = KeptRatings::draw((&user.items, &user.values), self.kept, seed)?;
        let (items, values) = (drawn.items, drawn.values);
        let wanted = relevant(&drawn.hidden, &drawn.hidden_values, from);
        if wanted.is_empty() {
            return None;
        }
        let popular = calibration.popular(&items);
        let Some(place) = self.kept.checked_sub(1) else {
            // Without ratings of their own there is nothing but popularity.
            let friends = releases.iter();
            let friends = friends.map(|r| r.estimate.list(calibration, user.row, &[]));
            let lists = [popular.clone(), popular].into_iter().chain(friends);
            return Some(lists.map(|list| ndcg(&list, &wanted)).collect());
        };
        let own = &self.own[place];
        let rated = (&items[..], &values[..]);
        let alone = own.list(calibration, &items, &values);
        let friends = releases.iter().map(|release| {
            let both = (own, &release.estimate);
            let few = &release.few[place];
            match few.gate.is_open {
                true => few.list(calibration, both, user.row, rated),
                // All items need not be scored again.
                false => alone.clone(),
            }
        });
        let lists = [popular, alone.clone()].into_iter().chain(friends);
        Some(lists.map(|list| ndcg(&list, &wanted)).collect())
    }

    fn score(&self, found: &[(usize, Vec<f64>)], column: usize) -> Score {
        let mean = |of: &dyn Fn(usize) -> bool| {
            let inside = found.iter().filter(|(stratum, _)| of(*stratum));
            let (sum, count) = inside.fold((0.0, 0.0), |(sum, count), (_, scores)| {
                (sum + scores[column], count + 1.0)
            });
            (count > 0.0).then(|| sum / count)
        };
        let (mut sum, mut all) = (0.0, 0.0);
        for (stratum, weight) in self.weights.iter().enumerate() {
            if let Some(inside) = mean(&|of| of == stratum) {
                sum += weight * inside;
                all += weight;
            }
        }
        Score {
            mean: mean(&|_| true).unwrap_or(0.0),
            reweighted: (all > 0.0).then(|| sum / all),
        }
    }
}
