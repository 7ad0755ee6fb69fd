//! Seeded inputs for tests: the published data sets where they are at hand, and synthetic ones;
//! messages with one field changed; addresses.

pub mod addresses;
pub mod datasets;
pub mod fields;
pub mod learning;
