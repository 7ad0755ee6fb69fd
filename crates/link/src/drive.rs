//! Runs one party's endpoint over a channel.

use s3rec_spmm::{Endpoint, Frame, SpmmError};
use s3rec_wire::status::{Fault, Reason};
use tokio::task::spawn_blocking;

use crate::{Channel, LinkError};

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The channel.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The protocol, by the peer's fault or ours.
    #[error(transparent)]
    Protocol(#[from] SpmmError),
    /// The computing thread panicked: a bug of ours.
    #[error("computing an exchange panicked")]
    Panicked,
}

impl From<DriveError> for Fault {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Link(error) => error.into(),
            DriveError::Protocol(SpmmError::Refused(why)) => match why.downcast::<Self>() {
                Ok(fault) => *fault,
                Err(why) => Self::new(Reason::BeyondConsent, why.to_string()),
            },
            DriveError::Protocol(error) => match &error {
                SpmmError::Storage(source) => Self::storage(error.to_string(), source.kind()),
                error if error.blames_peer() => Self::new(Reason::PeerMalformed, error.to_string()),
                error => Self::new(Reason::ParametersRefused, error.to_string()),
            },
            DriveError::Panicked => Self::new(Reason::Bug, error.to_string()),
        }
    }
}

/// Drives `endpoint` to its end and both ends of `channel` to theirs; gives the endpoint back
/// for its result. `moved` is told of every frame's payload bytes, sent or received.
///
/// All computing happens on threads that may block, never on the executor; a peer that
/// vanishes meanwhile is noticed at once.
///
/// # Errors
/// [`DriveError`]; the endpoint is spent then.
pub async fn drive<E, C>(
    mut endpoint: E,
    channel: &mut C,
    mut moved: impl FnMut(usize),
) -> Result<E, DriveError>
where
    E: Endpoint + 'static,
    C: Channel + ?Sized,
{
    loop {
        let produced;
        (endpoint, produced) = compute(endpoint, channel, Endpoint::poll_send).await?;
        match produced {
            Some(frame) => {
                let bytes = frame.payload.len();
                channel.send(frame).await?;
                moved(bytes);
            }
            None if endpoint.is_done() => break,
            None => {
                let frame: Frame = channel.receive().await?;
                let bytes = frame.payload.len();
                (endpoint, ()) = compute(endpoint, channel, |e| e.receive(frame)).await?;
                moved(bytes);
            }
        }
    }
    channel.finish().await?;
    Ok(endpoint)
}

async fn compute<E, C, T>(
    mut endpoint: E,
    channel: &mut C,
    step: impl FnOnce(&mut E) -> Result<T, SpmmError> + Send + 'static,
) -> Result<(E, T), DriveError>
where
    E: Endpoint + 'static,
    C: Channel + ?Sized,
    T: Send + 'static,
{
    let computed = spawn_blocking(move || step(&mut endpoint).map(|value| (endpoint, value)));
    tokio::select! {
        computed = computed => Ok(computed.map_err(|_| DriveError::Panicked)??),
        () = channel.gone() => Err(LinkError::Vanished {
            detail: "while computing".into(),
        }
        .into()),
    }
}
