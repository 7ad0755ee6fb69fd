//! What a message can lack or overstep.

/// A message that is not what the conversation allows. Every variant names the field.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WireError {
    /// A field that must be set is not.
    #[error("field {field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A number that the enumeration does not have.
    #[error("field {field} has the unknown value {actual}; do both sides run the same version?")]
    UnknownEnum {
        /// The field.
        field: &'static str,
        /// The number received.
        actual: i32,
    },
    /// A number outside its range.
    #[error("field {field} is {actual}; allowed are {least} to {most}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// Least allowed value.
        least: u64,
        /// Largest allowed value.
        most: u64,
        /// As received.
        actual: u64,
    },
    /// A real number that is not finite or outside its range.
    #[error("field {field} is {actual}; allowed is {allowed}")]
    Real {
        /// The field.
        field: &'static str,
        /// The range in words.
        allowed: &'static str,
        /// As received.
        actual: f64,
    },
    /// Bytes or text of the wrong length.
    #[error("field {field} holds {actual} bytes instead of {expected}")]
    Length {
        /// The field.
        field: &'static str,
        /// Bytes expected.
        expected: u64,
        /// Bytes received.
        actual: u64,
    },
    /// Text longer than allowed.
    #[error("field {field} is longer than {most} bytes")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Largest length in bytes.
        most: usize,
    },
    /// Text that is not of the form expected.
    #[error("field {field} is not {expected}")]
    Form {
        /// The field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A value that must agree with another does not.
    #[error("field {field} contradicts what was agreed before")]
    Contradiction {
        /// The field.
        field: &'static str,
    },
    /// Stored bytes that are not the message they should be.
    #[error("a stored {message} does not decode")]
    Record {
        /// Name of the message.
        message: &'static str,
    },
}
