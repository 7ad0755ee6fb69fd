//! How a benchmark fails.

/// A measurement that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A data file that cannot be read.
    #[error(transparent)]
    Data(#[from] s3rec_data::DataError),
    /// Links that do not fit the users.
    #[error(transparent)]
    Sparse(#[from] s3rec_sparse::SparseError),
    /// Learning refused.
    #[error(transparent)]
    Model(#[from] s3rec_model::ModelError),
    /// A joint training stopped.
    #[error(transparent)]
    Train(#[from] s3rec_train::TrainError),
    /// Curves that cannot be drawn.
    #[error("the drawing: {0}")]
    Plot(Box<dyn std::error::Error + Send + Sync>),
    /// The secure product refused.
    #[error(transparent)]
    Product(#[from] s3rec_spmm::SpmmError),
    /// The two parties did not finish.
    #[error(transparent)]
    Pair(#[from] s3rec_spmm::pair::PairError),
    /// No randomness.
    #[error(transparent)]
    Algebra(#[from] s3rec_algebra::AlgebraError),
    /// No room for a stock of columns.
    #[error("the scratch directory: {0}; name another with --scratch")]
    Scratch(#[from] std::io::Error),
    /// A name on the command line that is no protocol.
    #[error("no protocol is called {name:?}; there are {known}")]
    UnknownProtocol {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}
