//! A channel that misbehaves at a chosen frame. For tests: no service constructs one.

use std::time::Duration;

use s3rec_spmm::Frame;
use tonic::async_trait;

use crate::{Channel, LinkError};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfortune {
    /// The frame is lost.
    Drop,
    /// The frame comes late.
    Delay(Duration),
    /// The frame comes twice.
    Duplicate,
    /// One bit of the payload flips.
    Corrupt {
        /// Which; taken modulo the payload's bits. An empty payload gets a byte instead.
        bit: usize,
    },
    /// The last byte of the payload is missing.
    Truncate,
    /// The connection breaks.
    Kill,
}

/// A channel on which a misfortune befalls one of our outgoing frames.
pub struct Faulty<C> {
    inner: Option<C>,
    at: u32,
    misfortune: Misfortune,
    sent: u32,
}

impl<C> Faulty<C> {
    /// `misfortune` befalls frame `at` (from 0) that we send.
    pub fn new(inner: C, at: u32, misfortune: Misfortune) -> Self {
        Self {
            inner: Some(inner),
            at,
            misfortune,
            sent: 0,
        }
    }

    fn alive(&mut self) -> Result<&mut C, LinkError> {
        self.inner.as_mut().ok_or_else(|| LinkError::Vanished {
            detail: "killed by the test".into(),
        })
    }
}

#[async_trait]
impl<C: Channel> Channel for Faulty<C> {
    async fn send(&mut self, mut frame: Frame) -> Result<(), LinkError> {
        let now = self.sent == self.at;
        self.sent += 1;
        if !now {
            return self.alive()?.send(frame).await;
        }
        match self.misfortune {
            Misfortune::Drop => return Ok(()),
            Misfortune::Delay(delay) => tokio::time::sleep(delay).await,
            Misfortune::Duplicate => self.alive()?.send(frame.clone()).await?,
            Misfortune::Corrupt { bit } => {
                let bits = frame.payload.len() * 8;
                match bit.checked_rem(bits) {
                    Some(bit) => {
                        if let Some(byte) = frame.payload.get_mut(bit / 8) {
                            *byte ^= 1 << (bit % 8);
                        }
                    }
                    None => frame.payload.push(0),
                }
            }
            Misfortune::Truncate => drop(frame.payload.pop()),
            Misfortune::Kill => self.inner = None,
        }
        self.alive()?.send(frame).await
    }

    async fn receive(&mut self) -> Result<Frame, LinkError> {
        self.alive()?.receive().await
    }

    async fn gone(&mut self) {
        if let Some(inner) = self.inner.as_mut() {
            inner.gone().await;
        }
    }

    async fn finish(&mut self) -> Result<(), LinkError> {
        self.alive()?.finish().await
    }
}
