//! The command `s3rec`: keys, demonstration, and clients for the people at both platforms.
//!
//! | module | one sentence |
//! |---|---|
//! | [`arguments`] | the command line |
//! | [`contexts`] | which platforms are meant by default |
//! | [`init`] | a folder for each platform: configuration, keys, client file, checklist |
//! | [`connection`] | how to reach a platform: mutual TLS from flags, environment, client file |
//! | [`client`] | the operators' calls as functions |
//! | [`verbs`] | what each verb does and how its answer reads |
//! | [`demo`] | both platforms on this machine, from keys to report |
//! | [`doctor`] | examines one platform and says how to mend it |
//! | [`progress`] | a running job on stderr |
//! | [`output`] | text for people, one JSON document for programs |
//! | [`failure`] | what can go wrong, with reasons and exit codes |

pub mod arguments;
pub mod client;
pub mod connection;
pub mod contexts;
pub mod demo;
pub mod doctor;
pub mod failure;
pub mod init;
pub mod output;
pub mod progress;
pub mod verbs;

mod daemon;
mod interrupt;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use failure::Failure;
use output::Output;

/// Runs the command that the process was started as.
#[must_use]
pub fn main() -> ExitCode {
    // Where one program is all three, its name says which is meant.
    match called().as_deref() {
        Some("s3rec-rating") => return s3rec_rating::run(s3rec_rating::Args::parse()),
        Some("s3rec-social") => return s3rec_social::run(s3rec_social::Args::parse()),
        _ => {}
    }
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    let command = match arguments.command {
        Command::Daemon(arguments) => return daemon::run(arguments),
        Command::Healthcheck(arguments) => return verbs::healthcheck(&arguments, output),
        command => command,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(source) => {
            let failure = Failure::at("the executor's threads")(source);
            output.failure(&failure);
            return failure.exit_code();
        }
    };
    let outcome = runtime.block_on(run(command, output));
    // A computation that nobody waits for any more does not keep us.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}

/// The name that the process was started by, without its directory; none of the demonstration's
/// daemons, which have such a name and are `s3rec daemon`.
fn called() -> Option<String> {
    let mut arguments = std::env::args_os();
    let name = arguments.next()?;
    if arguments.next().is_some_and(|verb| verb == "daemon") {
        return None;
    }
    let name = std::path::Path::new(&name).file_name()?;
    name.to_str().map(str::to_owned)
}

async fn run(command: Command, output: Output) -> Result<(), Failure> {
    match command {
        Command::Pki(arguments) => verbs::pki(&arguments, output),
        Command::Init(arguments) => init::init(&arguments, output),
        Command::Context(verb) => verbs::context(verb, output),
        Command::Demo(arguments) => demo::demo(*arguments, output).await,
        Command::Estimate(arguments) => verbs::estimate(&arguments, output),
        Command::Evaluate(arguments) => verbs::evaluate(&arguments, output),
        Command::Tune(arguments) => verbs::tune(&arguments, output),
        Command::Bench(verb) => verbs::bench(verb, output).await,
        Command::Doctor(arguments) => doctor::doctor(*arguments, output).await,
        Command::Rating(command) => verbs::rating(command.verb, output).await,
        Command::Social(command) => verbs::social(command.verb, output).await,
        Command::Audit(verb) => verbs::audit(&verb, output),
        Command::Worker(verb) => verbs::worker(verb, output).await,
        Command::Descriptor(arguments) => verbs::descriptor(&arguments, output),
        Command::Generate(arguments) => verbs::generate(&arguments, output),
        Command::Completions(arguments) => verbs::completions(&arguments, output),
        Command::Man(arguments) => verbs::man(&arguments, output),
        // `main` has taken these.
        Command::Daemon(_) | Command::Healthcheck(_) => Ok(()),
    }
}
