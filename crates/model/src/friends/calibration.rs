use super::sides::OpenedSides;
use crate::evaluate::ndcg;
use crate::lists::{Catalogue, ListsModel, best, narrow};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;

/// Parts of the cross-validation over calibration users.
pub(super) const FOLDS: usize = 5;

/// Items among which candidates are compared, the most popular ones: others are hardly ever in a
/// list of ten. Lists themselves are by all items.
const SHORTLIST: usize = 16_384;

/// How lists are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judging {
    /// k of NDCG@k.
    pub cutoff: usize,
    /// The lowest rating of an item that a list should have.
    pub relevant_from: f64,
    /// Calibration users whose lists decide, at most; their sums are learnt from all the same.
    pub users: usize,
}

/// One user's ratings, treated as unknown.
pub(super) struct OwnList {
    pub(super) items: Vec<u32>,
    pub(super) values: Vec<f32>,
    /// Ascending.
    pub(super) relevant: Vec<u32>,
}

/// The items that candidates are compared among.
pub(super) struct Shortlist {
    /// Ascending.
    pub(super) items: Vec<u32>,
    pub(super) catalogue: Catalogue,
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
            catalogue: Catalogue::new(&rows),
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

    /// NDCG of the best by scores of the shortlist, without the places in `skip`.
    pub(super) fn judge(
        &self,
        scores: &[f32],
        offset: (f32, &[f32]),
        skip: &[u32],
        (relevant, cutoff): (&[u32], usize),
    ) -> f64 {
        let list = best(scores, offset, skip, cutoff);
        let list: Vec<u32> = list
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
    /// Share of each item among all that was rated.
    pub(super) rates: Vec<f64>,
    pub(super) users: Vec<OwnList>,
    /// Their factors from their own ratings.
    pub(super) factors: RealMatrix,
    /// Their rows in a release.
    pub(super) places: Vec<usize>,
    /// Those whose lists decide, as places among `users`.
    pub(super) judged: Vec<usize>,
    /// NDCG by popularity of the judged.
    pub(super) by_popularity: Vec<f64>,
    pub(super) judging: Judging,
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
        let users: Vec<OwnList> = sides
            .calibration
            .iter()
            .map(|&user| {
                let (items, values) = ratings.by_user(user as usize);
                OwnList {
                    items: items.to_vec(),
                    values: values.to_vec(),
                    relevant: relevant(items, values, judging.relevant_from),
                }
            })
            .collect();
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
        let among = |ratings, wanted: &dyn Fn(u32) -> bool| -> Vec<f32> {
            let popularity = model.popularity_among(ratings, wanted);
            popularity.into_iter().map(narrow).collect()
        };
        let judge = |popularity: Vec<f32>| {
            let list = best(&popularity, (0.0, &popularity), &[], judging.cutoff);
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
        let rated = |item: usize| base.by_item(item).0.len() as f64;
        let all = base.len().max(1) as f64;
        Self {
            catalogue: Catalogue::new(model.items()),
            shortlist: Shortlist::new(model, &popularity),
            rates: (0..base.items()).map(|item| rated(item) / all).collect(),
            model,
            served,
            users,
            factors,
            places: sides.calibration_places(),
            judged,
            by_popularity,
            judging,
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
        self.judging.relevant_from
    }

    /// The list by popularity alone, without `skip`, which is ascending.
    pub fn popular(&self, skip: &[u32]) -> Vec<u32> {
        let popularity = &self.served;
        best(popularity, (0.0, popularity), skip, self.judging.cutoff)
    }

    /// Mean factor of the calibration users at `users`.
    pub(super) fn mean_factor(&self, users: impl Iterator<Item = usize> + Clone) -> Vec<f64> {
        let count = users.clone().count().max(1) as f64;
        let mut mean = vec![0.0; self.factors.columns()];
        for user in users {
            let row = self.factors.row(user).iter();
            mean.iter_mut()
                .zip(row)
                .for_each(|(mean, x)| *mean += x / count);
        }
        mean
    }
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
