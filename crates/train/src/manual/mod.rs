//! How s3rec works and why, page by page.

#[doc = include_str!("contributing.md")]
pub mod contributing {}

#[doc = include_str!("decisions.md")]
pub mod decisions {}

#[doc = include_str!("threat_model.md")]
pub mod threat_model {}

#[doc = include_str!("objectives.md")]
pub mod objectives {}

#[doc = include_str!("solvers.md")]
pub mod solvers {}

#[doc = include_str!("benchmarks.md")]
pub mod benchmarks {}
