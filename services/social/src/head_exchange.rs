//! P1's side of signing the heads of both audit logs.

use std::sync::PoisonError;

use s3rec_audit::{Head, HeadExchange, PublicKey, Signature};
use s3rec_job::JobState;
use s3rec_wire::convert::{head_from_wire, head_to_wire};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::{CrossSignRequest, CrossSignResponse};

use crate::platform::Platform;

/// Answers either call.
pub(crate) fn answer(
    platform: &Platform,
    request: &CrossSignRequest,
    rating_key: &PublicKey,
) -> Result<CrossSignResponse, Fault> {
    platform.proposal(&request.job_id)?;
    let state = platform.state(&request.job_id);
    if !matches!(
        state,
        JobState::Approved | JobState::Running | JobState::Finished
    ) {
        let message = "audit logs meet over jobs that were approved and have not failed";
        return Err(Fault::new(Reason::OutOfOrder, message).at("job", &request.job_id));
    }
    let rating = head_from_wire("rating_head", request.rating_head.as_ref())?;
    if request.social_head.is_some() {
        return keep(platform, request, rating, rating_key);
    }
    // Whatever becomes of it: a head that is refused is stored too.
    platform.exchanging_heads.take().map_err(|wait| {
        let message = "the audit logs have met too often in an hour";
        let wait = wait.as_secs().saturating_add(1);
        Fault::new(Reason::LimitExceeded, message).remedied_by(format!("Sign again in {wait} s."))
    })?;
    platform.peer_log().check(&rating)?;
    let heads = HeadExchange {
        job: request.job_id.clone(),
        phase: request.phase().as_str_name().into(),
        rating,
        social: platform.slot.head()?,
    };
    let signature = platform.audit.sign_heads(&heads);
    let response = CrossSignResponse {
        social_head: Some(head_to_wire(&heads.social)),
        signature: signature.to_vec(),
    };
    *pending(platform) = Some((heads, signature));
    Ok(response)
}

fn keep(
    platform: &Platform,
    request: &CrossSignRequest,
    rating: Head,
    rating_key: &PublicKey,
) -> Result<CrossSignResponse, Fault> {
    let social = head_from_wire("social_head", request.social_head.as_ref())?;
    let Some((heads, ours)) = pending(platform).take().filter(|(heads, _)| {
        heads.job == request.job_id
            && heads.phase == request.phase().as_str_name()
            && (heads.rating, heads.social) == (rating, social)
    }) else {
        let message = "these heads are not the ones that this platform has signed last";
        return Err(Fault::new(Reason::OutOfOrder, message).at("job", &request.job_id));
    };
    let theirs = platform.read_signature(&heads, rating_key, &request.signature)?;
    platform.audit.keep_heads(&heads, &theirs, &ours)?;
    platform.peer_log().signed(&rating)?;
    Ok(CrossSignResponse::default())
}

fn pending(platform: &Platform) -> std::sync::MutexGuard<'_, Option<(HeadExchange, Signature)>> {
    let pending = platform.half_signed.lock();
    pending.unwrap_or_else(PoisonError::into_inner)
}
