//! Stopping before the openings consented to are used up.

use crate::state::{Watched, restore};
use crate::{Model, ModelError, Solver, SolverState, StepReport, accuracy};
use s3rec_algebra::RealMatrix;
use s3rec_sparse::Rating;
use serde::{Deserialize, Serialize};

/// When to stop. The number of openings in the proposal is the ceiling in any case; stopping
/// below it tells P1 only that P0 stopped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StopRule {
    /// Openings in a row without a better held-out RMSE.
    pub patience: u32,
    /// A relative fall of the objective between openings that counts as standing still.
    pub objective_tolerance: f64,
}

impl Default for StopRule {
    fn default() -> Self {
        Self {
            patience: 3,
            objective_tolerance: 1e-5,
        }
    }
}

/// A solver that stops by itself when the held-out error or the objective stalls, and keeps
/// the model that was best on the held-out ratings.
pub struct Stopping {
    solver: Box<dyn Solver>,
    rule: StopRule,
    held_out: Vec<Rating>,
    best: Option<(f64, Model)>,
    stale: u32,
    objective: Option<f64>,
    stalled: bool,
}

impl Stopping {
    /// Watches `solver` with `held_out` ratings, which must not be among its training ratings;
    /// without any, only the objective is watched and the last model is kept.
    pub fn new(solver: Box<dyn Solver>, rule: StopRule, held_out: Vec<Rating>) -> Self {
        Self {
            solver,
            rule,
            held_out,
            best: None,
            stale: 0,
            objective: None,
            stalled: false,
        }
    }

    fn watch(&mut self, report: &StepReport) -> Result<(), ModelError> {
        if !self.held_out.is_empty() {
            let rmse = accuracy(self.solver.model(), &self.held_out)?.rmse;
            if self.best.as_ref().is_none_or(|(best, _)| rmse < *best) {
                self.best = Some((rmse, self.solver.model().clone()));
                self.stale = 0;
            } else if report.openings > 0 {
                self.stale += 1;
            }
            self.stalled |= self.stale >= self.rule.patience.max(1);
        }
        // The objective of a step without an opening lacks the social term: not comparable.
        if report.openings > 0 {
            let fell = self.objective.map(|before| before - report.objective);
            self.stalled |= fell.is_some_and(|fell| {
                fell.abs() <= self.rule.objective_tolerance * report.objective.abs()
            });
            self.objective = Some(report.objective);
        }
        Ok(())
    }
}

impl Solver for Stopping {
    fn user_factors(&self) -> &RealMatrix {
        self.solver.user_factors()
    }

    fn wants_opening(&self) -> bool {
        !self.stalled && self.solver.wants_opening()
    }

    fn step(&mut self, social: Option<&RealMatrix>) -> Result<StepReport, ModelError> {
        let report = self.solver.step(social)?;
        self.watch(&report)?;
        Ok(report)
    }

    fn is_finished(&self) -> bool {
        self.stalled || self.solver.is_finished()
    }

    fn model(&self) -> &Model {
        self.best
            .as_ref()
            .map_or_else(|| self.solver.model(), |(_, model)| model)
    }

    fn state(&self) -> SolverState {
        let values = |model: &Model| {
            let (users, items) = (model.users.values(), model.items.values());
            (users.to_vec(), items.to_vec())
        };
        let best = self.best.as_ref().map(|(rmse, model)| {
            let (users, items) = values(model);
            (*rmse, users, items)
        });
        SolverState {
            watched: Some(Watched {
                best,
                stale: self.stale,
                objective: self.objective,
                stalled: self.stalled,
            }),
            ..self.solver.state()
        }
    }

    fn resume(&mut self, state: &SolverState) -> Result<(), ModelError> {
        self.solver.resume(state)?;
        let watched = state.watched.as_ref().ok_or(ModelError::OtherState)?;
        self.best = match &watched.best {
            None => None,
            Some((rmse, users, items)) => {
                let mut model = self.solver.model().clone();
                restore(&mut model.users, users)?;
                restore(&mut model.items, items)?;
                Some((*rmse, model))
            }
        };
        (self.stale, self.objective) = (watched.stale, watched.objective);
        self.stalled = watched.stalled;
        Ok(())
    }
}
