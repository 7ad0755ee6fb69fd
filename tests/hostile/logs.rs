//! Audit logs that both have signed do not become shorter, nor others.

use s3rec_audit::{Head, HeadExchange};
use s3rec_job::JobId;
use s3rec_node::audit::LOG_FILE;
use s3rec_spmm::Protocol;
use s3rec_wire::convert::{head_from_wire, head_to_wire};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::Phase;

use crate::attacker::{Attacker, fault_of, proposal};
use crate::target::{Target, policy, ring_of_links};

impl Attacker {
    /// Both calls of a meeting over the heads of both logs, ours being `rating`.
    async fn cross_sign(&mut self, job: JobId, rating: Head) -> Result<(), Fault> {
        let mut request = v1::CrossSignRequest {
            job_id: job.to_string(),
            phase: Phase::Consent.into(),
            rating_head: Some(head_to_wire(&rating)),
            ..v1::CrossSignRequest::default()
        };
        let answered = self.client.cross_sign(request.clone()).await;
        let answer = answered.map_err(|status| fault_of(&status))?.into_inner();
        let heads = HeadExchange {
            job: job.to_string(),
            phase: Phase::Consent.as_str_name().into(),
            rating,
            social: head_from_wire("social_head", answer.social_head.as_ref()).unwrap(),
        };
        request.social_head = answer.social_head;
        request.signature = self
            .signer
            .sign(s3rec_audit::head_exchange::LABEL, &heads.statement())
            .to_vec();
        let kept = self.client.cross_sign(request).await;
        kept.map(drop).map_err(|status| fault_of(&status))
    }
}

fn head(log: u8, sequence: u64, hash: u8) -> Head {
    Head {
        log: [log; 32],
        sequence,
        hash: [hash; 32],
    }
}

/// A rating platform that was restored from a backup, or wrote its log anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_has_become_shorter_is_refused() {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    for later in [head(1, 40, 9), head(1, 50, 8), head(1, 0, 9)] {
        let proposal = proposal(Protocol::Preprocessed, 1);
        attacker.approved(&proposal).await;
        let met = target.log().head_exchanges.len();
        if met == 0 {
            attacker
                .cross_sign(proposal.job, head(1, 50, 9))
                .await
                .unwrap();
            assert_eq!(target.log().head_exchanges.len(), 1);
        }
        let met = target.log().head_exchanges.len();
        let fault = attacker.cross_sign(proposal.job, later).await;
        let fault = fault.expect_err("a log that lost what both had signed");
        assert_eq!(fault.reason, Reason::LedgersDiffer, "{later:?}: {fault:?}");
        assert_eq!(target.log().head_exchanges.len(), met);
        // Also not by way of a restart.
        attacker = target.restart(attacker, |_| ()).await;
    }
    // The same head, or a later one of the same log, is what honest platforms show.
    let proposal = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&proposal).await;
    attacker
        .cross_sign(proposal.job, head(1, 50, 9))
        .await
        .unwrap();
    attacker
        .cross_sign(proposal.job, head(1, 51, 7))
        .await
        .unwrap();
}

/// A meeting that P0 signs with another key, or over other heads than P1 has signed.
#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_is_not_signed_is_not_kept() {
    let target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let first = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&first).await;
    attacker.signer = s3rec_audit::Signer::generate().unwrap();
    let kept = attacker.cross_sign(first.job, head(1, 5, 9)).await;
    assert_eq!(kept.unwrap_err().reason, Reason::NotSigned);
    assert!(target.log().head_exchanges.is_empty());
    // Nor does a head that was never signed by both count as seen.
    let mut attacker = target.attacker().await;
    let second = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&second).await;
    attacker
        .cross_sign(second.job, head(1, 4, 9))
        .await
        .unwrap();
    assert_eq!(target.log().head_exchanges.len(), 1);
    assert!(target.data_dir().join(LOG_FILE).exists());
}

/// Meetings over and over, whose entries stay for ever, and over a job that has ended.
#[tokio::test(flavor = "multi_thread")]
async fn meetings_without_end_are_refused_by_their_rate() {
    let mut target = Target::configured(&policy(&[]), |settings| {
        settings.limits.proposals_per_hour = 2;
    })
    .await;
    target.import(&ring_of_links()).await;
    let mut attacker = target.attacker().await;
    let first = proposal(Protocol::Preprocessed, 1);
    attacker.approved(&first).await;
    let mut kept = 0;
    let refused = loop {
        match attacker.cross_sign(first.job, head(1, 5 + kept, 9)).await {
            Ok(()) => kept += 1,
            Err(fault) => break fault,
        }
        assert!(kept < 100, "all were kept");
    };
    assert_eq!(refused.reason, Reason::LimitExceeded, "{refused:?}");
    assert_eq!(target.log().head_exchanges.len() as u64, kept);
    // An honest job has five, and as many after an absence.
    assert!(kept >= 10);
    attacker.abort(first.job).await;
    let ended = attacker.cross_sign(first.job, head(1, 500, 9)).await;
    assert_eq!(ended.unwrap_err().reason, Reason::OutOfOrder);
}
