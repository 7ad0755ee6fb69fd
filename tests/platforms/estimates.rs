//! What is estimated of a proposal is about the proposal as it would be sent, and is refused where that
//! would be.

use std::collections::BTreeSet;

use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;

use crate::friends_data::{data, imported, own_factors, request};
use crate::pair::{Pair, file, upload};

async fn estimate(
    pair: &mut Pair,
    proposal: v1::ProposeJobRequest,
) -> Result<v1::EstimateJobResponse, Fault> {
    let asked = v1::EstimateJobRequest {
        proposal: Some(proposal),
        ..v1::EstimateJobRequest::default()
    };
    let answered = pair.rating.estimate_job(asked).await;
    let answered = answered.map(tonic::Response::into_inner);
    answered.map_err(|status| Fault::from_status(&status).unwrap())
}

fn most_opened(release: Option<v1::ReleasePolicy>) -> u32 {
    release.unwrap().friends.unwrap().most_opened
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_names_as_many_opened_users_as_the_proposal_does() {
    let mut pair = imported().await;
    let estimated = estimate(&mut pair, request(1.0)).await.unwrap();
    let proposal = estimated.proposal.unwrap();
    let estimated = most_opened(proposal.release_policy);
    // A third have one or two ratings, and some of the others are drawn.
    assert!((66..180).contains(&estimated), "{estimated}");
    // It can be sent as it came.
    let sent = pair
        .rating
        .propose_job(proposal)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(sent.state(), v1::JobState::Proposed);
    let listed = v1::ListProposalsRequest::default();
    let listed = pair.social.list_proposals(listed).await.unwrap();
    let seen = listed.into_inner().proposals.remove(0);
    assert_eq!(most_opened(seen.release_policy), estimated);
}

#[tokio::test(flavor = "multi_thread")]
async fn factors_that_a_proposal_is_refused_for_are_refused_of_an_estimate() {
    let mut pair = imported().await;
    let header = v1::FileHeader {
        file_name: "own.parquet".into(),
        dataset: "own".into(),
        ..v1::FileHeader::default()
    };
    let own = own_factors(&BTreeSet::new());
    pair.rating
        .import_factors(upload(header, &own))
        .await
        .unwrap();
    let with = |name: &str| v1::ProposeJobRequest {
        factors: name.into(),
        ..request(1.0)
    };
    estimate(&mut pair, with("own")).await.unwrap();
    let refused = estimate(&mut pair, with("another")).await.unwrap_err();
    assert_eq!(refused.reason, Reason::NotFound, "{refused:?}");

    // The ratings of other people, since the factors were imported.
    let (ratings, _) = data();
    let others = ratings.replace('u', "v");
    let given = pair.rating.import_ratings(file("ratings.tsv", &others));
    given.await.unwrap();
    let refused = estimate(&mut pair, with("own")).await.unwrap_err();
    assert_eq!(refused.metadata["field"], "factors", "{refused:?}");
    let status = pair.rating.propose_job(with("own")).await.unwrap_err();
    let proposed = Fault::from_status(&status).unwrap();
    assert_eq!(proposed.message, refused.message);
}
