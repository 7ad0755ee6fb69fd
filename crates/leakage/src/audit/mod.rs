//! An audit from below: canary links are put in and taken out over many runs of the product
//! `noise-first` itself, and how well an attacker tells the two apart bounds μ from below.
//!
//! Each opened user has one canary: a link to an uploaded user of theirs, in or out by a coin in
//! each run. On the first half of the runs the attacker learns the covariance of the whole output
//! and the canary's effect on it, and a threshold; on the other half false alarms and canaries
//! found are counted. With chance 95 % over all rows the bounds of Clopper and Pearson (Biometrika
//! 1934) hold for both rates, and μ ≥ Φ⁻¹(found) − Φ⁻¹(false alarms) (Nasr, Hayes, Steinke et al.,
//! "Tight auditing of differentially private machine learning", USENIX Security 2023, for the
//! Gaussian trade-off).
//!
//! A statistic of the canary's own row alone would miss noise that is absent elsewhere, or the
//! same in two places: hence whitening by the covariance of the whole output.

mod interval;
mod outputs;
mod statistic;

use serde::{Deserialize, Serialize};

use crate::LeakageError;
use s3rec_spmm::noise_first::guarantee::Mu;

pub use outputs::{Fault, Outputs};

/// Chance that some row's bound exceeds what is true.
pub const LEVEL: f64 = 0.05;

/// How the product is audited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AuditOptions {
    /// What the releases state.
    pub mu: Mu,
    /// Runs.
    pub runs: usize,
    /// Of coins, noise and keys.
    pub seed: u64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditReport {
    /// What the releases state.
    pub mu_stated: f64,
    /// What is shown that they cost at least; 0 where nothing is shown. Of all rows the most.
    pub mu_lower: f64,
    /// Runs.
    pub runs: u64,
    /// Canaries: rows of the output.
    pub rows: u64,
    /// Columns of the output.
    pub columns: u64,
    /// The same runs with a fault put into a copy of their outputs.
    pub faults: Vec<FaultReport>,
}

/// What the audit says of a fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// Which.
    pub fault: Fault,
    /// As of the audit.
    pub mu_lower: f64,
    /// Whether that is more than is stated.
    pub is_found: bool,
}

/// Runs the product, and bounds.
///
/// # Errors
/// A μ that the product refuses; fewer than 40 runs.
pub fn audit(options: &AuditOptions) -> Result<AuditReport, LeakageError> {
    if options.runs < 40 {
        let text = format!("{} runs are too few to audit with: make 40", options.runs);
        return Err(LeakageError::Nothing(text));
    }
    let outputs = Outputs::of_product(options)?;
    let mu_lower = statistic::lower_bound(&outputs);
    let stated = options.mu.value();
    let faults = Fault::ALL.map(|fault| {
        let mu_lower = statistic::lower_bound(&outputs.with(fault));
        FaultReport {
            fault,
            mu_lower,
            is_found: mu_lower > stated,
        }
    });
    Ok(AuditReport {
        mu_stated: stated,
        mu_lower,
        runs: options.runs as u64,
        rows: outputs.rows as u64,
        columns: outputs.columns as u64,
        faults: faults.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fewer runs than the command makes: the bound is wider, and still tells faults.
    #[test]
    fn the_product_keeps_to_its_mu_and_no_fault_does() {
        let options = AuditOptions {
            mu: Mu::ONE,
            runs: 1600,
            seed: 3,
        };
        let report = audit(&options).unwrap();
        assert!(
            report.mu_lower > 0.4 && report.mu_lower <= 1.0,
            "{report:?}"
        );
        assert_eq!(report.faults.len(), 4);
        for fault in &report.faults {
            assert!(fault.is_found, "{fault:?}");
        }
    }

    #[test]
    fn few_runs_are_refused() {
        let options = AuditOptions {
            mu: Mu::ONE,
            runs: 10,
            seed: 0,
        };
        assert!(audit(&options).is_err());
    }
}
