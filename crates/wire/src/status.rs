//! The one mapping of errors to gRPC: a stable reason, its code, its remedy, whether to retry.
//!
//! Crates report their own errors; a service chooses the [`Reason`] and hands over a
//! [`Fault`], which becomes a [`Status`] with google.rpc details. [`Fault::from_status`] reads
//! it back, on the other platform or in the command.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::WireError;

/// `ErrorInfo.domain` of everything we report.
pub const DOMAIN: &str = "s3rec";

macro_rules! reasons {
    ($($(#[$doc:meta])+ $variant:ident, $name:literal, $code:ident, $retry:expr, $remedy:literal;)+) => {
        /// Why something failed. Names are stable: programs may match on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason {
            $($(#[$doc])+ $variant,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in `ErrorInfo.reason`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The gRPC code.
            #[must_use]
            pub const fn code(self) -> Code {
                match self { $(Self::$variant => Code::$code,)+ }
            }

            /// When a retry can help: after how many seconds.
            #[must_use]
            pub const fn retry_seconds(self) -> Option<u64> {
                match self { $(Self::$variant => $retry,)+ }
            }

            /// What to do about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)+ }
            }
        }
    };
}

reasons! {
    /// A request that breaks the conversation's rules.
    InvalidRequest, "INVALID_REQUEST", InvalidArgument, None,
        "Correct the named field and send the request again.";
    /// A file that cannot be read as data.
    InvalidFile, "INVALID_FILE", InvalidArgument, None,
        "To fix it, correct the named line of the file, or its delimiter or header setting, and import it again; nothing was changed.";
    /// A file or product above a configured limit.
    LimitExceeded, "LIMIT_EXCEEDED", ResourceExhausted, None,
        "Use less data or raise the named limit in the configuration.";
    /// A job, data set, model or user that does not exist.
    NotFound, "NOT_FOUND", NotFound, None,
        "List what exists and use one of those names.";
    /// The other platform has not decided yet.
    NotApproved, "NOT_APPROVED", FailedPrecondition, None,
        "Ask the social platform's operator to approve the proposal (s3rec social review), or start with waiting for it (s3rec rating start --wait).";
    /// The other platform's operator declined.
    Rejected, "REJECTED", FailedPrecondition, None,
        "Read the reason given and propose anew on terms that the social platform accepts.";
    /// A call that the job's state does not allow.
    WrongState, "WRONG_STATE", FailedPrecondition, None,
        "Look at the job's state; a job that ended needs a new proposal.";
    /// A peer call out of the order of one job.
    OutOfOrder, "OUT_OF_ORDER", FailedPrecondition, None,
        "Both platforms should run the same version; start a new job.";
    /// The same job id with other content, or a value that contradicts what was agreed.
    Contradiction, "CONTRADICTION", FailedPrecondition, None,
        "Start a new job; if this repeats, both platforms should run the same version.";
    /// Both platforms count what was opened, and differ.
    LedgersDiffer, "LEDGERS_DIFFER", FailedPrecondition, None,
        "Compare both platforms' disclosures and audit logs; one of them has lost or changed its records.";
    /// A consent that has ended by itself.
    Expired, "EXPIRED", FailedPrecondition, None,
        "Propose the job anew; its proposal, or the consent to it, had an end that is past.";
    /// A signature that is missing, or over something else.
    NotSigned, "NOT_SIGNED", FailedPrecondition, None,
        "Compare the certificates that both platforms pin; propose the job anew.";
    /// More than was consented to.
    BeyondConsent, "BEYOND_CONSENT", FailedPrecondition, None,
        "Propose a job with the openings that are needed.";
    /// Parameters that the design's inequalities refuse.
    ParametersRefused, "PARAMETERS_REFUSED", FailedPrecondition, None,
        "Lower the rank or the number of rounds, or choose the operator normalized-laplacian; nothing of either side's data has moved.";
    /// A protocol, operator or policy that this version does not offer.
    Unsupported, "UNSUPPORTED", Unimplemented, None,
        "Choose a setting that this version offers.";
    /// An open job asks for the same.
    AlreadyProposed, "ALREADY_PROPOSED", AlreadyExists, None,
        "Watch the open job (s3rec rating watch), or cancel it; to have two of them, propose with --again.";
    /// Another job of this pair is running.
    Busy, "BUSY", ResourceExhausted, Some(10),
        "Wait until the running job has ended, or cancel it.";
    /// The certificate does not carry the role that the call needs.
    WrongRole, "WRONG_ROLE", PermissionDenied, None,
        "Use the certificate of the role that the message names.";
    /// The certificate is not the pinned one.
    WrongPin, "WRONG_PIN", PermissionDenied, None,
        "Compare the pins with the other platform over a trusted way, and set peer.pin to the right one.";
    /// The certificate was taken back by its authority.
    Revoked, "REVOKED", PermissionDenied, None,
        "Use the certificate that replaced it (s3rec pki rotate), or ask the authority for a new one.";
    /// The certificate has ended, or is not valid yet.
    NotInForce, "CERTIFICATE_NOT_IN_FORCE", PermissionDenied, None,
        "Use a certificate that is valid now (s3rec pki rotate makes the next one), and compare both machines' clocks.";
    /// No certificate was presented.
    NoCertificate, "NO_CERTIFICATE", Unauthenticated, None,
        "Connect with TLS and a certificate of the configured authority.";
    /// The TLS handshake failed.
    TlsFailed, "TLS_FAILED", PermissionDenied, None,
        "Check that both sides use certificates of the authority that the other believes (tls.ca), unexpired, for the host name in use.";
    /// Nobody answers.
    Unreachable, "UNREACHABLE", Unavailable, Some(5),
        "Check the address, and that the other daemon is running and reachable through the firewall.";
    /// The peer was there and is gone.
    PeerVanished, "PEER_VANISHED", Unavailable, Some(5),
        "Look at the other platform's daemon and log, start it again, then propose the job anew.";
    /// A call of a connection that was given up for a newer one.
    Superseded, "SUPERSEDED", Unavailable, Some(1),
        "Nothing needs to be done: the job goes on over the newer connection.";
    /// The peer stayed away for longer than a running job waits.
    PeerStayedAway, "PEER_STAYED_AWAY", Unavailable, Some(60),
        "Look at the other platform's daemon and the network between, then propose the job anew; limits.resume_seconds is how long a job waits.";
    /// A running job breaks off at the same place over and over.
    NoProgress, "NO_PROGRESS", Unavailable, None,
        "Examine the link (s3rec doctor --config FILE at the rating platform) and what stands between the platforms: a proxy that ends long connections, or limits sizes or times, breaks a job at the same place every time. Both logs tell each attempt and its cause. Then propose the job anew.";
    /// One side lacks what it must have kept of a running job.
    StateLost, "STATE_LOST", FailedPrecondition, None,
        "Propose the job anew; never restore a data directory while one of its jobs runs.";
    /// The peer is connected but sends nothing.
    PeerIdle, "PEER_IDLE", Unavailable, Some(30),
        "Look at the other platform's load; raise limits.idle_seconds if it only needs longer.";
    /// The peer speaks another version.
    VersionMismatch, "VERSION_MISMATCH", FailedPrecondition, None,
        "Update the older of the two platforms.";
    /// The peer sent bytes that mean nothing, or broke the protocol.
    PeerMalformed, "PEER_MALFORMED", DataLoss, None,
        "Report this to the other platform with the time and the job's id; start a new job.";
    /// The other platform ended the job.
    PeerAborted, "PEER_ABORTED", Aborted, None,
        "Read the other platform's reason; propose anew when it is resolved.";
    /// An operator of either side ended the job.
    Cancelled, "CANCELLED", Aborted, None,
        "Propose a new job to start again.";
    /// The daemon is stopping.
    ShuttingDown, "SHUTTING_DOWN", Unavailable, Some(10),
        "Try again when the daemon is up.";
    /// Both platforms share too few users.
    NoCommonUsers, "NO_COMMON_USERS", FailedPrecondition, None,
        "Check that both files use the same ids for the same people.";
    /// The other platform failed by itself: its disk, its files, a bug of its own. Which of them is
    /// not told.
    PlatformFailed, "PLATFORM_FAILED", Internal, None,
        "Ask that platform's operators, whose log has the details.";
    /// Workers that compute for this platform are gone, or refuse.
    WorkersFailed, "WORKERS_FAILED", Internal, None,
        "Look at the worker that the message names and its log, and start it again (s3rec worker serve); then propose the job anew.";
    /// The store or disk refused.
    StorageFailed, "STORAGE_FAILED", Internal, None,
        "Look at the disk's free space and the data directory's permissions; the log has the details.";
    /// A bug of ours.
    Bug, "BUG", Internal, None,
        "Report this with the daemon's log.";
}

impl Reason {
    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.name() == name)
    }
}

/// What to do about a file system's error of that kind, where that is clear.
#[must_use]
pub const fn storage_remedy(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Some(
            "Make room on the disk of the data directory (or raise its quota), then try again; \
             what was acknowledged before is kept.",
        ),
        ErrorKind::ReadOnlyFilesystem => Some(
            "Make the disk of the data directory writable again (one that fails is often made \
             read-only: look at the system's log), then start the daemon again; what was \
             acknowledged before is kept.",
        ),
        ErrorKind::PermissionDenied => Some(
            "Let the daemon's user read and write the data directory and everything in it (chown \
             -R, chmod -R u+rwX), then start the daemon again.",
        ),
        _ => None,
    }
}

/// What of a client's own words an answer repeats, characters.
const ECHOED: usize = 100;

/// Most bytes of a fault's message and of its remedy on the wire: clients take 8 KiB of headers,
/// which hold the message twice and percent-encoded.
const LONGEST_BYTES: usize = 1000;

/// A client's or a peer's own words, as answers and logs repeat them: at most 100 characters,
/// control characters replaced.
#[must_use]
pub fn echo(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(ECHOED)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(ECHOED).is_some() {
        shown.push('…');
    }
    shown
}

fn truncated(mut text: String) -> String {
    if text.len() > LONGEST_BYTES {
        text.truncate(text.floor_char_boundary(LONGEST_BYTES));
        text.push('…');
    }
    text
}

/// An error on its way to somebody: what, why, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Why, for programs.
    pub reason: Reason,
    /// What happened, for people. Never data.
    pub message: String,
    /// What to do, for people.
    pub remedy: String,
    /// Where: job, round, field, file, line.
    pub metadata: BTreeMap<String, String>,
}

impl Fault {
    /// A fault with the reason's usual remedy.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            remedy: reason.remedy().into(),
            metadata: BTreeMap::new(),
        }
    }

    /// A disk that refused: `what` names the file and the cause, and the remedy fits the kind of
    /// error.
    #[must_use]
    pub fn storage(what: impl Into<String>, kind: ErrorKind) -> Self {
        let fault = Self::new(Reason::StorageFailed, what);
        match storage_remedy(kind) {
            Some(remedy) => fault.remedied_by(remedy),
            None => fault,
        }
    }

    /// Adds where it happened, as [`echo`] repeats it.
    #[must_use]
    pub fn at(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.into(), echo(&value.to_string()));
        self
    }

    /// A more fitting remedy than the reason's usual one.
    #[must_use]
    pub fn remedied_by(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Whether it is about this machine alone: its files, its disk, its bugs.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        matches!(
            self.reason,
            Reason::StorageFailed | Reason::Bug | Reason::InvalidFile | Reason::WorkersFailed
        )
    }

    /// What the other platform is told of it: that this machine failed, in the same words whatever
    /// it was; and of the places only those that both platforms know. Whoever sends this logs the
    /// rest.
    #[must_use]
    pub fn outward(mut self) -> Self {
        const SHARED: [&str; 4] = ["job", "round", "field", "running_job"];
        self.metadata
            .retain(|key, _| SHARED.contains(&key.as_str()));
        if !self.is_own() {
            return self;
        }
        Self {
            metadata: self.metadata,
            ..Self::new(Reason::PlatformFailed, "that platform failed by itself")
        }
    }

    /// What happened and what to do, in one line for people.
    #[must_use]
    pub fn advice(&self) -> String {
        format!("{}. {}", self.message.trim_end_matches('.'), self.remedy)
    }

    /// There is no job of that name, which may be anything.
    #[must_use]
    pub fn no_job(name: &str) -> Self {
        let message = format!("there is no job {}", echo(name));
        Self::new(Reason::NotFound, message).at("job", name)
    }

    /// The status to answer with. However long what is told has become, it arrives: a message or
    /// a remedy is cut to 1,000 bytes.
    #[must_use]
    pub fn into_status(mut self) -> Status {
        self.message = truncated(self.message);
        self.remedy = truncated(self.remedy);
        let mut details = ErrorDetails::new();
        let metadata: HashMap<String, String> = self.metadata.clone().into_iter().collect();
        details.set_error_info(self.reason.name(), DOMAIN, metadata);
        details.set_localized_message("en", self.remedy.clone());
        if let Some(seconds) = self.reason.retry_seconds() {
            details.set_retry_info(Some(Duration::from_secs(seconds)));
        }
        if let Some(field) = self.metadata.get("field") {
            details.add_bad_request_violation(field, &self.message);
        }
        Status::with_error_details(self.reason.code(), self.message, details)
    }

    /// What a server's own gRPC says of a message that no service has seen: one that does not
    /// decode, or is larger than [`MAX_MESSAGE_BYTES`](crate::MAX_MESSAGE_BYTES). `None` for
    /// every other status. Services report faults; what has these codes and is none of ours is
    /// gRPC's.
    #[must_use]
    pub fn unread(status: &Status) -> Option<Self> {
        if Self::from_status(status).is_some() {
            return None;
        }
        let detail = echo(status.message());
        match status.code() {
            Code::Internal => {
                let message = format!("a message of the call does not decode ({detail})");
                Some(Self::new(Reason::InvalidRequest, message).remedied_by(
                    "Send messages of proto/s3rec/v1, as reflection and s3rec descriptor give it.",
                ))
            }
            Code::OutOfRange | Code::ResourceExhausted => {
                let message = format!("a message of the call is too large ({detail})");
                let fault = Self::new(Reason::LimitExceeded, message)
                    .remedied_by("Send less in one message; files are sent in chunks.");
                Some(fault.at("most_bytes", crate::MAX_MESSAGE_BYTES))
            }
            _ => None,
        }
    }

    /// Reads a status of ours; `None` for one that somebody else made (a proxy, gRPC itself).
    #[must_use]
    pub fn from_status(status: &Status) -> Option<Self> {
        let details = status.get_error_details();
        let info = details.error_info()?;
        if info.domain != DOMAIN {
            return None;
        }
        let reason = Reason::from_name(&info.reason)?;
        let remedy = details
            .localized_message()
            .map_or_else(|| reason.remedy().into(), |text| text.message.clone());
        Some(Self {
            reason,
            message: status.message().into(),
            remedy,
            metadata: info.metadata.clone().into_iter().collect(),
        })
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        fault.into_status()
    }
}

impl From<WireError> for Fault {
    /// As the caller's mistake; a peer's malformed message is told apart by who receives it.
    fn from(error: WireError) -> Self {
        let fault = Self::new(Reason::InvalidRequest, error.to_string());
        match error {
            WireError::Missing { field }
            | WireError::UnknownEnum { field, .. }
            | WireError::OutOfRange { field, .. }
            | WireError::Real { field, .. }
            | WireError::Length { field, .. }
            | WireError::TooLong { field, .. }
            | WireError::Form { field, .. }
            | WireError::Contradiction { field } => fault.at("field", field),
            WireError::Record { .. } => Self::new(Reason::StorageFailed, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
