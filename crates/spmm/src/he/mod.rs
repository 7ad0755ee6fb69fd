//! `he`: one homomorphic exchange per opening (protocol page, section 3.1; S3Rec's protocol).
//!
//! | symbol | name | shape | owner |
//! |---|---|---|---|
//! | s | [`RatingKeys`] | κ binary polynomials | P0 |
//! | (A_pk, b_pk) | public key, A_pk from both sides' seeds | κ × κ, κ polynomials | both |
//! | u_f | a row of U, in coefficients 0 … k−1 of a ciphertext | k over Z_{2^ℓ} | P0 |
//! | y_i | a row of Y | m integers, sparse | P1 |
//! | ρ | mask of a response, uniform over Z_q | N | P1 |
//! | W, R | shares of Y·U, W + R = Y·U | m × k over Z_{2^ℓ} | P0, P1 |
//!
//! 1. P0 encrypts: [`Upload`].
//! 2. P1 multiplies: [`Received::multiply`].
//! 3. P1 re-randomises: [`Multiplied::rerandomise`].
//! 4. P1 masks: [`Rerandomised::mask`].
//! 5. P1 rounds and sends: [`Masked::round`]; P0 decrypts its share.
//! 6. One shot: before step 5, P1 adds its share and the release noise, which makes P0's share the result.
//!
//! P0 learns Y·U on the returned rows, P1 nothing about U. [`RatingRound`] and [`SocialRound`]
//! are the two sides as [`Endpoint`](crate::Endpoint)s.

pub(crate) mod answer;
mod keys;
#[cfg(test)]
pub(crate) mod randomness_tests;
pub(crate) mod rating;
mod social;
pub(crate) mod steps;

pub(crate) use keys::SocialSecrets;
pub use keys::{RatingKeySetup, RatingKeys, SocialKeySetup, SocialKeys, public_key_seed};
pub use rating::{RatingRound, Upload};
pub(crate) use social::Kept;
pub use social::SocialRound;
pub use steps::{Masked, Multiplied, Received, Rerandomised};
