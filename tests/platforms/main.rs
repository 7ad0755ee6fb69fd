//! Both daemons over loopback with real TLS.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod bounded;
mod bounds_shown;
mod cluster;
mod consent;
mod datasets;
mod endings;
mod estimates;
mod flood;
mod friends;
mod friends_data;
mod impostors;
mod joint_training;
mod killed;
mod killed_friends;
mod ledgers;
mod own_settings;
mod pair;
mod policies;
mod preprocessed;
mod refusals;
mod replayed;
mod retrieval;
mod rosters;
mod shown;
mod starts;
