//! Messages that have begun must go on: whoever trickles bytes is cut off, whoever has nothing
//! to say between messages is left alone (what waits for the next one has its own limit).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use prost::bytes::{Buf, Bytes};
use s3rec_wire::status::{Fault, Reason};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

/// What a message that has begun must bring within the limit.
const PROGRESS_BYTES: usize = 16 << 10;

/// A call's first message may take this many times as long: it can need computing.
const FIRST_WITHIN: u32 = 4;

/// Before each message of gRPC: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// A request's body whose messages make progress.
pub(super) struct Progressing<B> {
    body: B,
    stall: Duration,
    message: Message,
    /// Armed while a message is awaited that has begun.
    deadline: Option<Pin<Box<Sleep>>>,
    since_progress: usize,
}

/// Where in a message the bytes are.
enum Message {
    /// The first must begin soon: nobody calls to say nothing.
    First,
    /// Between two.
    None,
    /// Within the prefix.
    Prefix([u8; PREFIX_BYTES], usize),
    /// This many bytes are missing.
    Payload(usize),
}

impl<B> Progressing<B> {
    pub(super) fn new(body: B, stall: Duration) -> Self {
        Self {
            body,
            stall,
            message: Message::First,
            deadline: None,
            since_progress: 0,
        }
    }

    /// Follows the messages' lengths.
    fn count(&mut self, mut bytes: &[u8]) {
        if matches!(self.message, Message::First) && !bytes.is_empty() {
            // A message that has begun has its own time.
            self.deadline = None;
        }
        self.since_progress += bytes.len();
        let mut ended = false;
        while let Some((first, rest)) = bytes.split_first() {
            self.message = match self.message {
                Message::First | Message::None => {
                    bytes = rest;
                    let mut prefix = [0; PREFIX_BYTES];
                    prefix[0] = *first;
                    Message::Prefix(prefix, 1)
                }
                Message::Prefix(mut prefix, held) => {
                    bytes = rest;
                    if let Some(place) = prefix.get_mut(held) {
                        *place = *first;
                    }
                    if held + 1 < PREFIX_BYTES {
                        Message::Prefix(prefix, held + 1)
                    } else {
                        let [_, length @ ..] = prefix;
                        Message::Payload(u32::from_be_bytes(length) as usize)
                    }
                }
                Message::Payload(missing) => {
                    let taken = missing.min(bytes.len());
                    bytes = bytes.get(taken..).unwrap_or_default();
                    Message::Payload(missing - taken)
                }
            };
            if let Message::Payload(0) = self.message {
                self.message = Message::None;
                ended = true;
            }
        }
        if ended || self.since_progress >= PROGRESS_BYTES {
            self.deadline = None;
            self.since_progress = 0;
        }
    }

    fn stalled(&mut self, context: &mut Context<'_>) -> bool {
        if matches!(self.message, Message::None) {
            return false;
        }
        let stall = match self.message {
            Message::First => FIRST_WITHIN * self.stall,
            _ => self.stall,
        };
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + stall)));
        deadline.as_mut().poll(context).is_ready()
    }
}

impl<B> Body for Progressing<B>
where
    B: Body<Data = Bytes, Error = Status> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.count(data.chunk());
                }
            }
            Poll::Pending if this.stalled(context) => {
                let message = format!(
                    "a message brought less than {} KiB in {} s",
                    PROGRESS_BYTES >> 10,
                    this.stall.as_secs()
                );
                let fault = Fault::new(Reason::PeerIdle, message)
                    .remedied_by("Send whole messages, or raise limits.stall_seconds.");
                return Poll::Ready(Some(Err(fault.into_status())));
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, StreamBody};
    use tokio::sync::mpsc;
    use tokio_stream::StreamExt;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    /// Sends pieces, each after a pause in seconds; gives the bytes that arrived, or the refusal.
    async fn sent(pieces: Vec<(u64, Vec<u8>)>) -> Result<usize, Status> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            for (pause, piece) in pieces {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        });
        let pieces = ReceiverStream::new(receiver).map(|piece| Ok(Frame::data(Bytes::from(piece))));
        let body = Progressing::new(StreamBody::new(pieces), STALL);
        Ok(body.collect().await?.to_bytes().len())
    }

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.resize(PREFIX_BYTES + length as usize, 7);
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn silence_between_messages_is_left_alone() {
        let pieces = vec![(0, message(10)), (600, message(0)), (600, message(20))];
        assert_eq!(sent(pieces).await.unwrap(), 15 + 5 + 25);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_cut_off_and_a_slow_message_is_not() {
        let whole = message(1 << 20);
        let trickle = whole.iter().map(|byte| (1, vec![*byte])).collect();
        let refused = sent(trickle).await.unwrap_err();
        assert_eq!(
            Fault::from_status(&refused).unwrap().reason,
            Reason::PeerIdle
        );
        // 16 KiB every 20 s is slow, and goes on.
        let slow = whole.chunks(16 << 10).map(|piece| (20, piece.to_vec()));
        assert_eq!(sent(slow.collect()).await.unwrap(), whole.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_first_message_never_comes_is_cut_off() {
        assert!(sent(vec![(121, message(1))]).await.is_err());
        assert!(sent(vec![(119, message(1))]).await.is_ok());
        // Half a prefix is a message that has begun.
        assert!(
            sent(vec![(0, vec![0, 0]), (31, vec![0, 0, 0])])
                .await
                .is_err()
        );
    }
}
