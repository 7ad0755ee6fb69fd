//! Bits by rows and by planes: a group is 128 rows, or as many lanes of every plane.

use super::code::{PLANES, Row};

/// Rows of a group.
pub(super) const GROUP: usize = 128;

/// Bit j of word i becomes bit i of word j (Knuth 7.1.3; Hacker's Delight 7-3).
pub(super) fn transpose(words: &mut [u64; 64]) {
    let mut width = 32;
    let mut mask = u64::from(u32::MAX);
    while width != 0 {
        for block in words.chunks_exact_mut(2 * width) {
            let (low, high) = block.split_at_mut(width);
            for (low, high) in low.iter_mut().zip(high) {
                let swapped = (*low >> width ^ *high) & mask;
                *low ^= swapped << width;
                *high ^= swapped;
            }
        }
        width >>= 1;
        mask ^= mask << width;
    }
}

/// The planes of one word of 128 rows: plane k holds bit k of row r in lane r.
pub(super) fn planes_of_word(word: impl Fn(usize) -> u64) -> [u128; 64] {
    let mut low: [u64; 64] = std::array::from_fn(&word);
    let mut high: [u64; 64] = std::array::from_fn(|row| word(64 + row));
    transpose(&mut low);
    transpose(&mut high);
    std::array::from_fn(|plane| u128::from(high[plane]) << 64 | u128::from(low[plane]))
}

/// A group's planes.
#[cfg(test)]
pub(super) fn to_planes(rows: &[Row]) -> [u128; PLANES] {
    let mut planes = [0; PLANES];
    for (word, planes) in planes.chunks_exact_mut(64).enumerate() {
        planes.copy_from_slice(&planes_of_word(|row| rows[row][word]));
    }
    planes
}

/// A group's rows.
pub(super) fn to_rows(planes: &[u128; PLANES], rows: &mut [Row]) {
    for (word, planes) in planes.chunks_exact(64).enumerate() {
        for (half, rows) in rows.chunks_exact_mut(64).enumerate() {
            let mut words: [u64; 64] = std::array::from_fn(|plane| {
                let bytes = (planes[plane] >> (64 * half)).to_le_bytes();
                u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8]))
            });
            transpose(&mut words);
            for (row, bits) in rows.iter_mut().zip(words) {
                row[word] = bits;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngCore, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn planes_hold_the_bits_of_rows() {
        let mut random = ChaCha20Rng::from_seed([1; 32]);
        let rows: Vec<Row> = (0..GROUP)
            .map(|_| std::array::from_fn(|_| random.next_u64()))
            .collect();
        let planes = to_planes(&rows);
        for (lane, row) in rows.iter().enumerate() {
            for (plane, bits) in planes.iter().enumerate() {
                let bit = row[plane / 64] >> (plane % 64) & 1;
                assert_eq!(bits >> lane & 1, u128::from(bit));
            }
        }
        let mut back = vec![[0; 3]; GROUP];
        to_rows(&planes, &mut back);
        assert_eq!(back, rows);
    }
}
