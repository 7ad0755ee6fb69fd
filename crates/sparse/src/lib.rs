//! Social operators and observed ratings as sparse matrices: patterns, public bounds and the
//! ring kernels, over `sprs`.
//!
//! | symbol | name | shape | owner |
//! |---|---|---|---|
//! | S | [`SocialMatrix`] | m × m binary | P1, the social platform |
//! | Y | [`SocialOperator`], derived from S | m × m integers at scale 2^f_y | P1 |
//! | R | [`RatingMatrix`] | users × items | P0, the rating platform |
//! | L | [`StatedBounds::bounds`], or [`SocialOperator::row_norm_bound`], a [`ladder`] value | integer | public |
//!
//! Nothing here talks to a peer. What may be told about a pattern is decided by the types of
//! [`pattern`]: only [`declassify`] turns a [`SecretPattern`] into a [`PublicPattern`].

mod error;
mod kernel;
mod ladder;
mod operator;
pub mod pattern;
mod ratings;
mod social;
mod stated;

pub use error::SparseError;
pub use ladder::ladder;
pub use operator::{OperatorKind, SocialOperator};
pub use pattern::{PatternPolicy, PublicPattern, SecretPattern, declassify};
pub use ratings::{Rating, RatingMatrix, user_mask};
pub use social::SocialMatrix;
pub use stated::{BoundsRule, OperatorBounds, PublicBounds, StatedBounds};
