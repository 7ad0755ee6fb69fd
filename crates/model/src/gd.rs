use crate::gradient::local_gradient;
use crate::solver::Problem;
use crate::{Model, ModelError, Solver, StepReport};
use s3rec_algebra::RealMatrix;

/// Full-batch gradient descent on the published objective: all of U, V, b and c move at once
/// along the gradient at the same point.
pub(crate) struct GradientDescent {
    problem: Problem,
    model: Model,
    opened: RealMatrix,
    learning_rate: f64,
    steps: u32,
}

impl GradientDescent {
    pub(crate) fn new(problem: Problem, start: Model) -> Self {
        let learning_rate = problem
            .settings
            .learning_rate
            .unwrap_or_else(|| safe_learning_rate(&problem));
        let opened = problem.opened(&start.users);
        Self {
            problem,
            model: start,
            opened,
            learning_rate,
            steps: 0,
        }
    }
}

impl Solver for GradientDescent {
    fn user_factors(&self) -> &RealMatrix {
        &self.opened
    }

    fn wants_opening(&self) -> bool {
        self.problem.social.is_some() && !self.is_finished()
    }

    fn step(&mut self, social: Option<&RealMatrix>) -> Result<StepReport, ModelError> {
        let product = self.problem.check(social, self.wants_opening())?;
        let mut local = local_gradient(&self.problem.ratings, &self.model, &self.problem.settings);
        let energy = product.map_or(0.0, |product| {
            self.problem
                .add_social(&self.opened, product, &mut local.users);
            self.problem.energy(&self.opened, product)
        });
        descend(&mut self.model.users, &local.users, self.learning_rate);
        descend(&mut self.model.items, &local.items, self.learning_rate);
        self.steps += 1;
        let objective = local.value + energy;
        if !objective.is_finite() {
            return Err(ModelError::Diverged { steps: self.steps });
        }
        self.opened = self.problem.opened(&self.model.users);
        Ok(StepReport {
            step: self.steps,
            openings: if self.problem.social.is_some() {
                self.steps
            } else {
                0
            },
            objective,
            train_rmse: (local.squares / self.problem.ratings.len() as f64).sqrt(),
        })
    }

    fn is_finished(&self) -> bool {
        self.steps >= self.problem.settings.openings
    }

    fn model(&self) -> &Model {
        &self.model
    }
}

/// A step size below 2 / curvature at the busiest user or item.
///
/// The curvature of the squared errors at a row is the number of its ratings times the squared
/// length of the other side's vectors, which stays near 1 on common data (the bias entry is
/// exactly 1); decay and the social term add theirs.
fn safe_learning_rate(problem: &Problem) -> f64 {
    let ratings = &problem.ratings;
    let busiest = (0..ratings.users())
        .map(|i| ratings.by_user(i).0.len())
        .chain((0..ratings.items()).map(|j| ratings.by_item(j).0.len()))
        .max()
        .unwrap_or(1);
    let settings = &problem.settings;
    let decay = settings.user_decay.max(settings.item_decay);
    let social = problem.social.as_ref().map_or(0.0, |social| {
        social.curvature() * settings.social_weight.max(settings.social_bias_weight)
    });
    1.0 / (busiest as f64 + decay + social)
}

fn descend(values: &mut RealMatrix, gradient: &RealMatrix, rate: f64) {
    for (value, gradient) in values.values_mut().iter_mut().zip(gradient.values()) {
        *value -= rate * gradient;
    }
}
