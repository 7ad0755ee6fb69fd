//! One record of bytes, messages, seconds and memory for each protocol.

use serde::{Deserialize, Serialize};

use crate::memory;
use crate::spread::Quantiles;
use crate::tfhe_reference::TfheReference;

/// Everything one run measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductsReport {
    /// What was multiplied.
    pub workload: WorkloadSize,
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

/// One protocol's cost on the workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProductRecord {
    /// `he`, `preprocessed`, `pir`, `noise-first`, `plaintext` or `ssmm`.
    pub protocol: String,
    /// Operator that was multiplied by.
    pub operator: String,
    /// Before the first round.
    pub offline: PhaseRecord,
    /// All rounds.
    pub online: PhaseRecord,
    /// Of `online`: seconds that both parties waited until what a crash must not lose was on
    /// disk; the rest is computing. Zero where nothing is kept.
    #[serde(default)]
    pub online_disk_seconds: f64,
    /// Rounds that were really run; `online` is scaled from them to the workload's rounds.
    pub measured_rounds: u64,
    /// True where `online` was computed from message shapes because running does not fit.
    pub computed: bool,
    /// Largest difference from the clear product over the ring, in units of its last place;
    /// null where nothing was opened.
    pub error_ulp: Option<u64>,
    /// The same of one opening without guard bits, where values are rounded once more; null for
    /// the baselines, which have none.
    #[serde(default)]
    pub error_ulp_unguarded: Option<u64>,
    /// Largest resident set of the process while it ran: both parties together.
    pub peak_rss_bytes: u64,
    /// The protocol's own parameters; null for the baselines.
    pub parameters: serde_json::Value,
    /// Seconds over the repeats; `offline` and `online` hold the medians.
    #[serde(default)]
    pub spread: SecondsSpread,
    /// The offline phase's ciphertexts through tfhe's own functions; `preprocessed` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tfhe: Option<TfheReference>,
    /// What noise was added and measured; `noise-first` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseRecord>,
    /// Processor seconds of the opening by party; `noise-first` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_seconds: Option<CoreSeconds>,
}

/// The noise of an opening, in units of what was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoiseRecord {
    /// What the opening spends.
    pub mu: f64,
    /// σ, in units of a row of norm 1.
    pub sigma: f64,
    /// Standard deviation of the opened sums from the clear ones, in units of σ.
    pub measured_ratio: f64,
    /// Values that it is over, of as many openings as it takes.
    #[serde(default)]
    pub measured_values: u64,
    /// The same of an opening without noise: rounding and key switching.
    pub residual_ratio: f64,
}

/// Processor seconds, all threads of a party together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoreSeconds {
    /// P0's: encoding, encryption, decryption.
    pub rating: f64,
    /// P1's: preparing and answering.
    pub social: f64,
}

/// How far repeats of the same protocol lie apart, both parties' seconds together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SecondsSpread {
    /// Of the offline phase.
    pub offline: Quantiles,
    /// Of all rounds.
    pub online: Quantiles,
}

impl ProductRecord {
    /// Of so many rounds, whose cost `online` is already scaled to all of them; everything that one
    /// protocol alone has is left out.
    #[must_use]
    pub fn new(
        protocol: &str,
        operator: &str,
        measured_rounds: u32,
        (offline, online): (PhaseRecord, PhaseRecord),
    ) -> Self {
        Self {
            protocol: protocol.to_owned(),
            operator: operator.to_owned(),
            offline,
            online,
            online_disk_seconds: 0.0,
            measured_rounds: measured_rounds.into(),
            computed: false,
            error_ulp: None,
            error_ulp_unguarded: None,
            peak_rss_bytes: memory::peak_bytes(),
            parameters: serde_json::Value::Null,
            spread: SecondsSpread::default(),
            tfhe: None,
            noise: None,
            core_seconds: None,
        }
    }

    /// One record of several runs: median seconds, the largest error and memory.
    #[must_use]
    pub fn merged(runs: Vec<Self>) -> Option<Self> {
        let spread = SecondsSpread {
            offline: Quantiles::of(runs.iter().map(|run| run.offline.seconds)),
            online: Quantiles::of(runs.iter().map(|run| run.online.seconds)),
        };
        let offline = PhaseRecord::median(runs.iter().map(|run| run.offline));
        let online = PhaseRecord::median(runs.iter().map(|run| run.online));
        let error_ulp = runs.iter().filter_map(|run| run.error_ulp).max();
        let without_guard = runs.iter().filter_map(|run| run.error_ulp_unguarded);
        let error_ulp_unguarded = without_guard.max();
        let peak_rss_bytes = runs.iter().map(|run| run.peak_rss_bytes).max();
        let first = runs.into_iter().next()?;
        Some(Self {
            offline: offline.unwrap_or(first.offline),
            online: online.unwrap_or(first.online),
            error_ulp,
            error_ulp_unguarded,
            peak_rss_bytes: peak_rss_bytes.unwrap_or(first.peak_rss_bytes),
            spread,
            ..first
        })
    }
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
    /// Processor seconds of all threads, the kernel's for us included, in ticks of 10 ms: what a
    /// machine that others use does not change. 0 where it was not measured.
    #[serde(default)]
    pub core_seconds: f64,
}

impl PhaseRecord {
    /// Bytes both ways together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes_to_social + self.bytes_to_rating
    }

    /// The first's bytes and messages, and the median seconds of all.
    pub fn median(runs: impl Iterator<Item = Self> + Clone) -> Option<Self> {
        let first = runs.clone().next()?;
        let over =
            |seconds: fn(&Self) -> f64| Quantiles::of(runs.clone().map(|run| seconds(&run))).median;
        Some(Self {
            seconds: over(|run| run.seconds),
            rating_seconds: over(|run| run.rating_seconds),
            social_seconds: over(|run| run.social_seconds),
            core_seconds: over(|run| run.core_seconds),
            ..first
        })
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
            core_seconds: self.core_seconds + next.core_seconds,
        }
    }

    /// The cost of `rounds` rounds when `measured` of them cost this much and all cost alike.
    #[must_use]
    pub fn scaled(self, rounds: u64, measured: u64) -> Self {
        let measured = measured.max(1);
        let factor = rounds as f64 / measured as f64;
        let scaled = |value: u64| value / measured * rounds + value % measured * rounds / measured;
        Self {
            seconds: self.seconds * factor,
            bytes_to_social: scaled(self.bytes_to_social),
            bytes_to_rating: scaled(self.bytes_to_rating),
            messages: scaled(self.messages),
            rating_seconds: self.rating_seconds * factor,
            social_seconds: self.social_seconds * factor,
            core_seconds: self.core_seconds * factor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_merge_into_their_median() {
        let run = |seconds: f64, error| {
            let online = PhaseRecord {
                seconds,
                bytes_to_social: 7,
                ..PhaseRecord::default()
            };
            ProductRecord {
                error_ulp: error,
                error_ulp_unguarded: error.map(|error| 1 - error),
                ..ProductRecord::new("he", "laplacian", 1, (PhaseRecord::default(), online))
            }
        };
        let runs = vec![run(5.0, Some(0)), run(1.0, Some(1)), run(2.0, None)];
        let merged = ProductRecord::merged(runs).unwrap();
        assert_eq!(merged.online.seconds, 2.0);
        assert_eq!(
            (merged.spread.online.most, merged.error_ulp),
            (5.0, Some(1))
        );
        assert_eq!(merged.error_ulp_unguarded, Some(1));
        assert_eq!(merged.online.bytes_to_social, 7);
        assert!(ProductRecord::merged(Vec::new()).is_none());
    }

    #[test]
    fn scaling_keeps_whole_bytes() {
        let measured = PhaseRecord {
            seconds: 3.0,
            bytes_to_social: 10,
            bytes_to_rating: 7,
            messages: 4,
            rating_seconds: 1.0,
            social_seconds: 2.0,
            core_seconds: 3.0,
        };
        let scaled = measured.scaled(819, 2);
        assert_eq!(scaled.bytes_to_social, 4095);
        assert_eq!(scaled.bytes_to_rating, 2866);
        assert_eq!(scaled.messages, 1638);
        assert!((scaled.seconds - 1228.5).abs() < 1e-9);
    }
}
