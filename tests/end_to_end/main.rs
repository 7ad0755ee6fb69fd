//! End to end, one file a subject.
#![expect(clippy::unwrap_used, reason = "tests, their helpers included")]

mod alignment;
mod audits;
mod backups;
mod browsers;
mod chaos;
mod clocks;
mod compose;
mod console;
mod demo;
mod disks;
mod doctor;
mod evaluations;
mod faults;
mod filmtrust;
mod first_recommendation;
mod healthcheck;
mod hostile;
mod identity;
mod imports;
mod mistakes;
mod models;
mod observability;
mod operators;
mod own_factors;
mod peer_port;
mod python_client;
mod python_package;
mod rotation;
mod samples;
mod shutdown;
mod slow_links;
mod sources;
mod traces;
mod versions;
mod watching;
