//! What is looked up when somebody asks: jobs, stocks, the ledger, disk and memory.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use s3rec_job::{JobDisclosure, JobState, Party};

use super::count;
use super::readiness::{Check, PeerCheck, PeerSight, Reach, Readiness};
use crate::journal::Journal;
use crate::process::{now_unix_ms, peak_rss_bytes, rss_bytes};
use crate::stocks::StockStage;
use crate::stocks::{StockStatus, Stocks};
use crate::store::{Store, StoreError, Table};

/// Collects what the process counts. A second call gives the first one's.
///
/// `None` when the process has another recorder.
#[must_use]
pub fn install() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| {
        let handle = PrometheusBuilder::new().install_recorder().ok()?;
        count::describe();
        describe();
        count::begin();
        gauge!(START).set(seconds(now_unix_ms()));
        Some(handle)
    });
    handle.as_ref()
}

const START: &str = "s3rec_start_timestamp_seconds";

/// Where a daemon's state is looked up.
pub struct Observed {
    /// Which platform it is.
    pub party: Party,
    /// Its store.
    pub store: Store,
    /// Its jobs.
    pub journal: Journal,
    /// Its stocks.
    pub stocks: Arc<Stocks>,
    /// Table of what was opened, a [`JobDisclosure`] for each job.
    pub disclosures: Table,
    /// Where its state lies.
    pub data_dir: PathBuf,
    /// End of our certificate's validity, Unix seconds.
    pub certificate_expiry: Box<dyn Fn() -> i64 + Send + Sync>,
    /// When the other platform was met.
    pub sight: PeerSight,
    /// How to meet it, at the platform that calls.
    pub reach: Option<Reach>,
    peer: PeerCheck,
}

impl Observed {
    /// What a daemon's parts tell of it.
    #[expect(clippy::too_many_arguments, reason = "each part once")]
    pub(crate) fn new(
        party: Party,
        store: Store,
        journal: Journal,
        stocks: Arc<Stocks>,
        disclosures: Table,
        data_dir: PathBuf,
        certificate_expiry: Box<dyn Fn() -> i64 + Send + Sync>,
        sight: PeerSight,
        reach: Option<Reach>,
    ) -> Self {
        Self {
            party,
            store,
            journal,
            stocks,
            disclosures,
            data_dir,
            certificate_expiry,
            sight,
            reach,
            peer: PeerCheck::default(),
        }
    }

    /// The conditions of readiness now.
    pub async fn readiness(&self) -> Readiness {
        let peer = self.peer.check(&self.sight, self.reach.as_ref()).await;
        let ready = Readiness(vec![self.keys(), self.stored(), peer]);
        gauge!("s3rec_ready").set(u32::from(ready.is_ready()));
        ready
    }

    fn keys(&self) -> Check {
        let expiry = (self.certificate_expiry)();
        let expired = expiry <= now_unix_ms() / 1000;
        Check {
            name: "keys",
            wrong: expired.then(|| "our certificate has expired; run s3rec pki rotate".into()),
        }
    }

    fn stored(&self) -> Check {
        let read = self.store.list::<JobDisclosure>(self.disclosures, "");
        Check {
            name: "store",
            wrong: read.err().map(|error| error.to_string()),
        }
    }

    /// Brings the gauges up to date. Reads the store: not for the executor's threads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn refresh(&self) -> Result<(), StoreError> {
        let platform = self.party.name();
        let version = env!("CARGO_PKG_VERSION");
        gauge!("s3rec_build_info", "version" => version, "platform" => platform).set(1);
        self.jobs();
        self.stocks_and_ledger()?;
        gauge!("s3rec_certificate_expiry_timestamp_seconds")
            .set(seconds((self.certificate_expiry)() * 1000));
        gauge!("s3rec_peer_handshake_timestamp_seconds")
            .set(seconds(self.sight.last_unix_ms().unwrap_or_default()));
        gauge!("s3rec_resident_bytes").set(float(rss_bytes()));
        gauge!("s3rec_peak_resident_bytes").set(float(peak_rss_bytes()));
        if let Ok(free) = crate::process::free_disk_bytes(&self.data_dir) {
            gauge!("s3rec_data_dir_free_bytes").set(float(free));
        }
        Ok(())
    }

    fn jobs(&self) {
        self.journal.count_phases();
        let (last, ended) = (self.journal.newest(), self.journal.ended_by_state());
        for state in JobState::ALL {
            let open = last.iter().filter(|event| event.state == state).count() as u64;
            let count = open + ended.get(&state).copied().unwrap_or_default();
            gauge!("s3rec_jobs", "state" => state.name()).set(float(count));
        }
        let now = now_unix_ms();
        for party in [Party::Rating, Party::Social] {
            let waits = last.iter().filter(|event| event.waiting_for == Some(party));
            let longest = waits.map(|event| now - event.waiting_since_unix_ms).max();
            gauge!("s3rec_waiting_seconds", "role" => party.name())
                .set(seconds(longest.unwrap_or_default().max(0)));
        }
    }

    fn stocks_and_ledger(&self) -> Result<(), StoreError> {
        let disclosures = self.store.list::<JobDisclosure>(self.disclosures, "")?;
        let sum = |field: fn(&JobDisclosure) -> u64| -> f64 {
            float(disclosures.iter().map(|(_, shown)| field(shown)).sum())
        };
        gauge!("s3rec_disclosed_openings").set(sum(|shown| shown.openings.into()));
        gauge!("s3rec_disclosed_columns").set(sum(|shown| shown.opened_columns));
        gauge!("s3rec_disclosed_values").set(sum(|shown| shown.opened_values));
        gauge!("s3rec_disclosed_bytes").set(sum(|shown| shown.bytes));

        let used = |job: &str| {
            let disclosure: Option<JobDisclosure> = self.store.get(self.disclosures, job)?;
            Ok(disclosure.map_or(0, |disclosure| disclosure.opened_columns))
        };
        let stocks = self.stocks.status(&self.store, "", used)?;
        let sum = |field: fn(&StockStatus) -> u64| float(stocks.iter().map(field).sum());
        for (state, columns) in [
            ("made", sum(|stock| stock.record.columns_made)),
            ("used", sum(|stock| stock.used)),
            ("left", sum(StockStatus::left)),
        ] {
            gauge!("s3rec_stock_columns", "state" => state).set(columns);
        }
        for (stage, state) in [
            (StockStage::Making, "making"),
            (StockStage::Ready, "ready"),
            (StockStage::Erased, "erased"),
        ] {
            let of_stage = stocks.iter().filter(|stock| stock.record.stage == stage);
            let count = of_stage.count();
            gauge!("s3rec_stocks", "state" => state).set(float(count as u64));
        }
        Ok(())
    }
}

fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Exact to 2^53.
fn float(count: u64) -> f64 {
    count as f64
}

fn describe() {
    for (name, words) in [
        (START, "When the process began to count."),
        ("s3rec_build_info", "Version and platform; always 1."),
        ("s3rec_ready", "Whether jobs can run, as /readyz says."),
        ("s3rec_jobs", "Jobs known, by state."),
        (
            "s3rec_waiting_seconds",
            "Longest present wait for that platform.",
        ),
        (
            "s3rec_disclosed_openings",
            "Openings over all jobs, by our own ledger.",
        ),
        ("s3rec_disclosed_columns", "Columns opened over all jobs."),
        ("s3rec_disclosed_values", "Values opened over all jobs."),
        ("s3rec_disclosed_bytes", "Bytes both ways over all jobs."),
        (
            "s3rec_stock_columns",
            "Columns of masked stocks, by what became of them.",
        ),
        ("s3rec_stocks", "Stocks of masked columns, by state."),
        (
            "s3rec_certificate_expiry_timestamp_seconds",
            "When our certificate ends.",
        ),
        (
            "s3rec_peer_handshake_timestamp_seconds",
            "When the other platform was last met.",
        ),
        ("s3rec_resident_bytes", "Memory in use."),
        ("s3rec_peak_resident_bytes", "Most memory used so far."),
        (
            "s3rec_data_dir_free_bytes",
            "Free disk where the state lies.",
        ),
    ] {
        describe_gauge!(name, words);
    }
}
