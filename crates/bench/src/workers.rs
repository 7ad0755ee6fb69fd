//! The packs of one opening in this process and by workers, in one run: the same bytes, and what
//! either takes here.

use std::time::Instant;

use s3rec_algebra::Seed;
use s3rec_spmm::noise_first::{
    self, Opening, PackMakers, Prepared, RatingKeys, Rows, SocialKeys, Split, Upload,
};
use serde::{Deserialize, Serialize};

use crate::scale::opening::{OpeningWorkload, seeds};
use crate::{BenchError, memory};

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkersRecord {
    /// What was opened.
    pub workload: OpeningWorkload,
    /// Of the cluster.
    pub workers: usize,
    /// Packs of the opening.
    pub packs: usize,
    /// Links among the users, each pair once.
    pub pairs: u64,
    /// Wall and processor seconds of this process where it makes the packs by itself.
    pub alone_seconds: f64,
    /// See there.
    pub alone_core_seconds: f64,
    /// Wall seconds where workers make them, and processor seconds of this process meanwhile.
    pub spread_seconds: f64,
    /// See there.
    pub spread_core_seconds: f64,
    /// Whether a-parts and answers of both are the same bytes.
    pub is_equal: bool,
}

/// Every size that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkersReport {
    /// One for each number of users.
    pub records: Vec<WorkersRecord>,
}

/// Makes one opening's packs both ways under the same keys and seeds, and answers the same upload.
///
/// # Errors
/// A workload without parameters; what the workers report.
pub fn measure(
    workload: OpeningWorkload,
    workers: usize,
    makers: &dyn PackMakers,
) -> Result<WorkersRecord, BenchError> {
    let parameters = workload.parameters()?;
    let everybody: Vec<u32> = (0..workload.users).collect();
    let friends = workload.friends(&everybody)?;
    let seeds = seeds();
    let rating = RatingKeys::generate(&parameters, &seeds, &Seed::generate()?)?;
    let social = SocialKeys::accept(&parameters, &seeds, rating.message())?;
    let opening = Opening {
        number: 1,
        mask_seed: Seed::generate()?.derive_public("bench workers", &[]),
    };
    let (digest, split) = ([0; 32], Split::two_sided(workload.users));
    let key = Seed::generate()?;
    let timed = |made: &dyn Fn() -> Result<Prepared, BenchError>| {
        let (began, before) = (Instant::now(), memory::core_seconds());
        let prepared = made()?;
        let seconds = began.elapsed().as_secs_f64();
        Ok::<_, BenchError>((prepared, seconds, memory::core_seconds() - before))
    };
    let (alone, alone_seconds, alone_core_seconds) = timed(&|| {
        Ok(Prepared::new(
            &social, &digest, &split, &opening, &friends, &key,
        )?)
    })?;
    let (spread, spread_seconds, spread_core_seconds) = timed(&|| {
        Ok(Prepared::new_by(
            makers, &social, &digest, &split, &opening, &friends, &key,
        )?)
    })?;
    let job = rating.job(&digest, &split, &opening)?;
    let rows = Rows::encode(&parameters, &workload.rows(&everybody)?)?;
    let upload = Upload::encrypt(&rating, &job, &rows, &Seed::generate()?)?;
    let masks_are_equal = alone.masks() == spread.masks();
    // What does not leave before it is noised is compared by what does.
    let [alone, spread] = [alone, spread].map(|prepared| noise_first::answer(prepared, &upload));
    let degrees = (0..workload.users).map(|user| friends.of(user).len() as u64);
    Ok(WorkersRecord {
        workload,
        workers,
        packs: parameters.packs(),
        pairs: degrees.sum::<u64>() / 2,
        alone_seconds,
        alone_core_seconds,
        spread_seconds,
        spread_core_seconds,
        is_equal: masks_are_equal && alone?.bytes() == spread?.bytes(),
    })
}
