//! The verbs of the people of both platforms that both daemons answer alike: where what is known
//! becomes messages.

use std::pin::Pin;

use s3rec_job::JobDisclosure;
use s3rec_wire::convert::{disclosure_from_wire, event_to_wire, head_to_wire, job_id};
use s3rec_wire::status::{Fault, Reason};
use s3rec_wire::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use crate::backup::Backup;
use crate::datasets::{Content, DatasetEntry};
use crate::journal::EventStream;
use crate::platform::Core;
use crate::process::blocking;
use crate::stocks::{StockStage, StockStatus};
use crate::tls::Caller;

/// What a watching call returns to tonic.
pub type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::JobEvent, Status>> + Send>>;

/// What a call for a backup returns to tonic.
pub type BackupStream = Pin<Box<dyn Stream<Item = Result<v1::BackupChunk, Status>> + Send>>;

/// Messages of a backup that wait for whoever reads them.
const WAITING: usize = 4;

/// The answer to a call for a backup, which `make` makes on a thread that may block.
///
/// # Errors
/// Those of `make`; what goes wrong later ends the stream.
pub async fn backed_up(
    make: impl FnOnce() -> Result<Backup, Fault> + Send + 'static,
) -> Result<Response<BackupStream>, Status> {
    let backup = blocking(make).await??;
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut total_bytes = backup.total_bytes();
        let sent = backup.send(|data| {
            let chunk = v1::BackupChunk {
                data,
                total_bytes: std::mem::take(&mut total_bytes),
            };
            sender.blocking_send(Ok(chunk)).is_ok()
        });
        if let Err(error) = sent {
            let fault = Fault::storage(format!("a backup under way: {error}"), error.kind());
            tracing::error!("{fault}");
            let _ = sender.blocking_send(Err(fault.into()));
        }
    });
    Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
}

/// What the other platform's people say was shown since a backup: its list, or nothing.
///
/// # Errors
/// [`Reason::InvalidRequest`] where neither is said, or both.
pub fn stated_since(request: v1::ReconcileRequest) -> Result<Vec<JobDisclosure>, Fault> {
    if request.nothing_since != request.disclosures.is_empty() {
        let message = "say either what the other platform lists, or that nothing was shown since";
        return Err(Fault::new(Reason::InvalidRequest, message).at("field", "disclosures"));
    }
    let listed = request.disclosures.into_iter().map(|listed| {
        job_id("disclosures.job_id", &listed.job_id)?;
        disclosure_from_wire(listed)
    });
    Ok(listed.collect::<Result<_, _>>()?)
}

/// The answer to a watching call.
#[must_use]
pub fn watched(events: EventStream) -> Response<WatchStream> {
    Response::new(Box::pin(events.map(|event| Ok(event_to_wire(event)))))
}

impl<C: Content> Core<C> {
    /// Imports a file of data.
    ///
    /// # Errors
    /// As [`crate::datasets::Datasets::import`].
    pub async fn import(
        &self,
        request: Request<Streaming<v1::FileChunk>>,
    ) -> Result<C::Imported, Fault> {
        let who = Caller::name_of(&request);
        self.datasets.import(request.into_inner(), &who).await
    }

    /// Removes a data set.
    ///
    /// # Errors
    /// As [`crate::datasets::Datasets::delete`].
    pub fn delete_dataset(
        &self,
        request: Request<v1::DeleteDatasetRequest>,
    ) -> Result<v1::DeleteDatasetResponse, Fault> {
        let who = Caller::name_of(&request);
        let dataset = request.into_inner().dataset;
        self.datasets.delete(&dataset, &who)?;
        Ok(v1::DeleteDatasetResponse { dataset })
    }

    /// What is left of a job's stock, or of all stocks; `known` refuses a job that is not there.
    ///
    /// # Errors
    /// [`s3rec_wire::status::Reason::StorageFailed`]; that of `known`.
    pub fn stock_status(
        &self,
        request: Request<v1::StockStatusRequest>,
        known: impl Fn(&str) -> Result<(), Fault>,
    ) -> Result<v1::StockStatusResponse, Fault> {
        let job = request.into_inner().job_id;
        if !job.is_empty() {
            known(&job)?;
        }
        let used = |job: &str| {
            let disclosure: Option<JobDisclosure> = self.store.get(self.tables.ledger, job)?;
            Ok(disclosure.map_or(0, |disclosure| disclosure.opened_columns))
        };
        let stocks = self.stocks.status(&self.store, &job, used)?;
        Ok(v1::StockStatusResponse {
            stocks: stocks.into_iter().map(stock_to_wire).collect(),
        })
    }

    /// Accepts another audit log of the other platform than it has shown before.
    ///
    /// # Errors
    /// As [`crate::audit::PeerLog::accept`].
    pub fn accept_peer_log(
        &self,
        request: Request<v1::AcceptPeerLogRequest>,
    ) -> Result<v1::AcceptPeerLogResponse, Fault> {
        let who = Caller::name_of(&request);
        let log = request.into_inner().log;
        let head = self.peer_log().accept(&self.audit, &log, &who)?;
        Ok(v1::AcceptPeerLogResponse {
            head: Some(head_to_wire(&head)),
        })
    }
}

fn stock_to_wire(stock: StockStatus) -> v1::Stock {
    let columns_left = stock.left();
    let StockStatus { job, record, used } = stock;
    let state = match record.stage {
        StockStage::Making => v1::StockState::Making,
        StockStage::Ready => v1::StockState::Ready,
        StockStage::Erased => v1::StockState::Erased,
    };
    v1::Stock {
        job_id: job,
        peer: record.peer,
        state: state.into(),
        identity: record.identity.map_or_else(Vec::new, Vec::from),
        columns: record.columns,
        columns_made: record.columns_made,
        columns_used: used,
        columns_left,
        updated_unix_ms: record.updated_unix_ms,
    }
}

/// The answer to a call.
///
/// # Errors
/// The refusal, in the words of gRPC.
pub fn answered<T>(answer: Result<T, Fault>) -> Result<Response<T>, Status> {
    Ok(Response::new(answer?))
}

/// A data set as it is listed.
#[must_use]
pub fn entry_to_wire(entry: DatasetEntry) -> v1::DatasetSummary {
    v1::DatasetSummary {
        dataset: entry.dataset,
        version: entry.version,
        imported_unix_ms: entry.imported_unix_ms,
        lineage: entry.lineage,
        users: entry.users,
        rows: entry.rows,
        bytes: entry.bytes,
        jobs: entry.jobs,
    }
}

/// All of them.
#[must_use]
pub fn entries_to_wire(entries: Vec<DatasetEntry>) -> v1::ListDatasetsResponse {
    v1::ListDatasetsResponse {
        datasets: entries.into_iter().map(entry_to_wire).collect(),
    }
}
