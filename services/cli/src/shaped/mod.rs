//! Links between two daemons on one machine, shaped to a rate and a round-trip time.
//!
//! | module | one sentence |
//! |---|---|
//! | `namespaces` | each daemon in a network namespace, `tc netem` on the pair between them |
//! | `relay` | a relay on the loopback that keeps to the rate and the delay |
//! | `pacing` | when a byte may leave, and when it arrives |

mod namespaces;
mod pacing;
mod relay;

use s3rec_bench::links::{LinkShape, Shaping};

use crate::demo::{DemoArgs, MeasuredTraining, Placement, train_over};
use crate::failure::Failure;
use namespaces::Namespaces;
pub use relay::{Buffers, Relay};

/// How links are shaped here, and why not otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Shaper {
    /// The way.
    pub(crate) shaping: Shaping,
    /// What kept us from namespaces; empty where they are used.
    pub(crate) why_not_namespaces: String,
}

impl Shaper {
    /// Namespaces where they can be made and shaped, which is tried; else the relay.
    pub(crate) fn detect() -> Self {
        match Namespaces::probe() {
            Ok(()) => Self {
                shaping: Shaping::Netem,
                why_not_namespaces: String::new(),
            },
            Err(why) => Self {
                shaping: Shaping::TokenBucket,
                why_not_namespaces: match why {
                    Failure::Shaping(why) => why,
                    other => other.to_string(),
                },
            },
        }
    }

    /// Trains once over `link`; with the bytes that the link carried.
    ///
    /// # Errors
    /// As the demonstration; [`Failure::Shaping`] when the link cannot be made.
    pub(crate) async fn train(
        &self,
        arguments: &DemoArgs,
        link: &LinkShape,
    ) -> Result<(MeasuredTraining, u64), Failure> {
        match self.shaping {
            Shaping::Netem => {
                // Dropped, and so removed, also when the training fails.
                let namespaces = Namespaces::create(link)?;
                let straight = |address: &str| Ok(address.to_owned());
                let measured = train_over(arguments, namespaces.placement(), straight).await?;
                Ok((measured, namespaces.carried_bytes()?))
            }
            Shaping::TokenBucket => {
                let mut relay = None;
                let through = |address: &str| {
                    let started = Relay::start(address, link, Buffers::Large)?;
                    let address = started.address();
                    relay = Some(started);
                    Ok(address)
                };
                let measured = train_over(arguments, Placement::default(), through).await?;
                Ok((measured, relay.map_or(0, |relay| relay.carried_bytes())))
            }
        }
    }
}
