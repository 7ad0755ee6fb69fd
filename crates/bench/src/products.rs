//! Every protocol and baseline on the same operands, in one run.

use std::path::PathBuf;

use s3rec_algebra::{RingMatrix, Stream};
use s3rec_sparse::{OperatorKind, SocialOperator, ladder};
use s3rec_spmm::{
    Disclosure, ProductParameters, ProductRequest, Protocol, choose_parameters, ideal,
};

use crate::homomorphic::HomomorphicPair;
use crate::masked::MaskedPair;
use crate::record::{Machine, PhaseRecord, ProductRecord, ProductsReport, WorkloadSize};
use crate::ssmm::{self, SsmmBytes, UniformRows};
use crate::workload::Workload;
use crate::{BenchError, clear, memory};

/// What can be measured.
pub const PROTOCOLS: [&str; 5] = ["plaintext", "ssmm", "he", "pir", "preprocessed"];

/// Elements of Q′ above which `ssmm` is computed from its message shapes: generating and
/// multiplying them would take longer than everything else together.
const LARGEST_DENSE: u64 = 1 << 27;

/// How to measure.
#[derive(Clone, Debug)]
pub struct ProductsOptions {
    /// Names from [`PROTOCOLS`].
    pub protocols: Vec<String>,
    /// Rounds to run of those protocols whose rounds all cost the same.
    pub measured_rounds: u32,
    /// Operator of all protocols but `pir`.
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
    let measured = options.measured_rounds.clamp(1, workload.rounds().max(1));
    let mut records = Vec::new();
    for name in &options.protocols {
        progress(name);
        records.push(match name.as_str() {
            "plaintext" => clear::measure(workload, options.operator, measured)?,
            "ssmm" => measure_ssmm(workload, options.operator, measured),
            "he" => measure_he(workload, Protocol::He, options.operator, measured)?,
            // One round: its rounds cost the same, and the server's work is the largest here.
            "pir" => measure_he(workload, Protocol::HePir, OperatorKind::OutAverage, 1)?,
            "preprocessed" => measure_preprocessed(workload, options, measured)?,
            _ => {
                return Err(BenchError::UnknownProtocol {
                    name: name.clone(),
                    known: PROTOCOLS.join(", "),
                });
            }
        });
    }
    Ok(ProductsReport {
        workload: WorkloadSize {
            users: workload.users() as u64,
            rank: workload.rank() as u64,
            rounds: u64::from(workload.rounds()),
            links: workload.social().links() as u64,
        },
        machine: machine(),
        records,
    })
}

/// The parameters that a job over this workload would choose. Retrieval goes with the policy
/// `active-rows` and fetches only what is needed; everything else discloses nothing.
pub(crate) fn parameters(
    workload: &Workload,
    operator: &SocialOperator,
    protocol: Protocol,
) -> Result<ProductParameters, BenchError> {
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
        request.pattern = Disclosure::ActiveRows;
        request.returned_rows = count(operator.active_rows().len());
        let needed = ladder(operator.active_columns().len() as u64);
        request.fetched_rows_bound = u32::try_from(needed).unwrap_or(u32::MAX).min(users);
    }
    Ok(choose_parameters(&request)?)
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
    let (pair, offline) = HomomorphicPair::set_up(&parameters, &operator)?;
    let mut online = PhaseRecord::default();
    let mut error_ulp = 0;
    for round in 0..measured {
        let (factors, _) = parameters.fixed_point()?.encode(&workload.factors(round));
        let (product, cost) = pair.round(round, &factors)?;
        error_ulp = error_ulp.max(largest_error(
            &product,
            &ideal::product(&operator, &factors)?,
        ));
        online = online.then(cost);
    }
    Ok(ProductRecord {
        protocol: if protocol.fetches_privately() {
            "pir"
        } else {
            "he"
        }
        .to_owned(),
        operator: kind.name().to_owned(),
        offline,
        online: online.scaled(u64::from(workload.rounds()), u64::from(measured)),
        measured_rounds: u64::from(measured),
        computed: false,
        error_ulp: Some(error_ulp),
        peak_rss_bytes: memory::peak_bytes(),
        parameters: serde_json::to_value(&parameters).unwrap_or_default(),
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
    let (mut pair, offline) = MaskedPair::set_up(
        &parameters,
        &operator,
        directory.path(),
        options.memory_limit_bytes,
    )?;
    let mut online = PhaseRecord::default();
    let mut error_ulp = 0;
    for round in 0..measured {
        let (factors, _) = parameters.fixed_point()?.encode(&workload.factors(round));
        let (product, cost, next) = pair.round(&factors)?;
        pair = next;
        error_ulp = error_ulp.max(largest_error(
            &product,
            &ideal::product(&operator, &factors)?,
        ));
        online = online.then(cost);
    }
    Ok(ProductRecord {
        protocol: "preprocessed".to_owned(),
        operator: options.operator.name().to_owned(),
        offline,
        online: online.scaled(u64::from(workload.rounds()), u64::from(measured)),
        measured_rounds: u64::from(measured),
        computed: false,
        error_ulp: Some(error_ulp),
        peak_rss_bytes: memory::peak_bytes(),
        parameters: serde_json::to_value(&parameters).unwrap_or_default(),
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

/// `ssmm` takes three products a round; one dense product with all of Y costs the same as each
/// of them, for its messages do not depend on the values.
fn measure_ssmm(workload: &Workload, kind: OperatorKind, measured: u32) -> ProductRecord {
    memory::reset_peak();
    let (users, rank) = (workload.users() as u64, workload.rank() as u64);
    let bytes = SsmmBytes::of_product(users, rank);
    let mut product = PhaseRecord {
        bytes_to_social: bytes.to_social,
        bytes_to_rating: bytes.to_rating,
        messages: 3,
        ..PhaseRecord::default()
    };
    let computed = users * users > LARGEST_DENSE;
    let mut error_ulp = None;
    if !computed {
        let operator = workload.operator(kind);
        let (cost, error) = run_ssmm(workload, &operator, measured.min(1));
        product.rating_seconds = cost.rating_seconds;
        product.social_seconds = cost.social_seconds;
        product.seconds = cost.seconds;
        error_ulp = Some(error);
    }
    let products = u64::from(workload.rounds()) * ssmm::PRODUCTS_PER_ROUND;
    ProductRecord {
        protocol: "ssmm".to_owned(),
        operator: kind.name().to_owned(),
        offline: PhaseRecord::default(),
        online: product.scaled(products, 1),
        measured_rounds: u64::from(!computed),
        computed,
        error_ulp,
        peak_rss_bytes: memory::peak_bytes(),
        parameters: serde_json::json!({ "ring_bits": 64, "products_per_round": ssmm::PRODUCTS_PER_ROUND }),
    }
}

/// One product over Z_{2^64}, compared with the clear one.
fn run_ssmm(workload: &Workload, operator: &SocialOperator, round: u32) -> (PhaseRecord, u64) {
    let (users, rank) = (workload.users(), workload.rank());
    let scale = f64::from(1 << 16);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "values of ±1 at 16 fractional bits"
    )]
    let factors: Vec<u64> = workload
        .factors(round)
        .values()
        .iter()
        .map(|value| ((value * scale).round() as i64).cast_unsigned())
        .collect();
    // Row f of Q = Yᵀ is column f of Y, and Y is symmetric for the operators measured here.
    let result = ssmm::multiply(
        users,
        rank,
        &factors,
        |row| operator.row(row),
        &StreamRows::new(workload, "ssmm rating", rank),
        &StreamRows::new(workload, "ssmm social", users),
    );
    let mut expected = vec![0_u64; users * rank];
    for (row, out) in expected.chunks_exact_mut(rank).enumerate() {
        let (columns, weights) = operator.row(row);
        for (&column, &weight) in columns.iter().zip(weights) {
            let factors = &factors[column as usize * rank..][..rank];
            for (sum, factor) in out.iter_mut().zip(factors) {
                *sum = sum.wrapping_add(factor.wrapping_mul(weight.cast_unsigned()));
            }
        }
    }
    let error = result
        .product
        .iter()
        .zip(&expected)
        .map(|(a, e)| a.wrapping_sub(*e).cast_signed().unsigned_abs())
        .max()
        .unwrap_or(0);
    let cost = PhaseRecord {
        seconds: result.rating_seconds + result.social_seconds,
        bytes_to_social: result.bytes.to_social,
        bytes_to_rating: result.bytes.to_rating,
        messages: 3,
        rating_seconds: result.rating_seconds,
        social_seconds: result.social_seconds,
    };
    (cost, error)
}

/// Uniform rows from a seekable stream.
struct StreamRows {
    stream: Stream,
    row_bytes: u64,
}

impl StreamRows {
    fn new(workload: &Workload, purpose: &str, columns: usize) -> Self {
        Self {
            stream: Stream::new(&workload.seed(purpose)),
            row_bytes: 8 * columns as u64,
        }
    }
}

impl UniformRows for StreamRows {
    fn fill(&self, row: usize, out: &mut [u64]) {
        self.stream.at(row as u64 * self.row_bytes).fill_u64(out);
    }
}

fn machine() -> Machine {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'))
        .map_or("unknown", |(_, name)| name.trim());
    Machine {
        processor: processor.to_owned(),
        threads: rayon::current_num_threads() as u64,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::SocialMatrix;

    #[test]
    fn every_protocol_multiplies_without_error() {
        let links = (0..40_u32)
            .map(|i| (i, (i * 7 + 3) % 40))
            .filter(|(a, b)| a != b);
        let workload = Workload::new(SocialMatrix::from_links(41, links).unwrap(), 4, 6);
        let report = measure(&workload, &ProductsOptions::default(), |_| {}).unwrap();
        assert_eq!(report.records.len(), PROTOCOLS.len());
        for record in &report.records {
            assert!(
                record.error_ulp.is_none_or(|error| error == 0),
                "{record:?}"
            );
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
