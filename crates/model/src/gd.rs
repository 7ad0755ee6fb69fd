use crate::gradient::{LocalGradient, local_gradient};
use crate::problem::Problem;
use crate::{Model, ModelError, Solver, SolverState, StepReport};
use s3rec_algebra::RealMatrix;

/// Full-batch gradient descent on the published objective: all of U, V, b and c move at once
/// along the gradient at the same point.
///
/// With a learning rate given, that is the step size everywhere, as published; it must suit the
/// busiest item, and users with few ratings then need hundreds of rounds. Without one, every
/// row has its own: one over a bound on its curvature.
pub(crate) struct GradientDescent {
    problem: Problem,
    model: Model,
    opened: RealMatrix,
    steps: u32,
}

impl GradientDescent {
    pub(crate) fn new(problem: Problem, start: Model) -> Self {
        let opened = problem.opened(&start.users);
        Self {
            problem,
            model: start,
            opened,
            steps: 0,
        }
    }

    fn descend(&mut self, local: &LocalGradient, with_social: bool) {
        let problem = &self.problem;
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
        descend(&mut self.model.users, &local.users, |user| {
            row_rates(
                local.user_curvatures[user],
                problem.ratings.by_user(user).0.len(),
                settings.user_decay + on_factors,
                settings.user_bias_decay + on_bias,
            )
        });
        descend(&mut self.model.items, &local.items, |item| {
            row_rates(
                local.item_curvatures[item],
                problem.ratings.by_item(item).0.len(),
                settings.item_decay,
                settings.item_bias_decay,
            )
        });
    }
}

impl Solver for GradientDescent {
    fn user_factors(&self) -> &RealMatrix {
        &self.opened
    }

    fn wants_opening(&self) -> bool {
        self.problem.opens_at(self.steps)
    }

    fn step(&mut self, social: Option<&RealMatrix>) -> Result<StepReport, ModelError> {
        let product = self.problem.check(social, self.wants_opening())?;
        let mut local = local_gradient(&self.problem, &self.model);
        let energy = product.map_or(0.0, |product| {
            self.problem
                .add_social(&self.opened, product, &mut local.users);
            self.problem.energy(&self.opened, product)
        });
        self.descend(&local, product.is_some());
        self.steps += 1;
        let objective = local.value + energy;
        self.problem.check_finite(&self.model, self.steps)?;
        self.opened = self.problem.opened(&self.model.users);
        Ok(StepReport {
            step: self.steps,
            openings: self.problem.openings_after(self.steps),
            objective,
            train_rmse: self.problem.train_rmse(&self.model, local.squares),
        })
    }

    fn is_finished(&self) -> bool {
        self.steps >= self.problem.steps()
    }

    fn model(&self) -> &Model {
        &self.model
    }

    fn state(&self) -> SolverState {
        SolverState::of(&self.model, self.steps, 0, Vec::new())
    }

    fn resume(&mut self, state: &SolverState) -> Result<(), ModelError> {
        state.kept::<0>()?;
        state.restore_model(&mut self.model)?;
        self.steps = state.steps;
        self.opened = self.problem.opened(&self.model.users);
        Ok(())
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
