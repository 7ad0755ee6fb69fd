//! Private retrieval of few rows against sending all of them, on a synthetic set.
//!
//! Many users trust few: the operator is `out-average`, the policy `active-rows`, and the rows
//! that the social platform needs are a small part of all.

use s3rec_sparse::{OperatorKind, SocialMatrix};
use s3rec_spmm::{Protocol, cost};
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::products::{measure_he, parameters};
use crate::record::ProductRecord;
use crate::workload::Workload;

/// What a fetch cost, and what sending every row would have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FetchReport {
    /// m.
    pub users: u64,
    /// Columns of Y with a non-zero.
    pub needed: u64,
    /// Expansion keys and queries, sent once and reused every round.
    pub query_bytes: u64,
    /// Answers of one round.
    pub answer_bytes: u64,
    /// What `he` sends up in one round: every row's bodies.
    pub he_upload_bytes: u64,
    /// `he_upload_bytes` over the sum of the two others.
    pub ratio: f64,
    /// The rating platform's computing seconds: expansion, one round's answers, encryption.
    pub server_seconds: f64,
    /// The whole record of the run, one round.
    pub record: ProductRecord,
}

/// Runs one round of `he-pir` for `users` users of whom `needed` are trusted, `repeats` times over;
/// seconds are medians.
///
/// # Errors
/// Those of the products.
pub fn measure(
    users: u32,
    needed: u32,
    rank: usize,
    repeats: u32,
) -> Result<FetchReport, BenchError> {
    let needed = needed.clamp(1, users.saturating_sub(1).max(1));
    let stride = (users / needed).max(1);
    let trustee = |index: u32| (index % needed) * stride;
    let links = (0..users)
        .step_by(7)
        .flat_map(|truster| [(truster, trustee(truster / 7)), (truster, trustee(truster))])
        .filter(|(truster, trustee)| truster != trustee);
    let workload = Workload::new(SocialMatrix::from_links(users as usize, links)?, rank, 1);
    let kind = OperatorKind::OutAverage;
    let operator = workload.operator(kind);
    let all_rows = cost::predict(&parameters(&workload, &operator, Protocol::He)?)?;
    let once = || measure_he(&workload, Protocol::HePir, kind, 1);
    let first = once()?;
    let mut runs = vec![first.clone()];
    for _ in 1..repeats {
        runs.push(once()?);
    }
    let record = ProductRecord::merged(runs).unwrap_or(first);
    let query_bytes = record.offline.bytes_to_rating;
    let answer_bytes = record.online.bytes_to_social;
    let he_upload_bytes = all_rows.round.bytes_to_social;
    Ok(FetchReport {
        users: u64::from(users),
        needed: operator.active_columns().len() as u64,
        query_bytes,
        answer_bytes,
        he_upload_bytes,
        ratio: he_upload_bytes as f64 / (query_bytes + answer_bytes) as f64,
        server_seconds: record.offline.rating_seconds + record.online.rating_seconds,
        record,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_is_exact_and_counted() {
        let report = measure(600, 5, 2, 2).unwrap();
        assert_eq!(report.needed, 5);
        assert_eq!(report.record.error_ulp, Some(0));
        assert!(report.query_bytes > 0 && report.answer_bytes > 0);
    }
}
