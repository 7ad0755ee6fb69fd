//! The inner loop: weighted sums of 128-bit coefficients without carries.
//!
//! A coefficient is four 32-bit limbs, seen as two words of two limbs each. Even and odd limbs
//! are summed in separate words, weight times limb at a time; with Σ|weight| < 2^31 no sum
//! leaves a signed word, so the carries are settled once for each row, not for each non-zero.
//! Everything inside is one load, two multiplications and two additions for a whole vector.
//!
//! Rows of a tile that exceeds the caches are asked for some non-zeros ahead: memory then answers
//! several at once instead of one after the other.

use pulp::{Arch, Simd, WithSimd};
use s3rec_algebra::prefetch;

/// Coefficients summed at a time: their sums stay in registers.
pub(super) const BLOCK: usize = 16;
const WORDS: usize = 2 * BLOCK;
/// Non-zeros between asking for a row and summing it: about a row of Y.
const AHEAD: usize = 20;
/// A tile of this size needs no asking ahead.
const CACHED_BYTES: usize = 4 << 20;
const CACHE_LINE_WORDS: usize = 8;

const _: () = assert!(
    cfg!(target_endian = "little"),
    "a u128 is seen as its low word, then its high word"
);

/// One non-zero: which row of the tile, times what.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    row: u32,
    weight: i32,
}

/// The non-zeros of one row of Y, and those that will be summed after them.
#[derive(Clone, Copy)]
pub(super) struct Entries<'a> {
    /// The row's own come first.
    pub(super) from_here: &'a [Entry],
    pub(super) count: usize,
}

impl<'a> Entries<'a> {
    /// Those of the row alone.
    pub(super) fn own(self) -> &'a [Entry] {
        self.from_here.get(..self.count).unwrap_or_default()
    }
}

impl Entry {
    /// `row` < 2^32 and |`weight`| < 2^31, as [`super::SparseRows`] ensures.
    pub(super) fn new(row: usize, weight: i64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "positions among u32 columns and weights below 2^31"
        )]
        let (row, weight) = (row as u32, weight as i32);
        Self { row, weight }
    }

    pub(super) fn row(self) -> usize {
        self.row as usize
    }

    pub(super) fn at(self, row: usize) -> Self {
        Self::new(row, i64::from(self.weight))
    }
}

pub(super) struct Kernel(Arch);

impl Kernel {
    pub(super) fn new() -> Self {
        Self(Arch::new())
    }

    /// Adds X^shift·Σ weight·row to the polynomial `out`, for rows of `width` coefficients in
    /// `tile`. Coefficients pushed beyond X^(N−1) come back negated.
    pub(super) fn add_rotated(
        &self,
        entries: Entries<'_>,
        tile: &[u128],
        width: usize,
        shift: usize,
        out: &mut [u128],
    ) {
        if entries.count == 0 {
            return;
        }
        let words: &[u64] = bytemuck::must_cast_slice(tile);
        let ahead = match entries.from_here.get(AHEAD..) {
            Some(ahead) if size_of_val(tile) > CACHED_BYTES => ahead,
            _ => &[],
        };
        let entries = entries.own();
        for block in (0..width).step_by(BLOCK) {
            let mut sums = [[0; WORDS]; 2];
            self.0.dispatch(Weigh {
                entries,
                ahead,
                words,
                row_words: 2 * width,
                first: 2 * block,
                sums: &mut sums,
            });
            add_block(
                &sums,
                (shift + block) % out.len(),
                shift + block >= out.len(),
                out,
            );
        }
    }
}

/// Even and odd limb sums of one block.
struct Weigh<'a> {
    entries: &'a [Entry],
    ahead: &'a [Entry],
    words: &'a [u64],
    row_words: usize,
    first: usize,
    sums: &'a mut [[u64; WORDS]; 2],
}

impl Weigh<'_> {
    #[inline(always)]
    fn row(&self, entry: &Entry) -> Option<&[u64; WORDS]> {
        let start = entry.row as usize * self.row_words + self.first;
        self.words.get(start..)?.first_chunk()
    }
}

#[inline(always)]
fn ask_for(row: &[u64; WORDS]) {
    for line in row.as_chunks::<CACHE_LINE_WORDS>().0 {
        prefetch(line);
    }
}

impl WithSimd for Weigh<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (mut e, mut o) = ([0u64; WORDS], [0u64; WORDS]);
        let mut ahead = self.ahead.iter();
        for entry in self.entries {
            if let Some(row) = ahead.next().and_then(|next| self.row(next)) {
                ask_for(row);
            }
            let Some(row) = self.row(entry) else {
                continue;
            };
            let weight = u64::from(entry.weight.unsigned_abs());
            if entry.weight < 0 {
                for i in 0..WORDS {
                    e[i] = e[i].wrapping_sub((row[i] & 0xffff_ffff) * weight);
                    o[i] = o[i].wrapping_sub((row[i] >> 32) * weight);
                }
            } else {
                for i in 0..WORDS {
                    e[i] = e[i].wrapping_add((row[i] & 0xffff_ffff) * weight);
                    o[i] = o[i].wrapping_add((row[i] >> 32) * weight);
                }
            }
        }
        *self.sums = [e, o];
    }
}

/// Adds the block's sums to `out` from `start` on, negated if `negate` and again behind the end.
fn add_block([even, odd]: &[[u64; WORDS]; 2], start: usize, negate: bool, out: &mut [u128]) {
    let settled = |i: usize| {
        let limb = |word: u64| i128::from(word.cast_signed()).cast_unsigned();
        limb(even[2 * i])
            .wrapping_add(limb(odd[2 * i]) << 32)
            .wrapping_add(limb(even[2 * i + 1]) << 64)
            .wrapping_add(limb(odd[2 * i + 1]) << 96)
    };
    let before_end = BLOCK.min(out.len() - start);
    let (head, tail) = out.split_at_mut(start);
    for (i, out) in tail.iter_mut().take(before_end).enumerate() {
        *out = add_signed(*out, settled(i), negate);
    }
    for (i, out) in (before_end..BLOCK).zip(head) {
        *out = add_signed(*out, settled(i), !negate);
    }
}

fn add_signed(sum: u128, term: u128, negate: bool) -> u128 {
    if negate {
        sum.wrapping_sub(term)
    } else {
        sum.wrapping_add(term)
    }
}

#[cfg(test)]
mod tests {
    use s3rec_algebra::{Seed, Stream};

    use super::*;
    use crate::exact::arches;

    /// X^shift·Σ weight·row, coefficient by coefficient.
    fn plainly(
        entries: &[(usize, i64)],
        tile: &[u128],
        width: usize,
        shift: usize,
        out: &mut [u128],
    ) {
        for i in 0..width {
            let sum = entries.iter().fold(0u128, |sum, &(row, weight)| {
                let weight = i128::from(weight).cast_unsigned();
                sum.wrapping_add(tile[row * width + i].wrapping_mul(weight))
            });
            let place = (shift + i) % out.len();
            out[place] = add_signed(out[place], sum, shift + i >= out.len());
        }
    }

    #[test]
    fn sums_are_exact_on_every_kind_of_processor() {
        let (rows, width, size) = (7, 48, 64);
        let mut tile = vec![0; rows * width];
        Stream::new(&Seed::from_bytes([2; 32])).fill_u128(&mut tile);
        tile[..width].fill(u128::MAX);
        let half = (1i64 << 30) - 1;
        let cases: [&[(usize, i64)]; 4] = [
            &[],
            &[(0, half), (0, half), (3, 1)],
            &[(0, -half), (0, -half), (6, -1)],
            &[(0, 5), (1, -17), (2, 1024), (3, 0), (4, -1), (5, 1), (6, 9)],
        ];
        for entries in cases {
            let packed: Vec<Entry> = entries.iter().map(|&(row, w)| Entry::new(row, w)).collect();
            // Inside, across the end, past it.
            for shift in [0, 16, 30, 50, 63] {
                let mut expected = vec![7; size];
                plainly(entries, &tile, width, shift, &mut expected);
                for arch in arches() {
                    let mut out = vec![7; size];
                    let entries = Entries {
                        from_here: &packed,
                        count: packed.len(),
                    };
                    Kernel(arch).add_rotated(entries, &tile, width, shift, &mut out);
                    assert!(out == expected, "shift {shift}");
                }
            }
        }
    }
}
