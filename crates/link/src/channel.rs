//! What moves frames.

use s3rec_spmm::Frame;
use tonic::async_trait;

use crate::LinkError;

/// Ordered, reliable frames to and from the peer, for one exchange.
///
/// Waiting ends with [`LinkError::Idle`] only after the idle limit without any progress; every
/// frame that moves starts it anew.
#[async_trait]
pub trait Channel: Send {
    /// Hands a frame over; waits while the channel's few buffers are full.
    ///
    /// # Errors
    /// [`LinkError`] with the peer's reason where it gave one.
    async fn send(&mut self, frame: Frame) -> Result<(), LinkError>;

    /// The peer's next frame.
    ///
    /// # Errors
    /// [`LinkError::Ended`] when the peer says it has sent all, and every failure.
    async fn receive(&mut self) -> Result<Frame, LinkError>;

    /// Waits until the peer is known to be gone; for use beside long computations.
    async fn gone(&mut self);

    /// Says that nothing more will be sent and waits until the peer has said so too.
    ///
    /// # Errors
    /// The peer's failure, or [`LinkError::Surplus`] when it sends on.
    async fn finish(&mut self) -> Result<(), LinkError>;
}

#[async_trait]
impl<C: Channel + ?Sized> Channel for Box<C> {
    async fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        (**self).send(frame).await
    }

    async fn receive(&mut self) -> Result<Frame, LinkError> {
        (**self).receive().await
    }

    async fn gone(&mut self) {
        (**self).gone().await;
    }

    async fn finish(&mut self) -> Result<(), LinkError> {
        (**self).finish().await
    }
}
