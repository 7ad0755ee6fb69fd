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
    Train(#[from] s3rec_job::TrainError),
    /// Curves that cannot be drawn.
    #[error("the drawing: {0}")]
    Plot(Box<dyn std::error::Error + Send + Sync>),
    /// The secure product refused.
    #[error(transparent)]
    Product(#[from] s3rec_spmm::SpmmError),
    /// The noised opening refused.
    #[error(transparent)]
    NoiseFirst(#[from] s3rec_spmm::noise_first::NoiseFirstError),
    /// The two parties did not finish.
    #[error(transparent)]
    Pair(#[from] s3rec_spmm::pair::PairError),
    /// The private set intersection refused.
    #[error(transparent)]
    Intersection(#[from] s3rec_psi::PsiError),
    /// The connection between two parties broke.
    #[error("the connection between the two parties: {0}")]
    Connection(std::io::Error),
    /// No randomness.
    #[error(transparent)]
    Algebra(#[from] s3rec_algebra::AlgebraError),
    /// No room for a stock of columns.
    #[error("the scratch directory: {0}; name another with --scratch")]
    Scratch(#[from] std::io::Error),
    /// A record that cannot be written or read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nothing in the directory to report on.
    #[error("{directory} holds no record of a benchmark; make some with `s3rec bench … --out`")]
    NothingToReport {
        /// Which.
        directory: std::path::PathBuf,
    },
    /// The lattice scheme refused.
    #[error(transparent)]
    Scheme(#[from] s3rec_he::HeError),
    /// A name on the command line that is no protocol.
    #[error("no protocol is called {name:?}; there are {known}")]
    UnknownProtocol {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}
