use crate::{SocialMatrix, SparseError, kernel, ladder};
use s3rec_algebra::{RealMatrix, RingMatrix};
use serde::{Deserialize, Serialize};
use sprs::CsMatI;

/// Which operator Y is derived from S (protocol page, section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperatorKind {
    /// Y = (D + E) − (S + Sᵀ), the published objective; integers, f_y = 0.
    Laplacian,
    /// Y = I⁺ − Δ^{-1/2}(S + Sᵀ)Δ^{-1/2}, ‖Y‖₂ ≤ 2 whatever the degrees; f_y = 10.
    NormalizedLaplacian,
    /// Y = D^{-1}S, each user's mean trusted user; not symmetric; f_y = 14.
    OutAverage,
    /// Y = 1{S + Sᵀ > 0}: who is whose friend, 0 or 1, zero diagonal; f_y = 0. What it is opened
    /// for are sums of friends with noise (page `noised_opening`); no training has a term for it.
    Friends,
}

impl OperatorKind {
    /// f_y: integer weights are stored at scale 2^f_y.
    ///
    /// `out-average` divides by out-degrees up to thousands and so needs more bits than the
    /// normalised Laplacian; its rows still sum to exactly 2^f_y, so L stays 2^14.
    pub fn weight_bits(self) -> u32 {
        match self {
            Self::Laplacian | Self::Friends => 0,
            Self::NormalizedLaplacian => 10,
            Self::OutAverage => 14,
        }
    }

    /// Whether a user's column is non-zero exactly when the row is.
    pub fn is_symmetric(self) -> bool {
        match self {
            Self::Laplacian | Self::NormalizedLaplacian | Self::Friends => true,
            Self::OutAverage => false,
        }
    }

    /// The name in proposals, configuration and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Laplacian => "laplacian",
            Self::NormalizedLaplacian => "normalized-laplacian",
            Self::OutAverage => "out-average",
            Self::Friends => "friends",
        }
    }
}

impl std::fmt::Display for OperatorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Y: m × m integer weights at scale 2^f_y. P1's secret: never `Debug`ged or serialised.
#[derive(Clone)]
pub struct SocialOperator {
    kind: OperatorKind,
    matrix: CsMatI<i64, u32, usize>,
    row_norm: u64,
}

impl SocialOperator {
    /// Derives Y from S. The same S gives the same integers on every platform.
    pub fn build(kind: OperatorKind, social: &SocialMatrix) -> Self {
        Self::build_preferring(kind, social, |user| user)
    }

    /// As [`Self::build`] where users are numbered anew for each job: weights that cannot all be
    /// equal are larger for trustees of a lower `rank`, so that the same links give the same
    /// weights in every numbering.
    pub fn build_preferring(
        kind: OperatorKind,
        social: &SocialMatrix,
        rank: impl Fn(u32) -> u32,
    ) -> Self {
        let s = social.matrix();
        let matrix = match kind {
            OperatorKind::Laplacian | OperatorKind::NormalizedLaplacian => {
                let both = s + &s.transpose_view().to_other_storage();
                laplacian(&both, kind)
            }
            OperatorKind::OutAverage => out_average(s, rank),
            OperatorKind::Friends => {
                let mut both = s + &s.transpose_view().to_other_storage();
                // S has no diagonal; a reciprocated link counts once.
                both.data_mut().fill(1);
                both
            }
        };
        let row_norm = matrix
            .outer_iterator()
            .map(|row| row.data().iter().map(|w| w.unsigned_abs()).sum())
            .max()
            .unwrap_or(0);
        Self {
            kind,
            matrix,
            row_norm,
        }
    }

    /// Which operator this is.
    pub fn kind(&self) -> OperatorKind {
        self.kind
    }

    /// m.
    pub fn users(&self) -> usize {
        self.matrix.rows()
    }

    /// f_y.
    pub fn weight_bits(&self) -> u32 {
        self.kind.weight_bits()
    }

    /// The tight max_i Σ_f |y_if| in integer units. Secret: twice the largest degree for
    /// `laplacian`. What is published is [`Self::row_norm_bound`].
    pub fn row_norm(&self) -> u64 {
        self.row_norm
    }

    /// L, the public bound on the row norm, from the ladder.
    pub fn row_norm_bound(&self) -> u64 {
        ladder(self.row_norm)
    }

    /// Stored non-zeros. Secret; what is published is [`Self::nonzeros_bound`].
    pub fn nonzeros(&self) -> usize {
        self.matrix.nnz()
    }

    /// The public bound on the non-zeros, from the ladder.
    pub fn nonzeros_bound(&self) -> u64 {
        ladder(self.matrix.nnz() as u64)
    }

    /// Rows with a non-zero, ascending. Secret; see [`crate::declassify`].
    pub fn active_rows(&self) -> Vec<u32> {
        (0u32..)
            .zip(self.matrix.outer_iterator())
            .filter(|(_, row)| row.nnz() > 0)
            .map(|(i, _)| i)
            .collect()
    }

    /// Columns with a non-zero, ascending. Secret; see [`crate::declassify`].
    pub fn active_columns(&self) -> Vec<u32> {
        let mut used = vec![false; self.users()];
        for &column in self.matrix.indices() {
            used[column as usize] = true;
        }
        (0u32..)
            .zip(used)
            .filter(|&(_, used)| used)
            .map(|(j, _)| j)
            .collect()
    }

    /// Row i as (column indices ascending, integer weights); empty for an unknown row.
    pub fn row(&self, row: usize) -> (&[u32], &[i64]) {
        let indptr = self.matrix.indptr();
        let bounds = indptr.raw_storage();
        match (bounds.get(row), bounds.get(row + 1)) {
            (Some(&start), Some(&end)) => (
                &self.matrix.indices()[start..end],
                &self.matrix.data()[start..end],
            ),
            _ => (&[], &[]),
        }
    }

    /// Y·U over Z_{2^ℓ}, wrapping: m × k in, m × k out, at scale 2^(f_u + f_y). Parallel over
    /// blocks of rows; the result does not depend on the number of threads.
    ///
    /// # Errors
    /// [`SparseError::ShapeMismatch`] unless `factors` has one row for each user.
    pub fn multiply_ring(&self, factors: &RingMatrix) -> Result<RingMatrix, SparseError> {
        self.check_rows(factors.rows())?;
        Ok(kernel::multiply_ring(self, factors))
    }

    /// Y·U in float64, weights / 2^f_y exactly as stored: the oracle's product.
    ///
    /// # Errors
    /// [`SparseError::ShapeMismatch`] unless `factors` has one row for each user.
    pub fn multiply_real(&self, factors: &RealMatrix) -> Result<RealMatrix, SparseError> {
        self.check_rows(factors.rows())?;
        Ok(kernel::multiply_real(self, factors))
    }

    fn check_rows(&self, actual: usize) -> Result<(), SparseError> {
        let expected = self.users();
        if actual == expected {
            Ok(())
        } else {
            Err(SparseError::ShapeMismatch { expected, actual })
        }
    }
}

/// Both Laplacians from A = S + Sᵀ (no diagonal; a reciprocated link counts twice).
fn laplacian(both: &CsMatI<i64, u32, usize>, kind: OperatorKind) -> CsMatI<i64, u32, usize> {
    let normalized = kind == OperatorKind::NormalizedLaplacian;
    let scale = f64::from(1u32 << kind.weight_bits());
    let degrees: Vec<i64> = both
        .outer_iterator()
        .map(|row| row.data().iter().sum())
        .collect();
    let mut indptr = vec![0usize];
    let mut indices = Vec::with_capacity(both.nnz() + both.rows());
    let mut data = Vec::with_capacity(both.nnz() + both.rows());
    for (i, row) in (0u32..).zip(both.outer_iterator()) {
        let d_i = degrees[i as usize];
        let diagonal = if normalized {
            1 << kind.weight_bits()
        } else {
            d_i
        };
        let mut diagonal_due = row.nnz() > 0;
        for (&f, &a) in row.indices().iter().zip(row.data()) {
            if diagonal_due && f > i {
                indices.push(i);
                data.push(diagonal);
                diagonal_due = false;
            }
            let weight = if normalized {
                // The product of degrees is commutative, so Y stays exactly symmetric.
                let root = ((d_i * degrees[f as usize]) as f64).sqrt();
                -nearest(scale * a as f64 / root)
            } else {
                -a
            };
            if weight != 0 {
                indices.push(f);
                data.push(weight);
            }
        }
        if diagonal_due {
            indices.push(i);
            data.push(diagonal);
        }
        indptr.push(indices.len());
    }
    CsMatI::new(both.shape(), indptr, indices, data)
}

/// D^{-1}S with every non-empty row summing to exactly 2^f_y: the remainder goes, one unit
/// each, to the trustees of lowest rank. A weight that rounds to nothing is not stored.
fn out_average(s: &CsMatI<i64, u32, usize>, rank: impl Fn(u32) -> u32) -> CsMatI<i64, u32, usize> {
    let one = 1usize << OperatorKind::OutAverage.weight_bits();
    let mut indptr = vec![0usize];
    let mut indices = Vec::with_capacity(s.nnz());
    let mut data = Vec::with_capacity(s.nnz());
    for row in s.outer_iterator() {
        let degree = row.nnz().max(1);
        let (weight, remainder) = (one / degree, one % degree);
        let mut ranks: Vec<u32> = row.indices().iter().map(|&f| rank(f)).collect();
        ranks.sort_unstable();
        // `remainder` is below the number of trustees, unless there are none.
        let first_without = ranks.get(remainder).copied();
        for &f in row.indices() {
            let weight = weight + usize::from(first_without.is_some_and(|first| rank(f) < first));
            if weight > 0 {
                indices.push(f);
                // At most 2^14.
                data.push(weight as i64);
            }
        }
        indptr.push(indices.len());
    }
    CsMatI::new(s.shape(), indptr, indices, data)
}

fn nearest(value: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "weights are at most 2^f_y in magnitude"
    )]
    let nearest = value.round() as i64;
    nearest
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use s3rec_algebra::RingBits;

    const KINDS: [OperatorKind; 4] = [
        OperatorKind::Laplacian,
        OperatorKind::NormalizedLaplacian,
        OperatorKind::OutAverage,
        OperatorKind::Friends,
    ];

    fn social(users: usize, links: usize, seed: u64) -> SocialMatrix {
        let mut state = seed;
        let mut below = |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            u32::try_from((state >> 33) as usize % bound).unwrap()
        };
        let links: Vec<_> = (0..links).map(|_| (below(users), below(users))).collect();
        SocialMatrix::from_links(users, links).unwrap()
    }

    #[test]
    fn weights_do_not_depend_on_the_numbering_where_a_rank_is_given() {
        let users = 150;
        let before = social(users, 600, 3);
        // 7 and 150 have no common factor.
        let anew = |user: u32| (user * 7 + 11) % 150;
        let links = before.iter().map(|(i, f)| (anew(i), anew(f)));
        let after = SocialMatrix::from_links(users, links).unwrap();
        let old: HashMap<u32, u32> = (0..150).map(|user| (anew(user), user)).collect();
        let same_weights = |rank: &dyn Fn(u32) -> u32| {
            let kind = OperatorKind::OutAverage;
            let renumbered = SocialOperator::build_preferring(kind, &after, rank);
            let own = SocialOperator::build(kind, &before);
            own.matrix.iter().all(|(weight, (i, f))| {
                renumbered.matrix.get(anew(i) as usize, anew(f) as usize) == Some(weight)
            })
        };
        assert!(same_weights(&|user| old[&user]));
        assert!(!same_weights(&|user| user));
    }

    /// The definitions of protocol page section 1, densely and in float64.
    fn dense(kind: OperatorKind, s: &SocialMatrix) -> Vec<Vec<f64>> {
        let m = s.users();
        let mut a = vec![vec![0.0; m]; m];
        for (i, f) in s.iter() {
            a[i as usize][f as usize] += 1.0;
            if kind != OperatorKind::OutAverage {
                a[f as usize][i as usize] += 1.0;
            }
        }
        let d: Vec<f64> = a.iter().map(|row| row.iter().sum()).collect();
        let mut y = vec![vec![0.0; m]; m];
        for i in 0..m {
            for f in 0..m {
                let on_diagonal = if i == f { 1.0 } else { 0.0 };
                y[i][f] = match kind {
                    OperatorKind::Laplacian => on_diagonal * d[i] - a[i][f],
                    OperatorKind::NormalizedLaplacian if d[i] * d[f] > 0.0 => {
                        on_diagonal - a[i][f] / (d[i] * d[f]).sqrt()
                    }
                    OperatorKind::OutAverage if d[i] > 0.0 => a[i][f] / d[i],
                    OperatorKind::Friends => a[i][f].min(1.0),
                    _ => 0.0,
                };
            }
        }
        y
    }

    #[test]
    fn weights_follow_their_definition() {
        for kind in KINDS {
            for (users, links) in [(1, 0), (2, 1), (12, 0), (30, 60), (40, 800)] {
                let s = social(users, links, 5);
                let operator = SocialOperator::build(kind, &s);
                let expected = dense(kind, &s);
                let scale = f64::from(1u32 << kind.weight_bits());
                for (i, expected) in expected.iter().enumerate() {
                    let mut found = vec![0.0; users];
                    let (columns, weights) = operator.row(i);
                    assert!(columns.windows(2).all(|pair| pair[0] < pair[1]));
                    for (&f, &w) in columns.iter().zip(weights) {
                        assert_ne!(w, 0);
                        found[f as usize] = w as f64 / scale;
                    }
                    for (found, expected) in found.iter().zip(expected) {
                        assert!((found - expected).abs() <= 1.0 / scale, "{kind} row {i}");
                    }
                }
            }
        }
    }

    #[test]
    fn bounds_hold_and_symmetric_kinds_are_symmetric() {
        for kind in KINDS {
            let operator = SocialOperator::build(kind, &social(50, 200, 9));
            let norms = (0..50).map(|i| {
                operator
                    .row(i)
                    .1
                    .iter()
                    .map(|w| w.unsigned_abs())
                    .sum::<u64>()
            });
            let norms: Vec<u64> = norms.collect();
            assert_eq!(operator.row_norm(), *norms.iter().max().unwrap());
            assert!(operator.row_norm_bound() >= operator.row_norm());
            assert!(operator.nonzeros_bound() >= operator.nonzeros() as u64);
            if kind == OperatorKind::OutAverage {
                assert!(norms.iter().all(|&norm| norm == 0 || norm == 1 << 14));
                continue;
            }
            assert_eq!(operator.active_rows(), operator.active_columns());
            for i in 0..50u32 {
                let (columns, weights) = operator.row(i as usize);
                for (&f, &w) in columns.iter().zip(weights) {
                    let (back, other) = operator.row(f as usize);
                    assert_eq!(other[back.binary_search(&i).unwrap()], w);
                }
            }
        }
    }

    #[test]
    fn the_ring_product_is_the_real_product() {
        for (kind, bits) in KINDS.into_iter().zip([32, 40, 48]) {
            for bits in [bits, 32, 33] {
                let operator = SocialOperator::build(kind, &social(150, 600, 3));
                let ring = RingBits::new(bits).unwrap();
                let integers: Vec<i64> = (0..150 * 7).map(|i| i * 7919 % 401 - 200).collect();
                let encoded = integers.iter().map(|&u| ring.from_signed(u)).collect();
                let encoded = RingMatrix::new(ring, 150, 7, encoded).unwrap();
                let reals = integers.iter().map(|&u| u as f64).collect();
                let reals = RealMatrix::from_vec(150, 7, reals).unwrap();
                let product = operator.multiply_ring(&encoded).unwrap();
                let expected = operator.multiply_real(&reals).unwrap();
                let unit = f64::from(1u32 << kind.weight_bits());
                for (&found, &expected) in product.values().iter().zip(expected.values()) {
                    assert_eq!(ring.to_signed(found) as f64, expected * unit);
                }
            }
        }
    }

    #[test]
    fn the_ring_product_wraps() {
        let s = SocialMatrix::from_links(2, [(0, 1)]).unwrap();
        let operator = SocialOperator::build(OperatorKind::NormalizedLaplacian, &s);
        for bits in [32, 44] {
            let ring = RingBits::new(bits).unwrap();
            let encoded = RingMatrix::new(ring, 2, 1, vec![ring.mask(), 1]).unwrap();
            let product = operator.multiply_ring(&encoded).unwrap();
            // 1024·(−1) − 1024·1 and its opposite, modulo 2^ℓ.
            assert_eq!(
                product.values(),
                [ring.from_signed(-2048), ring.from_signed(2048)]
            );
        }
    }

    #[test]
    fn refuses_another_number_of_rows() {
        let operator = SocialOperator::build(OperatorKind::Laplacian, &social(4, 3, 1));
        let refused = operator
            .multiply_real(&RealMatrix::zeros(5, 2))
            .err()
            .unwrap();
        assert_eq!(
            refused,
            SparseError::ShapeMismatch {
                expected: 4,
                actual: 5
            }
        );
    }
}
