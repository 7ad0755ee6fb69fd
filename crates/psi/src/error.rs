//! What can go wrong, by culprit: the caller's arguments, or the peer's bytes.

/// What is wrong with a group element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointFault {
    /// The bytes are not the one canonical encoding of an element.
    NotCanonical,
    /// The neutral element, which would give the same tag under every scalar.
    Identity,
}

impl std::fmt::Display for PointFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotCanonical => "is no canonical encoding of a group element",
            Self::Identity => "is the neutral element",
        })
    }
}

/// Errors of the private set intersection. None of P0's depends on its ids or on which are common:
/// of labels that match an id twice the first counts. Honest ones do so once in 2^40 jobs, and P1
/// then finds the claims [`Unproven`](Self::Unproven) or one common id is missed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PsiError {
    /// The system gives no randomness.
    #[error("the system gives no entropy")]
    Entropy,
    /// The caller's ids are not as many as announced.
    #[error("{actual} ids were given, {expected} announced")]
    Count {
        /// Announced.
        expected: u64,
        /// Given.
        actual: u64,
    },
    /// The caller's ids are not distinct.
    #[error("an id was given twice")]
    OwnDuplicate,
    /// The caller takes a result before everything was sent or received.
    #[error("{what}: {actual} of {expected}")]
    Unfinished {
        /// What is missing.
        what: &'static str,
        /// How many there must be.
        expected: u64,
        /// How many there are.
        actual: u64,
    },
    /// The ids do not fit their vector under this session's key: less than once in 2^40 sessions whose
    /// key the peer did not choose.
    #[error("the ids cannot be encoded under this session's key: begin again with a new session")]
    Encoding,
    /// A set larger than the protocol takes (either side).
    #[error("{actual} ids of one platform are more than the {most} that this version takes")]
    TooManyIds {
        /// The limit.
        most: u64,
        /// As announced.
        actual: u64,
    },
    /// A message that holds no whole number of elements, or none, or is too long (peer).
    #[error("{actual} bytes of {what} are not between 1 and {most} elements of {element_bytes}")]
    Torn {
        /// What it holds.
        what: &'static str,
        /// Bytes of one element.
        element_bytes: usize,
        /// Most elements of a message.
        most: usize,
        /// Bytes received.
        actual: usize,
    },
    /// A message that is not as long as it must be (peer).
    #[error("{what} of {actual} bytes came where {expected} were due")]
    Length {
        /// What it holds.
        what: &'static str,
        /// Bytes due.
        expected: usize,
        /// Bytes received.
        actual: usize,
    },
    /// More elements than announced (peer).
    #[error("more {what} than the {expected} announced")]
    Surplus {
        /// Of what.
        what: &'static str,
        /// Announced.
        expected: u64,
    },
    /// A masked id that is no proper group element (peer).
    #[error("masked id {position} {fault}")]
    Point {
        /// Its place in the peer's order.
        position: u64,
        /// What is wrong.
        fault: PointFault,
    },
    /// The same masked id twice (peer).
    #[error("the peer sent a masked id twice")]
    Duplicate,
    /// The columns are not what the protocol sends: the peer could ask about any id (peer).
    #[error("the peer's columns are no words of the code")]
    Inconsistent,
    /// Claims with padding bits, or different numbers of ids on both sides (peer).
    #[error("the claims are malformed: {what}")]
    Claims {
        /// How.
        what: &'static str,
    },
    /// The claims' proof is wrong: the peer cannot have matched these ids (peer).
    #[error("the peer claims common ids that it cannot have matched")]
    Unproven,
}

impl PsiError {
    /// Whether the peer's bytes, rather than the caller or the machine, are to blame.
    #[must_use]
    pub fn blames_peer(&self) -> bool {
        !matches!(
            self,
            Self::Entropy
                | Self::Count { .. }
                | Self::OwnDuplicate
                | Self::Encoding
                | Self::Unfinished { .. }
        )
    }
}
