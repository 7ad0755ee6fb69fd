//! Private set intersection between two processes over a loopback connection.
//!
//! Each party runs in a process of its own, so that its largest resident set is its own. Ids are
//! `user-…@example.org`, held as an id table holds them.

use std::io::{BufReader, BufWriter, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use s3rec_data::IdTable;
use s3rec_psi::{
    Common, MAX_CHUNK_BYTES, Masking, RatingMatching, Sent, Session, Sizes, SocialAnswering,
    SocialWaiting, rating, social,
};
use serde::{Deserialize, Serialize};

use crate::BenchError;
use crate::memory::peak_bytes;

/// Which ids the two parties have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Ids of each party.
    pub users: u32,
    /// How many both have.
    pub common: u32,
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

/// What one party measured of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartyRecord {
    /// Which.
    pub party: Party,
    /// From both being connected to the common ids being known here.
    pub seconds: f64,
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

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PsiReport {
    /// Ids of each party.
    pub users: u64,
    /// How many both have.
    pub common: u64,
    /// Whether both found exactly those, in one order.
    pub exact: bool,
    /// The slower party's seconds.
    pub seconds: f64,
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

impl PsiReport {
    /// The report on what both parties measured.
    #[must_use]
    pub fn new(workload: Workload, parties: [PartyRecord; 2]) -> Self {
        let bytes = parties.iter().map(|party| party.sent_bytes).sum::<u64>();
        let users = u64::from(workload.users);
        let of_one = bytes as f64 / users.max(1) as f64;
        Self {
            users,
            common: u64::from(workload.common),
            exact: parties.iter().all(|party| party.exact)
                && parties[0].digest == parties[1].digest,
            seconds: parties[0].seconds.max(parties[1].seconds),
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
    let began = Instant::now();
    // Fixed halves: only a benchmark may repeat a session, its scalars are fresh.
    let session = Session::new(&[0; 16], &[1; 32], &[2; 32], "nfc-trim");
    let sizes = Sizes::new(users.into(), users.into())?;
    let wire = Wire::new(stream);
    let found = match party {
        Party::Rating => run_rating(rating::begin(&session, sizes, ids.names())?, &wire, stream)?,
        Party::Social => run_social(social::begin(&session, sizes, ids.names())?, &wire, stream)?,
    };
    let seconds = began.elapsed().as_secs_f64();
    Ok(PartyRecord {
        party,
        seconds,
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

fn run_rating(
    (masking, mut matching): (Masking, RatingMatching),
    wire: &Wire<'_>,
    stream: &TcpStream,
) -> Result<Common, BenchError> {
    thread::scope(|scope| {
        let sending = scope.spawn(|| send_masked(masking, wire));
        let mut reader = BufReader::new(stream);
        while !matching.is_complete() {
            matching = match receive(&mut reader)? {
                (Kind::Points, bytes) => matching.take_points(&bytes)?,
                (Kind::Labels, bytes) => matching.take_labels(&bytes)?,
                (Kind::Claims, _) => return Err(torn()),
            };
        }
        let sent = joined(sending.join())?;
        let (common, claims) = matching.finish(sent)?;
        for chunk in claims.chunks() {
            wire.send(Kind::Claims, chunk)?;
        }
        Ok(common)
    })
}

fn run_social(
    (masking, mut answering): (Masking, SocialAnswering),
    wire: &Wire<'_>,
    stream: &TcpStream,
) -> Result<Common, BenchError> {
    thread::scope(|scope| {
        let sending = scope.spawn(|| send_masked(masking, wire));
        let mut reader = BufReader::new(stream);
        while !answering.is_complete() {
            let (Kind::Points, bytes) = receive(&mut reader)? else {
                return Err(torn());
            };
            let labels;
            (answering, labels) = answering.answer(&bytes)?;
            wire.send(Kind::Labels, &labels)?;
        }
        let mut waiting: SocialWaiting = answering.finish()?;
        let sent = joined(sending.join())?;
        while !waiting.is_complete() {
            let (Kind::Claims, bytes) = receive(&mut reader)? else {
                return Err(torn());
            };
            waiting = waiting.take_claims(&bytes)?;
        }
        Ok(waiting.finish(sent)?)
    })
}

fn send_masked(mut masking: Masking, wire: &Wire<'_>) -> Result<Sent, BenchError> {
    while let Some(points) = masking.next_chunk() {
        wire.send(Kind::Points, &points)?;
    }
    Ok(masking.finish()?)
}

fn joined<T>(result: thread::Result<Result<T, BenchError>>) -> Result<T, BenchError> {
    result.unwrap_or_else(|_| Err(torn()))
}

/// What a message holds.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Points = 1,
    Labels = 2,
    Claims = 3,
}

/// This party's side of the connection; both of its threads write whole messages.
struct Wire<'a>(Mutex<(BufWriter<&'a TcpStream>, u64)>);

impl<'a> Wire<'a> {
    fn new(stream: &'a TcpStream) -> Self {
        Self(Mutex::new((BufWriter::new(stream), 0)))
    }

    fn send(&self, kind: Kind, bytes: &[u8]) -> Result<(), BenchError> {
        let length = u32::try_from(bytes.len()).map_err(|_| torn())?;
        let mut wire = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = wire
            .0
            .write_all(&[kind as u8])
            .and_then(|()| wire.0.write_all(&length.to_le_bytes()))
            .and_then(|()| wire.0.write_all(bytes))
            .and_then(|()| wire.0.flush());
        written.map_err(BenchError::Connection)?;
        wire.1 += 5 + bytes.len() as u64;
        Ok(())
    }

    fn sent(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

fn receive(reader: &mut impl Read) -> Result<(Kind, Vec<u8>), BenchError> {
    let mut head = [0; 5];
    reader
        .read_exact(&mut head)
        .map_err(BenchError::Connection)?;
    let [kind, length @ ..] = head;
    let kind = match kind {
        1 => Kind::Points,
        2 => Kind::Labels,
        3 => Kind::Claims,
        _ => return Err(torn()),
    };
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_CHUNK_BYTES {
        return Err(torn());
    }
    let mut bytes = vec![0; length];
    reader
        .read_exact(&mut bytes)
        .map_err(BenchError::Connection)?;
    Ok((kind, bytes))
}

fn torn() -> BenchError {
    BenchError::Connection(std::io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn two_parties_over_a_connection_are_exact_and_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let workload = Workload {
            users: 9_000,
            common: 700,
        };
        let social = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            run_party(Party::Social, workload, &stream).unwrap()
        });
        let stream = TcpStream::connect(address).unwrap();
        let rating = run_party(Party::Rating, workload, &stream).unwrap();
        let report = PsiReport::new(workload, [rating, social.join().unwrap()]);
        assert!(
            report.exact && report.parties[1].common == 700,
            "{report:?}"
        );
        let sizes = Sizes::new(9_000, 9_000).unwrap();
        let payload = sizes.bytes_to_social() + sizes.bytes_to_rating();
        assert!(report.bytes > payload && report.bytes < payload + 100);
    }
}
