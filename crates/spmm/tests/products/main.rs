//! The products from outside: one contract for all of them, faults, transcripts, pads.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod admission;
mod awaited;
mod continuing;
mod contract;
mod faults;
mod filmtrust;
mod noise_first;
mod pads;
mod refusals;
mod simulation;
mod stock_refusals;
mod stocks;
mod transcript;
mod trimming;
mod world;
