//! P0: encodes its ids, sends columns, finds its ids among P1's labels, claims them.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use s3rec_algebra::Seed;
use zeroize::{Zeroize, Zeroizing};

use super::bits::{self, GROUP};
use super::code::{LinearMap, PLANES, Row};
use super::expand::{Expander, TILE_GROUPS, TILE_ROWS, places};
use super::index::{Index, Tag};
use super::keys::Keys;
use super::layout::{CHUNK_GROUPS, GROUP_BYTES, Layout, TRANSFERS};
use super::secrets::Secrets;
use super::{base_ot, check, okvs, tree};
use crate::claims::{self, Claims};
use crate::group::{IdHash, entropy};
use crate::{Common, PsiError, PsiSession, Sizes};

/// Begins P0's part: hashes and encodes its ids, on all cores but for the encoding.
///
/// Private input: `ids`, distinct and normalised, as many as announced. Public: the rest.
///
/// # Errors
/// [`PsiError::Entropy`], [`PsiError::Count`], [`PsiError::OwnDuplicate`]; [`PsiError::Encoding`]
/// for less than one session in 2^40 whose key P1 did not choose: begin again with a new one.
pub fn begin<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
) -> Result<RatingEncoding, PsiError> {
    begin_seeded(session, sizes, ids, &*entropy()?)
}

pub(super) fn begin_seeded<'a>(
    session: &PsiSession,
    sizes: Sizes,
    ids: impl Iterator<Item = &'a str>,
    seed: &[u8; 32],
) -> Result<RatingEncoding, PsiError> {
    let mut random = ChaCha20Rng::from_seed(*seed);
    let layout = Layout::new(sizes);
    let keys = Keys::new(session);
    let ids = okvs::hash_ids(&keys.id, sizes.rating(), ids)?;
    let mut messages = okvs::encode(&ids, layout.segment(), layout.groups() * GROUP)?;
    let random_rows = messages.len() - check::KEYS * GROUP;
    messages[random_rows..].fill_with(|| random.next_u64());
    let mut later = Zeroizing::new([0; 32]);
    random.fill_bytes(&mut *later);
    Ok(RatingEncoding {
        session: session.clone(),
        keys,
        layout,
        ids,
        messages,
        later,
    })
}

/// P0's ids are encoded; P1's request is due.
pub struct RatingEncoding {
    session: PsiSession,
    keys: Keys,
    layout: Layout,
    ids: Vec<IdHash>,
    /// p, zeros to the end of its group, and the check's random rows.
    pub(super) messages: Zeroizing<Vec<u64>>,
    /// Seed of what is drawn when the request comes.
    later: Zeroizing<[u8; 32]>,
}

impl RatingEncoding {
    /// Takes P1's request; gives the answer to send.
    ///
    /// # Errors
    /// [`PsiError`] blaming the peer: a request of another length, or improper elements.
    pub fn take_request(self, bytes: &[u8]) -> Result<(RatingSending, Vec<u8>), PsiError> {
        Layout::expect("P1's request", bytes, self.layout.request_bytes())?;
        let mut transcript = blake3::Hasher::new_keyed(&self.keys.check);
        transcript.update(bytes);
        let mut random = ChaCha20Rng::from_seed(*self.later);
        let transfers = base_ot::answer(&self.keys, bytes, &mut random)?;
        let mut answer = Vec::with_capacity(self.layout.answer_bytes());
        let mut leaves = Vec::with_capacity(TRANSFERS / tree::DEPTH * tree::LEAVES);
        let transfers = transfers.chunks(tree::DEPTH);
        let roots = transfers.clone().map(|_| {
            let mut root = Zeroizing::new([0; 32]);
            random.fill_bytes(&mut *root);
            Seed::from_bytes(*root)
        });
        let roots: Vec<Seed> = roots.collect();
        let trees: Vec<_> = roots.into_par_iter().map(tree::grow).collect();
        for (transfers, (of_tree, sums)) in transfers.zip(trees) {
            leaves.extend(of_tree.into_iter().map(Some));
            for ((seeds, element), sums) in transfers.iter().zip(&sums) {
                answer.extend_from_slice(element);
                for (seed, sum) in seeds.iter().zip(sums) {
                    let pad = seed.expose_bytes();
                    answer.extend(pad.iter().zip(sum.iter()).map(|(pad, sum)| pad ^ sum));
                }
            }
        }
        transcript.update(&answer);
        let sending = RatingSending {
            session: self.session,
            keys: self.keys,
            layout: self.layout,
            ids: self.ids,
            messages: self.messages,
            expander: Expander::new(leaves.into_iter()),
            rows: Secrets::new(Vec::new()),
            transcript,
            checked: false,
        };
        Ok((sending, answer))
    }
}

/// Sends columns, then the check.
pub struct RatingSending {
    session: PsiSession,
    keys: Keys,
    layout: Layout,
    ids: Vec<IdHash>,
    pub(super) messages: Zeroizing<Vec<u64>>,
    pub(super) expander: Expander,
    /// v.
    pub(super) rows: Secrets<Row>,
    transcript: blake3::Hasher,
    checked: bool,
}

impl RatingSending {
    /// The next message to send: columns, at last the check; `None` when all are out. Computes on
    /// all cores.
    pub fn next_chunk(&mut self) -> Option<Vec<u8>> {
        let first = self.rows.len() / GROUP;
        let groups = self.layout.groups_from(first);
        if groups == 0 {
            if self.checked {
                return None;
            }
            self.checked = true;
            return Some(check::prove(&self.transcript, &self.messages, &self.rows));
        }
        if self.rows.capacity() == 0 {
            // Public: what this party's own number of ids takes.
            self.rows.reserve_exact(self.layout.groups() * GROUP);
        }
        let range = first * GROUP..(first + groups) * GROUP;
        // By all cores: memory that is touched for the first time is not free.
        self.rows
            .par_extend(rayon::iter::repeat_n([0; 3], range.len()));
        let mut bytes = vec![0; groups * GROUP_BYTES];
        let rows = &mut self.rows[range.clone()];
        rows.par_chunks_mut(TILE_ROWS)
            .zip(self.messages[range].par_chunks(TILE_ROWS))
            .zip(bytes.par_chunks_mut(TILE_GROUPS * GROUP_BYTES))
            .enumerate()
            .for_each(|(tile, ((rows, messages), bytes))| {
                fill_tile(
                    &self.expander,
                    first / TILE_GROUPS + tile,
                    messages,
                    rows,
                    bytes,
                );
            });
        self.transcript.update_rayon(&bytes);
        Some(bytes)
    }

    /// Messages sent, of how many: for showing progress.
    #[must_use]
    pub fn sent(&self) -> (u64, u64) {
        let chunks = |groups: usize| groups.div_ceil(CHUNK_GROUPS) as u64;
        let sent = chunks(self.rows.len() / GROUP) + u64::from(self.checked);
        (sent, chunks(self.layout.groups()) + 1)
    }

    /// All are out: P1's labels are due. Tags P0's own ids, on all cores.
    ///
    /// # Errors
    /// [`PsiError::Unfinished`] while some are not.
    pub fn finish(self) -> Result<RatingMatching, PsiError> {
        if !self.checked {
            let (actual, expected) = self.sent();
            return Err(PsiError::Unfinished {
                what: "messages of columns sent",
                expected,
                actual,
            });
        }
        let lookup = okvs::Lookup::new(&self.rows, self.layout.segment());
        let tag = |id: &IdHash| tag(&self.keys, id, lookup.sum(id));
        let tags: Vec<Tag> = self.ids.par_iter().map(tag).collect();
        let label_bytes = self.layout.sizes().label_bytes();
        let matched = vec![false; tags.len()];
        Ok(RatingMatching {
            session: self.session,
            layout: self.layout,
            index: Index::new(label_bytes, Secrets::new(tags)),
            stream: blake3::Hasher::new(),
            received: 0,
            pairs: Vec::new(),
            matched,
        })
    }
}

/// A tile's columns, and its rows of v.
fn fill_tile(
    expander: &Expander,
    tile: usize,
    messages: &[u64],
    rows: &mut [Row],
    bytes: &mut [u8],
) {
    let groups = rows.len() / GROUP;
    let mut sums = Zeroizing::new(vec![[0; PLANES]; groups]);
    let mut weighted = Zeroizing::new(vec![[0; PLANES]; groups]);
    expander.tile(tile, |index, expanded| {
        for (group, (sums, weighted)) in sums.iter_mut().zip(weighted.iter_mut()).enumerate() {
            for (from, to) in places(index, group) {
                sums[to] = expanded.sum[from];
                weighted[to] = expanded.weighted[from];
            }
        }
    });
    let encoding = LinearMap::encoding();
    let mut words = Zeroizing::new([[0; 3]; GROUP]);
    let planes = sums.iter().zip(weighted.iter());
    let theirs = messages.chunks(GROUP).zip(bytes.chunks_mut(GROUP_BYTES));
    let groups = planes.zip(rows.chunks_mut(GROUP)).zip(theirs);
    for (((sums, weighted), rows), (messages, bytes)) in groups {
        bits::to_rows(weighted, rows);
        for (word, message) in words.iter_mut().zip(messages) {
            *word = encoding.apply(*message);
        }
        for word in 0..PLANES / 64 {
            let mut planes = bits::planes_of_word(|row| words[row][word]);
            let bytes = bytes[64 * 16 * word..].chunks_exact_mut(16);
            for ((bytes, plane), sum) in bytes.zip(&planes).zip(&sums[64 * word..]) {
                bytes.copy_from_slice(&(plane ^ sum).to_le_bytes());
            }
            planes.zeroize();
        }
    }
}

/// The tag of an id and what it is looked up as.
pub(super) fn tag(keys: &Keys, id: &IdHash, row: Row) -> Tag {
    let mut bytes = [0; 56];
    bytes[..32].copy_from_slice(id);
    for (bytes, word) in bytes[32..].chunks_exact_mut(8).zip(row) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    *blake3::keyed_hash(&keys.tag, &bytes).as_bytes()
}

/// Takes P1's labels.
pub struct RatingMatching {
    session: PsiSession,
    layout: Layout,
    index: Index,
    stream: blake3::Hasher,
    received: usize,
    /// P1's place and P0's id, by places.
    pairs: Vec<(u32, u32)>,
    matched: Vec<bool>,
}

impl RatingMatching {
    /// Takes labels T. Computes on all cores.
    ///
    /// A label that matches an id already matched counts as one that matches none: refusing it
    /// would tell P1, which could send the label of a guessed id twice, that P0 has that id.
    ///
    /// # Errors
    /// [`PsiError`] blaming the peer: a message of another length than is due.
    pub fn take_labels(mut self, bytes: &[u8]) -> Result<Self, PsiError> {
        let labels = self.layout.labels_from(self.received);
        Layout::expect("labels", bytes, labels * self.layout.sizes().label_bytes())?;
        if labels == 0 {
            return Err(PsiError::Surplus {
                what: "labels",
                expected: u64::from(self.layout.sizes().social()),
            });
        }
        self.stream.update_rayon(bytes);
        let found = self.index.find(bytes);
        for (place, number) in (self.received..).zip(found) {
            let Some(number) = number else { continue };
            if std::mem::replace(&mut self.matched[number as usize], true) {
                continue;
            }
            // Places are below 2^24.
            self.pairs
                .extend(u32::try_from(place).map(|place| (place, number)));
        }
        self.received += labels;
        Ok(self)
    }

    /// Labels received so far, of n₁.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received as u64
    }

    /// Whether all have come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.received == self.layout.sizes().social() as usize
    }

    /// The common ids, and what to tell P1.
    ///
    /// # Errors
    /// [`PsiError::Unfinished`].
    pub fn finish(self) -> Result<(Common, Claims), PsiError> {
        if !self.is_complete() {
            return Err(PsiError::Unfinished {
                what: "labels received",
                expected: u64::from(self.layout.sizes().social()),
                actual: self.received(),
            });
        }
        let mut bytes = vec![0; self.layout.claims_bytes()];
        for (place, _) in &self.pairs {
            claims::set(&mut bytes, *place);
        }
        let half = |claim: usize| &self.index.tag(self.pairs[claim].1)[16..];
        let proof = claims::prove(&self.session, self.pairs.len(), half);
        let members = bytes.len() - 32;
        bytes[members..].copy_from_slice(proof.as_bytes());
        let rows = self.pairs.iter().map(|(_, number)| *number).collect();
        let digest = self.stream.finalize();
        let common = Common::new(&self.session, rows, digest.as_bytes(), &bytes[..members]);
        Ok((common, Claims::received(bytes)))
    }
}
