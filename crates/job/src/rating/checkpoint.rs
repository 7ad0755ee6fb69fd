//! What P0 goes on from: what both sides agreed on before the first block of the stock; the
//! training, with the opening that comes next, before anything of that opening leaves.

use s3rec_spmm::{ProductParameters, PublicPattern};
use serde::{Deserialize, Serialize};

use crate::TrainingState;

/// What is on disk of a job that makes its stock, or is in its rounds.
pub struct RatingCheckpoint {
    /// Written once.
    pub agreed: RatingAgreed,
    /// Written every round; `None` while the stock is made.
    pub progress: Option<RatingProgress>,
}

/// What both platforms agreed on before the rounds.
#[derive(Clone, Serialize, Deserialize)]
pub struct RatingAgreed {
    /// The product's.
    pub parameters: ProductParameters,
    /// By which both sides name them.
    pub parameters_digest: [u8; 32],
    /// The rows that are exchanged.
    pub pattern: PublicPattern,
    /// The common users, as indices of P0's.
    pub common: Vec<u32>,
}

/// How far the rounds are. P0's secret.
#[derive(Serialize, Deserialize)]
pub struct RatingProgress {
    /// Before the next opening.
    pub training: TrainingState,
    /// Openings learnt from.
    pub openings: u32,
    /// Uploads that P1 has answered.
    pub stocks: u32,
    /// Before the rounds.
    pub offline: Spent,
    /// In the rounds.
    pub online: Spent,
    /// One a round.
    pub rounds: Vec<RoundReport>,
    /// P1 has confirmed the count of all openings: only the model is to be stored.
    pub is_agreed: bool,
}

/// What a phase has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// To P1.
    pub sent_bytes: u64,
    /// From P1.
    pub received_bytes: u64,
    /// Both ways.
    pub messages: u64,
    /// Of waiting and computing together.
    pub seconds: f64,
}

/// How one round went. P0's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundReport {
    /// The solver's objective.
    pub loss: f64,
    /// Error on what is held out; 0 when nothing is.
    pub held_out_rmse: f64,
    /// Values clipped so far.
    pub saturations: u64,
}
