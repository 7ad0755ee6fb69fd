use s3rec_algebra::RealMatrix;

use crate::full_batch::UpdateRule;
use crate::gradient::LocalGradient;
use crate::problem::Problem;
use crate::{Model, ModelError, SolverState};

/// Gradient descent on the published objective.
///
/// With a learning rate given, that is the step size everywhere, as published; it must suit the
/// busiest item, and users with few ratings then need hundreds of rounds. Without one, every
/// row has its own: one over a bound on its curvature.
pub(crate) struct GradientDescent;

impl UpdateRule for GradientDescent {
    fn update(
        &mut self,
        problem: &Problem,
        model: &mut Model,
        gradient: &LocalGradient,
        with_social: bool,
    ) {
        let settings = &problem.settings;
        let social = |column: usize| {
            let social = problem.social.as_ref().filter(|_| with_social);
            social.map_or(0.0, |social| problem.strength(column) * social.curvature())
        };
        let (on_factors, on_bias) = (social(0), social(settings.rank));
        let row_rates = |curvature: f64, ratings: usize, decay: f64, bias_decay: f64| {
            let bias_curvature = 2.0 * ratings as f64 + bias_decay;
            settings
                .learning_rate
                .map_or((1.0 / (curvature + decay), 1.0 / bias_curvature), |rate| {
                    (rate, rate)
                })
        };
        descend(&mut model.users, &gradient.users, |user| {
            row_rates(
                gradient.user_curvatures[user],
                problem.ratings.by_user(user).0.len(),
                settings.user_decay + on_factors,
                settings.user_bias_decay + on_bias,
            )
        });
        descend(&mut model.items, &gradient.items, |item| {
            row_rates(
                gradient.item_curvatures[item],
                problem.ratings.by_item(item).0.len(),
                settings.item_decay,
                settings.item_bias_decay,
            )
        });
    }

    fn kept(&self) -> Vec<Vec<f64>> {
        Vec::new()
    }

    fn resume(&mut self, state: &SolverState) -> Result<(), ModelError> {
        state.kept::<0>().map(|_| ())
    }
}

/// Moves every row along its gradient; `rates` gives the step on the factors and on the bias.
fn descend(values: &mut RealMatrix, gradient: &RealMatrix, rates: impl Fn(usize) -> (f64, f64)) {
    let rank = values.columns() - 1;
    for row in 0..values.rows() {
        let (factor_rate, bias_rate) = rates(row);
        let moved = values.row_mut(row).iter_mut().zip(gradient.row(row));
        for (column, (value, slope)) in moved.enumerate() {
            *value -= slope
                * if column < rank {
                    factor_rate
                } else {
                    bias_rate
                };
        }
    }
}
