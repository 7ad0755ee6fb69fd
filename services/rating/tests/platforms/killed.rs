//! `kill -9` of either daemon in mid-round: the other says within seconds who vanished, in which
//! round, and what to do, and goes on serving.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::pair::{file, operator, pin, rating_settings, request, small_data, social_settings};
use clap::Parser;
use s3rec_node::pki::{CertificateRole, issue};
use s3rec_wire::v1;
use s3rec_wire::v1::rating_platform_client::RatingPlatformClient;
use s3rec_wire::v1::social_platform_client::SocialPlatformClient;
use s3rec_wire::v1::{JobState, Phase};
use tokio::sync::watch;
use tonic::transport::Channel;

use CertificateRole::{Rating, RatingOperator, Social, SocialOperator};

const CONFIG: &str = "S3REC_TEST_CONFIG";

/// Not a test of its own: what the tests below run as a separate process.
#[test]
#[ignore = "a process that the other tests start and kill"]
fn social_process() {
    let config = std::env::var(CONFIG).unwrap();
    let _ = s3rec_social::run(s3rec_social::Args::parse_from([
        "social", "--config", &config,
    ]));
}

/// As above.
#[test]
#[ignore = "a process that the other tests start and kill"]
fn rating_process() {
    let config = std::env::var(CONFIG).unwrap();
    let _ = s3rec_rating::run(s3rec_rating::Args::parse_from([
        "rating", "--config", &config,
    ]));
}

/// A daemon in its own process, killed at the latest with the test.
struct Daemon {
    child: Child,
    data_dir: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start(directory: &Path, name: &str, peer: &str) -> Self {
        let data_dir = directory.join(name);
        let config = directory.join(format!("{name}.toml"));
        let text = format!(
            "data_dir = {data_dir:?}\nname = \"{name}\"\n[operator]\nlisten = \"127.0.0.1:0\"\n\
             [peer]\n{peer}\n[tls]\nca = \"keys/ca.pem\"\ncertificate = \"keys/{name}.pem\"\n\
             key = \"keys/{name}.key\"\n"
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                &format!("killed::{name}_process"),
                "--nocapture",
            ])
            .env(CONFIG, &config)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, data_dir }
    }

    fn address(&self, port: &str) -> String {
        let file = self.data_dir.join(format!("{port}.addr"));
        let began = Instant::now();
        loop {
            if let Ok(address) = std::fs::read_to_string(&file) {
                return format!("https://{address}");
            }
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{file:?} does not appear"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

struct Operators {
    rating: RatingPlatformClient<Channel>,
    social: SocialPlatformClient<Channel>,
}

impl Operators {
    async fn connect(keys: &Path, rating: &str, social: &str) -> Self {
        Self {
            rating: RatingPlatformClient::new(operator(keys, rating, RatingOperator, Rating).await),
            social: SocialPlatformClient::new(operator(keys, social, SocialOperator, Social).await),
        }
    }

    /// Starts a job that would take long, and waits until it is in that phase.
    async fn in_mid_job(&mut self, request: v1::ProposeJobRequest, phase: Phase) -> String {
        let (ratings, links) = small_data();
        self.rating
            .import_ratings(file("r.tsv", &ratings))
            .await
            .unwrap();
        self.social
            .import_links(file("l.tsv", &links))
            .await
            .unwrap();
        let job = self
            .rating
            .propose_job(request)
            .await
            .unwrap()
            .into_inner()
            .job_id;
        let approve = v1::ApproveProposalRequest {
            job_id: job.clone(),
            dataset: String::new(),
        };
        self.social.approve_proposal(approve).await.unwrap();
        let start = v1::StartJobRequest {
            job_id: job.clone(),
            wait_for_approval: true,
        };
        self.rating.start_job(start).await.unwrap();
        let watch = v1::WatchJobRequest {
            job_id: job.clone(),
        };
        let mut events = self.rating.watch_job(watch).await.unwrap().into_inner();
        while let Some(event) = events.message().await.unwrap() {
            assert!(event.state() != JobState::Failed, "{}", event.message);
            // A stock's first progress, or the second round.
            let begun = event.phase_progress > 0.0 || event.round >= 2;
            if event.phase() == phase && begun {
                break;
            }
        }
        job
    }
}

async fn last(mut events: tonic::Streaming<v1::JobEvent>) -> v1::JobEvent {
    let mut last = v1::JobEvent::default();
    let all = async {
        while let Some(event) = events.message().await.unwrap() {
            last = event;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all)
        .await
        .unwrap();
    last
}

/// A job long enough to be killed in its rounds, by protocol.
fn long_rounds() -> [(v1::ProposeJobRequest, Phase, &'static str); 2] {
    let mut stock = request(2000);
    stock.set_protocol(v1::Protocol::Preprocessed);
    [
        (request(50_000), Phase::Online, "In round "),
        (stock, Phase::Online, "In round "),
    ]
}

/// A job with a stock that takes long to make.
fn long_offline() -> (v1::ProposeJobRequest, Phase, &'static str) {
    let mut request = request(60_000);
    request.set_protocol(v1::Protocol::Preprocessed);
    (request, Phase::Offline, "While multiplying masks")
}

fn stocks_left(data_dir: &Path) -> usize {
    std::fs::read_dir(data_dir.join("stocks")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rating_platform_names_a_social_platform_killed_in_a_round() {
    for (request, phase, place) in long_rounds() {
        social_killed(request, phase, place).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rating_platform_names_a_social_platform_killed_while_making_a_stock() {
    let (request, phase, place) = long_offline();
    social_killed(request, phase, place).await;
}

async fn social_killed(long: v1::ProposeJobRequest, phase: Phase, place: &str) {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    let issued = issue(&keys, &[]).unwrap();
    let peer = format!(
        "listen = \"127.0.0.1:0\"\npin = \"{}\"",
        pin(&issued, Rating)
    );
    let mut social = Daemon::start(directory.path(), "social", &peer);
    let (_stop, stopped) = watch::channel(false);
    let data_dir = directory.path().join("rating");
    let settings = rating_settings(
        data_dir.clone(),
        &keys,
        social.address("peer"),
        pin(&issued, Social),
    );
    let rating = s3rec_rating::start(settings, stopped).await.unwrap();
    let rating = format!("https://{}", rating.operator_address());
    let mut operators = Operators::connect(&keys, &rating, &social.address("operator")).await;

    let job = operators.in_mid_job(long, phase).await;
    social.child.kill().unwrap();
    let began = Instant::now();
    let watch = v1::WatchJobRequest { job_id: job };
    let events = operators
        .rating
        .watch_job(watch)
        .await
        .unwrap()
        .into_inner();
    let ended = last(events).await;
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(ended.state(), JobState::Failed);
    for expected in [place, "social platform", "vanished", "propose the job anew"] {
        assert!(
            ended.message.contains(expected),
            "{expected}: {}",
            ended.message
        );
    }
    assert_eq!(stocks_left(&data_dir), 0);
    // It goes on serving, and says that nobody answers.
    let refused = operators.rating.propose_job(request(1)).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_social_platform_names_a_rating_platform_killed_in_a_round() {
    for (request, phase, _) in long_rounds() {
        rating_killed(request, phase, "in round ").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_social_platform_names_a_rating_platform_killed_while_making_a_stock() {
    let (request, phase, _) = long_offline();
    rating_killed(request, phase, "before the first round").await;
}

async fn rating_killed(long: v1::ProposeJobRequest, phase: Phase, place: &str) {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys");
    let issued = issue(&keys, &[]).unwrap();
    let (_stop, stopped) = watch::channel(false);
    let data_dir = directory.path().join("social");
    let settings = social_settings(data_dir.clone(), &keys, pin(&issued, Rating));
    let social = s3rec_social::start(settings, stopped).await.unwrap();
    let peer = format!(
        "address = \"https://{}\"\npin = \"{}\"",
        social.peer_address(),
        pin(&issued, Social)
    );
    let mut rating = Daemon::start(directory.path(), "rating", &peer);
    let social = format!("https://{}", social.operator_address());
    let mut operators = Operators::connect(&keys, &rating.address("operator"), &social).await;

    let job = operators.in_mid_job(long.clone(), phase).await;
    rating.child.kill().unwrap();
    let began = Instant::now();
    let watch = v1::WatchProposalRequest {
        job_id: job.clone(),
    };
    let events = operators
        .social
        .watch_proposal(watch)
        .await
        .unwrap()
        .into_inner();
    let ended = last(events).await;
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(ended.state(), JobState::Failed);
    for expected in ["rating platform", "vanished", place, "propose the job anew"] {
        assert!(
            ended.message.contains(expected),
            "{expected}: {}",
            ended.message
        );
    }

    assert_eq!(stocks_left(&data_dir), 0);

    // The killed daemon comes back and knows that its job failed; both train again.
    rating.child.wait().unwrap();
    std::fs::remove_file(rating.data_dir.join("operator.addr")).unwrap();
    let rating = Daemon::start(directory.path(), "rating", &peer);
    let mut operators = Operators::connect(&keys, &rating.address("operator"), &social).await;
    let watch = v1::WatchJobRequest { job_id: job };
    let ended = last(
        operators
            .rating
            .watch_job(watch)
            .await
            .unwrap()
            .into_inner(),
    )
    .await;
    assert_eq!(ended.state(), JobState::Failed, "{}", ended.message);
    assert_eq!(stocks_left(&rating.data_dir), 0);
    operators.in_mid_job(long, phase).await;
}
