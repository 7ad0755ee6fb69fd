//! `noise-first`: one noised opening of friends' sums, both platforms in one process, everybody's
//! row uploaded and answered.

use std::time::Instant;

use s3rec_algebra::{PublicSeed, RealMatrix, Seed};
use s3rec_sparse::ladder;
use s3rec_spmm::MAX_FRAME_BYTES;
use s3rec_spmm::noise_first::{
    self, Friends, NoiseFirstError, Opening, Prepared, RatingKeys, Rows, SessionSeeds, Sides,
    SocialKeys, Split, Terms, Upload,
};

use crate::products::ProductsOptions;
use crate::record::{CoreSeconds, NoiseRecord, PhaseRecord, ProductRecord};
use crate::workload::Workload;
use crate::{BenchError, memory};

/// Wall and processor seconds of one party.
#[derive(Default)]
struct Spent {
    seconds: f64,
    core_seconds: f64,
}

impl Spent {
    fn on<T>(
        &mut self,
        work: impl FnOnce() -> Result<T, NoiseFirstError>,
    ) -> Result<T, BenchError> {
        let (began, before) = (Instant::now(), memory::thread_seconds());
        let done = work()?;
        self.seconds += began.elapsed().as_secs_f64();
        self.core_seconds += memory::thread_seconds() - before;
        Ok(done)
    }
}

/// Measures one opening at that μ. The keys of the session count as offline.
pub(crate) fn measure(
    workload: &Workload,
    options: &ProductsOptions,
) -> Result<ProductRecord, BenchError> {
    let mu = options.mu;
    memory::reset_peak();
    let users = u32::try_from(workload.users()).unwrap_or(u32::MAX);
    let friends = Friends::from_links(users, workload.social().iter())?;
    let largest = (0..users).map(|user| friends.of(user).len()).max();
    let terms = Terms {
        sides: Sides::Two,
        opened: users,
        uploaded: users,
        columns: u32::try_from(workload.rank()).unwrap_or(u32::MAX),
        row_norm_bound: 1.0,
        // As an operator would state it, who looks at their own data.
        degree_bound: u32::try_from(ladder(largest.unwrap_or(0) as u64)).unwrap_or(u32::MAX),
        mu,
    };
    let parameters = noise_first::choose(terms)?;
    let rows = unit_rows(&workload.factors(0));
    let seeds = SessionSeeds {
        rating: Seed::generate()
            .map_err(NoiseFirstError::from)?
            .derive_public("bench", &[]),
        social: Seed::generate()
            .map_err(NoiseFirstError::from)?
            .derive_public("bench", &[]),
    };
    let (mut rating, mut social) = (Spent::default(), Spent::default());
    let secret = Seed::generate().map_err(NoiseFirstError::from)?;
    let rating_keys = rating.on(|| RatingKeys::generate(&parameters, &seeds, &secret))?;
    let message = rating_keys.message().to_vec();
    let social_keys = social.on(|| SocialKeys::accept(&parameters, &seeds, &message))?;
    let sizes = parameters.sizes();
    let offline = phase(&[sizes.keys], &[], &rating, &social);

    let (mut rating, mut social) = (Spent::default(), Spent::default());
    let opening = Opening {
        number: 1,
        mask_seed: PublicSeed::combine("bench", &[seeds.rating.as_bytes()]),
    };
    let (digest, split) = ([0; 32], Split::two_sided(users));
    let job = rating_keys.job(&digest, &split, &opening)?;
    let key = Seed::generate().map_err(NoiseFirstError::from)?;
    let prepare = || Prepared::new(&social_keys, &digest, &split, &opening, &friends, &key);
    let prepared = social.on(prepare)?;
    let masks = prepared.masks().to_vec();
    let encoded = rating.on(|| Rows::encode(&parameters, &rows))?;
    let errors = Seed::generate().map_err(NoiseFirstError::from)?;
    let encrypt = || Upload::encrypt(&rating_keys, &job, &encoded, &errors);
    let upload = rating.on(encrypt)?;
    let noised = social.on(|| noise_first::answer(prepared, &upload))?;
    let opened = rating.on(|| noise_first::decode(&rating_keys, &masks, noised.bytes()))?;
    let up = [
        opening.mask_seed.as_bytes().len() + size_of_val(&opening.number) + job.digest().len(),
        upload.bytes().len(),
    ];
    let online = phase(&up, &[masks.len(), noised.bytes().len()], &rating, &social);
    let peak_rss_bytes = memory::peak_bytes();

    let clear = clear_sums(&friends, &encoded.as_encoded(&parameters), workload.rank());
    let residual_ratio = noise_first::measure_residual(&rating_keys, prepare()?, &upload, &clear)?;
    let mut squares = noise_first::deviation(&parameters, opened.values(), &clear).powi(2);
    // A small set has too few values to tell a deviation of 1 by: more openings of the same sums,
    // which nothing of the cost above counts.
    let openings = options.noise_values.div_ceil(clear.len().max(1)).max(1);
    for number in 2..=openings as u64 {
        let opening = Opening { number, ..opening };
        let job = rating_keys.job(&digest, &split, &opening)?;
        let prepared = Prepared::new(&social_keys, &digest, &split, &opening, &friends, &key)?;
        let masks = prepared.masks().to_vec();
        let errors = Seed::generate().map_err(NoiseFirstError::from)?;
        let upload = Upload::encrypt(&rating_keys, &job, &encoded, &errors)?;
        let noised = noise_first::answer(prepared, &upload)?;
        let opened = noise_first::decode(&rating_keys, &masks, noised.bytes())?;
        squares += noise_first::deviation(&parameters, opened.values(), &clear).powi(2);
    }
    let measured_ratio = (squares / openings as f64).sqrt();
    Ok(ProductRecord {
        peak_rss_bytes,
        parameters: serde_json::json!(parameters.described()),
        noise: Some(NoiseRecord {
            mu: mu.value(),
            sigma: parameters.sigma(),
            measured_ratio,
            measured_values: (openings * clear.len()) as u64,
            residual_ratio,
        }),
        core_seconds: Some(CoreSeconds {
            rating: rating.core_seconds,
            social: social.core_seconds,
        }),
        ..ProductRecord::new("noise-first", "friends", 1, (offline, online))
    })
}

/// Every row scaled to norm 1, as friends' sums want them.
fn unit_rows(factors: &RealMatrix) -> RealMatrix {
    let mut rows = factors.clone();
    for row in 0..rows.rows() {
        let row = rows.row_mut(row);
        let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > 0.0 {
            row.iter_mut().for_each(|x| *x /= norm);
        }
    }
    rows
}

fn clear_sums(friends: &Friends, rows: &[f64], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; rows.len()];
    for (user, sums) in (0..).zip(sums.chunks_mut(columns)) {
        for &friend in friends.of(user) {
            let row = &rows[friend as usize * columns..][..columns];
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    }
    sums
}

fn phase(up: &[usize], down: &[usize], rating: &Spent, social: &Spent) -> PhaseRecord {
    let bytes = |messages: &[usize]| messages.iter().sum::<usize>() as u64;
    let frames = |messages: &[usize]| {
        messages
            .iter()
            .map(|bytes| bytes.div_ceil(MAX_FRAME_BYTES) as u64)
            .sum::<u64>()
    };
    PhaseRecord {
        seconds: rating.seconds + social.seconds,
        bytes_to_social: bytes(up),
        bytes_to_rating: bytes(down),
        messages: frames(up) + frames(down),
        rating_seconds: rating.seconds,
        social_seconds: social.seconds,
        core_seconds: rating.core_seconds + social.core_seconds,
    }
}
