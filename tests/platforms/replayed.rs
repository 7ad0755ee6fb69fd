//! A second input under one round number, sent with the rating platform's own certificate.

use std::time::{Duration, Instant};

use s3rec_node::pki::CertificateRole::{Rating, Social};
use s3rec_wire::convert::{ChunkHeader, chunk_of_header, job_id, parameters_digest};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::peer_client::PeerClient;
use s3rec_wire::v1::{JobState, Phase};

use crate::pair::{Pair, default_request, operator, request};

/// Waits for the third round, then asks for the second again until P1 has judged it.
async fn replay(mut request: v1::ProposeJobRequest) {
    request.model.as_mut().unwrap().set_solver(v1::Solver::Gd);
    let mut pair = Pair::start().await;
    pair.import().await;
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
        if event.phase() == Phase::Online && event.round >= 3 {
            break;
        }
    }
    let cost = v1::JobCostRequest {
        job_id: job.clone(),
    };
    let cost = pair.social.job_cost(cost).await.unwrap().into_inner();
    let header = ChunkHeader {
        job: job_id("job_id", &job).unwrap(),
        phase: s3rec_job::Phase::Online,
        round: 2,
        parameters_digest: parameters_digest(&cost.parameters.unwrap()),
        counters: Some(s3rec_job::Counters::default()),
        goes_on: false,
    };
    let peer = operator(&pair.keys(), &pair.peer_address, Rating, Social).await;
    let mut peer = PeerClient::new(peer);
    let began = Instant::now();
    loop {
        let again = tokio_stream::iter([chunk_of_header(&header)]);
        let refused = peer.exchange(again).await.unwrap_err();
        let fault = Fault::from_status(&refused).unwrap();
        assert_eq!(fault.reason, Reason::OutOfOrder, "{refused:?}");
        if fault.message.contains("round 2 was asked for where") {
            break;
        }
        // The round of the daemon itself was under way.
        assert!(fault.message.contains("under way"), "{refused:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "never judged");
        // Below limits.calls_per_second, however long that round takes.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // P1 ends the job: whoever asks twice is not the peer that it agreed with.
    let ended = pair.social_end(&job).await;
    assert_eq!(ended.state(), JobState::Failed);
    assert!(ended.message.contains("round 2"), "{}", ended.message);
    assert_eq!(
        pair.watch(&job).await.last().unwrap().state(),
        JobState::Failed
    );
    let shown = pair.shown().await.disclosures.remove(0);
    assert_eq!(shown.opened_columns, u64::from(shown.openings) * 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_of_he_is_answered_once() {
    replay(request(5000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_a_stock_are_answered_once() {
    replay(default_request(2000)).await;
}
