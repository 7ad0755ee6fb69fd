//! `kill -9` of either daemon in mid-job: the other says within seconds who vanished and where. A
//! job over a stock waits and goes on by itself; one in a round of `he` fails and says what to do.
//! Either way the other daemon goes on serving.

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
            expires_unix_ms: 0,
            job_id: job.clone(),
            dataset: String::new(),
            ..v1::ApproveProposalRequest::default()
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

impl Operators {
    /// P0's events of a job.
    async fn watch(&mut self, job: &str) -> tonic::Streaming<v1::JobEvent> {
        let watch = v1::WatchJobRequest { job_id: job.into() };
        self.rating.watch_job(watch).await.unwrap().into_inner()
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

/// Jobs over a stock long enough to be killed in that phase.
fn over_a_stock() -> [(v1::ProposeJobRequest, Phase); 2] {
    [(2000, Phase::Online), (60_000, Phase::Offline)].map(|(rounds, phase)| {
        let mut request = request(rounds);
        request.set_protocol(v1::Protocol::Preprocessed);
        (request, phase)
    })
}

fn stocks_left(data_dir: &Path) -> usize {
    std::fs::read_dir(data_dir.join("stocks")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rating_platform_names_a_social_platform_killed_in_a_round() {
    social_killed(request(50_000), Phase::Online, "In round ").await;
}

/// P1's peer port, which it keeps when it is started again.
fn lasting_port() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

/// The first event for which `is_it` holds.
async fn find(
    mut events: tonic::Streaming<v1::JobEvent>,
    is_it: impl Fn(&v1::JobEvent) -> bool,
) -> v1::JobEvent {
    let found = async {
        while let Some(event) = events.message().await.unwrap() {
            if is_it(&event) {
                return event;
            }
            assert!(event.state() != JobState::Failed, "{}", event.message);
        }
        panic!("the events end");
    };
    tokio::time::timeout(Duration::from_secs(60), found)
        .await
        .unwrap()
}

/// A daemon in a process of its own, which can be killed, the other one in this process, and
/// operators of both.
struct Killable {
    directory: tempfile::TempDir,
    keys: PathBuf,
    process: Daemon,
    /// `[peer]` of the process, for its next start.
    peer: String,
    /// Operators' address of the daemon in this process, and where its state lies.
    other: String,
    other_data: PathBuf,
    operators: Operators,
    _stop: watch::Sender<bool>,
}

impl Killable {
    /// The social platform as the process, listening to the other at `listen`.
    async fn social(listen: &str, resume_seconds: Option<u64>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let issued = issue(&keys, &[]).unwrap();
        let peer = format!("listen = \"{listen}\"\npin = \"{}\"", pin(&issued, Rating));
        let process = Daemon::start(directory.path(), "social", &peer);
        let (stop, stopped) = watch::channel(false);
        let other_data = directory.path().join("rating");
        let address = process.address("peer");
        let mut settings =
            rating_settings(other_data.clone(), &keys, address, pin(&issued, Social));
        if let Some(seconds) = resume_seconds {
            settings.limits.resume_seconds = seconds;
        }
        let rating = s3rec_rating::start(settings, stopped).await.unwrap();
        let other = format!("https://{}", rating.operator_address());
        let operators = Operators::connect(&keys, &other, &process.address("operator")).await;
        Self {
            directory,
            keys,
            process,
            peer,
            other,
            other_data,
            operators,
            _stop: stop,
        }
    }

    /// The rating platform as the process.
    async fn rating() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let issued = issue(&keys, &[]).unwrap();
        let (stop, stopped) = watch::channel(false);
        let other_data = directory.path().join("social");
        let settings = social_settings(other_data.clone(), &keys, pin(&issued, Rating));
        let social = s3rec_social::start(settings, stopped).await.unwrap();
        let (address, pin) = (social.peer_address().unwrap(), pin(&issued, Social));
        let peer = format!("address = \"https://{address}\"\npin = \"{pin}\"");
        let process = Daemon::start(directory.path(), "rating", &peer);
        let other = format!("https://{}", social.operator_address());
        let operators = Operators::connect(&keys, &process.address("operator"), &other).await;
        Self {
            directory,
            keys,
            process,
            peer,
            other,
            other_data,
            operators,
            _stop: stop,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_over_a_stock_outlives_the_social_platform() {
    for (request, phase) in over_a_stock() {
        let port = lasting_port();
        let Killable {
            directory,
            keys,
            process: mut social,
            peer,
            other: rating,
            other_data: data_dir,
            mut operators,
            _stop,
        } = Killable::social(&port, None).await;
        let job = operators.in_mid_job(request, phase).await;
        social.child.kill().unwrap();
        social.child.wait().unwrap();
        let began = Instant::now();
        let waits = |event: &v1::JobEvent| event.message.contains("Waiting for the social");
        let waiting = find(operators.watch(&job).await, waits).await;
        assert!(waiting.waiting_since_unix_ms > 0);
        assert!(began.elapsed() < Duration::from_secs(8));
        assert_eq!(waiting.waiting_for(), v1::Role::Social);
        assert!(
            waiting.message.contains("Waiting for the social platform"),
            "{}",
            waiting.message
        );
        assert_eq!(stocks_left(&data_dir), 1);

        // Links imported under the same name while P1 was away change nothing of this job.
        std::fs::remove_file(social.data_dir.join("operator.addr")).unwrap();
        let social = Daemon::start(directory.path(), "social", &peer);
        let mut operators = Operators::connect(&keys, &rating, &social.address("operator")).await;
        let links = operators
            .social
            .import_links(file("l.tsv", "u1\tu2\n"))
            .await;
        links.unwrap();
        let done = waiting.round;
        let goes_on = |event: &v1::JobEvent| {
            event.time_unix_ms > waiting.time_unix_ms
                && event.waiting_since_unix_ms == 0
                && event.phase() == phase
                && (event.round > done + 2 || phase == Phase::Offline)
        };
        find(operators.watch(&job).await, goes_on).await;
        let cancel = v1::CancelJobRequest {
            job_id: job.clone(),
            reason: String::new(),
        };
        operators.rating.cancel_job(cancel).await.unwrap();
        assert_eq!(
            last(operators.watch(&job).await).await.state(),
            JobState::Cancelled
        );
        assert_eq!(stocks_left(&data_dir), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_social_platform_that_stays_away_is_given_up() {
    let Killable {
        directory: _directory,
        process: mut social,
        other_data: data_dir,
        mut operators,
        _stop,
        ..
    } = Killable::social("127.0.0.1:0", Some(1)).await;
    let [(request, phase), _] = over_a_stock();
    let job = operators.in_mid_job(request, phase).await;
    social.child.kill().unwrap();
    let ended = last(operators.watch(&job).await).await;
    assert_eq!(ended.state(), JobState::Failed);
    for expected in ["In round ", "stayed away for 1 s", "resume_seconds"] {
        assert!(
            ended.message.contains(expected),
            "{expected}: {}",
            ended.message
        );
    }
    assert_eq!(stocks_left(&data_dir), 0);
}

async fn social_killed(long: v1::ProposeJobRequest, phase: Phase, place: &str) {
    let Killable {
        directory: _directory,
        process: mut social,
        other_data: data_dir,
        mut operators,
        _stop,
        ..
    } = Killable::social("127.0.0.1:0", None).await;

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
    rating_killed(request(50_000), Phase::Online, "in round ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_over_a_stock_outlives_the_rating_platform() {
    for (request, phase) in over_a_stock() {
        let Killable {
            directory,
            keys,
            process: mut rating,
            peer,
            other: social,
            other_data: data_dir,
            mut operators,
            _stop,
        } = Killable::rating().await;
        let job = operators.in_mid_job(request, phase).await;
        rating.child.kill().unwrap();
        rating.child.wait().unwrap();
        let watch = v1::WatchProposalRequest {
            job_id: job.clone(),
        };
        let events = operators
            .social
            .watch_proposal(watch.clone())
            .await
            .unwrap();
        let waits = |event: &v1::JobEvent| event.message.contains("vanished");
        let waiting = find(events.into_inner(), waits).await;
        assert!(waiting.waiting_since_unix_ms > 0);
        assert_eq!(waiting.waiting_for(), v1::Role::Rating);
        assert!(waiting.message.contains("vanished"), "{}", waiting.message);
        assert_eq!(stocks_left(&data_dir), 1);

        // It goes on by itself, and P1's operator can still end it.
        std::fs::remove_file(rating.data_dir.join("operator.addr")).unwrap();
        let rating = Daemon::start(directory.path(), "rating", &peer);
        let mut operators = Operators::connect(&keys, &rating.address("operator"), &social).await;
        let events = operators
            .social
            .watch_proposal(watch.clone())
            .await
            .unwrap();
        let goes_on = |event: &v1::JobEvent| {
            event.time_unix_ms > waiting.time_unix_ms && event.waiting_since_unix_ms == 0
        };
        find(events.into_inner(), goes_on).await;
        let revoke = v1::RevokeApprovalRequest {
            job_id: job.clone(),
            reason: "enough".into(),
        };
        operators.social.revoke_approval(revoke).await.unwrap();
        let ended = last(operators.watch(&job).await).await;
        assert_eq!(ended.state(), JobState::Cancelled, "{}", ended.message);
        assert_eq!(
            (stocks_left(&data_dir), stocks_left(&rating.data_dir)),
            (0, 0)
        );
    }
}

async fn rating_killed(long: v1::ProposeJobRequest, phase: Phase, place: &str) {
    let Killable {
        directory,
        keys,
        process: mut rating,
        peer,
        other: social,
        other_data: data_dir,
        mut operators,
        _stop,
    } = Killable::rating().await;

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
