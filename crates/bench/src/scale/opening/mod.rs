//! A job of friends' sums at any size, each platform in a process of its own over a loopback
//! connection, with what either must have on disk: measured, never predicted.
//!
//! | phase | platform | what |
//! |---|---|---|
//! | `roster`, `commit` | both | a list of users is read, normalised and committed to |
//! | `intersection` | both | whom both have (small VOLEs): everybody |
//! | `links` | P1 | links into rows |
//! | `keys`, `masks`, `rows`, `answer`, `decode` | P0 | its side of the opening |
//! | `keys`, `prepare`, `answer` | P1 | its side of the opening |
//! | `estimates` | P0 | what the sums say of their users, gated |
//! | `lists` | P0 | ten items for everybody |
//!
//! Everybody is opened and uploaded (two-sided): the most that so many users can cost. What would be
//! read from files is drawn as it is read (`drawn`), so that nobody holds it twice. The items'
//! factors are learnt of a sample: training is what `bench lists` measures.

use std::net::TcpStream;

use s3rec_algebra::PublicSeed;
use s3rec_data::IdTable;
use s3rec_spmm::noise_first::guarantee::Mu;
use s3rec_spmm::noise_first::{self, Parameters, SessionSeeds, Sides, Terms};
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::psi::Party;
use connection::Meter;

mod connection;
mod drawn;
pub mod predicted;
mod rating;
mod record;
mod roster;
mod serving;
mod social;

/// The phase of both that is no part of the opening and sends.
const INTERSECTION: &str = "intersection";

/// The phases of the opening.
const OPENING: [&str; 7] = [
    "links", "keys", "masks", "prepare", "rows", "answer", "decode",
];

/// What a party's process does besides.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Commits to a list of users, as a platform does.
    pub commit: &'a dyn Fn(&IdTable) -> [u8; 32],
    /// Is told of every phase when it ends.
    pub told: &'a dyn Fn(&OpeningPhase),
}

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
    /// Items of P0.
    #[serde(default)]
    pub items: u32,
}

/// A stretch of one party's work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpeningPhase {
    /// As in the table above.
    pub name: String,
    /// Wall seconds without those it waited for the other party.
    pub seconds: f64,
    /// Processor seconds of all threads, in ticks of 10 ms.
    pub core_seconds: f64,
    /// Of these, seconds that one thread computed by itself: further cores do not shorten them.
    pub serial_seconds: f64,
    /// Of these, seconds of that thread in which the kernel copied bytes to or from the connection
    /// and the disk: not among the serial ones, a platform moves them beside what it computes.
    #[serde(default)]
    pub moving_seconds: f64,
    /// Payload bytes that it sent.
    #[serde(default)]
    pub sent_bytes: u64,
    /// Largest resident set of its process in this phase.
    #[serde(default)]
    pub peak_rss_bytes: u64,
}

/// What P0 served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Served {
    /// P0's ratings.
    pub ratings: u64,
    /// Users whom the map of sums is learnt of.
    pub calibration: u64,
    /// Whether users without ratings are served by what their friends like.
    pub cold_is_open: bool,
    /// Whether users with few are.
    pub few_is_open: bool,
    /// Users who got a list.
    pub lists: u64,
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
    /// P1's: friends of the user with most; 0 at P0.
    #[serde(default)]
    pub most_friends: u64,
    /// P0's: standard deviation of the opened sums from the clear ones, in units of σ; 0 at P1.
    pub noise_ratio: f64,
    /// P0's: what came of it.
    #[serde(default)]
    pub served: Option<Served>,
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
    /// Payload bytes of the opening both ways, keys included.
    pub bytes: u64,
    /// Bytes of the intersection both ways.
    #[serde(default)]
    pub intersection_bytes: u64,
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
        let all = parties.iter().map(|party| party.sent_bytes).sum::<u64>();
        let phases = parties.iter().flat_map(|party| &party.phases);
        let intersecting = phases.filter(|phase| phase.name == INTERSECTION);
        let intersection_bytes = intersecting.map(|phase| phase.sent_bytes).sum::<u64>();
        let bytes = all - intersection_bytes;
        let values = f64::from(workload.users) * f64::from(workload.columns);
        let named = parameters.described().into_iter();
        Ok(Self {
            workload,
            seconds: parties[0].seconds.max(parties[1].seconds),
            core_seconds: parties.iter().map(OpeningParty::core_seconds).sum(),
            bytes,
            intersection_bytes,
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

    /// Of the opening's phases: from the links or keys to the sums.
    #[must_use]
    pub fn opening_core_seconds(&self) -> f64 {
        let phases = self.phases.iter();
        let opening = phases.filter(|phase| OPENING.contains(&phase.name.as_str()));
        opening.map(|phase| phase.core_seconds).sum()
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
    around: Around<'_>,
) -> Result<OpeningParty, BenchError> {
    stream.set_nodelay(true).map_err(BenchError::Connection)?;
    let mut meter = Meter::new(stream, around.told);
    let ids = roster::import(&mut meter, workload, party, around.commit)?;
    match party {
        Party::Rating => rating::run(workload, meter, ids, scratch),
        Party::Social => social::run(workload, meter, ids, scratch),
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
            items: 300,
        };
        let around = || Around {
            commit: &|ids| [ids.len().to_le_bytes()[0]; 32],
            told: &|phase| assert!(phase.core_seconds >= 0.0),
        };
        let scratch = tempfile::tempdir().unwrap();
        let (listener, path) = (
            TcpListener::bind("127.0.0.1:0").unwrap(),
            scratch.path().to_owned(),
        );
        let address = listener.local_addr().unwrap();
        let social = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            run_party(Party::Social, &workload, &stream, &path, around()).unwrap()
        });
        let stream = TcpStream::connect(address).unwrap();
        let rating = run_party(Party::Rating, &workload, &stream, scratch.path(), around());
        let parties = [rating.unwrap(), social.join().unwrap()];
        let record = OpeningRecord::new(workload, parties).unwrap();
        let (opening, intersection) = predicted::bytes(&workload).unwrap();
        assert_eq!(record.bytes, opening);
        let framing = record.intersection_bytes - intersection;
        assert!(framing < 100, "{framing}");
        // A job of the same size is predicted as it was measured.
        for predicted in predicted::core_seconds(&record, &record).unwrap() {
            assert!((predicted.ratio - 1.0).abs() < 1e-9, "{predicted:?}");
        }
        let served = record.parties[0].served.as_ref().unwrap();
        assert_eq!(served.lists, 4_000);
        // With so few to learn from the gate may stay shut; what opens it is tested in the model.
        assert!(served.calibration > 100, "{served:?}");
        let ratio = record.parties[0].noise_ratio;
        assert!((0.99..1.02).contains(&ratio), "{ratio}");
        let pairs = record.parties[1].pairs;
        // Some links of a small set are drawn more than once.
        assert!((15_000..=20_000).contains(&pairs), "{pairs}");
    }
}
