//! Ring elements, fixed point and seeded randomness.
//!
//! The bottom of the workspace: everything a protocol party computes with, nothing that it
//! says. No I/O but the operating system's entropy ([`Seed::generate`]).
//!
//! - [`RingBits`], [`RingMatrix`]: Z_{2^ℓ} and matrices over it.
//! - [`RealMatrix`], [`FixedPoint`]: real numbers and their way into the ring and back.
//! - [`packing`]: exactly ℓ bits a value on the wire.
//! - [`vectors`]: loops for the vector units that a processor has.
//! - [`Seed`], [`PublicSeed`], [`Stream`]: all randomness, by label and content.

mod error;
mod fixed;
mod matrix;
pub mod packing;
mod prefetch;
mod ring;
mod sample;
mod seed;
mod stream;
pub mod vectors;

pub use error::AlgebraError;
pub use fixed::{FixedPoint, Saturations};
pub use matrix::{RealMatrix, RingMatrix};
pub use prefetch::prefetch;
pub use ring::RingBits;
pub use sample::tuniform_bytes;
pub use seed::{PublicSeed, Seed};
pub use stream::Stream;
