//! Does what the job says: its exchanges with P1, what it saves, what it tells. The order is
//! [`RatingJob`]'s.

use std::error::Error;
use std::io;
use std::sync::Arc;

use s3rec_algebra::RealMatrix;
use s3rec_audit::Kind;
use s3rec_cluster::Cluster;
use s3rec_data::RatingSet;
use s3rec_job::rating::{
    FriendsCheckpoint, PreparedUpload, ProductExchange, RatingCheckpoint, RatingDone, RatingEvent,
    RatingExchange, RatingJob, RatingNext, RatingPlatform, RatingSave, Spent, Unfinished,
};
use s3rec_job::{AgreedParameters, CommonUsers, JobError, JointTraining, Phase};
use s3rec_link::pacing::AnswerTimes;
use s3rec_link::{Counting, DriveError, drive, grpc};
use s3rec_model::{Model, accuracy};
use s3rec_node::alignment::Common;
use s3rec_node::checkpoint::{AGREED, FRIENDS, PROGRESS};
use s3rec_node::observe;
use s3rec_node::stock_progress::StockProgress;
use s3rec_node::stocks::Stocks;
use s3rec_spmm::noise_first::{GroupMakers, MachinePace};
use s3rec_spmm::preprocessed::StockStorage;
use s3rec_spmm::{FriendsRelease, ProductParameters, ReleasePolicy, SpmmError, noise_first};
use s3rec_wire::convert::{ChunkHeader, phase_name};
use s3rec_wire::status::{Fault, Reason};
use tracing::{Instrument, info_span};

use crate::connection::PeerConnection;
use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::platform::Platform;
use crate::tables::DISCLOSURES;
use crate::{align, emit, friends_outcome, friends_setup, head_exchange, resume, setup};

/// One connection's worth of driving.
pub(crate) struct Driver<'a> {
    pub(crate) platform: &'a Arc<Platform>,
    pub(crate) connection: &'a mut PeerConnection,
    pub(crate) ledger: Ledger,
    /// Gone while the common users are being found.
    pub(crate) ratings: Option<RatingSet>,
    /// Once they are found in this attempt.
    common: Option<Common>,
    /// Once the parameters are agreed on.
    agreed_digest: Option<[u8; 32]>,
    /// While a stock is made.
    stock: Option<StockProgress>,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(
        platform: &'a Arc<Platform>,
        connection: &'a mut PeerConnection,
        ledger: Ledger,
        ratings: RatingSet,
    ) -> Self {
        Self {
            platform,
            connection,
            ledger,
            ratings: Some(ratings),
            common: None,
            agreed_digest: None,
            stock: None,
        }
    }

    /// What is on disk of the job, when it makes its stock, is in its rounds, or opens friends' sums;
    /// our ledger goes on from it.
    pub(crate) async fn load(&mut self) -> Result<Option<Checkpoint>, Fault> {
        if let Some(checkpoint) = self.load_friends().await? {
            return Ok(Some(Checkpoint::Friends(checkpoint)));
        }
        let job = self.ledger.job.to_string();
        let files = self.platform.stocks.checkpoint(&job);
        let loaded = blocking(move || Ok((files.load(AGREED)?, resume::progress(&files)?)));
        let (agreed, progress) = loaded.await?.map_err(storage)?;
        let Some(agreed) = agreed else {
            return Ok(None);
        };
        let checkpoint = RatingCheckpoint { agreed, progress };
        self.agreed_digest = Some(checkpoint.agreed.parameters_digest);
        let last = self.platform.journal.last(&self.ledger.job.to_string());
        self.ledger
            .go_on_from(&checkpoint, &last.unwrap_or_default());
        Ok(Some(Checkpoint::Training(Box::new(checkpoint))))
    }

    async fn load_friends(&mut self) -> Result<Option<FriendsCheckpoint>, Fault> {
        type Stored = (PreparedUpload, Option<Vec<f64>>, bool, Spent, Spent);
        let files = self
            .platform
            .stocks
            .checkpoint(&self.ledger.job.to_string());
        let loaded = blocking(move || files.load::<Stored>(FRIENDS)).await?;
        let Some((prepared, sums, is_agreed, offline, online)) = loaded.map_err(storage)? else {
            return Ok(None);
        };
        let checkpoint = FriendsCheckpoint {
            prepared: Arc::new(prepared),
            sums: sums.map(Arc::new),
            is_agreed,
        };
        self.agreed_digest = Some(checkpoint.prepared.parameters_digest);
        self.ledger
            .go_on_with_friends(&checkpoint, (offline, online));
        Ok(Some(checkpoint))
    }

    /// Drives the job until its training is over and P1 needs nothing more.
    pub(crate) async fn run(&mut self, mut job: RatingJob) -> Result<RatingDone, Fault> {
        loop {
            let next = compute(move || job.next()).await?;
            job = match next {
                RatingNext::Exchange(exchange) => self.exchange(exchange).await?,
                RatingNext::Save(what, job) => {
                    self.save(what).await?;
                    job
                }
                RatingNext::Emit(event, job) => {
                    self.emit(event)?;
                    job
                }
                RatingNext::Done(done) => return Ok(done),
            };
        }
    }

    async fn exchange(&mut self, exchange: RatingExchange) -> Result<RatingJob, Fault> {
        let (platform, job) = (self.platform, self.ledger.job);
        match exchange {
            RatingExchange::Sign(phase, next) => {
                head_exchange::sign(platform, self.connection, &job.to_string(), phase).await?;
                Ok(next)
            }
            RatingExchange::Align(unaligned) => {
                let ratings = self.ratings.take().ok_or_else(out_of_place)?;
                let aligned =
                    align::align(platform, self.connection, job, ratings, &mut self.ledger);
                let (ratings, common) = aligned.instrument(info_span!("align")).await?;
                self.ratings = Some(ratings);
                let rows = common.rows.clone();
                self.common = Some(common);
                Ok(unaligned.found(rows))
            }
            RatingExchange::SetUp(unagreed) => {
                let common = self.common.as_ref().ok_or_else(out_of_place)?;
                if let ReleasePolicy::Friends(release) = self.ledger.proposal.release {
                    let ratings = self.ratings.as_ref().ok_or_else(out_of_place)?;
                    let of = (&release, ratings);
                    let agreed =
                        friends_setup::agree(platform, self.connection, &self.ledger, of, common);
                    let setup = agreed.instrument(info_span!("setup")).await?;
                    self.ledger.parameters = Some(setup.parameters.into());
                    self.agreed_digest = Some(setup.parameters_digest);
                    return compute(move || unagreed.agreed_on_friends(setup)).await;
                }
                let agreed = setup::agree(platform, self.connection, &self.ledger, common);
                let setup = agreed.instrument(info_span!("setup")).await?;
                self.ledger.parameters = Some(setup.parameters.clone().into());
                self.agreed_digest = Some(setup.parameters_digest);
                unagreed.agreed(setup).map_err(fault_of)
            }
            RatingExchange::Product(exchange) => self.product(*exchange).await,
            RatingExchange::Finish(unfinished) => self.finish(unfinished).await,
        }
    }

    /// One Exchange call, to its end.
    async fn product(&mut self, exchange: ProductExchange) -> Result<RatingJob, Fault> {
        let (phase, round) = (exchange.phase(), exchange.round());
        let is_round = phase == Phase::Online;
        let agreed = (self.agreed_digest, self.ledger.parameters.as_ref());
        let (Some(parameters_digest), Some(parameters)) = agreed else {
            return Err(out_of_place());
        };
        let header = ChunkHeader {
            job: self.ledger.job,
            phase,
            round,
            parameters_digest,
            counters: is_round.then(|| self.ledger.counters()),
            goes_on: exchange.goes_on(),
        };
        let meter = match is_round {
            true => self.ledger.online.clone(),
            false => self.ledger.offline.clone(),
        };
        // P1 keeps still for the public time even when it is done.
        let answer_times = match parameters {
            AgreedParameters::Product(parameters) => AnswerTimes::of(parameters).map_err(ours)?,
            AgreedParameters::Friends(parameters) => {
                let stated = self.ledger.bounds.stated.links;
                AnswerTimes::of_friends(parameters, stated, MachinePace::STATED)
            }
        };
        let idle = self.platform.idle_limit() + answer_times.longest();
        let moved = |bytes| {
            if let Some(stock) = &mut self.stock {
                emit::moved(self.platform, &self.ledger, stock, bytes);
            }
        };
        let client = self.connection.client.clone();
        let exchanged = async {
            let channel = grpc::call(client, &header, &meter, idle).await?;
            let mut channel = Counting::new(channel, meter.clone());
            Ok::<_, Fault>(drive(exchange, &mut channel, moved).await?)
        };
        let phase = phase_name(Some(phase));
        let span = info_span!("exchange", phase, round);
        let exchanged = exchanged.instrument(span).await?;
        compute(move || exchanged.done()).await
    }

    /// Both sides count the same openings.
    async fn finish(&mut self, unfinished: Unfinished) -> Result<RatingJob, Fault> {
        let (job, counters) = (self.ledger.job, self.ledger.counters());
        let openings = unfinished.openings();
        let counted = self.connection.finish(job, openings, &counters).await?;
        unfinished.counted(counted).map_err(fault_of)
    }

    async fn save(&mut self, what: RatingSave) -> Result<(), Fault> {
        let name = self.ledger.job.to_string();
        let files = self.platform.stocks.checkpoint(&name);
        match what {
            RatingSave::Discard => {
                let at = Arc::clone(self.platform);
                Ok(blocking(move || at.stocks.discard(&name)).await??)
            }
            RatingSave::Agreed(agreed) => blocking(move || files.save(AGREED, &agreed))
                .await?
                .map_err(storage),
            RatingSave::Progress(mut progress) => {
                if !progress.is_agreed {
                    self.ledger.touch_online();
                }
                (progress.offline, progress.online) = self.ledger.spent();
                blocking(move || files.save(PROGRESS, &progress))
                    .await?
                    .map_err(storage)
            }
            RatingSave::Friends(checkpoint) => {
                if checkpoint.sums.is_some() && !checkpoint.is_agreed {
                    self.ledger.touch_online();
                }
                let (offline, online) = self.ledger.spent();
                let saved = blocking(move || {
                    let FriendsCheckpoint {
                        prepared,
                        sums,
                        is_agreed,
                    } = &checkpoint;
                    let stored = (
                        prepared.as_ref(),
                        sums.as_deref(),
                        is_agreed,
                        offline,
                        online,
                    );
                    files.save(FRIENDS, &stored)
                });
                saved.await?.map_err(storage)
            }
            RatingSave::Opened(round) => {
                self.ledger.openings = round;
                observe::round_done();
                self.ledger.touch_online();
                self.note_opening()?;
                let disclosure = self.ledger.disclosure();
                Ok(self.platform.store.put(DISCLOSURES, &name, &disclosure)?)
            }
        }
    }

    fn emit(&mut self, event: RatingEvent) -> Result<(), Fault> {
        match event {
            RatingEvent::StockBegins { .. } => {
                let parameters = self.ledger.parameters.as_ref();
                let parameters = parameters.and_then(AgreedParameters::product);
                let parameters = parameters.ok_or_else(out_of_place)?;
                self.stock = Some(StockProgress::new(parameters, 0).map_err(ours)?);
            }
            RatingEvent::StockGoesOn { held_bytes, .. } => {
                let parameters = self.ledger.parameters.as_ref();
                let parameters = parameters.and_then(AgreedParameters::product);
                let parameters = parameters.ok_or_else(out_of_place)?;
                self.stock = Some(StockProgress::new(parameters, held_bytes).map_err(ours)?);
            }
            RatingEvent::Prepared => {
                self.ledger.stocks += 1;
                self.stock = None;
            }
            RatingEvent::RoundsBegin => self.ledger.end_offline(),
            RatingEvent::RoundDone { report, .. } => {
                self.ledger.touch_online();
                self.ledger.rounds.push(report);
            }
            _ => {}
        }
        let share = self.stock.as_ref().map_or(0.0, StockProgress::share);
        emit::emit(self.platform, &self.ledger, event, share)
    }

    /// What has just been opened to us, in the audit log.
    fn note_opening(&self) -> Result<(), Fault> {
        let (disclosure, counters) = (self.ledger.disclosure(), self.ledger.counters());
        let entry = [
            ("job", disclosure.job.into()),
            ("round", self.ledger.openings.into()),
            ("columns", disclosure.opened_columns.into()),
            ("values", disclosure.opened_values.into()),
            ("lineage", disclosure.lineage.into()),
            ("all_columns", counters.opened_columns.into()),
            ("all_values", counters.opened_values.into()),
            ("all_exact_values", counters.exact_values.into()),
            ("all_nano_rho", counters.nano_rho.into()),
        ];
        self.platform.audit.record(Kind::Opening, entry).map(drop)
    }
}

/// What is on disk of a job whose openings are under way.
pub(crate) enum Checkpoint {
    /// A training.
    Training(Box<RatingCheckpoint>),
    /// Friends' sums.
    Friends(FriendsCheckpoint),
}

/// What a job takes from this platform.
pub(crate) struct Inputs {
    /// The release, of friends' sums.
    pub(crate) release: Option<FriendsRelease>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) users: usize,
    pub(crate) stocks: Arc<Stocks>,
    pub(crate) name: String,
    pub(crate) memory_bytes: u64,
    /// Who encrypts friends' rows for us, if not this process.
    pub(crate) workers: Option<Arc<Cluster>>,
}

impl RatingPlatform for Inputs {
    fn training(
        &self,
        parameters: &ProductParameters,
        common: &[u32],
    ) -> Result<JointTraining, Box<dyn Error + Send + Sync>> {
        let fault = |reason, error: &dyn Error| Fault::new(reason, error.to_string());
        let common = CommonUsers::new(common.to_vec(), self.users)
            .map_err(|error| fault(Reason::Bug, &error))?;
        let fixed = parameters
            .fixed_point()
            .map_err(|error| fault(Reason::ParametersRefused, &error))?;
        let solver = self
            .plan
            .solver(parameters.row_norm_bound)
            .map_err(|error| fault(Reason::InvalidRequest, &error))?;
        let weight_bits = parameters.weight_bits();
        Ok(JointTraining::new(solver, common, fixed, weight_bits))
    }

    fn friends_rows(
        &self,
        parameters: &noise_first::Parameters,
        opened: &[u32],
        uploaded: &[u32],
    ) -> Result<RealMatrix, Box<dyn Error + Send + Sync>> {
        let release = self.release.ok_or_else(out_of_place)?;
        let columns = parameters.columns();
        let sides = (opened, uploaded);
        let plan = &self.plan;
        let base = friends_outcome::base(plan, sides, columns, &release)
            .map_err(|error| Fault::new(Reason::InvalidRequest, error.to_string()))?;
        // The model's rows are in the order of P0's users.
        let rows = base.rows(columns);
        let mut ascending = uploaded.to_vec();
        ascending.sort_unstable();
        let mut ordered = RealMatrix::zeros(uploaded.len(), columns);
        let held_back = friends_outcome::held_back(&plan.train, sides, &release);
        for (place, user) in uploaded.iter().enumerate() {
            // Of whom the model has seen no rating the row stays zeros.
            if held_back.binary_search(user).is_ok() {
                continue;
            }
            let row = ascending.binary_search(user).map_err(|_| out_of_place())?;
            let from = rows.row(row).iter().map(|x| x * release.row_norm_bound);
            let to = ordered.row_mut(place).iter_mut();
            to.zip(from).for_each(|(to, from)| *to = from);
        }
        Ok(ordered)
    }

    fn group_makers(&self) -> Option<Arc<dyn GroupMakers>> {
        let workers = self.workers.clone();
        workers.map(|workers| workers as Arc<dyn GroupMakers>)
    }

    fn held_out_rmse(&self, model: &Model) -> f64 {
        accuracy(model, &self.plan.held_out).map_or(0.0, |accuracy| accuracy.rmse)
    }

    fn make_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Ok(Arc::new(self.stocks.make(&self.name)?))
    }

    fn reopen_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Ok(Arc::new(self.stocks.reopen(&self.name)?))
    }

    fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }
}

/// A step of the job, on a thread that may block.
pub(crate) async fn compute<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, Fault> {
    blocking(step).await?.map_err(fault_of)
}

/// How a job's error is reported.
pub(crate) fn fault_of(error: JobError) -> Fault {
    let text = error.to_string();
    match error {
        JobError::Ours(error) => ours(error),
        JobError::Theirs(error) => DriveError::Protocol(error).into(),
        JobError::Diverged(_) => Fault::new(Reason::ParametersRefused, text)
            .remedied_by("Lower the learning rate or the social weight and propose the job anew."),
        JobError::OtherTraining(_) | JobError::CannotResume { .. } => {
            Fault::new(Reason::StateLost, text)
        }
        JobError::OpeningsDiffer { .. } | JobError::StocksDiffer { .. } => {
            Fault::new(Reason::Contradiction, text)
        }
        JobError::OutOfPlace
        // Of P1's side.
        | JobError::NotDue
        | JobError::OtherParameters
        | JobError::BeyondConsent { .. }
        | JobError::OtherRound { .. }
        | JobError::BeganAgain { .. }
        | JobError::Lost
        | JobError::OtherThanBound { .. }
        | JobError::LinksChanged(_) => Fault::new(Reason::Bug, text),
        JobError::Platform(why) => match why.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(why) => Fault::new(Reason::Bug, why.to_string()),
        },
    }
}

/// A failure of ours before or after an exchange.
fn ours(error: SpmmError) -> Fault {
    match error {
        SpmmError::Storage(ref source) => Fault::storage(error.to_string(), source.kind()),
        SpmmError::Refused(why) => match why.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(why) => Fault::new(Reason::Bug, why.to_string()),
        },
        error => Fault::new(Reason::ParametersRefused, error.to_string()),
    }
}

fn storage(error: io::Error) -> Fault {
    Fault::storage(error.to_string(), error.kind())
}

fn out_of_place() -> Fault {
    fault_of(JobError::OutOfPlace)
}
