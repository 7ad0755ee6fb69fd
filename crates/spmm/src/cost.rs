//! What a job will cost: bytes exactly, seconds and memory as estimates, before data moves.
//!
//! A test asserts that predicted and counted bytes and messages are equal.

use serde::{Deserialize, Serialize};

use crate::chunks::Chunks;
use crate::fetch;
use crate::he::Kept;
use crate::he::answer::ciphertext_bytes;
use crate::pair::Side;
use crate::release::Release;
use crate::{Exchange, ProductParameters, SpmmError, Step, noise_first};

/// Bytes of the seed that stands for all masks of an upload.
pub(crate) const MASK_SEED_BYTES: usize = 32;

/// Bytes that name a stock, and P1's count of openings at its close.
const IDENTITY_BYTES: usize = 32;
const CLOSED_BYTES: usize = 4;

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

/// Times the prediction for one core: what an honest P1 stays under on two cores, storage included.
const ANSWER_MARGIN: f64 = 2.0;

/// Added to it for whatever does not grow with the job.
const ANSWER_FLOOR_SECONDS: f64 = 0.02;

/// The earliest time after the last byte of an upload or masked input, or after the header of the
/// queries' exchange, at which P1 may send, in seconds: from the bounds on non-zeros and needed rows, so that the time says nothing about Y (section 3.3,
/// "Times"). The node holds the answer until then; a P1 that needs longer still shows that.
///
/// # Errors
/// As [`predict`].
pub fn answer_not_before(parameters: &ProductParameters, step: Step) -> Result<f64, SpmmError> {
    let seconds = match step {
        Step::MaskedProduct => masked_round(parameters)?.social_seconds,
        Step::Responses => homomorphic_block(parameters)?.social_seconds,
        Step::Queries if parameters.protocol.fetches_privately() => {
            queries(parameters)?.social_seconds
        }
        _ => return Ok(0.0),
    };
    Ok(ANSWER_MARGIN * seconds + ANSWER_FLOOR_SECONDS)
}

/// P1's seconds for a link that it reads, checks against its commitment and makes Y of, and for a
/// common user: what an honest one stays well under.
const READING_LINK_SECONDS: f64 = 1e-6;
const PLACING_USER_SECONDS: f64 = 0.5e-6;

/// The earliest time at which P1 answers what it must read its links for, without the product:
/// Setup's answers, and the resume handshake after an absence; in seconds after the request or the header.
/// Of what P1 stated of its links, and of the common users, alone.
pub fn setup_not_before(stated_links: u64, users: u32) -> f64 {
    let seconds =
        READING_LINK_SECONDS * stated_links as f64 + PLACING_USER_SECONDS * f64::from(users);
    ANSWER_MARGIN * seconds + ANSWER_FLOOR_SECONDS
}

/// The earliest time at which P1 sends the a-parts of an opening of friends' sums, in seconds after
/// the last frame received: of the agreed sizes and of what P1 stated of its links alone. A pack
/// costs as much whatever is in it, but for the friends that are added up.
pub fn friends_prepare_not_before(parameters: &noise_first::Parameters, stated_links: u64) -> f64 {
    let rows = (parameters.packs() * parameters.places()) as f64;
    let seconds = FRIENDS_ROW_SECONDS * rows
        + FRIENDS_MASK_SECONDS * parameters.groups() as f64
        + FRIENDS_ADDED_SECONDS * friends_bound(parameters, stated_links);
    ANSWER_MARGIN * seconds + ANSWER_FLOOR_SECONDS
}

/// The same of the answer, after the last of P0's rows.
pub fn friends_answer_not_before(parameters: &noise_first::Parameters, stated_links: u64) -> f64 {
    let columns = parameters.columns() as f64;
    let noised = parameters.opened() as f64 * columns;
    let read = parameters.uploaded() as f64 * columns;
    let added = friends_bound(parameters, stated_links) * columns;
    let seconds = FRIENDS_NOISE_SECONDS * noised + FRIENDS_VALUE_SECONDS * (read + added);
    ANSWER_MARGIN * seconds + ANSWER_FLOOR_SECONDS
}

/// Friends that are added up in all, at most.
fn friends_bound(parameters: &noise_first::Parameters, stated_links: u64) -> f64 {
    let degree = f64::from(parameters.terms().degree_bound).min(parameters.uploaded() as f64);
    // A link is a friend of either end.
    (parameters.opened() as f64 * degree).min(2.0 * stated_links as f64)
}

/// P1's seconds, which an honest one stays well under: to collapse and re-randomise, for a row; to
/// expand a group's mask; to add a friend's; for the noise of a value; to read or add a value.
const FRIENDS_ROW_SECONDS: f64 = 100e-6;
const FRIENDS_MASK_SECONDS: f64 = 30e-6;
const FRIENDS_ADDED_SECONDS: f64 = 1.2e-6;
const FRIENDS_NOISE_SECONDS: f64 = 0.3e-6;
const FRIENDS_VALUE_SECONDS: f64 = 3e-9;

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

    pub(crate) fn mask_seed() -> Chunks {
        Chunks::message::<MASK_SEED_BYTES>(Step::MaskSeed)
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
    pub(crate) fn opening() -> Chunks {
        Chunks::message::<OPENING_BYTES>(Step::Opening)
    }

    /// The identity of a stock, as its close names it.
    pub(crate) fn identity() -> Chunks {
        Chunks::message::<IDENTITY_BYTES>(Step::Cursor)
    }

    /// P1's count of openings, at the close.
    pub(crate) fn closed_openings() -> Chunks {
        Chunks::message::<CLOSED_BYTES>(Step::Cursor)
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

const NANOSECOND: f64 = 1e-9;

/// One key switch of the expansion, and one product of a selector with a row polynomial.
const KEY_SWITCH_SECONDS: f64 = 150e-6;
const SELECTION_SECONDS: f64 = 10e-6;

/// One ciphertext of P1's keys and queries, one row's three buckets, one needed row's placement
/// (redrawn hash seeds included), and one ciphertext of the answers.
const QUERY_CIPHERTEXT_SECONDS: f64 = 150e-6;
const HASHING_SECONDS: f64 = 1e-6;
const PLACEMENT_SECONDS: f64 = 2e-6;
const ANSWER_CIPHERTEXT_SECONDS: f64 = 150e-6;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OperatorKind, ProductRequest, Protocol, choose_parameters};

    /// Two data sets under one bound are answered at one time, and a wider bound not earlier.
    #[test]
    fn the_earliest_answer_follows_from_bounds_alone() {
        for protocol in [Protocol::He, Protocol::Preprocessed] {
            let request = ProductRequest {
                row_norm_bound: 256,
                nonzeros_bound: 4096,
                ..ProductRequest::new(protocol, OperatorKind::Laplacian, 740, 10, 20)
            };
            let narrow = choose_parameters(&request).unwrap();
            let wide = ProductParameters {
                nonzeros_bound: 1 << 20,
                ..narrow.clone()
            };
            for step in [Step::Responses, Step::MaskedProduct] {
                let earlier = answer_not_before(&narrow, step).unwrap();
                assert!((ANSWER_FLOOR_SECONDS..1.0).contains(&earlier), "{earlier}");
                assert!(answer_not_before(&wide, step).unwrap() > earlier);
            }
            assert_eq!(answer_not_before(&narrow, Step::Identity).unwrap(), 0.0);
        }
    }

    #[test]
    fn the_footprint_keeps_to_the_limit() {
        let request = ProductRequest {
            row_norm_bound: 6144,
            nonzeros_bound: 1 << 20,
            ..ProductRequest::new(
                Protocol::Preprocessed,
                OperatorKind::Laplacian,
                49_288,
                10,
                409,
            )
        };
        let parameters = choose_parameters(&request).unwrap();
        let limit = 1 << 30;
        let needed = footprint(&parameters, limit).unwrap();
        assert!(
            needed.social_memory_bytes < limit + (64 << 20),
            "{needed:?}"
        );
        assert!(needed.rating_memory_bytes < limit / 4, "{needed:?}");
        // W: 4 bytes for each of 49,288 × 4,090 values.
        assert_eq!(needed.rating_disk_bytes, 4 * 49_288 * 4_090);
        assert!(needed.social_disk_bytes > needed.rating_disk_bytes);
    }

    /// Upload and answer of a million users, several gigabytes, do not stay in P1's memory.
    #[test]
    fn an_opening_of_he_keeps_to_the_limit_too() {
        let request = ProductRequest {
            row_norm_bound: 6144,
            nonzeros_bound: 10 << 20,
            ..ProductRequest::new(Protocol::He, OperatorKind::Laplacian, 1_000_000, 10, 3)
        };
        let parameters = choose_parameters(&request).unwrap();
        let limit = 1 << 30;
        let needed = footprint(&parameters, limit).unwrap();
        assert_eq!(
            needed.social_memory_bytes,
            12 * parameters.nonzeros_bound + limit
        );
        assert!(needed.social_disk_bytes > 4_000_000_000, "{needed:?}");
        let roomy = footprint(&parameters, 1 << 40).unwrap();
        assert_eq!(roomy.social_disk_bytes, 0);
        assert!(roomy.social_memory_bytes > needed.social_disk_bytes);
    }
}
