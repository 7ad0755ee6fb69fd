//! A platform's users: its list read and committed to, and who of them the other has.

use std::path::Path;

use s3rec_data::{IdTable, Roster, RosterOptions};
use s3rec_psi::{Common, PsiSession, Sizes};

use super::OpeningWorkload;
use super::connection::{Connection, Meter};
use super::drawn::RosterText;
use crate::BenchError;
use crate::psi::{Party, vole};

/// Two phases: `roster` and `commit`.
pub(super) fn import(
    meter: &mut Meter<'_>,
    workload: &OpeningWorkload,
    party: Party,
    commit: &dyn Fn(&IdTable) -> [u8; 32],
) -> Result<IdTable, BenchError> {
    let ids = meter.phase("roster", |_| {
        let text = RosterText::new(workload, party);
        let name = Path::new("users.csv");
        Ok(Roster::read_from(name, text, &RosterOptions::default())?.users)
    })?;
    let commitment = meter.phase("commit", |_| Ok(commit(&ids)))?;
    std::hint::black_box(commitment);
    Ok(ids)
}

/// Both find out whom they have in common, here everybody.
pub(super) fn intersect(
    connection: &mut Connection<'_>,
    ids: &IdTable,
    party: Party,
) -> Result<Common, BenchError> {
    // Fixed halves: only a benchmark may repeat a session, its secrets are fresh.
    let session = PsiSession::new(&[0; 16], &[1; 32], &[2; 32], "nfc-trim");
    let count = ids.len() as u64;
    let sizes = Sizes::new(count, count)?;
    connection.with_messages(|wire, reader| match party {
        Party::Rating => vole::rating(&session, sizes, ids, wire, reader),
        Party::Social => vole::social(&session, sizes, ids, wire, reader),
    })
}
