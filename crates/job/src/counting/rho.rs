//! What noised openings promise, as it is counted: ρ of zero-concentrated differential privacy in
//! units of 10⁻⁹ (Bun and Steinke, 2016).

use s3rec_sparse::OperatorKind;
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::{FriendsRelease, release};

const NANO: f64 = 1e9;

/// ρ of one noised opening in units of 10⁻⁹, rounded up: never nothing, however small a proposal
/// makes its β.
#[must_use]
pub fn nano_rho(
    operator: OperatorKind,
    row_norm_bound: u64,
    row_norm_beta: f64,
    sigma: f64,
) -> u64 {
    let sensitivity = release::sensitivity(operator, row_norm_bound, row_norm_beta);
    let nano = (release::zcdp(1, sensitivity, sigma) * NANO).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and a cast stops at the largest number"
    )]
    let nano = nano as u64;
    nano.max(1)
}

/// ρ = μ²/2 of one opening of friends' sums in units of 10⁻⁹, rounded up.
#[must_use]
pub fn friends_nano_rho(release: &FriendsRelease) -> u64 {
    // A release without a μ is none that anybody consents to; it would count as all there is.
    let rho = release.mu().map_or(f64::INFINITY, Mu::rho);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and a cast stops at the largest number"
    )]
    let nano = (rho * NANO - 1e-6).ceil() as u64;
    nano.max(1)
}

/// √Σμ² of a count of ρ: of a Gaussian mechanism ρ is μ²/2. None before anything was opened.
#[must_use]
pub fn mu_of(nano_rho: u64) -> Option<Mu> {
    Mu::new((2.0 * rho_of(nano_rho)).sqrt())
}

/// ρ from units of 10⁻⁹.
#[must_use]
pub fn rho_of(nano_rho: u64) -> f64 {
    nano_rho as f64 / NANO
}

/// The least ε at `delta` for a count of ρ.
#[must_use]
pub fn epsilon_of(nano_rho: u64, delta: f64) -> f64 {
    if nano_rho == 0 {
        return 0.0;
    }
    release::epsilon(rho_of(nano_rho), delta)
}
