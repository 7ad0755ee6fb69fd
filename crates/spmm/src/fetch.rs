//! The upload half of a product by private information retrieval (section 3.2): instead of
//! receiving all of P0's encrypted rows, P1 fetches the ones it needs, unseen.
//!
//! Queries depend on positions alone: P1 sends them once ([`SocialQueries`]), P0 expands them
//! once ([`RatingQueries`]) and answers every upload from them. P0 learns d_max, the bound on
//! fetched rows; P1 gets ciphertexts under P0's key. P1 never shows what it fetched: the answers
//! have one length, and nothing P1 does depends on their content.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use s3rec_he::{GlweParameters, RowSource, decode_bodies};
use s3rec_pir::{
    ClientState, FetchedRow, PirParameters, QueryReceiver, RowTable, Selectors, ServerTable,
};
use s3rec_sparse::{SocialOperator, ladder};

use crate::chunks::Piece;
use crate::exchange::{Receives, Runner, State, endpoints};
use crate::operand::SocialOperand;
use crate::preprocessed::{Bulk, StockStorage};
use crate::scratch::Scratch;
use crate::{Exchange, MAX_FRAME_BYTES, ProductParameters, SpmmError};

/// d_max as P1 announces it: the ladder value of the users linked to, and m where that is less.
pub fn rows_bound(linked_to: u64, users: u32) -> u32 {
    u32::try_from(ladder(linked_to)).map_or(users, |bound| bound.min(users))
}

/// [`rows_bound`] of an operator.
pub fn rows_bound_of(operator: &SocialOperator) -> u32 {
    let users = u32::try_from(operator.users()).unwrap_or(u32::MAX);
    rows_bound(operator.active_columns().len() as u64, users)
}

/// The sizes of the retrieval: a table of P0's encrypted rows, d_max of them fetched.
pub(crate) fn pir_parameters(parameters: &ProductParameters) -> Result<PirParameters, SpmmError> {
    let row_bytes = u32::try_from(parameters.glwe()?.upload_bytes_per_row()).unwrap_or(u32::MAX);
    Ok(PirParameters::new(
        parameters.uploaded_rows,
        row_bytes,
        parameters.fetched_rows_bound,
    )?)
}

/// What P0 keeps of P1's queries, for every upload of the job.
pub struct RatingFetch {
    selectors: Selectors,
}

impl RatingFetch {
    /// The answers over a table in memory, all frames one behind the other.
    pub(crate) fn answer_memory(&self, bodies: Vec<u8>) -> Result<Vec<u8>, SpmmError> {
        let sizes = self.selectors.parameters();
        let table = ServerTable::new(sizes.rows(), sizes.row_bytes(), bodies)?;
        let mut responder = s3rec_pir::respond(&self.selectors, &table)?;
        let mut answers = Vec::new();
        while let Some(frame) = responder.next_frame()? {
            answers.extend_from_slice(&frame);
        }
        Ok(answers)
    }

    /// The answers over a table in a stock's storage, written to its [`Bulk::Answer`].
    pub(crate) fn answer_stored(&self, storage: &Arc<dyn StockStorage>) -> Result<(), SpmmError> {
        let sizes = self.selectors.parameters();
        let table = StoredTable {
            storage: Arc::clone(storage),
            rows: sizes.rows(),
            row_bytes: sizes.row_bytes(),
        };
        let mut responder = s3rec_pir::respond(&self.selectors, &table)?;
        let mut offset = 0;
        while let Some(frame) = responder.next_frame()? {
            storage.write_at(Bulk::Answer, offset, &frame)?;
            offset += frame.len() as u64;
        }
        Ok(())
    }
}

/// P0's encrypted rows in [`Bulk::Upload`].
struct StoredTable {
    storage: Arc<dyn StockStorage>,
    rows: u32,
    row_bytes: u32,
}

impl RowTable for StoredTable {
    fn rows(&self) -> u32 {
        self.rows
    }

    fn row_bytes(&self) -> u32 {
        self.row_bytes
    }

    fn read_row(&self, row: u32, out: &mut [u8]) -> io::Result<()> {
        self.storage.read_at(
            Bulk::Upload,
            u64::from(row) * u64::from(self.row_bytes),
            out,
        )
    }
}

/// P0's side of the queries as an endpoint: receives them.
pub struct RatingQueries(Runner<PirParameters, QueryReceiver>);

impl RatingQueries {
    /// Waits for P1's queries.
    ///
    /// # Errors
    /// [`SpmmError::Pir`] for sizes that cannot be retrieved.
    pub fn new(parameters: &ProductParameters) -> Result<RatingQueries, SpmmError> {
        let sizes = pir_parameters(parameters)?;
        let schedule = Exchange::Queries.schedule(parameters)?;
        let receiving = State::receive(Receiving(QueryReceiver::new(sizes)));
        Ok(RatingQueries(Runner::rating(schedule, sizes, receiving)))
    }

    /// Expands the queries, keeping at most `memory_bytes` of selectors between uploads.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`]; [`SpmmError::Pir`] for a hash seed that breaks the noise condition.
    pub fn into_fetch(self, memory_bytes: u64) -> Result<RatingFetch, SpmmError> {
        let (sizes, receiver) = self.0.finish()?;
        Ok(RatingFetch {
            selectors: s3rec_pir::expand(&sizes, &receiver.finish()?, memory_bytes)?,
        })
    }
}

struct Receiving(QueryReceiver);

impl<C> Receives<C, QueryReceiver> for Receiving {
    fn take(&mut self, _: &mut C, _: &Piece, payload: &[u8]) -> Result<(), SpmmError> {
        Ok(self.0.receive(payload)?)
    }

    fn received(self: Box<Self>, _: &mut C) -> Result<State<C, QueryReceiver>, SpmmError> {
        Ok(State::Finished(self.0))
    }
}

/// What P1 keeps of its queries: the key, and which answer holds which row.
pub struct SocialFetch {
    client: ClientState,
    /// Of the queries' bytes: what the answers mean depends on it.
    digest: [u8; 32],
}

impl SocialFetch {
    /// The bodies of the needed rows, from all answers in frames of one mebibyte; kept in `place`.
    pub(crate) fn extract(
        &self,
        glwe: GlweParameters,
        mut place: Scratch,
        frames: impl Iterator<Item = Result<Vec<u8>, SpmmError>>,
    ) -> Result<FetchedBodies, SpmmError> {
        let mut extraction = self.client.extraction();
        let mut places = Vec::new();
        let mut keep = |fetched: Vec<FetchedRow>| -> Result<(), SpmmError> {
            for fetched in fetched {
                places.push((fetched.row, places.len() as u64));
                place.append(&fetched.bytes)?;
            }
            Ok(())
        };
        for frame in frames {
            extraction.receive(&frame?)?;
            keep(extraction.take_rows())?;
        }
        keep(extraction.finish()?)?;
        places.sort_unstable();
        Ok(FetchedBodies {
            glwe,
            query_digest: self.digest,
            places,
            place,
        })
    }
}

/// The bodies that were fetched, by position among all rows.
pub(crate) struct FetchedBodies {
    glwe: GlweParameters,
    query_digest: [u8; 32],
    /// Each row, ascending, and how many lie before it in `place`.
    places: Vec<(u32, u64)>,
    place: Scratch,
}

impl FetchedBodies {
    /// None, for tests of what P1's randomness depends on.
    #[cfg(test)]
    pub(crate) fn of_no_rows(glwe: GlweParameters, query_digest: [u8; 32]) -> FetchedBodies {
        FetchedBodies {
            glwe,
            query_digest,
            places: Vec::new(),
            place: Scratch::Memory {
                bytes: Vec::new(),
                total_bytes: 0,
            },
        }
    }

    /// What P1's randomness depends on: the answers received, and the queries that they answer.
    pub(crate) fn content_digest(&self, answers: &[u8; 32]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("s3rec 2025 fetched upload v1");
        hasher.update(&self.query_digest);
        hasher.update(answers);
        *hasher.finalize().as_bytes()
    }
}

impl RowSource for FetchedBodies {
    type Error = SpmmError;

    fn read_rows(
        &self,
        rows: &[u32],
        coefficients: Range<usize>,
        out: &mut [u128],
    ) -> Result<(), SpmmError> {
        let mut bytes = vec![0; self.glwe.upload_bytes_per_row()];
        for (&row, out) in std::iter::zip(rows, out.chunks_exact_mut(coefficients.len())) {
            let found = self.places.binary_search_by_key(&row, |&(row, _)| row).ok();
            let found = found.and_then(|index| self.places.get(index));
            let &(_, before) = found.ok_or(SpmmError::Shape {
                what: "a fetched row",
                expected: u64::from(row),
                actual: 0,
            })?;
            self.place
                .read_at(before * bytes.len() as u64, &mut bytes)?;
            decode_bodies(&self.glwe, &bytes, coefficients.start, out)?;
        }
        Ok(())
    }
}

/// P1's side of the queries as an endpoint: sends them, the same length whatever is needed.
pub struct SocialQueries(Runner<(), SocialFetch>);

impl SocialQueries {
    /// Makes the queries for the rows that `operand` needs.
    ///
    /// # Errors
    /// [`SpmmError::AboveBound`] for more rows than d_max: a local error, before anything is sent.
    pub fn new(
        parameters: &ProductParameters,
        operand: &SocialOperand,
    ) -> Result<SocialQueries, SpmmError> {
        operand.check_made_for(parameters)?;
        let needed = operand.needed_rows();
        if needed.len() > parameters.fetched_rows_bound as usize {
            let bound = u64::from(parameters.fetched_rows_bound);
            return Err(SpmmError::AboveBound {
                what: "number of linked-to users",
                bound,
            });
        }
        let (client, message) = s3rec_pir::query(
            &pir_parameters(parameters)?,
            &needed,
            &crate::entropy::fresh()?,
        )?;
        let bytes = message.encode();
        let digest = *blake3::hash(&bytes).as_bytes();
        let schedule = Exchange::Queries.schedule(parameters)?;
        let sending = State::bytes(bytes, State::Finished(SocialFetch { client, digest }));
        Ok(SocialQueries(Runner::social(schedule, (), sending)))
    }

    /// What P1 keeps, once everything is sent.
    ///
    /// # Errors
    /// [`SpmmError::Unfinished`].
    pub fn into_fetch(self) -> Result<SocialFetch, SpmmError> {
        let ((), fetch) = self.0.finish()?;
        Ok(fetch)
    }
}

endpoints!(RatingQueries, SocialQueries);

/// Cuts stored or received answers back into the frames they came in.
pub(crate) fn frame_ranges(total_bytes: usize) -> impl Iterator<Item = Range<usize>> {
    (0..total_bytes)
        .step_by(MAX_FRAME_BYTES)
        .map(move |start| start..(start + MAX_FRAME_BYTES).min(total_bytes))
}
