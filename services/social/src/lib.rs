//! The social platform's daemon (P1): it holds the links, decides on proposals, and takes part
//! in secure products that its operator has consented to.
//!
//! | module | one sentence |
//! |---|---|
//! | `platform` | what all calls share: store, journal, the one running job |
//! | `operator` | the verbs of the people here |
//! | `consent` | what consenting gives away, in words |
//! | `peer` | the rating platform's calls, in their order |
//! | `proposals`, `lifeline` | before a job runs, and while it does |
//! | `session` | the running job as stages, each holding what is known by then |
//! | `align`, `setup`, `rounds` | the phases of a job |
//! | `stock` | the columns that `preprocessed` multiplies before the rounds |
//! | `ledger` | what was opened, written before the answer leaves |

mod align;
mod args;
mod consent;
mod imports;
mod ledger;
mod lifeline;
mod operator;
mod peer;
mod platform;
mod proposals;
mod rounds;
mod serve;
mod session;
mod setup;
mod stock;

pub use args::Args;
pub use serve::{Daemon, DaemonError, start};

use std::process::ExitCode;

use s3rec_node::config::{SocialPeer, load};
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
                eprintln!("s3rec-social: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &Args) -> Result<(), DaemonError> {
    let settings = load::<SocialPeer>(&args.config, &args.overrides)?;
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
