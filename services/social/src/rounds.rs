//! P1's side of the exchanges: does what the job says until each call of P0's is answered. The
//! order is [`SocialJob`]'s.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use s3rec_job::social::{
    Call, FriendsStorage, Pace, SocialFriendsCheckpoint, SocialJob, SocialNext, SocialPlatform,
    SocialTurn,
};
use s3rec_job::{JobError, JobEvent, JobId, JobState, Phase};
use s3rec_link::grpc::{self, AnswerStream, GrpcChannel};
use s3rec_link::pacing::Paced;
use s3rec_link::{Counting, drive};
use s3rec_node::checkpoint::{CheckpointFiles, FRIENDS};
use s3rec_node::traces::join_trace;
use s3rec_spmm::noise_first::PackMakers;
use s3rec_spmm::preprocessed::StockStorage;
use s3rec_spmm::{Admission, ReleasePolicy, WorkingSpace};
use s3rec_wire::convert::{ChunkHeader, phase_name};
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use tonic::Streaming;
use tracing::Instrument;

use crate::absence::fail;
use crate::disclosing;
use crate::faults::{blamed, fault, fault_of, stale, unless_ended};
use crate::held::{PublicTime, pacing_missed, reading_time};
use crate::imports::blocking;
use crate::opening::Opening;
use crate::platform::Platform;
use crate::slot::Taken;
use crate::{absence, emit, ledger};

/// Takes one exchange; the work goes on behind the answer that is returned.
pub(crate) async fn answer(
    platform: &Arc<Platform>,
    mut incoming: Streaming<v1::ExchangeChunk>,
) -> Result<AnswerStream, Fault> {
    let idle = platform.idle_limit();
    let header = grpc::read_header(&mut incoming, idle).await;
    let header = header.map_err(|error| blamed(error, None))?;
    let job = header.job;
    if header.phase != Phase::Offline {
        platform.slot.refuse_while_away(job)?;
    }
    let taken = platform.slot.take(job, header.phase == Phase::Online)?;
    if let Err(fault) = due(platform, &header, &taken) {
        return Err(fail(platform, job, fault));
    }
    let meter = taken.meter.clone();
    meter.received(grpc::header_bytes(&header));
    let (channel, answer) = grpc::accept(incoming, &header, &meter, idle);
    let span = tracing::info_span!("exchange", %job, phase = phase_name(Some(header.phase)), round = header.round);
    join_trace(&span, job);
    let platform = Arc::clone(platform);
    let epoch = taken.epoch;
    let pace = taken.stage.pace();
    let time = answer_time(&platform, job, pace)?;
    computes(&platform, job, time)?;
    let work = async move {
        let mut paced = Paced::new(Counting::new(channel, meter), time);
        // The first frame is ours: its time counts from the header.
        if pace == Pace::Queries {
            paced = paced.speaking_first();
        }
        let cancelled = taken.cancelled.clone();
        let exchanged = exchange(&platform, &header, taken, &mut paced);
        let exchanged = unless_ended(cancelled, exchanged).await;
        let left = exchanged.and_then(|stage| platform.slot.leave(job, epoch, stage));
        let left = left.map_err(|fault| stale(&platform, job, epoch, fault));
        if let Some(late) = paced.late() {
            pacing_missed("an exchange", job, paced.answer_time(), late);
        }
        if let Err(fault) = left {
            let fault = match platform.slot.is_current(job, epoch) {
                true => fail(&platform, job, fault),
                false => fault.at("job", job),
            };
            paced.into_inner().into_inner().refuse(fault).await;
        }
    };
    tokio::spawn(work.instrument(span));
    Ok(answer)
}

/// Is this exchange the next one of the job?
fn due(platform: &Platform, header: &ChunkHeader, taken: &Taken) -> Result<(), Fault> {
    let at = (header.phase == Phase::Online).then_some(header.round);
    let (openings, rounds) = platform.slot.with(header.job, |running| {
        (running.openings, running.proposal.rounds)
    })?;
    let is_due = taken.stage.is_due(&call_of(header), openings, rounds);
    is_due.map_err(|error| fault_of(error, at))?;
    if header.phase != Phase::Online {
        return Ok(());
    }
    ledger::compare(platform, header.job, Some(header.round), header.counters)?;
    let round = header.round;
    platform.journal.notify(JobEvent {
        job: header.job.to_string(),
        state: JobState::Running,
        phase: Some(Phase::Online),
        round,
        rounds,
        phase_cost: Some(
            platform
                .slot
                .with(header.job, |running| ledger::cost(&running.online))?,
        ),
        phase_progress: f64::from(round - 1) / f64::from(rounds),
        message: format!("Round {round} of {rounds}."),
        ..JobEvent::default()
    });
    Ok(())
}

fn call_of(header: &ChunkHeader) -> Call {
    Call {
        phase: header.phase,
        round: header.round,
        parameters_digest: header.parameters_digest,
        goes_on: header.goes_on,
    }
}

/// How long after the last frame received the answer may leave.
fn answer_time(platform: &Platform, job: JobId, pace: Pace) -> Result<Duration, Fault> {
    let times = platform.slot.with(job, |running| running.answer_times)?;
    Ok(match pace {
        Pace::Free => Duration::ZERO,
        Pace::Queries => times.queries,
        Pace::Block => times.block,
        Pace::Round => times.round,
    })
}

/// Notes for how long friends' sums are computed, at most: a thread that computes goes on when P0
/// leaves.
fn computes(platform: &Platform, job: JobId, time: Duration) -> Result<(), Fault> {
    platform.slot.with(job, |running| {
        if let ReleasePolicy::Friends(_) = running.proposal.release {
            running.computing = time;
        }
    })
}

/// Does what the job says until the call is answered.
async fn exchange(
    platform: &Arc<Platform>,
    header: &ChunkHeader,
    taken: Taken,
    channel: &mut Paced<Counting<GrpcChannel>>,
) -> Result<SocialJob, Fault> {
    let job = header.job;
    let epoch = taken.epoch;
    let at = (header.phase == Phase::Online).then_some(header.round);
    let is_asking = taken.stage.pace() == Pace::Queries;
    let host = Arc::new(Host {
        platform: Arc::clone(platform),
        job,
        epoch: taken.epoch,
        peer: platform.slot.with(job, |running| running.peer.clone())?,
    });
    let mut turn = SocialTurn::new(host, job, call_of(header), taken.stage);
    loop {
        turn = match compute(at, move || turn.next()).await? {
            SocialNext::Rest(stage) => return Ok(stage),
            // Whatever is answered under a key from here on, blocks or rounds.
            SocialNext::Clear(uncleared) => {
                let is_counted = uncleared.is_asked_for();
                uncleared.cleared(&disclosing::clear_upload(platform, job, epoch, is_counted)?)
            }
            SocialNext::Restore(restoring) => {
                disclosing::may_go_on(platform, job)?;
                let time = platform.slot.with(job, |running| reading_time(running))?;
                // It reads the links, as Setup does.
                let due = PublicTime::of("a resume handshake", job, time);
                let restored = due.hold(absence::restore(platform, job, restoring));
                let turn = restored.await?.into_inner();
                // A-parts are made again, whose time follows the links.
                let time = answer_time(platform, job, turn.pace())?;
                channel.hold_for(time);
                computes(platform, job, time)?;
                turn
            }
            SocialNext::Save(checkpoint, turn) => {
                absence::save(platform, job, *checkpoint).await?;
                turn
            }
            SocialNext::Emit(event, turn) => {
                emit::emit(platform, job, event)?;
                turn
            }
            SocialNext::Exchange(exchange) => {
                // Each block of a stock as well: what is under way ends with what allowed it.
                disclosing::may_go_on(platform, job)?;
                let mut bytes = 0;
                let moved = |moved| {
                    bytes += moved as u64;
                    emit::moved(platform, job, moved);
                };
                let done = drive(*exchange, channel, moved).await;
                let done = done.map_err(|error| fault(error, at))?;
                if is_asking {
                    platform
                        .slot
                        .with(job, |running| running.queried_bytes = bytes)?;
                }
                compute(at, move || done.done()).await?
            }
        };
    }
}

/// What a job takes from this platform.
struct Host {
    platform: Arc<Platform>,
    job: JobId,
    /// Of P0's connection.
    epoch: u64,
    peer: String,
}

impl SocialPlatform for Host {
    fn admission(&self, round: u32) -> Box<dyn Admission> {
        Box::new(Opening::new(&self.platform, self.job, round, self.epoch))
    }

    fn make_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Ok(Arc::new(self.platform.stocks.make(&self.job.to_string())?))
    }

    fn reopen_stock(&self) -> io::Result<Arc<dyn StockStorage>> {
        Ok(Arc::new(
            self.platform.stocks.reopen(&self.job.to_string())?,
        ))
    }

    fn friends_storage(&self) -> Arc<dyn FriendsStorage> {
        Arc::new(OnDisk(
            self.platform.stocks.checkpoint(&self.job.to_string()),
        ))
    }

    fn pack_makers(&self) -> Option<Arc<dyn PackMakers>> {
        let workers = self.platform.workers.clone();
        workers.map(|workers| workers as Arc<dyn PackMakers>)
    }

    fn space(&self) -> WorkingSpace {
        let limit = self.platform.limits.memory_bytes;
        WorkingSpace {
            memory_limit_bytes: usize::try_from(limit).unwrap_or(usize::MAX),
            directory: self.platform.data_dir.clone(),
        }
    }

    fn peer(&self) -> String {
        self.peer.clone()
    }

    fn parties(&self) -> [[u8; 32]; 2] {
        self.platform.pins().into()
    }
}

/// An opening of friends' sums, beside the job's other files.
struct OnDisk(CheckpointFiles);

impl FriendsStorage for OnDisk {
    fn load(&self) -> io::Result<Option<SocialFriendsCheckpoint>> {
        self.0.load(FRIENDS)
    }

    fn save(&self, checkpoint: &SocialFriendsCheckpoint) -> io::Result<()> {
        self.0.save(FRIENDS, checkpoint)
    }
}

/// A step of the job, on a thread that may block.
async fn compute<T: Send + 'static>(
    at: Option<u32>,
    step: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, Fault> {
    blocking(step).await?.map_err(|error| fault_of(error, at))
}
