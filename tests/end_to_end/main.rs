//! End to end, one file a subject.

mod demo;
mod faults;
mod filmtrust;
mod identity;
mod imports;
mod operators;
mod peer_port;
mod shutdown;
