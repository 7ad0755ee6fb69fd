//! P1's half of a stock of masked columns: made before the first round, one block an exchange;
//! then one opening a round.

use std::sync::Arc;
use std::time::{Duration, Instant};

use s3rec_link::{Channel, drive};
use s3rec_spmm::he::public_key_seed;
use s3rec_spmm::preprocessed::{
    SocialBlock, SocialClose, SocialOpening, SocialSession, SocialStock, StockTerms,
};
use s3rec_spmm::{ProductParameters, SpmmError, cost};
use s3rec_wire::convert::JobId;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase, StockState};

use crate::absence;
use crate::disclosing::{Cleared, Opening};
use crate::imports::blocking;
use crate::ledger;
use crate::platform::Platform;
use crate::rounds::fault;
use crate::session::{Agreed, Stage, Stocked};

/// Shortest time between two words of progress.
const WORD_EVERY: Duration = Duration::from_millis(250);

/// Makes an empty stock and receives P0's public key for it.
pub(crate) async fn begin(
    _: &Cleared,
    platform: &Arc<Platform>,
    job: JobId,
    agreed: Agreed,
    channel: &mut impl Channel,
) -> Result<Stage, Fault> {
    let name = job.to_string();
    let (rating_half, social_half) = (&agreed.rating_half, &agreed.social_half);
    let (rating_party, social_party) = platform.pins()?;
    let terms = StockTerms {
        stock_id: agreed.stock_id,
        rating_party,
        social_party,
        users_digest: agreed.users_digest,
        operator_commitment: agreed.operand.commitment(),
        key_seed: public_key_seed(rating_half, social_half, name.as_bytes()),
        parameters: agreed.parameters.clone(),
    };
    let text = "Multiplying the rating platform's masks; the rounds need no cryptography then.";
    platform.advance(&name, JobState::Running, Phase::Offline, text)?;
    absence::keep(platform, job, &agreed).await?;
    let storage = platform.stocks.make(&name).map_err(|e| ours(e.into()))?;
    let (pattern, operand) = (agreed.pattern, agreed.operand);
    let created =
        blocking(move || SocialStock::create(Arc::new(storage), terms, &pattern, operand));
    let mut stock = created.await?.map_err(ours)?;
    let mut progress = Progress::new(&agreed.parameters)?;
    progress.moved_bytes = agreed.asked.as_ref().map_or(0, |asked| asked.bytes as u64);
    note(platform, job, &stock, &progress, 0, StockState::Making)?;

    let setup = stock.key_setup().map_err(ours)?;
    let moved = |bytes| progress.moved(platform, job, bytes);
    let setup = drive(setup, channel, moved).await;
    let setup = setup.map_err(|e| fault(e, None))?;
    let keyed = blocking(move || stock.accept_key(setup).map(|()| stock)).await?;
    Ok(Stage::Stocking(Box::new(Stocked {
        parameters_digest: agreed.parameters_digest,
        stock: keyed.map_err(|error| fault(error.into(), None))?,
        blocks_made: 0,
        answer_times: agreed.answer_times,
        fetch: agreed.asked.map(|asked| asked.fetch),
        progress,
        may_repeat: false,
    })))
}

/// Multiplies the next block of P0's masks.
pub(crate) async fn block(
    platform: &Arc<Platform>,
    job: JobId,
    mut stocked: Stocked,
    channel: &mut impl Channel,
) -> Result<Stage, Fault> {
    let memory = usize::try_from(platform.limits.memory_bytes).unwrap_or(usize::MAX);
    let mut block = SocialBlock::new(stocked.stock, memory).map_err(ours)?;
    if let Some(fetch) = &stocked.fetch {
        block = block.with_fetch(fetch);
    }
    let moved = |bytes| stocked.progress.moved(platform, job, bytes);
    let done = drive(block, channel, moved).await;
    stocked.stock = done
        .map_err(|e| fault(e, None))?
        .into_stock()
        .map_err(ours)?;
    stocked.blocks_made += 1;
    let (made, state) = (stocked.blocks_made, StockState::Making);
    note(
        platform,
        job,
        &stocked.stock,
        &stocked.progress,
        made,
        state,
    )?;
    let stocked = Box::new(stocked);
    Ok(if stocked.blocks_made < stocked.progress.blocks {
        Stage::Stocking(stocked)
    } else {
        Stage::Sealed(stocked)
    })
}

/// Meets P0 over the finished stock.
pub(crate) async fn meet(
    platform: &Arc<Platform>,
    job: JobId,
    stocked: Stocked,
    channel: &mut impl Channel,
) -> Result<Stage, Fault> {
    let session = SocialSession::new(stocked.stock).map_err(ours)?;
    let met = drive(session, channel, |_| {}).await;
    let stock = met
        .map_err(|e| fault(e, None))?
        .into_stock()
        .map_err(ours)?;
    let (made, state) = (stocked.blocks_made, StockState::Ready);
    note(platform, job, &stock, &stocked.progress, made, state)?;
    platform.advance(
        &job.to_string(),
        JobState::Running,
        Phase::Online,
        "Met over the stock.",
    )?;
    Ok(Stage::Stocked(Box::new(Stocked { stock, ..stocked })))
}

/// Answers one opening: T, whose columns are answered and counted, on disk, before it exists.
pub(crate) async fn open(
    round: u32,
    admission: Opening,
    stocked: Stocked,
    channel: &mut impl Channel,
) -> Result<Stage, Fault> {
    let at = Some(round);
    let opening = SocialOpening::new(stocked.stock, admission);
    let opening = opening.map_err(|e| fault(e.into(), at))?;
    let opened = drive(opening, channel, |_| {}).await;
    let stock = opened.map_err(|e| fault(e, at))?.into_stock();
    Ok(Stage::Stocked(Box::new(Stocked {
        stock,
        may_repeat: false,
        ..stocked
    })))
}

/// Puts the stock to rest after the last round.
pub(crate) async fn close(stocked: Stocked, channel: &mut impl Channel) -> Result<Stage, Fault> {
    let closing = drive(SocialClose::new(stocked.stock), channel, |_| {}).await;
    closing.map_err(|e| fault(e, None))?;
    Ok(Stage::Closed)
}

fn note(
    platform: &Platform,
    job: JobId,
    stock: &SocialStock,
    progress: &Progress,
    blocks_made: u32,
    state: StockState,
) -> Result<(), Fault> {
    let peer = platform.slot.with(job, |running| running.peer.clone())?;
    let made = progress.block_columns * u64::from(blocks_made);
    let stock = v1::Stock {
        job_id: job.to_string(),
        peer,
        state: state.into(),
        identity: stock.identity().map_or_else(Vec::new, |name| name.to_vec()),
        columns: progress.columns,
        columns_made: made.min(progress.columns),
        ..v1::Stock::default()
    };
    Ok(platform.stocks.note(&platform.store, stock)?)
}

pub(crate) fn ours(error: SpmmError) -> Fault {
    fault(error.into(), None)
}

/// How much of the phase's bytes, which the cost model knows exactly, has crossed.
pub(crate) struct Progress {
    blocks: u32,
    block_columns: u64,
    columns: u64,
    total_bytes: u64,
    moved_bytes: u64,
    round_seconds: f64,
    began: Instant,
    told: Instant,
}

impl Progress {
    pub(crate) fn blocks(&self) -> u32 {
        self.blocks
    }

    pub(crate) fn new(parameters: &ProductParameters) -> Result<Self, Fault> {
        let (layout, estimate) = parameters
            .layout()
            .and_then(|layout| Ok((layout, cost::predict(parameters)?)))
            .map_err(ours)?;
        Ok(Self {
            blocks: layout.blocks,
            block_columns: layout.block_columns.into(),
            columns: u64::from(parameters.columns) * u64::from(parameters.rounds),
            total_bytes: estimate.offline.bytes().max(1),
            moved_bytes: 0,
            round_seconds: estimate.online.rating_seconds + estimate.online.social_seconds,
            began: Instant::now(),
            told: Instant::now(),
        })
    }

    fn moved(&mut self, platform: &Platform, job: JobId, bytes: usize) {
        self.moved_bytes += bytes as u64;
        if self.told.elapsed() < WORD_EVERY {
            return;
        }
        self.told = Instant::now();
        let share = (self.moved_bytes as f64 / self.total_bytes as f64).min(1.0);
        let elapsed = self.began.elapsed().as_secs_f64();
        // A job that has ended meanwhile is told of by its end.
        let Ok((rounds, cost)) = platform.slot.with(job, |running| {
            (running.proposal.rounds, ledger::cost(&running.offline))
        }) else {
            return;
        };
        platform.journal.mention(v1::JobEvent {
            job_id: job.to_string(),
            state: JobState::Running.into(),
            phase: Phase::Offline.into(),
            rounds,
            phase_cost: Some(cost),
            phase_progress: share,
            remaining_seconds: elapsed * (1.0 - share) / share.max(1e-9) + self.round_seconds,
            message: format!(
                "Multiplying masks: {:.1} of {:.1} MB.",
                self.moved_bytes as f64 / 1e6,
                self.total_bytes as f64 / 1e6
            ),
            ..v1::JobEvent::default()
        });
    }
}
