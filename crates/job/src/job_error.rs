use std::error::Error;
use std::io;

use s3rec_spmm::{Protocol, SpmmError};
use thiserror::Error;

use crate::TrainError;

/// Why a job, or one attempt of it, is over.
#[derive(Debug, Error)]
pub enum JobError {
    /// A computation or a disk of ours.
    #[error(transparent)]
    Ours(SpmmError),
    /// What the other platform sent does not open.
    #[error(transparent)]
    Theirs(SpmmError),
    /// The training refuses to go on.
    #[error(transparent)]
    Diverged(TrainError),
    /// What is kept is of another training.
    #[error("what is kept of the training does not fit: {0}")]
    OtherTraining(TrainError),
    /// Something was opened, and there is nothing to go on from.
    #[error("{}", cannot_resume(*seen, *protocol))]
    CannotResume {
        /// Openings so far.
        seen: u32,
        /// Of the job.
        protocol: Protocol,
    },
    /// P1 counts other openings in its ledger than we in ours.
    #[error("the social platform counts {theirs} openings, we {ours}")]
    OpeningsDiffer {
        /// Ours.
        ours: u32,
        /// P1's.
        theirs: u32,
    },
    /// P1 counts other openings in its stock than we in ours.
    #[error("the social platform's stock counts {theirs} openings, we {ours}")]
    StocksDiffer {
        /// Ours.
        ours: u32,
        /// P1's.
        theirs: u32,
    },
    /// A call that the job's stage does not have.
    #[error("this exchange is not due")]
    NotDue,
    /// The call is about other parameters.
    #[error("the exchange names other parameters than were agreed on")]
    OtherParameters,
    /// More rounds than P1 has consented to.
    #[error("round {round} exceeds the {rounds} consented to")]
    BeyondConsent {
        /// As asked for.
        round: u32,
        /// As consented to.
        rounds: u32,
    },
    /// Another round than the next.
    #[error("round {round} was asked for where {due} is due")]
    OtherRound {
        /// As asked for.
        round: u32,
        /// The next.
        due: u32,
    },
    /// P0 begins again although something was opened.
    #[error(
        "the rating platform begins the job again after {openings} openings: it has lost its state"
    )]
    BeganAgain {
        /// So far.
        openings: u32,
    },
    /// P1 has nothing to go on from.
    #[error("the social platform no longer has what was agreed on before the stock was made")]
    Lost,
    /// The links no longer give the Y that was agreed on.
    #[error("the links are no longer those that the job began with: {0}")]
    LinksChanged(String),
    /// P0 comes with something else than P1's randomness of the job is bound to.
    #[error("this is another {what} than the one that the job is bound to")]
    OtherThanBound {
        /// Opening, upload, answer, or exchange.
        what: &'static str,
    },
    /// An exchange that does not go with the stage of the job: a bug of ours.
    #[error("the job is at another place than this exchange")]
    OutOfPlace,
    /// What the platform itself says, in its own error.
    #[error("{0}")]
    Platform(Box<dyn Error + Send + Sync>),
}

impl JobError {
    pub(crate) fn disk(error: io::Error) -> Self {
        Self::Ours(error.into())
    }
}

fn cannot_resume(seen: u32, protocol: Protocol) -> String {
    match protocol.is_preprocessed() || protocol == Protocol::NoiseFirst {
        true => format!("what the job goes on from after {seen} openings is gone"),
        false => format!(
            "the job was interrupted after {seen} openings, and rounds of {} are not taken up \
             again: each would count as another opening",
            protocol.name()
        ),
    }
}
