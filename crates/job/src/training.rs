use crate::common_users::make_visible;
use crate::{CommonUsers, TrainError};
use s3rec_algebra::{FixedPoint, RingMatrix};
use s3rec_model::{Model, Solver, SolverState, StepReport};
use serde::{Deserialize, Serialize};

/// What [`JointTraining::advance`] asks of its driver.
pub enum Advance {
    /// Multiply this by Y and hand the result to [`JointTraining::absorb`]: common users ×
    /// opened columns, at scale 2^(f_u + guard), P0's secret until it is encrypted or masked.
    Open(RingMatrix),
    /// A local step was taken; call again.
    Stepped(StepReport),
    /// Nothing is left to do.
    Finished,
}

/// A step and what it cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The solver's account of the step.
    pub step: StepReport,
    /// Values that had to be clipped when U was encoded. P0's own log only, never sent.
    pub saturations: u64,
}

/// A joint training, driven from outside so that the product may be awaited.
///
/// Each round: the solver shows the matrix to open; the common users' rows are encoded with
/// [`FixedPoint`] (saturations counted, never told); the driver gets Y times it; the product is
/// decoded and the solver steps. The number of openings is the solver's settings' and public;
/// nothing the driver does depends on decoded values.
pub struct JointTraining {
    solver: Box<dyn Solver>,
    common: CommonUsers,
    fixed: FixedPoint,
    weight_bits: u32,
    pending: Option<Pending>,
    log: Vec<LogEntry>,
    openings: u64,
    opened_values: u64,
    saturations: u64,
}

/// A training between two openings, to be kept across a restart. P0's secret.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingState {
    solver: SolverState,
    log: Vec<LogEntry>,
    openings: u64,
    opened_values: u64,
    saturations: u64,
}

struct Pending {
    columns: usize,
    saturations: u64,
}

impl JointTraining {
    /// A training that has not begun. `weight_bits` is f_y of the operator in the proposal.
    pub fn new(
        solver: Box<dyn Solver>,
        common: CommonUsers,
        fixed: FixedPoint,
        weight_bits: u32,
    ) -> Self {
        Self {
            solver,
            common,
            fixed,
            weight_bits,
            pending: None,
            log: Vec::new(),
            openings: 0,
            opened_values: 0,
            saturations: 0,
        }
    }

    /// Everything that the next opening and all later steps depend on. While an opening is under
    /// way: so that it is asked for again, with the same bits.
    pub fn state(&self) -> TrainingState {
        TrainingState {
            solver: self.solver.state(),
            log: self.log.clone(),
            openings: self.openings,
            opened_values: self.opened_values,
            saturations: self.saturations,
        }
    }

    /// Goes on from what [`state`](JointTraining::state) of a training of the same parts gave.
    ///
    /// # Errors
    /// [`TrainError::OpeningPending`]; a state of another solver.
    pub fn resume(&mut self, state: TrainingState) -> Result<(), TrainError> {
        if self.pending.is_some() {
            return Err(TrainError::OpeningPending);
        }
        self.solver.resume(&state.solver)?;
        self.log = state.log;
        self.openings = state.openings;
        self.opened_values = state.opened_values;
        self.saturations = state.saturations;
        Ok(())
    }

    /// Takes a local step, or asks for an opening, or says that all is done.
    ///
    /// # Errors
    /// [`TrainError::OpeningPending`] while a product is awaited; whatever the solver refuses.
    pub fn advance(&mut self) -> Result<Advance, TrainError> {
        if self.pending.is_some() {
            return Err(TrainError::OpeningPending);
        }
        if self.solver.is_finished() {
            return Ok(Advance::Finished);
        }
        if !self.solver.wants_opening() {
            let step = self.solver.step(None)?;
            self.log.push(LogEntry {
                step,
                saturations: 0,
            });
            return Ok(Advance::Stepped(step));
        }
        let mut rows = self.common.gather(self.solver.user_factors());
        let unit = (-f64::from(self.fixed.scale_bits())).exp2();
        make_visible(&mut rows, unit);
        let (encoded, saturations) = self.fixed.encode(&rows);
        self.pending = Some(Pending {
            columns: encoded.columns(),
            saturations: saturations.0,
        });
        Ok(Advance::Open(encoded))
    }

    /// Takes Y·U over the ring, at scale 2^(f_u + guard + f_y), and steps.
    ///
    /// # Errors
    /// [`TrainError::NoOpening`], a product of another shape or ring, or the solver's refusal.
    pub fn absorb(&mut self, product: &RingMatrix) -> Result<StepReport, TrainError> {
        let pending = self.pending.as_ref().ok_or(TrainError::NoOpening)?;
        let (expected_rows, expected_columns) = (self.common.len(), pending.columns);
        if product.rows() != expected_rows || product.columns() != expected_columns {
            return Err(TrainError::ProductShape {
                expected_rows,
                expected_columns,
                actual_rows: product.rows(),
                actual_columns: product.columns(),
            });
        }
        let (expected, actual) = (self.fixed.ring().bits(), product.ring().bits());
        if expected != actual {
            return Err(TrainError::ProductRing { expected, actual });
        }
        let saturations = pending.saturations;
        self.pending = None;
        let decoded = self.fixed.decode_product(product, self.weight_bits);
        let step = self.solver.step(Some(&self.common.scatter(&decoded)))?;
        self.openings += 1;
        self.opened_values += (expected_rows * expected_columns) as u64;
        self.saturations += saturations;
        self.log.push(LogEntry { step, saturations });
        Ok(step)
    }

    /// The model as it stands.
    pub fn model(&self) -> &Model {
        self.solver.model()
    }

    /// Every step so far.
    pub fn log(&self) -> &[LogEntry] {
        &self.log
    }

    /// Openings absorbed.
    pub fn openings(&self) -> u64 {
        self.openings
    }

    /// Rows × columns opened so far: what the functionality has given away.
    pub fn opened_values(&self) -> u64 {
        self.opened_values
    }

    /// Values clipped so far. P0's own log only.
    pub fn saturations(&self) -> u64 {
        self.saturations
    }
}
