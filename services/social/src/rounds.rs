//! P1's side of the exchanges: its queries, the public key, a stock's blocks where the protocol has one, then
//! one product a round.

use std::sync::Arc;
use std::time::Duration;

use s3rec_link::grpc::{self, AnswerStream, GrpcChannel};
use s3rec_link::pacing::{self, Paced};
use s3rec_link::{Channel, Counting, DriveError, drive};
use s3rec_node::traces::join_trace;
use s3rec_spmm::he::{SocialKeySetup, SocialRound, public_key_seed};
use s3rec_wire::convert::{ChunkHeader, JobId};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use s3rec_wire::v1::{JobState, Phase};
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::Streaming;
use tracing::Instrument;

use crate::disclosing::{self, Cleared, Leaving, Opening};
use crate::imports::blocking;
use crate::ledger;
use crate::peer::{blamed, fail};
use crate::platform::Platform;
use crate::session::{Agreed, Keyed, Stage, Taken, superseded};
use crate::setup::{pacing_missed, reading_time};
use crate::{absence, queries, stock};

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
    if let Err(fault) = due(platform, &header, &taken.stage) {
        return Err(fail(platform, job, fault));
    }
    let meter = taken.meter.clone();
    meter.received(grpc::header_bytes(&header));
    let (channel, answer) = grpc::accept(incoming, &header, &meter, idle);
    let span = tracing::info_span!("exchange", %job, phase = header.phase.as_str_name(), round = header.round);
    join_trace(&span, job);
    let platform = Arc::clone(platform);
    let epoch = taken.epoch;
    let work = async move {
        let time = answer_time(&taken.stage);
        let mut paced = Paced::new(Counting::new(channel, meter), time);
        if speaks_first(&taken.stage) {
            paced = paced.speaking_first();
        }
        let cancelled = taken.cancelled.clone();
        let exchanged = exchange(&platform, &header, taken, &mut paced);
        let exchanged = unless_ended(cancelled, exchanged).await;
        let left = exchanged.and_then(|stage| platform.slot.leave(job, epoch, stage));
        let left = left.map_err(|fault| stale(&platform, job, epoch, fault));
        if let Some(late) = paced.late() {
            pacing_missed("an exchange", job, time, late);
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

/// How long after a broken exchange P0's Abort, or the loss of its lifeline, may arrive.
const WORD_ARRIVES_WITHIN: Duration = Duration::from_millis(500);

/// Works until the job is ended by either side's people.
pub(crate) async fn unless_ended<T>(
    mut cancelled: watch::Receiver<bool>,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let worked = tokio::select! {
        worked = work => worked,
        _ = cancelled.wait_for(|cancelled| *cancelled) => Err(ended()),
    };
    match worked {
        // P0's word that it ended the job may be overtaken by the end of the exchange.
        Err(fault) if fault.reason == Reason::PeerVanished => {
            let word = cancelled.wait_for(|cancelled| *cancelled);
            let word = tokio::time::timeout(WORD_ARRIVES_WITHIN, word).await;
            Err(word.map_or(fault, |_| ended()))
        }
        worked => worked,
    }
}

fn ended() -> Fault {
    Fault::new(Reason::Cancelled, "the job was ended")
}

/// A fault of a call that was stopped: the job was ended, or goes on over another connection.
pub(crate) fn stale(platform: &Platform, job: JobId, epoch: u64, fault: Fault) -> Fault {
    match (
        platform.slot.is_current(job, epoch),
        platform.slot.running_job() == Some(job),
    ) {
        (true, _) => fault,
        (false, true) => superseded(),
        (false, false) => ended(),
    }
}

/// Is this exchange the next one of the job?
fn due(platform: &Platform, header: &ChunkHeader, stage: &Stage) -> Result<(), Fault> {
    let digest = match (header.phase, stage) {
        (Phase::Setup, Stage::Agreed(agreed)) => agreed.parameters_digest,
        // Compared with what is on disk, when that is read.
        (Phase::Offline, Stage::Away) => return Ok(()),
        (Phase::Online, Stage::Keyed(keyed)) => keyed.parameters_digest,
        (Phase::Offline, Stage::Stocking(stocked) | Stage::Sealed(stocked))
        | (Phase::Offline | Phase::Online, Stage::Stocked(stocked)) => stocked.parameters_digest,
        _ => return Err(Fault::new(Reason::OutOfOrder, "this exchange is not due")),
    };
    if digest != header.parameters_digest {
        let message = "the exchange names other parameters than were agreed on";
        return Err(Fault::new(Reason::Contradiction, message));
    }
    if header.phase != Phase::Online {
        return Ok(());
    }
    let (openings, rounds) = platform.slot.with(header.job, |running| {
        (running.openings, running.proposal.rounds)
    })?;
    if header.round > rounds {
        let message = format!("round {} exceeds the {rounds} consented to", header.round);
        return Err(Fault::new(Reason::BeyondConsent, message).at("round", header.round));
    }
    // After a meeting the last round may be asked for again: the stock answers the identical
    // message alike, and no other.
    let again =
        header.round == openings && matches!(stage, Stage::Stocked(stocked) if stocked.may_repeat);
    if header.round != openings + 1 && !again {
        let message = format!(
            "round {} was asked for where {} is due",
            header.round,
            openings + 1
        );
        return Err(Fault::new(Reason::OutOfOrder, message).at("round", header.round));
    }
    ledger::compare(platform, header.job, Some(header.round), header.counters)?;
    let round = header.round;
    platform.journal.mention(v1::JobEvent {
        job_id: header.job.to_string(),
        state: JobState::Running.into(),
        phase: Phase::Online.into(),
        round,
        rounds,
        phase_cost: Some(
            platform
                .slot
                .with(header.job, |running| ledger::cost(&running.online))?,
        ),
        phase_progress: f64::from(round - 1) / f64::from(rounds),
        message: format!("Round {round} of {rounds}."),
        ..v1::JobEvent::default()
    });
    Ok(())
}

/// How long after the last frame received the answer of this stage's exchange may leave.
fn answer_time(stage: &Stage) -> Duration {
    match stage {
        Stage::Agreed(agreed) if agreed.is_to_ask() => agreed.answer_times.queries,
        Stage::Keyed(keyed) => keyed.answer_times.round,
        Stage::Stocking(stocked) => stocked.answer_times.block,
        Stage::Stocked(stocked) => stocked.answer_times.round,
        // What is answered there does not depend on the links.
        _ => Duration::ZERO,
    }
}

/// Is the first frame of this stage's exchange P1's? Its time counts from the header then.
fn speaks_first(stage: &Stage) -> bool {
    matches!(stage, Stage::Agreed(agreed) if agreed.is_to_ask())
}

async fn exchange(
    platform: &Arc<Platform>,
    header: &ChunkHeader,
    taken: Taken,
    channel: &mut Paced<Counting<GrpcChannel>>,
) -> Result<Stage, Fault> {
    let job = header.job;
    let began = Instant::now();
    let opening = || Opening::new(platform, job, header.round, taken.epoch);
    match taken.stage {
        Stage::Agreed(agreed) if agreed.is_to_ask() => {
            let cleared = disclosing::clear(platform, job, Leaving::Upload)?;
            queries::send(&cleared, *agreed, channel).await
        }
        Stage::Agreed(agreed) => {
            // Whatever is answered under this key from here on, blocks or rounds.
            let cleared = disclosing::clear(platform, job, Leaving::Upload)?;
            match agreed.parameters.protocol.is_preprocessed() {
                true => stock::begin(&cleared, platform, job, *agreed, channel).await,
                false => receive_key(&cleared, job, *agreed, channel).await,
            }
        }
        Stage::Stocking(stocked) => stock::block(platform, job, *stocked, channel).await,
        Stage::Away => {
            disclosing::may_go_on(platform, job)?;
            let time = platform.slot.with(job, |running| reading_time(running))?;
            let restored = absence::restore(platform, job, header.parameters_digest).await;
            // It reads the links, as Setup does.
            if let Some(late) = pacing::hold(began, time).await {
                pacing_missed("a meeting after an absence", job, time, late);
            }
            stock::meet(platform, job, restored?, channel).await
        }
        Stage::Sealed(stocked) => stock::meet(platform, job, *stocked, channel).await,
        Stage::Stocked(stocked) if header.phase == Phase::Online => {
            stock::open(header.round, opening(), *stocked, channel).await
        }
        Stage::Stocked(stocked) => stock::close(*stocked, channel).await,
        Stage::Keyed(keyed) => {
            answer_round(header.round, opening(), &keyed, channel).await?;
            Ok(Stage::Keyed(keyed))
        }
        _ => Err(Fault::new(Reason::OutOfOrder, "this exchange is not due")),
    }
}

async fn receive_key(
    _: &Cleared,
    job: JobId,
    agreed: Agreed,
    channel: &mut impl Channel,
) -> Result<Stage, Fault> {
    let session_id = job.to_string();
    let seed = public_key_seed(
        &agreed.rating_half,
        &agreed.social_half,
        session_id.as_bytes(),
    );
    let setup =
        SocialKeySetup::new(&agreed.parameters, &seed).map_err(|e| fault(e.into(), None))?;
    let setup = drive(setup, channel, |_| {})
        .await
        .map_err(|e| fault(e, None))?;
    let keys = blocking(move || setup.into_keys()).await?;
    let keys = keys.map_err(|error| fault(error.into(), None))?;
    Ok(Stage::Keyed(Arc::new(Keyed {
        parameters_digest: agreed.parameters_digest,
        keys: Arc::new(keys),
        operand: agreed.operand,
        answer_times: agreed.answer_times,
        fetch: agreed.asked.map(|asked| asked.fetch),
    })))
}

async fn answer_round(
    round: u32,
    opening: Opening,
    keyed: &Keyed,
    channel: &mut impl Channel,
) -> Result<(), Fault> {
    let at = Some(round);
    let answering = SocialRound::new(&keyed.keys, &keyed.operand, round - 1, opening);
    let mut answering = answering.map_err(|error| fault(error.into(), at))?;
    if let Some(fetch) = &keyed.fetch {
        answering = answering.with_fetch(fetch);
    }
    drive(answering, channel, |_| {})
        .await
        .map_err(|e| fault(e, at))?;
    Ok(())
}

/// A failed exchange, blamed on whoever it was.
pub(crate) fn fault(error: DriveError, round: Option<u32>) -> Fault {
    match error {
        DriveError::Link(error) => blamed(error, round),
        other => {
            let fault = Fault::from(other);
            match round {
                Some(round) => fault.at("round", round),
                None => fault,
            }
        }
    }
}
