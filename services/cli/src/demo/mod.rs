//! `s3rec demo`: both platforms on this machine, from keys to report.
//!
//! | module | one sentence |
//! |---|---|
//! | `arguments` | what may be chosen |
//! | `synthetic` | the generated data as files |
//! | `workspace` | the temporary directory: keys, configurations, data |
//! | `daemons` | both daemons as processes that cannot outlive us |
//! | `conversation` | what the people at both platforms do, in order |
//! | `oracle` | the same training in the clear, which needs both sides' data |
//! | `summary` | `report.json` and the table |

mod arguments;
mod conversation;
mod daemons;
mod oracle;
mod summary;
mod synthetic;
mod workspace;

use std::path::Path;

pub use arguments::DemoArgs;
pub use synthetic::write_synthetic;

use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::output::{Output, note};
use conversation::Conversation;
use daemons::Daemons;
use workspace::Workspace;

/// Runs the demonstration and leaves nothing behind, whatever happens.
///
/// # Errors
/// [`Failure::Daemon`] with the surviving platform's words when a daemon ends early,
/// [`Failure::Interrupted`], or whatever any step reports.
pub async fn demo(arguments: DemoArgs, output: Output) -> Result<(), Failure> {
    arguments.check()?;
    // Nothing that must be removed exists before signals are watched.
    let mut interrupts = Interrupts::listen()?;
    let workspace = Workspace::create(&arguments)?;
    let mut daemons = Daemons::default();
    let outcome = tokio::select! {
        outcome = supervised(&arguments, output, &workspace, &mut daemons) => outcome,
        interrupted = interrupts.received() => Err(interrupted),
    };
    daemons.stop().await;
    outcome
}

async fn supervised(
    arguments: &DemoArgs,
    output: Output,
    workspace: &Workspace,
    daemons: &mut Daemons,
) -> Result<(), Failure> {
    daemons.start(workspace).await?;
    let mut conversation = Conversation::open(workspace, daemons).await?;
    let talked = tokio::select! {
        talked = conversation.run(arguments, workspace, output.is_json()) => talked,
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
    let summary = summary::Summary::new(arguments, results);
    if let Some(directory) = &arguments.report {
        write_report(directory, &summary)?;
    }
    output.value(&summary.to_json(), || summary.to_string())?;
    if let Some(directory) = &arguments.report
        && !output.is_json()
    {
        note(&format!(
            "Report: {}",
            directory.join("report.json").display()
        ));
    }
    Ok(())
}

fn write_report(directory: &Path, summary: &summary::Summary) -> Result<(), Failure> {
    let path = directory.join("report.json");
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&path, format!("{:#}\n", summary.to_json())))
        .map_err(|source| Failure::File { path, source })
}
