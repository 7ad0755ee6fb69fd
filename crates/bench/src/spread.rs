//! Several runs of the same measurement: the median, and how far the others lie from it.

use serde::{Deserialize, Serialize};

/// Median, least and most of a few runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// The middle run, or the mean of the two middle ones.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// How many.
    pub runs: u64,
}

impl Quantiles {
    /// Over `values`; all zero when there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) else {
            return Self::default();
        };
        let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
        Self {
            median: f64::midpoint(sorted[low], sorted[high]),
            least,
            most,
            runs: sorted.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        let odd = Quantiles::of([3.0, 1.0, 10.0]);
        assert_eq!(
            (odd.median, odd.least, odd.most, odd.runs),
            (3.0, 1.0, 10.0, 3)
        );
        assert_eq!(Quantiles::of([4.0, 2.0]).median, 3.0);
        assert_eq!(Quantiles::of([]), Quantiles::default());
    }
}
