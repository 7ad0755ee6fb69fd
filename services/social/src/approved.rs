//! The approval of a job as it is stored.

use s3rec_job::{Approval, Proposal, SignedApproval};
use s3rec_node::audit::APPROVAL_LABEL;
use s3rec_node::process::latest_unix_ms;
use s3rec_wire::convert::approval_from_bytes;
use s3rec_wire::status::{Fault, Reason};

use crate::platform::Platform;
use crate::tables::{APPROVALS, PROPOSALS};

/// The approval of a job with its signature, once there is one.
pub(crate) fn signed(platform: &Platform, job: &str) -> Result<Option<SignedApproval>, Fault> {
    Ok(platform.store.get(APPROVALS, job)?)
}

/// The approval of a job, refused once it has expired. What is stored must be what we signed.
pub(crate) fn in_force(platform: &Platform, job: &str) -> Result<Approval, Fault> {
    let signed = signed(platform, job)?.ok_or_else(|| {
        Fault::new(Reason::NotApproved, "nobody here has approved this job").at("job", job)
    })?;
    let by_us = platform.audit.public();
    if !by_us.has_signed(APPROVAL_LABEL, &signed.approval, &signed.signature) {
        let message = "the stored approval does not have this platform's signature";
        return Err(Fault::new(Reason::NotSigned, message).at("job", job));
    }
    let approval = approval_from_bytes(&signed.approval)?;
    let stored: Option<Proposal> = platform.store.get(PROPOSALS, job)?;
    if stored.as_ref() != Some(&approval.proposal) {
        let message = "the stored proposal is not the approved one";
        return Err(Fault::new(Reason::NotSigned, message).at("job", job));
    }
    not_expired(approval.expires_unix_ms)?;
    Ok(approval)
}

/// Refuses what has ended by our clock.
pub(crate) fn not_expired(end_unix_ms: i64) -> Result<(), Fault> {
    if latest_unix_ms() <= end_unix_ms {
        return Ok(());
    }
    let message = "the proposal, or the approval of it, has expired";
    Err(Fault::new(Reason::Expired, message))
}
