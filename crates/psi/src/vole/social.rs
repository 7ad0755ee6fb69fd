//! P1: draws Δ, takes P0's columns, labels its ids, checks what P0 claims.

use rand::seq::SliceRandom;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use s3rec_algebra::Seed;
use zeroize::Zeroizing;

use super::base_ot::{self, Choosing};
use super::bits::{self, GROUP};
use super::code::{LinearMap, PLANES, Row, SYMBOL_BITS, SYMBOLS, add};
use super::expand::{Expander, TILE_GROUPS, TILE_ROWS, multiply_add, places};
use super::keys::Keys;
use super::layout::{ANSWER_BYTES, CHUNK_GROUPS, GROUP_BYTES, Layout, TRANSFERS};
use super::rating::tag;
use super::secrets::Secrets;
use super::{check, okvs, tree};
use crate::claims;
use crate::group::{IdHash, POINT_BYTES, entropy};
use crate::{Common, PsiError, PsiSession, Sizes};

/// Begins P1's part; gives the request to send. Nothing of `ids` crosses before P0's columns have
/// been checked.
///
/// Private input: `ids`, distinct and normalised, as many as announced. Public: the rest.
///
/// # Errors
/// [`PsiError::Entropy`], [`PsiError::Count`], [`PsiError::OwnDuplicate`].
pub fn begin<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
) -> Result<(SocialStarting, Vec<u8>), PsiError> {
    begin_seeded(session, sizes, ids, &*entropy()?)
}

pub(super) fn begin_seeded<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
    seed: &[u8; 32],
) -> Result<(SocialStarting, Vec<u8>), PsiError> {
    let mut random = ChaCha20Rng::from_seed(*seed);
    let mut delta = Zeroizing::new([0; SYMBOLS]);
    random.fill_bytes(&mut *delta);
    for symbol in delta.iter_mut() {
        *symbol &= 63;
    }
    begin_with(session, sizes, ids, delta, &mut random)
}

pub(super) fn begin_with<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
    delta: Zeroizing<[u8; SYMBOLS]>,
    random: &mut ChaCha20Rng,
) -> Result<(SocialStarting, Vec<u8>), PsiError> {
    let keys = Keys::new(session);
    let hashes = okvs::hash_ids(&keys.id, sizes.social(), ids)?;
    // A permutation of numbers is as random as one of ids, and sooner done by one thread.
    let mut order: Vec<u32> = (0..sizes.social()).collect();
    order.shuffle(random);
    let id = |&index: &u32| (hashes[index as usize], index);
    let ids: Vec<(IdHash, u32)> = order.par_iter().map(id).collect();
    drop((hashes, order));
    // Of every level, the sum of the side that the path to the hole does not take.
    // Reserved whole: growing would leave copies behind.
    let mut choices = Zeroizing::new(Vec::with_capacity(TRANSFERS));
    choices.extend(
        delta
            .iter()
            .flat_map(|hole| (0..tree::DEPTH).map(move |level| tree::side(*hole, level) ^ 1)),
    );
    let (choosing, request) = base_ot::choose(&keys, choices, random);
    let mut transcript = blake3::Hasher::new_keyed(&keys.check);
    transcript.update(&request);
    let starting = SocialStarting {
        session: session.clone(),
        keys,
        layout: Layout::new(sizes),
        ids,
        delta,
        choosing,
        transcript,
    };
    Ok((starting, request))
}

/// P1 has asked; P0's answer is due.
pub struct SocialStarting {
    session: PsiSession,
    keys: Keys,
    layout: Layout,
    ids: Vec<(IdHash, u32)>,
    pub(super) delta: Zeroizing<[u8; SYMBOLS]>,
    choosing: Choosing,
    transcript: blake3::Hasher,
}

impl SocialStarting {
    /// Takes P0's answer.
    ///
    /// # Errors
    /// [`PsiError`] blaming the peer: an answer of another length, or improper elements.
    pub fn take_answer(mut self, bytes: &[u8]) -> Result<SocialReceiving, PsiError> {
        Layout::expect("P0's answer", bytes, self.layout.answer_bytes())?;
        self.transcript.update(bytes);
        let (parts, _) = bytes.as_chunks::<POINT_BYTES>();
        let elements: Vec<_> = parts
            .iter()
            .step_by(ANSWER_BYTES / POINT_BYTES)
            .copied()
            .collect();
        let pads = self.choosing.receive(&self.keys, &elements)?;
        let mut leaves = Vec::with_capacity(SYMBOLS * tree::LEAVES);
        let parts = parts.par_chunks_exact(tree::DEPTH * ANSWER_BYTES / POINT_BYTES);
        let trees = self.delta.par_iter().zip(parts);
        let trees = trees.zip(pads.par_chunks_exact(tree::DEPTH));
        let trees = trees.map(|((hole, parts), pads)| {
            let sums = std::array::from_fn(|level| {
                let side = usize::from(tree::side(*hole, level) ^ 1);
                let hidden = &parts[3 * level + 1 + side];
                let pad = pads[level].expose_bytes();
                Seed::from_bytes(std::array::from_fn(|byte| hidden[byte] ^ pad[byte]))
            });
            tree::regrow(*hole, &sums)
        });
        leaves.extend(trees.collect::<Vec<_>>().into_iter().flatten());
        Ok(SocialReceiving {
            session: self.session,
            keys: self.keys,
            layout: self.layout,
            ids: self.ids,
            masking: LinearMap::masking(&self.delta),
            delta: self.delta,
            expander: Expander::new(leaves.into_iter()),
            rows: Secrets::new(Vec::new()),
            transcript: self.transcript,
        })
    }
}

/// Takes P0's columns.
pub struct SocialReceiving {
    session: PsiSession,
    keys: Keys,
    layout: Layout,
    ids: Vec<(IdHash, u32)>,
    pub(super) delta: Zeroizing<[u8; SYMBOLS]>,
    masking: LinearMap,
    pub(super) expander: Expander,
    /// k, as far as it has come.
    pub(super) rows: Secrets<Row>,
    transcript: blake3::Hasher,
}

impl SocialReceiving {
    /// Takes a message of columns. Computes on all cores; memory grows with what has come.
    ///
    /// # Errors
    /// [`PsiError`] blaming the peer: a message of another length than is due, or too many.
    pub fn take_columns(mut self, bytes: &[u8]) -> Result<Self, PsiError> {
        let first = self.rows.len() / GROUP;
        let groups = self.layout.groups_from(first);
        if groups == 0 {
            return Err(PsiError::Surplus {
                what: "columns",
                expected: (self.layout.groups() * GROUP) as u64,
            });
        }
        Layout::expect("columns", bytes, groups * GROUP_BYTES)?;
        self.transcript.update_rayon(bytes);
        let own = first * GROUP..(first + groups) * GROUP;
        // By all cores: memory that is touched for the first time is not free.
        self.rows
            .par_extend(rayon::iter::repeat_n([0; 3], own.len()));
        self.rows[own]
            .par_chunks_mut(TILE_ROWS)
            .zip(bytes.par_chunks(TILE_GROUPS * GROUP_BYTES))
            .enumerate()
            .for_each(|(tile, (rows, bytes))| {
                let tile = first / TILE_GROUPS + tile;
                fill_tile(&self.expander, &self.delta, tile, bytes, rows);
            });
        Ok(self)
    }

    /// Messages of columns received, of how many.
    #[must_use]
    pub fn received(&self) -> (u64, u64) {
        let chunks = |groups: usize| groups.div_ceil(CHUNK_GROUPS) as u64;
        (
            chunks(self.rows.len() / GROUP),
            chunks(self.layout.groups()),
        )
    }

    /// Whether all have come: the check is due.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.rows.len() == self.layout.groups() * GROUP
    }

    /// Takes the check.
    ///
    /// # Errors
    /// [`PsiError::Unfinished`]; blaming the peer, a check of another length, or
    /// [`PsiError::Inconsistent`].
    pub fn take_check(self, bytes: &[u8]) -> Result<SocialLabelling, PsiError> {
        let (actual, expected) = self.received();
        if !self.is_complete() {
            return Err(PsiError::Unfinished {
                what: "messages of columns received",
                expected,
                actual,
            });
        }
        let proof = <&[u8; check::BYTES]>::try_from(bytes).map_err(|_| PsiError::Length {
            what: "P0's check",
            expected: check::BYTES,
            actual: bytes.len(),
        })?;
        check::verify(&self.transcript, &self.masking, &self.rows, proof)?;
        Ok(SocialLabelling {
            session: self.session,
            keys: self.keys,
            layout: self.layout,
            ids: self.ids,
            masking: self.masking,
            rows: self.rows,
            stream: blake3::Hasher::new(),
            proofs: Secrets::new(Vec::new()),
        })
    }
}

/// A tile's rows of k.
fn fill_tile(
    expander: &Expander,
    delta: &[u8; SYMBOLS],
    tile: usize,
    bytes: &[u8],
    rows: &mut [Row],
) {
    let (columns, _) = bytes.as_chunks::<16>();
    let mut groups = Zeroizing::new(vec![[0; PLANES]; rows.len() / GROUP]);
    expander.tile(tile, |index, expanded| {
        for (group, (planes, columns)) in groups.iter_mut().zip(columns.chunks(PLANES)).enumerate()
        {
            let symbol = SYMBOL_BITS * index..SYMBOL_BITS * (index + 1);
            for (from, to) in places(index, group) {
                planes[to] = expanded.weighted[from];
            }
            let mut sent = [0; SYMBOL_BITS];
            for (sent, column) in sent.iter_mut().zip(&columns[symbol.clone()]) {
                *sent = u128::from_le_bytes(*column);
            }
            multiply_add(delta[index], &sent, &mut planes[symbol]);
        }
    });
    for (planes, rows) in groups.iter().zip(rows.chunks_exact_mut(GROUP)) {
        bits::to_rows(planes, rows);
    }
}

/// Labels P1's ids.
pub struct SocialLabelling {
    session: PsiSession,
    keys: Keys,
    layout: Layout,
    ids: Vec<(IdHash, u32)>,
    masking: LinearMap,
    rows: Secrets<Row>,
    stream: blake3::Hasher,
    /// The last halves of the tags, for each of P1's places.
    proofs: Secrets<[u8; 16]>,
}

impl SocialLabelling {
    /// The next labels to send; `None` when all are out. Computes on all cores.
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let first = self.proofs.len();
        let labels = self.layout.labels_from(first);
        if labels == 0 {
            return None;
        }
        let lookup = okvs::Lookup::new(&self.rows, self.layout.segment());
        let (keys, masking) = (&self.keys, &self.masking);
        let tags: Secrets<[u8; 32]> = Secrets::new(
            self.ids[first..first + labels]
                .par_iter()
                .map(|(id, _)| {
                    tag(
                        keys,
                        id,
                        add(lookup.sum(id), masking.apply(okvs::value(id))),
                    )
                })
                .collect(),
        );
        let label_bytes = self.layout.sizes().label_bytes();
        let mut bytes = vec![0; labels * label_bytes];
        bytes
            .par_chunks_mut(label_bytes)
            .with_min_len(1 << 10)
            .zip(tags.par_iter())
            .for_each(|(label, tag)| label.copy_from_slice(&tag[..label_bytes]));
        if self.proofs.capacity() == 0 {
            // Public: what this party's own number of ids takes.
            self.proofs.reserve_exact(self.ids.len());
        }
        self.proofs.par_extend(tags.par_iter().map(|tag| {
            let (_, last) = tag.split_at(16);
            *last.first_chunk().unwrap_or(&[0; 16])
        }));
        self.stream.update_rayon(&bytes);
        Some(bytes)
    }

    /// Labels sent so far, of n₁.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.proofs.len() as u64
    }

    /// All are out: P0's claims are due. Δ is not needed any more.
    ///
    /// # Errors
    /// [`PsiError::Unfinished`] while some are not.
    pub fn finish(self) -> Result<SocialWaiting, PsiError> {
        if self.sent() != u64::from(self.layout.sizes().social()) {
            return Err(PsiError::Unfinished {
                what: "labels sent",
                expected: u64::from(self.layout.sizes().social()),
                actual: self.sent(),
            });
        }
        Ok(SocialWaiting {
            session: self.session,
            layout: self.layout,
            order: self.ids.par_iter().map(|(_, index)| *index).collect(),
            digest: *self.stream.finalize().as_bytes(),
            proofs: self.proofs,
            claims: Vec::new(),
        })
    }

    /// The file's own order, for tests that show what the random one is for.
    #[cfg(test)]
    pub(super) fn unshuffled(mut self) -> Self {
        self.ids.sort_unstable_by_key(|(_, index)| *index);
        self
    }
}

/// Waits for P0's claims.
pub struct SocialWaiting {
    session: PsiSession,
    layout: Layout,
    order: Vec<u32>,
    digest: [u8; 32],
    proofs: Secrets<[u8; 16]>,
    claims: Vec<u8>,
}

impl SocialWaiting {
    /// Takes a part of the claims.
    ///
    /// # Errors
    /// [`PsiError`] blaming the peer: an empty part, or more than the sizes allow.
    pub fn take_claims(mut self, bytes: &[u8]) -> Result<Self, PsiError> {
        claims::take(&mut self.claims, bytes, self.layout.claims_bytes())?;
        Ok(self)
    }

    /// Whether all have come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.claims.len() == self.layout.claims_bytes()
    }

    /// The common ids.
    ///
    /// # Errors
    /// [`PsiError::Unfinished`]; blaming the peer, [`PsiError::Claims`] and
    /// [`PsiError::Unproven`].
    pub fn finish(self) -> Result<Common, PsiError> {
        if !self.is_complete() {
            return Err(PsiError::Unfinished {
                what: "bytes of claims received",
                expected: self.layout.claims_bytes() as u64,
                actual: self.claims.len() as u64,
            });
        }
        let (members, proof) = self.claims.split_at(self.claims.len() - 32);
        let places = claims::places(members, self.layout.sizes().social())?;
        let half = |claim: usize| &self.proofs[places[claim] as usize][..];
        // BLAKE3's hashes compare in constant time.
        if claims::prove(&self.session, places.len(), half) != *proof {
            return Err(PsiError::Unproven);
        }
        let rows = places
            .par_iter()
            .map(|place| self.order[*place as usize])
            .collect();
        Ok(Common::new(&self.session, rows, &self.digest, members))
    }
}

const _: () = assert!(TRANSFERS == SYMBOLS * tree::DEPTH && ANSWER_BYTES == 3 * POINT_BYTES);
