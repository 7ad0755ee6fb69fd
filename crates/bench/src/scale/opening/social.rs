//! P1: its links, keys, the a-parts, the answer.

use std::path::Path;
use std::sync::Arc;

use s3rec_algebra::Seed;
use s3rec_data::IdTable;
use s3rec_spmm::noise_first::{
    SocialAnswer, SocialKeySetup, SocialKeys, SocialPrepare, SocialSession, Split,
};

use super::connection::Meter;
use super::record::OnDisk;
use super::{INTERSECTION, OpeningParty, OpeningWorkload, drawn, roster, seeds};
use crate::BenchError;
use crate::psi::Party;

pub(super) fn run(
    workload: &OpeningWorkload,
    mut meter: Meter<'_>,
    ids: IdTable,
    scratch: &Path,
) -> Result<OpeningParty, BenchError> {
    let parameters = workload.parameters()?;
    let record = OnDisk::new(scratch);
    let common = meter.phase(INTERSECTION, |connection| {
        roster::intersect(connection, &ids, Party::Social)
    })?;
    drop(ids);
    let friends = meter.phase("links", |_| {
        let users = workload.users;
        let rows = common.rows.iter();
        let numbers = rows.map(|&row| drawn::number(Party::Social, users, row));
        workload.friends(&drawn::places(users, numbers))
    })?;
    let keys = meter.phase("keys", |connection| {
        let mut receiving = SocialKeySetup::new(&parameters, &seeds())?;
        connection.drive(&mut receiving)?;
        let message = receiving.into_message()?;
        record.write("social-keys", &message)?;
        Ok(SocialKeys::accept(&parameters, &seeds(), &message)?)
    })?;
    let degrees = (0..workload.users).map(|user| friends.of(user).len() as u64);
    let pairs = degrees.clone().sum::<u64>() / 2;
    let most_friends = degrees.max().unwrap_or(0);
    let prepared = meter.phase("prepare", |connection| {
        let session = SocialSession {
            keys: Arc::new(keys),
            users_digest: common.digest,
            split: Split::two_sided(workload.users),
            key: Seed::generate()?,
            makers: None,
        };
        let block = friends.into_block(&session.split)?;
        let mut preparing = SocialPrepare::of_block(session, block, record.clone())?;
        connection.drive(&mut preparing)?;
        Ok(preparing.into_prepared()?)
    })?;
    meter.phase("answer", |connection| {
        connection.drive(&mut SocialAnswer::new(prepared, record.clone())?)
    })?;
    Ok(OpeningParty {
        pairs,
        most_friends,
        ..meter.finish(Party::Social)
    })
}
