//! The verbs of the people at the rating platform.

use std::pin::Pin;
use std::sync::Arc;

use s3rec_job::{FinishedJob, JobDisclosure, JobRecord, ModelRecord};
use s3rec_node::tls::Caller;
use s3rec_node::verbs::{
    BackupStream, WatchStream, answered, backed_up, entries_to_wire, entry_to_wire, stated_since,
    watched,
};
use s3rec_wire::convert::settings::model_to_wire;
use s3rec_wire::convert::{
    account_to_wire, disclosure_to_wire, evaluation_to_wire, event_to_wire, file_header_to_wire,
    finished_to_wire, imported_factors_to_wire, imported_ratings_to_wire, protocol_to_wire,
    request_from_wire, state_to_wire, stored_model_to_wire,
};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::model_chunk::Part;
use s3rec_wire::v1::model_rows::Side;
use s3rec_wire::v1::rating_platform_server::RatingPlatform;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::platform::Platform;
use crate::tables::{DISCLOSURES, JOBS, MODELS, REPORTS};
use crate::{answers, batch, estimate, factors, friends_sides, jobs, ledger, models, reconcile};

/// Items that one answer lists when the caller leaves it open, and at most.
const DEFAULT_RECOMMENDATIONS: usize = 10;
const MAX_RECOMMENDATIONS: u32 = 1000;

/// Numbers in one chunk of an exported model: half a mebibyte.
const EXPORT_VALUES: usize = 1 << 16;

/// Ids in one chunk of a list of users, which are 1 KiB long at most.
const CHUNK_IDS: usize = 1 << 10;

pub(crate) struct OperatorService(Arc<Platform>);

impl OperatorService {
    pub(crate) fn new(platform: Arc<Platform>) -> Self {
        Self(platform)
    }

    fn summary(&self, job: String, record: JobRecord) -> Result<v1::JobSummary, Fault> {
        let model: Option<ModelRecord> = self.0.store.get(MODELS, &job)?;
        let asked = record.request.as_ref();
        Ok(v1::JobSummary {
            dataset: asked.map_or_else(String::new, |request| request.dataset.clone()),
            model: asked.map(|request| model_to_wire(&request.model)),
            protocol: asked.map_or(0, |request| protocol_to_wire(request.protocol).into()),
            last_event: self.0.journal.last(&job).map(event_to_wire),
            created_unix_ms: record.created_unix_ms,
            // A job has one model, which has its name.
            model_id: model.map_or_else(String::new, |_| job.clone()),
            begins_by_itself: self.0.begins_by_itself(&job)?,
            job_id: job,
        })
    }
}

/// Items that a list has.
fn listed(count: u32) -> Result<usize, Fault> {
    match count {
        0 => Ok(DEFAULT_RECOMMENDATIONS),
        count if count <= MAX_RECOMMENDATIONS => Ok(count as usize),
        count => {
            let message = format!("count is {count}; at most {MAX_RECOMMENDATIONS} are listed");
            Err(Fault::new(Reason::InvalidRequest, message).at("field", "count"))
        }
    }
}

/// Whether data sets of factors are meant.
fn is_factors(kind: &str) -> Result<bool, Fault> {
    match kind {
        "" => Ok(false),
        "factors" => Ok(true),
        _ => {
            let message = format!("{kind:?} is no kind of data set; leave it out, or say factors");
            Err(Fault::new(Reason::InvalidRequest, message).at("field", "kind"))
        }
    }
}

#[async_trait]
impl RatingPlatform for OperatorService {
    async fn import_ratings(
        &self,
        request: Request<Streaming<v1::FileChunk>>,
    ) -> Result<Response<v1::ImportRatingsResponse>, Status> {
        let imported = self.0.import(request).await;
        answered(imported.map(imported_ratings_to_wire))
    }

    async fn import_factors(
        &self,
        request: Request<Streaming<v1::FileChunk>>,
    ) -> Result<Response<v1::ImportFactorsResponse>, Status> {
        let who = Caller::name_of(&request);
        let platform = &self.0;
        let (own, ratings) = (&platform.factors, &platform.datasets);
        let imported = factors::import(own, ratings, request.into_inner(), &who);
        answered(imported.await.map(imported_factors_to_wire))
    }

    async fn propose_job(
        &self,
        request: Request<v1::ProposeJobRequest>,
    ) -> Result<Response<v1::ProposeJobResponse>, Status> {
        let mut request = request.into_inner();
        let once = std::mem::take(&mut request.refuse_repeated);
        let request = request_from_wire(request).map_err(Fault::from)?;
        let proposed = jobs::propose(&self.0, request, once).await?;
        Ok(Response::new(v1::ProposeJobResponse {
            job_id: proposed.job,
            state: state_to_wire(proposed.state).into(),
            reason: proposed.reason,
        }))
    }

    async fn estimate_job(
        &self,
        request: Request<v1::EstimateJobRequest>,
    ) -> Result<Response<v1::EstimateJobResponse>, Status> {
        answered(estimate::estimate(&self.0, request.into_inner()).await)
    }

    async fn start_job(
        &self,
        request: Request<v1::StartJobRequest>,
    ) -> Result<Response<v1::StartJobResponse>, Status> {
        let request = request.into_inner();
        let state = jobs::start(&self.0, &request.job_id, request.wait_for_approval).await?;
        Ok(Response::new(v1::StartJobResponse {
            state: state_to_wire(state).into(),
        }))
    }

    type WatchJobStream = WatchStream;

    async fn watch_job(
        &self,
        request: Request<v1::WatchJobRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let job = request.into_inner().job_id;
        self.0.known(&job)?;
        let events = self.0.journal.watch(&job).map_err(Fault::from)?;
        Ok(watched(events))
    }

    async fn list_jobs(
        &self,
        _: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let stored = self.0.store.list::<JobRecord>(JOBS, "");
        let stored = stored.map_err(Fault::from)?.into_iter();
        let mut jobs = stored
            .map(|(job, record)| self.summary(job, record))
            .collect::<Result<Vec<_>, Fault>>()?;
        jobs.sort_by_key(|job| job.created_unix_ms);
        Ok(Response::new(v1::ListJobsResponse { jobs }))
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::CancelJobResponse>, Status> {
        let request = request.into_inner();
        let state = jobs::cancel(&self.0, &request.job_id, &request.reason).await?;
        Ok(Response::new(v1::CancelJobResponse {
            state: state_to_wire(state).into(),
        }))
    }

    async fn job_report(
        &self,
        request: Request<v1::JobReportRequest>,
    ) -> Result<Response<v1::JobReportResponse>, Status> {
        let job = request.into_inner().job_id;
        let record = self.0.known(&job)?;
        let stored: Option<FinishedJob> = self.0.store.get(REPORTS, &job).map_err(Fault::from)?;
        let finished = stored.ok_or_else(|| {
            let message = format!("the job is {}, not finished", self.0.state(&job).name());
            Fault::new(Reason::WrongState, message).at("job", &job)
        })?;
        let disclosed: Option<JobDisclosure> =
            self.0.store.get(DISCLOSURES, &job).map_err(Fault::from)?;
        Ok(Response::new(v1::JobReportResponse {
            job: Some(self.summary(job, record)?),
            disclosure: disclosed.as_ref().map(disclosure_to_wire),
            ..finished_to_wire(&finished)
        }))
    }

    async fn list_models(
        &self,
        _: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        let stored = self.0.store.list::<ModelRecord>(MODELS, "");
        let stored = stored.map_err(Fault::from)?;
        let models = stored.iter();
        let mut models: Vec<_> = models
            .map(|(job, model)| stored_model_to_wire(job, model))
            .collect();
        models.sort_by_key(|model| model.created_unix_ms);
        Ok(Response::new(v1::ListModelsResponse { models }))
    }

    async fn evaluate(
        &self,
        request: Request<v1::EvaluateRequest>,
    ) -> Result<Response<v1::EvaluateResponse>, Status> {
        let served = models::serve(&self.0, &request.into_inner().model_id).await?;
        let model = served.model_id.clone();
        let found = answers::evaluate(&self.0, served).await;
        answered(found.map(|found| evaluation_to_wire(model, &found)))
    }

    async fn predict(
        &self,
        request: Request<v1::PredictRequest>,
    ) -> Result<Response<v1::PredictResponse>, Status> {
        let request = request.into_inner();
        let served = models::serve(&self.0, &request.model_id).await?;
        let predicted = served.predict(&request.user_id, &request.item_id)?;
        Ok(Response::new(predicted))
    }

    async fn recommend(
        &self,
        request: Request<v1::RecommendRequest>,
    ) -> Result<Response<v1::RecommendResponse>, Status> {
        let request = request.into_inner();
        let count = listed(request.count)?;
        answered(answers::recommend(&self.0, request, count).await)
    }

    type RecommendAllStream = Pin<Box<dyn Stream<Item = Result<v1::ListsChunk, Status>> + Send>>;

    async fn recommend_all(
        &self,
        request: Request<v1::RecommendAllRequest>,
    ) -> Result<Response<Self::RecommendAllStream>, Status> {
        let request = request.into_inner();
        let count = listed(request.count)?;
        let served = models::serve(&self.0, &request.model_id).await?;
        let chunks = batch::lists(&self.0, served, count, request.include_rated);
        Ok(Response::new(Box::pin(chunks)))
    }

    type ExportModelStream = Pin<Box<dyn Stream<Item = Result<v1::ModelChunk, Status>> + Send>>;

    async fn export_model(
        &self,
        request: Request<v1::ExportModelRequest>,
    ) -> Result<Response<Self::ExportModelStream>, Status> {
        let served = models::serve(&self.0, &request.into_inner().model_id).await?;
        let header = served.header();
        let most = (EXPORT_VALUES / (header.rank as usize + 1)).max(1);
        let header = std::iter::once(Part::Header(header));
        let rows = [Side::User, Side::Item].into_iter().flat_map(move |side| {
            let served = Arc::clone(&served);
            (0..)
                .step_by(most)
                .map_while(move |first| served.rows(side, first, most))
                .map(Part::Rows)
        });
        let chunks = header
            .chain(rows)
            .map(|part| Ok(v1::ModelChunk { part: Some(part) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks))))
    }

    type ExportFriendsStream = Pin<Box<dyn Stream<Item = Result<v1::FriendsChunk, Status>> + Send>>;

    async fn export_friends(
        &self,
        request: Request<v1::ExportFriendsRequest>,
    ) -> Result<Response<Self::ExportFriendsStream>, Status> {
        use v1::friends_chunk::Part;
        let (id, stored) = models::friends(&self.0, &request.into_inner().model_id).await?;
        let header = answers::friends_header(id, &stored)?;
        let most = (EXPORT_VALUES / (header.columns + header.width + 1) as usize).max(1);
        let rows = (0..)
            .step_by(most)
            .map_while(move |first| answers::friends_rows(&stored, first, most));
        let parts = std::iter::once(Part::Header(header)).chain(rows.map(Part::Rows));
        let chunks = parts.map(|part| Ok(v1::FriendsChunk { part: Some(part) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks))))
    }

    type CalibrationUsersStream =
        Pin<Box<dyn Stream<Item = Result<v1::CalibrationUsersChunk, Status>> + Send>>;

    async fn calibration_users(
        &self,
        request: Request<v1::CalibrationUsersRequest>,
    ) -> Result<Response<Self::CalibrationUsersStream>, Status> {
        let request = request.into_inner();
        let sides = (request.few_below, request.calibration_share);
        let mut ids = friends_sides::calibration(&self.0, &request.dataset, sides).await?;
        let chunks = std::iter::from_fn(move || {
            let rest = ids.split_off(ids.len().min(CHUNK_IDS));
            let ids = std::mem::replace(&mut ids, rest);
            (!ids.is_empty()).then_some(Ok(v1::CalibrationUsersChunk { ids }))
        });
        Ok(Response::new(Box::pin(tokio_stream::iter(chunks))))
    }

    async fn stock_status(
        &self,
        request: Request<v1::StockStatusRequest>,
    ) -> Result<Response<v1::StockStatusResponse>, Status> {
        let known = |job: &str| self.0.known(job).map(drop);
        answered(self.0.stock_status(request, known))
    }

    async fn list_disclosures(
        &self,
        _: Request<v1::ListRatingDisclosuresRequest>,
    ) -> Result<Response<v1::ListRatingDisclosuresResponse>, Status> {
        let disclosures = self.0.disclosures()?;
        let accounts = ledger::accounts(&self.0)?;
        Ok(Response::new(v1::ListRatingDisclosuresResponse {
            disclosures: disclosures.iter().map(disclosure_to_wire).collect(),
            accounts: accounts.iter().map(account_to_wire).collect(),
        }))
    }

    async fn list_datasets(
        &self,
        request: Request<v1::ListDatasetsRequest>,
    ) -> Result<Response<v1::ListDatasetsResponse>, Status> {
        let listed = match is_factors(&request.get_ref().kind)? {
            true => self.0.factors.list(),
            false => self.0.datasets.list(),
        };
        answered(listed.map(entries_to_wire))
    }

    async fn show_dataset(
        &self,
        request: Request<v1::ShowDatasetRequest>,
    ) -> Result<Response<v1::ShowRatingsResponse>, Status> {
        let request = request.into_inner();
        if is_factors(&request.kind)? {
            let shown = self.0.factors.show(&request.dataset)?;
            return Ok(Response::new(v1::ShowRatingsResponse {
                dataset: Some(entry_to_wire(shown.dataset)),
                factors: Some(imported_factors_to_wire(shown.imported)),
                header: Some(file_header_to_wire(&shown.header)),
                imported: None,
            }));
        }
        let shown = self.0.datasets.show(&request.dataset)?;
        Ok(Response::new(v1::ShowRatingsResponse {
            dataset: Some(entry_to_wire(shown.dataset)),
            imported: Some(imported_ratings_to_wire(shown.imported)),
            header: Some(file_header_to_wire(&shown.header)),
            factors: None,
        }))
    }

    async fn delete_dataset(
        &self,
        request: Request<v1::DeleteDatasetRequest>,
    ) -> Result<Response<v1::DeleteDatasetResponse>, Status> {
        if !is_factors(&request.get_ref().kind)? {
            return answered(self.0.delete_dataset(request));
        }
        let who = Caller::name_of(&request);
        let dataset = request.into_inner().dataset;
        self.0.factors.delete(&dataset, &who)?;
        Ok(Response::new(v1::DeleteDatasetResponse { dataset }))
    }

    async fn delete_model(
        &self,
        request: Request<v1::DeleteModelRequest>,
    ) -> Result<Response<v1::DeleteModelResponse>, Status> {
        let who = Caller::name_of(&request);
        let model_id = request.into_inner().model_id;
        models::delete(&self.0, &model_id, &who)?;
        Ok(Response::new(v1::DeleteModelResponse { model_id }))
    }

    async fn delete_job(
        &self,
        request: Request<v1::DeleteJobRequest>,
    ) -> Result<Response<v1::DeleteJobResponse>, Status> {
        let who = Caller::name_of(&request);
        let job_id = request.into_inner().job_id;
        jobs::delete(&self.0, &job_id, &who)?;
        Ok(Response::new(v1::DeleteJobResponse { job_id }))
    }

    async fn accept_peer_log(
        &self,
        request: Request<v1::AcceptPeerLogRequest>,
    ) -> Result<Response<v1::AcceptPeerLogResponse>, Status> {
        answered(self.0.accept_peer_log(request))
    }

    type BackupStream = BackupStream;

    async fn backup(
        &self,
        request: Request<v1::BackupRequest>,
    ) -> Result<Response<BackupStream>, Status> {
        let (platform, who) = (Arc::clone(&self.0), Caller::name_of(&request));
        backed_up(move || {
            platform.back_up(
                &[&platform.datasets, &platform.factors],
                &[platform.models_dir()],
                &who,
            )
        })
        .await
    }

    async fn reconcile(
        &self,
        request: Request<v1::ReconcileRequest>,
    ) -> Result<Response<v1::ReconcileResponse>, Status> {
        let who = Caller::name_of(&request);
        let stated = stated_since(request.into_inner())?;
        let jobs = reconcile::reconcile(&self.0, &stated, &who)?;
        Ok(Response::new(v1::ReconcileResponse { jobs }))
    }
}
