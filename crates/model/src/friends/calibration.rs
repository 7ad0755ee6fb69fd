use super::ridge::summed;
use super::sides::OpenedSides;
use crate::Unit;
use crate::evaluate::{Relevance, ndcg};
use crate::lists::{Blocks, Catalogue, ListsModel, best, narrow};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::{RatingMatrix, user_mask};

/// Parts of the cross-validation over calibration users.
pub(super) const FOLDS: usize = 5;

/// Items among which candidates are compared, the most popular ones: others are hardly ever in a
/// list of ten. Lists themselves are by all items.
const SHORTLIST: usize = 4_096;

/// How lists are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judging {
    /// k of NDCG@k.
    pub cutoff: usize,
    /// Which items a list should have.
    pub relevance: Relevance,
    /// Calibration users whose lists decide, at most; their sums are learnt from all the same.
    pub users: usize,
}

/// One user's ratings, treated as unknown.
pub(super) struct OwnList {
    /// Row in a release.
    pub(super) row: usize,
    pub(super) items: Vec<u32>,
    pub(super) values: Vec<f32>,
    /// Ascending.
    pub(super) relevant: Vec<u32>,
}

/// The items that candidates are compared among.
pub(super) struct Shortlist {
    /// Ascending.
    pub(super) items: Vec<u32>,
    pub(super) blocks: Blocks,
    /// By what the model has seen.
    pub(super) popularity: Vec<f32>,
}

impl Shortlist {
    fn new(model: &ListsModel, popularity: &[f32]) -> Self {
        let mut items: Vec<u32> = (0u32..).take(popularity.len()).collect();
        if items.len() > SHORTLIST {
            let of = |item: &u32| popularity[*item as usize];
            items.sort_by(|a, b| of(b).total_cmp(&of(a)).then(a.cmp(b)));
            items.truncate(SHORTLIST);
            items.sort_unstable();
        }
        let rank = model.items().columns();
        let mut rows = RealMatrix::zeros(items.len(), rank);
        for (place, &item) in items.iter().enumerate() {
            rows.row_mut(place)
                .copy_from_slice(model.items().row(item as usize));
        }
        Self {
            blocks: Blocks::new(&rows),
            popularity: items
                .iter()
                .map(|&item| popularity[item as usize])
                .collect(),
            items,
        }
    }

    /// Where an item is, if it is.
    pub(super) fn place(&self, item: u32) -> Option<usize> {
        self.items.binary_search(&item).ok()
    }

    /// Places of ascending items, those that are in it.
    pub(super) fn places(&self, items: &[u32]) -> Vec<u32> {
        let places = items.iter().filter_map(|&item| self.place(item));
        places
            .filter_map(|place| u32::try_from(place).ok())
            .collect()
    }

    /// NDCG of the best by scores of the shortlist, without the places in `skip`; `last` are the
    /// places of the list before, and of this one then.
    pub(super) fn judge(
        &self,
        scores: &[f32],
        offset: (f32, &[f32]),
        (skip, last): (&[u32], &mut Vec<u32>),
        (relevant, cutoff): (&[u32], usize),
    ) -> f64 {
        *last = best(scores, offset, (skip, last), cutoff);
        let list: Vec<u32> = last
            .iter()
            .map(|&place| self.items[place as usize])
            .collect();
        ndcg(&list, relevant)
    }
}

/// All that estimates from different releases share: what calibration users rated, and how well
/// popularity alone serves them.
pub struct Calibration<'a> {
    pub(super) model: &'a ListsModel,
    pub(super) catalogue: Catalogue,
    pub(super) shortlist: Shortlist,
    /// The better of popularity among all and among common users, by all ratings: what lists are
    /// made with in the end.
    pub(super) served: Vec<f32>,
    /// Share of each item in what the better of the two populations liked, every user counting as
    /// much as in the targets of a map to items.
    pub(super) rates: Vec<f64>,
    pub(super) users: Vec<OwnList>,
    /// Opened for having few ratings: they teach a map to items too. The model has seen theirs.
    pub(super) few: Vec<OwnList>,
    /// Their factors from their own ratings.
    pub(super) factors: RealMatrix,
    /// Those whose lists decide, as places among `users`.
    pub(super) judged: Vec<usize>,
    /// NDCG by popularity of the judged.
    pub(super) by_popularity: Vec<f64>,
    pub(super) judging: Judging,
    /// The lowest rating of an item that a list should have.
    pub(super) relevant_from: f64,
}

impl<'a> Calibration<'a> {
    /// `model` was learnt from `base`, which has no rating by a calibration user; `ratings` has
    /// theirs besides. `is_common`: who could be opened at all.
    pub fn new(
        model: &'a ListsModel,
        base: &RatingMatrix,
        ratings: &RatingMatrix,
        sides: &OpenedSides,
        is_common: &[bool],
        judging: Judging,
    ) -> Self {
        let relevant_from = judging.relevance.from(&Unit::of(base));
        let own_list = |(row, &user): (usize, &u32)| {
            let (items, values) = ratings.by_user(user as usize);
            OwnList {
                row,
                items: items.to_vec(),
                values: values.to_vec(),
                relevant: relevant(items, values, relevant_from),
            }
        };
        let opened = || sides.opened.iter().enumerate();
        let is_sampled = user_mask(ratings.users(), &sides.calibration);
        let is_sampled = |user: &u32| is_sampled.get(*user as usize) == Some(&true);
        let has_few = |user: &u32| !is_sampled(user) && sides.uploaded.binary_search(user).is_err();
        let users: Vec<(usize, &u32)> = opened().filter(|(_, user)| is_sampled(user)).collect();
        let users: Vec<OwnList> = users.into_par_iter().map(own_list).collect();
        let few = opened().filter(|(_, user)| has_few(user)).map(own_list);
        let few: Vec<OwnList> = few.filter(|user| !user.items.is_empty()).collect();
        let rank = model.items().columns();
        let mut factors = RealMatrix::zeros(users.len(), rank);
        factors
            .values_mut()
            .par_chunks_exact_mut(rank)
            .zip(&users)
            .for_each(|(row, user)| {
                row.copy_from_slice(&model.fold_in(&user.items, &user.values, None));
            });
        let judged: Vec<usize> = (0..users.len())
            .filter(|&user| !users[user].relevant.is_empty())
            .collect();
        let step = step(judged.len(), judging.users);
        let judged: Vec<usize> = judged.into_iter().step_by(step).collect();
        let common = |user: u32| is_common.get(user as usize).copied().unwrap_or(false);
        let among = |ratings, wanted: &(dyn Fn(u32) -> bool + Sync)| -> Vec<f32> {
            let popularity = model.popularity_among(ratings, wanted);
            popularity.into_iter().map(narrow).collect()
        };
        let judge = |popularity: Vec<f32>| {
            let list = best(&popularity, (0.0, &popularity), (&[], &[]), judging.cutoff);
            let found = judged
                .iter()
                .map(|&user| ndcg(&list, &users[user].relevant));
            let found: Vec<f64> = found.collect();
            (found, popularity)
        };
        let everybody = judge(among(base, &|_| true));
        let common_only = judge(among(base, &common));
        let total = |found: &[f64]| found.iter().sum::<f64>();
        let is_common_better = total(&common_only.0) > total(&everybody.0);
        let ((by_popularity, popularity), served) = if is_common_better {
            (common_only, among(ratings, &common))
        } else {
            (everybody, among(ratings, &|_| true))
        };
        let counts = |user: u32| !is_common_better || common(user);
        let rates = rates(base, relevant_from, counts);
        Self {
            catalogue: Catalogue::new(model.items()),
            shortlist: Shortlist::new(model, &popularity),
            rates,
            model,
            served,
            users,
            few,
            factors,
            judged,
            by_popularity,
            judging,
            relevant_from,
        }
    }

    /// What lists by popularity are made with.
    pub(super) fn served(&self) -> &[f32] {
        &self.served
    }

    /// Users whose lists decide.
    pub fn judged(&self) -> usize {
        self.judged.len()
    }

    /// The lowest rating of an item that a list should have.
    pub fn relevant_from(&self) -> f64 {
        self.relevant_from
    }

    /// The list by popularity alone, without `skip`, which is ascending.
    pub fn popular(&self, skip: &[u32]) -> Vec<u32> {
        let popularity = &self.served;
        best(
            popularity,
            (0.0, popularity),
            (skip, &[]),
            self.judging.cutoff,
        )
    }

    /// Mean factor of the calibration users at `users`.
    pub(super) fn mean_factor(&self, users: impl Iterator<Item = usize>) -> Vec<f64> {
        let users: Vec<usize> = users.collect();
        let count = users.len().max(1) as f64;
        summed(
            &users,
            self.factors.columns(),
            #[inline(always)]
            |user, mean| {
                let both = mean.iter_mut().zip(self.factors.row(user));
                both.for_each(|(mean, x)| *mean += x / count);
            },
        )
    }
}

/// Share of each item in what users who count liked, 1/√n each with n ratings.
fn rates(base: &RatingMatrix, relevant_from: f64, counts: impl Fn(u32) -> bool + Sync) -> Vec<f64> {
    let weight = |user: u32| 1.0 / (base.by_user(user as usize).0.len() as f64).sqrt();
    let liked = |(user, value): (&u32, &f32)| {
        let is_liked = f64::from(*value) >= relevant_from && counts(*user);
        is_liked.then(|| weight(*user))
    };
    let of_item = |item| -> f64 {
        let (users, values) = base.by_item(item);
        users.iter().zip(values).filter_map(liked).sum()
    };
    let rates = (0..base.items()).into_par_iter().map(of_item);
    let mut rates: Vec<f64> = rates.collect();
    let total = rates.iter().sum::<f64>() + f64::MIN_POSITIVE;
    rates.iter_mut().for_each(|rate| *rate /= total);
    rates
}

/// Items rated so high or higher, as ascending as they come.
pub(crate) fn relevant(items: &[u32], values: &[f32], from: f64) -> Vec<u32> {
    let both = items.iter().zip(values);
    let liked = both.filter(|(_, value)| f64::from(**value) >= from);
    liked.map(|(&item, _)| item).collect()
}

/// The distance of those of `count` users who decide, `most` at most. By a step that the number of parts
/// divides all would be in one part, and a choice for it would be made by nobody.
fn step(count: usize, most: usize) -> usize {
    let step = count.div_ceil(most.max(1)).max(1);
    step + usize::from(step.is_multiple_of(FOLDS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::Rating;

    #[test]
    fn what_is_liked_counts_over_the_root_of_what_was_rated() {
        let rating = |user, item, value| Rating { user, item, value };
        let of = [
            rating(0, 0, 5.0),
            rating(0, 1, 1.0),
            rating(0, 2, 4.0),
            rating(0, 3, 2.0),
            rating(1, 0, 4.0),
            rating(2, 3, 5.0),
        ];
        let base = RatingMatrix::from_ratings(3, 4, &of).unwrap();
        // 1/2 and 1/2 of user 0, 1 of user 1; user 2 does not count.
        let found = rates(&base, 4.0, |user| user < 2);
        assert_eq!(found, [0.75, 0.0, 0.25, 0.0]);
    }

    #[test]
    fn judged_users_stand_in_every_part() {
        for (count, most) in [
            (4_800, 1_000),
            (900, 1_000),
            (9_900, 1_000),
            (40, 4),
            (0, 0),
        ] {
            let judged: Vec<usize> = (0..count).step_by(step(count, most)).collect();
            assert!(judged.len() <= most);
            for part in 0..FOLDS.min(judged.len()) {
                assert!(judged.iter().any(|user| user % FOLDS == part), "{count}");
            }
        }
    }
}
