//! One Exchange call as a channel, from the end of the caller, P0, or of the callee, P1.

use std::pin::Pin;
use std::time::Duration;

use s3rec_spmm::Frame;
use s3rec_wire::WireError;
use s3rec_wire::convert::{ChunkHeader, Direction, chunk_of_header, header_of};
use s3rec_wire::record::Record;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use s3rec_wire::v1::peer_client::PeerClient;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Channel as Transport;
use tonic::{Status, Streaming, async_trait};

use crate::{Channel, LinkError, Meter};

/// Chunks buffered each way before sending waits: 4 MiB.
const BUFFERED_CHUNKS: usize = 4;

/// How long a peer that stopped reading has to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What the callee's handler returns to tonic.
pub type AnswerStream = Pin<Box<dyn Stream<Item = Result<v1::ExchangeChunk, Status>> + Send>>;

/// One end of an Exchange call, after the headers.
pub struct GrpcChannel {
    outgoing: Option<Outgoing>,
    incoming: Streaming<v1::ExchangeChunk>,
    sent: Direction,
    received: Direction,
    idle_limit: Duration,
}

enum Outgoing {
    Caller(mpsc::Sender<v1::ExchangeChunk>),
    Callee(mpsc::Sender<Result<v1::ExchangeChunk, Status>>),
}

/// Calls Exchange and waits for the callee's header.
///
/// # Errors
/// [`LinkError`] as read from the failed call; [`LinkError::Malformed`] for another header.
pub async fn call(
    mut client: PeerClient<Transport>,
    header: &ChunkHeader,
    meter: &Meter,
    idle_limit: Duration,
) -> Result<GrpcChannel, LinkError> {
    let (sender, receiver) = mpsc::channel(BUFFERED_CHUNKS);
    let first = chunk_of_header(header);
    meter.sent(first.wire_bytes());
    // Neither waits nor fails: the buffer is empty and its receiver is here.
    let _ = sender.try_send(first);
    let answered = timeout(idle_limit, client.exchange(ReceiverStream::new(receiver))).await;
    let mut incoming = answered
        .map_err(|_| LinkError::Idle { limit: idle_limit })?
        .map_err(|status| LinkError::from_status(&status))?
        .into_inner();
    let first = next(&mut incoming, idle_limit)
        .await?
        .ok_or(LinkError::Ended)?;
    meter.received(first.wire_bytes());
    if header_of(&first)? != *header {
        return Err(WireError::Contradiction { field: "header" }.into());
    }
    Ok(GrpcChannel {
        outgoing: Some(Outgoing::Caller(sender)),
        incoming,
        sent: Direction::new(header, v1::Role::Rating),
        received: Direction::new(header, v1::Role::Social),
        idle_limit,
    })
}

/// Bytes of a header's message.
#[must_use]
pub fn header_bytes(header: &ChunkHeader) -> u64 {
    chunk_of_header(header).wire_bytes()
}

/// The header of an Exchange call that came in; its bytes are for the caller to count, in the
/// meter of the job that it names.
///
/// # Errors
/// [`LinkError::Malformed`] without a correct one, and every failure of the stream.
pub async fn read_header(
    incoming: &mut Streaming<v1::ExchangeChunk>,
    idle_limit: Duration,
) -> Result<ChunkHeader, LinkError> {
    let first = next(incoming, idle_limit).await?.ok_or(LinkError::Ended)?;
    Ok(header_of(&first)?)
}

/// Takes the call whose header was read: gives our end and what the handler answers.
#[must_use]
pub fn accept(
    incoming: Streaming<v1::ExchangeChunk>,
    header: &ChunkHeader,
    meter: &Meter,
    idle_limit: Duration,
) -> (GrpcChannel, AnswerStream) {
    let (sender, receiver) = mpsc::channel(BUFFERED_CHUNKS);
    let first = chunk_of_header(header);
    meter.sent(first.wire_bytes());
    // Neither waits nor fails: the buffer is empty and its receiver is here.
    let _ = sender.try_send(Ok(first));
    let channel = GrpcChannel {
        outgoing: Some(Outgoing::Callee(sender)),
        incoming,
        sent: Direction::new(header, v1::Role::Social),
        received: Direction::new(header, v1::Role::Rating),
        idle_limit,
    };
    (channel, Box::pin(ReceiverStream::new(receiver)))
}

async fn next(
    incoming: &mut Streaming<v1::ExchangeChunk>,
    idle_limit: Duration,
) -> Result<Option<v1::ExchangeChunk>, LinkError> {
    match timeout(idle_limit, incoming.next()).await {
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(Some(Err(status))) => Err(LinkError::from_status(&status)),
        Ok(None) => Ok(None),
        Err(_) => Err(LinkError::Idle { limit: idle_limit }),
    }
}

impl GrpcChannel {
    /// Ends the callee's answer with a reason instead of silence.
    pub async fn refuse(self, fault: Fault) {
        if let Some(Outgoing::Callee(answer)) = self.outgoing {
            // A caller that is gone needs no reason.
            let _ = timeout(LAST_WORDS, answer.send(Err(fault.outward().into_status()))).await;
        }
    }

    /// The peer no longer reads: its last words, if any, say why.
    async fn last_words(&mut self) -> LinkError {
        let words = timeout(LAST_WORDS, async {
            loop {
                match self.incoming.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(status)) => break LinkError::from_status(&status),
                    None => break LinkError::Ended,
                }
            }
        });
        words.await.unwrap_or_else(|_| LinkError::Vanished {
            detail: "it stopped reading".into(),
        })
    }
}

#[async_trait]
impl Channel for GrpcChannel {
    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        let chunk = self.sent.chunk_of(frame);
        let limit = self.idle_limit;
        let sent = match self.outgoing.as_ref().ok_or(LinkError::Ended)? {
            Outgoing::Caller(sender) => {
                let sent = timeout(limit, sender.send(chunk)).await;
                sent.map(|sent| sent.is_ok())
            }
            Outgoing::Callee(sender) => {
                let sent = timeout(limit, sender.send(Ok(chunk))).await;
                sent.map(|sent| sent.is_ok())
            }
        };
        match sent {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.last_words().await),
            Err(_) => Err(LinkError::Idle { limit }),
        }
    }

    async fn receive(&mut self) -> Result<Frame, LinkError> {
        let chunk = next(&mut self.incoming, self.idle_limit)
            .await?
            .ok_or(LinkError::Ended)?;
        Ok(self.received.frame_of(chunk)?)
    }

    async fn gone(&mut self) {
        match &self.outgoing {
            Some(Outgoing::Caller(sender)) => sender.closed().await,
            Some(Outgoing::Callee(sender)) => sender.closed().await,
            None => std::future::pending().await,
        }
    }

    async fn finish(&mut self) -> Result<(), LinkError> {
        // The caller's end of stream comes first; the callee's follows when it is dropped,
        // so that the caller has then seen the callee's success.
        if matches!(self.outgoing, Some(Outgoing::Caller(_))) {
            self.outgoing = None;
        }
        match next(&mut self.incoming, self.idle_limit).await? {
            None => Ok(()),
            Some(_) => Err(LinkError::Surplus),
        }
    }
}
