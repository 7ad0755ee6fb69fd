//! The product in the clear: what every protocol's bytes and seconds are compared with.
//!
//! Bytes are those of float32 factors one way and gradients the other; seconds are those of
//! sprs's sparse × dense product over float32 on one thread.

use std::time::Instant;

use s3rec_algebra::RealMatrix;
use s3rec_sparse::{OperatorKind, SocialOperator};
use sprs::CsMat;

use crate::record::{PhaseRecord, ProductRecord};
use crate::workload::Workload;
use crate::{BenchError, memory};

/// Bytes of a float32.
const VALUE_BYTES: u64 = 4;

/// Y over float32, as sprs holds it.
pub struct ClearOperator(CsMat<f32>);

impl ClearOperator {
    /// The weights of `operator` at their real scale.
    #[must_use]
    pub fn new(operator: &SocialOperator) -> Self {
        let users = operator.users();
        let scale = f64::from(operator.weight_bits()).exp2();
        let mut starts = vec![0];
        let mut columns = Vec::with_capacity(operator.nonzeros());
        let mut weights = Vec::with_capacity(operator.nonzeros());
        for row in 0..users {
            let (row_columns, row_weights) = operator.row(row);
            columns.extend(row_columns.iter().map(|&column| column as usize));
            #[expect(
                clippy::cast_possible_truncation,
                reason = "float32 is what is compared with"
            )]
            weights.extend(
                row_weights
                    .iter()
                    .map(|&weight| (weight as f64 / scale) as f32),
            );
            starts.push(columns.len());
        }
        Self(CsMat::new((users, users), starts, columns, weights))
    }

    /// Y·U for row-major U of k columns, into `product`.
    pub fn multiply(&self, factors: &[f32], rank: usize, product: &mut [f32]) {
        product.fill(0.0);
        let shape = (self.0.rows(), rank);
        let (factors, mut product) = (
            // Unwrap safety: callers give m·k values.
            ndarray::ArrayView2::from_shape(shape, factors).expect("m × k"),
            ndarray::ArrayViewMut2::from_shape(shape, product).expect("m × k"),
        );
        sprs::prod::csr_mulacc_dense_rowmaj(self.0.view(), factors, product.view_mut());
    }
}

/// U as float32, row-major.
#[must_use]
pub fn float32(factors: &RealMatrix) -> Vec<f32> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float32 is what is compared with"
    )]
    let narrow = |&value: &f64| value as f32;
    factors.values().iter().map(narrow).collect()
}

/// Measures `measured` rounds and scales them to the workload's.
///
/// # Errors
/// None today; the signature is that of every protocol.
pub fn measure(
    workload: &Workload,
    kind: OperatorKind,
    measured: u32,
) -> Result<ProductRecord, BenchError> {
    memory::reset_peak();
    let operator = ClearOperator::new(&workload.operator(kind));
    let mut product = vec![0.0; workload.users() * workload.rank()];
    let mut online = PhaseRecord::default();
    let values = (workload.users() * workload.rank()) as u64;
    for round in 0..measured {
        let factors = float32(&workload.factors(round));
        let started = Instant::now();
        operator.multiply(&factors, workload.rank(), &mut product);
        std::hint::black_box(&product);
        let social_seconds = started.elapsed().as_secs_f64();
        online = online.then(PhaseRecord {
            seconds: social_seconds,
            bytes_to_social: VALUE_BYTES * values,
            bytes_to_rating: VALUE_BYTES * values,
            messages: 2,
            rating_seconds: 0.0,
            social_seconds,
            core_seconds: social_seconds,
        });
    }
    let online = online.scaled(u64::from(workload.rounds()), u64::from(measured));
    let cost = (PhaseRecord::default(), online);
    Ok(ProductRecord::new("plaintext", kind.name(), measured, cost))
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_sparse::SocialMatrix;

    #[test]
    fn the_float_product_is_that_of_the_operator() {
        let social = SocialMatrix::from_links(5, [(0, 1), (1, 2), (4, 0), (2, 4)]).unwrap();
        let workload = Workload::new(social, 3, 1);
        for kind in [
            OperatorKind::Laplacian,
            OperatorKind::NormalizedLaplacian,
            OperatorKind::OutAverage,
        ] {
            let operator = workload.operator(kind);
            let factors = workload.factors(0);
            let expected = operator.multiply_real(&factors).unwrap();
            let mut actual = vec![1.0; 15];
            ClearOperator::new(&operator).multiply(&float32(&factors), 3, &mut actual);
            for (a, e) in actual.iter().zip(expected.values()) {
                assert!((f64::from(*a) - e).abs() < 1e-5, "{a} for {e}");
            }
        }
    }
}
