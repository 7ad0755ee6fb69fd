//! The frames of every exchange.

use crate::chunks::Chunks;
use crate::fetch;
use crate::release::Release;
use crate::{ProductParameters, SpmmError, Step};

use super::{MASK_SEED_BYTES, OPENING_BYTES};

/// Bytes that name a stock, and P1's count of openings at its close.
const IDENTITY_BYTES: usize = 32;
const CLOSED_BYTES: usize = 4;

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
