//! End to end, one file a subject.
#![expect(clippy::unwrap_used, reason = "tests, their helpers included")]

mod demo;
mod faults;
mod filmtrust;
mod identity;
mod imports;
mod models;
mod operators;
mod peer_port;
mod samples;
mod shutdown;
