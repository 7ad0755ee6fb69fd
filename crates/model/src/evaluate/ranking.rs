use crate::popularity::popularity;
use crate::{Predictor, Unit};
use rayon::prelude::*;
use s3rec_sparse::{Rating, RatingMatrix};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Which held-out items a list should have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relevance {
    /// Those rated in this top share of the scale as it is used (see [`Unit`]): with 0.25, 4 and
    /// 5 of 1 to 5.
    TopShare(f64),
    /// Those rated so high or higher.
    AtLeast(f64),
    /// All of them: for counts, where having chosen an item is what says it was wanted.
    EveryHeldOut,
}

impl Relevance {
    /// The lowest rating of a relevant item.
    pub fn threshold(self, unit: &Unit) -> f64 {
        match self {
            Self::TopShare(share) => unit.top - share * unit.range,
            Self::AtLeast(rating) => rating,
            Self::EveryHeldOut => f64::NEG_INFINITY,
        }
    }

    /// The same as it is compared with: a threshold that was computed may be off in its last
    /// digits.
    pub(crate) fn from(self, unit: &Unit) -> f64 {
        self.threshold(unit) - 1e-6 * unit.spread
    }
}

/// How rankings are judged: all items but the user's training items are ranked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RankingSettings {
    /// k of NDCG@k and the others.
    pub cutoff: usize,
    /// Which held-out items are relevant.
    pub relevance: Relevance,
    /// Users judged at most, evenly spread over those with a relevant held-out item; all
    /// items are ranked for each of them.
    pub users: usize,
}

impl Default for RankingSettings {
    fn default() -> Self {
        Self {
            cutoff: 10,
            relevance: Relevance::TopShare(0.25),
            users: 2000,
        }
    }
}

/// Means over the judged users.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RankingMetrics {
    /// Normalised discounted cumulative gain at the cutoff, binary relevance.
    pub ndcg: f64,
    /// Share of a user's relevant items that are in the list.
    pub recall: f64,
    /// Share of users with a relevant item in the list.
    pub hit_rate: f64,
    /// Mean of 1 / rank of the first relevant item in the list, 0 without one.
    pub mrr: f64,
    /// Share of the catalogue that is in anybody's list.
    pub coverage: f64,
}

/// Judges the rankings of `predictor` with several weights of popularity; none when no user has
/// a relevant held-out item. `unit` is that of the ratings in `train`.
pub fn ranking_by_weight(
    predictor: &dyn Predictor,
    train: &RatingMatrix,
    unit: &Unit,
    test: &[Rating],
    settings: &RankingSettings,
    weights: &[f64],
) -> Option<Vec<RankingMetrics>> {
    let known = popularity(train, unit.spread);
    let lists = Judged::by_weight(predictor, train, unit, test, settings, (&known, weights));
    lists.iter().map(|judged| judged.over(|_| true)).collect()
}

/// Every judged user's list and what it is worth.
pub(super) struct Judged {
    users: Vec<(u32, Vec<u32>, RankingMetrics)>,
    items: usize,
}

impl Judged {
    /// Ranks all items for the judged users.
    pub(super) fn new(
        predictor: &dyn Predictor,
        train: &RatingMatrix,
        unit: &Unit,
        test: &[Rating],
        settings: &RankingSettings,
        weight: f64,
    ) -> Self {
        let known = popularity(train, unit.spread);
        let offset = (&known[..], &[weight][..]);
        let lists = Self::by_weight(predictor, train, unit, test, settings, offset);
        lists.into_iter().next().unwrap_or(Self {
            users: Vec::new(),
            items: train.items(),
        })
    }

    /// As [`Self::new`] for several weights of what is `known` of each item, which is added to its
    /// score; every item is scored once.
    fn by_weight(
        predictor: &dyn Predictor,
        train: &RatingMatrix,
        unit: &Unit,
        test: &[Rating],
        settings: &RankingSettings,
        (known, weights): (&[f64], &[f64]),
    ) -> Vec<Self> {
        let from = settings.relevance.from(unit);
        Self::by_lists(train, from, test, settings, weights.len(), |user| {
            let scores = unseen(predictor, train, user);
            let weights = weights.iter();
            let lists = weights.map(|&weight| top(&scores, known, weight, settings.cutoff));
            lists.collect()
        })
    }

    /// Judges the lists that are made for each judged user, as many `kinds` of them.
    pub(super) fn by_lists(
        train: &RatingMatrix,
        relevant_from: f64,
        test: &[Rating],
        settings: &RankingSettings,
        kinds: usize,
        lists: impl Fn(u32) -> Vec<Vec<u32>> + Sync,
    ) -> Vec<Self> {
        let mut relevant: Vec<Vec<u32>> = vec![Vec::new(); train.users()];
        for rating in test
            .iter()
            .filter(|rating| f64::from(rating.value) >= relevant_from)
        {
            if let Some(items) = relevant.get_mut(rating.user as usize) {
                items.push(rating.item);
            }
        }
        let mut judged: Vec<(u32, Vec<u32>)> = (0u32..)
            .zip(relevant)
            .filter(|(_, items)| !items.is_empty() && settings.cutoff > 0)
            .collect();
        let stride = judged.len().div_ceil(settings.users.max(1)).max(1);
        judged = judged.into_iter().step_by(stride).collect();
        let by_user: Vec<Vec<(u32, Vec<u32>, RankingMetrics)>> = judged
            .into_par_iter()
            .map(|(user, relevant)| {
                let lists = lists(user).into_iter();
                let judged = lists.map(|list| {
                    let metrics = judge(&list, &relevant);
                    (user, list, metrics)
                });
                judged.collect()
            })
            .collect();
        (0..kinds)
            .map(|place| Self {
                users: by_user.iter().map(|lists| lists[place].clone()).collect(),
                items: train.items(),
            })
            .collect()
    }

    /// Means over the judged users who are `wanted`; none without any.
    pub(super) fn over(&self, wanted: impl Fn(u32) -> bool) -> Option<RankingMetrics> {
        let mut sums = RankingMetrics::default();
        let (mut covered, mut count) = (HashSet::new(), 0.0);
        for (_, list, user) in self.users.iter().filter(|(user, ..)| wanted(*user)) {
            sums.ndcg += user.ndcg;
            sums.recall += user.recall;
            sums.hit_rate += user.hit_rate;
            sums.mrr += user.mrr;
            covered.extend(list.iter().copied());
            count += 1.0;
        }
        (count > 0.0).then(|| RankingMetrics {
            ndcg: sums.ndcg / count,
            recall: sums.recall / count,
            hit_rate: sums.hit_rate / count,
            mrr: sums.mrr / count,
            coverage: covered.len() as f64 / self.items as f64,
        })
    }
}

/// The items the user has not rated, and their scores.
fn unseen(predictor: &dyn Predictor, train: &RatingMatrix, user: u32) -> Vec<(f64, u32)> {
    let (seen, _) = train.by_user(user as usize);
    (0u32..)
        .take(train.items())
        .filter(|item| seen.binary_search(item).is_err())
        .map(|item| (predictor.score(user, item), item))
        .collect()
}

/// The best items by score and popularity, best first; ties by index.
fn top(scores: &[(f64, u32)], known: &[f64], weight: f64, cutoff: usize) -> Vec<u32> {
    let mut scored: Vec<(f64, u32)> = scores
        .iter()
        .map(|&(score, item)| (score + weight * known[item as usize], item))
        .collect();
    let order = |a: &(f64, u32), b: &(f64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if scored.len() > cutoff {
        scored.select_nth_unstable_by(cutoff, order);
        scored.truncate(cutoff);
    }
    scored.sort_unstable_by(order);
    scored.into_iter().map(|(_, item)| item).collect()
}

/// NDCG of one list, binary relevance.
pub(crate) fn ndcg(list: &[u32], relevant: &[u32]) -> f64 {
    judge(list, relevant).ndcg
}

/// One user's metrics, coverage aside.
fn judge(list: &[u32], relevant: &[u32]) -> RankingMetrics {
    let discount = |position: usize| 1.0 / (position as f64 + 2.0).log2();
    let (mut gain, mut hits, mut first) = (0.0, 0u32, None);
    for (position, item) in list.iter().enumerate() {
        if relevant.contains(item) {
            gain += discount(position);
            hits += 1;
            first.get_or_insert(position);
        }
    }
    let ideal: f64 = (0..relevant.len().min(list.len())).map(discount).sum();
    RankingMetrics {
        ndcg: if ideal > 0.0 { gain / ideal } else { 0.0 },
        recall: f64::from(hits) / relevant.len().max(1) as f64,
        hit_rate: f64::from(u8::from(hits > 0)),
        mrr: first.map_or(0.0, |position| 1.0 / (position as f64 + 1.0)),
        coverage: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judges_by_hand() {
        let found = judge(&[7, 3, 9], &[3, 4]);
        let expected = (1.0 / 3f64.log2()) / (1.0 + 1.0 / 3f64.log2());
        assert!((found.ndcg - expected).abs() < 1e-12);
        assert_eq!((found.recall, found.hit_rate, found.mrr), (0.5, 1.0, 0.5));
        assert_eq!(judge(&[1], &[2]), RankingMetrics::default());
        let perfect = judge(&[5, 6], &[6, 5]);
        assert_eq!((perfect.ndcg, perfect.recall, perfect.mrr), (1.0, 1.0, 1.0));
    }

    struct ByIndex;
    impl Predictor for ByIndex {
        fn score(&self, _: u32, item: u32) -> f64 {
            -f64::from(item)
        }
        fn scale(&self) -> (f64, f64) {
            (-100.0, 100.0)
        }
    }

    #[test]
    fn ranks_what_was_not_seen_and_judges_what_is_relevant() {
        let rating = |user, item, value| Rating { user, item, value };
        let train =
            RatingMatrix::from_ratings(3, 6, &[rating(0, 0, 5.0), rating(1, 3, 2.0)]).unwrap();
        // User 0's list is 1, 2: a hit at the second place. User 1's is 0, 1: none, for item 0
        // was not liked. User 2 has nothing relevant and is not judged.
        let test = [
            rating(0, 2, 4.0),
            rating(1, 0, 3.0),
            rating(1, 5, 5.0),
            rating(2, 0, 1.0),
        ];
        let settings = RankingSettings {
            cutoff: 2,
            ..RankingSettings::default()
        };
        let unit = Unit {
            top: 5.0,
            range: 4.0,
            ..Unit::OF_RATINGS
        };
        let judge = |test: &[Rating], settings: &RankingSettings| {
            Judged::new(&ByIndex, &train, &unit, test, settings, 0.0)
        };
        let judged = judge(&test, &settings);
        let found = judged.over(|_| true).unwrap();
        assert_eq!((found.hit_rate, found.mrr, found.recall), (0.5, 0.25, 0.5));
        assert_eq!(found.coverage, 3.0 / 6.0);
        assert!(judge(&test[3..], &settings).over(|_| true).is_none());

        let own = judged.over(|user| user == 0).unwrap();
        assert_eq!((own.hit_rate, own.mrr, own.coverage), (1.0, 0.5, 2.0 / 6.0));
        assert_eq!(judged.over(|user| user == 1).unwrap().hit_rate, 0.0);
        assert!(judged.over(|user| user == 2).is_none());

        // As counts, everything held out is what a list should have: user 2 is judged too, and
        // user 1's item 0 is a hit.
        let settings = RankingSettings {
            relevance: Relevance::EveryHeldOut,
            ..settings
        };
        let judged = judge(&test, &settings);
        assert_eq!(judged.over(|user| user > 0).unwrap().hit_rate, 1.0);
        assert_eq!(Relevance::AtLeast(2.5).threshold(&unit), 2.5);
    }

    #[test]
    fn weights_are_judged_over_the_same_scores() {
        let rating = |user, item| Rating {
            user,
            item,
            value: 5.0,
        };
        // Item 5 is what everybody but user 0 rated.
        let rated: Vec<Rating> = (1..4).map(|user| rating(user, 5)).collect();
        let train = RatingMatrix::from_ratings(4, 6, &rated).unwrap();
        let settings = RankingSettings {
            cutoff: 1,
            ..RankingSettings::default()
        };
        let unit = Unit {
            top: 5.0,
            ..Unit::OF_RATINGS
        };
        let test = [rating(0, 5)];
        let weights = [0.0, 100.0];
        let found = ranking_by_weight(&ByIndex, &train, &unit, &test, &settings, &weights);
        let hits: Vec<f64> = found.unwrap().iter().map(|m| m.hit_rate).collect();
        assert_eq!(hits, [0.0, 1.0]);
        let learnt = crate::popularity::learn(&ByIndex, &train, &unit, &test, &settings);
        assert_eq!(learnt, Some(8.0));
        let none = crate::popularity::learn(&ByIndex, &train, &unit, &[], &settings);
        assert_eq!(none, None);
    }
}
