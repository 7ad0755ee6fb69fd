use thiserror::Error;

/// Why a sparse matrix was refused. Every case is a mistake of the caller.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SparseError {
    /// A link names a user outside `0..users`.
    #[error("link {truster} -> {trustee} names a user outside 0..{users}")]
    LinkOutOfRange {
        /// First end of the link.
        truster: u32,
        /// Second end of the link.
        trustee: u32,
        /// Number of users.
        users: usize,
    },
    /// A rating names a user or an item outside the matrix.
    #[error("rating of item {item} by user {user} lies outside {users} users x {items} items")]
    RatingOutOfRange {
        /// User index.
        user: u32,
        /// Item index.
        item: u32,
        /// Number of users.
        users: usize,
        /// Number of items.
        items: usize,
    },
    /// A rating is not a finite number.
    #[error("rating of item {item} by user {user} is not a finite number")]
    RatingNotFinite {
        /// User index.
        user: u32,
        /// Item index.
        item: u32,
    },
    /// A (user, item) pair occurs twice; merge duplicates before building the matrix.
    #[error("user {user} rates item {item} more than once; merge duplicates first")]
    DuplicateRating {
        /// User index.
        user: u32,
        /// Item index.
        item: u32,
    },
    /// More users or items than 32-bit indices can name.
    #[error("{count} rows do not fit 32-bit indices")]
    TooMany {
        /// The number asked for.
        count: usize,
    },
    /// The dense factor has another number of rows than the operator has users.
    #[error("operator over {expected} users applied to a matrix of {actual} rows")]
    ShapeMismatch {
        /// Users of the operator.
        expected: usize,
        /// Rows of the dense matrix.
        actual: usize,
    },
}
