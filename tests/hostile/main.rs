//! A rating platform that does not keep to the conversation, against the social platform as it
//! ships: what leaves, what is counted, what is logged.
//!
//! The honest parts of what it says come from the crates that our own rating platform uses; it
//! has that one's certificate, and checks nothing.
#![expect(clippy::unwrap_used, reason = "tests, their helpers included")]

mod attacker;
mod target;

mod absences;
mod consents;
mod counts;
mod data;
mod friends;
mod logs;
mod openings;
mod parameters;
mod policies;
mod proposals;
mod sequence;
mod setups;
