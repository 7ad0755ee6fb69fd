//! What the people here are notified of while a job runs, and what is noted of its stock.

use s3rec_job::social::SocialEvent;
use s3rec_job::{AgreedParameters, JobEvent, JobId, JobState, Phase};
use s3rec_node::stock_progress::{Notice, StockProgress};
use s3rec_node::stocks::StockStage;
use s3rec_wire::status::Fault;

use crate::faults::ours;
use crate::ledger;
use crate::platform::Platform;

/// Records what a job says.
pub(crate) fn emit(platform: &Platform, job: JobId, event: SocialEvent) -> Result<(), Fault> {
    let name = job.to_string();
    match event {
        SocialEvent::StockBegins => {
            platform
                .slot
                .with(job, |running| {
                    let parameters = running.parameters.as_ref();
                    let parameters = parameters.and_then(AgreedParameters::product);
                    let begun = parameters.map(|p| StockProgress::new(p, running.queried_bytes));
                    running.stock = begun.transpose()?;
                    Ok(())
                })?
                .map_err(ours)?;
            let text =
                "Multiplying the rating platform's masks; the rounds need no cryptography then.";
            platform.advance(&name, JobState::Running, Phase::Offline, text)
        }
        SocialEvent::StockGoesOn { held_bytes } => {
            platform
                .slot
                .with(job, |running| {
                    let parameters = running.parameters.as_ref();
                    let parameters = parameters.and_then(AgreedParameters::product);
                    let going_on = parameters.map(|p| StockProgress::new(p, held_bytes));
                    running.stock = going_on.transpose()?;
                    Ok(())
                })?
                .map_err(ours)?;
            let text = "Going on with the rating platform's masks where the connection broke.";
            platform.advance(&name, JobState::Running, Phase::Offline, text)
        }
        SocialEvent::StockLost => {
            tracing::warn!(
                job = name,
                "no unfinished stock to go on with: it begins again"
            );
            Ok(())
        }
        SocialEvent::StockGrows {
            columns,
            of,
            identity,
        } => note(platform, job, StockStage::Making, (columns, of), identity),
        SocialEvent::StockStands { columns, identity } => {
            let made = (columns, columns);
            note(platform, job, StockStage::Ready, made, identity)?;
            platform.slot.with(job, |running| running.stock = None)?;
            let text = "Met over the stock.";
            platform.advance(&name, JobState::Running, Phase::Online, text)
        }
    }
}

/// So many bytes more have crossed before the rounds.
pub(crate) fn moved(platform: &Platform, job: JobId, bytes: usize) {
    let looked = platform.slot.with(job, |running| {
        let notice = running.stock.as_mut()?.moved(bytes)?;
        let cost = ledger::cost(&running.offline);
        Some((notice, running.proposal.rounds, cost))
    });
    // A job that has ended meanwhile is reported by its end.
    let Ok(Some((notice, rounds, cost))) = looked else {
        return;
    };
    let Notice {
        share,
        remaining_seconds,
        message,
    } = notice;
    platform.journal.notify(JobEvent {
        job: job.to_string(),
        state: JobState::Running,
        phase: Some(Phase::Offline),
        rounds,
        phase_cost: Some(cost),
        phase_progress: share,
        remaining_seconds,
        message,
        ..JobEvent::default()
    });
}

fn note(
    platform: &Platform,
    job: JobId,
    state: StockStage,
    made: (u64, u64),
    identity: Option<[u8; 32]>,
) -> Result<(), Fault> {
    let peer = platform.slot.with(job, |running| running.peer.clone())?;
    let noted = platform
        .stocks
        .note_made(&platform.store, (job, &peer), state, made, identity);
    Ok(noted?)
}
