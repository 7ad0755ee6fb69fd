//! Two daemons, real TLS, real ciphertexts: one joint training from import to recommendation.

use crate::pair::Pair;
use s3rec_data::{LinkOptions, LinkSet, RatingOptions, RatingSet};
use s3rec_sparse::SocialOperator;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};

#[tokio::test(flavor = "multi_thread")]
async fn two_platforms_train_one_model() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let job = pair.propose(3).await;

    let listed = v1::ListProposalsRequest { pending_only: true };
    let listed = pair
        .social
        .list_proposals(listed)
        .await
        .unwrap()
        .into_inner();
    let warnings = listed.proposals[0].warnings.join("\n");
    assert!(
        warnings.contains("of all links without an error") && warnings.contains("94 %"),
        "{warnings}"
    );
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
    check_model(&mut pair, &job).await;
}

/// Both sides count the same.
pub(crate) async fn check_report(pair: &mut Pair, job: &str) {
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

    let shown = pair.shown().await;
    let seen = pair.seen().await;
    let (shown, seen) = (&shown.disclosures[0], &seen.disclosures[0]);
    assert_eq!(
        (shown.openings, shown.opened_columns, shown.opened_values),
        (3, 12, 12 * 30)
    );
    assert_eq!(seen.opened_values, shown.opened_values);
    assert_eq!(shown.common_users, 30);
}

/// The exported model is the float64 oracle's within the fixed-point bound.
async fn check_model(pair: &mut Pair, job: &str) {
    let (users, items) = pair.model(job).await;
    let oracle = oracle(&crate::pair::request(3));
    let all = |matrix: &s3rec_algebra::RealMatrix| -> Vec<f64> {
        (0..matrix.rows())
            .flat_map(|row| matrix.row(row)[..4].to_vec())
            .collect()
    };
    for (secure, clear) in [(users, all(&oracle.users)), (items, all(&oracle.items))] {
        assert_eq!(secure.len(), clear.len());
        let differences = secure.iter().zip(&clear).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f64::max);
        assert!(largest > 0.0 && largest < 1e-3, "{largest}");
    }

    let evaluated = pair.rating.evaluate(v1::EvaluateRequest::default()).await;
    let evaluated = evaluated.unwrap().into_inner();
    for metrics in [
        evaluated.model,
        evaluated.global_mean,
        evaluated.biases,
        evaluated.no_social,
    ] {
        let metrics = metrics.unwrap();
        assert!(metrics.rmse.is_finite() && metrics.ratings > 100);
    }
    assert_ne!(evaluated.model, evaluated.no_social);

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
}

/// The same training over the clear product.
pub(crate) fn oracle(request: &v1::ProposeJobRequest) -> s3rec_model::Model {
    let (ratings, links) = crate::pair::small_data();
    let name = std::path::Path::new("small");
    let ratings =
        RatingSet::read_from(name, ratings.as_bytes(), &RatingOptions::default()).unwrap();
    let links = LinkSet::read_from(name, links.as_bytes(), &LinkOptions::default()).unwrap();
    let rows: Vec<u32> = (0..40)
        .filter(|row| {
            links
                .users
                .find(ratings.users.name(*row).unwrap())
                .is_some()
        })
        .collect();
    let social = links
        .social_matrix(&ratings.users)
        .unwrap()
        .select(&rows)
        .unwrap();
    let common = s3rec_job::CommonUsers::new(rows, 40).unwrap();
    let request = s3rec_wire::convert::request_from_wire(request.clone()).unwrap();
    let plan = s3rec_rating::plan(&ratings, &request).unwrap();
    let operator = SocialOperator::build(plan.operator, &social);
    let mut solver = plan.solver(operator.row_norm_bound()).unwrap();
    s3rec_job::run_oracle(solver.as_mut(), &common, &operator).unwrap();
    // As it is exported.
    solver.model().in_rating_units()
}
