//! `s3rec rating …`.

use s3rec_model::StopRule;
use s3rec_node::pki::CertificateRole;
use s3rec_node::process::now_unix_ms;
use s3rec_sources::Destination;
use s3rec_wire::v1;

use super::{follow, importing, job_file, job_page, rating_text, shared_text, stored_text};
use crate::arguments::{
    CalibrationUsersArgs, DatasetArgs, DatasetsVerb, JobArgs, JobReportArgs, JobsArgs, JobsVerb,
    ModelVerb, ModelsArgs, ModelsVerb, ProposeArgs, RatingVerb, ReasonedJobArgs, RecommendArgs,
};
use crate::client::{self, FileSource, RatingClient};
use crate::connection::ConnectionArgs;
use crate::failure::Failure;
use crate::output::{Output, note};

/// Does what the verb says.
///
/// # Errors
/// [`Failure`] of the connection, the platform, or the job.
pub async fn rating(verb: RatingVerb, output: Output) -> Result<(), Failure> {
    match verb {
        RatingVerb::Import(arguments) => {
            let source = importing::ratings(&arguments, output)?;
            let mut client = connect(arguments.connection).await?;
            let imported = client::import_ratings(&mut client, &source).await?;
            output.message(&imported, rating_text::imported)
        }
        RatingVerb::ImportFactors(arguments) => {
            importing::files_of_factors(&arguments)?;
            let source = FileSource {
                items: arguments.items,
                ratings: arguments.ratings,
                fold_case: arguments.fold_case,
                ..FileSource::new(&arguments.file, &arguments.dataset)
            };
            let mut client = connect(arguments.connection).await?;
            let imported = client::import_factors(&mut client, &source).await?;
            output.message(&imported, rating_text::imported_factors)
        }
        RatingVerb::Factors(verb) => datasets(verb, "factors", output).await,
        RatingVerb::Propose(arguments) => propose(*arguments, output).await,
        RatingVerb::Run(arguments) => job_file::run(arguments, output).await,
        RatingVerb::Start(arguments) => {
            let mut client = connect(arguments.job.connection).await?;
            let job = client::rating_job(&mut client, &arguments.job.job).await?;
            let request = v1::StartJobRequest {
                job_id: job.clone(),
                wait_for_approval: arguments.wait,
            };
            let mut started = client.start_job(request).await?.into_inner();
            if arguments.wait && started.state() == v1::JobState::Proposed {
                crate::output::note(
                    "Waiting for the social platform's decision; the job goes on waiting by \
                     itself when this command is interrupted.",
                );
                let decided = client::decision(&mut client, &job).await?;
                started.state = decided.state;
                if client::is_terminal(decided.state()) {
                    super::finished(&decided)?;
                }
            }
            output.message(&started, |started| shared_text::state(started.state()))
        }
        RatingVerb::Watch(JobArgs { job, connection }) => {
            let mut client = connect(connection).await?;
            let job = client::rating_job(&mut client, &job).await?;
            follow::watch(&mut client, &job, output).await
        }
        RatingVerb::Cancel(ReasonedJobArgs { job, reason }) => {
            let mut client = connect(job.connection).await?;
            let request = v1::CancelJobRequest {
                job_id: client::rating_job(&mut client, &job.job).await?,
                reason,
            };
            let cancelled = client.cancel_job(request).await?.into_inner();
            output.message(&cancelled, |cancelled| {
                shared_text::state(cancelled.state())
            })
        }
        RatingVerb::Jobs(JobsArgs {
            verb: Some(JobsVerb::Delete(JobArgs { job, connection })),
            ..
        }) => {
            let mut client = connect(connection).await?;
            let job_id = client::rating_job(&mut client, &job).await?;
            let request = v1::DeleteJobRequest { job_id };
            let deleted = client.delete_job(request).await?.into_inner();
            output.message(&deleted, stored_text::job_deleted)
        }
        RatingVerb::Jobs(arguments) => {
            let request = v1::ListJobsRequest {};
            let jobs = connect(arguments.connection)
                .await?
                .list_jobs(request)
                .await?
                .into_inner();
            output.message(&jobs, rating_text::jobs)
        }
        RatingVerb::Report(arguments) => report(arguments, output).await,
        RatingVerb::Stock(connection) => {
            let request = v1::StockStatusRequest::default();
            let mut client = connect(connection).await?;
            let status = client.stock_status(request).await?.into_inner();
            output.message(&status, |status| shared_text::stocks(&status.stocks))
        }
        RatingVerb::AcceptLog(arguments) => {
            let request = v1::AcceptPeerLogRequest { log: arguments.log };
            let mut client = connect(arguments.connection).await?;
            let accepted = client.accept_peer_log(request).await?.into_inner();
            output.message(&accepted, super::accepted_log)
        }
        RatingVerb::Backup(arguments) => {
            let mut client = connect(arguments.connection).await?;
            let call = client.backup(v1::BackupRequest {});
            let written = client::write_backup(&arguments.out, call).await?;
            output.value(&serde_json::json!(written), || {
                super::backup_written(&written)
            })
        }
        RatingVerb::Reconcile(arguments) => {
            let request = super::reconciling(&arguments)?;
            let mut client = connect(arguments.connection).await?;
            let answer = client.reconcile(request).await?.into_inner();
            output.message(&answer, super::reconciled)
        }
        RatingVerb::Disclosures(connection) => {
            let request = v1::ListRatingDisclosuresRequest {};
            let mut client = connect(connection).await?;
            let shown = client.list_disclosures(request).await?.into_inner();
            output.message(&shown, |shown| {
                let mut text = shared_text::disclosures(&shown.disclosures);
                text.push_str(&shared_text::accounts(&shown.accounts));
                text
            })
        }
        RatingVerb::Console(connection) => {
            super::console(connection, CertificateRole::RatingOperator, output).await
        }
        RatingVerb::Datasets(verb) => datasets(verb, "", output).await,
        RatingVerb::Models(ModelsArgs {
            verb: Some(ModelsVerb::Delete { model, connection }),
            ..
        }) => {
            let request = v1::DeleteModelRequest { model_id: model };
            let mut client = connect(connection).await?;
            let deleted = client.delete_model(request).await?.into_inner();
            output.message(&deleted, stored_text::model_deleted)
        }
        RatingVerb::Models(arguments) => {
            let request = v1::ListModelsRequest {};
            let models = connect(arguments.connection)
                .await?
                .list_models(request)
                .await?
                .into_inner();
            output.message(&models, rating_text::models)
        }
        RatingVerb::Ask(verb) => model_verb(verb, output).await,
    }
}

/// `kind`: empty for ratings, or factors.
async fn datasets(verb: DatasetsVerb, kind: &str, output: Output) -> Result<(), Failure> {
    let kind = kind.to_owned();
    match verb {
        DatasetsVerb::List(connection) => {
            let rows = if kind.is_empty() {
                "ratings"
            } else {
                "vectors"
            };
            let request = v1::ListDatasetsRequest { kind };
            let mut client = connect(connection).await?;
            let listed = client.list_datasets(request).await?.into_inner();
            output.message(&listed, |listed| stored_text::datasets(listed, rows))
        }
        DatasetsVerb::Show(DatasetArgs {
            dataset,
            connection,
        }) => {
            let request = v1::ShowDatasetRequest { dataset, kind };
            let mut client = connect(connection).await?;
            let shown = client.show_dataset(request).await?.into_inner();
            output.message(&shown, |shown| {
                let factors = shown.factors.as_ref().map(rating_text::imported_factors);
                let imported = shown.imported.as_ref().map(rating_text::imported);
                let imported = imported.or(factors);
                stored_text::dataset(shown.dataset.as_ref(), shown.header.as_ref(), imported)
            })
        }
        DatasetsVerb::Delete(DatasetArgs {
            dataset,
            connection,
        }) => {
            let request = v1::DeleteDatasetRequest { dataset, kind };
            let mut client = connect(connection).await?;
            let deleted = client.delete_dataset(request).await?.into_inner();
            output.message(&deleted, stored_text::dataset_deleted)
        }
    }
}

pub(super) async fn propose(arguments: ProposeArgs, output: Output) -> Result<(), Failure> {
    let request = arguments.request();
    let measured = arguments
        .training
        .preset
        .and_then(|preset| preset.load().measured());
    let mut client = connect(arguments.connection).await?;
    let proposed = client.propose_job(request).await?.into_inner();
    if let Some(measured) = measured.filter(|_| !output.is_json()) {
        note(&format!(
            "{measured} Measure yours with s3rec evaluate before anything is opened."
        ));
    }
    if proposed.state() == v1::JobState::Rejected {
        return Err(Failure::Job {
            state: shared_text::state(proposed.state()),
            message: proposed.reason,
        });
    }
    match (arguments.start, arguments.wait) {
        (true, _) => return follow::start(&mut client, &proposed, output).await,
        (false, true) => return follow::decision(&mut client, &proposed, output).await,
        (false, false) => {}
    }
    output.message(&proposed, |proposed| {
        format!(
            "job {} is {}",
            proposed.job_id,
            shared_text::state(proposed.state())
        )
    })
}

/// That many days from now, milliseconds since the Unix epoch.
pub(super) fn in_days(days: u16) -> i64 {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    now_unix_ms() + i64::from(days) * DAY_MS
}

impl ProposeArgs {
    /// The proposal in the conversation's words.
    #[must_use]
    pub fn request(&self) -> v1::ProposeJobRequest {
        v1::ProposeJobRequest {
            dataset: self.dataset.clone(),
            model: Some(self.training.settings(StopRule::default().patience)),
            protocol: self
                .protocol
                .map_or(0, crate::arguments::ProtocolChoice::number),
            pattern_policy: self.pattern.number(),
            release_policy: Some(self.release.policy(self.training.is_of_friends())),
            purpose: self.purpose.clone(),
            seed: self.seed,
            held_out_share: Some(if self.no_held_out {
                0.0
            } else {
                self.held_out_share
            }),
            no_held_out: self.no_held_out,
            held_out_latest: self.held_out_latest,
            expires_unix_ms: in_days(self.expires_days),
            refuse_repeated: !self.again,
            factors: self.factors.clone().unwrap_or_default(),
        }
    }
}

/// The verbs about finished models.
async fn model_verb(verb: ModelVerb, output: Output) -> Result<(), Failure> {
    match verb {
        ModelVerb::Evaluate(arguments) => {
            let request = v1::EvaluateRequest {
                model_id: arguments.model.unwrap_or_default(),
            };
            let mut client = connect(arguments.connection).await?;
            let evaluated = client.evaluate(request).await?.into_inner();
            output.message(&evaluated, rating_text::evaluation)
        }
        ModelVerb::Predict(arguments) => {
            let request = v1::PredictRequest {
                model_id: arguments.model.model.unwrap_or_default(),
                user_id: arguments.user,
                item_id: arguments.item,
            };
            let mut client = connect(arguments.model.connection).await?;
            let predicted = client.predict(request).await?.into_inner();
            output.message(&predicted, rating_text::prediction)
        }
        ModelVerb::Recommend(RecommendArgs {
            count,
            include_rated,
            out: Some(out),
            model,
            ..
        }) => {
            let request = v1::RecommendAllRequest {
                model_id: model.model.unwrap_or_default(),
                count,
                include_rated,
            };
            let mut client = connect(model.connection).await?;
            let written = client::write_lists(&mut client, request, &out).await?;
            output.value(&serde_json::json!(written), || {
                rating_text::written_lists(&written)
            })
        }
        ModelVerb::Recommend(arguments) => {
            let request = v1::RecommendRequest {
                model_id: arguments.model.model.unwrap_or_default(),
                user_id: arguments.user.unwrap_or_default(),
                count: arguments.count,
                include_rated: arguments.include_rated,
            };
            let mut client = connect(arguments.model.connection).await?;
            let recommended = client.recommend(request).await?.into_inner();
            output.message(&recommended, rating_text::recommendations)
        }
        ModelVerb::Export(arguments) => {
            let mut client = connect(arguments.connection).await?;
            let Some(path) = arguments.out else {
                let model = client::export(&mut client, &arguments.model).await?;
                return output.write(&serde_json::json!(model).to_string());
            };
            let written = client::write_model(&mut client, &arguments.model, &path).await?;
            output.value(&serde_json::json!(written), || {
                rating_text::written(&written)
            })
        }
        ModelVerb::ExportFriends(arguments) => {
            let mut client = connect(arguments.connection).await?;
            let model = match &arguments.job {
                None => String::new(),
                Some(job) => client::rating_job(&mut client, job).await?,
            };
            let written = client::write_friends(&mut client, &model, &arguments.out).await?;
            output.value(&serde_json::json!(written), || {
                rating_text::written_friends(&written)
            })
        }
        ModelVerb::CalibrationUsers(arguments) => calibration_users(arguments, output).await,
    }
}

async fn report(arguments: JobReportArgs, output: Output) -> Result<(), Failure> {
    let JobArgs { job, connection } = arguments.job;
    let mut client = connect(connection).await?;
    let job_id = client::rating_job(&mut client, &job).await?;
    let request = v1::JobReportRequest { job_id };
    let report = client.job_report(request).await?.into_inner();
    if let Some(directory) = &arguments.html {
        let model = report.job.as_ref().map(|job| job.model_id.clone());
        // What a training must beat; lists are judged by their verdict, and a deleted model by nothing.
        let evaluation = match model {
            Some(model_id) if report.verdict.is_none() && !model_id.is_empty() => {
                let evaluated = client.evaluate(v1::EvaluateRequest { model_id }).await?;
                Some(evaluated.into_inner())
            }
            _ => None,
        };
        let page = job_page::page(&report, evaluation.as_ref(), None);
        let path = page.write(directory)?;
        if !output.is_json() {
            note(&format!("Page: {}", path.display()));
        }
    }
    output.message(&report, rating_text::report)
}

async fn calibration_users(arguments: CalibrationUsersArgs, output: Output) -> Result<(), Failure> {
    let request = v1::CalibrationUsersRequest {
        dataset: arguments.dataset.unwrap_or_default(),
        few_below: arguments.few_below.unwrap_or_default(),
        calibration_share: arguments.calibration_share.unwrap_or_default(),
    };
    let path = arguments.out;
    let to = Destination::named(&path)?;
    let mut client = connect(arguments.connection).await?;
    let mut chunks = client.calibration_users(request).await?.into_inner();
    let (mut text, mut users) = (String::new(), 0u64);
    while let Some(chunk) = chunks.message().await? {
        users += chunk.ids.len() as u64;
        chunk.ids.iter().for_each(|id| text += &format!("{id}\n"));
    }
    std::fs::write(to.file(), text).map_err(Failure::at(&path))?;
    to.finish().await?;
    let told = serde_json::json!({ "users": users, "file": path });
    output.value(&told, || rating_text::calibration_users(users, &path))
}

pub(super) async fn connect(connection: ConnectionArgs) -> Result<RatingClient, Failure> {
    client::rating(&connection.resolve(CertificateRole::RatingOperator)?).await
}
