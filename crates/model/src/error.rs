use s3rec_sparse::{OperatorKind, SparseError};
use thiserror::Error;

/// Why learning or evaluating was refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// A setting lies outside what makes sense.
    #[error("{field} is {actual}, expected {expected}")]
    Setting {
        /// The setting.
        field: &'static str,
        /// Its value.
        actual: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// There is nothing to learn from, or nothing to evaluate on.
    #[error("no {0} ratings")]
    NoRatings(
        /// Which part is empty.
        &'static str,
    ),
    /// The product handed to a step has not the shape of the opened matrix.
    #[error(
        "social product is {actual_rows} x {actual_columns}, expected {expected_rows} x {expected_columns}"
    )]
    ProductShape {
        /// Rows expected: all users of P0.
        expected_rows: usize,
        /// Columns expected: those of the opened matrix.
        expected_columns: usize,
        /// Rows given.
        actual_rows: usize,
        /// Columns given.
        actual_columns: usize,
    },
    /// A step that consumes an opening was given none.
    #[error("this step needs the social product")]
    ProductMissing,
    /// A step that consumes no opening was given one, which would be an opening wasted.
    #[error("this step takes no social product")]
    ProductUnexpected,
    /// Training has diverged: a factor is no longer finite.
    #[error("the factors are no longer finite after {steps} steps; lower the learning rate")]
    Diverged {
        /// Steps taken.
        steps: u32,
    },
    /// A release cannot be made as asked for.
    #[error("no release of friends' sums: {0}")]
    Release(
        /// Why.
        String,
    ),
    /// Factors that were brought along cannot take the place of ours.
    #[error("the factors brought along cannot be used: {0}")]
    OwnFactors(
        /// Why.
        &'static str,
    ),
    /// No training has a term for the operator.
    #[error("no training has a term for the operator {operator}")]
    NoObjective {
        /// Which operator.
        operator: OperatorKind,
    },
    /// A kept state is of another solver or of other ratings.
    #[error("the kept state is of another solver or of other ratings")]
    OtherState,
    /// A sparse matrix was refused.
    #[error(transparent)]
    Sparse(#[from] SparseError),
}
