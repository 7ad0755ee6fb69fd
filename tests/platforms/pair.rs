//! Both daemons in this process, over loopback with real TLS, and operators for both.

use std::path::PathBuf;
use std::time::Duration;

use s3rec_node::config::{Limits, RatingSettings, SocialSettings};
use s3rec_node::daemon::Daemon;
use s3rec_node::pki::{CertificateRole, Issuance, issue};
use s3rec_tests::in_process::{self, Upload};
pub(crate) use s3rec_tests::in_process::{
    operator, pin, rating_settings, sent, social_settings, started, tls, upload,
};
use s3rec_tests::job::proposal;
use s3rec_wire::v1;
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
        Self::changed_in(
            directory,
            issued,
            |rating| limit(&mut rating.limits),
            |_| (),
        )
        .await
    }

    /// Starts both daemons, with workers by those files.
    pub(crate) async fn with_workers(rating: Option<PathBuf>, social: Option<PathBuf>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let issued = issue(&directory.path().join("keys"), &[]).unwrap();
        let of_rating = |settings: &mut RatingSettings| settings.workers = rating;
        Self::changed_in(directory, issued, of_rating, |settings| {
            settings.workers = social
        })
        .await
    }

    async fn changed_in(
        directory: tempfile::TempDir,
        issued: Issuance,
        change_rating: impl FnOnce(&mut RatingSettings),
        change_social: impl FnOnce(&mut SocialSettings),
    ) -> Self {
        let keys = directory.path().join("keys");
        let (stop_social, stopped) = watch::channel(false);
        let rating_pin = pin(&issued, CertificateRole::Rating);
        let mut settings = social_settings(directory.path().join("social"), &keys, rating_pin);
        let policy = directory.path().join("policy.toml");
        settings.peer.policy = policy.exists().then_some(policy);
        change_social(&mut settings);
        let social = started(|| s3rec_social::start(settings.clone(), stopped.clone())).await;
        let peer_address = format!("https://{}", social.peer_address().unwrap());
        let social_address = format!("https://{}", social.operator_address());

        let (stop_rating, stopped) = watch::channel(false);
        let social_pin = pin(&issued, CertificateRole::Social);
        let data_dir = directory.path().join("rating");
        let mut settings = rating_settings(data_dir, &keys, peer_address.clone(), social_pin);
        change_rating(&mut settings);
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

/// What [`proposal`] asks for, of the only data set and under a seed of its own.
pub(crate) fn request(rounds: u32) -> v1::ProposeJobRequest {
    v1::ProposeJobRequest {
        dataset: String::new(),
        seed: 7,
        ..proposal(rounds)
    }
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

/// A file of the data set that these tests import.
pub(crate) fn file(name: &str, text: &str) -> Upload {
    in_process::file("small", name, text)
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
