//! P0: keys, the opening's name, its rows, the sums.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use s3rec_algebra::Seed;
use s3rec_spmm::noise_first::{
    self, Opening, Parameters, RatingAnswer, RatingKeySetup, RatingKeys, RatingPrepare, Rows,
    Split, Upload,
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
    let keys = meter.phase("keys", |connection| {
        let keys = RatingKeys::generate(&parameters, &seeds(), &Seed::generate()?)?;
        connection.drive(&mut RatingKeySetup::new(&keys)?)?;
        Ok(Arc::new(keys))
    })?;
    let opening = Opening {
        number: 1,
        mask_seed: Seed::generate()?.derive_public("bench", &[]),
    };
    let split = Split::two_sided(workload.users);
    let job = keys.job(&[5; 32], &split, &opening)?;
    drop(split);
    let masks = meter.phase("masks", |connection| {
        let mut preparing = RatingPrepare::new(&parameters, &job)?;
        connection.drive(&mut preparing)?;
        Ok(preparing.into_masks()?)
    })?;
    // What a platform's own model gives: not what is measured.
    let rows = workload.rows()?;
    let upload = meter.phase("rows", |_| {
        let encoded = Rows::encode(&parameters, &rows)?;
        drop(rows);
        let upload = Upload::encrypt(&keys, &job, &encoded, &Seed::generate()?)?;
        record.write("rating-masks", &masks)?;
        record.write("rating-rows", upload.bytes())?;
        Ok(upload)
    })?;
    let answered = meter.phase("answer", |connection| {
        let mut answering = RatingAnswer::new(&keys, &upload, masks)?;
        drop(upload);
        connection.drive(&mut answering)?;
        Ok(answering)
    })?;
    let sums = meter.phase("decode", |_| Ok(answered.into_sums()?))?;
    let measured = meter.finish(Party::Rating);
    let noise_ratio = noise_ratio(workload, &parameters, sums.values())?;
    Ok(OpeningParty {
        noise_ratio,
        ..measured
    })
}

/// After everything is measured: the same links and rows once more, in the clear.
fn noise_ratio(
    workload: &OpeningWorkload,
    parameters: &Parameters,
    opened: &[f64],
) -> Result<f64, BenchError> {
    let columns = workload.columns as usize;
    let friends = workload.friends()?;
    let rows = Rows::encode(parameters, &workload.rows()?)?.as_encoded(parameters);
    let mut clear = vec![0.0; rows.len()];
    clear
        .par_chunks_mut(columns)
        .zip(0..workload.users)
        .for_each(|(sums, user)| {
            for &friend in friends.of(user) {
                let row = &rows[friend as usize * columns..][..columns];
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
        });
    Ok(noise_first::deviation(parameters, opened, &clear))
}
