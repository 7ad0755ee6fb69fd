//! The schema of `report.json`. Fields are added, never renamed or removed: a reader of an
//! older report must keep working. The example beside this file is part of the contract.

use crate::Parity;
use crate::number_format::{bytes, count, duration};
use s3rec_model::Accuracy;
use s3rec_spmm::noise_first::guarantee::Guarantee;
use serde::{Deserialize, Serialize};

/// One joint training, with what it was worth and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// What was learnt from.
    pub dataset: DatasetSize,
    /// What became of the rows of the ratings file; null in reports older than the field.
    #[serde(default)]
    pub data: Option<DataUse>,
    /// What a reader should know before using the figures, one sentence each.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// `he`, `preprocessed`, `plaintext`, …
    pub protocol: String,
    /// `gd`, `adam` or `als`.
    pub solver: String,
    /// Rounds of the product, as proposed.
    pub rounds: u64,
    /// What the cryptography ran with.
    pub parameters: CryptoParameters,
    /// Errors on the same held-out ratings.
    pub quality: Quality,
    /// Largest |difference| of any factor or bias, secure against the float64 oracle; null
    /// where no oracle may run.
    pub max_abs_factor_diff: Option<f64>,
    /// The secure run against the oracle, in factors and errors; null where no oracle may run.
    #[serde(default)]
    pub parity: Option<Parity>,
    /// The most by which fixed point moves an entry of an opened product while nothing is
    /// clipped ([`crate::product_error_bound`]); null in reports older than the field.
    #[serde(default)]
    pub product_error_bound: Option<f64>,
    /// Counted at the channel.
    pub cost: Cost,
    /// Openings made.
    pub openings: u64,
    /// Rows × columns opened, over all openings.
    pub opened_values: u64,
    /// Values clipped on encoding. P0's own figure, never sent.
    pub saturations: u64,
    /// Largest resident set of each daemon.
    pub peak_rss_bytes: PeakMemory,
}

/// One opening of friends' sums, with what it promises, what it is worth and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FriendsRunReport {
    /// What was learnt from.
    pub dataset: DatasetSize,
    /// What became of the rows of the ratings file.
    pub data: Option<DataUse>,
    /// `noise-first`.
    pub protocol: String,
    /// `friends`.
    pub operator: String,
    /// Whether every link is in the release.
    pub two_sided: bool,
    /// |O|.
    pub opened: u64,
    /// |W|.
    pub uploaded: u64,
    /// C.
    pub columns: u64,
    /// Towards one pair of users.
    pub guarantee: Guarantee,
    /// Users with ratings who were opened to learn from.
    pub calibration: u64,
    /// Mean gain in NDCG@10 over popularity of calibration users, treated as if without ratings.
    pub gain: f64,
    /// Its paired standard error.
    pub standard_error: f64,
    /// Whether the friends' estimate is used.
    pub is_used: bool,
    /// What it was worth to whom, by nested cross-validation.
    pub verdict: VerdictReport,
    /// Counted at the channel.
    pub cost: Cost,
    /// Rows × columns.
    pub opened_values: u64,
    /// Largest resident set of each daemon.
    pub peak_rss_bytes: PeakMemory,
}

/// What an opening of friends' sums was worth, from P0's own held-out ratings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictReport {
    /// `lists` or `ratings`: what the headline is about.
    pub task: String,
    /// For whom.
    pub group: String,
    /// NDCG at the cutoff, or RMSE, without friends; null where nothing can be told.
    pub without: Option<f64>,
    /// The same with the friends' estimate.
    pub with: Option<f64>,
    /// Lower end of the 95 % interval of the gain, which is above 0 where friends help.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Whether the whole interval lies above 0.
    pub worth_it: bool,
    /// The same in words.
    pub sentence: String,
    /// What a reader should know, one sentence each.
    pub warnings: Vec<String>,
    /// Task by task.
    pub groups: Vec<VerdictGroup>,
}

/// One group of users under one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictGroup {
    /// `lists` or `ratings`.
    pub task: String,
    /// `cold`, `k1` … `k4` or `warm`.
    pub group: String,
    /// Users judged.
    pub users: u32,
    /// Share of them who were served by the estimate.
    pub used: f64,
    /// NDCG at the cutoff, or RMSE, without friends.
    pub without: f64,
    /// The same with them.
    pub with: f64,
    /// Lower end of the 95 % interval of the gain.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Sizes of what was learnt from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSize {
    /// P0's users.
    pub users: u64,
    /// P0's items.
    pub items: u64,
    /// Distinct ratings, held-out ones included.
    pub ratings: u64,
    /// P1's distinct links; null where only P0 reports.
    pub links: Option<u64>,
    /// m, users both platforms have.
    pub common_users: u64,
}

/// What became of the rows of a ratings file.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct DataUse {
    /// Rows of data read.
    pub rows: u64,
    /// Distinct ratings that are learnt from or judged by.
    pub used: u64,
    /// Rows that repeated a pair and were merged.
    pub merged: u64,
    /// Rows left out, because their rating lies outside the scale.
    pub dropped: u64,
    /// dropped / rows.
    pub dropped_share: f64,
}

impl DataUse {
    /// The account of so many rows.
    pub fn of(rows: u64, used: u64, merged: u64, dropped: u64) -> Self {
        Self {
            rows,
            used,
            merged,
            dropped,
            dropped_share: dropped as f64 / rows.max(1) as f64,
        }
    }
}

/// Ring, lattice and statistical parameters; null where a protocol has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CryptoParameters {
    /// ℓ.
    pub ring_bits: u32,
    /// κ.
    pub glwe_dimension: Option<u32>,
    /// N.
    pub polynomial_size: Option<u32>,
    /// b of TUniform(b).
    pub noise_bits: Option<u32>,
    /// Lowest known attack, log₂ of its cost.
    pub security_bits: Option<u32>,
    /// log₂ of the statistical distance's inverse, for the whole stock.
    pub statistical_bits: Option<u32>,
}

/// Errors of the model and of what it must beat; null where it was not computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// μ for everything.
    pub global_mean: Accuracy,
    /// μ + b_i + c_j.
    pub biases: Accuracy,
    /// The same solver without the social term.
    pub no_social: Accuracy,
    /// The oracle over links rewired at random, everybody's number of them kept: what of a gain is
    /// not social; null in reports older than the field and where no oracle may run.
    #[serde(default)]
    pub placebo: Option<Accuracy>,
    /// The float64 oracle over the clear product.
    pub plaintext: Option<Accuracy>,
    /// The secure run.
    pub secure: Option<Accuracy>,
}

/// What crossed the link, before and during training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Key set-up and everything before the first round.
    pub offline: PhaseCost,
    /// The rounds.
    pub online: PhaseCost,
}

/// One phase's cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PhaseCost {
    /// Wall time.
    pub seconds: f64,
    /// Payload bytes from P0 to P1.
    pub bytes_to_social: u64,
    /// Payload bytes from P1 to P0.
    pub bytes_to_rating: u64,
    /// Messages, both ways.
    pub messages: u64,
}

impl PhaseCost {
    /// As people read it: its name, time, bytes to P1 and to P0, messages.
    #[must_use]
    pub fn row(&self, name: &str) -> [String; 5] {
        [
            name.to_owned(),
            duration(self.seconds),
            bytes(self.bytes_to_social),
            bytes(self.bytes_to_rating),
            count(self.messages),
        ]
    }
}

/// Largest resident set of each daemon, in bytes; null where it is another's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeakMemory {
    /// P0's daemon.
    pub rating: Option<u64>,
    /// P1's daemon.
    pub social: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("report/example.json");

    #[test]
    fn the_example_is_what_is_written() {
        let report: RunReport = serde_json::from_str(EXAMPLE).unwrap();
        let given: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
        assert_eq!(serde_json::to_value(&report).unwrap(), given);
    }

    #[test]
    fn later_fields_do_not_break_a_reader() {
        let mut extended: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
        extended["later"] = serde_json::json!({"field": 1});
        extended["quality"]["ndcg"] = serde_json::json!(0.5);
        let report: RunReport = serde_json::from_value(extended).unwrap();
        assert_eq!(report, serde_json::from_str(EXAMPLE).unwrap());
    }

    #[test]
    fn a_missing_field_is_noticed() {
        for field in [
            "dataset",
            "protocol",
            "quality",
            "cost",
            "openings",
            "peak_rss_bytes",
        ] {
            let mut cut: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
            cut.as_object_mut().unwrap().remove(field);
            assert!(serde_json::from_value::<RunReport>(cut).is_err(), "{field}");
        }
    }
}
