//! The rating platform's daemon (P0): it holds the ratings, trains the model, and asks the
//! social platform for secure products.
//!
//! | module | one sentence |
//! |---|---|
//! | [`plan()`] | what a proposal means for given ratings |
//! | `platform` | what all calls share: store, journal, the one running job |
//! | `operator` | the verbs of the people here |
//! | `jobs` | proposing, starting, cancelling |
//! | `runner` | a job from its approval to its end |
//! | `session` | the connection to the social platform and its lifeline |
//! | `align`, `setup`, `product`, `training` | the phases of a job |
//! | `bounded` | rows within the norm that a noised release assumes |
//! | `stock` | the columns that `preprocessed` multiplies before training |
//! | `outcome` | metrics, the stored model, the report |
//! | `stored`, `models` | models on disk and in memory: predict, recommend, evaluate, export |

mod align;
mod args;
mod bounded;
mod imports;
mod jobs;
mod models;
mod operator;
mod outcome;
pub mod plan;
mod platform;
mod product;
mod runner;
mod serve;
mod session;
mod setup;
mod stock;
mod stored;
mod training;

pub use args::Args;
pub use plan::{Plan, plan};
pub use serve::{Daemon, DaemonError, start};

use std::process::ExitCode;

use s3rec_node::config::{RatingPeer, load};
use s3rec_node::process;
use tokio::sync::watch;

/// Serves until SIGTERM or SIGINT, then drains.
#[must_use]
pub fn run(args: Args) -> ExitCode {
    match serve(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Tracing may not have started, and this is the last thing anybody reads.
            #[expect(clippy::print_stderr, reason = "the daemon could not start or go on")]
            {
                eprintln!("s3rec-rating: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &Args) -> Result<(), DaemonError> {
    let settings = load::<RatingPeer>(&args.config, &args.overrides)?;
    process::init_tracing(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        process::stop_on_signals(stop)?;
        start(settings, stopped).await?.served().await
    })
}
