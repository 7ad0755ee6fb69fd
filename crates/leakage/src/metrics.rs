//! How well scores tell pairs that are linked from pairs that are not.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The precision at which recall is given.
pub const PRECISION: f64 = 0.5;
/// The false alarm rate at which the advantage is given.
pub const FALSE_ALARMS: f64 = 1e-3;

/// A pair's score and whether it is linked.
pub type Scored = (f32, bool);

/// What thresholds on scores achieve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The largest share of the links that a threshold finds with half of what it points at linked.
    pub recall_at_precision_50: f64,
    /// Area under the ROC curve; ties count half.
    pub auc: f64,
    /// Share of the links found less the share of false alarms, at the threshold of at most one
    /// false alarm in 1,000.
    pub advantage_at_fpr_1e3: f64,
    /// Linked pairs judged.
    pub links: u64,
    /// All pairs judged.
    pub pairs: u64,
    /// The ROC curve, false alarms and links found, thinned evenly on a logarithmic scale.
    pub roc: Vec<(f64, f64)>,
}

/// Points of a stored curve for each factor of ten.
const POINTS: f64 = 8.0;

impl Measures {
    /// Over all pairs judged; none without both kinds.
    #[must_use]
    pub fn over(mut scored: Vec<Scored>) -> Option<Self> {
        let pairs = scored.len() as u64;
        let links = scored.iter().filter(|(_, linked)| *linked).count() as u64;
        if links == 0 || links == pairs {
            return None;
        }
        scored.par_sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        let (all, others) = (links as f64, (pairs - links) as f64);
        let mut measures = Self {
            recall_at_precision_50: 0.0,
            auc: 0.0,
            advantage_at_fpr_1e3: 0.0,
            links,
            pairs,
            roc: vec![],
        };
        let (mut found, mut alarms) = (0.0, 0.0);
        let mut next = others.recip();
        for tied in scored.chunk_by(|a, b| a.0 == b.0) {
            let hits = tied.iter().filter(|(_, linked)| *linked).count() as f64;
            let misses = tied.len() as f64 - hits;
            measures.auc += misses / others * (found + hits / 2.0) / all;
            found += hits;
            alarms += misses;
            let (rate, false_rate) = (found / all, alarms / others);
            if found >= PRECISION * (found + alarms) {
                measures.recall_at_precision_50 = rate;
            }
            if false_rate <= FALSE_ALARMS {
                measures.advantage_at_fpr_1e3 =
                    measures.advantage_at_fpr_1e3.max(rate - false_rate);
            }
            if false_rate >= next {
                measures.roc.push((false_rate, rate));
                next = false_rate * 10f64.powf(POINTS.recip());
            }
        }
        Some(measures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_score_finds_all_and_a_constant_none() {
        let perfect = (0..4000).map(|i| (if i < 40 { 1.0 } else { 0.0 }, i < 40));
        let found = Measures::over(perfect.collect()).unwrap();
        assert_eq!((found.recall_at_precision_50, found.auc), (1.0, 1.0));
        assert_eq!(found.advantage_at_fpr_1e3, 1.0);
        let constant = (0..4000).map(|i| (0.5, i < 40));
        let found = Measures::over(constant.collect()).unwrap();
        assert_eq!((found.recall_at_precision_50, found.auc), (0.0, 0.5));
        assert_eq!(found.advantage_at_fpr_1e3, 0.0);
        assert_eq!((found.links, found.pairs), (40, 4000));
        assert!(Measures::over(vec![(1.0, true)]).is_none());
    }

    /// By hand: links at ranks 1, 3 and 6 of six.
    #[test]
    fn thresholds_are_counted_as_by_hand() {
        let scored = [true, false, true, false, false, true];
        let scored = scored.iter().enumerate().map(|(i, &l)| (-(i as f32), l));
        let found = Measures::over(scored.collect()).unwrap();
        // All six: 3 of 6 are linked.
        assert_eq!(found.recall_at_precision_50, 1.0);
        // Of nine pairs of a link and another, the link stands first in 3 + 2 + 0.
        assert!((found.auc - 5.0 / 9.0).abs() < 1e-12);
        assert!((found.advantage_at_fpr_1e3 - 1.0 / 3.0).abs() < 1e-12);
    }
}
