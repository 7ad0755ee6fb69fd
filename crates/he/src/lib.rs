//! The additive scheme behind the secure products: GLWE on tfhe, parameters, noise.
//!
//! Sections 2 and 3.1 of the protocol page, at the level of one block: m rows of at most N
//! columns. The order of the steps is enforced by types:
//!
//! ```text
//! P0                                        P1
//! SecretKey::generate
//! SecretKey::public_key  ── PublicKeyBodies ──▶ PublicKey::expand
//! SecretKey::encrypt_rows ─── RowBodies ──────▶ Accumulation::accumulate   step 2
//!                                               Accumulated::rerandomise   step 3
//!                                               Rerandomised::mask         step 4, share R
//!                                               Masked::add_to_used_slots  step 6, one shot
//! SecretKey::decrypt_share ◀── Response ─────── Masked::round              step 5
//! ```
//!
//! | symbol | name | shape | owner |
//! |---|---|---|---|
//! | s | [`SecretKey`] | κ binary polynomials | P0 |
//! | A_pk, b_pk | [`PublicKey`] | κ × κ and κ polynomials over Z_q | both |
//! | ct_f | [`UploadMasks`], [`RowBodies`] | κ + 1 polynomials a row | P0 encrypts |
//! | y_if | [`SparseRows`] | integer weights | P1 |
//! | v, e₁, e₂, ρ | from the response's seed | | P1 |
//! | W, R | shares of y·U | ℓ bits a slot | P0, P1 |

mod accumulate;
mod error;
mod exact;
pub mod noise;
mod packing;
mod parameters;
mod public;
mod response;
mod secret;
mod upload;

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests cut known values short"
)]
mod attack_tests;
#[cfg(test)]
mod edges_tests;
#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests cut known values short"
)]
mod lib_tests;
#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests cut known values short"
)]
mod noise_tests;
#[cfg(test)]
mod randomness_tests;

pub use accumulate::{Accumulation, RowSource, SparseRows};
pub use error::HeError;
pub use packing::RowPacking;
pub use parameters::{
    GlweParameters, MODULUS_BITS, RESPONSE_BODY_EXTRA_BITS, RESPONSE_MASK_EXTRA_BITS, noise_bits,
    security_bits,
};
pub use public::{PublicKey, PublicKeyBodies, Workspace};
pub use response::{Accumulated, Masked, Rerandomised, Response, social_share};
pub use secret::SecretKey;
pub use upload::{MaskPolynomial, RowBodies, UploadMasks, decode_bodies};
