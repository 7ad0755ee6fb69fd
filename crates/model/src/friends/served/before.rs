//! Models as version 0.1 stored them: everything in double precision, features made beforehand.

use serde::Deserialize;

use super::{Direct, FriendsModel, FriendsQuality, PopularityWeights, round};
use crate::friends::features::Features;

/// A model as it was stored before; [`FriendsModel`] is made of it.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
pub struct FriendsModelBefore {
    quality: FriendsQuality,
    rank: usize,
    own: Vec<f64>,
    items: Vec<f64>,
    popularity: Vec<f32>,
    opened: Vec<u32>,
    /// Of everybody opened, zeros where they add nothing.
    friends: Vec<f64>,
    weights: PopularityWeights,
    few_below: usize,
    direct: Option<(DirectBefore, Vec<f32>)>,
    blended: Option<(DirectBefore, f64)>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct DirectBefore {
    width: usize,
    features: Vec<f64>,
    map: Vec<f32>,
}

impl From<FriendsModelBefore> for FriendsModel {
    fn from(before: FriendsModelBefore) -> Self {
        let rounded = |values: &[f64]| {
            let mut to = vec![0.0; values.len()];
            round(values, &mut to);
            to
        };
        let rank = before.rank.max(1);
        let added = || (0u32..).zip(before.friends.chunks_exact(rank));
        let moved = added().filter(|(_, row)| row.iter().any(|x| *x != 0.0));
        let moved: Vec<u32> = moved.map(|(place, _)| place).collect();
        let friends = added().filter(|(place, _)| moved.binary_search(place).is_ok());
        let friends: Vec<f64> = friends.flat_map(|(_, row)| row.iter().copied()).collect();
        // The same for either map.
        let mut features = None;
        let mut direct = |before: DirectBefore| {
            let (width, rows) = (before.width, before.features);
            features = Some(Features::Made { width, rows });
            Direct {
                width,
                map: before.map,
            }
        };
        Self {
            quality: before.quality,
            rank: before.rank,
            own: rounded(&before.own),
            items: before.items,
            popularity: before.popularity,
            opened: before.opened,
            moved,
            friends: rounded(&friends),
            weights: before.weights,
            few_below: before.few_below,
            direct: before.direct.map(|(map, rates)| (direct(map), rates)),
            blended: before.blended.map(|(map, weight)| (direct(map), weight)),
            features,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ListsModel;
    use crate::evaluate::Relevance;
    use crate::friends::FriendsBase;
    use crate::friends::features::Described;
    use crate::verdict::planted::{planted, settings};

    fn as_before(model: &FriendsModel) -> FriendsModelBefore {
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&x| f64::from(x)).collect() };
        let direct = |map: &Direct| {
            let rows = 0..model.opened.len();
            let features = model.features.as_ref().unwrap();
            DirectBefore {
                width: map.width,
                features: rows.flat_map(|row| features.row(row)).collect(),
                map: map.map.clone(),
            }
        };
        let friends = model.opened.iter().flat_map(|&user| {
            let added = model.friends_of(user as usize).map(wide);
            added.unwrap_or_else(|| vec![0.0; model.rank])
        });
        FriendsModelBefore {
            quality: model.quality,
            rank: model.rank,
            own: wide(&model.own),
            items: model.items.clone(),
            popularity: model.popularity.clone(),
            opened: model.opened.clone(),
            friends: friends.collect(),
            weights: model.weights.clone(),
            few_below: model.few_below,
            direct: (model.direct.as_ref()).map(|(map, rates)| (direct(map), rates.clone())),
            blended: (model.blended.as_ref()).map(|(map, weight)| (direct(map), *weight)),
        }
    }

    /// Whatever friends' sums are mapped to, what was stored before gives the same lists as what is
    /// stored now.
    #[test]
    fn models_of_before_give_the_same_lists() {
        let planted = planted(900);
        let (ratings, settings) = (&planted.ratings, settings());
        let learn = |base: &_| ListsModel::learn(base, &settings.lists);
        let base = FriendsBase::learn(ratings, planted.sides.clone(), learn).unwrap();
        let judging = (5, Relevance::AtLeast(4.0));
        let sums = planted.sums(&planted.block, 1.0, 1);
        let (everybody, noisy) = (vec![true; ratings.users()], (&sums, 1.0));
        let learnt = FriendsModel::learn(&base, ratings, &everybody, noisy, judging, |_, _| ());
        let by_factors = learnt.0;
        assert!(!by_factors.friends.is_empty());
        // What friends say of items, for users without ratings and with few, by maps of any kind.
        let places: Vec<usize> = (0..sums.rows()).step_by(2).collect();
        let (described, _) = Described::new(&sums, 1.0, &places);
        let map = || Direct {
            width: described.width(),
            map: (0..described.width() * by_factors.popularity.len())
                .map(|n| (n * 7919 % 1009) as f32 / 1e4 - 0.05)
                .collect(),
        };
        let mut by_items = by_factors.clone();
        by_items.direct = Some((map(), by_factors.popularity.clone()));
        by_items.blended = Some((map(), 2.0));
        by_items.features = Some(Features::OfSums(described.clone()));
        for model in [by_factors, by_items] {
            let bytes = postcard::to_stdvec(&as_before(&model)).unwrap();
            let before: FriendsModelBefore = postcard::from_bytes(&bytes).unwrap();
            let bytes = postcard::to_stdvec(&model).unwrap();
            let now: FriendsModel = postcard::from_bytes(&bytes).unwrap();
            let before = FriendsModel::from(before);
            for user in (0..ratings.users()).chain([usize::MAX]) {
                let user = Some(user).filter(|user| *user < ratings.users());
                let rated = user.map_or(0, |user| ratings.by_user(user).0.len());
                let list = |model: &FriendsModel| model.list(user, rated, &[], 10);
                assert_eq!(list(&now), list(&before));
                assert_eq!(list(&now), list(&model));
            }
        }
    }
}
