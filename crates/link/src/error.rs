//! How a channel fails, and what to report.

use std::error::Error as _;
use std::time::Duration;

use s3rec_wire::WireError;
use s3rec_wire::status::{Fault, Reason};
use tonic::{Code, Status};

/// Why a channel ended before its time.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// The connection broke or the peer stopped answering.
    #[error("the connection to the other platform broke ({detail})")]
    Vanished {
        /// What the transport said.
        detail: String,
    },
    /// No connection came about.
    #[error("the other platform does not answer ({detail})")]
    Unreachable {
        /// What the transport said.
        detail: String,
    },
    /// The other side refused our certificate, or we its.
    #[error("the other platform ended TLS ({detail})")]
    Tls {
        /// What TLS said.
        detail: String,
    },
    /// Connected, but nothing moved for the idle limit.
    #[error("the other platform sent nothing for {} s", .limit.as_secs())]
    Idle {
        /// The limit.
        limit: Duration,
    },
    /// The peer ended its side although frames were due.
    #[error("the other platform ended the exchange although frames were due")]
    Ended,
    /// The peer sent frames after its last.
    #[error("the other platform sent on after the exchange had ended")]
    Surplus,
    /// The peer refused, with its reason.
    #[error("{}", .0.message)]
    Refused(Box<Fault>),
    /// The peer's message does not mean anything.
    #[error("the other platform sent a malformed message: {0}")]
    Malformed(#[from] WireError),
    /// The peer's message is larger than allowed, or does not decode.
    #[error("the other platform sent a message that is too large or does not decode ({detail})")]
    Undecodable {
        /// What the decoder said.
        detail: String,
    },
}

impl LinkError {
    /// Reads how a call or stream ended.
    #[must_use]
    pub fn from_status(status: &Status) -> Self {
        if let Some(fault) = Fault::from_status(status) {
            return Self::Refused(Box::new(fault));
        }
        let detail = describe(status);
        match status.code() {
            // tonic's own words for a message above our limit or one that does not decode.
            Code::OutOfRange | Code::ResourceExhausted | Code::Internal
                if detail.contains("message") =>
            {
                Self::Undecodable { detail }
            }
            Code::Unimplemented => Self::Refused(Box::new(Fault::new(
                Reason::VersionMismatch,
                "the other platform does not know this call",
            ))),
            _ if detail.contains("fatal alert") || detail.contains("certificate") => {
                Self::Tls { detail }
            }
            // The words of our own connector and of hyper's.
            _ if detail.contains("nobody answers")
                || detail.contains("error trying to connect") =>
            {
                Self::Unreachable { detail }
            }
            _ => Self::Vanished { detail },
        }
    }

    /// Whether the peer, rather than the link or we, is to blame.
    #[must_use]
    pub fn blames_peer(&self) -> bool {
        matches!(
            self,
            Self::Surplus | Self::Malformed(_) | Self::Undecodable { .. } | Self::Ended
        )
    }
}

/// The status and everything beneath it: the outermost message rarely says why.
fn describe(status: &Status) -> String {
    let mut parts = vec![status.message().to_owned()];
    let mut source = status.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !text.is_empty() && parts.last() != Some(&text) {
            parts.push(text);
        }
        source = error.source();
    }
    parts.retain(|part| !part.is_empty());
    parts.join(": ")
}

impl From<LinkError> for Fault {
    fn from(error: LinkError) -> Self {
        let reason = match &error {
            LinkError::Refused(fault) => return (**fault).clone(),
            LinkError::Vanished { .. } | LinkError::Ended => Reason::PeerVanished,
            LinkError::Unreachable { .. } => Reason::Unreachable,
            LinkError::Tls { .. } => Reason::TlsFailed,
            LinkError::Idle { .. } => Reason::PeerIdle,
            LinkError::Surplus | LinkError::Malformed(_) | LinkError::Undecodable { .. } => {
                Reason::PeerMalformed
            }
        };
        Self::new(reason, error.to_string())
    }
}
