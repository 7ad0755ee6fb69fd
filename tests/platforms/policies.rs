//! Pattern and release policies: told to P1's people, kept by both daemons, refused where they
//! mean nothing.

use crate::pair::{Pair, default_request};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

fn noised() -> v1::ReleasePolicy {
    let mut release = v1::ReleasePolicy {
        noise_sigma: 0.5,
        row_norm_beta: 1.0,
        delta: 1e-6,
        ..v1::ReleasePolicy::default()
    };
    release.set_kind(v1::ReleaseKind::Noised);
    release
}

fn coarse() -> v1::ReleasePolicy {
    let mut release = v1::ReleasePolicy {
        released_bits: 24,
        ..v1::ReleasePolicy::default()
    };
    release.set_kind(v1::ReleaseKind::Coarse);
    release
}

/// Runs the job; gives the warnings P1 was shown, the opened values, P1's statements, the model.
async fn trained(
    pair: &mut Pair,
    request: v1::ProposeJobRequest,
) -> (String, v1::Disclosure, Vec<f64>) {
    let (job, events) = pair.run(request).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    let listed = v1::ListProposalsRequest::default();
    let listed = pair.social.list_proposals(listed).await.unwrap();
    let proposals = listed.into_inner().proposals;
    let proposal = proposals.into_iter().find(|p| p.job_id == job).unwrap();
    let shown = pair.shown().await.disclosures;
    let shown = shown.into_iter().find(|d| d.job_id == job).unwrap();
    let model = pair.model(&job).await.0;
    (proposal.warnings.join("\n"), shown, model)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_release_and_pattern_is_told_and_kept() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let exact = trained(&mut pair, default_request(2)).await.2;

    let mut request = default_request(2);
    request.release_policy = Some(coarse());
    request.set_pattern_policy(v1::PatternPolicy::ActiveRowsAndColumns);
    let (warnings, shown, model) = trained(&mut pair, request).await;
    assert!(warnings.contains("24 bits") && warnings.contains("protects nothing"));
    assert!(warnings.contains("active-rows-and-columns"), "{warnings}");
    assert_eq!(shown.opened_values, 8 * 30);
    let apart = model.iter().zip(&exact).map(|(a, b)| (a - b).abs());
    let apart = apart.fold(0.0, f64::max);
    assert!(apart > 0.0 && apart < 0.05, "{apart}");

    for protocol in [v1::Protocol::Preprocessed, v1::Protocol::He] {
        let mut request = default_request(2);
        request.set_protocol(protocol);
        request.release_policy = Some(noised());
        let operator = v1::Operator::Laplacian;
        request.model.as_mut().unwrap().set_operator(operator);
        let (warnings, shown, model) = trained(&mut pair, request).await;
        // 2 openings, sensitivity 2√2 at σ = 0.5: ρ = 2 · 8 / 0.25 / 2 = 32.
        for expected in ["ε = ", "δ = 0.000001", "one link", "ρ = 32"] {
            assert!(warnings.contains(expected), "{expected}: {warnings}");
        }
        let statements = shown.statements.join("\n");
        assert!(statements.contains("ε = "), "{statements}");
        assert!(model.iter().all(|value| value.is_finite()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn combinations_that_mean_nothing_are_refused_before_anybody_is_asked() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let mut certain = default_request(2);
    certain.release_policy = Some(v1::ReleasePolicy {
        delta: 1.5,
        ..noised()
    });
    // The statement would stand beside an exact list of who has links.
    let mut listed = default_request(2);
    listed.release_policy = Some(noised());
    listed.set_pattern_policy(v1::PatternPolicy::ActiveRows);
    let mut coarse_ciphertexts = default_request(2);
    coarse_ciphertexts.set_protocol(v1::Protocol::He);
    coarse_ciphertexts.release_policy = Some(coarse());
    let mut retrieval = default_request(2);
    retrieval.set_protocol(v1::Protocol::PreprocessedPir);
    for (request, named) in [
        (certain, "δ is 1.5"),
        (listed, "no noise covers that"),
        (coarse_ciphertexts, "coarse"),
        (retrieval, "preprocessed-pir"),
    ] {
        let refused = pair.rating.propose_job(request).await.unwrap_err();
        let fault = Fault::from_status(&refused).unwrap();
        assert_eq!(fault.reason, Reason::Unsupported, "{refused:?}");
        assert!(fault.message.contains(named), "{fault:?}");
    }
    let mut unnamed = default_request(2);
    unnamed.release_policy = None;
    let refused = pair.rating.propose_job(unnamed).await.unwrap_err();
    let fault = Fault::from_status(&refused).unwrap();
    assert_eq!(fault.reason, Reason::InvalidRequest, "{refused:?}");
}
