//! Both ends of a channel inside one process, bounded like the real one.

use std::time::Duration;

use s3rec_spmm::Frame;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tonic::async_trait;

use crate::{Channel, LinkError};

/// Frames in flight each way: enough to overlap computing and sending.
const BUFFERED_FRAMES: usize = 4;

/// One end.
pub struct MemoryChannel {
    outgoing: Option<mpsc::Sender<Frame>>,
    incoming: mpsc::Receiver<Frame>,
    idle_limit: Duration,
}

/// Two connected ends.
#[must_use]
pub fn pair(idle_limit: Duration) -> (MemoryChannel, MemoryChannel) {
    let (to_right, from_left) = mpsc::channel(BUFFERED_FRAMES);
    let (to_left, from_right) = mpsc::channel(BUFFERED_FRAMES);
    let end = |outgoing, incoming| MemoryChannel {
        outgoing: Some(outgoing),
        incoming,
        idle_limit,
    };
    (end(to_right, from_right), end(to_left, from_left))
}

impl MemoryChannel {
    fn vanished() -> LinkError {
        LinkError::Vanished {
            detail: "the other end was dropped".into(),
        }
    }

    fn idle(&self) -> LinkError {
        LinkError::Idle {
            limit: self.idle_limit,
        }
    }
}

#[async_trait]
impl Channel for MemoryChannel {
    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        let outgoing = self.outgoing.as_ref().ok_or(LinkError::Ended)?;
        match timeout(self.idle_limit, outgoing.send(frame)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Self::vanished()),
            Err(_) => Err(self.idle()),
        }
    }

    async fn receive(&mut self) -> Result<Frame, LinkError> {
        match timeout(self.idle_limit, self.incoming.recv()).await {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => Err(LinkError::Ended),
            Err(_) => Err(self.idle()),
        }
    }

    async fn gone(&mut self) {
        match &self.outgoing {
            Some(outgoing) => outgoing.closed().await,
            None => std::future::pending().await,
        }
    }

    async fn finish(&mut self) -> Result<(), LinkError> {
        self.outgoing = None;
        match timeout(self.idle_limit, self.incoming.recv()).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(LinkError::Surplus),
            Err(_) => Err(self.idle()),
        }
    }
}
