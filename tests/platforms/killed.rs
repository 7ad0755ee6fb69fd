//! `kill -9` of either daemon in mid-job: the other says within seconds who vanished and where. A
//! job over a stock waits and goes on by itself; one in a round of `he` fails and says what to do.
//! Either way the other daemon goes on serving.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use s3rec_testkit::addresses::free_address;
use s3rec_tests::pair::Environment;

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
pub(crate) struct Daemon {
    child: Child,
    pub(crate) data_dir: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start(directory: &Path, name: &str, peer: &str, environment: Environment) -> Self {
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
            .envs(environment)
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

pub(crate) struct Operators {
    pub(crate) rating: RatingPlatformClient<Channel>,
    pub(crate) social: SocialPlatformClient<Channel>,
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
        let job = self.begin_job(request, small_data()).await;
        let mut events = self.watch(&job).await;
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

    /// Imports ratings and links, and starts a job that P1's people have approved.
    pub(crate) async fn begin_job(
        &mut self,
        request: v1::ProposeJobRequest,
        (ratings, links): (String, String),
    ) -> String {
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
        job
    }
}

impl Operators {
    /// P0's events of a job.
    pub(crate) async fn watch(&mut self, job: &str) -> tonic::Streaming<v1::JobEvent> {
        let watch = v1::WatchJobRequest { job_id: job.into() };
        self.rating.watch_job(watch).await.unwrap().into_inner()
    }

    /// P1's events of a job.
    async fn watch_at_social(&mut self, job: &str) -> tonic::Streaming<v1::JobEvent> {
        let watch = v1::WatchProposalRequest { job_id: job.into() };
        let watched = self.social.watch_proposal(watch).await;
        watched.unwrap().into_inner()
    }
}

pub(crate) async fn last(mut events: tonic::Streaming<v1::JobEvent>) -> v1::JobEvent {
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

/// Nothing between a process and its system.
fn as_it_is(_: &Path) -> Environment {
    Environment::new()
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
pub(crate) struct Killable {
    pub(crate) directory: tempfile::TempDir,
    /// Of the platform that is the process.
    name: &'static str,
    pub(crate) process: Daemon,
    /// `[peer]` of the process, for its next start.
    peer: String,
    /// Operators' address of the daemon in this process, and where its state lies.
    other: String,
    other_data: PathBuf,
    pub(crate) operators: Operators,
    _stop: watch::Sender<bool>,
}

impl Killable {
    /// The social platform as the process, listening to the other at `listen`.
    pub(crate) async fn social(
        listen: &str,
        resume_seconds: Option<u64>,
        environment: &dyn Fn(&Path) -> Environment,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let issued = issue(&keys, &[]).unwrap();
        let peer = format!("listen = \"{listen}\"\npin = \"{}\"", pin(&issued, Rating));
        let system = environment(&directory.path().join("social"));
        let process = Daemon::start(directory.path(), "social", &peer, system);
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
            name: "social",
            process,
            peer,
            other,
            other_data,
            operators,
            _stop: stop,
        }
    }

    /// The rating platform as the process.
    pub(crate) async fn rating(environment: &dyn Fn(&Path) -> Environment) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let issued = issue(&keys, &[]).unwrap();
        let (stop, stopped) = watch::channel(false);
        let other_data = directory.path().join("social");
        let settings = social_settings(other_data.clone(), &keys, pin(&issued, Rating));
        let social = s3rec_social::start(settings, stopped).await.unwrap();
        let (address, pin) = (social.peer_address().unwrap(), pin(&issued, Social));
        let peer = format!("address = \"https://{address}\"\npin = \"{pin}\"");
        let system = environment(&directory.path().join("rating"));
        let process = Daemon::start(directory.path(), "rating", &peer, system);
        let other = format!("https://{}", social.operator_address());
        let operators = Operators::connect(&keys, &process.address("operator"), &other).await;
        Self {
            directory,
            name: "rating",
            process,
            peer,
            other,
            other_data,
            operators,
            _stop: stop,
        }
    }

    /// `kill -9`; when it was.
    fn kill(&mut self) -> Instant {
        self.process.child.kill().unwrap();
        self.process.child.wait().unwrap();
        Instant::now()
    }

    /// Waits until the process has ended by itself.
    pub(crate) async fn dies(&mut self) {
        let began = Instant::now();
        while self.process.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(90), "it goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts the killed process again, and connects to both.
    pub(crate) async fn restart(&mut self) {
        self.restart_on(Environment::new()).await;
    }

    /// The same, on another system.
    pub(crate) async fn restart_on(&mut self, environment: Environment) {
        std::fs::remove_file(self.process.data_dir.join("operator.addr")).unwrap();
        let path = self.directory.path();
        self.process = Daemon::start(path, self.name, &self.peer, environment);
        let address = self.process.address("operator");
        let (rating, social) = match self.name {
            "rating" => (&address, &self.other),
            _ => (&self.other, &address),
        };
        let keys = self.directory.path().join("keys");
        self.operators = Operators::connect(&keys, rating, social).await;
    }

    /// Stocks of the platform that was not killed.
    fn stocks_left(&self) -> usize {
        stocks_left(&self.other_data)
    }
}

/// A job that has failed within seconds and says what of.
fn assert_failed(ended: &v1::JobEvent, since: Instant, expected: &[&str]) {
    let took = since.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert_eq!(ended.state(), JobState::Failed);
    for expected in expected {
        let message = &ended.message;
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_over_a_stock_outlives_the_social_platform() {
    for (request, phase) in over_a_stock() {
        let mut pair = Killable::social(&free_address(), None, &as_it_is).await;
        let job = pair.operators.in_mid_job(request, phase).await;
        let began = pair.kill();
        let waits = |event: &v1::JobEvent| event.message.contains("Waiting for the social");
        let waiting = find(pair.operators.watch(&job).await, waits).await;
        assert!(waiting.waiting_since_unix_ms > 0);
        assert!(began.elapsed() < Duration::from_secs(8));
        assert_eq!(waiting.waiting_for(), v1::Role::Social);
        let message = &waiting.message;
        assert!(
            message.contains("Waiting for the social platform"),
            "{message}"
        );
        assert_eq!(pair.stocks_left(), 1);

        // Links imported under the same name while P1 was away change nothing of this job.
        pair.restart().await;
        let links = file("l.tsv", "u1\tu2\n");
        pair.operators.social.import_links(links).await.unwrap();
        let done = waiting.round;
        let goes_on = |event: &v1::JobEvent| {
            event.time_unix_ms > waiting.time_unix_ms
                && event.waiting_since_unix_ms == 0
                && event.phase() == phase
                && (event.round > done + 2 || phase == Phase::Offline)
        };
        find(pair.operators.watch(&job).await, goes_on).await;
        let cancel = v1::CancelJobRequest {
            job_id: job.clone(),
            reason: String::new(),
        };
        pair.operators.rating.cancel_job(cancel).await.unwrap();
        let ended = last(pair.operators.watch(&job).await).await;
        assert_eq!(ended.state(), JobState::Cancelled);
        assert_eq!(pair.stocks_left(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_social_platform_that_stays_away_is_given_up() {
    let mut pair = Killable::social("127.0.0.1:0", Some(1), &as_it_is).await;
    let [(request, phase), _] = over_a_stock();
    let job = pair.operators.in_mid_job(request, phase).await;
    pair.kill();
    let ended = last(pair.operators.watch(&job).await).await;
    let expected = ["In round ", "stayed away for 1 s", "resume_seconds"];
    assert_failed(&ended, Instant::now(), &expected);
    assert_eq!(pair.stocks_left(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rating_platform_names_a_social_platform_killed_in_a_round() {
    let mut pair = Killable::social("127.0.0.1:0", None, &as_it_is).await;
    let long = request(50_000);
    let job = pair.operators.in_mid_job(long, Phase::Online).await;
    let began = pair.kill();
    let ended = last(pair.operators.watch(&job).await).await;
    let expected = [
        "In round ",
        "social platform",
        "vanished",
        "propose the job anew",
    ];
    assert_failed(&ended, began, &expected);
    assert_eq!(pair.stocks_left(), 0);
    // It goes on serving, and says that nobody answers.
    let refused = pair.operators.rating.propose_job(request(1)).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_over_a_stock_outlives_the_rating_platform() {
    for (request, phase) in over_a_stock() {
        let mut pair = Killable::rating(&as_it_is).await;
        let job = pair.operators.in_mid_job(request, phase).await;
        pair.kill();
        let waits = |event: &v1::JobEvent| event.message.contains("vanished");
        let waiting = find(pair.operators.watch_at_social(&job).await, waits).await;
        assert!(waiting.waiting_since_unix_ms > 0);
        assert_eq!(waiting.waiting_for(), v1::Role::Rating);
        assert!(waiting.message.contains("vanished"), "{}", waiting.message);
        assert_eq!(pair.stocks_left(), 1);

        // It goes on by itself, and P1's operator can still end it.
        pair.restart().await;
        let goes_on = |event: &v1::JobEvent| {
            event.time_unix_ms > waiting.time_unix_ms && event.waiting_since_unix_ms == 0
        };
        find(pair.operators.watch_at_social(&job).await, goes_on).await;
        let revoke = v1::RevokeApprovalRequest {
            job_id: job.clone(),
            reason: "enough".into(),
        };
        pair.operators.social.revoke_approval(revoke).await.unwrap();
        let ended = last(pair.operators.watch(&job).await).await;
        assert_eq!(ended.state(), JobState::Cancelled, "{}", ended.message);
        let left = (pair.stocks_left(), stocks_left(&pair.process.data_dir));
        assert_eq!(left, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_social_platform_names_a_rating_platform_killed_in_a_round() {
    let mut pair = Killable::rating(&as_it_is).await;
    let (long, phase) = (request(50_000), Phase::Online);
    let job = pair.operators.in_mid_job(long.clone(), phase).await;
    let began = pair.kill();
    let ended = last(pair.operators.watch_at_social(&job).await).await;
    let expected = [
        "rating platform",
        "vanished",
        "in round ",
        "propose the job anew",
    ];
    assert_failed(&ended, began, &expected);
    assert_eq!(pair.stocks_left(), 0);

    // The killed daemon comes back and knows that its job failed; both train again.
    pair.restart().await;
    let ended = last(pair.operators.watch(&job).await).await;
    assert_eq!(ended.state(), JobState::Failed, "{}", ended.message);
    assert_eq!(stocks_left(&pair.process.data_dir), 0);
    pair.operators.in_mid_job(long, phase).await;
}
