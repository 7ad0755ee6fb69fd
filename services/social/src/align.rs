//! P1's side of finding the common users.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use s3rec_data::LinkSet;
use s3rec_link::{LinkError, Meter};
use s3rec_node::alignment::{Hashed, Received};
use s3rec_wire::convert::{JobId, half_of};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::{AlignChunk, JobState, Phase};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use crate::imports::{self, blocking};
use crate::peer::{blamed, fail};
use crate::platform::Platform;
use crate::session::Stage;

pub(crate) type AlignStream = Pin<Box<dyn Stream<Item = Result<AlignChunk, Status>> + Send>>;

type Answers = mpsc::Sender<Result<AlignChunk, Status>>;

/// Begins the job: checks consent, takes the place of the running job, and answers with hashes.
pub(crate) async fn answer(
    platform: &Arc<Platform>,
    mut chunks: Streaming<AlignChunk>,
    peer: String,
) -> Result<AlignStream, Fault> {
    let idle = platform.idle_limit();
    let first = next(&mut chunks, idle).await?;
    let job = JobId::parse("job_id", &first.job_id)?;
    let name = job.to_string();
    let proposal = platform.proposal(&name)?;
    match platform.state(&name) {
        JobState::Approved => {}
        JobState::Proposed => {
            let message = "the social platform's operator has not decided yet";
            return Err(Fault::new(Reason::NotApproved, message).at("job", job));
        }
        state => {
            let message = format!("the job is {}", state.as_str_name());
            return Err(Fault::new(Reason::WrongState, message).at("job", job));
        }
    }
    platform.slot.begin(proposal, peer)?;
    let (sender, receiver) = mpsc::channel(4);
    let platform = Arc::clone(platform);
    tokio::spawn(async move {
        if let Err(fault) = align(&platform, job, first, chunks, &sender).await {
            let fault = fail(&platform, job, fault);
            // A caller that is gone needs no reason.
            let _ = sender.send(Err(fault.into_status())).await;
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

async fn align(
    platform: &Arc<Platform>,
    job: JobId,
    first: AlignChunk,
    chunks: Streaming<AlignChunk>,
    answers: &Answers,
) -> Result<(), Fault> {
    let name = job.to_string();
    let taken = platform.slot.take(job, false)?;
    let Stage::Approved = taken.stage else {
        return Err(Fault::new(
            Reason::OutOfOrder,
            "the common users are known already",
        ));
    };
    let meter = taken.meter;
    meter.received(first.wire_bytes());
    platform.advance(
        &name,
        JobState::Running,
        Phase::Alignment,
        "Finding the common users.",
    )?;

    let rating_half = half_of("key_half", &first.key_half)?;
    let received = Received::expecting(first.total)?;
    let mut social_half = [0; 32];
    getrandom::fill(&mut social_half)
        .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;

    let dataset = platform.consent(&name)?.dataset;
    let links = imports::load(platform, &dataset).await?;
    let (links, hashed) = blocking(move || {
        let hashed = Hashed::new(&rating_half, &social_half, links.users.names());
        (links, hashed)
    })
    .await?;
    send(answers, &meter, opening(&name, social_half, &links)).await?;

    let hashed = Arc::new(hashed);
    let sending = send_hashes(Arc::clone(&hashed), answers, &meter);
    let receiving = receive_hashes(chunks, received, &meter, platform.idle_limit());
    let ((), received) = tokio::try_join!(sending, receiving)?;

    let common = blocking(move || hashed.intersect(&received)).await?;
    if common.rows.is_empty() {
        let message = "the platforms have no user in common";
        return Err(Fault::new(Reason::NoCommonUsers, message));
    }
    platform.slot.leave(job, Stage::Aligned(common))
}

fn opening(job: &str, social_half: [u8; 32], links: &LinkSet) -> AlignChunk {
    AlignChunk {
        job_id: job.into(),
        key_half: social_half.to_vec(),
        total: links.users.len() as u64,
        hashes: Vec::new(),
    }
}

async fn send_hashes(hashed: Arc<Hashed>, answers: &Answers, meter: &Meter) -> Result<(), Fault> {
    for chunk in hashed.chunks() {
        send(answers, meter, chunk).await?;
    }
    Ok(())
}

async fn send(answers: &Answers, meter: &Meter, chunk: AlignChunk) -> Result<(), Fault> {
    let bytes = chunk.wire_bytes();
    answers.send(Ok(chunk)).await.map_err(|_| {
        let detail = "it stopped reading".into();
        blamed(LinkError::Vanished { detail }, None)
    })?;
    meter.sent(bytes);
    Ok(())
}

async fn receive_hashes(
    mut chunks: Streaming<AlignChunk>,
    mut received: Received,
    meter: &Meter,
    idle: Duration,
) -> Result<Received, Fault> {
    while !received.is_complete() {
        let chunk = next(&mut chunks, idle).await?;
        meter.received(chunk.wire_bytes());
        received
            .take(&chunk)
            .map_err(|error| blamed(error.into(), None))?;
    }
    Ok(received)
}

async fn next(chunks: &mut Streaming<AlignChunk>, idle: Duration) -> Result<AlignChunk, Fault> {
    let chunk = match timeout(idle, chunks.message()).await {
        Ok(Ok(Some(chunk))) => return Ok(chunk),
        Ok(Ok(None)) => LinkError::Ended,
        Ok(Err(status)) => LinkError::from_status(&status),
        Err(_) => LinkError::Idle { limit: idle },
    };
    Err(blamed(chunk, None))
}

/// The subgraph of the common users, in their order.
pub(crate) fn common_links(
    links: &LinkSet,
    rows: &[u32],
) -> Result<s3rec_sparse::SocialMatrix, s3rec_sparse::SparseError> {
    let mut place = vec![None; links.users.len()];
    for (index, row) in (0_u32..).zip(rows) {
        if let Some(place) = place.get_mut(*row as usize) {
            *place = Some(index);
        }
    }
    let at = |user: u32| place.get(user as usize).copied().flatten();
    let common = links
        .links
        .iter()
        .filter_map(|(truster, trustee)| Some((at(*truster)?, at(*trustee)?)));
    s3rec_sparse::SocialMatrix::from_links(rows.len(), common)
}
