//! Draws from a seed: the same on every machine, whatever libraries do in their next version.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What is drawn from one seed, so that no two purposes see the same stream.
pub(crate) mod purpose {
    /// Where training starts, what a search tries, and links that are rewired.
    pub(crate) const START: u64 = 0;
    /// Training ratings held out once more.
    pub(crate) const INNER: u64 = 1;
    /// Users opened for calibration.
    pub(crate) const SIDES: u64 = 2;
    /// Ratings that a user keeps.
    pub(crate) const KEPT: u64 = 3;
    /// Rewired links of opened users.
    pub(crate) const BLOCK_PLACEBO: u64 = 4;
    /// Users whose ratings are hidden.
    pub(crate) const HIDDEN: u64 = 5;
    /// Noise of the first opening; further ones count on.
    pub(crate) const NOISE: u64 = 6;
    /// Parts of the users that a verdict is over; far from the noises.
    pub(crate) const VERDICT: u64 = 1 << 32;
}

/// The stream of a seed for one purpose.
#[must_use]
pub fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&purpose.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Evenly in [0, 1), 53 bits.
pub fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Sum of twelve uniforms: near enough to normal for a start, and only additions, so that the
/// same seed gives the same bits everywhere.
pub fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let unit = (0..12).map(|_| (rng.next_u64() >> 11) as f64).sum::<f64>();
    unit / (1u64 << 53) as f64 - 6.0
}

/// Evenly from 0 to `bound` − 1, but for a bias far below anything seen; 0 for no bound.
pub fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    let drawn = rng.next_u64() % bound.max(1) as u64;
    usize::try_from(drawn).unwrap_or(0)
}
