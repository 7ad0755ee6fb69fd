//! What can go wrong, by culprit: the caller, the peer, the storage.

use s3rec_algebra::AlgebraError;
use s3rec_he::HeError;
use s3rec_pir::PirError;
use s3rec_sparse::SparseError;

use crate::Step;
use crate::noise_first::NoiseFirstError;
use crate::preprocessed::VoidReason;

/// Everything the secure products report.
///
/// [`SpmmError::blames_peer`] tells the peer's faults from our own.
#[derive(Debug, thiserror::Error)]
pub enum SpmmError {
    /// Peer: a step number that no protocol has.
    #[error(
        "the peer names step {number}, which does not exist; do both sides run the same version?"
    )]
    UnknownStep {
        /// The number received.
        number: u32,
    },
    /// Peer: a frame that is not the one due.
    #[error(
        "the peer sent {actual:?} #{actual_sequence} where {expected:?} #{expected_sequence} was due"
    )]
    OutOfOrder {
        /// Step that was due.
        expected: Step,
        /// Sequence number that was due.
        expected_sequence: u32,
        /// Step received.
        actual: Step,
        /// Sequence number received.
        actual_sequence: u32,
    },
    /// Peer: a frame where none was due.
    #[error("the peer sent {actual:?} #{sequence} although nothing was due from it")]
    NotDue {
        /// Step received.
        actual: Step,
        /// Sequence number received.
        sequence: u32,
    },
    /// Peer: a payload of the wrong size.
    #[error("a {step:?} frame of the peer holds {actual} bytes instead of {expected}")]
    WrongLength {
        /// Step received.
        step: Step,
        /// Bytes due by the agreed parameters.
        expected: usize,
        /// Bytes received.
        actual: usize,
    },
    /// Peer: a payload of the right size that no honest peer sends.
    #[error("a {step:?} frame of the peer holds values that do not exist")]
    Malformed {
        /// Step received.
        step: Step,
    },
    /// Caller: an endpoint was used after it had failed.
    #[error("this endpoint failed at {step:?} before; start the round anew")]
    Spent {
        /// Step at which it failed.
        step: Step,
    },
    /// Caller: a result was asked for before it was there.
    #[error("the exchange is not finished: {pending:?} is still due")]
    Unfinished {
        /// The next step.
        pending: Step,
    },
    /// Caller: an operand does not have the agreed shape.
    #[error("{what} is {actual} instead of {expected}")]
    Shape {
        /// Which number.
        what: &'static str,
        /// As agreed.
        expected: u64,
        /// As given.
        actual: u64,
    },
    /// Caller: a parameter is out of its range.
    #[error("{what} is {actual}; allowed are {least} to {most}")]
    OutOfRange {
        /// Which parameter.
        what: &'static str,
        /// Least allowed value.
        least: u64,
        /// Largest allowed value.
        most: u64,
        /// As given.
        actual: u64,
    },
    /// Caller: a real parameter must be positive and finite.
    #[error("{what} is {actual}; it must be positive and finite")]
    NotPositive {
        /// Which parameter.
        what: &'static str,
        /// As given.
        actual: f64,
    },
    /// Caller: the ring cannot hold the product (section 2): L·u_max·2^(f_u + guard) ≥ 2^(ℓ−1).
    #[error(
        "products could overflow: L = {row_norm_bound} times u_max = {saturation_bound} with {scale_bits} fractional \
         and {guard_bits} guard bits does not fit a ring of {ring_bits} bits; lower u_max, or take an operator with a \
         smaller row norm"
    )]
    Overflow {
        /// L.
        row_norm_bound: u64,
        /// u_max.
        saturation_bound: f64,
        /// f_u.
        scale_bits: u32,
        /// Low bits kept at zero.
        guard_bits: u32,
        /// ℓ.
        ring_bits: u32,
    },
    /// Caller: the release noise is finer than the ring's unit or could leave the ring.
    #[error(
        "noise of {sigma} does not fit a ring of {ring_bits} bits beside the product; take another sigma"
    )]
    NoiseRoom {
        /// Standard deviation, in units of the real-valued product.
        sigma: f64,
        /// ℓ.
        ring_bits: u32,
    },
    /// Caller: the privacy inequality of section 3.1 does not hold.
    #[error(
        "the noise would show: the job leaves a statistical distance of 2^-{available_bits} where 2^-{required_bits} is \
         required; take fewer rounds or columns, a smaller ring, or drop fewer body bits"
    )]
    NoiseShows {
        /// What the parameters leave.
        available_bits: u32,
        /// 40.
        required_bits: u32,
    },
    /// Caller: rounding could falsify the product (section 3.1, correctness).
    #[error(
        "decryption could be off by more than one unit in the last place; take a smaller ring than {ring_bits} bits"
    )]
    Inexact {
        /// ℓ.
        ring_bits: u32,
    },
    /// Caller: no parameter set fits the job.
    #[error(
        "no parameter set fits {users} users, {columns} columns and {rounds} rounds (closest miss: {closest}); take \
         fewer rounds or columns, a smaller u_max, or the normalised operator"
    )]
    NothingFits {
        /// m.
        users: u32,
        /// k.
        columns: u32,
        /// Openings.
        rounds: u32,
        /// Why the last candidate failed.
        closest: Box<SpmmError>,
    },
    /// Caller (P1): the operator is outside the bound that was announced for it.
    #[error(
        "the social operator's {what} exceeds the announced bound {bound}; propose the job again"
    )]
    AboveBound {
        /// Which bound.
        what: &'static str,
        /// The announced value.
        bound: u64,
    },
    /// Caller: this protocol or policy is not one that the endpoint runs.
    #[error("{what} does not go with {with}")]
    Unsupported {
        /// The setting.
        what: &'static str,
        /// What it was combined with.
        with: &'static str,
    },
    /// Caller: P1's memory limit holds neither one response nor one tile of rows.
    #[error(
        "{actual_bytes} bytes of memory are too few to compute one response; set limits.memory_bytes to at least \
         {least_bytes}"
    )]
    MemoryLimit {
        /// What these parameters need.
        least_bytes: u64,
        /// The limit.
        actual_bytes: u64,
    },
    /// Caller: u_max is less than one unit of the encoding: every factor would become zero.
    #[error(
        "u_max = {saturation_bound} is below one unit of the encoding, 2^-{scale_bits}: every factor would become \
         zero; take a u_max of at least 2^-{scale_bits}, or an operator with a smaller row norm"
    )]
    BelowUnit {
        /// u_max.
        saturation_bound: f64,
        /// f_u.
        scale_bits: u32,
    },
    /// Caller or machine: a stock's storage, or the place for an upload, failed; what was not saved
    /// was not sent.
    #[error("the storage failed: {0}")]
    Storage(#[from] std::io::Error),
    /// Caller: there is no stock in this storage.
    #[error("there is no stock here; make one with a new offline phase")]
    NoStock,
    /// Caller: the storage already holds a stock.
    #[error("the storage already holds a stock; a new one needs a place of its own")]
    StockExists,
    /// Caller: the stock's record is of another version or damaged.
    #[error("the stock's record cannot be read; erase the stock and make a new one")]
    UnreadableStock,
    /// The stock may not be used any more.
    #[error("the stock is void: {reason}; make a new one")]
    Void {
        /// Why.
        reason: VoidReason,
    },
    /// The parties do not mean the same stock, or one has changed since (section 3.3, identity).
    #[error("the two platforms hold different stocks; make a new one")]
    OtherStock,
    /// Caller: all columns are used or burnt.
    #[error("all {rounds} rounds of the stock are used; make a new one")]
    Exhausted {
        /// Rounds that the stock was made for.
        rounds: u32,
    },
    /// Peer: a second, different message under columns that were answered before (section 3.3).
    #[error("the peer masks a second input with the columns of round {round}; refused")]
    ColumnsUsed {
        /// The round.
        round: u32,
    },
    /// Caller (P1): whoever admits inputs does not admit this one; nothing was answered.
    #[error("{0}")]
    Refused(Box<dyn std::error::Error + Send + Sync>),
    /// Numbers of the ring, shapes, seeds.
    #[error(transparent)]
    Algebra(#[from] AlgebraError),
    /// The operator.
    #[error(transparent)]
    Sparse(#[from] SparseError),
    /// The retrieval.
    #[error(transparent)]
    Pir(#[from] PirError),
    /// The encryption scheme.
    #[error(transparent)]
    He(#[from] HeError),
    /// The noised opening.
    #[error(transparent)]
    NoiseFirst(#[from] NoiseFirstError),
}

impl SpmmError {
    /// True when the peer's bytes are at fault, false for our own caller or machine.
    pub fn blames_peer(&self) -> bool {
        matches!(
            self,
            SpmmError::UnknownStep { .. }
                | SpmmError::OutOfOrder { .. }
                | SpmmError::NotDue { .. }
                | SpmmError::WrongLength { .. }
                | SpmmError::Malformed { .. }
                | SpmmError::ColumnsUsed { .. }
                | SpmmError::NoiseFirst(
                    NoiseFirstError::Message { .. } | NoiseFirstError::OtherJob { .. }
                )
        ) || matches!(self, SpmmError::Pir(error) if error.blames_peer())
    }
}
