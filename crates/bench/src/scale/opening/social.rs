//! P1: links, keys, the a-parts, the answer.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use s3rec_algebra::Seed;
use s3rec_spmm::noise_first::{
    SocialAnswer, SocialKeySetup, SocialKeys, SocialPrepare, SocialSession, Split,
};

use super::connection::Meter;
use super::record::OnDisk;
use super::{OpeningParty, OpeningWorkload, seeds};
use crate::BenchError;
use crate::psi::Party;

pub(super) fn run(
    workload: &OpeningWorkload,
    stream: &TcpStream,
    scratch: &Path,
) -> Result<OpeningParty, BenchError> {
    let parameters = workload.parameters()?;
    let record = OnDisk::new(scratch);
    let mut meter = Meter::new(stream);
    let friends = meter.phase("links", |_| workload.friends())?;
    let keys = meter.phase("keys", |connection| {
        let mut receiving = SocialKeySetup::new(&parameters, &seeds())?;
        connection.drive(&mut receiving)?;
        let message = receiving.into_message()?;
        record.write("social-keys", &message)?;
        Ok(SocialKeys::accept(&parameters, &seeds(), &message)?)
    })?;
    let pairs = (0..workload.users).map(|user| friends.of(user).len() as u64);
    let pairs = pairs.sum::<u64>() / 2;
    let prepared = meter.phase("prepare", |connection| {
        let session = SocialSession {
            keys: Arc::new(keys),
            users_digest: [5; 32],
            split: Split::two_sided(workload.users),
            key: Seed::generate()?,
            makers: None,
        };
        let mut preparing = SocialPrepare::new(session, &friends, record.clone())?;
        drop(friends);
        connection.drive(&mut preparing)?;
        Ok(preparing.into_prepared()?)
    })?;
    meter.phase("answer", |connection| {
        connection.drive(&mut SocialAnswer::new(prepared, record.clone())?)
    })?;
    Ok(OpeningParty {
        pairs,
        ..meter.finish(Party::Social)
    })
}
