//! P0's half of a stock of masked columns: made before the first round, one block an exchange;
//! met over before the first round and whenever the platforms have lost each other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use s3rec_spmm::he::public_key_seed;
use s3rec_spmm::preprocessed::{RatingBlock, RatingSession, RatingStock, StockTerms};
use s3rec_spmm::{ProductParameters, cost};
use s3rec_wire::convert::JobId;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase, StockState};

use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::product::{Line, ours};
use crate::queries;
use crate::resume::Agreed;
use crate::session::Session;
use crate::setup::Setup;

/// Shortest time between two words of progress.
const WORD_EVERY: Duration = Duration::from_millis(250);

/// Announces the key and multiplies every block's masks.
pub(crate) async fn make(
    platform: &Platform,
    session: &Session,
    line: &Line,
    setup: &Setup,
    ledger: &Ledger,
) -> Result<RatingStock, Fault> {
    let parameters = &setup.parameters;
    let layout = parameters.layout().map_err(ours)?;
    let columns = u64::from(parameters.columns) * u64::from(parameters.rounds);
    platform.record(v1::JobEvent {
        waiting_for: v1::Role::Unspecified.into(),
        message: format!(
            "Multiplying masks for {columns} columns in {} blocks; the rounds need no cryptography then.",
            layout.blocks
        ),
        ..event(ledger, 0.0, 0.0)
    })?;
    let noted = |state, made, identity| note(platform, ledger, columns, state, made, identity);
    noted(StockState::Making, 0, None)?;
    let mut stock = create(platform, setup, ledger).await?;
    let mut progress = Progress::new(platform, ledger, parameters)?;

    let meter = &ledger.offline;
    let moved = |bytes| progress.moved(bytes);
    let fetch = queries::receive(platform, session, line, setup, meter, moved).await?;
    let key = stock.key_setup().map_err(ours)?;
    line.exchange(platform, session, Phase::Setup, 0, key, meter, |bytes| {
        progress.moved(bytes);
    })
    .await?;
    for block in 1..=layout.blocks {
        let mut endpoint = RatingBlock::new(stock).map_err(ours)?;
        if let Some(fetch) = &fetch {
            endpoint = endpoint.with_fetch(fetch);
        }
        let phase = Phase::Offline;
        let done = line
            .exchange(platform, session, phase, 0, endpoint, meter, |bytes| {
                progress.moved(bytes);
            })
            .await?;
        stock = done.into_stock().map_err(ours)?;
        let made = u64::from(layout.block_columns) * u64::from(block);
        noted(StockState::Making, made.min(columns), stock.identity())?;
    }
    Ok(stock)
}

/// The finished stock of a job, from disk.
pub(crate) async fn reopen(
    platform: &Arc<Platform>,
    job: JobId,
    agreed: &Agreed,
) -> Result<RatingStock, Fault> {
    let (at, name) = (Arc::clone(platform), job.to_string());
    let pattern = Arc::new(agreed.pattern.clone());
    let opened = blocking(move || {
        let storage = at.stocks.reopen(&name)?;
        RatingStock::open(Arc::new(storage), pattern)
    });
    opened.await?.map_err(ours)
}

/// Meets P1 over a finished stock.
pub(crate) async fn meet(
    platform: &Platform,
    session: &Session,
    line: &Line,
    stock: RatingStock,
    ledger: &Ledger,
) -> Result<RatingStock, Fault> {
    let (endpoint, meter) = (
        RatingSession::with_kept_inputs(stock).map_err(ours)?,
        &ledger.offline,
    );
    let phase = Phase::Offline;
    let met = line
        .exchange(platform, session, phase, 0, endpoint, meter, |_| {})
        .await?;
    let stock = met.into_stock().map_err(ours)?;
    let columns = u64::from(ledger.proposal.columns()) * u64::from(ledger.proposal.rounds);
    let (state, identity) = (StockState::Ready, stock.identity());
    note(platform, ledger, columns, state, columns, identity)?;
    if ledger.openings == 0 {
        platform.record(v1::JobEvent {
            message: "The stock of masked columns is complete.".into(),
            ..event(ledger, 1.0, 0.0)
        })?;
    }
    Ok(stock)
}

fn note(
    platform: &Platform,
    ledger: &Ledger,
    columns: u64,
    state: StockState,
    made: u64,
    identity: Option<[u8; 32]>,
) -> Result<(), Fault> {
    let stock = v1::Stock {
        job_id: ledger.job.to_string(),
        peer: ledger.peer.clone(),
        state: state.into(),
        identity: identity.map_or_else(Vec::new, |identity| identity.to_vec()),
        columns,
        columns_made: made,
        ..v1::Stock::default()
    };
    Ok(platform.stocks.note(&platform.store, stock)?)
}

/// An empty stock on disk under the terms that both sides hold.
async fn create(platform: &Platform, setup: &Setup, ledger: &Ledger) -> Result<RatingStock, Fault> {
    let job = ledger.job.to_string();
    let (rating_party, social_party) = platform.pins()?;
    let terms = StockTerms {
        stock_id: setup.stock_id,
        rating_party,
        social_party,
        users_digest: setup.users_digest,
        operator_commitment: setup.operator_commitment,
        key_seed: public_key_seed(&setup.rating_half, &setup.social_half, job.as_bytes()),
        parameters: setup.parameters.clone(),
    };
    let storage = platform.stocks.make(&job).map_err(|e| ours(e.into()))?;
    let pattern = Arc::clone(&setup.pattern);
    let created = blocking(move || RatingStock::create(Arc::new(storage), terms, pattern));
    created.await?.map_err(ours)
}

/// Tells how much of the phase's bytes, which the cost model knows exactly, has crossed.
struct Progress<'a> {
    platform: &'a Platform,
    ledger: &'a Ledger,
    total_bytes: u64,
    moved_bytes: u64,
    round_seconds: f64,
    began: Instant,
    told: Instant,
}

impl<'a> Progress<'a> {
    fn new(
        platform: &'a Platform,
        ledger: &'a Ledger,
        parameters: &ProductParameters,
    ) -> Result<Self, Fault> {
        let estimate = cost::predict(parameters).map_err(ours)?;
        Ok(Self {
            platform,
            ledger,
            total_bytes: estimate.offline.bytes().max(1),
            moved_bytes: 0,
            round_seconds: estimate.online.rating_seconds + estimate.online.social_seconds,
            began: Instant::now(),
            told: Instant::now(),
        })
    }

    fn moved(&mut self, bytes: usize) {
        self.moved_bytes += bytes as u64;
        if self.told.elapsed() < WORD_EVERY {
            return;
        }
        self.told = Instant::now();
        let share = (self.moved_bytes as f64 / self.total_bytes as f64).min(1.0);
        let elapsed = self.began.elapsed().as_secs_f64();
        let remaining = elapsed * (1.0 - share) / share.max(1e-9) + self.round_seconds;
        self.platform.journal.mention(v1::JobEvent {
            message: format!(
                "Multiplying masks: {:.1} of {:.1} MB.",
                self.moved_bytes as f64 / 1e6,
                self.total_bytes as f64 / 1e6
            ),
            ..event(self.ledger, share, remaining)
        });
    }
}

fn event(ledger: &Ledger, share: f64, remaining_seconds: f64) -> v1::JobEvent {
    v1::JobEvent {
        job_id: ledger.job.to_string(),
        state: JobState::Running.into(),
        phase: Phase::Offline.into(),
        rounds: ledger.proposal.rounds,
        phase_cost: Some(ledger.offline_cost()),
        phase_progress: share,
        remaining_seconds,
        ..v1::JobEvent::default()
    }
}
