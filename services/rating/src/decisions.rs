//! What the social platform decides on proposals that no job has begun with, known here at once.
//!
//! While there are such proposals, one connection stands with a lifeline for each. The job that was
//! started has its own; a lifeline opened after that one would look like a platform that came back,
//! so both are opened under one lock (`Platform::deciding`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use s3rec_job::{JobEvent, JobId, JobState, Party, Phase};
use s3rec_wire::convert::job_id;
use s3rec_wire::status::{Fault, Reason};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::connection::{Lifeline, Notice, PeerConnection};
use crate::ending;
use crate::platform::Platform;

/// How soon a decision is seen.
const LOOK: Duration = Duration::from_millis(200);
/// After a connection that did not come about, or broke.
const AGAIN: Duration = Duration::from_secs(10);
/// Longest wait for a lifeline; whoever starts or cancels a job waits behind it.
const OPENING: Duration = Duration::from_secs(5);

/// Follows the decisions until `stop` turns true.
pub(crate) async fn follow(platform: Arc<Platform>, mut stop: watch::Receiver<bool>) {
    let followed = async {
        loop {
            if waiting(&platform).is_empty() {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            if let Err(fault) = follow_over_one_connection(&platform).await {
                tracing::debug!("the decisions on proposals are not known now: {fault}");
                tokio::time::sleep(AGAIN).await;
            }
        }
    };
    tokio::select! {
        () = followed => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Proposals that wait: for the decision, or approved for somebody who starts them.
fn waiting(platform: &Platform) -> Vec<JobId> {
    let is_waiting = |name: &String| {
        matches!(
            platform.state(name),
            JobState::Proposed | JobState::Approved
        )
    };
    let open = platform.journal.open_jobs().into_iter();
    open.filter(is_waiting)
        .filter_map(|name| job_id("job_id", &name).ok())
        .filter(|job| !platform.has_begun(*job))
        .collect()
}

/// Ends with the connection, or when nothing waits any more.
async fn follow_over_one_connection(platform: &Arc<Platform>) -> Result<(), Fault> {
    let mut connection = PeerConnection::open(platform).await?;
    let mut lifelines: HashMap<JobId, Lifeline> = HashMap::new();
    // Jobs that the social platform does not know.
    let mut unknown = HashSet::new();
    loop {
        {
            let _one_at_a_time = platform.deciding.lock().await;
            let waiting = waiting(platform);
            if waiting.is_empty() {
                return Ok(());
            }
            lifelines.retain(|job, _| waiting.contains(job));
            for job in waiting {
                if unknown.contains(&job) || lifelines.contains_key(&job) {
                    continue;
                }
                let opened = timeout(OPENING, connection.lifeline(job)).await;
                match opened {
                    Ok(Ok(lifeline)) => drop(lifelines.insert(job, lifeline)),
                    Ok(Err(fault)) if fault.reason == Reason::NotFound => {
                        tracing::warn!(%job, "the social platform does not know the proposal");
                        unknown.insert(job);
                    }
                    Ok(Err(fault)) => return Err(fault),
                    Err(_) => {
                        let message = "the social platform does not answer";
                        return Err(Fault::new(Reason::PeerIdle, message));
                    }
                }
            }
            for (job, lifeline) in &lifelines {
                match lifeline.notice() {
                    Notice::Nothing => {}
                    Notice::State(state) => take(platform, *job, state)?,
                    Notice::Over(fault) if is_open(platform, *job) => {
                        ending::end(platform, *job, &fault);
                    }
                    Notice::Over(_) => {}
                    Notice::Lost(fault) => return Err(fault),
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn is_open(platform: &Platform, job: JobId) -> bool {
    !platform.state(&job.to_string()).is_terminal()
}

/// Tells the people here of an approval; whether it is signed as it must be is asked when the job
/// begins.
fn take(platform: &Platform, job: JobId, heard: JobState) -> Result<(), Fault> {
    let name = job.to_string();
    if heard != JobState::Approved || platform.state(&name) != JobState::Proposed {
        return Ok(());
    }
    tracing::info!(%job, "approved");
    let last = platform.journal.last(&name).unwrap_or_default();
    platform.record(JobEvent {
        job: name,
        state: JobState::Approved,
        phase: Some(Phase::Consent),
        rounds: last.rounds,
        waiting_for: Some(Party::Rating),
        message: "Approved by the social platform; it begins with s3rec rating start.".into(),
        ..JobEvent::default()
    })
}
