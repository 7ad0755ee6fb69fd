//! What each verb does: one call, one answer, shown.

mod audit;
mod bench;
mod bench_all;
mod bench_lists;
mod context;
mod descriptor;
mod estimate;
mod estimate_friends;
mod evaluate;
mod evaluate_lists;
mod evaluate_lists_text;
mod evaluate_text;
mod folds;
mod follow;
mod healthcheck;
mod importing;
mod job_file;
pub(crate) mod job_page;
mod leakage;
mod learning;
mod links;
mod parties;
mod pki;
mod pki_cards;
mod pki_install;
mod pki_shares;
mod psi;
mod rating;
mod rating_text;
mod records;
mod review;
mod scale;
mod scale_opening;
mod serve_load;
mod sets;
mod shared_text;
mod shipped;
mod social;
mod stored_text;
mod tune;
mod tune_lists;
mod verdict_text;
mod worker;

pub use audit::audit;
pub use bench::bench;
pub use context::context;
pub use descriptor::descriptor;
pub use estimate::estimate;
pub use evaluate::evaluate;
pub use healthcheck::healthcheck;
pub use pki::pki;
pub(crate) use pki_cards::agree_on;
pub use rating::rating;
pub use serve_load::{Latency, ServeLoadReport, measure as measure_serving};
pub(crate) use sets::most_dropped;
pub use shipped::{completions, generate, man};
pub use social::social;
pub use tune::tune;
pub use worker::worker;

use s3rec_node::pki::CertificateRole;
use s3rec_node::process::now_unix_ms;
use s3rec_wire::v1;

use crate::arguments::ReconcileArgs;
use crate::client;
use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::output::{Output, bytes, name, relative, to_json};
use crate::progress::JobProgress;

/// Shows events as they come: a bar or lines for people, the elements of one JSON array for
/// programs.
struct EventView {
    output: Output,
    progress: JobProgress,
    events: usize,
}

impl EventView {
    fn new(output: Output) -> Self {
        Self {
            output,
            progress: JobProgress::new(output.is_json()),
            events: 0,
        }
    }

    fn show(&mut self, event: &v1::JobEvent) -> Result<(), Failure> {
        self.progress.show(event);
        if self.output.is_json() {
            let opening = if self.events == 0 { "[" } else { "," };
            self.output.write(&format!("{opening}{}", to_json(event)))?;
        }
        self.events += 1;
        Ok(())
    }

    /// Closes the document, also after a failure.
    fn finish(self, last: Result<v1::JobEvent, Failure>) -> Result<(), Failure> {
        if self.output.is_json() {
            self.output
                .write(if self.events == 0 { "[]" } else { "]" })?;
        }
        let last = last?;
        drop(self.progress);
        finished(&last)?;
        if !self.output.is_json() {
            self.output
                .write(&format!("job {} finished", last.job_id))?;
        }
        Ok(())
    }
}

/// Prints a link for one log-in to the console of the platform whose people have `role`.
async fn console(
    connection: ConnectionArgs,
    role: CertificateRole,
    output: Output,
) -> Result<(), Failure> {
    let mut client = client::console(&connection.resolve(role)?, role).await?;
    let opened = client.open_console(v1::OpenConsoleRequest {}).await?;
    output.message(&opened.into_inner(), |opened| {
        let end = relative(opened.expires_unix_ms, now_unix_ms());
        format!("{}\nGood once; ends {end}.", opened.link)
    })
}

fn accepted_log(answer: &v1::AcceptPeerLogResponse) -> String {
    let sequence = answer.head.as_ref().map(|head| head.sequence);
    format!(
        "accepted: the other platform's audit log goes on from its entry {}; propose the job anew",
        sequence.map_or_else(String::new, |sequence| sequence.to_string())
    )
}

/// What a restored platform is reconciled with.
fn reconciling(arguments: &ReconcileArgs) -> Result<v1::ReconcileRequest, Failure> {
    let listed = arguments.disclosures.as_deref().map(client::stated_since);
    Ok(v1::ReconcileRequest {
        disclosures: listed.transpose()?.unwrap_or_default(),
        nothing_since: arguments.nothing_since,
    })
}

fn reconciled(answer: &v1::ReconcileResponse) -> String {
    let jobs = answer.jobs;
    format!("reconciled: of {jobs} jobs more is counted than the backup knew; jobs can begin again")
}

fn backup_written(written: &client::WrittenBackup) -> String {
    let (file, length) = (written.file.display(), bytes(written.bytes));
    format!(
        "{file}: {length}. It holds this platform's data; keep it as well as its data directory, and its \
         keys apart from it."
    )
}

/// A job that ended otherwise than with a model is a failure of the command.
pub(crate) fn finished(last: &v1::JobEvent) -> Result<(), Failure> {
    let state = match last.state() {
        v1::JobState::Finished => return Ok(()),
        state => state.as_str_name(),
    };
    Err(Failure::Job {
        state: name(state, "JOB_STATE"),
        message: last.message.clone(),
    })
}
