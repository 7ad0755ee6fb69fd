//! What a release tells of single links: attackers of growing knowledge, how well they do, and an
//! audit that bounds μ from below (page `leakage` of the manual).
//!
//! For whoever holds the data: benchmarks, and P1's people before they consent. Nothing here talks
//! to anybody, and everything in it is as secret as the links.
//!
//! | symbol | name | shape |
//! |---|---|---|
//! | O, W | opened users (rows), uploaded users (columns); two-sided: all and all | users |
//! | X | rows of W that P0 uploads, of norm 1 | \|W\| × C |
//! | y | what is released: sums of friends' rows, with noise of deviation σ or without | \|O\| × C |
//! | pair | an opened and an uploaded user; two-sided each unordered pair once | |
//!
//! | module | what |
//! |---|---|
//! | [`Study`] | links among the common users, P0's rows, and what P0 knows besides |
//! | [`Release`] | one opening: exact sums, or those of the product `noise-first` itself |
//! | [`attack`] | every attacker on every release, as [`AttackRecord`]s |
//! | [`metrics`] | recall at a precision, ROC, advantage at a false alarm rate |
//! | [`audit`] | canary links in and out over many runs of the product: a lower bound on μ |

mod attacks;
pub mod audit;
mod draws;
mod error;
mod likelihood;
mod linear;
mod matching;
pub mod metrics;
mod openings;
mod prior;
mod product;
mod regression;
mod release;
mod study;

pub use attacks::{AttackOptions, AttackRecord, StatedMu, attack};
pub use error::LeakageError;
pub use release::{Exposure, Release};
pub use study::{Study, StudyOptions};
