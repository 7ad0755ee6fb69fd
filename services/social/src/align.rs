//! P1's side of finding the common users, by private set intersection.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use s3rec_job::social::SocialJob;
use s3rec_job::{JobId, JobState, Overlap, Phase, Proposal};
use s3rec_link::{LinkError, Meter};
use s3rec_node::alignment::{self, Common, Work, psi_fault};
use s3rec_node::traces::join_trace;
use s3rec_psi::{Form, Masking, SocialAnswering, SocialWaiting, social, vole};
use s3rec_wire::WireError;
use s3rec_wire::convert::{AlignOpening, align_chunk, align_opening, align_part};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::AlignChunk;
use s3rec_wire::v1::align_chunk::Part;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use tracing::Instrument;

use crate::absence::fail;
use crate::align_vole::Vole;
use crate::consented;
use crate::disclosing::{self, Cleared, Leaving};
use crate::faults::{blamed, outward, stale, unless_ended};
use crate::held::{PublicTime, reading_time_of};
use crate::imports::blocking;
use crate::platform::Platform;

pub(crate) type AlignStream = Pin<Box<dyn Stream<Item = Result<AlignChunk, Status>> + Send>>;

/// Begins the job: checks consent and the whole rule in force, takes the place of the running job,
/// and answers: by comparing ids, or where the job's common users were found before, by those.
pub(crate) async fn answer(
    platform: &Arc<Platform>,
    mut chunks: Streaming<AlignChunk>,
    peer: String,
) -> Result<AlignStream, Fault> {
    let idle = platform.idle_limit();
    let first = next(&mut chunks, idle).await?;
    let first_bytes = first.wire_bytes();
    let theirs = align_opening(first)?;
    let job = theirs.job;
    let name = job.to_string();
    let proposal = platform.proposal(&name)?;
    match platform.state(&name) {
        // A running job begins again, if P0 was away from it.
        JobState::Approved | JobState::Running => {}
        JobState::Proposed => {
            let message = "the social platform's operator has not decided yet";
            return Err(Fault::new(Reason::NotApproved, message).at("job", job));
        }
        state => {
            let message = format!("the job is {}", state.name());
            return Err(Fault::new(Reason::WrongState, message).at("job", job));
        }
    }
    if theirs.id_rule != proposal.id_rule {
        let message = "the rating platform's id_rule differs from its proposal's";
        return Err(Fault::new(Reason::Contradiction, message).at("job", job));
    }
    let files = platform.stocks.checkpoint(&name);
    let found = blocking(move || alignment::load(&files)).await??;
    begin(platform, proposal, peer, found.as_ref())?;
    let at = Arc::clone(platform);
    blocking(move || at.stocks.discard(&name)).await??;
    let (sender, receiver) = mpsc::channel(4);
    let platform = Arc::clone(platform);
    let span = tracing::info_span!("align", %job);
    join_trace(&span, job);
    let work = async move {
        let exchange = Exchange {
            platform: &platform,
            job,
            answers: sender.clone(),
            meter: Meter::default(),
            idle,
        };
        if let Err(fault) = exchange.align(theirs, first_bytes, chunks, found).await {
            let fault = fail(&platform, job, fault);
            // A caller that is gone needs no reason.
            let _ = timeout(idle, sender.send(Err(outward(fault)))).await;
        }
    };
    tokio::spawn(work.instrument(span));
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

/// Asks consent and rule, and takes the place of the running job with what is counted at that
/// moment: nobody counts, and no job ends, in between.
fn begin(
    platform: &Arc<Platform>,
    proposal: Proposal,
    peer: String,
    found: Option<&(Common, Overlap)>,
) -> Result<(), Fault> {
    let job = proposal.job;
    let counting = platform.counting();
    let begun = consented::begin(platform, &job.to_string()).and_then(|opened| {
        let common_users = found.map(|(_, overlap)| overlap.common_users);
        let common_users = common_users.map(|users| u32::try_from(users).unwrap_or(u32::MAX));
        disclosing::may_begin(platform, &proposal, &peer, &opened, common_users)?;
        Ok(opened)
    });
    let begun = begun.map(|opened| platform.slot.begin(proposal, peer, opened));
    // What is refused may end the job, which counts.
    drop(counting);
    match begun {
        Ok(begun) => begun.map_err(|fault| fail(platform, job, fault)),
        Err(fault) => Err(refuse_to_begin(platform, job, fault)),
    }
}

/// A job that the approval or the rule in force no longer allows ends with the reason, whether it
/// has begun or not; one that is not to begin for another reason stays as it is.
fn refuse_to_begin(platform: &Arc<Platform>, job: JobId, fault: Fault) -> Fault {
    if matches!(fault.reason, Reason::BeyondConsent | Reason::Expired) {
        let peer_message = fault.clone().outward().advice();
        let (name, state) = (job.to_string(), JobState::Failed);
        platform.end_notifying(&name, state, &fault.advice(), &peer_message);
    }
    fault.at("job", job)
}

/// Our ids, in the form that the sizes ask for.
enum Begun {
    Ecdh((Masking, SocialAnswering)),
    Vole((vole::SocialStarting, Vec<u8>)),
}

/// One call of Align.
pub(crate) struct Exchange<'a> {
    pub(crate) platform: &'a Arc<Platform>,
    pub(crate) job: JobId,
    answers: mpsc::Sender<Result<AlignChunk, Status>>,
    meter: Meter,
    idle: Duration,
}

impl Exchange<'_> {
    async fn align(
        mut self,
        theirs: AlignOpening,
        first_bytes: u64,
        chunks: Streaming<AlignChunk>,
        found: Option<(Common, Overlap)>,
    ) -> Result<(), Fault> {
        let taken = self.platform.slot.take(theirs.job, false)?;
        let SocialJob::Approved = taken.stage else {
            let message = "the common users are known already";
            return Err(Fault::new(Reason::OutOfOrder, message));
        };
        self.meter = taken.meter;
        self.meter.received(first_bytes);
        let (platform, job, epoch) = (self.platform, theirs.job, taken.epoch);
        let work = async {
            match found {
                Some((common, overlap)) => self.find_again(theirs, common, overlap, epoch).await,
                None => self.intersect(theirs, chunks, epoch).await,
            }
        };
        let worked = unless_ended(taken.cancelled, work).await;
        worked.map_err(|fault| stale(platform, job, epoch, fault))
    }

    /// The common users of a job are found once: a P0 that begins again gets their digest, which
    /// it has seen, and compares no other ids. One that left with labels and without claims begins
    /// no more: [`Self::may_label`].
    async fn find_again(
        &self,
        theirs: AlignOpening,
        common: Common,
        overlap: Overlap,
        epoch: u64,
    ) -> Result<(), Fault> {
        let (platform, job) = (self.platform, theirs.job);
        let name = job.to_string();
        let (state, phase) = (JobState::Running, Phase::Alignment);
        platform.advance(
            &name,
            state,
            phase,
            "Beginning again with the same common users.",
        )?;
        if theirs.total != overlap.rating_users {
            let message = format!(
                "the rating platform now has {} users; the common ones of this job were found among {}",
                theirs.total, overlap.rating_users
            );
            return Err(Fault::new(Reason::Contradiction, message));
        }
        platform
            .slot
            .with(job, |running| running.overlap = Some(overlap))?;
        let ours = alignment::opening_again(job, &theirs.id_rule, &common, &overlap)?;
        self.send(ours.to_wire()).await?;
        platform.slot.leave(job, epoch, SocialJob::Aligned(common))
    }

    async fn intersect(
        &self,
        theirs: AlignOpening,
        mut chunks: Streaming<AlignChunk>,
        epoch: u64,
    ) -> Result<(), Fault> {
        let (platform, job) = (self.platform, theirs.job);
        let name = job.to_string();
        let (state, phase) = (JobState::Running, Phase::Alignment);
        platform.advance(&name, state, phase, "Finding the common users.")?;
        let files = platform.stocks.checkpoint(&name);
        blocking(move || alignment::never_labelled(&files)).await??;

        // Refused by what P0 announced, before anything is read; it can bring no more.
        let announced = Leaving::Intersection {
            ids: alignment::ids_asked(theirs.total),
        };
        disclosing::may_leave(platform, job, epoch, announced)?;
        // Every link is read for the ids, in a time of its own.
        let due = PublicTime::of("Align", job, answer_time(platform, job)?);
        let reading = async {
            let rule = platform.datasets.id_rule_for(&name)?;
            let links = platform.datasets.load(&name).await?;
            let ours = alignment::opening(job, links.users.len(), rule.name())?;
            let (psi, sizes) = alignment::agree(&theirs, &ours)?;
            Ok((links, ours, psi, sizes))
        };
        let read = due.hold(reading).await?;
        // From here on everything says something of our ids.
        let ((links, ours, psi, sizes), cleared) =
            disclosing::clear(platform, job, epoch, read, |(.., sizes)| {
                Leaving::Intersection {
                    ids: alignment::ids_asked(sizes.rating().into()),
                }
            })?;
        self.show(&cleared, ours.to_wire()).await?;
        let suspicions = links.report.reading.suspicions.clone();
        let begun = blocking(move || {
            let ids = links.users.names();
            match Form::of(sizes.rating().into()) {
                Form::Ecdh => social::begin(&psi, sizes, ids).map(Begun::Ecdh),
                Form::Vole => vole::social::begin(&psi, sizes, ids).map(Begun::Vole),
            }
        });
        let begun = begun.await?.map_err(psi_fault)?;

        let work = Work::of(sizes);
        let telling = |elements| {
            let share = work.add(elements);
            platform.notify_progress(&name, Phase::Alignment, share);
        };
        let common = match begun {
            Begun::Ecdh((masking, answering)) => {
                let (cleared, telling) = (&cleared, &telling);
                let send_points = |points: Vec<u8>| async move {
                    let elements = points.len() as u64 / 32;
                    self.show(cleared, align_chunk(Part::Points(points)))
                        .await?;
                    telling(elements);
                    Ok(())
                };
                let (sent, waiting) = tokio::try_join!(
                    alignment::send_masked(masking, send_points),
                    self.answer_masked(cleared, answering, &mut chunks, telling),
                )?;
                let waiting = self.receive_claims(waiting, &mut chunks).await?;
                blocking(move || waiting.finish(sent)).await?
            }
            Begun::Vole(begun) => {
                let vole = Vole {
                    exchange: self,
                    cleared: &cleared,
                    chunks: &mut chunks,
                    telling: &telling,
                };
                vole.find(begun).await?
            }
        };
        let common = common.map_err(psi_fault)?;

        let overlap = alignment::overlap(sizes, &common);
        platform
            .slot
            .with(job, |running| running.overlap = Some(overlap))?;
        let found = alignment::overlap_message(&overlap, overlap.social_users, &suspicions);
        platform.record_overlap(&name, overlap, found)?;
        if common.rows.is_empty() {
            return Err(alignment::nobody(&overlap));
        }
        // Kept before anything is made of them; with so few that the rule ends the job, nothing of
        // Y is even read.
        let files = platform.stocks.checkpoint(&name);
        let common = blocking(move || alignment::save(&files, &common, &overlap).map(|()| common));
        let common = common.await??;
        disclosing::may_go_on(platform, job)?;
        platform.slot.leave(job, epoch, SocialJob::Aligned(common))
    }

    /// Sends what depends on our ids.
    pub(crate) async fn show(&self, _: &Cleared, chunk: AlignChunk) -> Result<(), Fault> {
        self.send(chunk).await
    }

    async fn send(&self, chunk: AlignChunk) -> Result<(), Fault> {
        let bytes = chunk.wire_bytes();
        put(&self.answers, chunk, self.idle).await?;
        self.meter.sent(bytes);
        Ok(())
    }

    /// Asked before the first label leaves: a job's users are labelled in one call only. What is
    /// on disk then says so to each later one.
    pub(crate) async fn may_label(&self) -> Result<(), Fault> {
        let (platform, name) = (Arc::clone(self.platform), self.job.to_string());
        let marked = blocking(move || {
            // Of two calls at once one marks.
            let _counting = platform.counting();
            alignment::label_once(&platform.stocks.checkpoint(&name))
        });
        marked.await?
    }

    /// Labels P0's masked ids as they come.
    async fn answer_masked(
        &self,
        cleared: &Cleared,
        mut answering: SocialAnswering,
        chunks: &mut Streaming<AlignChunk>,
        telling: &impl Fn(u64),
    ) -> Result<SocialWaiting, Fault> {
        let mut marked = false;
        while !answering.is_complete() {
            let Part::Points(points) = self.part(chunks).await? else {
                return Err(out_of_place("points from the rating platform"));
            };
            let elements = points.len() as u64 / 32;
            // However slowly P0 sends them: what no longer is allowed is not answered.
            disclosing::may_go_on(self.platform, self.job)?;
            if !marked {
                self.may_label().await?;
                marked = true;
            }
            let labels;
            (answering, labels) = blocking(move || answering.answer(&points))
                .await?
                .map_err(psi_fault)?;
            self.show(cleared, align_chunk(Part::Labels(labels)))
                .await?;
            telling(2 * elements);
        }
        blocking(move || answering.finish())
            .await?
            .map_err(psi_fault)
    }

    async fn receive_claims(
        &self,
        mut waiting: SocialWaiting,
        chunks: &mut Streaming<AlignChunk>,
    ) -> Result<SocialWaiting, Fault> {
        while !waiting.is_complete() {
            let Part::Claims(claims) = self.part(chunks).await? else {
                return Err(out_of_place("claims after all masked ids"));
            };
            waiting = waiting.take_claims(&claims).map_err(psi_fault)?;
        }
        Ok(waiting)
    }

    pub(crate) async fn part(&self, chunks: &mut Streaming<AlignChunk>) -> Result<Part, Fault> {
        let chunk = next(chunks, self.idle).await?;
        self.meter.received(chunk.wire_bytes());
        align_part(chunk).map_err(|error| blamed(error.into(), None))
    }
}

/// By what was stated of the links and the users of the data set, all of whom are looked at.
fn answer_time(platform: &Platform, job: JobId) -> Result<Duration, Fault> {
    let dataset = platform
        .slot
        .with(job, |running| running.opened.dataset.clone())?;
    let own = platform.datasets.imported(&dataset)?.report.users as u64;
    let all = u32::try_from(own).unwrap_or(u32::MAX);
    platform
        .slot
        .with(job, |running| reading_time_of(running, own, all))
}

pub(crate) fn out_of_place(expected: &'static str) -> Fault {
    let error = WireError::Form {
        field: "part",
        expected,
    };
    blamed(error.into(), None)
}

/// Sends a message, which P0 has the idle time to make room for.
async fn put(
    answers: &mpsc::Sender<Result<AlignChunk, Status>>,
    chunk: AlignChunk,
    idle: Duration,
) -> Result<(), Fault> {
    let error = match timeout(idle, answers.send(Ok(chunk))).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(_)) => LinkError::Vanished {
            detail: "it stopped reading".into(),
        },
        Err(_) => LinkError::Idle { limit: idle },
    };
    Err(blamed(error, None))
}

/// The next message; any message begins the idle time anew.
async fn next(chunks: &mut Streaming<AlignChunk>, idle: Duration) -> Result<AlignChunk, Fault> {
    let chunk = match timeout(idle, chunks.message()).await {
        Ok(Ok(Some(chunk))) => return Ok(chunk),
        Ok(Ok(None)) => LinkError::Ended,
        Ok(Err(status)) => LinkError::from_status(&status),
        Err(_) => LinkError::Idle { limit: idle },
    };
    Err(blamed(chunk, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rating_platform_that_takes_no_messages_is_idle() {
        let (answers, mut receiver) = mpsc::channel(1);
        let idle = Duration::from_millis(30);
        let chunk = || align_chunk(Part::Labels(vec![1; 8]));
        assert_eq!(put(&answers, chunk(), idle).await, Ok(()));
        let waiting = timeout(Duration::from_secs(20), put(&answers, chunk(), idle));
        let fault = waiting.await.unwrap().unwrap_err();
        assert_eq!(fault.reason, Reason::PeerIdle);
        receiver.recv().await.unwrap().unwrap();
        assert_eq!(put(&answers, chunk(), idle).await, Ok(()));
    }
}
