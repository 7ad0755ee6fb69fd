//! The noised sums: P1 adds the friends' bodies and η, at full precision, before anything is
//! rounded; P0 takes off a·s_c.

use rayon::prelude::*;
use s3rec_algebra::{RealMatrix, Stream};
use s3rec_lattice::Polynomial;
use s3rec_lattice::gaussian::Wide;
use s3rec_lattice::modulus;
use s3rec_lattice::transform::transform;
use zeroize::Zeroizing;

use super::error::in_message;
use super::keys::times;
use super::prepare::LeftOut;
use super::{NoiseFirstError, Parameters, Prepared, RatingKeys, Upload};

/// An answer, which is counted before it leaves and sent again from storage, never computed
/// anew.
pub struct Noised {
    bytes: Vec<u8>,
}

impl Noised {
    /// One that was stored.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// |O|·C codes, rows in their order.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, to be sent.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// P1's answer to an upload. It uses up what was prepared: one a-part meets one answer, for the
/// links, the parameters and the job that it was made of; after an error the opening is void. The
/// codes are made of noised values alone, so that no coefficient without noise can get among them.
///
/// Its time depends on links and noise: nothing of it may leave before a public time.
///
/// # Errors
/// [`NoiseFirstError::Message`] for an upload of another form, [`NoiseFirstError::OtherJob`] for
/// one of another job.
pub fn answer(prepared: Prepared, upload: &Upload) -> Result<Noised, NoiseFirstError> {
    answer_with(&prepared, upload, LeftOut::default())
}

/// As [`answer`]; tests that measure what noise hides leave it out.
pub(crate) fn answer_with(
    prepared: &Prepared,
    upload: &Upload,
    left_out: LeftOut,
) -> Result<Noised, NoiseFirstError> {
    prepared.expect(upload)?;
    let parameters = &prepared.parameters;
    let columns = parameters.columns();
    let count = parameters.uploaded() * columns;
    let bodies = parameters.upload_code.unpack(upload.codes(), count);
    let bodies = bodies.map_err(in_message("the upload"))?;
    let of_pack = parameters.places() * columns;
    let upload_digest = upload.digest();
    let mut bytes = vec![0; parameters.sizes().bodies];
    // A pack's codes begin and end at whole bytes: it has a power of two of rows, 32 at least.
    bytes
        .par_chunks_mut(parameters.body_code.packed_bytes(of_pack))
        .zip(prepared.bodies.par_chunks(of_pack))
        .enumerate()
        .try_for_each(|(pack, (bytes, prepared_bodies))| {
            // Without noise they are the exact sums to whoever has the secrets.
            let mut values = Zeroizing::new(prepared_bodies.to_vec());
            let mut noise = noise(prepared, upload_digest, pack);
            for (place, values) in values.chunks_mut(columns).enumerate() {
                for &friend in prepared.block.row(pack * parameters.places() + place) {
                    let row = &bodies[friend as usize * columns..][..columns];
                    for (sum, &body) in values.iter_mut().zip(row) {
                        *sum = modulus::add(*sum, body);
                    }
                }
                for value in values {
                    let eta = if left_out.noise() { 0 } else { noise.sample() };
                    *value = modulus::add(*value, modulus::residue(eta));
                }
            }
            parameters.body_code.pack_into(&mut values, bytes)
        })
        .map_err(in_message("the answer"))?;
    Ok(Noised { bytes })
}

/// η of a pack, row by row.
fn noise(prepared: &Prepared, upload_digest: &[u8; 32], pack: usize) -> Wide {
    let seed = prepared.randomness.noise(upload_digest, pack as u64);
    Wide::new(prepared.parameters.noise_bits(), Stream::new(&seed))
}

/// P0's result: |O| × C noised sums, in units of x.
///
/// # Errors
/// [`NoiseFirstError::Message`] for a-parts or bodies of another form.
pub fn decode(
    keys: &RatingKeys,
    masks: &[u8],
    bodies: &[u8],
) -> Result<RealMatrix, NoiseFirstError> {
    let parameters = keys.parameters();
    let (columns, places) = (parameters.columns(), parameters.places());
    let blame = in_message("the a-parts");
    let mask_bytes = parameters.sizes().masks;
    if masks.len() != mask_bytes {
        let (expected, actual) = (mask_bytes, masks.len());
        return Err(blame(s3rec_lattice::LatticeError::Length {
            expected,
            actual,
        }));
    }
    let blame_answer = in_message("the answer");
    let (expected, actual) = (parameters.sizes().bodies, bodies.len());
    if expected != actual {
        return Err(blame_answer(s3rec_lattice::LatticeError::Length {
            expected,
            actual,
        }));
    }
    let scale = parameters.scale();
    let of_pack = places * columns;
    let mut values = vec![0.0; parameters.opened() * columns];
    values
        .par_chunks_mut(of_pack)
        .zip(masks.par_chunks(parameters.mask_code.packed_bytes(s3rec_lattice::DEGREE)))
        .zip(bodies.par_chunks(parameters.body_code.packed_bytes(of_pack)))
        .try_for_each(|((values, mask), bodies)| {
            let residues = parameters.mask_code.unpack(mask, s3rec_lattice::DEGREE);
            let residues = residues.map_err(&blame)?;
            let mask = Polynomial::from_residues(&residues).map_err(&blame)?;
            let bodies = parameters.body_code.unpack(bodies, values.len());
            let bodies = bodies.map_err(&blame_answer)?;
            let mut points = Polynomial::zero();
            transform().forward(&mask, &mut points);
            for (index, secret) in keys.secrets.iter().enumerate() {
                let hidden = times(&points, secret);
                let first = index * parameters.slots;
                for column in first..columns.min(first + parameters.slots) {
                    for (place, row) in bodies.chunks(columns).enumerate() {
                        let hidden = hidden.centred(place + places * (column - first));
                        let value = modulus::subtract(row[column], modulus::residue(hidden));
                        values[place * columns + column] = modulus::centred(value) as f64 / scale;
                    }
                }
            }
            Ok::<_, NoiseFirstError>(())
        })?;
    Ok(RealMatrix::from_vec(parameters.opened(), columns, values)?)
}

/// What rounding and key switching leave in the sums: the standard deviation, in units of σ, of
/// an opening from the clear sums and its own η. For whoever holds both platforms' secrets, as
/// tests and benchmarks do; neither η nor the sums without it leave this function.
///
/// # Errors
/// Those of [`answer`] and [`decode`].
pub fn measure_residual(
    keys: &RatingKeys,
    prepared: Prepared,
    upload: &Upload,
    clear: &[f64],
) -> Result<f64, NoiseFirstError> {
    let parameters = keys.parameters();
    let of_pack = parameters.places() * parameters.columns();
    let mut expected = Zeroizing::new(clear.to_vec());
    let upload_digest = upload.digest();
    for (pack, expected) in expected.chunks_mut(of_pack).enumerate() {
        let mut noise = noise(&prepared, upload_digest, pack);
        for value in expected {
            *value += noise.sample() as f64 / parameters.scale();
        }
    }
    let masks = prepared.masks().to_vec();
    let noised = answer(prepared, upload)?;
    let opened = decode(keys, &masks, noised.bytes())?;
    Ok(deviation(parameters, opened.values(), &expected))
}

/// Standard deviation of an opening from the clear sums, in units of σ.
#[must_use]
pub fn deviation(parameters: &Parameters, opened: &[f64], clear: &[f64]) -> f64 {
    let squares = opened.iter().zip(clear).map(|(a, b)| (a - b).powi(2));
    (squares.sum::<f64>() / opened.len().max(1) as f64).sqrt() / parameters.sigma()
}
