//! Rating errors on held-out pairs.

use crate::ModelError;
use s3rec_sparse::Rating;
use serde::{Deserialize, Serialize};

/// Anything that predicts a rating.
pub trait Predictor: Sync {
    /// The expected rating before clipping, by which items are ranked. Users and items without
    /// training ratings, known or not, get the best that is known of the others.
    fn score(&self, user: u32, item: u32) -> f64;

    /// Lowest and highest rating.
    fn scale(&self) -> (f64, f64);

    /// The expected rating on the data set's scale, clipped to it.
    fn predict(&self, user: u32, item: u32) -> f64 {
        let (lowest, highest) = self.scale();
        self.score(user, item).clamp(lowest, highest)
    }
}

/// Errors over a set of held-out ratings.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Accuracy {
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
}

/// RMSE and MAE of `predictor` on `test`; the sum runs in the order given, so that the figure
/// is the same on every machine.
///
/// # Errors
/// [`ModelError::NoRatings`] when `test` is empty.
pub fn accuracy(predictor: &dyn Predictor, test: &[Rating]) -> Result<Accuracy, ModelError> {
    if test.is_empty() {
        return Err(ModelError::NoRatings("test"));
    }
    let (mut squares, mut absolutes) = (0.0, 0.0);
    for &Rating { user, item, value } in test {
        let error = predictor.predict(user, item) - f64::from(value);
        squares += error * error;
        absolutes += error.abs();
    }
    let count = test.len() as f64;
    Ok(Accuracy {
        rmse: (squares / count).sqrt(),
        mae: absolutes / count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(f64);
    impl Predictor for Always {
        fn score(&self, _: u32, _: u32) -> f64 {
            self.0
        }
        fn scale(&self) -> (f64, f64) {
            (0.0, 5.0)
        }
    }

    #[test]
    fn measures_by_hand() {
        let test = [1.0, 2.0, 5.0].map(|value| Rating {
            user: 0,
            item: 0,
            value,
        });
        let found = accuracy(&Always(2.0), &test).unwrap();
        assert!((found.rmse - (10.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((found.mae - 4.0 / 3.0).abs() < 1e-12);
        assert_eq!(
            accuracy(&Always(2.0), &[]),
            Err(ModelError::NoRatings("test"))
        );
    }
}
