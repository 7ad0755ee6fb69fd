//! One user's scores, item by item.

use super::{Direct, FriendsItem, FriendsModel, row};
use crate::lists::narrow;

/// What decides a user's scores.
pub(super) enum Scoring<'a> {
    /// Popularity, for nobody known.
    Popularity(&'a FriendsModel),
    /// What friends say of items themselves, in whose unit popularity is given.
    Direct {
        said: Said<'a>,
        popularity: &'a [f32],
    },
    /// The user's own factor, what friends add to it or to scores, and weighted popularity.
    Factor {
        model: &'a FriendsModel,
        own: &'a [f32],
        friends: Option<&'a [f32]>,
        blended: Option<(Said<'a>, f64)>,
        popularity_weight: f64,
    },
}

/// What one noised sum says of items.
pub(super) struct Said<'a> {
    direct: &'a Direct,
    features: Vec<f32>,
}

impl FriendsModel {
    pub(super) fn scoring(&self, user: Option<usize>, rated: usize) -> Scoring<'_> {
        let own = user.and_then(|user| row(&self.own, self.rank, user));
        let Some((user, own)) = user.zip(own) else {
            return Scoring::Popularity(self);
        };
        let place = self.row_of(user);
        if let (0, Some((direct, popularity)), Some(place)) = (rated, &self.direct, place) {
            let said = self.said(direct, place);
            return Scoring::Direct { said, popularity };
        }
        let is_few = (1..self.few_below).contains(&rated);
        let popularity_weight = match (rated, is_few, place) {
            (0, ..) => self.weights.cold,
            (_, true, Some(_)) => self.weights.few_opened,
            (_, true, None) => self.weights.few,
            (_, false, _) => self.weights.many,
        };
        let blended = match (is_few, &self.blended, place) {
            (true, Some((direct, weight)), Some(place)) => {
                Some((self.said(direct, place), *weight))
            }
            _ => None,
        };
        Scoring::Factor {
            model: self,
            own,
            friends: self.friends_of(user),
            blended,
            popularity_weight,
        }
    }

    fn said<'a>(&self, direct: &'a Direct, place: usize) -> Said<'a> {
        let features = self.features.as_ref().map(|all| all.row(place));
        let features = features.unwrap_or_default();
        Said {
            direct,
            features: features.iter().map(|&x| narrow(x)).collect(),
        }
    }
}

impl Scoring<'_> {
    /// An item's score and its parts.
    pub(super) fn of(&self, item: usize) -> FriendsItem {
        let (own, friends, popularity) = match self {
            Self::Popularity(model) => (0.0, 0.0, f64::from(model.popularity[item])),
            Self::Direct { said, popularity } => (0.0, said.of(item), f64::from(popularity[item])),
            Self::Factor {
                model,
                own,
                friends,
                blended,
                popularity_weight,
            } => {
                let factor = model.item(item).unwrap_or_default();
                let mut added = friends.map_or(0.0, |friends| dot(friends, factor));
                if let Some((said, weight)) = blended {
                    added += weight * said.of(item);
                }
                let popularity = popularity_weight * f64::from(model.popularity[item]);
                (dot(own, factor), added, popularity)
            }
        };
        FriendsItem {
            item: u32::try_from(item).unwrap_or(u32::MAX),
            score: own + friends + popularity,
            own,
            friends,
            popularity,
        }
    }
}

impl Said<'_> {
    /// What friends add to an item.
    fn of(&self, item: usize) -> f64 {
        let map = row(&self.direct.map, self.direct.width, item).unwrap_or_default();
        let added: f32 = map.iter().zip(&self.features).map(|(a, b)| a * b).sum();
        f64::from(added)
    }

    pub(super) fn features(&self) -> &[f32] {
        &self.features
    }
}

fn dot(a: &[f32], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(&a, b)| f64::from(a) * b).sum()
}
