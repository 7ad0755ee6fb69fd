//! Solvers that move all of U, V, b and c at once along the gradient at the same point.

use s3rec_algebra::RealMatrix;

use crate::gradient::{LocalGradient, local_gradient};
use crate::problem::Problem;
use crate::{Model, ModelError, Solver, SolverState, StepReport};

/// How far the gradient moves the model.
pub(crate) trait UpdateRule: Send {
    /// One step. The gradient is that of the whole objective; `with_social` says whether the
    /// social term is in it.
    fn update(
        &mut self,
        problem: &Problem,
        model: &mut Model,
        gradient: &LocalGradient,
        with_social: bool,
    );

    /// What the rule keeps between steps beside the model.
    fn kept(&self) -> Vec<Vec<f64>>;

    /// Takes back what [`kept`](UpdateRule::kept) gave.
    fn resume(&mut self, state: &SolverState) -> Result<(), ModelError>;
}

/// Full-batch descent by a rule: one opening a step.
pub(crate) struct FullBatch<R> {
    problem: Problem,
    model: Model,
    opened: RealMatrix,
    rule: R,
    steps: u32,
}

impl<R: UpdateRule> FullBatch<R> {
    pub(crate) fn new(problem: Problem, start: Model, rule: R) -> Self {
        Self {
            opened: problem.opened(&start.users),
            problem,
            model: start,
            rule,
            steps: 0,
        }
    }
}

impl<R: UpdateRule> Solver for FullBatch<R> {
    fn user_factors(&self) -> &RealMatrix {
        &self.opened
    }

    fn wants_opening(&self) -> bool {
        self.problem.opens_at(self.steps)
    }

    fn step(&mut self, social: Option<&RealMatrix>) -> Result<StepReport, ModelError> {
        let product = self.problem.check(social, self.wants_opening())?;
        let mut gradient = local_gradient(&self.problem, &self.model);
        let energy = product.map_or(0.0, |product| {
            self.problem
                .add_social(&self.opened, product, &mut gradient.users);
            self.problem.energy(&self.opened, product)
        });
        self.rule
            .update(&self.problem, &mut self.model, &gradient, product.is_some());
        self.steps += 1;
        let objective = gradient.value + energy;
        self.problem.check_finite(&self.model, self.steps)?;
        self.opened = self.problem.opened(&self.model.users);
        Ok(StepReport {
            step: self.steps,
            openings: self.problem.openings_after(self.steps),
            objective,
            train_rmse: self.problem.train_rmse(&self.model, gradient.squares),
        })
    }

    fn is_finished(&self) -> bool {
        self.steps >= self.problem.steps()
    }

    fn model(&self) -> &Model {
        &self.model
    }

    fn state(&self) -> SolverState {
        SolverState::of(&self.model, self.steps, 0, self.rule.kept())
    }

    fn resume(&mut self, state: &SolverState) -> Result<(), ModelError> {
        self.rule.resume(state)?;
        state.restore_model(&mut self.model)?;
        self.steps = state.steps;
        self.opened = self.problem.opened(&self.model.users);
        Ok(())
    }
}
