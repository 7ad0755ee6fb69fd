//! P1 checks parameters itself, against what it consented to and what it announced: whatever P0
//! writes into them, nothing goes on.

use s3rec_job::{Proposal, Terms};
use s3rec_spmm::{OperatorKind, PatternPolicy, ProductRequest, Protocol, ReleasePolicy};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::{JobState, ProductParameters};

use crate::attacker::proposal;
use crate::target::{Target, everybody, policy, ring_of_links};

/// What P1 says to those parameters; no commitment and no upload come of it.
async fn refused(
    proposal: Proposal,
    want: impl FnOnce(&mut ProductRequest),
    change: impl FnOnce(&mut ProductParameters),
) -> Fault {
    let mut target = Target::start(&policy(&[]), &ring_of_links()).await;
    let mut attacker = target.attacker().await;
    attacker.approved(&proposal).await;
    let (common, overlap) = attacker.align(proposal.job, &everybody()).await.unwrap();
    let common = (&common, overlap);
    let agreed = attacker.agree_wanting(&proposal, common, want, change);
    let fault = agreed.await.map(drop).expect_err("agreed");
    let (state, why) = target.end_of(&proposal.job.to_string()).await;
    assert_eq!(state, JobState::Failed, "{why}");
    let counters = target.counters().await;
    assert_eq!((counters.stocks, counters.openings), (0, 0));
    assert!(target.logged("stock").is_empty());
    fault
}

/// Each field that P1 consented to, or announced, said otherwise by P0: alone, and in a direction
/// that would still make a product.
#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_differ_from_the_consent_or_the_bounds_are_refused_by_field() {
    type Want = fn(&mut ProductRequest);
    // Each a set of parameters that fit together: only the consent and the bounds speak against it.
    let wishes: [(&str, Want); 12] = [
        ("protocol", |wish| wish.protocol = Protocol::He),
        ("operator", |wish| wish.operator = OperatorKind::OutAverage),
        ("release_policy", |wish| {
            wish.release = ReleasePolicy::Noised {
                sigma: 1.0,
                row_norm_beta: 1.0,
                delta: 1e-6,
            };
        }),
        ("columns", |wish| wish.columns += 1),
        ("rounds", |wish| wish.rounds += 1),
        ("guard_bits", |wish| wish.guard_bits = 1),
        ("saturation_bound", |wish| wish.saturation_bound = 4.0),
        ("users", |wish| {
            wish.users += 1;
            (wish.uploaded_rows, wish.returned_rows) = (wish.users, wish.users);
        }),
        ("row_norm_bound", |wish| wish.row_norm_bound *= 2),
        ("nonzeros_bound", |wish| wish.nonzeros_bound *= 2),
        ("pattern_policy", |wish| {
            wish.pattern = PatternPolicy::ActiveRows;
            (wish.uploaded_rows, wish.returned_rows) = (39, 39);
        }),
        ("fetched_rows_bound", |wish| {
            (wish.protocol, wish.operator) = (Protocol::PreprocessedPir, OperatorKind::OutAverage);
            wish.fetched_rows_bound = 8;
        }),
    ];
    for (field, want) in wishes {
        let fault = refused(proposal(Protocol::Preprocessed, 2), want, |_| ()).await;
        assert_eq!(fault.reason, Reason::Contradiction, "{field}: {fault:?}");
        // What comes with another field is named by whichever is looked at first.
        let by_name = fault.metadata["field"] == field || field == "fetched_rows_bound";
        assert!(by_name, "{field}: {fault:?}");
    }
    for rows in ["returned_rows", "uploaded_rows"] {
        let fewer = |p: &mut ProductParameters| match rows {
            "returned_rows" => p.returned_rows -= 1,
            _ => p.uploaded_rows -= 1,
        };
        let fault = refused(proposal(Protocol::Preprocessed, 2), |_| (), fewer).await;
        assert_ne!(fault.reason, Reason::Bug, "{rows}: {fault:?}");
    }
}

/// What the proposal says that parameters must keep.
#[tokio::test(flavor = "multi_thread")]
async fn parameters_beyond_the_proposals_bounds_are_refused_by_bound() {
    type Change = fn(&mut Terms);
    let kept: [(&str, Change); 3] = [
        ("most_common_users", |terms| terms.most_common_users = 39),
        ("least_security_bits", |terms| {
            terms.least_security_bits = 1024
        }),
        ("least_statistical_bits", |terms| {
            terms.least_statistical_bits = 1024
        }),
    ];
    for (bound, change) in kept {
        let mut proposal = proposal(Protocol::Preprocessed, 2);
        change(&mut proposal.terms);
        let fault = refused(proposal, |_| (), |_| ()).await;
        assert_eq!(fault.reason, Reason::BeyondConsent, "{bound}: {fault:?}");
        assert_eq!(fault.metadata["field"], bound, "{fault:?}");
    }
}

/// The lattice: less noise, a smaller ring, or more of a body rounded away than anybody can
/// decrypt through.
#[tokio::test(flavor = "multi_thread")]
async fn weaker_ciphertexts_are_refused() {
    let changes: [fn(&mut ProductParameters); 6] = [
        |p| p.noise_bits -= 1,
        |p| p.noise_bits = 0,
        |p| p.polynomial_size /= 2,
        |p| p.dropped_body_bits = 60,
        |p| p.glwe_dimension = 0,
        |p| p.ring_bits = 64,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let fault = refused(proposal(Protocol::Preprocessed, 2), |_| (), change).await;
        let by_name = [
            Reason::ParametersRefused,
            Reason::BeyondConsent,
            Reason::InvalidRequest,
        ];
        assert!(by_name.contains(&fault.reason), "{number}: {fault:?}");
    }
}
