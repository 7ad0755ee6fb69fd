//! What can go wrong, by culprit: the caller's arguments, or the peer's bytes.

/// Errors of the private retrieval.
///
/// None of them depends on which rows were asked for, except [`PirError::TooManyRows`],
/// [`PirError::RowOutOfRange`] and [`PirError::NoPlacement`], which the client meets before
/// it sends anything: they stay on its own machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PirError {
    /// A parameter is outside the supported range (caller).
    #[error("{name} must lie in {minimum}..={maximum}, not {actual}")]
    ParameterOutOfRange {
        /// Which parameter.
        name: &'static str,
        /// Smallest value allowed.
        minimum: u64,
        /// Largest value allowed.
        maximum: u64,
        /// The value given.
        actual: u64,
    },
    /// The answers could not be decrypted reliably at these sizes (caller).
    #[error(
        "10 σ of the response noise is 2^{noise_bits:.1}, above the 2^{allowed_bits} left for it"
    )]
    NoiseTooLarge {
        /// log₂ of ten standard deviations of the noise.
        noise_bits: f64,
        /// log₂ of half a plaintext step.
        allowed_bits: u32,
    },
    /// More rows are needed than the declared bound (caller; never shown to the peer).
    #[error("{actual} rows are needed, above the declared bound of {bound}")]
    TooManyRows {
        /// The declared bound d_max.
        bound: u32,
        /// Rows asked for.
        actual: usize,
    },
    /// A needed row is not in the table (caller; never shown to the peer).
    #[error("row {row} is outside the table of {rows} rows")]
    RowOutOfRange {
        /// The row asked for.
        row: u32,
        /// Rows of the table.
        rows: u32,
    },
    /// No hash seed was found that places the needed rows (never shown to the peer).
    #[error("no hash seed of {attempts} places the needed rows")]
    NoPlacement {
        /// Seeds tried.
        attempts: u32,
    },
    /// The table's shape differs from the parameters (caller).
    #[error(
        "the table is {actual_rows} rows of {actual_bytes} bytes, expected {rows} of {row_bytes}"
    )]
    TableShape {
        /// Rows expected.
        rows: u32,
        /// Bytes of a row expected.
        row_bytes: u32,
        /// Rows given.
        actual_rows: u64,
        /// Bytes of a row given.
        actual_bytes: u64,
    },
    /// A table kept outside memory could not be read (caller).
    #[error("row {row} of the table could not be read")]
    TableRead {
        /// The row.
        row: u32,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A message or frame has the wrong length (peer).
    #[error("{part} has {actual} bytes, expected {expected}")]
    Length {
        /// Which part.
        part: &'static str,
        /// Bytes expected.
        expected: u64,
        /// Bytes received.
        actual: u64,
    },
    /// More frames arrived than the message has (peer).
    #[error("{part} is complete, yet {actual} more bytes arrived")]
    Trailing {
        /// Which part.
        part: &'static str,
        /// Bytes received.
        actual: u64,
    },
    /// The peer's hash seed makes a bucket too large for the noise condition (peer).
    #[error("the largest bucket has {actual} rows, above the {maximum} allowed")]
    BucketTooLarge {
        /// Rows allowed in a bucket.
        maximum: u32,
        /// Rows of the largest bucket.
        actual: u32,
    },
    /// Packed values end in bits that must be zero and are not (peer).
    #[error("{part} is not canonical: a padding bit is set")]
    Padding {
        /// Which part.
        part: &'static str,
    },
    /// Rows were asked for before all answers arrived (caller).
    #[error("{received} of {expected} bytes of the answers have arrived")]
    Incomplete {
        /// Bytes expected.
        expected: u64,
        /// Bytes received.
        received: u64,
    },
}

impl PirError {
    /// True when the peer's bytes are at fault, false for our own caller or machine.
    #[must_use]
    pub fn blames_peer(&self) -> bool {
        matches!(
            self,
            PirError::Length { .. }
                | PirError::Trailing { .. }
                | PirError::BucketTooLarge { .. }
                | PirError::Padding { .. }
        )
    }
}
