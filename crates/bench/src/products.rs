//! Every protocol and baseline on the same operands, in one run.

use std::path::PathBuf;

use s3rec_algebra::RingMatrix;
use s3rec_sparse::{OperatorKind, SocialOperator};
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::{
    PatternPolicy, ProductParameters, ProductRequest, Protocol, choose_parameters, fetch, ideal,
};

use crate::homomorphic::HomomorphicPair;
use crate::record::{PhaseRecord, ProductRecord, ProductsReport, WorkloadSize};
use crate::stock_pair::StockPair;
use crate::workload::Workload;
use crate::{
    BenchError, clear, memory, noise_first, rounding_error, ssmm_workload, tfhe_reference,
};

/// Rounds measured of protocols whose rounds are cheap, for one of the others.
const CHEAP_ROUNDS: u32 = 10;

/// What can be measured.
pub const PROTOCOLS: [&str; 6] = [
    "plaintext",
    "ssmm",
    "he",
    "pir",
    "preprocessed",
    "noise-first",
];

/// How to measure.
#[derive(Clone, Debug)]
pub struct ProductsOptions {
    /// Names from [`PROTOCOLS`].
    pub protocols: Vec<String>,
    /// Rounds to run of those protocols whose rounds all cost the same; ten times as many of the
    /// two whose rounds take milliseconds.
    pub measured_rounds: u32,
    /// Runs of every protocol; the record holds medians and their spread.
    pub repeats: u32,
    /// Ciphertexts a thread encrypts and decrypts with tfhe's own functions, to be compared with
    /// `preprocessed`; none for 0.
    pub tfhe_sample: u64,
    /// What the opening of `noise-first` spends.
    pub mu: Mu,
    /// Values that its noise is measured over, at least: of as many openings as it takes.
    pub noise_values: usize,
    /// Operator of all protocols but `pir` and `noise-first`.
    pub operator: OperatorKind,
    /// Bytes that each party's offline computation may hold at once.
    pub memory_limit_bytes: usize,
    /// Where stocks of columns are kept while they are measured.
    pub scratch: PathBuf,
}

impl Default for ProductsOptions {
    fn default() -> Self {
        Self {
            protocols: PROTOCOLS.map(str::to_owned).to_vec(),
            measured_rounds: 3,
            repeats: 1,
            tfhe_sample: 0,
            mu: Mu::ONE,
            noise_values: 1_000_000,
            operator: OperatorKind::NormalizedLaplacian,
            memory_limit_bytes: 1 << 30,
            scratch: std::env::temp_dir(),
        }
    }
}

/// Measures every chosen protocol, in order, reporting each name to `progress` before it starts.
///
/// # Errors
/// The first protocol's that fails.
pub fn measure(
    workload: &Workload,
    options: &ProductsOptions,
    mut progress: impl FnMut(&str),
) -> Result<ProductsReport, BenchError> {
    let mut records = Vec::new();
    for name in &options.protocols {
        progress(name);
        let runs = (0..options.repeats.max(1)).map(|_| measure_one(workload, options, name));
        let mut record = ProductRecord::merged(runs.collect::<Result<_, _>>()?);
        if let Some(record) = &mut record
            && name == "preprocessed"
            && options.tfhe_sample > 0
        {
            progress("tfhe's own encryption and decryption");
            let parameters = serde_json::from_value(record.parameters.clone());
            record.tfhe = match parameters {
                Ok(parameters) => Some(tfhe_reference::measure(
                    &parameters,
                    &record.offline,
                    options.tfhe_sample,
                )?),
                Err(_) => None,
            };
        }
        records.extend(record);
    }
    Ok(ProductsReport {
        workload: WorkloadSize {
            users: workload.users() as u64,
            rank: workload.rank() as u64,
            rounds: u64::from(workload.rounds()),
            links: workload.social().links() as u64,
        },
        records,
    })
}

fn measure_one(
    workload: &Workload,
    options: &ProductsOptions,
    name: &str,
) -> Result<ProductRecord, BenchError> {
    let measured = options.measured_rounds.clamp(1, workload.rounds().max(1));
    // Rounds of milliseconds: one slow answer of the disk would be a tenth of the result.
    let cheap = (CHEAP_ROUNDS * measured).min(workload.rounds().max(1));
    match name {
        "plaintext" => clear::measure(workload, options.operator, cheap),
        "ssmm" => Ok(ssmm_workload::measure(workload, options.operator, measured)),
        "he" => measure_he(workload, Protocol::He, options.operator, measured),
        // One round: its rounds cost the same, and the server's work is the largest here.
        "pir" => measure_he(workload, Protocol::HePir, OperatorKind::OutAverage, 1),
        "preprocessed" => measure_preprocessed(workload, options, cheap),
        // One opening is all there is.
        "noise-first" => noise_first::measure(workload, options),
        _ => Err(BenchError::UnknownProtocol {
            name: name.to_owned(),
            known: PROTOCOLS.join(", "),
        }),
    }
}

/// The parameters that a job over this workload would choose. Retrieval goes with the policy
/// `active-rows` and fetches only what is needed; everything else discloses nothing.
pub(crate) fn parameters(
    workload: &Workload,
    operator: &SocialOperator,
    protocol: Protocol,
) -> Result<ProductParameters, BenchError> {
    Ok(choose_parameters(&request(workload, operator, protocol))?)
}

/// What such a job asks of the chooser.
pub(crate) fn request(
    workload: &Workload,
    operator: &SocialOperator,
    protocol: Protocol,
) -> ProductRequest {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a social matrix has fewer than 2^32 users"
    )]
    let count = |rows: usize| rows as u32;
    let (users, rank) = (count(workload.users()), count(workload.rank()));
    let mut request =
        ProductRequest::new(protocol, operator.kind(), users, rank, workload.rounds());
    request.row_norm_bound = operator.row_norm_bound();
    request.nonzeros_bound = operator.nonzeros_bound();
    if protocol.fetches_privately() {
        request.pattern = PatternPolicy::ActiveRows;
        request.returned_rows = count(operator.active_rows().len());
        request.fetched_rows_bound = fetch::rows_bound_of(operator);
    }
    request
}

/// Opens so many rounds by `open`, each compared with the clear product: the cost of all rounds of the
/// workload, and the largest error.
fn rounds(
    workload: &Workload,
    operator: &SocialOperator,
    parameters: &ProductParameters,
    measured: u32,
    mut open: impl FnMut(u32, &RingMatrix) -> Result<(RingMatrix, PhaseRecord), BenchError>,
) -> Result<(PhaseRecord, u64), BenchError> {
    let (mut online, mut error_ulp) = (PhaseRecord::default(), 0);
    for round in 0..measured {
        let (factors, _) = parameters.fixed_point()?.encode(&workload.factors(round));
        let before = memory::core_seconds();
        let (product, mut cost) = open(round, &factors)?;
        cost.core_seconds = memory::core_seconds() - before;
        let clear = ideal::product(operator, &factors)?;
        error_ulp = error_ulp.max(largest_error(&product, &clear));
        online = online.then(cost);
    }
    let rounds = u64::from(workload.rounds());
    Ok((online.scaled(rounds, u64::from(measured)), error_ulp))
}

pub(crate) fn measure_he(
    workload: &Workload,
    protocol: Protocol,
    kind: OperatorKind,
    measured: u32,
) -> Result<ProductRecord, BenchError> {
    memory::reset_peak();
    let operator = workload.operator(kind);
    let parameters = parameters(workload, &operator, protocol)?;
    let before = memory::core_seconds();
    let (pair, mut offline) = HomomorphicPair::set_up(&parameters, &operator)?;
    offline.core_seconds = memory::core_seconds() - before;
    let open = |round, factors: &RingMatrix| pair.round(round, factors);
    let (online, error_ulp) = rounds(workload, &operator, &parameters, measured, open)?;
    let name = match protocol.fetches_privately() {
        true => "pir",
        false => "he",
    };
    let record = ProductRecord::new(name, kind.name(), measured, (offline, online));
    Ok(ProductRecord {
        error_ulp: Some(error_ulp),
        error_ulp_unguarded: Some(rounding_error::he(workload, &operator)?),
        parameters: serde_json::to_value(&parameters).unwrap_or_default(),
        ..record
    })
}

fn measure_preprocessed(
    workload: &Workload,
    options: &ProductsOptions,
    measured: u32,
) -> Result<ProductRecord, BenchError> {
    memory::reset_peak();
    let operator = workload.operator(options.operator);
    let parameters = parameters(workload, &operator, Protocol::Preprocessed)?;
    let directory = tempfile::Builder::new()
        .prefix("s3rec-bench-")
        .tempdir_in(&options.scratch)?;
    let before = memory::core_seconds();
    let (mut pair, mut offline) = StockPair::set_up(
        &parameters,
        &operator,
        directory.path(),
        options.memory_limit_bytes,
    )?;
    offline.core_seconds = memory::core_seconds() - before;
    let open = |_, factors: &RingMatrix| pair.round(factors);
    let (online, error_ulp) = rounds(workload, &operator, &parameters, measured, open)?;
    let waited = pair.waited_for_disk();
    let cost = (offline, online);
    let record = ProductRecord::new("preprocessed", options.operator.name(), measured, cost);
    Ok(ProductRecord {
        error_ulp: Some(error_ulp),
        error_ulp_unguarded: Some(rounding_error::preprocessed(workload, &operator, options)?),
        parameters: serde_json::to_value(&parameters).unwrap_or_default(),
        online_disk_seconds: waited * f64::from(workload.rounds()) / f64::from(measured),
        ..record
    })
}

/// Largest distance of two matrices over the ring, in units of the last place.
pub(crate) fn largest_error(actual: &RingMatrix, expected: &RingMatrix) -> u64 {
    let ring = expected.ring();
    actual
        .values()
        .iter()
        .zip(expected.values())
        .map(|(a, e)| {
            ring.to_signed(ring.reduce(a.wrapping_sub(*e)))
                .unsigned_abs()
        })
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssmm::SsmmBytes;
    use s3rec_sparse::SocialMatrix;

    #[test]
    fn every_protocol_multiplies_without_error() {
        let links = (0..40_u32)
            .map(|i| (i, (i * 7 + 3) % 40))
            .filter(|(a, b)| a != b);
        let workload = Workload::new(SocialMatrix::from_links(41, links).unwrap(), 4, 6);
        let options = ProductsOptions {
            repeats: 2,
            tfhe_sample: 1,
            noise_values: 300,
            ..ProductsOptions::default()
        };
        let report = measure(&workload, &options, |_| {}).unwrap();
        assert!(report.records[4].tfhe.is_some_and(|tfhe| tfhe.ratio > 0.0));
        assert_eq!(report.records[2].spread.online.runs, 2);
        assert_eq!(report.records.len(), PROTOCOLS.len());
        for record in &report.records {
            assert!(
                record.error_ulp.is_none_or(|error| error == 0),
                "{record:?}"
            );
            let without = record.error_ulp_unguarded;
            let is_noised = record.protocol == "noise-first";
            let is_exact = !is_noised && !matches!(record.protocol.as_str(), "plaintext" | "ssmm");
            assert_eq!(without.is_some(), is_exact, "{record:?}");
            assert_eq!(record.noise.is_some(), is_noised, "{record:?}");
            if let Some(noise) = record.noise {
                // Of two openings: the standard error of their deviation is 4 %.
                assert_eq!(noise.measured_values, 328);
                assert!((noise.measured_ratio - 1.0).abs() < 0.3, "{record:?}");
                // Four such errors beyond the condition.
                let most = 0.05 * (1.0 + 4.0 / (2.0 * 164f64).sqrt());
                assert!(noise.residual_ratio <= most, "{record:?}");
            }
            assert!(without.is_none_or(|error| error <= 1), "{record:?}");
            assert!(
                record.online.bytes() > 0 && record.online.seconds > 0.0,
                "{record:?}"
            );
        }
        let ssmm = &report.records[1];
        assert_eq!(
            ssmm.online.bytes(),
            18 * SsmmBytes::of_product(41, 4).total()
        );
    }

    #[test]
    fn an_unknown_protocol_is_named() {
        let workload = Workload::new(SocialMatrix::from_links(3, [(0, 1)]).unwrap(), 1, 1);
        let options = ProductsOptions {
            protocols: vec!["rot13".to_owned()],
            ..ProductsOptions::default()
        };
        let error = measure(&workload, &options, |_| {}).unwrap_err();
        assert!(error.to_string().contains("rot13"), "{error}");
    }
}
