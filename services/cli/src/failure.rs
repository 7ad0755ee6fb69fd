//! What can go wrong in front of a person: one message, one reason, one exit code each.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use s3rec_sources::Trouble;
use s3rec_wire::status::Fault;
use serde_json::{Value, json};

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line or client file leaves something out.
    #[error("{0}")]
    Usage(String),
    /// A local file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Data that are elsewhere could not be read, or written.
    #[error(transparent)]
    Source(Box<s3rec_sources::SourceError>),
    /// The platform could not be reached, is not who it should be, or answered with an error.
    #[error("{}", describe(.0))]
    Refused(Box<tonic::Status>),
    /// A job ended in a state other than finished.
    #[error("the job ended as {state}: {message}")]
    Job {
        /// Its last state.
        state: String,
        /// The last event's words.
        message: String,
    },
    /// The platform's answer lacks what the conversation promises.
    #[error("the platform's answer is incomplete: {missing} is missing")]
    Incomplete {
        /// Name of the field.
        missing: &'static str,
    },
    /// Keys or certificates could not be made.
    #[error(transparent)]
    Pki(#[from] s3rec_node::pki::PkiError),
    /// The workers of a platform, or the file that names them.
    #[error(transparent)]
    Cluster(Box<s3rec_cluster::ClusterError>),
    /// The daemon on this machine does not serve.
    #[error(transparent)]
    Unhealthy(#[from] s3rec_node::health::HealthError),
    /// A daemon of the demonstration ended before its time.
    #[error(
        "the {role} platform's daemon ended unexpectedly ({status}).\n\
         The other platform reports: {}\n\
         Last lines of its log:\n{log}",
        survivor.as_deref().unwrap_or("nothing, no job was running")
    )]
    Daemon {
        /// Which.
        role: &'static str,
        /// Exit code or signal.
        status: String,
        /// What the other daemon said about the job.
        survivor: Option<String>,
        /// End of its log.
        log: String,
    },
    /// A daemon of the demonstration never got ready.
    #[error(
        "the {role} platform's daemon was not ready within {seconds} s; its last lines:\n{log}"
    )]
    NotReady {
        /// Which.
        role: &'static str,
        /// How long was waited.
        seconds: u64,
        /// End of its log.
        log: String,
    },
    /// The data cannot be used.
    #[error(transparent)]
    Data(Box<s3rec_data::DataError>),
    /// The plaintext oracle failed.
    #[error("the plaintext training failed: {0}")]
    Oracle(String),
    /// A benchmark could not be made.
    #[error(transparent)]
    Bench(Box<s3rec_bench::BenchError>),
    /// A study of leakage could not be made.
    #[error(transparent)]
    Leakage(Box<s3rec_leakage::LeakageError>),
    /// A link could not be shaped.
    #[error(transparent)]
    Shaping(#[from] s3rec_bench::shaped::ShapingError),
    /// An examination found something wrong, and has shown it.
    #[error("{wrong} of the lines above are wrong")]
    Unwell {
        /// How many.
        wrong: usize,
    },
    /// An audit log that was changed, or lost entries.
    #[error("{path}: {what}")]
    Audit {
        /// The log.
        path: PathBuf,
        /// The first bad entry, and what is wrong with it.
        what: String,
    },
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// What an error of the file system becomes, at the file or whatever it was.
    pub fn at<P: AsRef<Path> + ?Sized>(path: &P) -> impl Fn(std::io::Error) -> Self + use<P> {
        let path = path.as_ref().to_owned();
        move |source| Self::File {
            path: path.clone(),
            source,
        }
    }
}

impl From<s3rec_data::DataError> for Failure {
    fn from(error: s3rec_data::DataError) -> Self {
        Self::Data(Box::new(error))
    }
}

impl From<s3rec_cluster::ClusterError> for Failure {
    fn from(error: s3rec_cluster::ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

impl From<s3rec_sources::SourceError> for Failure {
    fn from(error: s3rec_sources::SourceError) -> Self {
        Self::Source(Box::new(error))
    }
}

impl From<s3rec_bench::BenchError> for Failure {
    fn from(error: s3rec_bench::BenchError) -> Self {
        Self::Bench(Box::new(error))
    }
}

impl From<s3rec_leakage::LeakageError> for Failure {
    fn from(error: s3rec_leakage::LeakageError) -> Self {
        Self::Leakage(Box::new(error))
    }
}

impl Failure {
    /// A stable name for programs; the platform's own reason when it gave one.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Usage(_) => "USAGE".into(),
            Self::File { .. } => "FILE".into(),
            Self::Source(error) => error.trouble.name().into(),
            Self::Refused(status) => Fault::from_status(status).map_or_else(
                || format!("GRPC_{:?}", status.code()).to_uppercase(),
                |fault| fault.reason.name().into(),
            ),
            Self::Job { .. } => "JOB_ENDED".into(),
            Self::Incomplete { .. } => "INCOMPLETE_ANSWER".into(),
            Self::Pki(_) => "PKI".into(),
            Self::Cluster(_) => "WORKERS".into(),
            Self::Unhealthy(_) => "UNHEALTHY".into(),
            Self::Daemon { .. } => "DAEMON_ENDED".into(),
            Self::NotReady { .. } => "DAEMON_NOT_READY".into(),
            Self::Data(_) => "DATA".into(),
            Self::Oracle(_) => "ORACLE".into(),
            Self::Bench(_) => "BENCH".into(),
            Self::Leakage(_) => "LEAKAGE".into(),
            Self::Shaping(_) => "SHAPING".into(),
            Self::Unwell { .. } => "UNWELL".into(),
            Self::Audit { .. } => "AUDIT".into(),
            Self::Interrupted => "INTERRUPTED".into(),
        }
    }

    /// 2 for a wrong command line, 3 for a platform out of reach, 4 for one that does not let
    /// us in, 130 when interrupted, 1 for everything else.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Source(error) if error.trouble == Trouble::Place => 2,
            Self::Refused(status) => match status.code() {
                tonic::Code::Unavailable | tonic::Code::DeadlineExceeded => 3,
                tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => 4,
                _ => 1,
            },
            Self::Interrupted => 130,
            _ => 1,
        })
    }

    /// The one JSON document that goes to stderr under `--json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "reason": self.reason(), "message": self.to_string() });
        if let Self::Refused(status) = self {
            error["code"] = json!(format!("{:?}", status.code()));
            if let Some(fault) = Fault::from_status(status) {
                error["message"] = json!(fault.message);
                error["remedy"] = json!(fault.remedy);
                error["retry_after_seconds"] = json!(fault.reason.retry_seconds());
                error["where"] = json!(fault.metadata);
            }
        }
        if let Self::Source(source) = self {
            error["message"] = json!(format!("{}: {}", source.place, source.what));
            error["remedy"] = json!(source.remedy);
            error["where"] = json!({ "place": source.place });
        }
        if let Self::Daemon {
            role,
            status,
            survivor,
            ..
        } = self
        {
            error["daemon"] = json!(role);
            error["status"] = json!(status);
            error["survivor"] = json!(survivor);
        }
        json!({ "error": error })
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

/// The platform's words, then how it says to mend it.
fn describe(status: &tonic::Status) -> String {
    match Fault::from_status(status) {
        Some(fault) => format!("{}\n{}", fault.message, fault.remedy),
        None if status.message().is_empty() => format!("the call failed: {:?}", status.code()),
        None => format!("the call failed: {}", status.message()),
    }
}

#[cfg(test)]
mod tests {
    use s3rec_wire::status::Reason;

    use super::*;

    #[test]
    fn the_platforms_reason_and_remedy_reach_the_person() {
        let fault = Fault::new(Reason::Unreachable, "nobody answers at p1:7201").at("job", "j");
        let failure = Failure::from(fault.into_status());
        assert_eq!(failure.reason(), "UNREACHABLE");
        assert_eq!(failure.exit_code(), ExitCode::from(3));
        let text = failure.to_string();
        assert!(
            text.starts_with("nobody answers at p1:7201\nCheck the address"),
            "{text}"
        );
        let error = &failure.to_json()["error"];
        assert_eq!(error["message"], "nobody answers at p1:7201");
        assert_eq!(error["retry_after_seconds"], 5);
        assert_eq!(error["where"]["job"], "j");
    }

    #[test]
    fn a_status_that_is_not_ours_has_a_reason_too() {
        let failure = Failure::from(tonic::Status::permission_denied("wrong role"));
        assert_eq!(failure.reason(), "GRPC_PERMISSIONDENIED");
        assert_eq!(failure.exit_code(), ExitCode::from(4));
        assert_eq!(failure.to_string(), "the call failed: wrong role");
    }
}
