//! Where stocks of masked columns lie, and their erasing.
//!
//! A stock serves one job: its directory `stocks/<job>` (0700) is made for the job and erased
//! with the job's end: keys, shares and what the job goes on from are overwritten before they are
//! removed. It outlives the daemon while its job runs; what belongs to a job that has ended is
//! erased at the next start.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use s3rec_job::JobId;
use s3rec_spmm::preprocessed::DirectoryStorage;

use crate::checkpoint::{COMMON, CheckpointFiles, LABELLED};
use crate::process::now_unix_ms;
use crate::store::{Store, StoreError, Table};

pub use s3rec_job::{StockRecord, StockStage};

pub(crate) const STOCKS: Table = Table("stocks");

/// Attempts to erase a directory that a computing thread may still be writing to.
const ATTEMPTS: u32 = 5;

/// How often and how long to wait for a computing thread that still has a stock open: a block of
/// it, which is made to its end.
const RELEASES: u32 = 12_000;
const RELEASE: std::time::Duration = std::time::Duration::from_millis(50);

/// What is known of a stock.
pub struct StockStatus {
    /// Its job's name.
    pub job: String,
    /// As it is kept.
    pub record: StockRecord,
    /// Columns opened in its job.
    pub used: u64,
}

impl StockStatus {
    /// Columns that are made and not used.
    #[must_use]
    pub fn left(&self) -> u64 {
        match self.record.stage {
            StockStage::Erased => 0,
            _ => self.record.columns_made.saturating_sub(self.used),
        }
    }
}

/// All stocks of one platform.
pub struct Stocks {
    root: PathBuf,
    /// Several ways lead to a job's end; one of them erases.
    erasing: Mutex<()>,
}

impl Stocks {
    /// Opens `data_dir/stocks` and erases what is in it, but for the jobs that go on.
    ///
    /// # Errors
    /// [`StoreError::Directory`] when key material of an ended job cannot be erased.
    pub fn open(
        data_dir: &Path,
        store: &Store,
        goes_on: impl Fn(&str) -> bool,
    ) -> Result<Self, StoreError> {
        let stocks = Self {
            root: data_dir.join("stocks"),
            erasing: Mutex::new(()),
        };
        let mut builder = std::fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&stocks.root);
        made.map_err(|source| broken(&stocks.root, source))?;
        let left = std::fs::read_dir(&stocks.root);
        for entry in left.map_err(|source| broken(&stocks.root, source))? {
            let entry = entry.map_err(|source| broken(&stocks.root, source))?;
            if !entry.file_name().to_str().is_some_and(&goes_on) {
                DirectoryStorage::erase(&entry.path())
                    .map_err(|source| broken(&entry.path(), source))?;
            }
        }
        for (job, stock) in store.list::<StockRecord>(STOCKS, "")? {
            if stock.stage != StockStage::Erased && !goes_on(&job) {
                store.put(STOCKS, &job, &erased(stock))?;
            }
        }
        Ok(stocks)
    }

    /// An empty place for a job's stock.
    ///
    /// # Errors
    /// The file system's.
    pub fn make(&self, job: &str) -> io::Result<DirectoryStorage> {
        DirectoryStorage::open(&self.root.join(job))
    }

    /// The place of a job's stock after a restart of either side. Whoever had it open before, a
    /// thread of a broken exchange, gets a while to let go.
    ///
    /// # Errors
    /// The file system's; `NotFound` when the job has none.
    pub fn reopen(&self, job: &str) -> io::Result<DirectoryStorage> {
        let path = self.root.join(job);
        let mut waited = 0;
        loop {
            if !path.exists() {
                return Err(io::ErrorKind::NotFound.into());
            }
            match DirectoryStorage::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && waited < RELEASES => {
                    waited += 1;
                    std::thread::sleep(RELEASE);
                }
                opened => return opened,
            }
        }
    }

    /// Erases a job's stock, if it has one. Never fails: what cannot be erased is logged, and
    /// erased when the daemon starts again.
    pub fn erase(&self, store: &Store, job: &str) {
        let path = self.root.join(job);
        let _erasing = self.erasing.lock().unwrap_or_else(PoisonError::into_inner);
        if !path.exists() {
            return;
        }
        let mut outcome = DirectoryStorage::erase(&path);
        for _ in 1..ATTEMPTS {
            if outcome.is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            outcome = DirectoryStorage::erase(&path);
        }
        if let Err(error) = outcome {
            tracing::error!(
                job,
                "the stock in {} is not erased: {error}",
                path.display()
            );
            return;
        }
        let noted = store
            .get::<StockRecord>(STOCKS, job)
            .and_then(|stock| stock.map_or(Ok(()), |stock| store.put(STOCKS, job, &erased(stock))));
        if let Err(error) = noted {
            tracing::error!(job, "that the stock is erased is not noted: {error}");
        }
    }

    /// Throws away an unfinished stock, so that its job can begin again with another, over the
    /// same common users. Whoever had it open before lets go first: what it writes later would be
    /// taken for the new one's.
    ///
    /// # Errors
    /// [`Reason::StorageFailed`](s3rec_wire::status::Reason::StorageFailed).
    pub fn discard(&self, job: &str) -> Result<(), StoreError> {
        let _erasing = self.erasing.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(job);
        let discarded = match self.reopen(job) {
            Ok(storage) => {
                let erased = DirectoryStorage::empty(&path, &[COMMON.0, LABELLED.0]);
                drop(storage);
                erased
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        discarded.map_err(|source| broken(&path, source))
    }

    /// The directory of a job's stock.
    pub fn path(&self, job: &str) -> PathBuf {
        self.root.join(job)
    }

    /// Where what a job goes on from is kept: beside its stock, and erased with it.
    pub fn checkpoint(&self, job: &str) -> CheckpointFiles {
        CheckpointFiles::in_directory(self.root.join(job))
    }

    /// Notes how many columns of a job's stock with the platform `peer` are `made`, `of` how many;
    /// `identity` once it has one.
    ///
    /// # Errors
    /// The store's.
    pub fn note_made(
        &self,
        store: &Store,
        (job, peer): (JobId, &str),
        stage: StockStage,
        (made, of): (u64, u64),
        identity: Option<[u8; 32]>,
    ) -> Result<(), StoreError> {
        let stock = StockRecord {
            peer: peer.to_owned(),
            stage,
            identity,
            columns: of,
            columns_made: made,
            updated_unix_ms: now_unix_ms(),
        };
        store.put(STOCKS, &job.to_string(), &stock)
    }

    /// What is known of the stocks: of one job, or of all with an empty name. `used` tells the
    /// columns opened in a job.
    ///
    /// # Errors
    /// The store's.
    pub fn status(
        &self,
        store: &Store,
        job: &str,
        used: impl Fn(&str) -> Result<u64, StoreError>,
    ) -> Result<Vec<StockStatus>, StoreError> {
        let mut stocks = Vec::new();
        for (job, record) in store.list::<StockRecord>(STOCKS, job)? {
            let used = used(&job)?;
            stocks.push(StockStatus { job, record, used });
        }
        stocks.sort_by_key(|stock| stock.record.updated_unix_ms);
        Ok(stocks)
    }
}

fn broken(path: &Path, source: io::Error) -> StoreError {
    StoreError::Directory {
        path: path.to_owned(),
        source,
    }
}

fn erased(stock: StockRecord) -> StockRecord {
    StockRecord {
        stage: StockStage::Erased,
        updated_unix_ms: now_unix_ms(),
        ..stock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use s3rec_spmm::preprocessed::StockStorage;

    #[test]
    fn a_stock_is_erased_with_its_job_and_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let stocks = Stocks::open(directory.path(), &store, |_| false).unwrap();
        for job in ["first", "second"] {
            stocks.make(job).unwrap().save(b"the key").unwrap();
            let stock = StockRecord {
                peer: "social".into(),
                stage: StockStage::Ready,
                identity: None,
                columns: 12,
                columns_made: 12,
                updated_unix_ms: 0,
            };
            store.put(STOCKS, job, &stock).unwrap();
        }
        let status = |stocks: &Stocks| {
            let all = stocks.status(&store, "", |_| Ok(5)).unwrap();
            let all = all.into_iter();
            all.map(|stock| (stock.job.clone(), stock.record.stage, stock.left()))
                .collect::<std::collections::HashSet<_>>()
        };
        assert!(status(&stocks).contains(&("first".into(), StockStage::Ready, 7)));
        stocks.erase(&store, "first");
        assert!(!directory.path().join("stocks/first").exists());
        assert!(status(&stocks).contains(&("first".into(), StockStage::Erased, 0)));
        assert!(status(&stocks).contains(&("second".into(), StockStage::Ready, 7)));

        // It outlives the daemon while its job runs, and nothing else opens it meanwhile.
        let stocks = Stocks::open(directory.path(), &store, |job| job == "second").unwrap();
        let again = stocks.reopen("second").unwrap();
        assert_eq!(again.load().unwrap().unwrap(), b"the key");
        drop(again);
        assert!(status(&stocks).contains(&("second".into(), StockStage::Ready, 7)));
        assert!(stocks.reopen("first").is_err());

        let stocks = Stocks::open(directory.path(), &store, |_| false).unwrap();
        assert!(!directory.path().join("stocks/second").exists());
        assert!(status(&stocks).contains(&("second".into(), StockStage::Erased, 0)));
        // Erasing what is not there is nothing.
        stocks.erase(&store, "third");
    }

    #[test]
    fn common_users_outlive_a_stock_that_is_thrown_away_and_nothing_else_does() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let stocks = Stocks::open(directory.path(), &store, |_| true).unwrap();
        stocks.checkpoint("job").save(COMMON, &7_u32).unwrap();
        stocks.checkpoint("job").save(LABELLED, &true).unwrap();
        stocks
            .checkpoint("job")
            .save(crate::checkpoint::AGREED, &8_u32)
            .unwrap();
        stocks.make("job").unwrap().save(b"the key").unwrap();
        stocks.discard("job").unwrap();
        let kept = stocks.checkpoint("job");
        assert_eq!(kept.load::<u32>(COMMON).unwrap(), Some(7));
        assert_eq!(kept.load::<bool>(LABELLED).unwrap(), Some(true));
        assert_eq!(kept.load::<u32>(crate::checkpoint::AGREED).unwrap(), None);
        assert!(stocks.make("job").unwrap().load().unwrap().is_none());
        stocks.erase(&store, "job");
        assert!(!stocks.path("job").exists());
    }
}
