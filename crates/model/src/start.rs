//! The starting point, from the seed alone.

use crate::activity::ActivityPrior;
use crate::random::{normal, purpose, stream};
use crate::{Biases, Model, SolverSettings};
use s3rec_algebra::RealMatrix;
use s3rec_sparse::RatingMatrix;

/// Standard deviation of a starting factor.
const SPREAD: f64 = 0.1;

/// Biases fitted alone, factors small and random; and what users' biases are drawn to. Users and
/// items without training ratings start at zero factors: nothing but the social term may move
/// them.
pub(crate) fn starting_model(
    ratings: &RatingMatrix,
    scale: (f64, f64),
    settings: &SolverSettings,
) -> (Model, ActivityPrior) {
    let decays = (settings.user_bias_decay, settings.item_bias_decay);
    let (biases, prior) = Biases::fit_around(ratings, scale, decays, settings.activity_prior);
    let rank = settings.rank;
    let mut rng = stream(settings.seed, purpose::START);
    let mut fill = |biases: &[f64], rated: &dyn Fn(usize) -> bool| {
        let mut matrix = RealMatrix::zeros(biases.len(), rank + 1);
        for (index, &bias) in biases.iter().enumerate() {
            let row = matrix.row_mut(index);
            for factor in &mut row[..rank] {
                // Drawn for every row, so that a row's start does not depend on who has ratings.
                *factor = SPREAD * normal(&mut rng) * f64::from(u8::from(rated(index)));
            }
            row[rank] = bias;
        }
        matrix
    };
    let users = fill(biases.users(), &|user| !ratings.by_user(user).0.is_empty());
    let items = fill(biases.items(), &|item| !ratings.by_item(item).0.is_empty());
    let model = Model {
        unit: biases.unit(),
        mean: biases.mean(),
        scale,
        users,
        items,
    };
    (model, prior)
}
