//! From import to an approved job in one call.

use s3rec_cli::client::{self, FileSource, RatingClient, SocialClient};
use s3rec_wire::v1;

use crate::data::Files;
use crate::pair::Pair;

/// Both platforms' people, and the job between them.
#[derive(Debug)]
pub struct Job {
    /// At P0.
    pub rating: RatingClient,
    /// At P1.
    pub social: SocialClient,
    /// Its id.
    pub id: String,
}

/// What every test proposes unless it says otherwise: rank 4, gradient descent, `rounds` exact openings.
#[must_use]
pub fn proposal(rounds: u32) -> v1::ProposeJobRequest {
    v1::ProposeJobRequest {
        dataset: "test".into(),
        model: Some(v1::ModelSettings {
            rank: 4,
            solver: v1::Solver::Gd.into(),
            operator: v1::Operator::NormalizedLaplacian.into(),
            rounds,
            ..Default::default()
        }),
        protocol: v1::Protocol::He.into(),
        pattern_policy: v1::PatternPolicy::Nothing.into(),
        release_policy: Some(v1::ReleasePolicy {
            kind: v1::ReleaseKind::Exact.into(),
            ..Default::default()
        }),
        purpose: "a test".into(),
        ..Default::default()
    }
}

impl Job {
    /// Imports both files and proposes; the social platform has not decided.
    pub async fn propose(pair: &Pair, files: &Files, rounds: u32) -> Self {
        Self::propose_with(pair, files, proposal(rounds)).await
    }

    /// As [`propose`](Job::propose), with the whole request.
    pub async fn propose_with(pair: &Pair, files: &Files, request: v1::ProposeJobRequest) -> Self {
        let mut rating = client::rating(&pair.rating_connection()).await.unwrap();
        let mut social = client::social(&pair.social_connection()).await.unwrap();
        let source = FileSource::new(&files.ratings, "test");
        client::import_ratings(&mut rating, &source).await.unwrap();
        let source = FileSource::new(&files.links, "test");
        client::import_links(&mut social, &source).await.unwrap();
        let proposed = rating.propose_job(request).await.unwrap().into_inner();
        assert_eq!(proposed.state(), v1::JobState::Proposed);
        Self {
            rating,
            social,
            id: proposed.job_id,
        }
    }

    /// Also approves and starts.
    pub async fn start(pair: &Pair, files: &Files, rounds: u32) -> Self {
        Self::start_with(pair, files, proposal(rounds)).await
    }

    /// As [`start`](Job::start), with the whole request.
    pub async fn start_with(pair: &Pair, files: &Files, request: v1::ProposeJobRequest) -> Self {
        let mut job = Self::propose_with(pair, files, request).await;
        job.approve().await;
        let request = v1::StartJobRequest {
            job_id: job.id.clone(),
            wait_for_approval: true,
        };
        job.rating.start_job(request).await.unwrap();
        job
    }

    /// The social platform consents.
    pub async fn approve(&mut self) {
        let request = v1::ApproveProposalRequest {
            expires_unix_ms: 0,
            job_id: self.id.clone(),
            dataset: String::new(),
            ..v1::ApproveProposalRequest::default()
        };
        let approved = self
            .social
            .approve_proposal(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(approved.state(), v1::JobState::Approved);
    }

    /// Watches at P0 until round `round` has begun.
    pub async fn reach_round(&mut self, round: u32) {
        let request = v1::WatchJobRequest {
            job_id: self.id.clone(),
        };
        let mut events = self.rating.watch_job(request).await.unwrap().into_inner();
        loop {
            let event = events
                .message()
                .await
                .unwrap()
                .expect("the job ended early");
            assert!(
                !client::is_terminal(event.state()),
                "the job ended early: {event:?}"
            );
            if event.round >= round {
                return;
            }
        }
    }

    /// The last event at P0.
    pub async fn end_at_rating(&mut self) -> v1::JobEvent {
        client::rating_events(&mut self.rating, &self.id, |_| Ok(()))
            .await
            .unwrap()
    }

    /// The last event at P1.
    pub async fn end_at_social(&mut self) -> v1::JobEvent {
        client::social_events(&mut self.social, &self.id, |_| Ok(()))
            .await
            .unwrap()
    }
}
