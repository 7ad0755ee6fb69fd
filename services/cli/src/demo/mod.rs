//! `s3rec demo`: both platforms on this machine, from keys to report.
//!
//! | module | one sentence |
//! |---|---|
//! | `arguments` | what may be chosen |
//! | `files` | the data: given or generated |
//! | `synthetic` | the generated data as files |
//! | `workspace` | the temporary directory: keys, configurations, data |
//! | `daemons` | both daemons as processes that cannot outlive us |
//! | `conversation` | what the people at both platforms do, in order |
//! | `measured` | one training over a given link, for `s3rec bench links` |
//! | `friends` | the report of an opening of friends' sums |
//! | `oracle` | the same training in the clear, which needs both sides' data |
//! | `summary` | `report.json` and the table |

mod arguments;
mod conversation;
mod daemons;
mod files;
mod friends;
mod measured;
mod oracle;
mod summary;
mod synthetic;
mod workspace;

use std::path::Path;

pub use arguments::DemoArgs;
pub use synthetic::write_synthetic;

use s3rec_bench::report::Report;
use s3rec_bench::shaped::Placement;
use s3rec_job::Party;

pub(crate) use measured::{MeasuredTraining, train_over};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::output::{Output, note};
use conversation::{Conversation, Results};
use daemons::Daemons;
use files::Files;
use friends::FriendsSummary;
use workspace::Workspace;

/// Runs the demonstration and leaves nothing behind, whatever happens; platforms that run
/// already keep what they were given.
///
/// # Errors
/// [`Failure::Daemon`] with the surviving platform's words when a daemon ends early,
/// [`Failure::Interrupted`], or whatever any step reports.
pub async fn demo(arguments: DemoArgs, output: Output) -> Result<(), Failure> {
    arguments.check()?;
    // Nothing that must be removed exists before signals are watched.
    let mut interrupts = Interrupts::listen()?;
    if let Some((rating, social)) = arguments.running_platforms()? {
        return tokio::select! {
            outcome = visiting(&arguments, output, &rating, &social) => outcome,
            interrupted = interrupts.received() => Err(interrupted),
        };
    }
    let workspace = Workspace::create(&arguments, Placement::default())?;
    let mut daemons = Daemons::default();
    let outcome = tokio::select! {
        outcome = supervised(&arguments, output, &workspace, &mut daemons) => outcome,
        interrupted = interrupts.received() => Err(interrupted),
    };
    daemons.stop().await;
    outcome
}

/// With platforms that run already, as an operator of each.
async fn visiting(
    arguments: &DemoArgs,
    output: Output,
    rating: &Connection,
    social: &Connection,
) -> Result<(), Failure> {
    let directory = tempfile::tempdir().map_err(Failure::at(&std::env::temp_dir()))?;
    let files = Files::prepare(arguments, directory.path())?;
    let mut conversation = Conversation::open(rating, social).await?;
    let results = conversation
        .run(arguments, &files, output.is_json())
        .await?;
    show(arguments, output, results)
}

/// With daemons of our own.
async fn supervised(
    arguments: &DemoArgs,
    output: Output,
    workspace: &Workspace,
    daemons: &mut Daemons,
) -> Result<(), Failure> {
    daemons.start(workspace).await?;
    let connection = |platform| workspace.connection(platform, daemons.operator_address(platform));
    let (rating, social) = (connection(Party::Rating), connection(Party::Social));
    let mut conversation = Conversation::open(&rating, &social).await?;
    let talked = tokio::select! {
        talked = conversation.run(arguments, workspace.files(), output.is_json()) => talked,
        early = daemons.unexpected_end() => Err(early),
    };
    let results = match talked {
        Ok(results) => results,
        // Whoever talks to a daemon that dies hears of a broken connection first.
        Err(failure) => {
            let failure = daemons.explain(failure).await;
            return Err(conversation.survivors_words(failure).await);
        }
    };
    show(arguments, output, results)
}

fn show(arguments: &DemoArgs, output: Output, results: Results) -> Result<(), Failure> {
    let results = match results {
        Results::Trained(trained) => *trained,
        Results::Friends(opened) => {
            let summary = FriendsSummary::new(*opened)?;
            if let Some(directory) = &arguments.report {
                write_json(directory, &summary.to_json())?;
                summary.page().write(directory)?;
            }
            output.value(&summary.to_json(), || summary.to_string())?;
            told_where(arguments, output);
            return Ok(());
        }
    };
    let summary = summary::Summary::new(arguments, results);
    if let Some(directory) = &arguments.report {
        write_report(directory, &summary)?;
    }
    output.value(&summary.to_json(), || summary.to_string())?;
    told_where(arguments, output);
    Ok(())
}

fn told_where(arguments: &DemoArgs, output: Output) {
    if let Some(directory) = &arguments.report
        && !output.is_json()
    {
        note(&format!(
            "Report: {}",
            directory.join("report.html").display()
        ));
    }
}

fn write_json(directory: &Path, report: &serde_json::Value) -> Result<(), Failure> {
    let path = directory.join("report.json");
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&path, format!("{report:#}\n")))
        .map_err(Failure::at(&path))
}

fn write_report(directory: &Path, summary: &summary::Summary) -> Result<(), Failure> {
    write_json(directory, &summary.to_json())?;
    // The same as a page, with the curves.
    Report::of_training(&summary.training())?.write(directory)?;
    Ok(())
}
