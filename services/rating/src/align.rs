//! P0's side of finding the common users.

use std::sync::Arc;
use std::time::Duration;

use s3rec_data::RatingSet;
use s3rec_link::{LinkError, Meter};
use s3rec_node::alignment::{Common, Hashed, Received};
use s3rec_wire::WireError;
use s3rec_wire::convert::{JobId, half_of};
use s3rec_wire::record::Record;
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1::AlignChunk;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use crate::imports::blocking;
use crate::platform::Platform;
use crate::session::{Session, read};

/// Exchanges hashes; gives the ratings back with the common users.
pub(crate) async fn align(
    platform: &Platform,
    session: &mut Session,
    job: JobId,
    ratings: RatingSet,
    meter: &Meter,
) -> Result<(RatingSet, Common), Fault> {
    let idle = platform.idle_limit();
    let mut rating_half = [0; 32];
    getrandom::fill(&mut rating_half)
        .map_err(|_| Fault::new(Reason::Bug, "the system gives no entropy"))?;
    let (sender, receiver) = mpsc::channel(4);
    let first = AlignChunk {
        job_id: job.to_string(),
        key_half: rating_half.to_vec(),
        total: ratings.users.len() as u64,
        hashes: Vec::new(),
    };
    send(&sender, first, meter).await?;
    let answered = timeout(idle, session.client.align(ReceiverStream::new(receiver))).await;
    let mut answers = answered
        .map_err(|_| Fault::from(LinkError::Idle { limit: idle }))?
        .map_err(|status| read(&status))?
        .into_inner();
    let first = next(&mut answers, meter, idle)
        .await?
        .ok_or(LinkError::Ended)?;
    if first.job_id != job.to_string() || !first.hashes.is_empty() {
        return Err(malformed(WireError::Contradiction { field: "job_id" }));
    }
    let social_half = half_of("key_half", &first.key_half).map_err(malformed)?;
    let mut received = Received::expecting(first.total).map_err(malformed)?;

    let (ratings, hashed) = blocking(move || {
        let hashed = Hashed::new(&rating_half, &social_half, ratings.users.names());
        (ratings, hashed)
    })
    .await?;
    let hashed = Arc::new(hashed);
    let sending = {
        let (hashed, meter) = (Arc::clone(&hashed), meter.clone());
        async move {
            for chunk in hashed.chunks() {
                send(&sender, chunk, &meter).await?;
            }
            // Dropping the sender here ends our side of the stream.
            drop(sender);
            Ok::<(), Fault>(())
        }
    };
    let receiving = async {
        while let Some(chunk) = next(&mut answers, meter, idle).await? {
            received.take(&chunk).map_err(malformed)?;
        }
        Ok::<(), Fault>(())
    };
    tokio::try_join!(sending, receiving)?;
    if !received.is_complete() {
        return Err(LinkError::Ended.into());
    }
    let common = blocking(move || hashed.intersect(&received)).await?;
    if common.rows.is_empty() {
        let message = "the platforms have no user in common";
        return Err(Fault::new(Reason::NoCommonUsers, message));
    }
    Ok((ratings, common))
}

async fn send(
    sender: &mpsc::Sender<AlignChunk>,
    chunk: AlignChunk,
    meter: &Meter,
) -> Result<(), Fault> {
    let bytes = chunk.wire_bytes();
    // A receiver that is gone: the reason comes with the answers.
    if sender.send(chunk).await.is_ok() {
        meter.sent(bytes);
    }
    Ok(())
}

async fn next(
    answers: &mut Streaming<AlignChunk>,
    meter: &Meter,
    idle: Duration,
) -> Result<Option<AlignChunk>, Fault> {
    match timeout(idle, answers.message()).await {
        Ok(Ok(chunk)) => {
            if let Some(chunk) = &chunk {
                meter.received(chunk.wire_bytes());
            }
            Ok(chunk)
        }
        Ok(Err(status)) => Err(read(&status)),
        Err(_) => Err(LinkError::Idle { limit: idle }.into()),
    }
}

fn malformed(error: WireError) -> Fault {
    LinkError::Malformed(error).into()
}
