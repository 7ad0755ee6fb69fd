//! Lists of many users at once, the same as one by one: a user's score of an item is a product of
//! two vectors and an offset of the item, whatever it rests on, so that each way of making scores
//! is a search of its own over all items.

use std::ops::Range;

use rayon::prelude::*;
use s3rec_sparse::RatingMatrix;

use super::scoring::Scoring;
use super::{Direct, FriendsModel};
use crate::batch::{Asked, ListedItem, lists};
use crate::top_items::TopItems;

/// Ways of making scores: what friends say of items; the own factor with popularity weighted for
/// users without ratings, with few and opened, with few, with many.
const WAYS: usize = 5;
const DIRECT: usize = 0;

/// The lists of all users. P0's secret.
pub struct FriendsLists<'a> {
    model: &'a FriendsModel,
    ratings: &'a RatingMatrix,
    searches: [Option<TopItems>; WAYS],
}

impl FriendsModel {
    /// Gets ready to make the lists of many users, who have rated `ratings`.
    #[must_use]
    pub fn lists<'a>(&'a self, ratings: &'a RatingMatrix) -> FriendsLists<'a> {
        let mut lists = FriendsLists {
            model: self,
            ratings,
            searches: [const { None }; WAYS],
        };
        let mut lengths = [const { Vec::new() }; WAYS];
        let users = (0..self.sizes().0).into_par_iter();
        let of_user = |user| {
            let (way, factor) = lists.factor(user);
            (way, factor.iter().map(|u| u * u).sum::<f64>().sqrt())
        };
        let all: Vec<(usize, f64)> = users.map(of_user).collect();
        for (way, length) in all {
            lengths[way].push(length);
        }
        for (way, lengths) in lengths.into_iter().enumerate() {
            if !lengths.is_empty() {
                lists.searches[way] = Some(lists.search(way, lengths));
            }
        }
        lists
    }
}

impl FriendsLists<'_> {
    /// The `count` best items of each of `users`, best first, without those that they have rated
    /// unless `include_rated`: as [`FriendsModel::list`] makes them.
    #[must_use]
    pub fn of(
        &self,
        users: Range<usize>,
        count: usize,
        include_rated: bool,
    ) -> Vec<Vec<ListedItem>> {
        let users = users.start..users.end.min(self.model.sizes().0);
        let mut by_way: [Vec<(usize, Asked<'_>)>; WAYS] = [const { Vec::new() }; WAYS];
        let factors = users.clone().into_par_iter().map(|user| self.factor(user));
        let factors: Vec<(usize, Vec<f64>)> = factors.collect();
        for (user, (way, factor)) in users.clone().zip(factors) {
            let skip = match include_rated {
                true => &[][..],
                false => self.rated(user),
            };
            by_way[way].push((user, Asked { factor, skip }));
        }
        let mut found = vec![Vec::new(); users.len()];
        for (search, asked) in self.searches.iter().zip(by_way) {
            let Some(search) = search else { continue };
            let (places, asked): (Vec<usize>, Vec<Asked<'_>>) = asked.into_iter().unzip();
            let scorer = |place: usize| {
                let user = places[place];
                let scoring = self.model.scoring(Some(user), self.rated(user).len());
                move |item: u32| scoring.of(item as usize).score
            };
            for (user, list) in places.iter().zip(lists(search, &asked, count, scorer)) {
                found[user - users.start] = list;
            }
        }
        found
    }

    fn rated(&self, user: usize) -> &[u32] {
        match user < self.ratings.users() {
            true => self.ratings.by_user(user).0,
            false => &[],
        }
    }

    /// A user's way, and the vector that items are multiplied by: as wide as [`Self::search`] has
    /// them.
    fn factor(&self, user: usize) -> (usize, Vec<f64>) {
        let rated = self.rated(user).len();
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|&x| f64::from(x)).collect() };
        match self.model.scoring(Some(user), rated) {
            // Every user up to the model's number is known.
            Scoring::Popularity(_) => (WAYS - 1, Vec::new()),
            Scoring::Direct { said, .. } => (DIRECT, wide(said.features())),
            Scoring::Factor {
                own,
                friends,
                blended,
                ..
            } => {
                let mut factor = wide(own);
                if let Some(friends) = friends {
                    let both = factor.iter_mut().zip(friends);
                    both.for_each(|(u, &f)| *u += f64::from(f));
                }
                if let Some((said, weight)) = &blended {
                    factor.extend(said.features().iter().map(|&x| weight * f64::from(x)));
                }
                let is_few = (1..self.model.few_below).contains(&rated);
                let way = match (rated, is_few, self.model.row_of(user)) {
                    (0, ..) => 1,
                    (_, true, Some(_)) => 2,
                    (_, true, None) => 3,
                    (_, false, _) => 4,
                };
                (way, factor)
            }
        }
    }

    fn search(&self, way: usize, lengths: Vec<f64>) -> TopItems {
        let model = self.model;
        let items = model.popularity.len();
        let weights = &model.weights;
        let own = |item: usize| model.item(item).unwrap_or_default();
        let map = |direct: &Direct, item: usize| -> Vec<f64> {
            let row = super::row(&direct.map, direct.width, item).unwrap_or_default();
            row.iter().map(|&x| f64::from(x)).collect()
        };
        if let (DIRECT, Some((direct, popularity))) = (way, &model.direct) {
            let rows: Vec<Vec<f64>> = (0..items).map(|item| map(direct, item)).collect();
            let offsets = popularity.iter().map(|&p| f64::from(p)).collect();
            return TopItems::of_parts(lengths, direct.width, |item| &rows[item], offsets);
        }
        let weight = match way {
            1 => weights.cold,
            2 => weights.few_opened,
            3 => weights.few,
            _ => weights.many,
        };
        let offsets = model.popularity.iter();
        let offsets = offsets.map(|&p| weight * f64::from(p)).collect();
        match &model.blended {
            Some((direct, _)) if way == 2 => {
                let both = |item| [own(item), &map(direct, item)].concat();
                let rows: Vec<Vec<f64>> = (0..items).map(both).collect();
                let rank = model.rank + direct.width;
                TopItems::of_parts(lengths, rank, |item| &rows[item], offsets)
            }
            _ => TopItems::of_parts(lengths, model.rank, own, offsets),
        }
    }
}
