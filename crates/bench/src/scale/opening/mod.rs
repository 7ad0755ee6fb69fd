//! One noised opening of friends' sums at any size, each platform in a process of its own over a
//! loopback connection, with what either must have on disk: measured, never predicted.
//!
//! Everybody is opened and uploaded (two-sided): the most that so many users can cost. Links are
//! drawn as they are read, so that nobody holds them twice.

use std::net::TcpStream;

use s3rec_algebra::{PublicSeed, RealMatrix, Seed, Stream};
use s3rec_data::power_law_draws;
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::noise_first::{self, Friends, Parameters, SessionSeeds, Sides, Terms};
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::psi::Party;

mod connection;
mod rating;
mod record;
mod social;

/// What is opened.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpeningWorkload {
    /// m: all of them opened and uploaded.
    pub users: u32,
    /// Links that are drawn for each user; a user has twice as many friends on average, less the
    /// few that are drawn again.
    pub links_per_user: u32,
    /// C.
    pub columns: u32,
    /// Friends of one user, at most, as agreed on: it decides bytes, nothing that is measured.
    pub degree_bound: u32,
    /// What is spent.
    pub mu: f64,
}

/// A stretch of one party's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpeningPhase {
    /// `links`, `keys`, `prepare`, `rows`, `answer`, `decode`.
    pub name: String,
    /// Wall seconds without those it waited for the other party.
    pub seconds: f64,
    /// Processor seconds of all threads, in ticks of 10 ms.
    pub core_seconds: f64,
    /// Of these, seconds that one thread computed by itself: further cores do not shorten them.
    pub serial_seconds: f64,
}

/// What one party measured of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpeningParty {
    /// Which.
    pub party: Party,
    /// Threads that it computed with.
    pub threads: usize,
    /// Wall seconds from both being connected to its end, waiting included.
    pub seconds: f64,
    /// Its work in order.
    pub phases: Vec<OpeningPhase>,
    /// Payload bytes that it sent.
    pub sent_bytes: u64,
    /// Largest resident set of its process.
    pub peak_rss_bytes: u64,
    /// P1's: links among the users, each pair once; 0 at P0.
    pub pairs: u64,
    /// P0's: standard deviation of the opened sums from the clear ones, in units of σ; 0 at P1.
    pub noise_ratio: f64,
}

/// A whole opening.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpeningRecord {
    /// What was opened.
    pub workload: OpeningWorkload,
    /// The slower party's seconds.
    pub seconds: f64,
    /// Both parties' processor seconds.
    pub core_seconds: f64,
    /// Payload bytes both ways, keys included.
    pub bytes: u64,
    /// For each of the m·C values, both ways together.
    pub bytes_per_value: f64,
    /// What was agreed on.
    pub parameters: std::collections::BTreeMap<String, f64>,
    /// P0, P1.
    pub parties: [OpeningParty; 2],
}

/// Every size that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpeningReport {
    /// One for each number of users.
    pub openings: Vec<OpeningRecord>,
}

impl OpeningRecord {
    /// The record of what both parties measured.
    ///
    /// # Errors
    /// A workload without parameters.
    pub fn new(workload: OpeningWorkload, parties: [OpeningParty; 2]) -> Result<Self, BenchError> {
        let parameters = workload.parameters()?;
        let bytes = parties.iter().map(|party| party.sent_bytes).sum::<u64>();
        let values = f64::from(workload.users) * f64::from(workload.columns);
        let named = parameters.described().into_iter();
        Ok(Self {
            workload,
            seconds: parties[0].seconds.max(parties[1].seconds),
            core_seconds: parties.iter().map(OpeningParty::core_seconds).sum(),
            bytes,
            bytes_per_value: bytes as f64 / values,
            parameters: named
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            parties,
        })
    }
}

impl OpeningParty {
    /// Of all its phases.
    #[must_use]
    pub fn core_seconds(&self) -> f64 {
        self.phases.iter().map(|phase| phase.core_seconds).sum()
    }
}

impl OpeningWorkload {
    pub(crate) fn parameters(&self) -> Result<Parameters, BenchError> {
        let refused = || noise_first::NoiseFirstError::Refused {
            what: "μ",
            actual: self.mu,
            condition: "a number above 0".to_owned(),
        };
        Ok(noise_first::choose(Terms {
            sides: Sides::Two,
            opened: self.users,
            uploaded: self.users,
            columns: self.columns,
            row_norm_bound: 1.0,
            degree_bound: self.degree_bound,
            mu: Mu::new(self.mu).ok_or_else(refused)?,
        })?)
    }

    pub(crate) fn friends(&self) -> Result<Friends, BenchError> {
        let links = self.users as usize * self.links_per_user as usize;
        let draws = power_law_draws(self.users as usize, links, 21)?;
        Ok(Friends::from_links(self.users, draws.take(links))?)
    }

    /// Rows of norm 1, the same at every call.
    pub(crate) fn rows(&self) -> Result<RealMatrix, BenchError> {
        let columns = self.columns as usize;
        let mut stream = Stream::new(&Seed::from_bytes([17; 32]));
        let mut values = Vec::with_capacity(self.users as usize * columns);
        let mut words = vec![0; columns];
        for _ in 0..self.users {
            stream.fill_u64(&mut words);
            let drawn = words.iter().map(|&word| (word >> 11) as f64);
            let row = drawn.map(|word| word / (1u64 << 52) as f64 - 1.0);
            let first = values.len();
            values.extend(row);
            let square = values[first..].iter().map(|x| x * x).sum::<f64>();
            let norm = square.sqrt().max(f64::MIN_POSITIVE);
            values[first..].iter_mut().for_each(|x| *x /= norm);
        }
        Ok(RealMatrix::from_vec(self.users as usize, columns, values)?)
    }
}

/// Fixed halves: only a benchmark may repeat a session, its secrets are fresh.
pub(crate) fn seeds() -> SessionSeeds {
    SessionSeeds {
        rating: PublicSeed::from_bytes([1; 32]),
        social: PublicSeed::from_bytes([2; 32]),
    }
}

/// Runs one party over a connection to the other, keeping what it must in `scratch`.
///
/// # Errors
/// [`BenchError`] of the protocol, the connection, or the directory.
pub fn run_party(
    party: Party,
    workload: &OpeningWorkload,
    stream: &TcpStream,
    scratch: &std::path::Path,
) -> Result<OpeningParty, BenchError> {
    stream.set_nodelay(true).map_err(BenchError::Connection)?;
    match party {
        Party::Rating => rating::run(workload, stream, scratch),
        Party::Social => social::run(workload, stream, scratch),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn two_parties_open_what_the_model_says_within_the_noise() {
        let workload = OpeningWorkload {
            users: 4_000,
            links_per_user: 5,
            columns: 12,
            degree_bound: 4_096,
            mu: 1.0,
        };
        let scratch = tempfile::tempdir().unwrap();
        let (listener, path) = (
            TcpListener::bind("127.0.0.1:0").unwrap(),
            scratch.path().to_owned(),
        );
        let address = listener.local_addr().unwrap();
        let social = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            run_party(Party::Social, &workload, &stream, &path).unwrap()
        });
        let stream = TcpStream::connect(address).unwrap();
        let rating = run_party(Party::Rating, &workload, &stream, scratch.path()).unwrap();
        let record = OpeningRecord::new(workload, [rating, social.join().unwrap()]).unwrap();
        let sizes = workload.parameters().unwrap().sizes();
        // The opening's name besides.
        assert_eq!(record.bytes, sizes.total() as u64 + 72);
        let ratio = record.parties[0].noise_ratio;
        assert!((0.99..1.02).contains(&ratio), "{ratio}");
        let pairs = record.parties[1].pairs;
        assert!((18_000..=20_000).contains(&pairs), "{pairs}");
    }
}
