//! Pseudorandom streams: tfhe's CSPRNG, in bulk and from any position.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use concrete_csprng::generators::aes_ctr::{AesCtrParams, AesIndex, ByteIndex, TableIndex};
use concrete_csprng::generators::{DefaultRandomGenerator, RandomGenerator};
use concrete_csprng::seeders::{Seed as CsprngSeed, SeedKind};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{PublicSeed, Seed};

const BLOCK_BYTES: usize = 16;
/// Blocks encrypted at once: counters and output stay in the first-level cache.
const BATCH_BLOCKS: usize = 256;

/// A stream of pseudorandom bytes that can start anywhere in O(1).
///
/// The bytes are those of concrete-csprng (tfhe's AES-128 in counter mode) with key
/// `seed[..16]`, beginning at AES index `seed[16..] / 2`: the second half of the seed makes one
/// key's break worth one stream only, the halving leaves 2^127 blocks. A test holds the two
/// equal. Its generator yields single bytes; this one encrypts whole batches, with VAES where
/// the processor has it, and erases its round keys.
#[derive(Clone)]
pub struct Stream {
    cipher: Aes128,
    first_block: u128,
    position_bytes: u64,
}

impl Stream {
    /// The stream of a secret seed, from its beginning.
    #[must_use]
    pub fn new(seed: &Seed) -> Self {
        Self::from_seed_bytes(seed.expose_bytes())
    }

    /// The stream of a public seed, from its beginning.
    #[must_use]
    pub fn public(seed: &PublicSeed) -> Self {
        Self::from_seed_bytes(seed.as_bytes())
    }

    /// Whether 16 bytes of it cost less than fetching 16 from a random place in memory: so with
    /// four blocks an instruction.
    #[must_use]
    pub fn is_fast() -> bool {
        #[cfg(target_arch = "x86_64")]
        return is_x86_feature_detected!("vaes") && is_x86_feature_detected!("avx512f");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// The same stream from byte `position_bytes` on.
    #[must_use]
    pub fn at(&self, position_bytes: u64) -> Self {
        Self {
            position_bytes,
            ..self.clone()
        }
    }

    /// Goes to byte `position_bytes`.
    pub fn seek(&mut self, position_bytes: u64) {
        self.position_bytes = position_bytes;
    }

    /// The next byte's position.
    #[must_use]
    pub fn position_bytes(&self) -> u64 {
        self.position_bytes
    }

    /// The next bytes.
    pub fn fill_bytes(&mut self, out: &mut [u8]) {
        let within = self.within_block();
        let mut rest = out;
        if within > 0 {
            let (head, tail) = rest.split_at_mut(rest.len().min(BLOCK_BYTES - within));
            self.partial_block(within, head);
            rest = tail;
        }
        let (blocks, tail) = rest.as_chunks_mut::<BLOCK_BYTES>();
        self.whole_blocks(blocks);
        if !tail.is_empty() {
            self.partial_block(0, tail);
        }
    }

    /// The next 16 bytes as a little-endian integer, for each of `out`.
    pub fn fill_u128(&mut self, out: &mut [u128]) {
        if self.within_block() == 0 {
            self.whole_blocks(bytemuck::must_cast_slice_mut(out));
        } else {
            self.fill_bytes(bytemuck::must_cast_slice_mut(out));
        }
        for value in out {
            *value = u128::from_le(*value);
        }
    }

    /// Fills pieces of `piece` integers of 16 bytes each, one after the other in `out`, with what
    /// the stream has at `first_integers`, counted in integers from its beginning. Short pieces cost no more
    /// than one long one.
    pub fn fill_pieces(
        &self,
        first_integers: impl Iterator<Item = u64>,
        piece: usize,
        out: &mut [u128],
    ) {
        let blocks: &mut [[u8; BLOCK_BYTES]] = bytemuck::must_cast_slice_mut(out);
        let batch_blocks = (BATCH_BLOCKS / piece.max(1)).max(1) * piece.max(1);
        let mut first_integers = first_integers;
        for batch in blocks.chunks_mut(batch_blocks) {
            for (blocks, first) in batch.chunks_mut(piece.max(1)).zip(&mut first_integers) {
                count_up(self.first_block + u128::from(first), blocks);
            }
            self.encrypt(batch);
        }
        for value in out {
            *value = u128::from_le(*value);
        }
    }

    /// The next 8 bytes as a little-endian integer, for each of `out`.
    pub fn fill_u64(&mut self, out: &mut [u64]) {
        self.fill_bytes(bytemuck::must_cast_slice_mut(out));
        for value in out {
            *value = u64::from_le(*value);
        }
    }

    fn from_seed_bytes(seed: &[u8; 32]) -> Self {
        let (key, first_block) = key_and_first_block(seed);
        Self {
            cipher: Aes128::new(&Array(key.0)),
            first_block,
            position_bytes: 0,
        }
    }

    fn within_block(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "below 16")]
        let within = (self.position_bytes % BLOCK_BYTES as u64) as usize;
        within
    }

    fn counter(&self) -> u128 {
        self.first_block + u128::from(self.position_bytes / BLOCK_BYTES as u64)
    }

    fn whole_blocks(&mut self, blocks: &mut [[u8; BLOCK_BYTES]]) {
        let mut counter = self.counter();
        for batch in blocks.chunks_mut(BATCH_BLOCKS) {
            counter = count_up(counter, batch);
            self.encrypt(batch);
        }
        self.position_bytes += (blocks.len() * BLOCK_BYTES) as u64;
    }

    fn encrypt(&self, blocks: &mut [[u8; BLOCK_BYTES]]) {
        self.cipher
            .encrypt_blocks(Array::cast_slice_from_core_mut(blocks));
    }

    fn partial_block(&mut self, within: usize, out: &mut [u8]) {
        let mut block = Array(self.counter().to_le_bytes());
        self.cipher.encrypt_block(&mut block);
        out.copy_from_slice(&block[within..within + out.len()]);
        block.0.zeroize();
        self.position_bytes += out.len() as u64;
    }
}

/// Counters from `counter` on, one a block; returns the one after them.
fn count_up(mut counter: u128, blocks: &mut [[u8; BLOCK_BYTES]]) -> u128 {
    for block in blocks {
        *block = counter.to_le_bytes();
        counter += 1;
    }
    counter
}

/// concrete-csprng's own generator for the same bytes, for tfhe functions that take one and for
/// the test that holds [`Stream`] equal to it.
impl Seed {
    /// tfhe's generator over this seed's stream.
    #[must_use]
    pub fn csprng(&self) -> DefaultRandomGenerator {
        DefaultRandomGenerator::new(csprng_params(self.expose_bytes()))
    }
}

impl PublicSeed {
    /// tfhe's generator over this seed's stream.
    #[must_use]
    pub fn csprng(&self) -> DefaultRandomGenerator {
        DefaultRandomGenerator::new(csprng_params(self.as_bytes()))
    }
}

fn csprng_params(seed: &[u8; 32]) -> AesCtrParams {
    let (key, first_block) = key_and_first_block(seed);
    AesCtrParams {
        seed: SeedKind::Ctr(CsprngSeed(u128::from_le_bytes(key.0))),
        first_index: TableIndex::new(AesIndex(first_block), ByteIndex(0)),
    }
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Key([u8; 16]);

fn key_and_first_block(seed: &[u8; 32]) -> (Key, u128) {
    let mut key = Key([0; 16]);
    let mut second = [0; 16];
    key.0.copy_from_slice(&seed[..16]);
    second.copy_from_slice(&seed[16..]);
    let first_block = u128::from_le_bytes(second) >> 1;
    second.zeroize();
    (key, first_block)
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests cut known values short"
)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_concrete_csprng() {
        for tag in 0..4u8 {
            let seed = Seed::from_bytes(std::array::from_fn(|i| tag.wrapping_mul(91) ^ i as u8));
            let expected: Vec<u8> = seed.csprng().take(20_000).collect();
            let mut stream = Stream::new(&seed);
            let mut actual = vec![0; 20_000];
            let mut rest = actual.as_mut_slice();
            // Uneven pieces: heads, tails, whole batches and empty ones.
            for length in [0, 1, 15, 16, 17, 4096, 5000, 3, 13, 64, 10_775] {
                let (piece, tail) = rest.split_at_mut(length);
                stream.fill_bytes(piece);
                rest = tail;
            }
            assert!(rest.is_empty());
            assert_eq!(actual, expected);
        }
    }

    #[test]
    fn any_position_continues_the_stream() {
        let stream = Stream::new(&Seed::from_bytes([9; 32]));
        let mut all = vec![0u8; 3000];
        stream.clone().fill_bytes(&mut all);
        for start in [0usize, 1, 15, 16, 31, 100, 1024, 2900] {
            let mut part = vec![0u8; 100];
            stream.at(start as u64).fill_bytes(&mut part);
            assert_eq!(part, all[start..start + 100]);
            let mut words = vec![0u128; 3];
            stream.at(start as u64).fill_u128(&mut words);
            let expected = u128::from_le_bytes(all[start..start + 16].try_into().unwrap());
            assert_eq!(words[0], expected);
        }
    }

    #[test]
    fn pieces_are_those_of_the_stream() {
        let stream = Stream::new(&Seed::from_bytes([4; 32]));
        for (piece, count) in [(1, 3), (16, 40), (300, 3)] {
            let places: Vec<u64> = (0..count).map(|i| 7919 * (i % 5) + i).collect();
            let mut pieces = vec![0; piece * places.len()];
            stream.fill_pieces(places.iter().copied(), piece, &mut pieces);
            for (place, actual) in places.iter().zip(pieces.chunks(piece)) {
                let mut expected = vec![0; piece];
                stream.at(16 * place).fill_u128(&mut expected);
                assert_eq!(actual, expected);
            }
        }
    }

    #[test]
    fn both_halves_of_the_seed_matter() {
        let first_bytes = |seed: [u8; 32]| {
            let mut out = [0; 32];
            Stream::new(&Seed::from_bytes(seed)).fill_bytes(&mut out);
            out
        };
        let base = first_bytes([0; 32]);
        for position in 0..32 {
            let mut seed = [0; 32];
            seed[position] = 2;
            assert_ne!(first_bytes(seed), base);
        }
    }
}
