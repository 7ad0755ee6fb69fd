//! What friends like, estimated from one noised opening (page `noised_opening`, section 4).
//! P0's own work, after the opening as often as it likes; no part of it sees a link.
//!
//! | symbol | name | shape |
//! |---|---|---|
//! | O, W | opened users (few ratings, and the calibration sample), the others | users |
//! | X | rows of W that are opened: [`rows_to_open`] | \|W\| × C |
//! | y | noised sums of a user's friends in W | \|O\| × C |
//! | σ | standard deviation of the noise in y, in units of X | 1 |
//!
//! The calibration sample are users with ratings who are opened all the same: what maps their
//! noised sums to what they like is learnt by ridge regression ([`FriendsEstimate::fit`]) and
//! applied to those of users without ratings. Users opened for having few ratings teach the map to
//! items too, at a quarter of the weight. It is used only if on calibration users, treated as
//! if they had no ratings, it beats popularity by [`GATE`] paired standard errors. Users with few
//! ratings get it as the centre of their prior ([`FewRatings`]), gated likewise.
//!
//! The model that X and the map are made with must not have seen the calibration users' ratings:
//! a map would otherwise learn what the items' factors remember of them.

mod calibration;
mod estimate;
mod estimates;
mod features;
mod few;
mod predicted;
mod ratings;
mod ridge;
mod rows;
mod served;
mod sides;
mod together;

pub(crate) use calibration::relevant;
pub use calibration::{Calibration, Judging};
pub use estimate::{Candidate, FriendsEstimate, Gate};
pub use estimates::Estimates;
pub use features::noisy_degree;
pub use few::{FewRatings, OwnRatings};
pub use predicted::PredictedBase;
pub(crate) use predicted::{KeptRatings, PredictedFriends};
pub use ratings::{FriendsRatings, PredictedRating};
pub use rows::rows_to_open;
pub use served::{
    FriendsBase, FriendsItem, FriendsLists, FriendsModel, FriendsModelBefore, FriendsQuality,
};
pub use sides::{OpenedSides, Sampling};
pub use together::Together;

/// Paired standard errors by which an estimate must beat what it takes the place of.
pub const GATE: f64 = 1.645;

/// C, columns of an opening, at most.
pub const COLUMNS: usize = 8;
