//! Links between two daemons on one machine, shaped to a rate and a round-trip time.
//!
//! | module | one sentence |
//! |---|---|
//! | `namespaces` | each daemon in a network namespace, `tc netem` on the pair between them |
//! | `relay` | a relay on the loopback that keeps to the rate and the delay |
//! | `pacing` | when a byte may leave, and when it arrives |
//! | `placement` | where the daemons run: the loopback, or networks of their own |

mod namespaces;
mod pacing;
mod placement;
mod relay;

use crate::links::Shaping;

pub use namespaces::Namespaces;
pub use placement::{Place, Placement};
pub use relay::{Buffers, Relay};

/// A link that could not be shaped; what was tried, and what the system said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shaping the link failed: {0}")]
pub struct ShapingError(pub String);

/// How links are shaped here, and why not otherwise.
#[derive(Clone, Debug)]
pub struct Shaper {
    /// The way.
    pub shaping: Shaping,
    /// What kept us from namespaces; empty where they are used.
    pub why_not_namespaces: String,
}

impl Shaper {
    /// Namespaces where they can be made and shaped, which is tried; else the relay.
    #[must_use]
    pub fn detect() -> Self {
        match Namespaces::probe() {
            Ok(()) => Self {
                shaping: Shaping::Netem,
                why_not_namespaces: String::new(),
            },
            Err(ShapingError(why)) => Self {
                shaping: Shaping::TokenBucket,
                why_not_namespaces: why,
            },
        }
    }
}
