//! The client's side: Query and Extract.
//!
//! | symbol | name | owner |
//! |---|---|---|
//! | needed | the rows to fetch, at most d_max | P1, secret |
//! | hash seed | which buckets hold which rows | drawn by P1, public |
//! | wanted | the row fetched from each bucket, if any | P1, secret |

use rayon::prelude::*;
use s3rec_algebra::{PublicSeed, Seed, Stream};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::answer::SentCiphertext;
use crate::cost::{cost, group_bytes};
use crate::cuckoo::{Layout, candidates, place};
use crate::error::PirError;
use crate::expand::{coefficient_of, first_key_index, query_index};
use crate::frames::FrameCounter;
use crate::keyswitch::{encrypt_key, exponent};
use crate::message::QueryMessage;
use crate::parameters::{PLAINTEXT_BITS, POLYNOMIAL_SIZE, PirParameters};
use crate::secret::{Masks, SecretKey};

/// Hash seeds tried before giving up; one succeeds with probability above 1 − 2^-20.
const MAX_ATTEMPTS: u32 = 64;

/// What P1 keeps of its query: the key and which row each bucket's answer holds. Erased on drop.
#[derive(ZeroizeOnDrop)]
pub struct ClientState {
    #[zeroize(skip)]
    parameters: PirParameters,
    secret: SecretKey,
    wanted: Vec<Option<u32>>,
}

/// Makes the query for `needed` rows (section 3.2, Query).
///
/// Private inputs: `needed`, `seed`. Public: `parameters`. All randomness is derived from the
/// seed together with the sizes and the needed rows, so repeating a call repeats its bytes, and
/// one seed never serves two contents. Duplicates in `needed` count once.
///
/// A hash seed under which the needed rows do not fit is redrawn here, unseen by the server;
/// the time this takes depends on the needed rows, so send no earlier than a public time.
/// Bytes sent: [`crate::PirCost::upload_bytes`], whatever is needed.
///
/// # Errors
/// [`PirError::TooManyRows`], [`PirError::RowOutOfRange`], [`PirError::NoPlacement`]: all local,
/// before anything is sent.
pub fn query(
    parameters: &PirParameters,
    needed: &[u32],
    seed: &Seed,
) -> Result<(ClientState, QueryMessage), PirError> {
    let needed = checked(parameters, needed)?;
    let root = content_seed(parameters, &needed, seed);
    let (hash_seed, layout, wanted) = draw_placement(parameters, &needed, &root)?;

    let secret = SecretKey::generate(&mut Stream::new(&root.derive("secret key", &[])));
    let mask_seed = root.derive_public("masks", &[]);
    let masks = Masks::new(&mask_seed);
    let noise = Stream::new(&root.derive("noise", &[]));
    // Eight bytes of noise stream a coefficient: each ciphertext has its own stretch.
    let noise_of = |index: u64| noise.at(index * 8 * POLYNOMIAL_SIZE as u64);

    let levels = parameters.expansion_levels();
    let key_bodies = (0..levels)
        .into_par_iter()
        .flat_map(|level| {
            let first = first_key_index(level);
            encrypt_key(
                &secret,
                exponent(level),
                &masks,
                first,
                &mut noise_of(first),
            )
        })
        .collect();
    let ones = one_hot_coefficients(parameters, &layout, &wanted);
    let query_bodies = (0..parameters.query_ciphertexts())
        .into_par_iter()
        .flat_map(|ciphertext| {
            let mut message = Zeroizing::new(vec![0; POLYNOMIAL_SIZE]);
            for &(_, coefficient) in ones.iter().filter(|one| one.0 == ciphertext) {
                message[coefficient] = 1 << (64 - PLAINTEXT_BITS - levels);
            }
            let index = query_index(parameters, ciphertext);
            secret.encrypt_body(&masks, index, &message, &mut noise_of(index))
        })
        .collect();
    let message = QueryMessage {
        hash_seed,
        mask_seed,
        key_bodies,
        query_bodies,
    };
    let state = ClientState {
        parameters: *parameters,
        secret,
        wanted,
    };
    Ok((state, message))
}

/// The needed rows, ascending and without duplicates, if they are allowed.
fn checked(parameters: &PirParameters, needed: &[u32]) -> Result<Zeroizing<Vec<u32>>, PirError> {
    let rows = parameters.rows();
    if let Some(&row) = needed.iter().find(|&&row| row >= rows) {
        return Err(PirError::RowOutOfRange { row, rows });
    }
    let mut needed = Zeroizing::new(needed.to_vec());
    needed.sort_unstable();
    needed.dedup();
    if needed.len() > parameters.needed_bound() as usize {
        return Err(PirError::TooManyRows {
            bound: parameters.needed_bound(),
            actual: needed.len(),
        });
    }
    Ok(needed)
}

fn content_seed(parameters: &PirParameters, needed: &[u32], seed: &Seed) -> Seed {
    let sizes = [
        parameters.rows(),
        parameters.row_bytes(),
        parameters.needed_bound(),
    ];
    let bytes = |values: &[u32]| {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        Zeroizing::new(bytes)
    };
    seed.derive("pir query", &[&bytes(&sizes), &bytes(needed)])
}

type Wanted = Vec<Option<u32>>;

/// Draws hash seeds until one places the needed rows and keeps every bucket within capacity.
fn draw_placement(
    parameters: &PirParameters,
    needed: &[u32],
    root: &Seed,
) -> Result<(PublicSeed, Layout, Wanted), PirError> {
    let buckets = parameters.buckets();
    for attempt in 0..MAX_ATTEMPTS {
        let hash_seed = root.derive_public("hash seed", &[&attempt.to_le_bytes()]);
        let choices: Vec<_> = needed
            .iter()
            .map(|&row| candidates(&hash_seed, row, buckets))
            .collect();
        let Some(placed) = place(&choices, buckets) else {
            continue;
        };
        let layout = Layout::new(&hash_seed, parameters.rows(), buckets);
        if layout.largest_bucket() <= parameters.bucket_capacity() {
            let row = |item: u32| needed.get(item as usize).copied();
            let wanted = placed.into_iter().map(|item| item.and_then(row)).collect();
            return Ok((hash_seed, layout, wanted));
        }
    }
    Err(PirError::NoPlacement {
        attempts: MAX_ATTEMPTS,
    })
}

/// (ciphertext, coefficient) of every selector that is one.
fn one_hot_coefficients(
    parameters: &PirParameters,
    layout: &Layout,
    wanted: &[Option<u32>],
) -> Zeroizing<Vec<(usize, usize)>> {
    let levels = parameters.expansion_levels();
    let slots = 1_usize << levels;
    let ones = (0..)
        .zip(wanted)
        .filter_map(|(bucket, row)| layout.position(bucket, (*row)?))
        .map(|position| (position / slots, coefficient_of(position % slots, levels)))
        .collect();
    Zeroizing::new(ones)
}

impl ClientState {
    /// The sizes the query was made for.
    #[must_use]
    pub fn parameters(&self) -> &PirParameters {
        &self.parameters
    }

    /// The key, for tests that measure noise.
    #[cfg(test)]
    pub(crate) fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// The row fetched from each bucket, for tests.
    #[cfg(test)]
    pub(crate) fn wanted(&self) -> &[Option<u32>] {
        &self.wanted
    }

    /// Starts to extract one round's answers (section 3.2, Extract).
    #[must_use]
    pub fn extraction(&self) -> Extraction<'_> {
        Extraction {
            client: self,
            counter: FrameCounter::new("answer frame", cost(&self.parameters).answer_bytes),
            buffer: Vec::new(),
            next_group: 0,
            rows: Vec::new(),
        }
    }

    /// Decrypts one group, every bucket of it: the work says nothing about what is wanted.
    fn extract_group(&self, group: u32, mut bytes: &[u8]) -> Result<Vec<FetchedRow>, PirError> {
        let parameters = &self.parameters;
        let buckets = parameters.group_buckets(group);
        let mut contents = Vec::with_capacity(buckets.len());
        for _ in buckets.clone() {
            let mut content = Vec::with_capacity(parameters.row_bytes() as usize);
            for _ in 0..parameters.full_polynomials() {
                let sent = SentCiphertext::decode(&mut bytes, POLYNOMIAL_SIZE)?;
                content.extend(self.secret.decrypt(sent.mask, &sent.body));
            }
            contents.push(content);
        }
        let tail_bytes = parameters.tail_bytes() as usize;
        if tail_bytes > 0 {
            let sent = SentCiphertext::decode(&mut bytes, buckets.len() * tail_bytes)?;
            let tails = self.secret.decrypt(sent.mask, &sent.body);
            for (content, tail) in contents.iter_mut().zip(tails.chunks_exact(tail_bytes)) {
                content.extend_from_slice(tail);
            }
        }
        let wanted = self.wanted.iter().skip(buckets.start as usize);
        let fetched = wanted.zip(contents).filter_map(|(row, bytes)| {
            let row = (*row)?;
            Some(FetchedRow { row, bytes })
        });
        Ok(fetched.collect())
    }
}

/// A row that was needed, and its bytes in the server's table.
///
/// Nothing authenticates the bytes: a server that deviates makes them anything, and P1 goes on
/// with them all the same, so that nothing it does shows what it fetched.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchedRow {
    /// Which row; secret, as it is a column of P1's operator.
    pub row: u32,
    /// The row's bytes.
    pub bytes: Vec<u8>,
}

/// Takes one round's answers frame by frame, holding the needed rows that were not taken away
/// and one frame.
pub struct Extraction<'a> {
    client: &'a ClientState,
    counter: FrameCounter,
    buffer: Vec<u8>,
    next_group: u32,
    rows: Vec<FetchedRow>,
}

impl Extraction<'_> {
    /// Takes the next frame. Errors depend on lengths and padding only, never on content.
    ///
    /// # Errors
    /// [`PirError::Length`], [`PirError::Trailing`] or [`PirError::Padding`].
    pub fn receive(&mut self, frame: &[u8]) -> Result<(), PirError> {
        self.counter.accept(frame)?;
        self.buffer.extend_from_slice(frame);
        let (parameters, mut start) = (&self.client.parameters, 0);
        let mut complete = Vec::new();
        while self.next_group < parameters.groups() {
            let end = start + group_bytes(parameters, self.next_group);
            let Some(bytes) = self.buffer.get(start..end) else {
                break;
            };
            complete.push((self.next_group, bytes));
            (start, self.next_group) = (end, self.next_group + 1);
        }
        let fetched: Result<Vec<_>, PirError> = complete
            .into_par_iter()
            .map(|(group, bytes)| self.client.extract_group(group, bytes))
            .collect();
        self.rows.extend(fetched?.into_iter().flatten());
        self.buffer.drain(..start);
        Ok(())
    }

    /// The needed rows that have arrived since the last call, in no order that means anything.
    pub fn take_rows(&mut self) -> Vec<FetchedRow> {
        std::mem::take(&mut self.rows)
    }

    /// Whether all answers have arrived.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.counter.is_complete()
    }

    /// The needed rows, ascending, that were not [taken](Self::take_rows).
    ///
    /// # Errors
    /// [`PirError::Incomplete`] before the last frame.
    pub fn finish(mut self) -> Result<Vec<FetchedRow>, PirError> {
        if !self.is_complete() {
            return Err(self.counter.incomplete());
        }
        self.rows.sort_unstable_by_key(|fetched| fetched.row);
        Ok(self.rows)
    }
}
