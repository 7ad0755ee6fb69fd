//! P0's side of a round: encrypt and send U, decrypt what comes back.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use s3rec_algebra::{PublicSeed, RingMatrix, Seed};
use s3rec_he::Response;

use super::RatingKeys;
use crate::chunks::Piece;
use crate::exchange::{Receives, Runner, Sends, State, endpoints};
use crate::fetch::RatingFetch;
use crate::rows::{check_shape, gather, scatter};
use crate::{Exchange, ProductParameters, PublicPattern, SpmmError, Step};

/// Step 1: the rows of an upload, encrypted as they are asked for.
pub struct Upload {
    keys: Arc<RatingKeys>,
    rows: RingMatrix,
    mask_seed: PublicSeed,
    error_seed: Seed,
}

impl Upload {
    /// Prepares `rows` (uploaded rows × at most N) for encryption under a master mask seed and
    /// errors that are drawn for this upload alone.
    ///
    /// # Errors
    /// [`SpmmError::Algebra`] without entropy.
    pub fn new(keys: &Arc<RatingKeys>, rows: RingMatrix) -> Result<Upload, SpmmError> {
        Ok(Upload::with_entropy(keys, rows, &crate::entropy::fresh()?))
    }

    pub(crate) fn with_entropy(keys: &Arc<RatingKeys>, rows: RingMatrix, entropy: &Seed) -> Upload {
        Upload {
            keys: Arc::clone(keys),
            rows,
            mask_seed: entropy.derive_public("s3rec he master mask seed", &[]),
            error_seed: entropy.derive("s3rec he upload errors", &[]),
        }
    }

    /// The master seed of all masks, for P1.
    pub fn mask_seed(&self) -> &PublicSeed {
        &self.mask_seed
    }

    /// The rounded bodies of some rows, packed, for P1.
    ///
    /// # Errors
    /// [`SpmmError::He`] for rows that do not exist.
    pub fn bodies(&self, rows: Range<usize>) -> Result<Vec<u8>, SpmmError> {
        let bodies =
            self.keys
                .secret
                .encrypt_rows(&self.rows, &self.mask_seed, &self.error_seed, rows)?;
        Ok(bodies.into_bytes())
    }
}

/// P0's side of one round as an endpoint: sends a seed and bodies, receives responses.
pub struct RatingRound(Runner<Round, Vec<u64>>);

struct Round {
    keys: Arc<RatingKeys>,
    pattern: Arc<PublicPattern>,
    fetch: Option<Arc<RatingFetch>>,
}

impl RatingRound {
    /// Prepares a round for `factors`, m × k. Fresh masks and errors are drawn, so a round is
    /// never repeated with the same randomness.
    ///
    /// # Errors
    /// [`SpmmError::Shape`] for operands that are not of the agreed shape.
    pub fn new(
        keys: &Arc<RatingKeys>,
        pattern: &Arc<PublicPattern>,
        factors: &RingMatrix,
    ) -> Result<RatingRound, SpmmError> {
        check_shape(&keys.parameters, pattern, factors)?;
        let upload = Upload::new(keys, gather(factors, &pattern.uploaded_rows)?.into_owned())?;
        let seed = upload.mask_seed().as_bytes().to_vec();
        let bodies = if keys.parameters.protocol.fetches_privately() {
            State::compute(|round: &mut Round| {
                Ok(State::bytes(round.answers(upload)?, Decrypting::state()))
            })
        } else {
            State::send(Encrypting { upload })
        };
        let schedule = Exchange::Upload.schedule(&keys.parameters)?;
        let round = Round {
            keys: Arc::clone(keys),
            pattern: Arc::clone(pattern),
            fetch: None,
        };
        let sending = State::bytes(seed, bodies);
        Ok(RatingRound(Runner::rating(schedule, round, sending)))
    }

    /// The same round for a P1 that fetches its rows (`he-pir`), with its expanded queries.
    #[must_use]
    pub fn with_fetch(mut self, fetch: &Arc<RatingFetch>) -> RatingRound {
        self.0.context_mut().fetch = Some(Arc::clone(fetch));
        self
    }

    /// Y·U, m × k, zero where no row is returned; exact when there are guard bits, else within
    /// one unit in the last place.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`] before the last frame.
    pub fn into_product(self) -> Result<RingMatrix, SpmmError> {
        let (Round { keys, pattern, .. }, mut values) = self.0.finish()?;
        let parameters = &keys.parameters;
        let (rows, columns) = (pattern.returned_rows.len(), parameters.columns as usize);
        values.truncate(rows * columns);
        let mut product = RingMatrix::new(parameters.ring()?, rows, columns, values)?;
        parameters.fixed_point()?.round_guard(&mut product);
        scatter(product, &pattern.returned_rows, pattern.users)
    }
}

endpoints!(RatingRound);

impl Round {
    /// What P1 receives of an upload when it fetches.
    fn answers(&self, upload: Upload) -> Result<Vec<u8>, SpmmError> {
        let fetch = self.fetch.as_ref().ok_or(SpmmError::Unfinished {
            pending: Step::Queries,
        })?;
        let rows = 0..self.keys.parameters.uploaded_rows as usize;
        fetch.answer_memory(upload.bodies(rows)?)
    }
}

/// Step 1: rows are encrypted as they are sent.
struct Encrypting {
    upload: Upload,
}

impl Sends<Round, Vec<u64>> for Encrypting {
    fn payload(&mut self, _: &mut Round, piece: &Piece) -> Result<Vec<u8>, SpmmError> {
        self.upload.bodies(piece.items.clone())
    }

    fn sent(self: Box<Self>, _: &mut Round) -> Result<State<Round, Vec<u64>>, SpmmError> {
        Ok(Decrypting::state())
    }
}

/// Step 5: W, response by response.
struct Decrypting {
    shares: Vec<u64>,
}

impl Decrypting {
    fn state() -> State<Round, Vec<u64>> {
        let shares = Vec::new();
        State::receive(Decrypting { shares })
    }
}

impl Receives<Round, Vec<u64>> for Decrypting {
    fn take(&mut self, round: &mut Round, piece: &Piece, payload: &[u8]) -> Result<(), SpmmError> {
        let shares = decrypt_responses(&round.keys, payload, piece.item_bytes())?;
        self.shares.extend(shares);
        Ok(())
    }

    fn received(self: Box<Self>, _: &mut Round) -> Result<State<Round, Vec<u64>>, SpmmError> {
        Ok(State::Finished(self.shares))
    }
}

/// Step 5, receiving: W = (body − a·s) >> (128 − ℓ) on the used slots of each response.
pub(crate) fn decrypt_responses(
    keys: &RatingKeys,
    responses: &[u8],
    response_bytes: usize,
) -> Result<Vec<u64>, SpmmError> {
    let parameters: &ProductParameters = &keys.parameters;
    let (glwe, ring) = (parameters.glwe()?, parameters.ring()?);
    let used_slots = parameters.layout()?.used_slots();
    let shares: Result<Vec<Vec<u64>>, SpmmError> = responses
        .par_chunks(response_bytes)
        .map(|bytes| {
            let response = Response::from_bytes(glwe, ring, used_slots, bytes)?;
            Ok(keys.secret.decrypt_share(&response))
        })
        .collect();
    Ok(shares?.concat())
}
