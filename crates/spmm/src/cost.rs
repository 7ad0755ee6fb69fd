//! What a job will cost: bytes exactly, seconds and memory as estimates, before data moves.
//!
//! A test asserts that predicted and counted bytes and messages are equal.

use serde::{Deserialize, Serialize};

use crate::chunks::Chunks;
use crate::fetch;
use crate::release::Release;
use crate::{ProductParameters, SpmmError, Step};

/// Bytes of the seed that stands for all masks of an upload.
pub(crate) const MASK_SEED_BYTES: usize = 32;

/// Bytes that name a stock and a round.
pub(crate) const OPENING_BYTES: usize = 36;

/// The cost of one phase. Bytes are frame payloads; a link adds its own framing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PhaseCost {
    /// Payload bytes P0 sends.
    pub bytes_to_social: u64,
    /// Payload bytes P1 sends.
    pub bytes_to_rating: u64,
    /// Frames both ways together.
    pub messages: u64,
    /// Estimated seconds of one core at P0.
    pub rating_seconds: f64,
    /// Estimated seconds of one core at P1.
    pub social_seconds: f64,
}

impl PhaseCost {
    /// Bytes both ways together.
    pub fn bytes(&self) -> u64 {
        self.bytes_to_social + self.bytes_to_rating
    }

    /// The cost of doing it `times` times.
    #[must_use]
    pub fn times(&self, times: u32) -> PhaseCost {
        PhaseCost {
            bytes_to_social: self.bytes_to_social * u64::from(times),
            bytes_to_rating: self.bytes_to_rating * u64::from(times),
            messages: self.messages * u64::from(times),
            rating_seconds: self.rating_seconds * f64::from(times),
            social_seconds: self.social_seconds * f64::from(times),
        }
    }

    /// The cost of doing one after the other.
    #[must_use]
    pub fn then(&self, next: &PhaseCost) -> PhaseCost {
        PhaseCost {
            bytes_to_social: self.bytes_to_social + next.bytes_to_social,
            bytes_to_rating: self.bytes_to_rating + next.bytes_to_rating,
            messages: self.messages + next.messages,
            rating_seconds: self.rating_seconds + next.rating_seconds,
            social_seconds: self.social_seconds + next.social_seconds,
        }
    }

    fn carry(&mut self, to_social: bool, chunks: &Chunks) {
        let bytes = chunks.total_bytes() as u64;
        self.messages += chunks.frames() as u64;
        if to_social {
            self.bytes_to_social += bytes;
        } else {
            self.bytes_to_rating += bytes;
        }
    }
}

/// The cost of a whole job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Key setup, and the offline phase of `preprocessed`.
    pub offline: PhaseCost,
    /// One opening.
    pub round: PhaseCost,
    /// All openings.
    pub online: PhaseCost,
}

impl Estimate {
    /// Everything one after the other.
    pub fn total(&self) -> PhaseCost {
        self.offline.then(&self.online)
    }
}

/// Predicts the cost of a job.
///
/// # Errors
/// Those of [`ProductParameters::layout`] and sizes that no frame can carry.
pub fn predict(parameters: &ProductParameters) -> Result<Estimate, SpmmError> {
    let mut key = key_setup(parameters)?;
    if parameters.protocol.fetches_privately() {
        key = key.then(&queries(parameters)?);
    }
    let block = homomorphic_block(parameters)?;
    if parameters.protocol.is_preprocessed() {
        let blocks = parameters.layout()?.blocks;
        let round = masked_round(parameters)?;
        let offline = key.then(&block.times(blocks));
        return Ok(Estimate {
            offline,
            round,
            online: round.times(parameters.rounds),
        });
    }
    Ok(Estimate {
        offline: key,
        round: block,
        online: block.times(parameters.rounds),
    })
}

/// The frames of every exchange, as both endpoints cut them.
pub(crate) struct Sizes;

impl Sizes {
    /// P0's public key: κ bodies of N coefficients at full precision, one item a body.
    pub(crate) fn public_key(parameters: &ProductParameters) -> Result<Chunks, SpmmError> {
        let glwe = parameters.glwe()?;
        Chunks::new(
            Step::PublicKey,
            glwe.public_key_bytes() / glwe.dimension(),
            glwe.dimension(),
        )
    }

    pub(crate) fn mask_seed() -> Result<Chunks, SpmmError> {
        Chunks::new(Step::MaskSeed, MASK_SEED_BYTES, 1)
    }

    /// P1's queries and key-switching keys, once for a job or stock.
    pub(crate) fn queries(parameters: &ProductParameters) -> Result<Chunks, SpmmError> {
        let cost = s3rec_pir::cost(&fetch::pir_parameters(parameters)?);
        Chunks::new(
            Step::Queries,
            1,
            usize::try_from(cost.upload_bytes()).unwrap_or(usize::MAX),
        )
    }

    /// What P1 receives of an upload: N coefficients of 128 − t bits for every row, or the
    /// answers to its queries.
    pub(crate) fn bodies(parameters: &ProductParameters) -> Result<Chunks, SpmmError> {
        if parameters.protocol.fetches_privately() {
            let cost = s3rec_pir::cost(&fetch::pir_parameters(parameters)?);
            return Chunks::new(
                Step::Answers,
                1,
                usize::try_from(cost.answer_bytes).unwrap_or(usize::MAX),
            );
        }
        Sizes::rows(parameters)
    }

    /// All encrypted rows, whether they travel or are fetched from.
    pub(crate) fn rows(parameters: &ProductParameters) -> Result<Chunks, SpmmError> {
        Chunks::new(
            Step::Bodies,
            parameters.glwe()?.upload_bytes_per_row(),
            parameters.uploaded_rows as usize,
        )
    }

    /// Responses: κN coefficients of ℓ + 13 bits, and ℓ + 6 bits for each used slot.
    pub(crate) fn responses(parameters: &ProductParameters) -> Result<Chunks, SpmmError> {
        let layout = parameters.layout()?;
        let item_bytes = parameters
            .glwe()?
            .response_bytes(parameters.ring()?, layout.used_slots());
        let responses = parameters.returned_rows.div_ceil(layout.rows_per_response);
        Chunks::new(Step::Responses, item_bytes, responses as usize)
    }

    /// Which stock and round an opening is of: identity and round.
    pub(crate) fn opening() -> Result<Chunks, SpmmError> {
        Chunks::new(Step::Opening, OPENING_BYTES, 1)
    }

    /// The released bits of one opening's answer, packed over all rows.
    pub(crate) fn released_values(parameters: &ProductParameters) -> Result<Chunks, SpmmError> {
        let values = parameters.returned_rows as usize * parameters.columns as usize;
        let bits = Release::of(parameters)?.released_bits(parameters.ring_bits);
        Chunks::new(Step::MaskedProduct, 1, (values * bits as usize).div_ceil(8))
    }

    /// ℓ-bit values of one opening, packed over all rows.
    pub(crate) fn ring_values(
        parameters: &ProductParameters,
        step: Step,
        rows: u32,
    ) -> Result<Chunks, SpmmError> {
        let values = rows as usize * parameters.columns as usize;
        Chunks::new(
            step,
            1,
            (values * parameters.ring_bits as usize).div_ceil(8),
        )
    }
}

/// P0's public key.
fn key_setup(parameters: &ProductParameters) -> Result<PhaseCost, SpmmError> {
    let work = Work::of(parameters);
    let mut cost = PhaseCost::default();
    cost.carry(true, &Sizes::public_key(parameters)?);
    let dimension = f64::from(parameters.glwe_dimension);
    cost.rating_seconds = dimension * work.encryption();
    cost.social_seconds = dimension * dimension * work.transform() + dimension * work.expansion();
    Ok(cost)
}

/// P1's queries and their expansion (section 3.2).
fn queries(parameters: &ProductParameters) -> Result<PhaseCost, SpmmError> {
    let work = s3rec_pir::cost(&fetch::pir_parameters(parameters)?);
    let mut cost = PhaseCost::default();
    cost.carry(false, &Sizes::queries(parameters)?);
    cost.rating_seconds = work.key_switches as f64 * KEY_SWITCH_SECONDS;
    Ok(cost)
}

/// One upload and its responses (section 3.1).
fn homomorphic_block(parameters: &ProductParameters) -> Result<PhaseCost, SpmmError> {
    let work = Work::of(parameters);
    let responses = Sizes::responses(parameters)?;
    let mut cost = PhaseCost::default();
    cost.carry(true, &Sizes::mask_seed()?);
    cost.carry(true, &Sizes::bodies(parameters)?);
    cost.carry(false, &responses);
    let count = (responses.total_bytes() / responses.item_bytes()) as f64;
    cost.rating_seconds =
        f64::from(parameters.uploaded_rows) * work.encryption() + count * work.decryption();
    let fetched = if parameters.protocol.fetches_privately() {
        let pir = s3rec_pir::cost(&fetch::pir_parameters(parameters)?);
        cost.rating_seconds += pir.products as f64 * SELECTION_SECONDS;
        parameters.fetched_rows_bound
    } else {
        parameters.uploaded_rows
    };
    cost.social_seconds = f64::from(fetched) * work.expansion()
        + parameters.nonzeros_bound as f64 * work.accumulation()
        + count * work.rerandomisation();
    Ok(cost)
}

/// One opening of `preprocessed` (section 3.3, online).
fn masked_round(parameters: &ProductParameters) -> Result<PhaseCost, SpmmError> {
    let mut cost = PhaseCost::default();
    cost.carry(
        true,
        &Sizes::ring_values(parameters, Step::MaskedFactors, parameters.uploaded_rows)?,
    );
    cost.carry(true, &Sizes::opening()?);
    cost.carry(false, &Sizes::opening()?);
    cost.carry(false, &Sizes::released_values(parameters)?);
    let columns = f64::from(parameters.columns);
    let packed =
        f64::from(parameters.uploaded_rows + parameters.returned_rows) * columns * NANOSECOND;
    cost.rating_seconds = 4.0 * packed;
    cost.social_seconds = packed + parameters.nonzeros_bound as f64 * columns * NANOSECOND;
    Ok(cost)
}

const NANOSECOND: f64 = 1e-9;

/// One key switch of the expansion, and one product of a selector with a row polynomial.
const KEY_SWITCH_SECONDS: f64 = 150e-6;
const SELECTION_SECONDS: f64 = 10e-6;

/// Seconds of one core for the operations on one ciphertext, fitted to measurements.
struct Work {
    polynomial_size: f64,
    dimension: f64,
}

impl Work {
    fn of(parameters: &ProductParameters) -> Work {
        Work {
            polynomial_size: f64::from(parameters.polynomial_size),
            dimension: f64::from(parameters.glwe_dimension),
        }
    }

    /// One number-theoretic transform of a polynomial, either way.
    fn transform(&self) -> f64 {
        2.5 * NANOSECOND * self.polynomial_size * self.polynomial_size.log2()
    }

    /// Products of two transformed polynomials, `count` of them.
    fn pointwise(&self, count: f64) -> f64 {
        15.0 * NANOSECOND * self.polynomial_size * count
    }

    /// Masks of one row from the seed.
    fn expansion(&self) -> f64 {
        10.0 * NANOSECOND * self.polynomial_size * self.dimension
    }

    fn encryption(&self) -> f64 {
        self.expansion()
            + (self.dimension + 1.0) * self.transform()
            + self.pointwise(self.dimension)
    }

    fn decryption(&self) -> f64 {
        (self.dimension + 1.0) * self.transform() + self.pointwise(self.dimension)
    }

    /// One non-zero weight times one ciphertext.
    fn accumulation(&self) -> f64 {
        NANOSECOND * self.polynomial_size * (self.dimension + 1.0)
    }

    fn rerandomisation(&self) -> f64 {
        (2.0 * self.dimension + 1.0) * self.transform()
            + self.pointwise(self.dimension * (self.dimension + 1.0))
    }
}
