//! Why a study could not be made.

/// A study of leakage that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LeakageError {
    /// The noised opening refused.
    #[error(transparent)]
    NoiseFirst(#[from] s3rec_spmm::noise_first::NoiseFirstError),
    /// Learning refused.
    #[error(transparent)]
    Model(#[from] s3rec_model::ModelError),
    /// Links or ratings that make no matrix.
    #[error(transparent)]
    Sparse(#[from] s3rec_sparse::SparseError),
    /// Values that make no matrix.
    #[error(transparent)]
    Algebra(#[from] s3rec_algebra::AlgebraError),
    /// Data or options that leave nothing to measure.
    #[error("{0}")]
    Nothing(String),
}
