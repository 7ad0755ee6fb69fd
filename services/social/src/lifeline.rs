//! The job's lifeline: tells P0 every state, and tells us when P0 is away.

use std::sync::Arc;

use s3rec_job::{JobEvent, JobId, JobState};
use s3rec_wire::convert::state_to_wire;
use s3rec_wire::v1;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::absence;
use crate::approved;
use crate::platform::Platform;

/// Tells every new state of the job; while it runs, a caller that goes away is waited for.
pub(crate) fn open(
    platform: Arc<Platform>,
    job: JobId,
) -> ReceiverStream<Result<v1::Decision, Status>> {
    let name = job.to_string();
    let mut events = platform.journal.follow(&name);
    let (sender, receiver) = mpsc::channel(4);
    let number = platform.slot.attach(job);
    // A second lifeline means that P0 has given up whatever hung on the first.
    absence::suspend(&platform, job, "The rating platform connected anew.");
    tokio::spawn(async move {
        let mut sent = JobState::Unknown;
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = sender.closed() => {
                    lost(&platform, job, number);
                    return;
                }
            };
            let Some(event) = event else {
                platform.slot.detach(job, number);
                return;
            };
            if event.state == sent {
                continue;
            }
            sent = event.state;
            // Before the state was told, the approval was stored.
            let signed = match sent {
                JobState::Proposed | JobState::Rejected => None,
                _ => approved::signed(&platform, &name).ok().flatten(),
            };
            let signed = signed.unwrap_or_default();
            let decision = v1::Decision {
                job_id: name.clone(),
                state: state_to_wire(sent).into(),
                reason: peer_message(event),
                approval: signed.approval,
                approval_signature: signed.signature,
            };
            if sender.send(Ok(decision)).await.is_err() {
                lost(&platform, job, number);
                return;
            }
        }
    });
    ReceiverStream::new(receiver)
}

/// Of a decision and of an end the reason. What a running job does is told to the people here, in
/// words that are not the other platform's to hear.
fn peer_message(event: JobEvent) -> String {
    match event.state {
        JobState::Proposed | JobState::Running | JobState::Unknown => String::new(),
        _ if event.peer_message.is_empty() => event.message,
        _ => event.peer_message,
    }
}

fn lost(platform: &Arc<Platform>, job: JobId, number: u64) {
    if !platform.slot.detach(job, number) {
        return;
    }
    let Ok((round, peer)) = platform
        .slot
        .with(job, |running| (running.openings, running.peer.clone()))
    else {
        return;
    };
    let when = match round {
        0 => "before the first round".to_owned(),
        _ => format!("in round {round}, whose opening was answered or begun"),
    };
    absence::suspend(
        platform,
        job,
        &format!("The rating platform ({peer}) vanished {when}."),
    );
}
