//! What the people at both platforms do, in order.

use std::time::Duration;

use s3rec_job::Party;
use s3rec_job::report::DataUse;
use s3rec_sparse::ladder;
use s3rec_wire::v1;
use tokio::time::timeout;

use super::DemoArgs;
use super::files::Files;
use super::friends::FriendsResults;
use super::oracle::{self, Oracle};
use crate::client::{self, ExportedModel, RatingClient, SocialClient};
use crate::connection::Connection;
use crate::failure::Failure;
use crate::output::note;
use crate::progress::JobProgress;
use crate::verbs::most_dropped;

/// Name of both data sets.
pub(super) const DATASET: &str = "demo";
/// How long the surviving daemon may take to say what it saw.
const SURVIVOR: Duration = Duration::from_secs(15);

/// Both operators at work.
pub(super) struct Conversation {
    rating: RatingClient,
    social: SocialClient,
    job_id: String,
}

/// What a demonstration comes to.
pub(super) enum Results {
    /// A training.
    Trained(Box<TrainedResults>),
    /// An opening of friends' sums.
    Friends(Box<FriendsResults>),
}

/// Everything that the report of a training is made of.
pub(super) struct TrainedResults {
    pub(super) data: DataUse,
    pub(super) links: v1::ImportLinksResponse,
    pub(super) report: v1::JobReportResponse,
    pub(super) cost: v1::JobCostResponse,
    pub(super) evaluation: v1::EvaluateResponse,
    pub(super) given_away: v1::Disclosure,
    pub(super) model: ExportedModel,
    pub(super) oracle: Oracle,
}

impl Conversation {
    /// Connects as the operator of each platform.
    pub(super) async fn open(rating: &Connection, social: &Connection) -> Result<Self, Failure> {
        Ok(Self {
            rating: client::rating(rating).await?,
            social: client::social(social).await?,
            job_id: String::new(),
        })
    }

    /// Imports, proposes, consents, trains, evaluates, and runs the oracle beside it.
    pub(super) async fn run(
        &mut self,
        arguments: &DemoArgs,
        files: &Files,
        silent: bool,
    ) -> Result<Results, Failure> {
        let tell = |text: &str| {
            if !silent {
                note(text);
            }
        };
        tell("Importing ratings at the rating platform and links at the social platform.");
        let ratings = arguments.ratings_source(&files.ratings);
        let (data, links) = self.import(arguments, files).await?;

        self.agree(arguments, &links, &tell).await?;
        if arguments.training.is_of_friends() {
            self.train(silent).await?;
            return self.opened(data, links).await;
        }
        let mut oracle = tokio::task::spawn_blocking({
            let ratings = ratings.clone();
            let links = arguments.links_source(&files.links);
            let proposal = arguments.proposal();
            move || oracle::train(&ratings, &links, &proposal)
        });
        self.train(silent).await?;

        let job_id = self.job_id.clone();
        let report = self.report().await?;
        let model_id = report
            .job
            .as_ref()
            .map(|job| job.model_id.clone())
            .unwrap_or_default();
        let request = v1::EvaluateRequest {
            model_id: model_id.clone(),
        };
        let evaluation = self.rating.evaluate(request).await?.into_inner();
        let model = client::export(&mut self.rating, &model_id).await?;
        let (cost, given_away) = self.given_away(job_id).await?;
        let oracle = (&mut oracle)
            .await
            .map_err(|panic| Failure::Oracle(panic.to_string()))??;
        Ok(Results::Trained(Box::new(TrainedResults {
            data,
            links,
            report,
            cost,
            evaluation,
            given_away,
            model,
            oracle,
        })))
    }

    /// What an opening of friends' sums came to.
    async fn opened(
        &mut self,
        data: DataUse,
        links: v1::ImportLinksResponse,
    ) -> Result<Results, Failure> {
        let report = self.report().await?;
        let (cost, given_away) = self.given_away(self.job_id.clone()).await?;
        Ok(Results::Friends(Box::new(FriendsResults {
            data,
            links,
            report,
            cost,
            given_away,
        })))
    }

    /// What the social platform counts of the job.
    async fn given_away(
        &mut self,
        job_id: String,
    ) -> Result<(v1::JobCostResponse, v1::Disclosure), Failure> {
        let cost = self
            .social
            .job_cost(v1::JobCostRequest { job_id })
            .await?
            .into_inner();
        let request = v1::ListSocialDisclosuresRequest {};
        let ledger = self.social.list_disclosures(request).await?.into_inner();
        let given_away = ledger
            .disclosures
            .into_iter()
            .find(|one| one.job_id == self.job_id);
        let given_away = given_away.ok_or(Failure::Incomplete {
            missing: "the social platform's ledger",
        })?;
        Ok((cost, given_away))
    }

    /// Brings both data sets in.
    pub(super) async fn import(
        &mut self,
        arguments: &DemoArgs,
        files: &Files,
    ) -> Result<(DataUse, v1::ImportLinksResponse), Failure> {
        let ratings = arguments.ratings_source(&files.ratings);
        let imported = client::import_ratings(&mut self.rating, &ratings).await?;
        let data = DataUse::of(
            imported.rows,
            imported.ratings,
            imported.duplicates,
            imported.out_of_scale,
        );
        most_dropped(&files.ratings, &data, &arguments.reading.ratings)?;
        let links = arguments.links_source(&files.links);
        let links = client::import_links(&mut self.social, &links).await?;
        Ok((data, links))
    }

    /// The job as the rating platform reports it.
    pub(super) async fn report(&mut self) -> Result<v1::JobReportResponse, Failure> {
        let request = v1::JobReportRequest {
            job_id: self.job_id.clone(),
        };
        Ok(self.rating.job_report(request).await?.into_inner())
    }

    /// The rating platform proposes, the social platform sees what it would give away and
    /// consents; of its links it states the next round numbers, as people would who leave room.
    pub(super) async fn agree(
        &mut self,
        arguments: &DemoArgs,
        links: &v1::ImportLinksResponse,
        tell: &impl Fn(&str),
    ) -> Result<(), Failure> {
        let proposed = self
            .rating
            .propose_job(arguments.proposal())
            .await?
            .into_inner();
        self.job_id = proposed.job_id;
        let request = v1::ListProposalsRequest { pending_only: true };
        let pending = self.social.list_proposals(request).await?.into_inner();
        let proposal = pending
            .proposals
            .into_iter()
            .find(|one| one.job_id == self.job_id);
        let proposal = proposal.ok_or(Failure::Incomplete {
            missing: "the proposal",
        })?;
        tell(&format!(
            "Proposal {} by {}. Consenting gives away:",
            self.job_id, proposal.peer
        ));
        for warning in &proposal.warnings {
            tell(&format!("  ! {warning}"));
        }
        let request = v1::ApproveProposalRequest {
            job_id: self.job_id.clone(),
            dataset: DATASET.into(),
            degree_bound: u32::try_from(ladder(links.largest_degree.into())).unwrap_or(u32::MAX),
            links_bound: ladder(links.links),
            ..v1::ApproveProposalRequest::default()
        };
        tell(&format!(
            "Approved, stating at most {} links of one user and {} in all.",
            request.degree_bound, request.links_bound
        ));
        self.social.approve_proposal(request).await?;
        Ok(())
    }

    /// Trains, showing progress unless `silent`.
    pub(super) async fn train(&mut self, silent: bool) -> Result<(), Failure> {
        let request = v1::StartJobRequest {
            job_id: self.job_id.clone(),
            wait_for_approval: true,
        };
        self.rating.start_job(request).await?;
        let mut progress = JobProgress::new(silent);
        let last = client::rating_events(&mut self.rating, &self.job_id, |event| {
            progress.show(event);
            Ok(())
        });
        let last = last.await?;
        drop(progress);
        crate::verbs::finished(&last)
    }

    /// When a daemon ended, adds what the other one has to say about the job.
    pub(super) async fn survivors_words(&mut self, failure: Failure) -> Failure {
        let Failure::Daemon {
            role,
            status,
            log,
            survivor: None,
        } = failure
        else {
            return failure;
        };
        let mut words = None;
        // The job waits for the ended platform; it does not end so soon.
        let listen = |event: &v1::JobEvent| {
            let is_absence = event.message.contains("vanished")
                || event.message.starts_with("Waiting for the social platform");
            if is_absence {
                words = Some(format!("in round {}: {}", event.round, event.message));
                return Err(Failure::Interrupted);
            }
            Ok(())
        };
        let last = if self.job_id.is_empty() {
            None
        } else if role == Party::Social.name() {
            let watching = client::rating_events(&mut self.rating, &self.job_id, listen);
            timeout(SURVIVOR, watching).await.ok().and_then(Result::ok)
        } else {
            let watching = client::social_events(&mut self.social, &self.job_id, listen);
            timeout(SURVIVOR, watching).await.ok().and_then(Result::ok)
        };
        Failure::Daemon {
            role,
            status,
            log,
            survivor: words.or(last.map(|event| event.message)),
        }
    }
}
