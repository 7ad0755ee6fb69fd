use s3rec_model::ModelError;
use s3rec_sparse::SparseError;
use thiserror::Error;

/// Why a joint training stopped.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum TrainError {
    /// The common users are not P0's users, or one occurs twice.
    #[error("common user {position} is P0's user {user}, which is unknown or occurs twice")]
    CommonUser {
        /// Place in the agreed order.
        position: usize,
        /// P0's index.
        user: u32,
    },
    /// The product has not the shape of the opening.
    #[error(
        "product is {actual_rows} x {actual_columns}, expected {expected_rows} x {expected_columns}"
    )]
    ProductShape {
        /// m.
        expected_rows: usize,
        /// Opened columns.
        expected_columns: usize,
        /// Rows given.
        actual_rows: usize,
        /// Columns given.
        actual_columns: usize,
    },
    /// The product is over another ring than the opening.
    #[error("product over {actual} bits, expected {expected}")]
    ProductRing {
        /// ℓ of the opening.
        expected: u32,
        /// ℓ of the product.
        actual: u32,
    },
    /// A product was handed over when none was awaited.
    #[error("no opening is under way")]
    NoOpening,
    /// The next step was asked for while an opening is under way.
    #[error("an opening is under way; hand over its product first")]
    OpeningPending,
    /// The solver refused.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The clear product was refused.
    #[error(transparent)]
    Sparse(#[from] SparseError),
}
