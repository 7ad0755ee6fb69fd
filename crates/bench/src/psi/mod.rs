//! Private set intersection between two processes over a loopback connection, in both forms.
//!
//! Each party runs in a process of its own, so that its largest resident set and its processor
//! time are its own. Ids are `user-…@example.org`, held as an id table holds them.

use std::io::BufReader;
use std::net::TcpStream;
use std::time::Instant;

use s3rec_data::IdTable;
use s3rec_psi::{Common, PsiSession, Sizes};
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::memory::{core_seconds, peak_bytes};

mod ecdh;
pub(crate) mod vole;
pub(crate) mod wire;

use wire::Wire;

/// Which ids the two parties have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Ids of each party.
    pub users: u32,
    /// How many both have.
    pub common: u32,
}

/// Which form of the intersection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Diffie-Hellman on ristretto255: `s3rec_psi`.
    Ecdh,
    /// Small VOLEs: `s3rec_psi::vole`.
    Vole,
}

impl Protocol {
    /// As written on the command line and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecdh => "ecdh",
            Self::Vole => "vole",
        }
    }
}

/// Which party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// P0.
    Rating,
    /// P1.
    Social,
}

impl Party {
    /// As people are told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rating => "rating",
            Self::Social => "social",
        }
    }
}

/// What one party measured of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartyRecord {
    /// Which.
    pub party: Party,
    /// From both being connected to the common ids being known here.
    pub seconds: f64,
    /// Processor seconds of all threads in that time, in ticks of 10 ms.
    pub core_seconds: f64,
    /// Bytes sent, with the five of framing each message has.
    pub sent_bytes: u64,
    /// Largest resident set of its process, ids included.
    pub peak_rss_bytes: u64,
    /// Common ids found.
    pub common: u64,
    /// Whether they are exactly those that both have.
    pub exact: bool,
    /// The order of the common ids, named alike on both sides.
    pub digest: [u8; 32],
}

/// Every form that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PsiReport {
    /// Ids of each party.
    pub users: u64,
    /// How many both have.
    pub common: u64,
    /// One for each form.
    pub records: Vec<PsiRecord>,
}

/// A whole run of one form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PsiRecord {
    /// Which.
    pub protocol: Protocol,
    /// Whether both found exactly the common ids, in one order.
    pub exact: bool,
    /// The slower party's seconds.
    pub seconds: f64,
    /// Processor seconds of both parties together.
    pub core_seconds: f64,
    /// Bytes both ways together.
    pub bytes: u64,
    /// Bytes for each id of both sets together.
    pub bytes_per_id: f64,
    /// Bytes for each id of one set.
    pub bytes_per_id_of_one_set: f64,
    /// The larger of the parties' largest resident sets.
    pub peak_rss_bytes: u64,
    /// P0, P1.
    pub parties: [PartyRecord; 2],
}

impl PsiRecord {
    /// The record of what both parties measured.
    #[must_use]
    pub fn new(protocol: Protocol, workload: Workload, parties: [PartyRecord; 2]) -> Self {
        let bytes = parties.iter().map(|party| party.sent_bytes).sum::<u64>();
        let of_one = bytes as f64 / f64::from(workload.users.max(1));
        Self {
            protocol,
            exact: parties.iter().all(|party| party.exact)
                && parties[0].digest == parties[1].digest,
            seconds: parties[0].seconds.max(parties[1].seconds),
            core_seconds: parties.iter().map(|party| party.core_seconds).sum(),
            bytes,
            bytes_per_id: of_one / 2.0,
            bytes_per_id_of_one_set: of_one,
            peak_rss_bytes: parties[0].peak_rss_bytes.max(parties[1].peak_rss_bytes),
            parties,
        }
    }
}

/// Runs one party over a connection to the other.
///
/// # Errors
/// [`BenchError`] of the protocol or the connection.
pub fn run_party(
    protocol: Protocol,
    party: Party,
    workload: Workload,
    stream: &TcpStream,
) -> Result<PartyRecord, BenchError> {
    stream.set_nodelay(true).map_err(BenchError::Connection)?;
    let Workload { users, common } = workload;
    let first = match party {
        Party::Rating => 0,
        Party::Social => users - common.min(users),
    };
    let ids: IdTable = (first..first + users)
        .map(|user| format!("user-{user:08}@example.org"))
        .collect();
    let (began, before) = (Instant::now(), core_seconds());
    // Fixed halves: only a benchmark may repeat a session, its secrets are fresh.
    let session = PsiSession::new(&[0; 16], &[1; 32], &[2; 32], "nfc-trim");
    let sizes = Sizes::new(users.into(), users.into())?;
    let (wire, mut reader) = (Wire::new(stream), BufReader::new(stream));
    let found = match (protocol, party) {
        (Protocol::Ecdh, Party::Rating) => ecdh::rating(&session, sizes, &ids, &wire, stream),
        (Protocol::Ecdh, Party::Social) => ecdh::social(&session, sizes, &ids, &wire, stream),
        (Protocol::Vole, Party::Rating) => vole::rating(&session, sizes, &ids, &wire, &mut reader),
        (Protocol::Vole, Party::Social) => vole::social(&session, sizes, &ids, &wire, &mut reader),
    }?;
    Ok(PartyRecord {
        party,
        seconds: began.elapsed().as_secs_f64(),
        core_seconds: core_seconds() - before,
        sent_bytes: wire.sent(),
        peak_rss_bytes: peak_bytes(),
        common: found.rows.len() as u64,
        exact: is_exact(&found, party, workload),
        digest: found.digest,
    })
}

/// P0's common ids are its last ones, P1's its first.
fn is_exact(found: &Common, party: Party, workload: Workload) -> bool {
    let mut rows = found.rows.clone();
    rows.sort_unstable();
    let Workload { users, common } = workload;
    match party {
        Party::Rating => rows.into_iter().eq(users - common.min(users)..users),
        Party::Social => rows.into_iter().eq(0..common.min(users)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use s3rec_psi::vole::Layout;

    use super::*;

    #[test]
    fn two_parties_over_a_connection_are_exact_and_counted() {
        let sizes = Sizes::new(9_000, 9_000).unwrap();
        let layout = Layout::new(sizes);
        for (protocol, payload) in [
            (
                Protocol::Ecdh,
                sizes.bytes_to_social() + sizes.bytes_to_rating(),
            ),
            (
                Protocol::Vole,
                layout.bytes_to_social() + layout.bytes_to_rating(),
            ),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let workload = Workload {
                users: 9_000,
                common: 700,
            };
            let social = thread::spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                run_party(protocol, Party::Social, workload, &stream).unwrap()
            });
            let stream = TcpStream::connect(address).unwrap();
            let rating = run_party(protocol, Party::Rating, workload, &stream).unwrap();
            let record = PsiRecord::new(protocol, workload, [rating, social.join().unwrap()]);
            assert!(
                record.exact && record.parties[1].common == 700,
                "{record:?}"
            );
            assert!(record.bytes > payload && record.bytes < payload + 100);
        }
    }
}
