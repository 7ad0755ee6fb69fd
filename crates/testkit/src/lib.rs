//! Seeded inputs for tests: the published data sets where they are at hand, and synthetic ones.

pub mod datasets;
pub mod learning;
