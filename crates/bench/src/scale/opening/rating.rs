//! P0: keys, the opening's name, its rows, the sums, and what comes of them.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use s3rec_algebra::{RealMatrix, Seed};
use s3rec_data::IdTable;
use s3rec_spmm::noise_first::{
    self, Opening, Parameters, RatingAnswer, RatingKeySetup, RatingKeys, RatingPrepare, Rows,
    Split, Upload,
};

use super::connection::Meter;
use super::record::OnDisk;
use super::{INTERSECTION, OpeningParty, OpeningWorkload, drawn, roster, seeds, serving};
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
        roster::intersect(connection, &ids, Party::Rating)
    })?;
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
    let job = keys.job(&common.digest, &split, &opening)?;
    drop(split);
    let masks = meter.phase("masks", |connection| {
        let mut preparing = RatingPrepare::new(&parameters, &job)?;
        connection.drive(&mut preparing)?;
        Ok(preparing.into_masks()?)
    })?;
    // What a platform's own model gives: not what is measured.
    let rows = workload.rows(&common.rows)?;
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
    let places = drawn::places(workload.users, common.rows.into_iter());
    let sums = serving::by_user(&sums, &places)?;
    let served = serving::serve(&mut meter, workload, &ids, (&sums, parameters.sigma()))?;
    let measured = meter.finish(Party::Rating);
    Ok(OpeningParty {
        noise_ratio: noise_ratio(workload, &parameters, &sums)?,
        served: Some(served),
        ..measured
    })
}

/// After everything is measured: the same links and rows once more, in the clear.
fn noise_ratio(
    workload: &OpeningWorkload,
    parameters: &Parameters,
    opened: &RealMatrix,
) -> Result<f64, BenchError> {
    let columns = workload.columns as usize;
    let numbers: Vec<u32> = (0..workload.users).collect();
    let friends = workload.friends(&numbers)?;
    let rows = Rows::encode(parameters, &workload.rows(&numbers)?)?.as_encoded(parameters);
    let mut clear = vec![0.0; rows.len()];
    clear
        .par_chunks_mut(columns)
        .zip(numbers)
        .for_each(|(sums, user)| {
            for &friend in friends.of(user) {
                let row = &rows[friend as usize * columns..][..columns];
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
        });
    Ok(noise_first::deviation(parameters, opened.values(), &clear))
}
