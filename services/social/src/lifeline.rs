//! The job's lifeline: tells P0 every state, and tells us when P0 is gone.

use std::sync::Arc;

use s3rec_wire::convert::JobId;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::platform::Platform;

/// Tells every new state of the job; a caller that goes away while the job runs ends it.
pub(crate) fn open(
    platform: Arc<Platform>,
    job: JobId,
) -> Result<ReceiverStream<Result<v1::Decision, Status>>, Fault> {
    let name = job.to_string();
    let mut events = platform.journal.watch(&name)?;
    let (sender, receiver) = mpsc::channel(4);
    let number = platform.slot.attach(job);
    tokio::spawn(async move {
        let mut told = JobState::Unspecified;
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = sender.closed() => {
                    lost(&platform, job, number);
                    return;
                }
            };
            let Some(Ok(event)) = event else {
                platform.slot.detach(job, number);
                return;
            };
            if event.state() == told {
                continue;
            }
            told = event.state();
            let decision = v1::Decision {
                job_id: name.clone(),
                state: told.into(),
                reason: event.message,
            };
            if sender.send(Ok(decision)).await.is_err() {
                lost(&platform, job, number);
                return;
            }
        }
    });
    Ok(ReceiverStream::new(receiver))
}

fn lost(platform: &Platform, job: JobId, number: u64) {
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
        0 if platform
            .journal
            .last(&job.to_string())
            .unwrap_or_default()
            .phase()
            == Phase::Offline =>
        {
            "while masks were multiplied before the first round".to_owned()
        }
        0 => "before the first round".to_owned(),
        _ => format!("in round {round}, whose opening was answered or begun"),
    };
    let message = format!(
        "The rating platform ({peer}) vanished {when}. Nothing more was opened. Ask its operators \
         to look at their daemon and start it again; they must propose the job anew."
    );
    platform.end(&job.to_string(), JobState::Failed, &message);
}
