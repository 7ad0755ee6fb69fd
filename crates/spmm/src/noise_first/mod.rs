//! `noise-first`: one opening of friends' sums with Gaussian noise, which also hides the noise of
//! the ciphertexts (page `noised_opening`, sections 2 and 3).
//!
//! P0 learns, for every opened user, Σ x_f over their friends among the others, plus noise of
//! standard deviation σ; P1 learns who is opened, and nothing else of the ratings.
//!
//! | symbol | name | shape | owner |
//! |---|---|---|---|
//! | S | friends: symmetric, 0/1, zero diagonal | m × m | P1 |
//! | O, W | opened users (rows), the others (columns); two-sided: all and all | subsets of m | public |
//! | X | rows x_f of users in W, ‖x_f‖₂ ≤ β | |W| × C | P0 |
//! | s, c, n | slots of a user, secrets, places of a pack; n = N/s and s·c ≥ C | | public |
//! | τ | X → X^(1+2s) | | public |
//! | g, h | bits of a result, log₂ of the noise in ring units: g + h = 50 | | public |
//! | σ | standard deviation of the noise, in units of x | | public |
//!
//! | module | one sentence |
//! |---|---|
//! | [`guarantee`] | what μ promises, in numbers and in words |
//! | [`Terms`], [`Parameters`], [`choose`] | what is agreed on, and the inequalities |
//! | [`Split`] | O and W |
//! | [`Job`] | one opening, and the digest by which both sides know that they mean the same |
//! | [`Friends`], [`Block`] | S, and the part of it that a release reads |
//! | [`RatingKeys`], [`SocialKeys`] | the session's keys: secrets at P0, key-switch and public keys at P1 |
//! | [`Upload`] | P0's rows as codes |
//! | [`Prepared`] | P1's a-parts and the part of the bodies that does not need X |
//! | [`PackMakers`], [`PackWorker`] | packs made elsewhere than in P1's one process |
//! | [`GroupMakers`], [`GroupWorker`] | the same of P0's rows |
//! | [`answer`], [`decode`] | the noised sums |
//! | [`MachinePace`] | how fast this machine prepares, by links that nobody has |
//! | [`RatingKeySetup`] … [`SocialAnswer`] | the exchanges, as [`Endpoint`](crate::Endpoint)s |
//!
//! One session has keys once; each opening has a number and a mask seed that are used once. The
//! order of messages: setup, (number, mask seed, job digest), a-parts, (job digest, bodies), answer. These types do no I/O:
//! whoever drives them stores P0's number, seed and finished bytes before the first byte leaves,
//! and at P1 what an [`OpeningRecord`] is told.

mod answer;
mod binding;
mod chooser;
mod error;
mod exchange;
mod friends;
pub mod guarantee;
mod keys;
mod pace;
mod pack;
mod parameters;
mod prepare;
mod split;
mod spread;
mod spread_groups;
mod terms;
mod upload;

pub use answer::{Noised, answer, decode, deviation, measure_residual};
pub use binding::{Job, Opening};
pub use chooser::choose;
pub use error::NoiseFirstError;
pub use exchange::{
    OpeningRecord, RatingAnswer, RatingKeySetup, RatingPrepare, SocialAnswer, SocialKeySetup,
    SocialPrepare, SocialPrepareAgain, SocialSession,
};
pub use friends::{Block, Friends};
pub use keys::{RatingKeys, SessionSeeds, SocialKeys};
pub use pace::MachinePace;
pub use parameters::{ParameterNumbers, Parameters, Sizes};
pub use prepare::Prepared;
pub use split::Split;
pub use spread::{PackMakers, PackWork, PackWorker, Packs};
pub use spread_groups::{GroupMakers, GroupWork, GroupWorker, Groups};
pub use terms::{Sides, Terms};
pub use upload::{Rows, Upload};

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod conditions_tests;
#[cfg(test)]
mod randomness_tests;
#[cfg(test)]
mod spread_tests;
#[cfg(test)]
mod tests;
