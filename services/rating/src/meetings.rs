//! P0's side of signing the heads of both audit logs, at every phase of a job.

use s3rec_audit::{Head, Meeting, Signature};
use s3rec_node::store::Table;
use s3rec_wire::convert::{head_from_wire, head_to_wire};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{CrossSignRequest, Phase};

use crate::platform::Platform;
use crate::session::{Session, read, timed};

const PEER_HEADS: Table = Table("peer heads");

/// Both platforms sign both heads; each keeps the other's signature.
pub(crate) async fn meet(
    platform: &Platform,
    session: &mut Session,
    job: &str,
    phase: Phase,
) -> Result<(), Fault> {
    let rating = platform.audit.head()?;
    let mut request = CrossSignRequest {
        job_id: job.into(),
        phase: phase.into(),
        rating_head: Some(head_to_wire(&rating)),
        ..CrossSignRequest::default()
    };
    let answered = session.client.cross_sign(timed(request.clone())).await;
    let answer = answered.map_err(|status| read(&status))?.into_inner();
    let social = head_from_wire("social_head", answer.social_head.as_ref());
    let social = social.map_err(s3rec_link::LinkError::Malformed)?;
    never_shorter(platform, social)?;
    let meeting = Meeting {
        job: job.into(),
        phase: phase.as_str_name().into(),
        rating,
        social,
    };
    let invalid = || {
        let message = "the social platform's signature over both audit heads is not valid";
        Fault::new(Reason::NotSigned, message).at("job", job)
    };
    meeting
        .check(
            "the social platform",
            &session.social_key,
            &answer.signature,
        )
        .map_err(|_| invalid())?;
    let theirs: Signature = answer
        .signature
        .as_slice()
        .try_into()
        .map_err(|_| invalid())?;
    let ours = platform.audit.sign_meeting(&meeting);
    platform.audit.keep_meeting(&meeting, &ours, &theirs)?;
    let seen = v1::PeerHead {
        log: social.log.to_vec(),
        sequence: social.sequence,
        hash: social.hash.to_vec(),
    };
    platform.store.put(PEER_HEADS, "social", &seen)?;

    request.social_head = answer.social_head;
    request.signature = ours.to_vec();
    let kept = session.client.cross_sign(timed(request)).await;
    kept.map_err(|status| read(&status)).map(drop)
}

/// A log that both have signed does not become shorter.
fn never_shorter(platform: &Platform, social: Head) -> Result<(), Fault> {
    let seen: Option<v1::PeerHead> = platform.store.get(PEER_HEADS, "social")?;
    let Some(seen) = seen.filter(|seen| seen.log == social.log) else {
        return Ok(());
    };
    let same = social.sequence == seen.sequence && social.hash == *seen.hash;
    if social.sequence > seen.sequence || same {
        return Ok(());
    }
    let message = format!(
        "the social platform's audit log ends at entry {}; it has signed entry {} before",
        social.sequence, seen.sequence
    );
    Err(Fault::new(Reason::LedgersDiffer, message))
}
