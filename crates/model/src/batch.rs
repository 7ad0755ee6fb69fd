//! Lists of many users at once: exactly those that each would get alone.

use std::cmp::Ordering;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::top_items::TopItems;

/// Users who are searched for together: their factors and a block of items stay in a core's cache.
const GROUP: usize = 96;

/// An item of somebody's list.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ListedItem {
    /// Which.
    pub item: u32,
    /// What it is ordered by.
    pub score: f64,
}

/// One user of many.
pub(crate) struct Asked<'a> {
    /// As wide as the items' factors; empty for nobody known.
    pub(crate) factor: Vec<f64>,
    /// Items to leave out, ascending.
    pub(crate) skip: &'a [u32],
}

/// The `count` best items of each user, best first, of equals the first. `scorer` gives, for a
/// user's place, what scores an item exactly: the search itself is in single precision.
pub(crate) fn lists<S: Fn(u32) -> f64>(
    search: &TopItems,
    asked: &[Asked<'_>],
    count: usize,
    scorer: impl Fn(usize) -> S + Sync,
) -> Vec<Vec<ListedItem>> {
    // Users of like length pass over the same blocks.
    let length = |user: &Asked<'_>| user.factor.iter().map(|u| u * u).sum::<f64>();
    let mut order: Vec<(f64, usize)> = asked.iter().map(length).zip(0..).collect();
    order.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let found: Vec<Vec<(usize, Vec<ListedItem>)>> = order
        .par_chunks(GROUP)
        .map(|group| {
            let factors: Vec<&[f64]> = group.iter().map(|&(_, at)| &asked[at].factor[..]).collect();
            let is_wanted = |place: usize, item: u32| {
                let skip = asked[group[place].1].skip;
                skip.binary_search(&item).is_err()
            };
            let candidates = search.candidates_of_many(&factors, count, is_wanted);
            let lists = group.iter().zip(candidates);
            let lists = lists.map(|(&(_, at), found)| (at, ranked(&found, count, scorer(at))));
            lists.collect()
        })
        .collect();
    let mut lists = vec![Vec::new(); asked.len()];
    for (at, list) in found.into_iter().flatten() {
        lists[at] = list;
    }
    lists
}

fn ranked(found: &[u32], count: usize, score: impl Fn(u32) -> f64) -> Vec<ListedItem> {
    let items = found.iter().map(|&item| ListedItem {
        item,
        score: score(item),
    });
    let mut items: Vec<ListedItem> = items.collect();
    items.sort_unstable_by(in_order);
    items.truncate(count);
    items
}

fn in_order(a: &ListedItem, b: &ListedItem) -> Ordering {
    b.score.total_cmp(&a.score).then(a.item.cmp(&b.item))
}
