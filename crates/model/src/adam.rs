use crate::gradient::local_gradient;
use crate::problem::Problem;
use crate::state::copy;
use crate::{Model, ModelError, Solver, SolverState, StepReport};
use s3rec_algebra::RealMatrix;

/// Step size without a given one.
const LEARNING_RATE: f64 = 0.02;
const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Full-batch Adam over U, V, b and c at once.
pub(crate) struct Adam {
    problem: Problem,
    model: Model,
    opened: RealMatrix,
    users: Moments,
    items: Moments,
    learning_rate: f64,
    steps: u32,
}

impl Adam {
    pub(crate) fn new(problem: Problem, start: Model) -> Self {
        Self {
            opened: problem.opened(&start.users),
            users: Moments::new(&start.users),
            items: Moments::new(&start.items),
            learning_rate: problem.settings.learning_rate.unwrap_or(LEARNING_RATE),
            model: start,
            problem,
            steps: 0,
        }
    }
}

impl Solver for Adam {
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
        self.steps += 1;
        self.users
            .step(&mut self.model.users, &local.users, self.learning_rate);
        self.items
            .step(&mut self.model.items, &local.items, self.learning_rate);
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
        let kept = [&self.users, &self.items].map(Moments::kept).concat();
        SolverState::of(&self.model, self.steps, 0, kept)
    }

    fn resume(&mut self, state: &SolverState) -> Result<(), ModelError> {
        let [a, b, c, d, e, f] = state.kept()?;
        state.restore_model(&mut self.model)?;
        self.users.restore([a, b, c])?;
        self.items.restore([d, e, f])?;
        self.steps = state.steps;
        self.opened = self.problem.opened(&self.model.users);
        Ok(())
    }
}

struct Moments {
    first: Vec<f64>,
    second: Vec<f64>,
    /// Powers of the two decays, by multiplication alone: the same bits on every platform.
    unseen: (f64, f64),
}

impl Moments {
    fn new(of: &RealMatrix) -> Self {
        let count = of.values().len();
        Self {
            first: vec![0.0; count],
            second: vec![0.0; count],
            unseen: (1.0, 1.0),
        }
    }

    fn kept(&self) -> Vec<Vec<f64>> {
        let unseen = vec![self.unseen.0, self.unseen.1];
        vec![self.first.clone(), self.second.clone(), unseen]
    }

    fn restore(&mut self, [first, second, unseen]: [&[f64]; 3]) -> Result<(), ModelError> {
        copy(&mut self.first, first)?;
        copy(&mut self.second, second)?;
        match unseen {
            [first, second] => self.unseen = (*first, *second),
            _ => return Err(ModelError::OtherState),
        }
        Ok(())
    }

    fn step(&mut self, values: &mut RealMatrix, gradient: &RealMatrix, rate: f64) {
        self.unseen = (self.unseen.0 * FIRST_DECAY, self.unseen.1 * SECOND_DECAY);
        let (first_seen, second_seen) = (1.0 - self.unseen.0, 1.0 - self.unseen.1);
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((value, &g), (first, second)) in values
            .values_mut()
            .iter_mut()
            .zip(gradient.values())
            .zip(moments)
        {
            *first = FIRST_DECAY * *first + (1.0 - FIRST_DECAY) * g;
            *second = SECOND_DECAY * *second + (1.0 - SECOND_DECAY) * g * g;
            *value -= rate * (*first / first_seen) / ((*second / second_seen).sqrt() + EPSILON);
        }
    }
}
