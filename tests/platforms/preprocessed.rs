//! `preprocessed` between two daemons: the same model as `he`, its stock accounted for and erased.

use crate::joint_training::{check_report, oracle};
use crate::pair::{Pair, default_request, request};
use s3rec_spmm::{Step, cost};
use s3rec_wire::convert::parameters_from_wire;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase, StockState};

/// Every stock that a platform tells of, and whether its directory still holds anything.
async fn stocks(pair: &mut Pair) -> [Vec<v1::Stock>; 2] {
    let all = v1::StockStatusRequest::default;
    let rating = pair.rating.stock_status(all()).await.unwrap();
    let social = pair.social.stock_status(all()).await.unwrap();
    [rating.into_inner().stocks, social.into_inner().stocks]
}

fn left_on_disk(pair: &Pair) -> usize {
    ["rating", "social"]
        .map(|name| pair.directory.path().join(name).join("stocks"))
        .map(|stocks| std::fs::read_dir(stocks).unwrap().count())
        .iter()
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn preprocessed_trains_the_model_of_he_bit_for_bit() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let (by_he, _) = pair.run(request(3)).await;
    let mut preprocessed = request(3);
    preprocessed.set_protocol(v1::Protocol::Preprocessed);
    let (job, events) = pair.run(preprocessed).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    assert_eq!(pair.social_end(&job).await.state(), JobState::Finished);

    let (first, second) = (pair.model(&by_he).await, pair.model(&job).await);
    let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(first.0.len(), 40 * 4);
    assert_eq!(bits(&first.0), bits(&second.0));
    assert_eq!(bits(&first.1), bits(&second.1));

    let phases: Vec<_> = events.iter().map(v1::JobEvent::phase).collect();
    let offline = phases.iter().position(|p| *p == Phase::Offline).unwrap();
    let online = phases.iter().position(|p| *p == Phase::Online).unwrap();
    assert!(offline < online, "{phases:?}");
    let complete = &events[online - 1];
    assert_eq!(complete.phase(), Phase::Offline);
    assert!((complete.phase_progress - 1.0).abs() < 1e-9);
    assert!(complete.phase_cost.unwrap().bytes_to_social > 10_000);

    check_report(&mut pair, &job).await;
    let report = v1::JobReportRequest {
        job_id: job.clone(),
    };
    let report = pair.rating.job_report(report).await.unwrap().into_inner();
    let parameters = report.parameters.unwrap();
    let parameters = parameters_from_wire(&parameters).unwrap();
    let held = cost::answer_not_before(&parameters, Step::MaskedProduct).unwrap();
    let online = report.online.unwrap().seconds;
    assert!(held > 0.0 && online >= 3.0 * held, "{online} < 3 · {held}");
    let [rating, social] = stocks(&mut pair).await;
    assert_eq!((rating.len(), social.len()), (1, 1));
    for stock in [&rating[0], &social[0]] {
        assert_eq!(stock.job_id, job);
        assert_eq!(stock.state(), StockState::Erased);
        let counted = (stock.columns, stock.columns_made, stock.columns_used);
        assert_eq!(counted, (12, 12, 12));
        assert_eq!(stock.columns_left, 0);
        assert_eq!(stock.identity.len(), 32);
    }
    assert_eq!(rating[0].identity, social[0].identity);
    assert_eq!(left_on_disk(&pair), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn als_with_smoothed_biases_over_a_stock_is_its_oracle() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let mut request = default_request(0);
    request.model.as_mut().unwrap().social_bias_weight = 2.0;
    let (job, events) = pair.run(request.clone()).await;
    let last = events.last().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);

    // What was left open is named in the proposal, and the bias is a fifth column.
    let listed = pair.rating.list_jobs(v1::ListJobsRequest {}).await.unwrap();
    let listed = listed.into_inner().jobs.remove(0);
    assert_eq!(listed.protocol(), v1::Protocol::Preprocessed);
    let model = listed.model.unwrap();
    assert_eq!((model.solver(), model.rounds), (v1::Solver::Als, 10));
    assert_eq!(model.operator(), v1::Operator::NormalizedLaplacian);
    let [_, social] = stocks(&mut pair).await;
    assert_eq!((social[0].columns_made, social[0].columns_used), (50, 50));

    let oracle = oracle(&request);
    let factors = |matrix: &s3rec_algebra::RealMatrix| -> Vec<f64> {
        (0..matrix.rows())
            .flat_map(|row| matrix.row(row)[..4].to_vec())
            .collect()
    };
    let (users, items) = pair.model(&job).await;
    for (secure, clear) in [
        (users, factors(&oracle.users)),
        (items, factors(&oracle.items)),
    ] {
        assert_eq!(secure.len(), clear.len());
        let differences = secure.iter().zip(&clear).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f64::max);
        assert!(largest > 0.0 && largest < 1e-3, "{largest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_takes_its_stock_with_it() {
    let mut pair = Pair::start().await;
    pair.import().await;
    // 8400 columns: two blocks.
    let mut request = default_request(2100);
    request.model.as_mut().unwrap().set_solver(v1::Solver::Gd);
    let proposed = pair.rating.propose_job(request).await.unwrap();
    let job = proposed.into_inner().job_id;
    pair.approve(&job).await;
    pair.begin(&job).await;
    let watch = v1::WatchJobRequest {
        job_id: job.clone(),
    };
    let mut events = pair.rating.watch_job(watch).await.unwrap().into_inner();
    while let Some(event) = events.message().await.unwrap() {
        assert!(event.state() != JobState::Failed, "{}", event.message);
        if event.phase() == Phase::Online && event.round >= 2 {
            break;
        }
    }
    let [rating, social] = stocks(&mut pair).await;
    for stock in [&rating[0], &social[0]] {
        assert_eq!(stock.state(), StockState::Ready);
        assert_eq!(stock.columns_made, 8400);
        assert!(
            stock.columns_used >= 4 && stock.columns_left < 8400,
            "{stock:?}"
        );
    }
    assert_eq!(left_on_disk(&pair), 2);
    let cancel = v1::CancelJobRequest {
        job_id: job.clone(),
        reason: "enough".into(),
    };
    pair.rating.cancel_job(cancel).await.unwrap();
    assert_eq!(pair.social_end(&job).await.state(), JobState::Cancelled);
    assert_eq!(left_on_disk(&pair), 0);
}
