//! End to end, one file a subject.
#![expect(missing_docs, reason = "tests")]

mod demo;
mod faults;
mod filmtrust;
mod identity;
mod imports;
mod operators;
mod peer_port;
mod shutdown;
