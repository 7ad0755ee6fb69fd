//! P0's side of finding the common users, by private set intersection.

use std::time::Duration;

use s3rec_data::RatingSet;
use s3rec_job::{JobEvent, JobId, JobState, Phase};
use s3rec_link::{LinkError, Meter};
use s3rec_node::alignment::{self, Common, Work, psi_fault};
use s3rec_psi::{Claims, Form, Masking, RatingMatching, rating, vole};
use s3rec_wire::WireError;
use s3rec_wire::convert::{align_chunk, align_opening, align_part};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::AlignChunk;
use s3rec_wire::v1::align_chunk::Part;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::align_vole;
use crate::connection::{PeerConnection, read};
use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::tables::DISCLOSURES;
use crate::{brought, ending};

/// Finds the common users, tells how many, and gives the ratings back with them.
///
/// Nobody in common is a result: the job's end is written here, before P1 is told, so that both
/// sides say the same.
pub(crate) async fn align(
    platform: &Platform,
    connection: &mut PeerConnection,
    job: JobId,
    ratings: RatingSet,
    ledger: &mut Ledger,
) -> Result<(RatingSet, Common), Fault> {
    let meter = ledger.offline.clone();
    let rule = &ledger.proposal.id_rule;
    let ours = alignment::opening(job, ratings.users.len(), rule)?;
    let (sender, receiver) = mpsc::channel(4);
    let idle = platform.idle_limit();
    send(&sender, ours.to_wire(), &meter, idle).await?;
    let answered = timeout(idle, connection.client.align(ReceiverStream::new(receiver))).await;
    let mut link = Link {
        answers: answered
            .map_err(|_| Fault::from(LinkError::Idle { limit: idle }))?
            .map_err(|status| read(&status))?
            .into_inner(),
        meter: meter.clone(),
        idle,
    };
    let first = link.next().await?.ok_or(LinkError::Ended)?;
    let theirs = align_opening(first).map_err(malformed)?;
    if let Some(digest) = theirs.common_digest {
        drop(sender);
        let common = found_before(platform, job, digest, &mut link, ledger).await?;
        return Ok((ratings, common));
    }
    let (psi, sizes) = alignment::agree(&ours, &theirs)?;
    // Before anything is made of our ids: P1 learns which of those that it brings are ours.
    brought::count(platform, &job.to_string(), sizes.social())?;

    let (ratings, begun) = blocking(move || {
        let ids = ratings.users.names();
        let begun = match Form::of(sizes.rating().into()) {
            Form::Ecdh => rating::begin(&psi, sizes, ids).map(|begun| Begun::Ecdh(Box::new(begun))),
            Form::Vole => {
                vole::rating::begin(&psi, sizes, ids).map(|begun| Begun::Vole(Box::new(begun)))
            }
        };
        (ratings, begun)
    })
    .await?;
    let telling = Telling {
        platform,
        job,
        work: Work::of(sizes),
        ledger: &*ledger,
    };
    let (common, claims) = match begun.map_err(psi_fault)? {
        Begun::Ecdh(begun) => {
            let (masking, matching) = *begun;
            let (sender, meter, telling) = (&sender, &meter, &telling);
            let send_points = |points: Vec<u8>| async move {
                let elements = points.len() as u64 / 32;
                send(sender, align_chunk(Part::Points(points)), meter, idle).await?;
                telling.progress(elements);
                Ok(())
            };
            let (sent, matching) = tokio::try_join!(
                alignment::send_masked(masking, send_points),
                receive(matching, &mut link, telling),
            )?;
            let found = blocking(move || matching.finish(sent)).await?;
            found.map_err(psi_fault)?
        }
        Begun::Vole(encoding) => align_vole::find(*encoding, &sender, &mut link, &telling).await?,
    };

    // Other users than before may be in common only if P1 brought other ids, a second guess.
    let files = platform.stocks.checkpoint(&job.to_string());
    let before = blocking(move || alignment::load(&files)).await??;
    same_users(before.map(|(common, _)| common), &common)?;

    let overlap = alignment::overlap(sizes, &common);
    let suspicions = &ratings.report.reading.suspicions;
    ledger.overlap = Some(overlap);
    platform
        .store
        .put(DISCLOSURES, &job.to_string(), &ledger.disclosure())?;
    platform.record(JobEvent {
        overlap: Some(overlap),
        phase_progress: 1.0,
        message: alignment::overlap_message(&overlap, overlap.rating_users, suspicions),
        ..event(job, ledger)
    })?;
    // Before P1 can know them: once it does, they are the job's, and found no second time.
    let files = platform.stocks.checkpoint(&job.to_string());
    let stored = blocking(move || alignment::save(&files, &common, &overlap).map(|()| common));
    let common = stored.await??;
    let nobody = common.rows.is_empty().then(|| alignment::nobody(&overlap));
    if let Some(nobody) = &nobody {
        ending::end_now(platform, job, nobody);
    }
    let sent = send_claims(&claims, sender, &mut link).await;
    match nobody {
        Some(nobody) => Err(nobody),
        None => sent.map(|()| (ratings, common)),
    }
}

/// Users that were found in common before stay the job's, in whichever order they are found now.
fn same_users(before: Option<Common>, now: &Common) -> Result<(), Fault> {
    let sorted = |rows: &[u32]| {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows
    };
    if before.is_none_or(|before| sorted(&before.rows) == sorted(&now.rows)) {
        return Ok(());
    }
    let message = "the social platform brought other users to this job before";
    Err(Fault::new(Reason::Contradiction, message))
}

/// P1 has found the job's common users before, with these ids: we have them still, or the job
/// cannot go on.
async fn found_before(
    platform: &Platform,
    job: JobId,
    digest: [u8; 32],
    link: &mut Link,
    ledger: &mut Ledger,
) -> Result<Common, Fault> {
    if link.next().await?.is_some() {
        return Err(LinkError::Surplus.into());
    }
    let files = platform.stocks.checkpoint(&job.to_string());
    let stored = blocking(move || alignment::load(&files)).await??;
    let stored = stored.filter(|(common, _)| common.digest == digest);
    let Some((common, overlap)) = stored else {
        let message = "the social platform has found this job's common users before, and this \
                       platform no longer has them";
        return Err(Fault::new(Reason::StateLost, message));
    };
    ledger.overlap = Some(overlap);
    platform.record(JobEvent {
        overlap: Some(overlap),
        phase_progress: 1.0,
        message: format!(
            "Going on with the {} common users found before.",
            overlap.common_users
        ),
        ..event(job, ledger)
    })?;
    Ok(common)
}

/// Takes P1's masked ids and labels until all are here.
async fn receive(
    mut matching: RatingMatching,
    link: &mut Link,
    telling: &Telling<'_>,
) -> Result<RatingMatching, Fault> {
    while !matching.is_complete() {
        let part = link.part().await?;
        let before = matching.received();
        let taken = match part {
            Part::Points(bytes) => blocking(move || matching.take_points(&bytes)).await?,
            Part::Labels(bytes) => matching.take_labels(&bytes),
            _ => return Err(out_of_place("points or labels from the social platform")),
        };
        matching = taken.map_err(psi_fault)?;
        let after = matching.received();
        telling.progress(after.0 - before.0 + after.1 - before.1);
    }
    Ok(matching)
}

/// Tells P1 which users are common, and waits until it has checked that.
async fn send_claims(
    claims: &Claims,
    sender: mpsc::Sender<AlignChunk>,
    link: &mut Link,
) -> Result<(), Fault> {
    for chunk in claims.chunks() {
        let chunk = align_chunk(Part::Claims(chunk.to_vec()));
        send(&sender, chunk, &link.meter, link.idle).await?;
    }
    // Dropping the sender here ends our side of the stream.
    drop(sender);
    match link.next().await? {
        None => Ok(()),
        Some(_) => Err(LinkError::Surplus.into()),
    }
}

/// Sends a message, which P1 has the idle time to make room for.
pub(crate) async fn send(
    sender: &mpsc::Sender<AlignChunk>,
    chunk: AlignChunk,
    meter: &Meter,
    idle: Duration,
) -> Result<(), Fault> {
    let bytes = chunk.wire_bytes();
    match timeout(idle, sender.send(chunk)).await {
        Ok(Ok(())) => meter.sent(bytes),
        // A receiver that is gone: the reason comes with the answers.
        Ok(Err(_)) => {}
        Err(_) => return Err(LinkError::Idle { limit: idle }.into()),
    }
    Ok(())
}

/// Our ids, in the form that the sizes ask for.
enum Begun {
    Ecdh(Box<(Masking, RatingMatching)>),
    Vole(Box<vole::RatingEncoding>),
}

/// P1's side of the stream.
pub(crate) struct Link {
    answers: Streaming<AlignChunk>,
    pub(crate) meter: Meter,
    pub(crate) idle: Duration,
}

impl Link {
    /// The next message; any message begins the idle time anew.
    async fn next(&mut self) -> Result<Option<AlignChunk>, Fault> {
        match timeout(self.idle, self.answers.message()).await {
            Ok(Ok(chunk)) => {
                if let Some(chunk) = &chunk {
                    self.meter.received(chunk.wire_bytes());
                }
                Ok(chunk)
            }
            Ok(Err(status)) => Err(read(&status)),
            Err(_) => Err(LinkError::Idle { limit: self.idle }.into()),
        }
    }

    /// The next message, which must be there.
    pub(crate) async fn part(&mut self) -> Result<Part, Fault> {
        let chunk = self.next().await?.ok_or(LinkError::Ended)?;
        align_part(chunk).map_err(malformed)
    }
}

/// Word of the progress to whoever watches.
pub(crate) struct Telling<'a> {
    platform: &'a Platform,
    job: JobId,
    work: Work,
    ledger: &'a Ledger,
}

impl Telling<'_> {
    pub(crate) fn progress(&self, elements: u64) {
        let share = self.work.add(elements);
        self.platform.journal.notify(JobEvent {
            phase_progress: share,
            message: "Finding the common users.".into(),
            ..event(self.job, self.ledger)
        });
    }
}

fn event(job: JobId, ledger: &Ledger) -> JobEvent {
    JobEvent {
        job: job.to_string(),
        state: JobState::Running,
        phase: Some(Phase::Alignment),
        rounds: ledger.proposal.rounds,
        phase_cost: Some(ledger.offline_cost()),
        ..JobEvent::default()
    }
}

pub(crate) fn out_of_place(expected: &'static str) -> Fault {
    let field = "part";
    malformed(WireError::Form { field, expected })
}

fn malformed(error: WireError) -> Fault {
    LinkError::Malformed(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_peer_that_takes_no_messages_is_idle() {
        let (sender, mut receiver) = mpsc::channel(1);
        let (meter, idle) = (Meter::default(), Duration::from_millis(30));
        let chunk = || align_chunk(Part::Points(vec![1; 32]));
        assert_eq!(send(&sender, chunk(), &meter, idle).await, Ok(()));
        let waiting = timeout(
            Duration::from_secs(20),
            send(&sender, chunk(), &meter, idle),
        );
        let fault = waiting.await.unwrap().unwrap_err();
        assert_eq!(fault.reason, Reason::PeerIdle);
        receiver.recv().await.unwrap();
        assert_eq!(send(&sender, chunk(), &meter, idle).await, Ok(()));
    }

    #[test]
    fn a_job_has_the_users_in_common_that_were_found_first() {
        let common = |rows: &[u32], digest| Common {
            rows: rows.to_vec(),
            digest: [digest; 32],
        };
        let now = common(&[4, 2, 9], 1);
        assert_eq!(same_users(None, &now), Ok(()));
        // The order is drawn anew each time.
        assert_eq!(same_users(Some(common(&[9, 4, 2], 2)), &now), Ok(()));
        for others in [&[4, 2][..], &[4, 2, 8], &[4, 2, 9, 1]] {
            let refused = same_users(Some(common(others, 1)), &now);
            assert_eq!(refused.unwrap_err().reason, Reason::Contradiction);
        }
    }
}
