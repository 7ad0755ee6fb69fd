//! The one dynamic seam between the typed protocols and whatever moves their frames.

use crate::{Frame, SpmmError, Step};

/// One party's side of one phase: a key setup, an offline block or one round.
///
/// A driver repeats: [`poll_send`](Endpoint::poll_send) until it gives nothing, then, unless
/// [`is_done`](Endpoint::is_done), hands the peer's next frame to
/// [`receive`](Endpoint::receive). Both calls may compute for a while and belong on a thread
/// that is allowed to block. After an error the endpoint is spent: every further call repeats
/// a refusal, and nothing more is sent.
pub trait Endpoint: Send {
    /// The next frame to send now; `None` when the peer must be heard first, or when done.
    ///
    /// # Errors
    /// Those of the computation behind the frame.
    fn poll_send(&mut self) -> Result<Option<Frame>, SpmmError>;

    /// Takes the peer's next frame; its step, place and length must be exactly those due.
    ///
    /// # Errors
    /// [`SpmmError::OutOfOrder`], [`SpmmError::WrongLength`] and what decoding reports. They
    /// blame the peer and depend on public sizes only, never on decrypted values.
    fn receive(&mut self, frame: Frame) -> Result<(), SpmmError>;

    /// The step that is due from the peer, for messages to people; `None` when nothing is.
    fn awaiting(&self) -> Option<Step>;

    /// True once everything was sent and received.
    fn is_done(&self) -> bool;
}

/// Remembers that an endpoint failed: nothing is sent or taken after that.
#[derive(Debug, Default)]
pub(crate) struct Fuse {
    blown_at: Option<Step>,
}

impl Fuse {
    /// Refuses to go on after a failure.
    pub(crate) fn check(&self) -> Result<(), SpmmError> {
        match self.blown_at {
            None => Ok(()),
            Some(step) => Err(SpmmError::Spent { step }),
        }
    }

    /// Passes `result` on, remembering a failure at `step`.
    pub(crate) fn guard<T>(
        &mut self,
        step: Step,
        result: Result<T, SpmmError>,
    ) -> Result<T, SpmmError> {
        if result.is_err() {
            self.blown_at = Some(step);
        }
        result
    }

    pub(crate) fn is_blown(&self) -> bool {
        self.blown_at.is_some()
    }
}
