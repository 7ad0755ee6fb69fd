//! Lists of many users at once, without links.

use std::ops::Range;

use s3rec_sparse::RatingMatrix;

use super::ListsModel;
use crate::batch::{Asked, ListedItem, lists};
use crate::top_items::TopItems;

/// A model ready to make everybody's lists. P0's secret.
pub struct ListsSearch<'a> {
    model: &'a ListsModel,
    popularity_weight: f64,
    items: TopItems,
}

impl ListsModel {
    /// Gets ready to order items by ŷ_ij + `popularity_weight`·p_j.
    #[must_use]
    pub fn search(&self, popularity_weight: f64) -> ListsSearch<'_> {
        let users = self.users();
        let length = |user: usize| users.row(user).iter().map(|u| u * u).sum::<f64>().sqrt();
        let lengths = (0..users.rows()).map(length).collect();
        let items = self.items();
        let offsets = self.popularity().iter().map(|p| popularity_weight * p);
        let (rank, offsets) = (items.columns(), offsets.collect());
        ListsSearch {
            model: self,
            popularity_weight,
            items: TopItems::of_parts(lengths, rank, |item| items.row(item), offsets),
        }
    }
}

impl ListsSearch<'_> {
    /// The `count` best items of each of `users`, best first, without those that they have in
    /// `ratings`; fewer users past the last.
    #[must_use]
    pub fn lists(
        &self,
        users: Range<usize>,
        count: usize,
        ratings: &RatingMatrix,
    ) -> Vec<Vec<ListedItem>> {
        let factors = self.model.users();
        let users = users.start..users.end.min(factors.rows());
        let asked = users.clone().map(|user| Asked {
            factor: factors.row(user).to_vec(),
            skip: match user < ratings.users() {
                true => ratings.by_user(user).0,
                false => &[],
            },
        });
        let asked: Vec<Asked<'_>> = asked.collect();
        let scorer = |place: usize| {
            let factor = factors.row(users.start + place);
            move |item: u32| {
                let pairs = factor.iter().zip(self.model.items().row(item as usize));
                let popularity = self.model.popularity()[item as usize];
                pairs.map(|(u, v)| u * v).sum::<f64>() + self.popularity_weight * popularity
            }
        };
        lists(&self.items, &asked, count, scorer)
    }
}
