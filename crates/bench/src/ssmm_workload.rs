//! `ssmm` on a workload: one product run where it fits, computed from message shapes where not.

use s3rec_algebra::Stream;
use s3rec_sparse::{OperatorKind, SocialOperator};

use crate::memory;
use crate::record::{PhaseRecord, ProductRecord};
use crate::ssmm::{self, SsmmBytes, UniformRows};
use crate::workload::Workload;

/// Elements of Q′ above which `ssmm` is computed from its message shapes: generating and
/// multiplying them would take longer than everything else together.
const LARGEST_DENSE: u64 = 1 << 27;

/// `ssmm` takes three products a round; one dense product with all of Y costs the same as each
/// of them, for its messages do not depend on the values.
pub(crate) fn measure(workload: &Workload, kind: OperatorKind, measured: u32) -> ProductRecord {
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
        let (cost, error) = run(workload, &operator, measured.min(1));
        product.rating_seconds = cost.rating_seconds;
        product.social_seconds = cost.social_seconds;
        product.seconds = cost.seconds;
        product.core_seconds = cost.core_seconds;
        error_ulp = Some(error);
    }
    let products = u64::from(workload.rounds()) * ssmm::PRODUCTS_PER_ROUND;
    let cost = (PhaseRecord::default(), product.scaled(products, 1));
    ProductRecord {
        computed,
        error_ulp,
        parameters: serde_json::json!({ "ring_bits": 64, "products_per_round": ssmm::PRODUCTS_PER_ROUND }),
        ..ProductRecord::new("ssmm", kind.name(), u32::from(!computed), cost)
    }
}

/// One product run, whatever its size.
pub(crate) fn product(workload: &Workload) -> PhaseRecord {
    let operator = workload.operator(OperatorKind::NormalizedLaplacian);
    run(workload, &operator, 0).0
}

/// One product over Z_{2^64}, compared with the clear one.
fn run(workload: &Workload, operator: &SocialOperator, round: u32) -> (PhaseRecord, u64) {
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
    let before = memory::core_seconds();
    let result = ssmm::multiply(
        users,
        rank,
        &factors,
        |row| operator.row(row),
        &StreamRows::new(workload, "ssmm rating", rank),
        &StreamRows::new(workload, "ssmm social", users),
    );
    let core_seconds = memory::core_seconds() - before;
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
        core_seconds,
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
