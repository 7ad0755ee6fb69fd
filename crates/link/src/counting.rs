//! Counts what crosses a channel, as encoded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use s3rec_spmm::Frame;
use s3rec_wire::convert::frame_bytes;
use tonic::async_trait;

use crate::{Channel, LinkError};

/// Bytes of messages each way, and messages both ways. Without what gRPC, HTTP/2 and TLS add:
/// five bytes a message and about half a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Bytes that this side sent.
    pub sent_bytes: u64,
    /// Bytes that this side received.
    pub received_bytes: u64,
    /// Messages both ways.
    pub messages: u64,
}

/// A counter that several channels and calls add to.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Cells>);

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From us.
    Sent,
    /// To us.
    Received,
}

#[derive(Debug, Default)]
struct Cells {
    observer: OnceLock<fn(Direction, u64)>,
    sent_bytes: AtomicU64,
    received_bytes: AtomicU64,
    messages: AtomicU64,
}

impl Meter {
    /// A counter that also notifies `observer` of every message.
    #[must_use]
    pub fn observed_by(observer: fn(Direction, u64)) -> Self {
        let meter = Self::default();
        // Set once: the meter is new.
        let _ = meter.0.observer.set(observer);
        meter
    }

    /// This counter, going on from what was counted before; of that nobody is notified again.
    #[must_use]
    pub fn starting_at(self, count: Count) -> Self {
        self.0.sent_bytes.store(count.sent_bytes, Ordering::Relaxed);
        self.0
            .received_bytes
            .store(count.received_bytes, Ordering::Relaxed);
        self.0.messages.store(count.messages, Ordering::Relaxed);
        self
    }

    fn notify(&self, direction: Direction, bytes: u64) {
        self.0.messages.fetch_add(1, Ordering::Relaxed);
        if let Some(observer) = self.0.observer.get() {
            observer(direction, bytes);
        }
    }

    /// Adds a message sent.
    pub fn sent(&self, bytes: u64) {
        self.0.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.notify(Direction::Sent, bytes);
    }

    /// Adds a message received.
    pub fn received(&self, bytes: u64) {
        self.0.received_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.notify(Direction::Received, bytes);
    }

    /// The counts so far.
    #[must_use]
    pub fn count(&self) -> Count {
        Count {
            sent_bytes: self.0.sent_bytes.load(Ordering::Relaxed),
            received_bytes: self.0.received_bytes.load(Ordering::Relaxed),
            messages: self.0.messages.load(Ordering::Relaxed),
        }
    }
}

/// A channel whose frames are counted. Headers are counted by whoever exchanges them.
pub struct Counting<C> {
    inner: C,
    meter: Meter,
}

impl<C> Counting<C> {
    /// Counts `inner` into `meter`.
    pub fn new(inner: C, meter: Meter) -> Self {
        Self { inner, meter }
    }

    /// The channel itself.
    pub fn into_inner(self) -> C {
        self.inner
    }
}

#[async_trait]
impl<C: Channel> Channel for Counting<C> {
    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        let bytes = frame_bytes(&frame);
        self.inner.send(frame).await?;
        self.meter.sent(bytes);
        Ok(())
    }

    async fn receive(&mut self) -> Result<Frame, LinkError> {
        let frame = self.inner.receive().await?;
        self.meter.received(frame_bytes(&frame));
        Ok(frame)
    }

    async fn gone(&mut self) {
        self.inner.gone().await;
    }

    async fn finish(&mut self) -> Result<(), LinkError> {
        self.inner.finish().await
    }
}
