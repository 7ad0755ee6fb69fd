//! `preprocessed`: cryptography before training, plain speed during it (protocol page, section 3.3).
//!
//! | symbol | name | shape | owner |
//! |---|---|---|---|
//! | Z | masks, one-time pads of U | m × C over Z_{2^ℓ}, C = k × rounds | P0, a seed |
//! | W, R | shares, W + R = Y·Z | returned rows × C | P0, P1, on disk |
//! | M | U − Z for one round's columns | m × k | crosses to P1 |
//! | T | Y·M + R (+ noise) | returned rows × k | crosses to P0 |
//!
//! Offline: key setup, then [`RatingBlock`] and [`SocialBlock`] for each block of columns.
//! After a break before the last block is made: [`RatingContinuation`] and [`SocialContinuation`].
//! Every start of either process after it: [`RatingSession`] and [`SocialSession`]. Each opening:
//! [`RatingOpening`] and [`SocialOpening`]. At the end: [`RatingClose`] and [`SocialClose`].
//!
//! P0 learns Y·U of the opened rounds, P1 nothing about U. What must hold, crash or no crash,
//! is kept by [`RatingStock`] and [`SocialStock`] through the order of their saves.

mod close;
mod continuation;
mod opening;
#[cfg(test)]
mod randomness_tests;
mod rating_block;
mod rating_stock;
mod record;
mod session;
mod shares;
mod social_block;
mod social_stock;
mod storage;

pub use close::{RatingClose, SocialClose};
pub use continuation::{RatingContinuation, SocialContinuation, StockPlace};
pub use opening::{RatingOpening, SocialOpening};
pub use rating_block::RatingBlock;
pub use rating_stock::RatingStock;
pub use record::{StockTerms, VoidReason};
pub(crate) use session::resume_schedule;
pub use session::{RatingSession, SocialSession};
pub use social_block::SocialBlock;
pub use social_stock::SocialStock;
pub use storage::{Bulk, DirectoryStorage, MemoryStorage, StockStorage, overwrite, replace};
