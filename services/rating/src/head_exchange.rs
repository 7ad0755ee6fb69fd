//! P0's side of signing the heads of both audit logs, at every phase of a job.

use s3rec_audit::HeadExchange;
use s3rec_job::Phase;
use s3rec_wire::convert::{head_from_wire, head_to_wire, phase_name, phase_to_wire};
use s3rec_wire::status::Fault;
use s3rec_wire::v1::CrossSignRequest;

use crate::connection::{PeerConnection, read, timed};
use crate::platform::Platform;

/// Both platforms sign both heads; each keeps the other's signature.
pub(crate) async fn sign(
    platform: &Platform,
    connection: &mut PeerConnection,
    job: &str,
    phase: Phase,
) -> Result<(), Fault> {
    let rating = platform.audit.head()?;
    let mut request = CrossSignRequest {
        job_id: job.into(),
        phase: phase_to_wire(phase).into(),
        rating_head: Some(head_to_wire(&rating)),
        ..CrossSignRequest::default()
    };
    let answered = connection.client.cross_sign(timed(request.clone())).await;
    let answer = answered.map_err(|status| read(&status))?.into_inner();
    let social = head_from_wire("social_head", answer.social_head.as_ref());
    let social = social.map_err(s3rec_link::LinkError::Malformed)?;
    platform.peer_log().check(&social)?;
    let heads = HeadExchange {
        job: job.into(),
        phase: phase_name(Some(phase)).into(),
        rating,
        social,
    };
    let theirs = platform.read_signature(&heads, &connection.social_key, &answer.signature)?;
    let ours = platform.audit.sign_heads(&heads);
    platform.audit.keep_heads(&heads, &ours, &theirs)?;
    platform.peer_log().signed(&social)?;

    request.social_head = answer.social_head;
    request.signature = ours.to_vec();
    let stored = connection.client.cross_sign(timed(request)).await;
    stored.map_err(|status| read(&status)).map(drop)
}
