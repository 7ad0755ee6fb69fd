//! Messages that older versions kept in their stores and files, read as what they mean now.
//!
//! Every function takes the bytes of one record.

use s3rec_audit::Head;
use s3rec_data::{FileHeader, ImportedFactors, ImportedLinks, ImportedRatings};
use s3rec_job::rating::RoundReport;
use s3rec_job::{
    Account, Consent, DataVersion, Evaluation, FinishedJob, JobCost, JobDisclosure, JobEvent,
    JobRequest, ModelRecord, Overlap, Proposal, Shown, SignedApproval, StockRecord, StockStage,
};

use crate::record::Record;
use crate::{WireError, convert, v1};

/// What a job has shown, of before schema 4.
///
/// # Errors
/// [`WireError::Record`], or naming a field that cannot be.
pub fn disclosure(bytes: &[u8]) -> Result<JobDisclosure, WireError> {
    convert::disclosure_from_wire(v1::Disclosure::from_record(bytes)?)
}

/// What was counted over jobs, of before schema 4.
///
/// # Errors
/// [`WireError::Record`].
pub fn account(bytes: &[u8]) -> Result<Account, WireError> {
    v1::Account::from_record(bytes).map(convert::account_from_wire)
}

/// An approval, of before schema 4.
///
/// # Errors
/// [`WireError::Record`].
pub fn approval(bytes: &[u8]) -> Result<SignedApproval, WireError> {
    let stored = v1::StoredApproval::from_record(bytes)?;
    Ok(SignedApproval {
        approval: stored.approval,
        signature: stored.signature,
    })
}

/// A version of data, of before schema 5.
///
/// # Errors
/// [`WireError::Record`].
pub fn data_version(bytes: &[u8]) -> Result<DataVersion, WireError> {
    let old = v1::DataVersion::from_record(bytes)?;
    Ok(DataVersion {
        dataset: old.dataset,
        lineage: old.lineage,
        version: old.version,
        salt: old.salt,
        commitment: old.commitment,
        imported_unix_ms: old.imported_unix_ms,
    })
}

/// The newest head of the other platform's log, of before schema 5.
///
/// # Errors
/// [`WireError::Record`], or naming a field that cannot be.
pub fn seen_head(bytes: &[u8]) -> Result<Head, WireError> {
    let v1::PeerHead {
        log,
        sequence,
        hash,
    } = v1::PeerHead::from_record(bytes)?;
    let head = v1::AuditHead {
        log,
        sequence,
        hash,
    };
    convert::head_from_wire("head", Some(&head))
}

/// A head that did not go on, and whether it was accepted since; of before schema 5.
///
/// # Errors
/// [`WireError::Record`], or naming a field that cannot be.
pub fn refused_head(bytes: &[u8]) -> Result<(Head, bool), WireError> {
    let old = v1::RefusedPeerHead::from_record(bytes)?;
    Ok((
        convert::head_from_wire("head", old.head.as_ref())?,
        old.accepted,
    ))
}

/// A stock, of before schema 5.
///
/// # Errors
/// [`WireError::Record`].
pub fn stock(bytes: &[u8]) -> Result<StockRecord, WireError> {
    let old = v1::Stock::from_record(bytes)?;
    Ok(StockRecord {
        stage: match old.state() {
            v1::StockState::Ready => StockStage::Ready,
            v1::StockState::Erased => StockStage::Erased,
            // One that nobody knows is not ready.
            v1::StockState::Making | v1::StockState::Unspecified => StockStage::Making,
        },
        peer: old.peer,
        identity: old.identity.try_into().ok(),
        columns: old.columns,
        columns_made: old.columns_made,
        updated_unix_ms: old.updated_unix_ms,
    })
}

/// An event, of before schema 6.
///
/// # Errors
/// [`WireError::Record`].
pub fn event(bytes: &[u8]) -> Result<JobEvent, WireError> {
    v1::JobEvent::from_record(bytes).map(convert::event_from_wire)
}

/// An event as versions before schema 6 stored it: the first steps of the migrations write some.
#[must_use]
pub fn event_to_record(event: JobEvent) -> Vec<u8> {
    convert::event_to_wire(event).to_record()
}

/// What a job has cost, of before schema 6.
///
/// # Errors
/// [`WireError::Record`].
pub fn job_cost(bytes: &[u8]) -> Result<JobCost, WireError> {
    v1::JobCostResponse::from_record(bytes).map(convert::job_cost_from_wire)
}

/// To how many ids P1 was asked, of before schema 6.
///
/// # Errors
/// [`WireError::Record`].
pub fn shown(bytes: &[u8]) -> Result<Shown, WireError> {
    v1::Shown::from_record(bytes).map(convert::shown_from_wire)
}

/// A proposal, of before schema 6, or as audit logs hold it.
///
/// # Errors
/// [`WireError::Record`]; any other where this version refuses the proposal.
pub fn proposal(bytes: &[u8]) -> Result<Proposal, WireError> {
    convert::proposal_from_wire(&v1::PeerProposal::from_record(bytes)?)
}

/// How a file is to be read, of before schema 7.
///
/// # Errors
/// [`WireError::Record`].
pub fn file_header(bytes: &[u8]) -> Result<FileHeader, WireError> {
    v1::FileHeader::from_record(bytes).map(convert::file_header_from_wire)
}

/// What an import of either platform found.
#[derive(Clone, Debug, PartialEq)]
pub enum Imported {
    /// P0's.
    Ratings(ImportedRatings),
    /// P1's.
    Links(ImportedLinks),
}

/// What an import of ratings or links found, of before schema 7: only ratings have a scale.
///
/// # Errors
/// [`WireError::Record`].
pub fn imported(bytes: &[u8]) -> Result<Imported, WireError> {
    let ratings = v1::ImportRatingsResponse::from_record(bytes)
        .ok()
        .filter(|ratings| ratings.scale_min != 0.0 || ratings.scale_max != 0.0);
    if let Some(ratings) = ratings {
        return Ok(Imported::Ratings(convert::imported_ratings_from_wire(
            ratings,
        )));
    }
    let links = v1::ImportLinksResponse::from_record(bytes)?;
    Ok(Imported::Links(convert::imported_links_from_wire(links)))
}

/// What an import of factors found, of before schema 7.
///
/// # Errors
/// [`WireError::Record`].
pub fn imported_factors(bytes: &[u8]) -> Result<ImportedFactors, WireError> {
    v1::ImportFactorsResponse::from_record(bytes).map(convert::imported_factors_from_wire)
}

/// What was asked for, of before schema 7.
///
/// # Errors
/// [`WireError::Record`]; any other where this version refuses the request.
pub fn request(bytes: &[u8]) -> Result<JobRequest, WireError> {
    convert::request_from_wire(v1::ProposeJobRequest::from_record(bytes)?)
}

/// When P0's job was made, of before schema 7; the rest of the record stands elsewhere.
///
/// # Errors
/// [`WireError::Record`].
pub fn job_created_unix_ms(bytes: &[u8]) -> Result<i64, WireError> {
    Ok(v1::JobSummary::from_record(bytes)?.created_unix_ms)
}

/// What a finished job came to, of before schema 7.
///
/// # Errors
/// [`WireError::Record`].
pub fn finished(bytes: &[u8]) -> Result<FinishedJob, WireError> {
    v1::JobReportResponse::from_record(bytes).map(convert::finished_from_wire)
}

/// A model, of before schema 7.
///
/// # Errors
/// [`WireError::Record`], or naming a setting that there is not.
pub fn stored_model(bytes: &[u8]) -> Result<ModelRecord, WireError> {
    convert::stored_model_from_wire(v1::ModelSummary::from_record(bytes)?)
}

/// A model beside what it must beat, of before schema 7.
///
/// # Errors
/// [`WireError::Record`].
pub fn evaluation(bytes: &[u8]) -> Result<Evaluation, WireError> {
    v1::EvaluateResponse::from_record(bytes).map(convert::evaluation_from_wire)
}

/// What P1's people were asked over a proposal, of before schema 7.
///
/// # Errors
/// [`WireError::Record`].
pub fn consent(bytes: &[u8]) -> Result<Consent, WireError> {
    let old = v1::ProposalSummary::from_record(bytes)?;
    Ok(Consent {
        peer: old.peer,
        created_unix_ms: old.created_unix_ms,
        warnings: old.warnings,
        dataset: old.dataset,
        is_ruled: !old.policy.is_empty(),
    })
}

/// The common users as version 0.1 kept them: rows, digest and sizes.
#[must_use]
pub fn common_users(bytes: &[u8]) -> Option<(Vec<u32>, [u8; 32], Overlap)> {
    let message = v1::CommonUsers::from_record(bytes).ok()?;
    let digest = convert::digest_of("digest", &message.digest).ok()?;
    let overlap = convert::overlap_from_wire(message.overlap?);
    Some((message.rows, digest, overlap))
}

/// A round's report as version 0.1 kept it.
///
/// # Errors
/// [`WireError::Record`].
pub fn round(bytes: &[u8]) -> Result<RoundReport, WireError> {
    v1::TrainingProgress::from_record(bytes).map(convert::round_from_wire)
}
