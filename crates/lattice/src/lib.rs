//! The ring of the noised product (page `noised_opening`, section 3): polynomials modulo
//! X^N + 1 over a prime q of 50 bits, and what is done with them. No protocol lives here.
//!
//! | module | one sentence |
//! |---|---|
//! | [`modulus`] | q, and exact arithmetic modulo q in vectors of doubles |
//! | [`polynomial`] | polynomials as coefficients or as values at points, told apart by type |
//! | [`transform`] | from coefficients to points and back, and the automorphism τ on both |
//! | [`columns`] | the transform over the places of a pack, at every point |
//! | [`code`] | rounding to fewer bits for the wire, and back |
//! | [`digits`] | balanced digits for key switching |
//! | [`gaussian`] | discrete Gaussian noise, narrow and wide |
//!
//! Every kernel gives the same integers on every processor: doubles hold integers below 2^53
//! exactly, and fused multiply-add is exact where IEEE 754 says so.

pub mod code;
pub mod columns;
pub mod digits;
mod error;
pub mod gaussian;
pub mod modulus;
pub mod polynomial;
pub mod transform;

pub use error::LatticeError;
pub use polynomial::{Coefficients, DEGREE, Points, Polynomial};
