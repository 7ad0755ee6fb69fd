//! What the other platform's calls and refusals are read into.

use s3rec_job::{
    Account, Consent, DataVersion, FinishedJob, JobDisclosure, JobRecord, ModelRecord,
    SignedApproval,
};
use s3rec_node::rows::Row;
use s3rec_wire::convert::{self, proposal_from_wire, proposal_to_wire};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tonic::{Code, Status};

#[test]
fn proposals() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let Ok(message) = v1::PeerProposal::from_record(bytes) else {
            return;
        };
        if let Ok(proposal) = proposal_from_wire(&message) {
            // What is accepted says the same again, so that no field is read two ways.
            assert!(proposal_from_wire(&proposal_to_wire(&proposal)).is_ok());
            assert!(proposal.columns() > 0);
        }
    });
}

#[test]
fn refusals() {
    bolero::check!()
        .with_type::<(u8, String, Vec<u8>)>()
        .for_each(|(code, message, details)| {
            let status = Status::with_details(
                Code::from(i32::from(*code) % 17),
                message.clone(),
                details.clone().into(),
            );
            if let Some(fault) = Fault::from_status(&status) {
                // A reason of the peer's must be one of ours, whatever else it says.
                assert!(Reason::from_name(fault.reason.name()).is_some());
                let _ = (fault.advice(), fault.into_status());
            }
        });
}

#[test]
fn stored_records() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let _ = v1::JobEvent::from_record(bytes);
        let _ = v1::JobSummary::from_record(bytes);
        let _ = v1::Disclosure::from_record(bytes);
        let _ = v1::Stock::from_record(bytes);
        let _ = v1::JobReportResponse::from_record(bytes);
        let _ = v1::ModelSummary::from_record(bytes);
    });
}

#[test]
fn stored_rows() {
    bolero::check!().for_each(|bytes: &[u8]| {
        if let Ok(row) = JobDisclosure::from_row(bytes) {
            assert!(JobDisclosure::from_row(&row.to_row()).is_ok());
        }
        let _ = Account::from_row(bytes);
        let _ = SignedApproval::from_row(bytes);
        let _ = DataVersion::from_row(bytes);
        let _ = JobRecord::from_row(bytes);
        let _ = FinishedJob::from_row(bytes);
        let _ = ModelRecord::from_row(bytes);
        let _ = Consent::from_row(bytes);
    });
}

#[test]
fn digests_and_halves() {
    bolero::check!().for_each(|bytes: &[u8]| {
        let digest = convert::digest_of("digest", bytes);
        assert_eq!(digest.is_ok(), bytes.len() == 32);
        let _ = convert::half_of("half", bytes);
    });
}
