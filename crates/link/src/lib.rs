//! Channels between the platforms, and what drives a protocol over one.
//!
//! | module | one sentence |
//! |---|---|
//! | [`Channel`] | ordered frames both ways, with a reason when it ends |
//! | [`memory`] | a pair inside one process |
//! | [`grpc`] | one Exchange call, from either end |
//! | [`counting`] | bytes and messages each way, as encoded |
//! | [`pacing`] | answers no earlier than a public time |
//! | [`faulty`] | drops, delays, repeats, corrupts or dies at a chosen frame; for tests |
//! | [`drive`](drive()) | runs an endpoint over a channel, computing off the executor |

mod channel;
pub mod counting;
mod drive;
mod error;
pub mod faulty;
pub mod grpc;
pub mod memory;
pub mod pacing;

pub use channel::Channel;
pub use counting::{Count, Counting, Direction, Meter};
pub use drive::{DriveError, drive};
pub use error::LinkError;
