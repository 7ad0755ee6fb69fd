//! What can be wrong with bytes of a log, with a key or with a signature.

/// Failures of decoding and of checking.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The file is no audit log of this version.
    #[error("this is no audit log: its first bytes are not {expected:?}")]
    Magic {
        /// What a log begins with.
        expected: &'static str,
    },
    /// The file ends inside an entry.
    #[error("the file ends {missing} bytes before the entry does")]
    Torn {
        /// Bytes that are missing at least.
        missing: u64,
    },
    /// An entry that is longer than any that is ever written.
    #[error("the entry claims {actual} bytes; the longest has {most}")]
    TooLong {
        /// The limit.
        most: usize,
        /// What it claims.
        actual: usize,
    },
    /// Bytes that do not decode, or not in the one form in which they are written.
    #[error("the entry does not decode: {what}")]
    Form {
        /// Which part.
        what: &'static str,
    },
    /// The hash behind an entry is not the one of its body.
    #[error("the entry's bytes do not have the hash that stands behind them")]
    Hash,
    /// The entry names another one before it than stands there.
    #[error("the entry does not follow the one before it")]
    Chain,
    /// The entry has the wrong number.
    #[error("the entry has the number {actual} in place of {expected}")]
    Sequence {
        /// Its place.
        expected: u64,
        /// What it says.
        actual: u64,
    },
    /// A field that the kind of entry needs.
    #[error("the entry's field {field} is missing or has another type")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// A signature that its key did not make over these bytes.
    #[error("the signature of {signer} over {what} is not valid")]
    Signature {
        /// Whose it should be.
        signer: &'static str,
        /// Over what.
        what: &'static str,
    },
    /// A signed head that this log does not have.
    #[error("entry {sequence} of {whose} log was signed with another hash than it has")]
    Head {
        /// Whose log.
        whose: &'static str,
        /// Which entry.
        sequence: u64,
    },
    /// The log ends before an entry that the other platform has seen.
    #[error("{whose} log ends after {entries} entries, but entry {sequence} was signed once")]
    Truncated {
        /// Whose log.
        whose: &'static str,
        /// How many it has.
        entries: u64,
        /// Which it had.
        sequence: u64,
    },
    /// Bytes that are no key.
    #[error("{what} is no ed25519 key in PEM (PKCS#8)")]
    Key {
        /// Which.
        what: &'static str,
    },
    /// The system gives no entropy.
    #[error("the system gives no entropy for a signing key")]
    Entropy,
}
