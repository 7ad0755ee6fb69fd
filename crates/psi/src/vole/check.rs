//! That what P0 sent are words of the code: SoftSpokenOT's consistency check (Roy 2022, section 4).
//!
//! A linear hash over the rows, drawn after they have crossed, of what P0 put in (p), of its v and of P1's k:
//! where k = v + Δ·(the word of p) row by row, the hashes satisfy it too; where some row's word is
//! none, they do for a share of at most (groups)·2^-128 of the keys. The hash is POLYVAL over
//! each bit plane, 128 rows a block, under two keys, and ends by adding a group of rows that P0
//! drew at random, so that it shows nothing of the others. Keys come from all that has crossed.

use polyval::{Block, Key, Polyval, universal_hash::UniversalHash};
use rayon::prelude::*;

use super::bits::{self, GROUP};
use super::code::{LinearMap, PLANES, Row, add};
use crate::PsiError;

/// Keys, each with a group of random rows of its own.
pub(super) const KEYS: usize = 2;
/// Bytes of the message: 64 hashes of what was put in, then 192 of v, for each key.
pub(super) const BYTES: usize = KEYS * HASHES * 16;
const HASHES: usize = 64 + PLANES;
/// Groups hashed at once.
const BATCH: usize = 8;

/// Hashes 64 planes: bit k of `word(row)` is plane k's. The last [`KEYS`] groups are the random ones.
fn hash_word(key: &Key, index: usize, groups: usize, word: impl Fn(usize) -> u64) -> [u128; 64] {
    let planes = |group: usize| bits::planes_of_word(|row| word(GROUP * group + row));
    let data = groups - KEYS;
    let mut states = vec![Polyval::new(key); 64];
    let mut batch = vec![[Block::default(); BATCH]; 64];
    for first in (0..data).step_by(BATCH) {
        let count = BATCH.min(data - first);
        for (slot, group) in (first..first + count).enumerate() {
            for (blocks, plane) in batch.iter_mut().zip(planes(group)) {
                blocks[slot] = plane.to_le_bytes().into();
            }
        }
        for (state, blocks) in states.iter_mut().zip(&batch) {
            state.update(&blocks[..count]);
        }
    }
    let mut hashes = planes(data + index);
    for (hash, state) in hashes.iter_mut().zip(states) {
        *hash ^= u128::from_le_bytes(state.finalize().into());
    }
    hashes
}

/// The hashes of all planes under every key; `words` of each row, each of 64 planes.
fn hash_planes(
    keys: &[Key; KEYS],
    groups: usize,
    words: usize,
    word: impl Fn(usize, usize) -> u64 + Sync,
) -> Vec<u128> {
    (0..KEYS * words)
        .into_par_iter()
        .flat_map_iter(|task| {
            let (index, part) = (task / words, task % words);
            hash_word(&keys[index], index, groups, |row| word(row, part))
        })
        .collect()
}

/// The keys, from everything that has crossed.
fn keys(transcript: &blake3::Hasher) -> [Key; KEYS] {
    let mut bytes = [[0; 16]; KEYS];
    transcript.finalize_xof().fill(bytes.as_flattened_mut());
    bytes.map(Key::from)
}

/// P0's message: hashes of `messages` and of v's rows.
pub(super) fn prove(transcript: &blake3::Hasher, messages: &[u64], rows: &[Row]) -> Vec<u8> {
    let keys = keys(transcript);
    let groups = messages.len() / GROUP;
    let of_messages = hash_planes(&keys, groups, 1, |row, _| messages[row]);
    let of_rows = hash_planes(&keys, groups, 3, |row, word| rows[row][word]);
    let each = of_messages.chunks(64).zip(of_rows.chunks(PLANES));
    each.flat_map(|(messages, rows)| messages.iter().chain(rows))
        .flat_map(|hash| hash.to_le_bytes())
        .collect()
}

/// Checks P0's message against k's rows, in time that does not depend on where they differ.
pub(super) fn verify(
    transcript: &blake3::Hasher,
    masking: &LinearMap,
    rows: &[Row],
    proof: &[u8; BYTES],
) -> Result<(), PsiError> {
    let keys = keys(transcript);
    let of_rows = hash_planes(&keys, rows.len() / GROUP, 3, |row, word| rows[row][word]);
    let hashes: Vec<u128> = proof
        .as_chunks::<16>()
        .0
        .iter()
        .map(|hash| u128::from_le_bytes(*hash))
        .collect();
    let mut different = 0;
    for (sent, own) in hashes
        .chunks_exact(HASHES)
        .zip(of_rows.chunks_exact(PLANES))
    {
        let (messages, sent) = sent.split_at(64);
        let difference: [u128; PLANES] = std::array::from_fn(|plane| sent[plane] ^ own[plane]);
        let mut expected = [[0; 3]; GROUP];
        bits::to_rows(&difference, &mut expected);
        for half in 0..2 {
            let mut words: [u64; 64] = std::array::from_fn(|plane| {
                let bytes = (messages[plane] >> (64 * half)).to_le_bytes();
                u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8]))
            });
            bits::transpose(&mut words);
            for (message, expected) in words.iter().zip(&expected[64 * half..]) {
                let [a, b, c] = add(masking.apply(*message), *expected);
                different |= a | b | c;
            }
        }
    }
    match std::hint::black_box(different) {
        0 => Ok(()),
        _ => Err(PsiError::Inconsistent),
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngCore, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::vole::code::SYMBOLS;

    /// Groups of data: two batches and one.
    const DATA: usize = 2 * BATCH + 1;

    /// What P1 checks P0's message with, and the message.
    fn honest(random: &mut ChaCha20Rng) -> (blake3::Hasher, LinearMap, Vec<Row>, Vec<u8>) {
        let rows = GROUP * (DATA + KEYS);
        let messages: Vec<u64> = (0..rows).map(|_| random.next_u64()).collect();
        let v: Vec<Row> = messages
            .iter()
            .map(|_| std::array::from_fn(|_| random.next_u64()))
            .collect();
        let delta: [u8; SYMBOLS] = std::array::from_fn(|symbol| 1 + symbol.to_le_bytes()[0]);
        let masking = LinearMap::masking(&delta);
        let words = messages.iter().map(|message| masking.apply(*message));
        let k = v.iter().zip(words).map(|(v, word)| add(*v, word)).collect();
        let mut transcript = blake3::Hasher::new();
        transcript.update(b"all that has crossed");
        let proof = prove(&transcript, &messages, &v);
        (transcript, masking, k, proof)
    }

    /// Wherever hashes differ, and however the words of a row do: differences of two words that
    /// are alike do not cancel.
    #[test]
    fn a_difference_in_any_words_of_a_row_is_seen() {
        let mut random = ChaCha20Rng::from_seed([7; 32]);
        let (transcript, masking, k, proof) = honest(&mut random);
        let verified =
            |k: &[Row], proof: &[u8]| verify(&transcript, &masking, k, proof.try_into().unwrap());
        assert_eq!(verified(&k, &proof), Ok(()));
        for words in [
            vec![0],
            vec![1],
            vec![2],
            vec![0, 1],
            vec![0, 2],
            vec![1, 2],
            vec![0, 1, 2],
        ] {
            for lane in [0, 63, 64, 127] {
                for hashes in 0..KEYS {
                    let mut proof = proof.clone();
                    for word in &words {
                        let plane = hashes * HASHES + 64 + 64 * word + 5;
                        proof[16 * plane + lane / 8] ^= 1 << (lane % 8);
                    }
                    let refused = Err(PsiError::Inconsistent);
                    assert_eq!(verified(&k, &proof), refused, "{words:?} {lane} {hashes}");
                }
            }
            for row in [0, GROUP - 1, BATCH * GROUP, DATA * GROUP - 1, DATA * GROUP] {
                let mut k = k.clone();
                for word in &words {
                    k[row][*word] ^= 1 << 5;
                }
                assert_eq!(
                    verified(&k, &proof),
                    Err(PsiError::Inconsistent),
                    "{words:?} {row}"
                );
            }
        }
    }
}
