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
