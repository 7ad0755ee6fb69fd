//! A job's events until it ends.

use s3rec_wire::v1;
use tonic::Streaming;

use super::{RatingClient, SocialClient};
use crate::failure::Failure;

/// Follows a job at the rating platform; `on_event` sees every event. Returns the last one.
///
/// # Errors
/// [`Failure::Refused`] when the platform ends the stream with an error, or vanishes;
/// whatever `on_event` returns. A job that failed is not an error here.
pub async fn rating_events(
    client: &mut RatingClient,
    job_id: &str,
    on_event: impl FnMut(&v1::JobEvent) -> Result<(), Failure>,
) -> Result<v1::JobEvent, Failure> {
    let request = v1::WatchJobRequest {
        job_id: job_id.to_owned(),
    };
    follow(client.watch_job(request).await?.into_inner(), on_event).await
}

/// Waits until the social platform has decided on a job; gives the first event that says so, of a
/// job that may have ended with it.
///
/// # Errors
/// As [`rating_events`].
pub async fn decision(client: &mut RatingClient, job_id: &str) -> Result<v1::JobEvent, Failure> {
    let request = v1::WatchJobRequest {
        job_id: job_id.to_owned(),
    };
    let mut events = client.watch_job(request).await?.into_inner();
    while let Some(event) = events.message().await? {
        if event.state() != v1::JobState::Proposed {
            return Ok(event);
        }
    }
    Err(Failure::Incomplete {
        missing: "the event that tells the decision",
    })
}

/// Follows a job at the social platform, as [`rating_events`].
///
/// # Errors
/// As [`rating_events`].
pub async fn social_events(
    client: &mut SocialClient,
    job_id: &str,
    on_event: impl FnMut(&v1::JobEvent) -> Result<(), Failure>,
) -> Result<v1::JobEvent, Failure> {
    let request = v1::WatchProposalRequest {
        job_id: job_id.to_owned(),
    };
    follow(client.watch_proposal(request).await?.into_inner(), on_event).await
}

async fn follow(
    mut events: Streaming<v1::JobEvent>,
    mut on_event: impl FnMut(&v1::JobEvent) -> Result<(), Failure>,
) -> Result<v1::JobEvent, Failure> {
    let mut last = None;
    while let Some(event) = events.message().await? {
        on_event(&event)?;
        let ends = is_terminal(event.state());
        last = Some(event);
        if ends {
            break;
        }
    }
    last.filter(|event| is_terminal(event.state()))
        .ok_or(Failure::Incomplete {
            missing: "the event that ends the job",
        })
}

/// Whether a job in this state never changes again.
#[must_use]
pub fn is_terminal(state: v1::JobState) -> bool {
    use v1::JobState::{Cancelled, Failed, Finished, Rejected};
    matches!(state, Finished | Failed | Rejected | Cancelled)
}
