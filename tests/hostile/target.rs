//! The social platform as it ships, in this process, over loopback with real TLS.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use s3rec_audit::{Entry, Verified, verify};
use s3rec_job::{Counters, Proposal};
use s3rec_node::audit::LOG_FILE;
use s3rec_node::config::SocialSettings;
use s3rec_node::daemon::Daemon;
use s3rec_node::pki::{CertificateRole, issue};
use s3rec_node::store::{Store, StoreError};
pub(crate) use s3rec_tests::in_process::tls;
use s3rec_tests::in_process::{self, Upload, operator, pin, social_settings, started};
use s3rec_wire::convert::counters_from_wire;
use s3rec_wire::v1;
use s3rec_wire::v1::JobState;
use s3rec_wire::v1::social_platform_client::SocialPlatformClient;
use tokio::sync::watch;
use tonic::transport::Channel;

use crate::attacker::Attacker;

/// The name of the data set.
pub(crate) const DATASET: &str = "links";

/// A rule under which everything below is approved at once, field by field.
const RULE: &[(&str, &str)] = &[
    ("peer", "\"*\""),
    ("dataset", "\"links\""),
    ("decide", "\"approve\""),
    ("protocols", "[\"he\", \"preprocessed\"]"),
    ("patterns", "[\"nothing\"]"),
    ("releases", "[\"exact\", \"noised\"]"),
    ("largest_rank", "8"),
    ("most_intersections", "1000"),
    ("most_ids_asked", "100000"),
    ("most_columns_per_day", "1000"),
    ("most_values_per_day", "1000000"),
    ("most_columns", "1000"),
    ("most_values", "1000000"),
    ("most_stocks", "1000"),
    ("most_rho", "1000.0"),
    ("most_epsilon", "1000.0"),
    ("least_common_users", "2"),
    ("degree_bound", "20"),
    ("links_bound", "400"),
    ("longest_days", "7"),
];

/// A policy of one rule, some of its fields otherwise.
pub(crate) fn policy(changes: &[(&str, &str)]) -> String {
    let mut text = String::from("[[rule]]\n");
    for (field, value) in RULE {
        let changed = changes.iter().find(|(changed, _)| changed == field);
        let value = changed.map_or(*value, |(_, value)| *value);
        text += &format!("{field} = {value}\n");
    }
    for (changed, _) in changes {
        assert!(RULE.iter().any(|(field, _)| field == changed), "{changed}");
    }
    text
}

/// Users `u0` to `u39`, each linked to the next but one, and no other links.
pub(crate) fn ring_of_links() -> String {
    let mut links = String::new();
    for user in 0..40 {
        links += &format!("u{user}\tu{}\n", (user + 2) % 40);
    }
    links
}

/// All of them as P0's users.
pub(crate) fn everybody() -> Vec<String> {
    (0..40).map(|user| format!("u{user}")).collect()
}

/// A running social platform and its people.
pub(crate) struct Target {
    directory: tempfile::TempDir,
    settings: SocialSettings,
    stop: watch::Sender<bool>,
    daemon: Option<Daemon>,
    people: Option<SocialPlatformClient<Channel>>,
    pub(crate) peer_address: String,
}

impl Target {
    /// With these links, under this policy.
    pub(crate) async fn start(policy: &str, links: &str) -> Self {
        let mut target = Self::without_links(policy).await;
        target.import(links).await;
        target
    }

    pub(crate) async fn without_links(policy: &str) -> Self {
        Self::configured(policy, |_| ()).await
    }

    /// Under a policy, without links, the settings changed by `change`.
    pub(crate) async fn configured(policy: &str, change: impl FnOnce(&mut SocialSettings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let issued = issue(&keys, &[]).unwrap();
        let policy_file = directory.path().join("policy.toml");
        std::fs::write(&policy_file, policy).unwrap();
        let pin = pin(&issued, CertificateRole::Rating);
        let mut settings = social_settings(directory.path().join("social"), &keys, pin);
        settings.peer.policy = Some(policy_file);
        settings.limits.idle_seconds = 20;
        change(&mut settings);
        let (stop, daemon, people, peer_address) = serve(&settings, &keys).await;
        Self {
            directory,
            settings,
            stop,
            daemon: Some(daemon),
            people: Some(people),
            peer_address,
        }
    }

    pub(crate) async fn import(&mut self, links: &str) {
        let imported = self.people().import_links(file(DATASET, links)).await;
        imported.unwrap();
    }

    /// Stops the daemon, changes what it has on disk, and starts it again; gives a new connection
    /// for the old one, which would keep the store open.
    pub(crate) async fn restart(
        &mut self,
        attacker: Attacker,
        change: impl FnOnce(&Path),
    ) -> Attacker {
        self.stop.send_replace(true);
        drop((attacker, self.people.take()));
        self.daemon.take().unwrap().served().await.unwrap();
        let began = Instant::now();
        // Its tasks end a moment later than it does.
        while let Err(StoreError::InUse { .. }) = Store::open(&self.settings.data_dir) {
            assert!(began.elapsed() < Duration::from_secs(60), "still in use");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        change(&self.settings.data_dir);
        let (stop, daemon, people, peer_address) = serve(&self.settings, &self.keys()).await;
        (self.stop, self.daemon) = (stop, Some(daemon));
        (self.people, self.peer_address) = (Some(people), peer_address);
        self.attacker().await
    }

    /// The people here.
    pub(crate) fn people(&mut self) -> &mut SocialPlatformClient<Channel> {
        self.people.as_mut().unwrap()
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.settings.data_dir
    }

    /// Whoever has the pinned certificate.
    pub(crate) async fn attacker(&self) -> Attacker {
        Attacker::connect(&self.peer_address, &self.keys(), "rating").await
    }

    /// Puts another policy in force.
    pub(crate) async fn reload(&mut self, policy: &str) {
        std::fs::write(self.directory.path().join("policy.toml"), policy).unwrap();
        let reloaded = self.people().reload_policy(v1::PolicyRequest {}).await;
        reloaded.unwrap();
    }

    /// What the people here are told was opened.
    pub(crate) async fn shown(&mut self) -> v1::ListSocialDisclosuresResponse {
        let all = v1::ListSocialDisclosuresRequest {};
        let listed = self.people().list_disclosures(all).await;
        listed.unwrap().into_inner()
    }

    /// What was counted over all jobs.
    pub(crate) async fn counters(&mut self) -> Counters {
        let accounts = self.shown().await.accounts;
        assert!(accounts.len() < 2, "{accounts:?}");
        let account = accounts.first().and_then(|account| account.counters);
        account.map(counters_from_wire).unwrap_or_default()
    }

    /// What the people here read before they decide.
    pub(crate) async fn page(&mut self, proposal: &Proposal) -> v1::ProposalSummary {
        let pending = v1::ListProposalsRequest { pending_only: true };
        let listed = self.people().list_proposals(pending).await.unwrap();
        let mut pages = listed.into_inner().proposals.into_iter();
        let job = proposal.job.to_string();
        pages.find(|page| page.job_id == job).unwrap()
    }

    /// State of a job, and why.
    pub(crate) async fn state(&mut self, job: &str) -> (JobState, String) {
        let all = v1::ListProposalsRequest {
            pending_only: false,
        };
        let listed = self
            .people()
            .list_proposals(all)
            .await
            .unwrap()
            .into_inner();
        let mut proposals = listed.proposals.into_iter();
        let found = proposals.find(|proposal| proposal.job_id == job).unwrap();
        let event = found.last_event.unwrap();
        (event.state(), event.message)
    }

    /// The state that a job ends in, and why.
    pub(crate) async fn end_of(&mut self, job: &str) -> (JobState, String) {
        let began = Instant::now();
        loop {
            let (state, why) = self.state(job).await;
            let ended = [JobState::Finished, JobState::Failed, JobState::Cancelled];
            if ended.contains(&state) {
                return (state, why);
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{state:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the log says that left of P1's ids and links before and beside the openings.
    pub(crate) fn showings(&self) -> Vec<String> {
        let logged = self.logged("showing");
        let what = logged.iter().map(|entry| entry.text("what").unwrap());
        what.map(String::from).collect()
    }

    /// The audit log, checked.
    pub(crate) fn log(&self) -> Verified {
        let bytes = std::fs::read(self.settings.data_dir.join(LOG_FILE)).unwrap();
        verify(&bytes).unwrap()
    }

    /// Its entries of a kind, by the kind's name, oldest first.
    pub(crate) fn logged(&self, kind: &str) -> Vec<Entry> {
        let entries = self.log().entries.into_iter().map(|(entry, _)| entry);
        entries.filter(|entry| entry.kind.name() == kind).collect()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

type Serving = (
    watch::Sender<bool>,
    Daemon,
    SocialPlatformClient<Channel>,
    String,
);

/// Starts the daemon, once the one before has let go of the store.
async fn serve(settings: &SocialSettings, keys: &Path) -> Serving {
    let (stop, stopped) = watch::channel(false);
    let daemon = started(|| s3rec_social::start(settings.clone(), stopped.clone())).await;
    let address = format!("https://{}", daemon.operator_address());
    let (own, of) = (CertificateRole::SocialOperator, CertificateRole::Social);
    let channel = operator(keys, &address, own, of).await;
    let peer_address = format!("https://{}", daemon.peer_address().unwrap());
    (
        stop,
        daemon,
        SocialPlatformClient::new(channel),
        peer_address,
    )
}

/// A file of links as the command sends it.
pub(crate) fn file(dataset: &str, text: &str) -> Upload {
    in_process::file(dataset, &format!("{dataset}.tsv"), text)
}
