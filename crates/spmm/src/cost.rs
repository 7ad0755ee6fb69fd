//! What a job will cost: bytes exactly, seconds and memory as estimates, before data moves.
//!
//! A test asserts that predicted and counted bytes and messages are equal.

use serde::{Deserialize, Serialize};

use crate::fetch;
use crate::he::Kept;
use crate::he::answer::ciphertext_bytes;
use crate::pair::Side;
use crate::{Exchange, ProductParameters, SpmmError};

mod answers;
mod sizes;
mod work;

pub use answers::{
    answer_not_before, friends_answer_not_before, friends_answer_seconds,
    friends_prepare_not_before, friends_prepare_seconds, setup_not_before,
};
pub(crate) use sizes::Sizes;
use work::{NANOSECOND, Work};

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

    /// The bytes and frames of an exchange, no time.
    fn of(exchange: Exchange, parameters: &ProductParameters) -> Result<PhaseCost, SpmmError> {
        let mut cost = PhaseCost::default();
        for part in exchange.schedule(parameters)?.parts() {
            let bytes = part.total_bytes() as u64;
            cost.messages += part.frames() as u64;
            match part.from {
                Side::Rating => cost.bytes_to_social += bytes,
                Side::Social => cost.bytes_to_rating += bytes,
            }
        }
        Ok(cost)
    }
}

/// What a job keeps in memory and on disk at each side, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footprint {
    /// P0's largest working set, beyond the process itself.
    pub rating_memory_bytes: u64,
    /// P1's largest working set, within `memory_limit_bytes` where the protocol tiles.
    pub social_memory_bytes: u64,
    /// P0's stock on disk: the shares W, and the encrypted rows where they are fetched from.
    pub rating_disk_bytes: u64,
    /// P1's stock on disk: the shares R, P0's ciphertexts, and the answer under way; under `he`
    /// what of an opening does not fit the memory.
    pub social_disk_bytes: u64,
}

/// Predicts memory and disk of a job, P1 keeping to `memory_limit_bytes` in offline blocks and the
/// openings of `he`, and P0 in the expanded selectors of a fetch.
///
/// # Errors
/// As [`predict`].
pub fn footprint(
    parameters: &ProductParameters,
    memory_limit_bytes: u64,
) -> Result<Footprint, SpmmError> {
    let upload = Sizes::bodies(parameters)?.total_bytes() as u64;
    let rows = Sizes::rows(parameters)?.total_bytes() as u64;
    let responses = Sizes::responses(parameters)?;
    let answer = responses.total_bytes() as u64;
    // Columns as u32, weights as i64; factors, masks and sums as u64.
    let operand = parameters.nonzeros_bound * 12;
    let opening = 8
        * u64::from(parameters.columns)
        * (u64::from(parameters.uploaded_rows) + u64::from(parameters.returned_rows));
    let (table, selectors) = if parameters.protocol.fetches_privately() {
        let pir = s3rec_pir::cost(&fetch::pir_parameters(parameters)?);
        (rows + upload, pir.selector_bytes.min(memory_limit_bytes))
    } else {
        (0, 0)
    };
    if !parameters.protocol.is_preprocessed() {
        let kept = Kept::of(parameters)?.bytes();
        let spilled = if kept > memory_limit_bytes / 2 {
            kept
        } else {
            0
        };
        let whole = (answer / responses.item_bytes() as u64)
            * ciphertext_bytes(&parameters.glwe()?) as u64
            + u64::from(parameters.uploaded_rows) * 16 * u64::from(parameters.polynomial_size);
        return Ok(Footprint {
            rating_memory_bytes: opening + table + selectors,
            social_memory_bytes: operand + (kept - spilled + whole).min(memory_limit_bytes),
            rating_disk_bytes: 0,
            social_disk_bytes: spilled,
        });
    }
    let layout = parameters.layout()?;
    let blocks = u64::from(layout.blocks);
    let values = u64::from(parameters.returned_rows)
        * u64::from(layout.block_columns)
        * u64::from(layout.blocks);
    let shares = values * u64::from(parameters.ring_bits.div_ceil(8));
    Ok(Footprint {
        rating_memory_bytes: 3 * opening + BUFFERED_SHARES_BYTES + selectors,
        social_memory_bytes: operand + (3 * opening).max(memory_limit_bytes),
        rating_disk_bytes: shares + table,
        social_disk_bytes: shares + upload * blocks + answer,
    })
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

/// P0's public key.
fn key_setup(parameters: &ProductParameters) -> Result<PhaseCost, SpmmError> {
    let work = Work::of(parameters);
    let mut cost = PhaseCost::of(Exchange::PublicKey, parameters)?;
    let dimension = f64::from(parameters.glwe_dimension);
    cost.rating_seconds = dimension * work.encryption();
    cost.social_seconds = dimension * dimension * work.transform() + dimension * work.expansion();
    Ok(cost)
}

/// P1's queries and their expansion (section 3.2).
fn queries(parameters: &ProductParameters) -> Result<PhaseCost, SpmmError> {
    let work = s3rec_pir::cost(&fetch::pir_parameters(parameters)?);
    let mut cost = PhaseCost::of(Exchange::Queries, parameters)?;
    cost.rating_seconds = work.key_switches as f64 * KEY_SWITCH_SECONDS;
    cost.social_seconds = work.encryptions as f64 * QUERY_CIPHERTEXT_SECONDS
        + f64::from(parameters.uploaded_rows) * HASHING_SECONDS
        + f64::from(parameters.fetched_rows_bound) * PLACEMENT_SECONDS;
    Ok(cost)
}

/// One upload and its responses (section 3.1).
fn homomorphic_block(parameters: &ProductParameters) -> Result<PhaseCost, SpmmError> {
    let work = Work::of(parameters);
    let responses = Sizes::responses(parameters)?;
    let mut cost = PhaseCost::of(Exchange::Upload, parameters)?;
    let count = (responses.total_bytes() / responses.item_bytes()) as f64;
    cost.rating_seconds =
        f64::from(parameters.uploaded_rows) * work.encryption() + count * work.decryption();
    let mut extraction = 0.0;
    let fetched = if parameters.protocol.fetches_privately() {
        let pir = s3rec_pir::cost(&fetch::pir_parameters(parameters)?);
        cost.rating_seconds += pir.products as f64 * SELECTION_SECONDS;
        extraction = pir.decryptions as f64 * ANSWER_CIPHERTEXT_SECONDS;
        parameters.fetched_rows_bound
    } else {
        parameters.uploaded_rows
    };
    cost.social_seconds = extraction
        + f64::from(fetched) * work.expansion()
        + parameters.nonzeros_bound as f64 * work.accumulation()
        + count * work.rerandomisation();
    Ok(cost)
}

/// One opening of `preprocessed` (section 3.3, online).
fn masked_round(parameters: &ProductParameters) -> Result<PhaseCost, SpmmError> {
    let mut cost = PhaseCost::of(Exchange::Opening, parameters)?;
    let columns = f64::from(parameters.columns);
    let packed =
        f64::from(parameters.uploaded_rows + parameters.returned_rows) * columns * NANOSECOND;
    cost.rating_seconds = 4.0 * packed;
    cost.social_seconds = packed + parameters.nonzeros_bound as f64 * columns * NANOSECOND;
    Ok(cost)
}

/// P0's shares before they are written, with what they are decrypted from.
const BUFFERED_SHARES_BYTES: u64 = 64 << 20;

/// One key switch of the expansion, and one product of a selector with a row polynomial.
const KEY_SWITCH_SECONDS: f64 = 150e-6;
const SELECTION_SECONDS: f64 = 10e-6;

/// One ciphertext of P1's keys and queries, one row's three buckets, one needed row's placement
/// (redrawn hash seeds included), and one ciphertext of the answers.
const QUERY_CIPHERTEXT_SECONDS: f64 = 150e-6;
const HASHING_SECONDS: f64 = 1e-6;
const PLACEMENT_SECONDS: f64 = 2e-6;
const ANSWER_CIPHERTEXT_SECONDS: f64 = 150e-6;

#[cfg(test)]
mod tests;
