//! Secure products of P0's dense factors and P1's sparse social operator: P0 learns Y·U and
//! nothing else about Y, P1 learns nothing about U (protocol page, sections 2 to 4).
//!
//! Pure two-party state machines: no clock, no network, no threads but rayon's. A driver moves
//! [`Frame`]s between two [`Endpoint`]s.
//!
//! | module | what |
//! |---|---|
//! | [`ProductParameters`], [`choose_parameters`] | what both sides agree on, and the inequalities |
//! | [`cost`] | bytes, time and memory before any data moves |
//! | [`he`] | one homomorphic exchange per opening (section 3.1) |
//! | [`fetch`] | the upload by private information retrieval (section 3.2) |
//! | [`preprocessed`] | masks multiplied beforehand, plain speed online (section 3.3) |
//! | [`noise_first`] | one noised opening of friends' sums (page `noised_opening`) |
//! | [`release`] | noise on openings and its accounting (section 6) |
//! | [`ideal`] | the functionality, and the product in the clear, for tests and benchmarks |
//! | [`pair`] | both endpoints in one process, with an interceptor, for tests and benchmarks |

mod admission;
mod chooser;
mod chunks;
pub mod cost;
mod digest;
mod endpoint;
mod entropy;
mod error;
mod exchange;
pub mod fetch;
mod frame;
pub mod he;
pub mod ideal;
mod kernel;
pub mod noise_first;
mod operand;
pub mod pair;
mod parameters;
mod policy;
pub mod preprocessed;
pub mod release;
#[cfg(test)]
mod release_tests;
mod rows;
mod schedule;
mod scratch;
#[cfg(test)]
mod vectors_tests;

pub use admission::{Admission, Asked, Uncounted};
pub use chooser::{LinkProfile, ProductRequest, choose_parameters};
pub use endpoint::Endpoint;
pub use error::SpmmError;
pub use frame::{Frame, MAX_FRAME_BYTES, Step};
pub use operand::SocialOperand;
pub use parameters::{Layout, ProductParameters, STATISTICAL_BITS};
pub use policy::{FriendsRelease, Protocol, ReleasePolicy};
pub use s3rec_sparse::{OperatorKind, PatternPolicy, PublicPattern};
pub use schedule::{Exchange, ScheduledFrame};
pub use scratch::WorkingSpace;
