//! A job that was started while nobody had decided: it waits, and begins by itself.

use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;

use crate::pair::Pair;

async fn start(pair: &mut Pair, job: &str, wait: bool) -> Result<JobState, Fault> {
    let request = v1::StartJobRequest {
        job_id: job.into(),
        wait_for_approval: wait,
    };
    let started = pair.rating.start_job(request).await;
    let started = started.map(|started| started.into_inner().state());
    started.map_err(|status| Fault::from_status(&status).unwrap())
}

async fn begins_by_itself(pair: &mut Pair) -> Vec<bool> {
    let listed = pair.rating.list_jobs(v1::ListJobsRequest {}).await.unwrap();
    let jobs = listed.into_inner().jobs;
    jobs.iter().map(|job| job.begins_by_itself).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_is_started_again_without_a_change_and_says_so() {
    let mut pair = Pair::start().await;
    pair.import().await;
    let job = pair.propose(2).await;
    assert_eq!(begins_by_itself(&mut pair).await, [false]);
    for _ in 0..3 {
        assert_eq!(
            start(&mut pair, &job, true).await.unwrap(),
            JobState::Proposed
        );
        assert_eq!(begins_by_itself(&mut pair).await, [true]);
    }
    // Another job has no place beside it, nor has whoever will not wait.
    let other = pair.propose(3).await;
    for (job, wait) in [(&job, false), (&other, true)] {
        let refused = start(&mut pair, job, wait).await.unwrap_err();
        assert_eq!(refused.reason, Reason::Busy, "{refused:?}");
    }
    assert_eq!(begins_by_itself(&mut pair).await, [true, false]);
    pair.approve(&job).await;
    let last = pair.watch(&job).await.pop().unwrap();
    assert_eq!(last.state(), JobState::Finished, "{}", last.message);
    assert_eq!(begins_by_itself(&mut pair).await, [false, false]);
}
