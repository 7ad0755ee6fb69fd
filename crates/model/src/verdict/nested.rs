//! Everybody judged by what was learnt and chosen without them.

use super::{MOST_KEPT, Opened, PARTS, VerdictSettings};
use crate::friends::{
    Calibration, FewRatings, FriendsEstimate, Judging, KeptRatings, OpenedSides, OwnRatings,
    PredictedBase, PredictedFriends, relevant,
};
use crate::{ListsModel, ModelError, SolverSettings};
use rayon::prelude::*;
use s3rec_sparse::RatingMatrix;

/// `cold`, `k1` … `k4`, `warm`.
pub(super) const GROUPS: usize = MOST_KEPT + 2;
/// Place of `warm`.
pub(super) const WARM: usize = MOST_KEPT + 1;
/// One in so many ratings of a warm user is hidden.
const WARM_HIDDEN: usize = 5;

/// Everything that judging needs.
pub(super) struct Nested<'a> {
    pub(super) opened: &'a Opened<'a>,
    pub(super) settings: &'a VerdictSettings,
    /// Without the calibration users' ratings.
    pub(super) base: &'a RatingMatrix,
    pub(super) relevant_from: f64,
    /// Calibration users with ratings and their parts, ascending by user.
    pub(super) parts: Vec<(u32, usize)>,
    /// Of every opened row.
    pub(super) degrees: &'a [f64],
}

/// One user in one group, judged with and without friends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Served<T> {
    pub(super) user: u32,
    pub(super) row: usize,
    pub(super) group: usize,
    /// Whether the friends' estimate was used.
    pub(super) used: bool,
    /// Items that count: relevant ones, or all whose ratings were hidden; and their ratings.
    pub(super) hidden: Vec<(u32, f32)>,
    pub(super) without: Vec<T>,
    pub(super) with: Vec<T>,
}

/// How many of so many ratings a group keeps.
fn kept_of(group: usize, ratings: usize) -> usize {
    match group {
        WARM => ratings - (ratings / WARM_HIDDEN).max(1).min(ratings),
        kept => kept,
    }
}

impl Nested<'_> {
    /// The users of a part who are judged, at most `settings.judged` over all parts, evenly spread.
    fn judged(&self, part: usize) -> Vec<u32> {
        let of = self.parts.iter().filter(|(_, of)| *of == part);
        let users: Vec<u32> = of.map(|(user, _)| *user).collect();
        let stride = users.len().div_ceil((self.settings.judged / PARTS).max(1));
        users.into_iter().step_by(stride.max(1)).collect()
    }

    /// The users who are learnt from when a part is judged, ascending.
    fn learnt_from(&self, part: usize) -> Vec<u32> {
        let others = self.parts.iter().filter(|(_, of)| *of != part);
        others.map(|(user, _)| *user).collect()
    }

    fn row(&self, user: u32) -> Option<usize> {
        self.opened.sides.opened.binary_search(&user).ok()
    }

    /// A user as one of a group; none where nothing would be left.
    fn kept(&self, user: u32, group: usize) -> Option<KeptRatings> {
        let ratings = self.opened.ratings.by_user(user as usize);
        let count = kept_of(group, ratings.0.len());
        let seed = self.settings.seed.wrapping_add(u64::from(user));
        KeptRatings::draw(ratings, count, seed)
    }

    /// Lists of everybody who is judged.
    pub(super) fn lists(
        &self,
        model: &ListsModel,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Served<u32>>, ModelError> {
        let mut served = Vec::new();
        for part in 0..PARTS {
            progress(&format!("verdict: lists, part {} of {PARTS}", part + 1));
            served.extend(self.lists_of(model, part)?);
        }
        Ok(served)
    }

    /// Lists of one part, by what the others taught.
    pub(super) fn lists_of(
        &self,
        model: &ListsModel,
        part: usize,
    ) -> Result<Vec<Served<u32>>, ModelError> {
        let whole = self.opened.sides;
        let sides = OpenedSides {
            calibration: self.learnt_from(part),
            ..whole.clone()
        };
        let is_common = self.opened.is_common();
        let judging = Judging {
            cutoff: self.settings.cutoff,
            relevance: self.settings.relevance,
            users: self.settings.deciding,
        };
        // Popularity that lists are served with is by all ratings but those of who is judged.
        let visible = self.without(part);
        let calibration = Calibration::new(model, self.base, &visible, &sides, &is_common, judging);
        let seed = self.settings.seed;
        let estimate = FriendsEstimate::fit(&calibration, self.opened.sums, self.opened.sigma);
        let few: Vec<(OwnRatings, FewRatings)> = (1..GROUPS)
            .map(|group| {
                let kept = |ratings| kept_of(group, ratings);
                let own = OwnRatings::fit_keeping(&calibration, kept, seed);
                let friends = FewRatings::fit(&calibration, &own, &estimate);
                (own, friends)
            })
            .collect();
        let one = |user: u32, group: usize| -> Option<Served<u32>> {
            let row = self.row(user)?;
            let kept = self.kept(user, group)?;
            let wanted = relevant(&kept.hidden, &kept.hidden_values, self.relevant_from);
            if wanted.is_empty() {
                return None;
            }
            let (items, values) = (&kept.items[..], &kept.values[..]);
            let (used, without, with) = match group.checked_sub(1) {
                None => (
                    estimate.gate.is_open,
                    calibration.popular(&[]),
                    estimate.list(&calibration, row, &[]),
                ),
                Some(place) => {
                    let (own, friends) = &few[place];
                    let both = (own, &estimate);
                    (
                        friends.gate.is_open,
                        own.list(&calibration, items, values),
                        friends.list(&calibration, both, row, (items, values)),
                    )
                }
            };
            Some(Served {
                user,
                row,
                group,
                used,
                hidden: wanted.into_iter().map(|item| (item, 0.0)).collect(),
                without,
                with,
            })
        };
        Ok(self.everybody(part, one))
    }

    /// All ratings but those of one part's users.
    fn without(&self, part: usize) -> RatingMatrix {
        let judged = self.parts.iter().filter(|(_, of)| *of == part);
        let judged: Vec<u32> = judged.map(|(user, _)| *user).collect();
        self.opened.ratings.without_users(&judged)
    }

    /// Predictions for everybody who is judged.
    pub(super) fn ratings(
        &self,
        solver: &SolverSettings,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Served<f64>>, ModelError> {
        let learnt;
        let base = match self.opened.explicit {
            Some(base) => base,
            None => {
                progress("verdict: the explicit model");
                learnt = PredictedBase::learn(self.base, self.opened.scale, solver)?;
                &learnt
            }
        };
        let mut served = Vec::new();
        for part in 0..PARTS {
            progress(&format!("verdict: ratings, part {} of {PARTS}", part + 1));
            served.extend(self.ratings_of(base, part));
        }
        Ok(served)
    }

    /// Predictions for one part, by what the others taught.
    pub(super) fn ratings_of(&self, base: &PredictedBase, part: usize) -> Vec<Served<f64>> {
        let users = self.learnt_from(part);
        let rows: Vec<(u32, usize)> = users
            .into_iter()
            .filter_map(|user| Some((user, self.row(user)?)))
            .collect();
        let places: Vec<usize> = rows.iter().map(|(_, row)| *row).collect();
        let all: Vec<(&[u32], &[f32])> = rows
            .iter()
            .map(|(user, _)| self.opened.ratings.by_user(*user as usize))
            .collect();
        let groups: Vec<Vec<Option<KeptRatings>>> = (0..GROUPS)
            .map(|group| {
                rows.iter()
                    .map(|(user, _)| self.kept(*user, group))
                    .collect()
            })
            .collect();
        let sums = (self.opened.sums, self.opened.sigma);
        let friends = PredictedFriends::fit(base, sums, &places, &all, &groups);
        let one = |user: u32, group: usize| -> Option<Served<f64>> {
            let row = self.row(user)?;
            let kept = self.kept(user, group)?;
            let without = base.predictions(&kept, friends.alone(group));
            let shift = friends.shift(group, row);
            let with = match &shift {
                Some(shift) => base.predictions(&kept, shift),
                None => without.clone(),
            };
            let hidden = kept.hidden.iter().copied();
            Some(Served {
                user,
                row,
                group,
                used: shift.is_some(),
                hidden: hidden.zip(kept.hidden_values.iter().copied()).collect(),
                without,
                with,
            })
        };
        self.everybody(part, one)
    }

    fn everybody<T: Send>(
        &self,
        part: usize,
        one: impl Fn(u32, usize) -> Option<Served<T>> + Sync,
    ) -> Vec<Served<T>> {
        let groups = |user: u32| (0..GROUPS).map(move |group| (user, group));
        let pairs: Vec<(u32, usize)> = self.judged(part).into_iter().flat_map(groups).collect();
        let served = pairs
            .into_par_iter()
            .filter_map(|(user, group)| one(user, group));
        served.collect()
    }
}
