use s3rec_algebra::RingMatrix;

use super::{RatingPlatform, RoundReport};
use crate::{Advance, JobError, JointTraining, TrainingState};

/// A training whose next opening is known, or that has had all of them.
pub(super) struct Trainee {
    training: JointTraining,
    opening: Option<RingMatrix>,
}

impl Trainee {
    /// A training from its start, up to the opening that comes first.
    pub(super) fn begin(training: JointTraining) -> Result<Self, JobError> {
        let mut trainee = Self {
            training,
            opening: None,
        };
        trainee.advance()?;
        Ok(trainee)
    }

    /// A training from where it was kept.
    pub(super) fn resume(
        mut training: JointTraining,
        kept: TrainingState,
    ) -> Result<Self, JobError> {
        training.resume(kept).map_err(JobError::OtherTraining)?;
        Self::begin(training)
    }

    /// Local steps up to the next opening.
    fn advance(&mut self) -> Result<(), JobError> {
        loop {
            self.opening = match self.training.advance().map_err(JobError::Diverged)? {
                Advance::Open(opening) => Some(opening),
                Advance::Stepped(_) => continue,
                Advance::Finished => None,
            };
            return Ok(());
        }
    }

    /// What is opened next.
    pub(super) fn opening(&self) -> Option<&RingMatrix> {
        self.opening.as_ref()
    }

    pub(super) fn take_opening(&mut self) -> Result<RingMatrix, JobError> {
        self.opening.take().ok_or(JobError::OutOfPlace)
    }

    /// What the next opening and everything after it depend on.
    pub(super) fn state(&self) -> TrainingState {
        self.training.state()
    }

    pub(super) fn into_training(self) -> JointTraining {
        self.training
    }

    /// Learns from an opening, up to the next.
    pub(super) fn absorb(
        mut self,
        opened: &RingMatrix,
        platform: &dyn RatingPlatform,
    ) -> Result<(Self, RoundReport), JobError> {
        let step = self.training.absorb(opened).map_err(JobError::Diverged)?;
        let report = RoundReport {
            loss: step.objective,
            held_out_rmse: platform.held_out_rmse(self.training.model()),
            saturations: self.training.saturations(),
        };
        self.advance()?;
        Ok((self, report))
    }
}
