//! A job that was proposed, from the decision to its end.

use s3rec_wire::v1;

use super::EventView;
use crate::client::{self, RatingClient};
use crate::failure::Failure;
use crate::output::{Output, note};

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
    let mut view = EventView::new(output);
    let last = client::rating_events(client, job, |event| view.show(event)).await;
    view.finish(last)
}
