//! A rating platform that proposes and takes back, over and over: nothing of it stays, and
//! nobody is kept from work.

use std::path::Path;
use std::time::Duration;

use s3rec_job::{JobId, Terms};
use s3rec_node::config::{Limits, Retention};
use s3rec_node::pki::CertificateRole;
use s3rec_node::process::rss_bytes;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use s3rec_wire::v1::peer_client::PeerClient;
use s3rec_wire::v1::social_platform_client::SocialPlatformClient;
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::pair::{Pair, operator, pin, social_settings, started};

/// A social platform alone, with those limits.
struct Alone {
    peer: PeerClient<Channel>,
    people: SocialPlatformClient<Channel>,
    data_dir: std::path::PathBuf,
    _stop: watch::Sender<bool>,
}

async fn alone(pair: &Pair, limits: Limits, retention: Retention) -> Alone {
    use CertificateRole::{Rating, Social, SocialOperator};
    let data_dir = pair.directory.path().join("alone");
    let mut settings = social_settings(data_dir.clone(), &pair.keys(), pin(&pair.issued, Rating));
    settings.limits = limits;
    settings.retention = retention;
    let (stop, stopped) = watch::channel(false);
    let daemon = started(|| s3rec_social::start(settings.clone(), stopped.clone())).await;
    let at = format!("https://{}", daemon.peer_address().unwrap());
    let peer = operator(&pair.keys(), &at, Rating, Social).await;
    let at = format!("https://{}", daemon.operator_address());
    let people = operator(&pair.keys(), &at, SocialOperator, Social).await;
    Alone {
        peer: PeerClient::new(peer),
        people: SocialPlatformClient::new(people),
        data_dir,
        _stop: stop,
    }
}

/// A proposal as a rating platform makes it, with the longest text it may have.
fn proposal() -> v1::PeerProposal {
    let request = crate::pair::request(3);
    let terms = Terms::default();
    v1::PeerProposal {
        job_id: JobId::random().to_string(),
        purpose: "x".repeat(2000),
        model: request.model,
        protocol: request.protocol,
        pattern_policy: request.pattern_policy,
        release_policy: request.release_policy,
        alignment: "psi-by-size-1".into(),
        saturation_bound: 8.0,
        guard_bits: 2,
        id_rule: "nfc-trim".into(),
        rating_commitment: vec![5; 32],
        rating_lineage: vec![6; 16],
        factors_commitment: Vec::new(),
        columns: 4,
        bounds: Some(v1::ParameterBounds {
            most_common_users: 1000,
            least_security_bits: terms.least_security_bits,
            least_statistical_bits: terms.least_statistical_bits,
        }),
        expires_unix_ms: i64::MAX,
    }
}

impl Alone {
    async fn propose_and_abort(&mut self, times: usize) -> String {
        let mut job = String::new();
        for _ in 0..times {
            let message = proposal();
            job.clone_from(&message.job_id);
            self.peer.propose(message).await.unwrap();
            let abort = v1::AbortRequest {
                job_id: job.clone(),
                reason: "y".repeat(2000),
            };
            let state = self.peer.abort(abort).await.unwrap().into_inner().state();
            assert_eq!(state, JobState::Cancelled);
        }
        job
    }

    async fn listed(&mut self) -> usize {
        let all = v1::ListProposalsRequest::default();
        let listed = self.people.list_proposals(all).await;
        listed.unwrap().into_inner().proposals.len()
    }

    /// Bytes on disk, without the audit log, which says all and is never shortened.
    fn disk_bytes(&self) -> u64 {
        fn under(path: &Path) -> u64 {
            let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
            let sizes = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
                true => under(&entry.path()),
                false => match entry.file_name() == "audit.log" {
                    true => 0,
                    false => entry.metadata().unwrap().len(),
                },
            });
            sizes.sum()
        }
        under(&self.data_dir)
    }
}

const MIB: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_proposals_taken_back_leave_no_more_than_a_few() {
    // In a process of its own: the other tests of this one allocate meanwhile.
    const ALONE: &str = "S3REC_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "flood::a_thousand_proposals_taken_back_leave_no_more_than_a_few";
        let own = std::env::current_exe().unwrap();
        let mut itself = tokio::process::Command::new(own);
        let ran = itself.args(["--exact", name]).env(ALONE, "1").output();
        let ran = ran.await.unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let pair = Pair::start().await;
    let limits = Limits {
        proposals_per_hour: 100_000,
        ..Limits::default()
    };
    let retention = Retention {
        ended_jobs: 100,
        ..Retention::default()
    };
    let mut alone = alone(&pair, limits, retention).await;
    // The store's file and the process's heap find their size.
    alone.propose_and_abort(300).await;
    let (disk, memory) = (alone.disk_bytes(), rss_bytes());
    let last = alone.propose_and_abort(1000).await;
    let (disk_now, memory_now) = (alone.disk_bytes(), rss_bytes());
    assert!(
        disk_now.abs_diff(disk) <= 5 * MIB,
        "{disk} bytes on disk, then {disk_now}"
    );
    assert!(
        memory_now.saturating_sub(memory) <= 5 * MIB,
        "{memory} resident, then {memory_now}"
    );
    let listed = alone.listed().await;
    assert!((100..=120).contains(&listed), "{listed}");
    let watched = alone
        .people
        .watch_proposal(v1::WatchProposalRequest { job_id: last });
    let mut watched = watched.await.unwrap().into_inner();
    let mut states = Vec::new();
    while let Some(event) = watched.message().await.unwrap() {
        states.push(event.state());
    }
    assert_eq!(states, [JobState::Proposed, JobState::Cancelled]);
    if std::env::var_os("S3REC_FIGURES").is_some() {
        panic!("{disk} to {disk_now} bytes on disk, {memory} to {memory_now} resident");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_have_a_rate_and_a_job_that_was_deleted_takes_no_counts_along() {
    let pair = Pair::start().await;
    let limits = Limits {
        proposals_per_hour: 5,
        ..Limits::default()
    };
    let mut alone = alone(&pair, limits, Retention::default()).await;
    let job = alone.propose_and_abort(5).await;
    let refused = alone.peer.propose(proposal()).await.unwrap_err();
    let fault = Fault::from_status(&refused).unwrap();
    assert_eq!(fault.reason, Reason::LimitExceeded, "{fault}");
    assert!(fault.message.contains("5 proposals an hour"), "{fault}");
    assert_eq!(alone.listed().await, 5);

    let deleted = v1::DeleteJobRequest {
        job_id: job.clone(),
    };
    alone.people.delete_job(deleted.clone()).await.unwrap();
    assert_eq!(alone.listed().await, 4);
    let gone = alone.people.delete_job(deleted).await.unwrap_err();
    assert_eq!(Fault::from_status(&gone).unwrap().reason, Reason::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_that_nobody_begins_ends_by_itself() {
    let pair = Pair::start().await;
    let limits = Limits {
        proposal_days: 0,
        ..Limits::default()
    };
    {
        let mut alone = alone(&pair, limits.clone(), Retention::default()).await;
        alone.peer.propose(proposal()).await.unwrap();
        assert_eq!(alone.listed().await, 1);
        alone._stop.send_replace(true);
    }
    // It is looked for at every start, and every ten minutes.
    let mut alone = alone_again(&pair, limits).await;
    let mut state = JobState::Proposed;
    for _ in 0..200 {
        let listed = alone
            .people
            .list_proposals(v1::ListProposalsRequest::default());
        let listed = listed.await.unwrap().into_inner().proposals;
        state = listed[0].last_event.as_ref().unwrap().state();
        if state == JobState::Failed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(state, JobState::Failed);
}

async fn alone_again(pair: &Pair, limits: Limits) -> Alone {
    alone(pair, limits, Retention::default()).await
}
