//! What the project promises of the FilmTrust run with `he`, checked against its report.

use std::path::Path;

use serde::Deserialize;

/// Secure factors against the float64 oracle.
const LARGEST_FACTOR_DIFFERENCE: f64 = 1e-3;
/// Secure RMSE against the oracle's.
const LARGEST_RMSE_DIFFERENCE: f64 = 5e-4;
/// Both directions of one round together.
const LARGEST_ROUND_BYTES: u64 = 5_000_000;

#[derive(Deserialize)]
struct Report {
    rounds: u64,
    quality: Quality,
    max_abs_factor_diff: f64,
    cost: Costs,
    openings: u64,
}

#[derive(Deserialize)]
struct Quality {
    plaintext: Metrics,
    secure: Metrics,
}

#[derive(Deserialize)]
struct Metrics {
    rmse: f64,
}

#[derive(Deserialize)]
struct Costs {
    online: Cost,
}

#[derive(Deserialize)]
struct Cost {
    bytes_to_social: u64,
    bytes_to_rating: u64,
}

/// Why a report could not be judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("the report could not be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("the report is not what `s3rec demo` writes: {0}")]
    Format(#[from] serde_json::Error),
}

/// One line for each promise that the report at `file` breaks.
pub(crate) fn findings(file: &Path) -> Result<Vec<String>, ReportError> {
    let report: Report = serde_json::from_slice(&std::fs::read(file)?)?;
    Ok(judge(&report))
}

fn judge(report: &Report) -> Vec<String> {
    let mut findings = Vec::new();
    let mut at_most = |what: &str, found: f64, bound: f64| {
        if found.is_nan() || found > bound {
            findings.push(format!("{what} is {found}, the bound is {bound}"));
        }
    };
    at_most(
        "max_abs_factor_diff",
        report.max_abs_factor_diff,
        LARGEST_FACTOR_DIFFERENCE,
    );
    let rmse_difference = (report.quality.secure.rmse - report.quality.plaintext.rmse).abs();
    at_most(
        "the RMSE difference between secure and plaintext",
        rmse_difference,
        LARGEST_RMSE_DIFFERENCE,
    );
    let online = report
        .cost
        .online
        .bytes_to_social
        .saturating_add(report.cost.online.bytes_to_rating);
    if online == 0 || report.rounds == 0 {
        findings.push("no bytes or no rounds were counted".to_owned());
    } else if online > LARGEST_ROUND_BYTES.saturating_mul(report.rounds) {
        findings.push(format!(
            "{online} bytes crossed in {} rounds, the bound is {LARGEST_ROUND_BYTES} a round",
            report.rounds
        ));
    }
    if report.openings != report.rounds {
        findings.push(format!(
            "{} openings in {} rounds",
            report.openings, report.rounds
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(factor_difference: f64, secure_rmse: f64, bytes: u64) -> Report {
        Report {
            rounds: 20,
            quality: Quality {
                plaintext: Metrics { rmse: 0.8 },
                secure: Metrics { rmse: secure_rmse },
            },
            max_abs_factor_diff: factor_difference,
            cost: Costs {
                online: Cost {
                    bytes_to_social: bytes,
                    bytes_to_rating: 0,
                },
            },
            openings: 20,
        }
    }

    #[test]
    fn what_is_promised_passes() {
        assert_eq!(
            judge(&report(1e-4, 0.8001, 100_000_000)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_broken_promise_is_named() {
        assert_eq!(judge(&report(2e-3, 0.81, 100_000_001)).len(), 3);
        assert_eq!(judge(&report(f64::NAN, f64::NAN, 1)).len(), 2);
        assert_eq!(judge(&report(0.0, 0.8, 0)).len(), 1);
    }
}
