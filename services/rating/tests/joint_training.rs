//! Two daemons, real TLS, real ciphertexts: one joint training from import to recommendation.

mod pair;

use pair::Pair;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};

#[tokio::test(flavor = "multi_thread")]
async fn two_platforms_train_one_model() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let job = pair.propose(3).await;

    let listed = v1::ListProposalsRequest { pending_only: true };
    let listed = pair.social.list_proposals(listed).await.unwrap().into_inner();
    let warnings = listed.proposals[0].warnings.join("\n");
    assert!(warnings.contains("66 %") && warnings.contains("94 %"), "{warnings}");
    assert_eq!(listed.proposals[0].peer, "s3rec rating");

    let early = v1::StartJobRequest {
        job_id: job.clone(),
        wait_for_approval: false,
    };
    let refused = pair.rating.start_job(early).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);

    pair.begin(&job).await;
    pair.approve(&job).await;
    let events = pair.watch(&job).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    let rounds: Vec<_> = events
        .iter()
        .filter(|event| event.phase() == Phase::Online && event.training.is_some())
        .map(|event| event.round)
        .collect();
    assert_eq!(rounds, [1, 2, 3]);
    assert_eq!(pair.social_end(&job).await.state(), JobState::Finished);

    check_report(&mut pair, &job).await;
    check_model(&mut pair).await;
}

/// Both sides count the same.
async fn check_report(pair: &mut Pair, job: &str) {
    let request = v1::JobReportRequest { job_id: job.into() };
    let report = pair.rating.job_report(request).await.unwrap().into_inner();
    let request = v1::JobCostRequest { job_id: job.into() };
    let cost = pair.social.job_cost(request).await.unwrap().into_inner();
    assert_eq!(report.parameters, cost.parameters);
    let (ours, theirs) = (report.online.unwrap(), cost.online.unwrap());
    assert_eq!(ours.bytes_to_social, theirs.bytes_to_social);
    assert_eq!(ours.bytes_to_rating, theirs.bytes_to_rating);
    assert_eq!(ours.messages, theirs.messages);
    let (ours, theirs) = (report.offline.unwrap(), cost.offline.unwrap());
    assert_eq!(ours.bytes_to_social, theirs.bytes_to_social);
    assert_eq!(ours.bytes_to_rating, theirs.bytes_to_rating);

    let all = v1::ListSocialDisclosuresRequest {};
    let shown = pair.social.list_disclosures(all).await.unwrap().into_inner();
    let all = v1::ListRatingDisclosuresRequest {};
    let seen = pair.rating.list_disclosures(all).await.unwrap().into_inner();
    let (shown, seen) = (&shown.disclosures[0], &seen.disclosures[0]);
    assert_eq!((shown.openings, shown.opened_columns, shown.opened_values), (3, 12, 12 * 30));
    assert_eq!(seen.opened_values, shown.opened_values);
    assert_eq!(shown.common_users, 30);
}

async fn check_model(pair: &mut Pair) {
    let evaluated = pair.rating.evaluate(v1::EvaluateRequest::default()).await;
    let evaluated = evaluated.unwrap().into_inner();
    let rmse = |metrics: Option<v1::Metrics>| metrics.unwrap().rmse;
    assert!(rmse(evaluated.model) < rmse(evaluated.global_mean));
    assert!(rmse(evaluated.no_social).is_finite() && rmse(evaluated.biases).is_finite());

    let predict = v1::PredictRequest {
        user_id: "u0".into(),
        item_id: "i2".into(),
        ..v1::PredictRequest::default()
    };
    let predicted = pair.rating.predict(predict).await.unwrap().into_inner();
    assert!(predicted.known_user && predicted.known_item);
    assert!((2.0..=5.0).contains(&predicted.rating));

    let recommend = v1::RecommendRequest {
        user_id: "u0".into(),
        count: 3,
        ..v1::RecommendRequest::default()
    };
    let recommended = pair.rating.recommend(recommend).await.unwrap().into_inner();
    assert_eq!(recommended.items.len(), 3);

    let export = v1::ExportModelRequest::default();
    let mut chunks = pair.rating.export_model(export).await.unwrap().into_inner();
    let mut rows = 0;
    while let Some(chunk) = chunks.message().await.unwrap() {
        if let Some(v1::model_chunk::Part::Rows(chunk)) = chunk.part {
            rows += chunk.ids.len();
        }
    }
    assert_eq!(rows, 40 + 25);
}
