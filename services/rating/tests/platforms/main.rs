//! Both daemons over loopback with real TLS.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod endings;
mod joint_training;
mod killed;
mod pair;
mod policies;
mod preprocessed;
mod refusals;
mod replayed;
