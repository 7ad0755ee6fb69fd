//! A rating platform that is away: the job waits for it, and goes on from what is on disk.
//!
//! Nothing of a broken connection is taken up again but what is on disk. Before P0's key the job
//! begins anew, with a new stock; afterwards both meet over the stock, finished or not. What decides
//! is P1's own count: once something was opened, only a finished stock can be gone on with.

use std::sync::Arc;
use std::time::Duration;

use s3rec_job::social::{Restoring, SocialCheckpoint, SocialFriendsCheckpoint, SocialTurn};
use s3rec_job::{AgreedParameters, JobDisclosure, JobEvent, JobId, JobState, Party, Proposal};
use s3rec_link::pacing::AnswerTimes;
use s3rec_node::checkpoint::{AGREED, CheckpointFiles, FRIENDS};
use s3rec_node::observe;
use s3rec_spmm::Protocol;
use s3rec_wire::status::{Fault, Reason};

use crate::common_links::common_operator;
use crate::faults::{fault_of, ours};
use crate::friends_setup::common_friends;
use crate::imports::blocking;
use crate::platform::Platform;
use crate::tables::DISCLOSURES;
use crate::{consented, ledger};

/// Keeps what was agreed on, before the stock that goes with it is begun.
pub(crate) async fn save(
    platform: &Platform,
    job: JobId,
    checkpoint: SocialCheckpoint,
) -> Result<(), Fault> {
    let files = platform.stocks.checkpoint(&job.to_string());
    blocking(move || files.save(AGREED, &checkpoint))
        .await?
        .map_err(storage)
}

/// The job as it was agreed on, with the stock from disk, ready to meet P0 over it.
pub(crate) async fn restore(
    platform: &Arc<Platform>,
    job: JobId,
    restoring: Restoring,
) -> Result<SocialTurn, Fault> {
    let name = job.to_string();
    let links = platform.datasets.load(&name).await?;
    let stated = platform
        .slot
        .with(job, |running| running.opened.bounds.stated.links)?;
    let (proposal, files) = (platform.proposal(&name)?, platform.stocks.checkpoint(&name));
    let kind = proposal.operator;
    let restored = blocking(move || {
        if proposal.protocol == Protocol::NoiseFirst {
            let checkpoint: Option<SocialFriendsCheckpoint> =
                files.load(FRIENDS).map_err(storage)?;
            let friends = |rows: &[u32]| common_friends(&links, rows);
            let restored = restoring.friends_from_disk(checkpoint, friends);
            return restored
                .map(|(turn, restored)| (turn, Some(restored)))
                .map_err(|error| fault_of(error, None));
        }
        let checkpoint: Option<SocialCheckpoint> = files.load(AGREED).map_err(storage)?;
        let operator = |rows: &[u32]| common_operator(kind, &links, rows);
        let restored = restoring.from_disk(checkpoint, operator);
        restored.map_err(|error| fault_of(error, None))
    });
    let (turn, restored) = restored.await??;
    // P0 begins again.
    let Some(restored) = restored else {
        return Ok(turn);
    };
    let answer_times = match &restored.parameters {
        AgreedParameters::Product(parameters) => AnswerTimes::of(parameters).map_err(ours)?,
        AgreedParameters::Friends(parameters) => {
            AnswerTimes::of_friends(parameters, stated, platform.pace())
        }
    };
    platform.slot.with(job, |running| {
        running.openings = running.openings.max(restored.openings);
        running.common_users = restored.users;
        running.answer_times = answer_times;
        running.parameters = Some(restored.parameters);
    })?;
    Ok(turn)
}

/// P0 is gone, or has come back over another connection: the calls of the old one end, and the
/// job waits. A job that cannot go on fails.
pub(crate) fn suspend(platform: &Arc<Platform>, job: JobId, why: &str) {
    let Some(away) = platform.slot.suspend(job) else {
        return;
    };
    let name = job.to_string();
    if !away.can_go_on {
        let message = format!(
            "{why} {} Ask its operators to look at their daemon and start it again; they must \
             propose the job anew.",
            match away.openings {
                0 => "Nothing was opened.".to_owned(),
                n => format!("Nothing more was opened after round {n}."),
            }
        );
        observe::job_failed(Reason::PeerVanished);
        platform.end(&name, JobState::Failed, &message);
        return;
    }
    if platform.being_away.take().is_err() {
        let message = format!(
            "{why} It has been away more often in an hour than this platform waits for it. Ask its \
             operators to look at the link; they must propose the job anew."
        );
        observe::job_failed(Reason::PeerVanished);
        platform.end(&name, JobState::Failed, &message);
        return;
    }
    tracing::warn!(job = name, "the job waits for the rating platform: {why}");
    let limit = Duration::from_secs(platform.limits.resume_seconds);
    notify(
        platform,
        &name,
        format!(
            "{why} The job goes on when it is back; the wait ends after {} s.",
            limit.as_secs()
        ),
    );
    // A wait keeps no store open that nobody else has open any more.
    let platform = Arc::downgrade(platform);
    tokio::spawn(async move {
        // Of this process's own clock: nothing that happens to the wall clock ends a job.
        tokio::time::sleep(limit).await;
        let Some(platform) = platform.upgrade() else {
            return;
        };
        if platform.slot.is_away(job, away.epoch) {
            let fault = Fault::new(
                Reason::PeerStayedAway,
                format!("the rating platform stayed away for {} s", limit.as_secs()),
            );
            observe::job_failed(fault.reason);
            platform.end(&name, JobState::Failed, &fault.advice());
        }
    });
}

fn notify(platform: &Platform, job: &str, message: String) {
    let last = platform.journal.last(job).unwrap_or_default();
    let recorded = platform.journal.record(JobEvent {
        waiting_for: Some(Party::Rating),
        message,
        ..last
    });
    if let Err(error) = recorded {
        tracing::error!(
            job,
            "that the rating platform is away is not stored: {error}"
        );
    }
}

/// Takes up the job that ran when the daemon last ended: it waits for P0.
pub(crate) fn take_up(platform: &Arc<Platform>) -> Result<(), Fault> {
    for name in platform.journal.open_jobs() {
        if platform.state(&name) != JobState::Running {
            continue;
        }
        let proposal = platform.proposal(&name)?;
        let job = proposal.job;
        // One whose approval is of a version before this, or gone, ends; it must not keep the
        // daemon from starting.
        let opened = match consented::go_on(platform, &name) {
            Ok(opened) => opened,
            Err(fault) => {
                lost(platform, &name, &fault.message);
                continue;
            }
        };
        let checkpoint = match checkpoint_of(&platform.stocks.checkpoint(&name), &proposal) {
            Ok(checkpoint) => checkpoint,
            // Nor must what was kept of it, where it does not read.
            Err(error) => {
                lost(platform, &name, &error.to_string());
                continue;
            }
        };
        let counts = ledger::counts(platform, &name)?;
        // What was opened counts by them, also if the job ends without being gone on with.
        let parameters = match (&checkpoint, &counts.parameters) {
            (Some((_, parameters)), _) => Some(parameters.clone()),
            (None, counted) => counted.clone(),
        };
        let peer = checkpoint.map(|(peer, _)| peer);
        let disclosed: Option<JobDisclosure> = platform.store.get(DISCLOSURES, &name)?;
        let overlap = disclosed.and_then(|disclosed| disclosed.overlap);
        let peer = match peer {
            Some(peer) => peer,
            None => platform.consent(&name)?.peer,
        };
        if !platform.slot.take_up(proposal, peer, opened, counts) {
            // One of them was ending when the daemon did. What was counted of it stands.
            let message = "Another job of the two platforms was found running as well, when this \
                           daemon was started again. Propose the job anew.";
            platform.end(&name, JobState::Failed, message);
            continue;
        }
        platform.slot.with(job, |running| {
            running.overlap = overlap;
            running.parameters = parameters;
        })?;
        suspend(
            platform,
            job,
            "This daemon was started again while the job ran.",
        );
    }
    Ok(())
}

/// Ends a job that cannot be taken up again. What was counted of it stands.
fn lost(platform: &Platform, job: &str, why: &str) {
    let message = format!("the job cannot be taken up again: {why}");
    let fault = Fault::new(Reason::StateLost, message);
    let peer_message = "The social platform cannot take the job up again. Propose it anew.";
    platform.end_notifying(job, JobState::Failed, &fault.advice(), peer_message);
}

/// P0's name and the parameters of what is on disk of a job, if anything is.
fn checkpoint_of(
    files: &CheckpointFiles,
    proposal: &Proposal,
) -> std::io::Result<Option<(String, AgreedParameters)>> {
    if proposal.protocol == Protocol::NoiseFirst {
        let checkpoint = files.load::<SocialFriendsCheckpoint>(FRIENDS)?;
        return Ok(checkpoint.map(|checkpoint| (checkpoint.peer, checkpoint.parameters.into())));
    }
    let checkpoint = files.load::<SocialCheckpoint>(AGREED)?;
    Ok(checkpoint.map(|checkpoint| (checkpoint.peer, checkpoint.parameters.into())))
}

fn storage(error: std::io::Error) -> Fault {
    Fault::storage(error.to_string(), error.kind())
}

/// Ends the job with a fault of one of its calls, and gives the fault its place.
///
/// A fault that only says that the job is not running, or that another job is, ends nothing; a
/// P0 that is away is waited for.
pub(crate) fn fail(platform: &Arc<Platform>, job: JobId, fault: Fault) -> Fault {
    let fault = fault.at("job", job);
    let ends = match fault.reason {
        Reason::Busy | Reason::Superseded => false,
        Reason::PeerVanished | Reason::PeerIdle => {
            suspend(platform, job, &sentence(&fault.message));
            false
        }
        _ => true,
    };
    if ends && platform.slot.running_job() == Some(job) {
        let state = match fault.reason {
            Reason::Cancelled => JobState::Cancelled,
            _ => JobState::Failed,
        };
        if state == JobState::Failed {
            observe::job_failed(fault.reason);
        }
        let peer_message = fault.clone().outward().advice();
        platform.end_notifying(&job.to_string(), state, &fault.advice(), &peer_message);
    }
    fault
}

/// The message as a sentence.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let rest = letters.as_str().trim_end_matches('.');
    format!("{}{rest}.", first.unwrap_or_default())
}
