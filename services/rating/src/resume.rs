//! What P0 keeps of a running job, and when it is on disk: what both sides agreed on before they
//! first meet over the finished stock; the training, with the opening that comes next, before
//! anything of that opening leaves.

use std::sync::Arc;

use s3rec_job::TrainingState;
use s3rec_link::{Count, Meter};
use s3rec_node::kept::{AGREED, PROGRESS};
use s3rec_node::observe::{self, Stage};
use s3rec_spmm::ProductParameters;
use s3rec_spmm::PublicPattern;
use s3rec_wire::convert::JobId;
use s3rec_wire::record::Record;
use s3rec_wire::status::Fault;
use s3rec_wire::v1;
use serde::{Deserialize, Serialize};

use crate::imports::blocking;
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::setup::Setup;

/// What both platforms agreed on before the rounds.
#[derive(Serialize, Deserialize)]
pub(crate) struct Agreed {
    pub(crate) parameters: ProductParameters,
    pub(crate) parameters_digest: [u8; 32],
    pub(crate) pattern: PublicPattern,
    /// The common users, as indices of P0's.
    pub(crate) common: Vec<u32>,
}

impl Agreed {
    pub(crate) fn of(setup: &Setup, common: &[u32]) -> Self {
        Self {
            parameters: setup.parameters.clone(),
            parameters_digest: setup.parameters_digest,
            pattern: setup.pattern.as_ref().clone(),
            common: common.to_vec(),
        }
    }
}

/// How far the rounds are. P0's secret.
#[derive(Serialize, Deserialize)]
pub(crate) struct Progress {
    training: TrainingState,
    openings: u32,
    /// Uploads that P1 has answered.
    stocks: u32,
    offline: Counted,
    online: Counted,
    /// Records of TrainingProgress, one a round.
    rounds: Vec<Vec<u8>>,
    /// P1 has confirmed the count of all openings: only the model is to be stored.
    is_agreed: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Counted {
    sent_bytes: u64,
    received_bytes: u64,
    messages: u64,
    seconds: f64,
}

impl Counted {
    fn of(meter: &Meter, seconds: f64) -> Self {
        let Count {
            sent_bytes,
            received_bytes,
            messages,
        } = meter.count();
        Self {
            sent_bytes,
            received_bytes,
            messages,
            seconds,
        }
    }

    fn meter(self, stage: Stage) -> Meter {
        observe::meter(stage).starting_at(Count {
            sent_bytes: self.sent_bytes,
            received_bytes: self.received_bytes,
            messages: self.messages,
        })
    }
}

impl Progress {
    pub(crate) fn of(ledger: &Ledger, training: TrainingState, is_agreed: bool) -> Self {
        Self {
            training,
            openings: ledger.openings,
            stocks: ledger.stocks,
            offline: Counted::of(&ledger.offline, ledger.offline_cost().seconds),
            online: Counted::of(&ledger.online, ledger.online_cost().seconds),
            rounds: ledger.rounds.iter().map(Record::to_record).collect(),
            is_agreed,
        }
    }

    pub(crate) fn is_agreed(&self) -> bool {
        self.is_agreed
    }

    /// Gives the ledger its counts back; what is left is the training.
    pub(crate) fn restore(self, ledger: &mut Ledger) -> Result<TrainingState, Fault> {
        ledger.openings = self.openings;
        ledger.stocks = self.stocks;
        ledger.offline = self.offline.meter(Stage::Offline);
        ledger.online = self.online.meter(Stage::Online);
        let rounds = self.rounds.iter();
        let rounds = rounds.map(|round| v1::TrainingProgress::from_record(round));
        ledger.rounds = rounds.collect::<Result<_, _>>()?;
        ledger.go_on_after(self.offline.seconds, self.online.seconds);
        Ok(self.training)
    }
}

/// What is on disk of a job, when it is in its rounds.
pub(crate) async fn load(
    platform: &Platform,
    job: JobId,
) -> Result<Option<(Agreed, Progress)>, Fault> {
    let files = platform.stocks.kept(&job.to_string());
    let loaded = blocking(move || Ok((files.load(AGREED)?, files.load(PROGRESS)?)));
    let (agreed, progress) = loaded.await?.map_err(storage)?;
    Ok(agreed.zip(progress))
}

/// Keeps what was agreed on. Without the progress that follows it counts for nothing.
pub(crate) async fn keep_agreed(
    platform: &Platform,
    job: JobId,
    agreed: Agreed,
) -> Result<(), Fault> {
    let files = platform.stocks.kept(&job.to_string());
    blocking(move || files.save(AGREED, &agreed))
        .await?
        .map_err(storage)
}

/// Keeps how far the rounds are; on disk when this returns.
pub(crate) async fn keep_progress(
    platform: &Arc<Platform>,
    job: JobId,
    progress: Progress,
) -> Result<(), Fault> {
    let files = platform.stocks.kept(&job.to_string());
    blocking(move || files.save(PROGRESS, &progress))
        .await?
        .map_err(storage)
}

fn storage(error: std::io::Error) -> Fault {
    Fault::storage(error.to_string(), error.kind())
}
