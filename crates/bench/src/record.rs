//! One record of bytes, messages, seconds and memory for each protocol.

use serde::{Deserialize, Serialize};

/// Everything one run measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductsReport {
    /// What was multiplied.
    pub workload: WorkloadSize,
    /// Where it was measured.
    pub machine: Machine,
    /// One for each protocol.
    pub records: Vec<ProductRecord>,
}

/// Sizes of the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSize {
    /// m.
    pub users: u64,
    /// k.
    pub rank: u64,
    /// Openings.
    pub rounds: u64,
    /// Links among the m users.
    pub links: u64,
}

/// The machine and the commit, so that figures can be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Model name as the kernel gives it.
    pub processor: String,
    /// Threads that computations used.
    pub threads: u64,
    /// Of this software.
    pub version: String,
}

/// One protocol's cost on the workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductRecord {
    /// `he`, `preprocessed`, `pir`, `plaintext` or `ssmm`.
    pub protocol: String,
    /// Operator that was multiplied by.
    pub operator: String,
    /// Before the first round.
    pub offline: PhaseRecord,
    /// All rounds.
    pub online: PhaseRecord,
    /// Rounds that were really run; `online` is scaled from them to the workload's rounds.
    pub measured_rounds: u64,
    /// True where `online` was computed from message shapes because running does not fit.
    pub computed: bool,
    /// Largest difference from the clear product over the ring, in units of its last place;
    /// null where nothing was opened.
    pub error_ulp: Option<u64>,
    /// Largest resident set of the process while it ran: both parties together.
    pub peak_rss_bytes: u64,
    /// The protocol's own parameters; null for the baselines.
    pub parameters: serde_json::Value,
}

/// One phase's cost, in the form of `report.json` and with seconds by party.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseRecord {
    /// Computing seconds of both parties together (the channel takes none).
    pub seconds: f64,
    /// Payload bytes P0 sent.
    pub bytes_to_social: u64,
    /// Payload bytes P1 sent.
    pub bytes_to_rating: u64,
    /// Frames both ways.
    pub messages: u64,
    /// P0's computing seconds.
    pub rating_seconds: f64,
    /// P1's computing seconds.
    pub social_seconds: f64,
}

impl PhaseRecord {
    /// Bytes both ways together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes_to_social + self.bytes_to_rating
    }

    /// This cost and another one after it.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            seconds: self.seconds + next.seconds,
            bytes_to_social: self.bytes_to_social + next.bytes_to_social,
            bytes_to_rating: self.bytes_to_rating + next.bytes_to_rating,
            messages: self.messages + next.messages,
            rating_seconds: self.rating_seconds + next.rating_seconds,
            social_seconds: self.social_seconds + next.social_seconds,
        }
    }

    /// The cost of `rounds` rounds when `measured` of them cost this much and all cost alike.
    #[must_use]
    pub fn scaled(self, rounds: u64, measured: u64) -> Self {
        let measured = measured.max(1);
        let factor = rounds as f64 / measured as f64;
        let whole = |value: u64| value / measured * rounds + value % measured * rounds / measured;
        Self {
            seconds: self.seconds * factor,
            bytes_to_social: whole(self.bytes_to_social),
            bytes_to_rating: whole(self.bytes_to_rating),
            messages: whole(self.messages),
            rating_seconds: self.rating_seconds * factor,
            social_seconds: self.social_seconds * factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaling_keeps_whole_bytes() {
        let measured = PhaseRecord {
            seconds: 3.0,
            bytes_to_social: 10,
            bytes_to_rating: 7,
            messages: 4,
            rating_seconds: 1.0,
            social_seconds: 2.0,
        };
        let scaled = measured.scaled(819, 2);
        assert_eq!(scaled.bytes_to_social, 4095);
        assert_eq!(scaled.bytes_to_rating, 2866);
        assert_eq!(scaled.messages, 1638);
        assert!((scaled.seconds - 1228.5).abs() < 1e-9);
    }
}
