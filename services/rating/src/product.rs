//! The secure product as the training sees it: prepared once, then one exchange a round.
//!
//! Each protocol is one variant; a protocol with work before the rounds does it in
//! [`Product::prepare`], over Exchange calls of the phases SETUP and OFFLINE.

use std::sync::Arc;

use s3rec_algebra::RingMatrix;
use s3rec_link::pacing::AnswerTimes;
use s3rec_link::{Counting, DriveError, Meter, drive, grpc};
use s3rec_spmm::fetch::RatingFetch;
use s3rec_spmm::he::{RatingKeySetup, RatingKeys, RatingRound, public_key_seed};
use s3rec_spmm::preprocessed::{RatingClose, RatingOpening, RatingStock};
use s3rec_spmm::{Endpoint, ProductParameters, PublicPattern, SpmmError};
use s3rec_wire::convert::{ChunkHeader, JobId};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::{Counters, Phase};
use tracing::Instrument;

use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::resume::Agreed;
use crate::session::Session;
use crate::setup::Setup;
use crate::{bounded, queries, stock};

/// A product that is ready for rounds.
pub(crate) struct Product {
    line: Line,
    parameters: ProductParameters,
    kind: Kind,
}

enum Kind {
    He {
        keys: Arc<RatingKeys>,
        pattern: Arc<PublicPattern>,
        /// Of `he-pir`.
        fetch: Option<Arc<RatingFetch>>,
    },
    /// `None` while an exchange has it, and for good after one that failed.
    Preprocessed(Option<Box<RatingStock>>),
}

impl Product {
    /// Makes keys and whatever else the protocol needs before its first round.
    pub(crate) async fn prepare(
        platform: &Platform,
        session: &Session,
        setup: &Setup,
        ledger: &Ledger,
    ) -> Result<Self, Fault> {
        let parameters = setup.parameters.clone();
        let line = Line {
            job: ledger.job,
            parameters_digest: setup.parameters_digest,
            answer_times: AnswerTimes::of(&parameters).map_err(ours)?,
            counters: Counters::default(),
        };
        let kind = if parameters.protocol.is_preprocessed() {
            let stock = stock::make(platform, session, &line, setup, ledger).await?;
            Kind::Preprocessed(Some(Box::new(stock)))
        } else {
            let meter = &ledger.offline;
            let fetch = queries::receive(platform, session, &line, setup, meter, |_| {}).await?;
            Kind::He {
                keys: keys(platform, session, &line, setup, meter).await?,
                pattern: Arc::clone(&setup.pattern),
                fetch,
            }
        };
        Ok(Self {
            line,
            parameters,
            kind,
        })
    }

    /// States in the next round what was counted before it.
    pub(crate) fn count(&mut self, counters: Counters) {
        self.line.counters = counters;
    }

    /// The product of a job that is taken up again, from disk.
    pub(crate) async fn reopen(
        platform: &Arc<Platform>,
        job: JobId,
        agreed: &Agreed,
    ) -> Result<Self, Fault> {
        let parameters = agreed.parameters.clone();
        let line = Line {
            job,
            parameters_digest: agreed.parameters_digest,
            answer_times: AnswerTimes::of(&parameters).map_err(ours)?,
            counters: Counters::default(),
        };
        let stock = stock::reopen(platform, job, agreed).await?;
        Ok(Self {
            line,
            parameters,
            kind: Kind::Preprocessed(Some(Box::new(stock))),
        })
    }

    /// Whether a job in its rounds outlives the loss of its connection or of either daemon.
    pub(crate) fn can_go_on(&self) -> bool {
        matches!(self.kind, Kind::Preprocessed(_))
    }

    /// What comes between a product that is prepared or reopened and its rounds: where there is
    /// a stock, its first columns are given to the first opening, and both sides meet.
    pub(crate) async fn meet(
        &mut self,
        platform: &Platform,
        session: &Session,
        opening: Option<&RingMatrix>,
        ledger: &Ledger,
    ) -> Result<(), Fault> {
        let Kind::Preprocessed(place) = &mut self.kind else {
            return Ok(());
        };
        let mut stock = place.take().ok_or_else(spent)?;
        if let Some(opening) = opening {
            let mut factors = opening.clone();
            bounded::bound_rows(&mut factors, &self.parameters).map_err(ours)?;
            let reserved = blocking(move || stock.reserve_first(&factors).map(|()| stock));
            stock = reserved.await?.map_err(ours)?;
        }
        let met = stock::meet(platform, session, &self.line, *stock, ledger).await?;
        *place = Some(Box::new(met));
        Ok(())
    }

    /// Y times `factors`, exact over the ring or as the release policy gives it. Rounds count
    /// from 1.
    pub(crate) async fn multiply(
        &mut self,
        platform: &Platform,
        session: &Session,
        round: u32,
        mut factors: RingMatrix,
        meter: &Meter,
    ) -> Result<RingMatrix, Fault> {
        bounded::bound_rows(&mut factors, &self.parameters).map_err(ours)?;
        let (line, phase) = (&self.line, Phase::Online);
        match &mut self.kind {
            Kind::He {
                keys,
                pattern,
                fetch,
            } => {
                let (keys, pattern) = (Arc::clone(keys), Arc::clone(pattern));
                let endpoint = blocking(move || RatingRound::new(&keys, &pattern, &factors));
                let mut endpoint = endpoint.await?.map_err(ours)?;
                if let Some(fetch) = fetch {
                    endpoint = endpoint.with_fetch(fetch);
                }
                let done = line
                    .exchange(platform, session, phase, round, endpoint, meter, |_| {})
                    .await?;
                blocking(move || done.into_product()).await?.map_err(theirs)
            }
            Kind::Preprocessed(place) => {
                let stock = place.take().ok_or_else(spent)?;
                // The columns are used, on disk, before anything masked by them leaves.
                let endpoint = blocking(move || RatingOpening::new(*stock, &factors));
                let endpoint = endpoint.await?.map_err(ours)?;
                let done = line
                    .exchange(platform, session, phase, round, endpoint, meter, |_| {})
                    .await?;
                let opened = blocking(move || done.into_product()).await?;
                let (product, stock) = opened.map_err(theirs)?;
                *place = Some(Box::new(stock));
                Ok(product)
            }
        }
    }

    /// After the last round: both sides put the stock to rest.
    pub(crate) async fn close(
        self,
        platform: &Platform,
        session: &Session,
        openings: u32,
        meter: &Meter,
    ) -> Result<(), Fault> {
        let Kind::Preprocessed(place) = self.kind else {
            return Ok(());
        };
        let endpoint = RatingClose::new(*place.ok_or_else(spent)?);
        let done = self
            .line
            .exchange(
                platform,
                session,
                Phase::Offline,
                0,
                endpoint,
                meter,
                |_| {},
            )
            .await?;
        let (_, theirs) = done.into_stock().map_err(ours)?;
        if theirs != openings {
            let message =
                format!("the social platform's stock counts {theirs} openings, we {openings}");
            return Err(Fault::new(Reason::Contradiction, message));
        }
        Ok(())
    }
}

async fn keys(
    platform: &Platform,
    session: &Session,
    line: &Line,
    setup: &Setup,
    meter: &Meter,
) -> Result<Arc<RatingKeys>, Fault> {
    let session_id = line.job.to_string();
    let (rating_half, social_half) = (&setup.rating_half, &setup.social_half);
    let seed = public_key_seed(rating_half, social_half, session_id.as_bytes());
    let parameters = setup.parameters.clone();
    let keys = blocking(move || RatingKeys::generate(&parameters, &seed)).await?;
    let keys = Arc::new(keys.map_err(ours)?);
    let endpoint = RatingKeySetup::new(&keys).map_err(ours)?;
    line.exchange(platform, session, Phase::Setup, 0, endpoint, meter, |_| {})
        .await?;
    Ok(keys)
}

/// What every exchange of a job states, and how long its answer may take.
pub(crate) struct Line {
    pub(crate) job: JobId,
    pub(crate) parameters_digest: [u8; 32],
    answer_times: AnswerTimes,
    /// What was counted before the next round.
    counters: Counters,
}

impl Line {
    /// One Exchange call, to its end. `moved` is told of every frame's payload bytes.
    #[expect(
        clippy::too_many_arguments,
        reason = "the call's place, its endpoint, and who is told of it"
    )]
    pub(crate) async fn exchange<E: Endpoint + 'static>(
        &self,
        platform: &Platform,
        session: &Session,
        phase: Phase,
        round: u32,
        endpoint: E,
        meter: &Meter,
        moved: impl FnMut(usize),
    ) -> Result<E, Fault> {
        let header = ChunkHeader {
            job: self.job,
            phase,
            round,
            parameters_digest: self.parameters_digest,
            counters: (phase == Phase::Online).then_some(self.counters),
        };
        // P1 keeps still for the public time even when it is done.
        let idle = platform.idle_limit() + self.answer_times.longest();
        let exchanged = async {
            let channel = grpc::call(session.client.clone(), &header, meter, idle).await?;
            let mut channel = Counting::new(channel, meter.clone());
            Ok(drive(endpoint, &mut channel, moved).await?)
        };
        let span = tracing::info_span!("exchange", phase = phase.as_str_name(), round);
        exchanged.instrument(span).await
    }
}

/// A failure of ours before or after an exchange.
pub(crate) fn ours(error: SpmmError) -> Fault {
    match error {
        SpmmError::Storage(ref source) => Fault::storage(error.to_string(), source.kind()),
        error => Fault::new(Reason::ParametersRefused, error.to_string()),
    }
}

pub(crate) fn theirs(error: SpmmError) -> Fault {
    DriveError::Protocol(error).into()
}

fn spent() -> Fault {
    Fault::new(Reason::Bug, "the stock is gone after a failed exchange")
}
