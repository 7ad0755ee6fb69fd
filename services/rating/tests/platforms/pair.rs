//! Both daemons in this process, over loopback with real TLS, and operators for both.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use s3rec_node::client::connect;
use s3rec_node::config::{
    Limits, LogSettings, ObservabilitySettings, OperatorSettings, RatingPeer, RatingSettings,
    Retention, SocialPeer, SocialSettings, TlsSettings,
};
use s3rec_node::daemon::{Daemon, DaemonError};
use s3rec_node::pki::{CertificateRole, Issuance, Pin, issue};
use s3rec_node::store::StoreError;
use s3rec_node::tls::{Authorize, TlsMaterial};
use s3rec_wire::v1;
use s3rec_wire::v1::file_chunk::Part;
use s3rec_wire::v1::rating_platform_client::RatingPlatformClient;
use s3rec_wire::v1::social_platform_client::SocialPlatformClient;
use tokio::sync::watch;
use tonic::transport::Channel;

/// Two running platforms and a connection to each as its operator.
pub(crate) struct Pair {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) issued: Issuance,
    pub(crate) rating: RatingPlatformClient<Channel>,
    pub(crate) social: SocialPlatformClient<Channel>,
    pub(crate) rating_address: String,
    pub(crate) social_address: String,
    pub(crate) peer_address: String,
    pub(crate) stop_rating: watch::Sender<bool>,
    pub(crate) stop_social: watch::Sender<bool>,
    daemons: Vec<Daemon>,
}

pub(crate) fn tls(keys: &Path, role: CertificateRole) -> TlsSettings {
    TlsSettings {
        ca: keys.join("ca.pem"),
        certificate: keys.join(format!("{role}.pem")),
        key: keys.join(format!("{role}.key")),
        revoked: None,
    }
}

pub(crate) fn pin(issued: &Issuance, role: CertificateRole) -> Pin {
    issued.identity(role).unwrap().pin
}

pub(crate) fn social_settings(data_dir: PathBuf, keys: &Path, pin: Pin) -> SocialSettings {
    SocialSettings {
        data_dir,
        name: "social.example".into(),
        operator: OperatorSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            ca: None,
        },
        peer: SocialPeer {
            listen: "127.0.0.1:0".parse().unwrap(),
            pin: Some(pin),
            pin_file: None,
            policy: None,
        },
        tls: tls(keys, CertificateRole::Social),
        log: LogSettings::default(),
        observability: ObservabilitySettings::default(),
        limits: limits(),
        retention: Retention::default(),
    }
}

pub(crate) fn rating_settings(
    data_dir: PathBuf,
    keys: &Path,
    address: String,
    pin: Pin,
) -> RatingSettings {
    RatingSettings {
        data_dir,
        name: "rating.example".into(),
        operator: OperatorSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            ca: None,
        },
        peer: RatingPeer {
            address,
            pin: Some(pin),
            pin_file: None,
        },
        tls: tls(keys, CertificateRole::Rating),
        log: LogSettings::default(),
        observability: ObservabilitySettings::default(),
        limits: limits(),
        retention: Retention::default(),
    }
}

fn limits() -> Limits {
    Limits {
        idle_seconds: 60,
        drain_seconds: 2,
        ..Limits::default()
    }
}

/// Starts a daemon, once the one before has let go of the store.
pub(crate) async fn started<F>(start: impl Fn() -> F) -> Daemon
where
    F: Future<Output = Result<Daemon, DaemonError>>,
{
    let began = Instant::now();
    loop {
        match start().await {
            Err(DaemonError::Store(StoreError::InUse { .. })) => {
                assert!(
                    began.elapsed() < Duration::from_secs(20),
                    "the store stays in use"
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            started => return started.unwrap(),
        }
    }
}

pub(crate) async fn operator(
    keys: &Path,
    address: &str,
    own: CertificateRole,
    of: CertificateRole,
) -> Channel {
    let material = TlsMaterial::load(&tls(keys, own), own).unwrap();
    connect(address, &material, Authorize::role(of))
        .await
        .unwrap()
}

impl Pair {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(&directory.path().join("keys"), &[]).unwrap();
        Self::start_in(directory, issued).await
    }

    /// As [`Self::start`], the social platform under a policy.
    pub(crate) async fn start_under(policy: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("policy.toml"), policy).unwrap();
        let issued = issue(&directory.path().join("keys"), &[]).unwrap();
        Self::start_in(directory, issued).await
    }

    /// Stops both daemons; what they keep stays.
    pub(crate) async fn stop(self) -> (tempfile::TempDir, Issuance) {
        self.stop_rating.send_replace(true);
        self.stop_social.send_replace(true);
        drop((self.rating, self.social));
        for daemon in self.daemons {
            daemon.served().await.unwrap();
        }
        (self.directory, self.issued)
    }

    /// Starts both daemons over what an earlier pair kept.
    pub(crate) async fn start_in(directory: tempfile::TempDir, issued: Issuance) -> Self {
        Self::limited_in(directory, issued, |_| ()).await
    }

    /// The same, with other limits of the rating platform.
    pub(crate) async fn limited_in(
        directory: tempfile::TempDir,
        issued: Issuance,
        limit: impl FnOnce(&mut Limits),
    ) -> Self {
        let keys = directory.path().join("keys");
        let (stop_social, stopped) = watch::channel(false);
        let rating_pin = pin(&issued, CertificateRole::Rating);
        let mut settings = social_settings(directory.path().join("social"), &keys, rating_pin);
        let policy = directory.path().join("policy.toml");
        settings.peer.policy = policy.exists().then_some(policy);
        let social = started(|| s3rec_social::start(settings.clone(), stopped.clone())).await;
        let peer_address = format!("https://{}", social.peer_address().unwrap());
        let social_address = format!("https://{}", social.operator_address());

        let (stop_rating, stopped) = watch::channel(false);
        let social_pin = pin(&issued, CertificateRole::Social);
        let data_dir = directory.path().join("rating");
        let mut settings = rating_settings(data_dir, &keys, peer_address.clone(), social_pin);
        limit(&mut settings.limits);
        let rating = started(|| s3rec_rating::start(settings.clone(), stopped.clone())).await;
        let rating_address = format!("https://{}", rating.operator_address());

        use CertificateRole::{Rating, RatingOperator, Social, SocialOperator};
        let to_rating = operator(&keys, &rating_address, RatingOperator, Rating).await;
        let to_social = operator(&keys, &social_address, SocialOperator, Social).await;
        Self {
            directory,
            issued,
            rating: RatingPlatformClient::new(to_rating),
            social: SocialPlatformClient::new(to_social),
            rating_address,
            social_address,
            peer_address,
            stop_rating,
            stop_social,
            daemons: vec![rating, social],
        }
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    /// Imports small data: 40 users, of whom P1 knows 30, in two groups of different taste.
    pub(crate) async fn import(&mut self) {
        let (ratings, links) = small_data();
        let imported = self
            .rating
            .import_ratings(file("ratings.tsv", &ratings))
            .await;
        assert_eq!(imported.unwrap().into_inner().users, 40);
        let imported = self.social.import_links(file("links.tsv", &links)).await;
        assert_eq!(imported.unwrap().into_inner().users, 35);
    }

    /// Proposes a job of that many rounds and gives its id.
    pub(crate) async fn propose(&mut self, rounds: u32) -> String {
        let proposed = self.rating.propose_job(request(rounds)).await;
        proposed.unwrap().into_inner().job_id
    }

    /// Runs a job to its end and gives its id and P0's events.
    pub(crate) async fn run(
        &mut self,
        request: v1::ProposeJobRequest,
    ) -> (String, Vec<v1::JobEvent>) {
        let proposed = self.rating.propose_job(request).await.unwrap();
        let job = proposed.into_inner().job_id;
        self.approve(&job).await;
        self.begin(&job).await;
        let events = self.watch(&job).await;
        (job, events)
    }

    /// The exported factors of a job's model: users' rows, then items'.
    pub(crate) async fn model(&mut self, job: &str) -> (Vec<f64>, Vec<f64>) {
        let export = v1::ExportModelRequest {
            model_id: job.into(),
        };
        let mut chunks = self.rating.export_model(export).await.unwrap().into_inner();
        let (mut users, mut items) = (Vec::new(), Vec::new());
        while let Some(chunk) = chunks.message().await.unwrap() {
            let Some(v1::model_chunk::Part::Rows(rows)) = chunk.part else {
                continue;
            };
            match rows.side() {
                v1::model_rows::Side::User => users.extend(rows.factors),
                _ => items.extend(rows.factors),
            }
        }
        (users, items)
    }

    pub(crate) async fn approve(&mut self, job: &str) {
        let request = v1::ApproveProposalRequest {
            job_id: job.into(),
            dataset: String::new(),
            expires_unix_ms: 0,
            ..v1::ApproveProposalRequest::default()
        };
        self.social.approve_proposal(request).await.unwrap();
    }

    pub(crate) async fn begin(&mut self, job: &str) {
        let request = v1::StartJobRequest {
            job_id: job.into(),
            wait_for_approval: true,
        };
        self.rating.start_job(request).await.unwrap();
    }

    /// P0's events until the job ends.
    pub(crate) async fn watch(&mut self, job: &str) -> Vec<v1::JobEvent> {
        let request = v1::WatchJobRequest { job_id: job.into() };
        let mut stream = self.rating.watch_job(request).await.unwrap().into_inner();
        let mut events = Vec::new();
        let all = async {
            while let Some(event) = stream.message().await.unwrap() {
                events.push(event);
            }
        };
        tokio::time::timeout(Duration::from_secs(120), all)
            .await
            .unwrap();
        events
    }

    /// What the rating platform lists as opened to it.
    pub(crate) async fn seen(&mut self) -> v1::ListRatingDisclosuresResponse {
        let all = v1::ListRatingDisclosuresRequest {};
        let listed = self.rating.list_disclosures(all).await;
        listed.unwrap().into_inner()
    }

    /// What the social platform lists as opened.
    pub(crate) async fn shown(&mut self) -> v1::ListSocialDisclosuresResponse {
        let all = v1::ListSocialDisclosuresRequest {};
        let listed = self.social.list_disclosures(all).await;
        listed.unwrap().into_inner()
    }

    /// P1's last event of a job, once it has ended.
    pub(crate) async fn social_end(&mut self, job: &str) -> v1::JobEvent {
        let request = v1::WatchProposalRequest { job_id: job.into() };
        let mut stream = self
            .social
            .watch_proposal(request)
            .await
            .unwrap()
            .into_inner();
        let mut last = None;
        let all = async {
            while let Some(event) = stream.message().await.unwrap() {
                last = Some(event);
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all)
            .await
            .unwrap();
        last.unwrap()
    }
}

pub(crate) fn request(rounds: u32) -> v1::ProposeJobRequest {
    let mut model = v1::ModelSettings {
        rank: 4,
        rounds,
        ..v1::ModelSettings::default()
    };
    model.set_solver(v1::Solver::Gd);
    model.set_operator(v1::Operator::NormalizedLaplacian);
    let mut release = v1::ReleasePolicy::default();
    release.set_kind(v1::ReleaseKind::Exact);
    let mut request = v1::ProposeJobRequest {
        model: Some(model),
        release_policy: Some(release),
        purpose: "a test".into(),
        seed: 7,
        ..v1::ProposeJobRequest::default()
    };
    request.set_protocol(v1::Protocol::He);
    request.set_pattern_policy(v1::PatternPolicy::Nothing);
    request
}

/// As [`request`], with protocol, solver and operator left to the defaults.
pub(crate) fn default_request(rounds: u32) -> v1::ProposeJobRequest {
    let mut request = request(rounds);
    request.set_protocol(v1::Protocol::Unspecified);
    let model = request.model.as_mut().unwrap();
    model.set_solver(v1::Solver::Unspecified);
    model.set_operator(v1::Operator::Unspecified);
    request
}

pub(crate) fn file(
    name: &str,
    text: &str,
) -> tokio_stream::Iter<std::vec::IntoIter<v1::FileChunk>> {
    let header = v1::FileHeader {
        file_name: name.into(),
        dataset: "small".into(),
        ..v1::FileHeader::default()
    };
    upload(header, text)
}

/// An upload of `text` under that header, which states its length and digest.
pub(crate) fn upload(
    header: v1::FileHeader,
    text: &str,
) -> tokio_stream::Iter<std::vec::IntoIter<v1::FileChunk>> {
    let header = v1::FileHeader {
        length: text.len() as u64,
        digest: blake3::hash(text.as_bytes()).as_bytes().to_vec(),
        ..header
    };
    sent(header, text)
}

/// As [`upload`], the header as it is.
pub(crate) fn sent(
    header: v1::FileHeader,
    text: &str,
) -> tokio_stream::Iter<std::vec::IntoIter<v1::FileChunk>> {
    let part = |part| v1::FileChunk { part: Some(part) };
    let mut chunks = vec![part(Part::Header(header))];
    chunks.extend(
        text.as_bytes()
            .chunks(1000)
            .map(|data| part(Part::Data(data.to_vec()))),
    );
    tokio_stream::iter(chunks)
}

pub(crate) fn small_data() -> (String, String) {
    let mut ratings = String::new();
    for user in 0..40 {
        for item in 0..25 {
            if (user * 7 + item * 3) % 4 != 0 {
                let likes = (user % 2 == 0) == (item % 2 == 0);
                let value = if likes { 4 } else { 2 } + (user + item) % 2;
                ratings += &format!("u{user}\ti{item}\t{value}\n");
            }
        }
    }
    let mut links = String::new();
    for user in 10..45 {
        for step in [2, 4] {
            let friend = 10 + (user - 10 + step) % 35;
            links += &format!("u{user}\tu{friend}\n");
        }
    }
    (ratings, links)
}
