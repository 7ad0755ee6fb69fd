//! What a social model does with the opened product. A further model is a new file with a
//! further implementer: it names the operator, and turns rows of Y·U into a pull on rows of U.

use s3rec_sparse::OperatorKind;

/// A social term over rows of U that depends on the links through Y·U alone.
///
/// Everything is stated for strength 1; the solver multiplies by γ, which may differ between
/// the factors and the bias column. A row whose product is all zeros has no social term: the
/// solver does not ask about it.
pub trait SocialObjective: Send + Sync {
    /// The operator whose product the term needs.
    fn operator(&self) -> OperatorKind;

    /// Adds `strength` × the term's gradient with respect to one entry u of U, given the
    /// entry (Y·U) of the same place.
    fn gradient(&self, current: f64, product: f64, strength: f64) -> f64;

    /// c: the term's curvature along any direction is at most c. `als` uses it as the
    /// proximal weight, so that its step never overshoots.
    fn curvature(&self) -> f64;

    /// One entry's part of the term's value; its sum over all entries is the social energy.
    fn energy(&self, current: f64, product: f64) -> f64;
}

/// ½ Σ s_if ‖u_i − u_f‖² = ½ tr(Uᵀ·Y·U), for the published and the normalised Laplacian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaplacianObjective {
    operator: OperatorKind,
    curvature: f64,
}

impl LaplacianObjective {
    /// The normalised Laplacian, whose ‖Y‖₂ ≤ 2 up to the rounding of its weights.
    pub fn normalized() -> Self {
        Self {
            operator: OperatorKind::NormalizedLaplacian,
            curvature: 2.01,
        }
    }

    /// The published Laplacian, whose ‖Y‖₂ is at most the public row norm bound L.
    pub fn published(row_norm_bound: u64) -> Self {
        Self {
            operator: OperatorKind::Laplacian,
            curvature: row_norm_bound.max(1) as f64,
        }
    }
}

impl SocialObjective for LaplacianObjective {
    fn operator(&self) -> OperatorKind {
        self.operator
    }

    fn gradient(&self, _current: f64, product: f64, strength: f64) -> f64 {
        strength * product
    }

    fn curvature(&self) -> f64 {
        self.curvature
    }

    fn energy(&self, current: f64, product: f64) -> f64 {
        0.5 * current * product
    }
}
