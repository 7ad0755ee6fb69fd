//! What can go wrong, by culprit.

use s3rec_algebra::AlgebraError;
use s3rec_lattice::LatticeError;

/// Everything `noise-first` reports.
#[derive(Debug, thiserror::Error)]
pub enum NoiseFirstError {
    /// Peer or caller: a message of another length, or with bits that no honest sender sets.
    #[error("{message} does not have the agreed form: {source}")]
    Message {
        /// Which message.
        message: &'static str,
        /// What is wrong with it.
        source: LatticeError,
    },
    /// Peer or caller: parameters that break a condition of the guarantee.
    #[error("parameters refused: {what} is {actual}, the condition is {condition}")]
    Refused {
        /// Which number.
        what: &'static str,
        /// Its value.
        actual: f64,
        /// What it must be.
        condition: String,
    },
    /// Peer or caller: a message of another opening, session, set of users or parameters. It is
    /// not worked with: masks that do not cancel would show links.
    #[error("{message} belongs to another job than ours")]
    OtherJob {
        /// Which message.
        message: &'static str,
    },
    /// Caller: nothing fits the terms.
    #[error("no parameters fit: {why}")]
    NoFit {
        /// Which condition fails, and what would help.
        why: String,
    },
    /// Caller: who is opened and whose rows are added up is not what the terms are for.
    #[error("the opened and the uploaded users are not those of the agreed release")]
    Sides,
    /// Caller: a link with somebody who is no common user; it does not say who.
    #[error("a link names no common user")]
    Link,
    /// Caller: a list with users that do not exist or stand twice.
    #[error("{what}: user {user}")]
    User {
        /// What is wrong.
        what: &'static str,
        /// Index among the common users.
        user: u32,
    },
    /// Caller: rows of another shape.
    #[error("{what} is {actual} instead of {expected}")]
    Shape {
        /// Which number.
        what: &'static str,
        /// As agreed.
        expected: usize,
        /// As given.
        actual: usize,
    },
    /// Caller: packs of an opening that were handed out to be made, or came back, in another form
    /// than is due; it says nothing of what is in them.
    #[error("packs that were handed out to workers: {what}")]
    Task {
        /// What is wrong.
        what: &'static str,
    },
    /// Caller: rows that were encoded under other parameters than the keys'.
    #[error("the rows were encoded under other parameters than those of the keys")]
    OtherRows,
    /// Caller: a row that is no row of numbers.
    #[error("row {row} of the upload holds a value that is not finite")]
    NotFinite {
        /// Index of the row among the uploaded ones.
        row: usize,
    },
    /// Our bug: a row whose effective norm is above the bound. Nothing of the upload may leave.
    #[error("row {row} of the upload would exceed the norm bound after encryption")]
    EffectiveNorm {
        /// Index of the row among the uploaded ones.
        row: usize,
    },
    /// The operating system, or a width that does not exist.
    #[error(transparent)]
    Algebra(#[from] AlgebraError),
}

/// Names the message that a decoding error is about.
pub(crate) fn in_message(message: &'static str) -> impl Fn(LatticeError) -> NoiseFirstError {
    move |source| NoiseFirstError::Message { message, source }
}
