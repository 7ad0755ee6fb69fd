use s3rec_algebra::RealMatrix;

use crate::full_batch::UpdateRule;
use crate::gradient::LocalGradient;
use crate::problem::Problem;
use crate::state::copy;
use crate::{Model, ModelError, SolverState};

/// Step size without a given one.
const LEARNING_RATE: f64 = 0.02;
const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Adam over U, V, b and c at once.
pub(crate) struct Adam {
    users: Moments,
    items: Moments,
    learning_rate: f64,
}

impl Adam {
    pub(crate) fn new(problem: &Problem, start: &Model) -> Self {
        Self {
            users: Moments::new(&start.users),
            items: Moments::new(&start.items),
            learning_rate: problem.settings.learning_rate.unwrap_or(LEARNING_RATE),
        }
    }
}

impl UpdateRule for Adam {
    fn update(&mut self, _: &Problem, model: &mut Model, gradient: &LocalGradient, _: bool) {
        let rate = self.learning_rate;
        self.users.step(&mut model.users, &gradient.users, rate);
        self.items.step(&mut model.items, &gradient.items, rate);
    }

    fn kept(&self) -> Vec<Vec<f64>> {
        [&self.users, &self.items].map(Moments::kept).concat()
    }

    fn resume(&mut self, state: &SolverState) -> Result<(), ModelError> {
        let [a, b, c, d, e, f] = state.kept()?;
        self.users.restore([a, b, c])?;
        self.items.restore([d, e, f])
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
