//! A job of the rating platform, from its proposal to its result.

use s3rec_wire::v1;

use super::{EventView, rating_text, shared_text};
use crate::client::{self, RatingClient};
use crate::failure::Failure;
use crate::output::{Output, note};

/// Waits for the social platform's decision on a job that was proposed.
///
/// # Errors
/// [`Failure::Job`] with the reason where it is not an approval; [`Failure::Refused`].
pub(super) async fn decision(
    client: &mut RatingClient,
    proposed: &v1::ProposeJobResponse,
    output: Output,
) -> Result<(), Failure> {
    if proposed.state() == v1::JobState::Proposed && !output.is_json() {
        note(&format!(
            "Proposed as the job {}; waiting for the decision of the social platform's operators.",
            proposed.job_id
        ));
    }
    let decided = client::decision(client, &proposed.job_id).await?;
    if client::is_terminal(decided.state()) {
        super::finished(&decided)?;
    }
    let decided = v1::ProposeJobResponse {
        state: decided.state,
        ..proposed.clone()
    };
    output.message(&decided, |decided| {
        let (job, state) = (&decided.job_id, shared_text::state(decided.state()));
        format!("job {job} is {state}")
    })
}

/// Starts a proposed job as soon as the social platform has approved it, and follows it to its end.
///
/// # Errors
/// [`Failure::Job`] for one that was rejected or did not end with a model; [`Failure::Refused`].
pub(super) async fn start(
    client: &mut RatingClient,
    proposed: &v1::ProposeJobResponse,
    output: Output,
) -> Result<(), Failure> {
    let job = &proposed.job_id;
    if !output.is_json() {
        note(&format!(
            "Proposed as the job {job}. It begins when the social platform's operators have approved it \
             (s3rec social review), and goes on by itself when this command is interrupted."
        ));
    }
    let request = v1::StartJobRequest {
        job_id: job.clone(),
        wait_for_approval: true,
    };
    client.start_job(request).await?;
    watch(client, job, output).await
}

/// Follows a job to its end, and shows what it came to.
///
/// # Errors
/// As [`start`].
pub(super) async fn watch(
    client: &mut RatingClient,
    job: &str,
    output: Output,
) -> Result<(), Failure> {
    let mut view = EventView::new(output);
    let last = client::watch_rating(client, job, |event| view.show(event)).await;
    view.finish(last)?;
    if output.is_json() {
        return Ok(());
    }
    let request = v1::JobReportRequest {
        job_id: job.to_owned(),
    };
    let report = client.job_report(request).await?.into_inner();
    output.message(&report, |report| {
        let result = rating_text::result(report);
        format!("{result}\nNow: s3rec rating recommend --user USER")
    })
}
