//! Ctrl-C, SIGTERM and SIGHUP as an ordinary end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// The signals that ask us to stop. While this exists none of them ends the process by itself.
pub(crate) struct Interrupts([Signal; 3]);

impl Interrupts {
    /// Starts listening.
    ///
    /// # Errors
    /// [`Failure::File`] when the system does not let us.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::at("signal handling"));
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    /// Ends with the first of them.
    pub(crate) async fn received(&mut self) -> Failure {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        Failure::Interrupted
    }
}
