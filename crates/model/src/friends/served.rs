//! What people are served from after an opening: everybody's own factor, what friends add to it
//! where a gate is open, and popularity. Nothing is learnt when it is read back.

mod before;
mod many;
mod scoring;

pub use before::FriendsModelBefore;
pub use many::FriendsLists;

use super::calibration::{Calibration, Judging};
use super::estimate::{Candidate, FriendsEstimate, Gate};
use super::features::Features;
use super::few::{FewRatings, OwnRatings};
use super::rows::rows_to_open;
use super::sides::OpenedSides;
use crate::ModelError;
use crate::evaluate::Relevance;
use crate::lists::{ListsModel, narrow};
use rayon::prelude::*;
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;
use serde::{Deserialize, Serialize};

/// Calibration users whose lists decide, at most.
const JUDGED: usize = 5000;
/// k of NDCG@k by which choices are made.
const CUTOFF: usize = 10;

/// What P0 learns before an opening: a model that has seen no rating of a calibration user.
pub struct FriendsBase {
    sides: OpenedSides,
    base: RatingMatrix,
    model: ListsModel,
}

impl FriendsBase {
    /// Learns by `learn` from `ratings` of all but the calibration users: [`ListsModel::learn`], or
    /// [`ListsModel::imported`] with factors brought along.
    ///
    /// # Errors
    /// Those of `learn`.
    pub fn learn(
        ratings: &RatingMatrix,
        sides: OpenedSides,
        learn: impl FnOnce(&RatingMatrix) -> Result<ListsModel, ModelError>,
    ) -> Result<Self, ModelError> {
        let base = ratings.without_users(&sides.calibration);
        let model = learn(&base)?;
        Ok(Self { sides, base, model })
    }

    /// O, W and the calibration users.
    #[must_use]
    pub fn sides(&self) -> &OpenedSides {
        &self.sides
    }

    /// The ratings of all but the calibration users.
    pub(super) fn ratings(&self) -> &RatingMatrix {
        &self.base
    }

    /// The model that is opened.
    #[must_use]
    pub fn model(&self) -> &ListsModel {
        &self.model
    }

    /// X: of every user in W, of norm 1 or 0, so that β is 1; as wide as `columns`.
    #[must_use]
    pub fn rows(&self, columns: usize) -> RealMatrix {
        rows_to_open(&self.model, &self.sides.uploaded, columns)
    }
}

/// How good the estimate is, and whether it is used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FriendsQuality {
    /// |O|.
    pub opened: usize,
    /// Those drawn for calibration, whose ratings are known.
    pub calibration: usize,
    /// Of those, whose lists decided.
    pub judged: usize,
    /// For users without ratings: against popularity.
    pub cold: Gate,
    /// For users with few: against their own ratings alone.
    pub few: Gate,
    /// The best map of a noised sum.
    pub candidate: Candidate,
}

/// Everything that lists are made from. P0's secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct FriendsModel {
    /// Of the estimate.
    pub quality: FriendsQuality,
    rank: usize,
    /// Factors of all users from their own ratings, users × k, rounded.
    own: Vec<f32>,
    /// Items × k.
    items: Vec<f64>,
    /// The better of popularity among all and among common users.
    popularity: Vec<f32>,
    /// O, ascending.
    opened: Vec<u32>,
    /// To whose factors friends add something, as places in O, ascending.
    moved: Vec<u32>,
    /// What they add, |moved| × k, rounded.
    friends: Vec<f32>,
    /// What popularity counts.
    weights: PopularityWeights,
    few_below: usize,
    /// What every noised sum is described by, where one of the maps below is.
    features: Option<Features>,
    /// For users without ratings, where what friends say is about items themselves, and each
    /// item's popularity in the unit of that map.
    direct: Option<(Direct, Vec<f32>)>,
    /// For users with few, where the same is added to scores from their own ratings, and how much
    /// it counts.
    blended: Option<(Direct, f64)>,
}

/// What popularity counts, by what is known of a user.
#[derive(Clone, Serialize, Deserialize)]
struct PopularityWeights {
    /// Without ratings.
    cold: f64,
    /// With few, and opened.
    few_opened: f64,
    /// With few.
    few: f64,
    /// With more.
    many: f64,
}

/// The map from what a noised sum is described by to items.
#[derive(Clone, Serialize, Deserialize)]
struct Direct {
    width: usize,
    /// Items × width.
    map: Vec<f32>,
}

/// An item of a list, and why it has its place: the parts add up to the score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FriendsItem {
    /// Which.
    pub item: u32,
    /// What it is ordered by.
    pub score: f64,
    /// From the user's own ratings.
    pub own: f64,
    /// From what friends like, whoever they are.
    pub friends: f64,
    /// From how many people have it.
    pub popularity: f64,
}

impl FriendsModel {
    /// Learns the map from a release: `sums` are the rows of O in order, with noise of standard
    /// deviation `sigma`; `is_common` says who could be opened, `few_below` who has few ratings,
    /// `relevance` what a list should have: the same as in the verdict, or choices here would be
    /// made for other lists than are judged there.
    /// With what `tell` makes of the estimate, for other rankers.
    #[must_use]
    pub fn learn<T>(
        base: &FriendsBase,
        ratings: &RatingMatrix,
        is_common: &[bool],
        (sums, sigma): (&RealMatrix, f64),
        (few_below, relevance): (usize, Relevance),
        tell: impl FnOnce(&ListsModel, &FriendsEstimate) -> T,
    ) -> (Self, T) {
        let FriendsBase { sides, base, model } = base;
        let judging = Judging {
            cutoff: CUTOFF,
            relevance,
            users: JUDGED,
        };
        let calibration = Calibration::new(model, base, ratings, sides, is_common, judging);
        let estimate = FriendsEstimate::fit(&calibration, sums, sigma);
        let seed = model.settings().seed;
        let few_own = OwnRatings::fit(&calibration, 1, seed);
        let few = FewRatings::fit(&calibration, &few_own, &estimate);
        let many_own = OwnRatings::fit(&calibration, few_below.max(1), seed);
        let by_map = |map: &[f32]| Direct {
            width: estimate.width(),
            map: map.to_vec(),
        };
        let direct = match (estimate.gate.is_open, estimate.items_map()) {
            (true, Some((map, popularity))) => Some((by_map(map), popularity.to_vec())),
            _ => None,
        };
        let blended = (few.gate.is_open && few.items_weight > 0.0)
            .then(|| (by_map(estimate.blended_map()), few.items_weight));
        let few_is_centred = few.gate.is_open && blended.is_none();
        let cold_weight = match (estimate.gate.is_open, estimate.candidate) {
            (
                true,
                Candidate::Factor {
                    popularity_weight, ..
                },
            ) => popularity_weight,
            _ => 1.0,
        };
        let rank = model.items().columns();
        let mut own = vec![0.0; ratings.users() * rank];
        let factors = own.par_chunks_exact_mut(rank).enumerate();
        factors.for_each(|(user, factor)| {
            let (items, values) = ratings.by_user(user);
            let is_opened = || is_among(&sides.opened, user);
            let found = match items.len() {
                0 => model.fold_in(items, values, None),
                // The estimate is the centre of their prior instead: what it adds is below.
                few if few < few_below && few_is_centred && is_opened() => {
                    model.fold_in(items, values, None)
                }
                few if few < few_below => few_own.factor(&calibration, items, values),
                _ => many_own.factor(&calibration, items, values),
            };
            round(&found, factor);
        });
        let cold_is_moved =
            estimate.gate.is_open && matches!(estimate.candidate, Candidate::Factor { .. });
        let opened = (0u32..).zip(&sides.opened);
        let moved = opened.filter(|(_, user)| match ratings.by_user(**user as usize).0.len() {
            0 => cold_is_moved,
            rated => rated < few_below && few_is_centred,
        });
        let moved: Vec<u32> = moved.map(|(place, _)| place).collect();
        let mut friends = vec![0.0; moved.len() * rank];
        let factors = friends.par_chunks_exact_mut(rank).zip(&moved);
        factors.for_each(|(factor, &place)| {
            let user = sides.opened[place as usize] as usize;
            let (items, values) = ratings.by_user(user);
            let estimated = estimate.factor(place as usize);
            if items.is_empty() {
                return round(&estimated, factor);
            }
            let prior: Vec<f64> = estimated.iter().map(|u| few.strength * u).collect();
            let both = model.fold_in(items, values, Some(&prior));
            let alone = model.fold_in(items, values, None);
            let added: Vec<f64> = both.iter().zip(&alone).map(|(a, b)| a - b).collect();
            round(&added, factor);
        });
        let told = tell(model, &estimate);
        let is_described = direct.is_some() || blended.is_some();
        let learnt = Self {
            quality: FriendsQuality {
                opened: sides.opened.len(),
                calibration: sides.calibration.len(),
                judged: calibration.judged(),
                cold: estimate.gate,
                few: few.gate,
                candidate: estimate.candidate,
            },
            rank,
            own,
            items: model.items().values().to_vec(),
            popularity: calibration.served().to_vec(),
            opened: sides.opened.clone(),
            moved,
            friends,
            weights: PopularityWeights {
                cold: cold_weight,
                few_opened: match few.gate.is_open {
                    true => few.popularity_weight,
                    false => few_own.popularity_weight(),
                },
                few: few_own.popularity_weight(),
                many: many_own.popularity_weight(),
            },
            few_below,
            direct,
            blended,
            features: is_described.then(|| Features::OfSums(estimate.into_described())),
        };
        (learnt, told)
    }

    /// k.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Users and items.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.own.len() / self.rank.max(1), self.popularity.len())
    }

    /// A user's factor as lists are made by it, friends' part included; none for nobody.
    #[must_use]
    pub fn user(&self, user: usize) -> Option<Vec<f64>> {
        let own = row(&self.own, self.rank, user)?;
        let friends = self.friends_of(user);
        let added = |place| friends.map_or(0.0, |friends: &[f32]| f64::from(friends[place]));
        let both = own.iter().enumerate();
        let both = both.map(|(place, &u)| f64::from(u) + added(place));
        Some(both.collect())
    }

    /// An item's factor.
    #[must_use]
    pub fn item(&self, item: usize) -> Option<&[f64]> {
        row(&self.items, self.rank, item)
    }

    /// What friends add to a user's factor; none where they add nothing.
    fn friends_of(&self, user: usize) -> Option<&[f32]> {
        let place = u32::try_from(self.row_of(user)?).ok()?;
        row(
            &self.friends,
            self.rank,
            self.moved.binary_search(&place).ok()?,
        )
    }

    fn row_of(&self, user: usize) -> Option<usize> {
        let user = u32::try_from(user).ok()?;
        self.opened.binary_search(&user).ok()
    }

    /// The `count` best items for a user who has rated `rated`, ascending, without the items in
    /// `skip`, ascending; by popularity for somebody unknown.
    #[must_use]
    pub fn list(
        &self,
        user: Option<usize>,
        rated: usize,
        skip: &[u32],
        count: usize,
    ) -> Vec<FriendsItem> {
        let mut items = self.scored(user, rated);
        items.retain(|found| skip.binary_search(&found.item).is_err());
        let order = |a: &FriendsItem, b: &FriendsItem| {
            b.score.total_cmp(&a.score).then(a.item.cmp(&b.item))
        };
        if count < items.len() && count > 0 {
            items.select_nth_unstable_by(count - 1, order);
            items.truncate(count);
        }
        items.sort_by(order);
        items.truncate(count);
        items
    }

    fn scored(&self, user: Option<usize>, rated: usize) -> Vec<FriendsItem> {
        let scoring = self.scoring(user, rated);
        let items = 0..self.popularity.len();
        items.map(|item| scoring.of(item)).collect()
    }
}

fn round(values: &[f64], to: &mut [f32]) {
    to.iter_mut()
        .zip(values)
        .for_each(|(to, &value)| *to = narrow(value));
}

fn is_among(ascending: &[u32], user: usize) -> bool {
    u32::try_from(user).is_ok_and(|user| ascending.binary_search(&user).is_ok())
}

fn row<T>(values: &[T], width: usize, place: usize) -> Option<&[T]> {
    let start = place.checked_mul(width)?;
    values.get(start..start.checked_add(width)?)
}
