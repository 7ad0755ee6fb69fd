//! Small VOLEs from trees of seeds: SoftSpokenOT's (Roy, CRYPTO 2022, figure 7) over F_64.
//!
//! Leaf x of tree i is a stream G(r_x) of elements of F_64. P0, which has all leaves, has
//! u_i = Σ_x G(r_x) and v_i = Σ_x x·G(r_x); P1, which lacks leaf Δ_i, has
//! w_i = Σ_x (x + Δ_i)·G(r_x) = v_i + Δ_i·u_i. Elements lie in bit planes: six of them, 128 rows
//! to an integer. Sums are taken pair by pair up the tree, two additions a leaf.

use s3rec_algebra::{Seed, Stream};
use zeroize::Zeroize;

use super::bits::GROUP;
use super::code::{SYMBOL_BITS, SYMBOLS, multiply};
use super::tree::{DEPTH, LEAVES};

/// Groups whose planes are expanded together, in the first-level cache.
pub(super) const TILE_GROUPS: usize = 16;
/// Rows of a tile.
pub(super) const TILE_ROWS: usize = TILE_GROUPS * GROUP;
/// Integers of a tile's six planes.
const TILE: usize = SYMBOL_BITS * TILE_GROUPS;

/// Six planes of a tile's groups: bit b of group g is at b·16 + g.
type Planes = [u128; TILE];

/// All leaves' streams, tree by tree. Leaf x stands at x on P0's side, at x + Δ_i on P1's, where
/// none stands first.
pub(super) struct Expander(Vec<Option<Stream>>);

/// What a tile of one tree comes to.
pub(super) struct Expanded {
    /// u, where all leaves are known.
    pub(super) sum: Planes,
    /// v or w: each leaf times its place.
    pub(super) weighted: Planes,
}

/// Scratch of one thread, erased on drop.
struct Scratch {
    /// Sums of finished subtrees, the larger ones below.
    stack: [Planes; DEPTH + 1],
    /// Sums of the leaves whose place has bit b.
    by_bit: [Planes; DEPTH],
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.stack.as_flattened_mut().zeroize();
        self.by_bit.as_flattened_mut().zeroize();
    }
}

impl Expander {
    /// Of 32 trees of 64 leaves.
    pub(super) fn new(leaves: impl Iterator<Item = Option<Seed>>) -> Self {
        Self(
            leaves
                .map(|leaf| leaf.map(|leaf| Stream::new(&leaf)))
                .collect(),
        )
    }

    /// Expands tile `tile` of every tree, in their order.
    pub(super) fn tile(&self, tile: usize, mut take: impl FnMut(usize, &Expanded)) {
        let mut scratch = Scratch {
            stack: [[0; TILE]; DEPTH + 1],
            by_bit: [[0; TILE]; DEPTH],
        };
        let mut expanded = Expanded {
            sum: [0; TILE],
            weighted: [0; TILE],
        };
        for (index, leaves) in self.0.chunks(LEAVES).enumerate() {
            scratch.add_up(leaves, (tile * TILE) as u64);
            expanded.sum = scratch.stack[0];
            scratch.weigh(&mut expanded.weighted);
            take(index, &expanded);
        }
        expanded.sum.zeroize();
        expanded.weighted.zeroize();
    }
}

impl Scratch {
    fn add_up(&mut self, leaves: &[Option<Stream>], first: u64) {
        self.by_bit.as_flattened_mut().fill(0);
        let mut height = 0;
        for (place, leaf) in leaves.iter().enumerate() {
            match leaf {
                Some(stream) => {
                    stream.fill_pieces(std::iter::once(first), TILE, &mut self.stack[height]);
                }
                None => self.stack[height].fill(0),
            }
            height += 1;
            // A right child ends as many subtrees as its place ends in ones.
            for by_bit in self.by_bit.iter_mut().take(place.trailing_ones() as usize) {
                let (below, above) = self.stack.split_at_mut(height - 1);
                let (left, right) = (&mut below[height - 2], &above[0]);
                for ((left, right), by_bit) in left.iter_mut().zip(right).zip(by_bit) {
                    *by_bit ^= right;
                    *left ^= right;
                }
                height -= 1;
            }
        }
    }

    /// Σ_b x^b·(the leaves whose place has bit b).
    fn weigh(&self, weighted: &mut Planes) {
        weighted.fill(0);
        for (place_bit, by_bit) in self.by_bit.iter().enumerate() {
            for (bit, plane) in by_bit.chunks_exact(TILE_GROUPS).enumerate() {
                let product = multiply(1 << place_bit, 1 << bit);
                for (target, out) in weighted.chunks_exact_mut(TILE_GROUPS).enumerate() {
                    if product >> target & 1 == 1 {
                        for (out, value) in out.iter_mut().zip(plane) {
                            *out ^= value;
                        }
                    }
                }
            }
        }
    }
}

/// Adds `factor`·(the element in six planes `from`) to the element in six planes `to`, without branches.
pub(super) fn multiply_add(factor: u8, from: &[u128], to: &mut [u128]) {
    for (bit, from) in from.iter().enumerate() {
        let product = multiply(factor, 1 << bit);
        for (target, to) in to.iter_mut().enumerate() {
            *to ^= from & 0_u128.wrapping_sub(u128::from(product >> target & 1));
        }
    }
}

/// Where tree `index`'s planes of group `group` of a tile stand, in the tile and in the group.
pub(super) fn places(index: usize, group: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..SYMBOL_BITS).map(move |bit| (bit * TILE_GROUPS + group, SYMBOL_BITS * index + bit))
}

const _: () = assert!(LEAVES == 1 << SYMBOL_BITS && SYMBOLS <= LEAVES);

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    /// w = v + Δ·u in every tree, plane and lane; and u, v are the sums that they are said to be.
    #[test]
    fn both_sides_are_correlated() {
        let delta: [u8; SYMBOLS] = std::array::from_fn(|i| u8::try_from(i * 29 % 64).unwrap());
        let (mut all, mut known) = (Vec::new(), Vec::new());
        for (i, hole) in (0_u8..).zip(delta) {
            let (leaves, sums) = tree::grow(Seed::from_bytes([i; 32]));
            let other = std::array::from_fn(|level| {
                let side = usize::from(tree::side(hole, level) ^ 1);
                Seed::from_bytes(*sums[level][side])
            });
            all.extend(leaves.into_iter().map(Some));
            known.extend(tree::regrow(hole, &other));
        }
        let direct: Vec<Planes> = all[..LEAVES]
            .iter()
            .map(|leaf| {
                let mut out = [0; TILE];
                let stream = Stream::new(leaf.as_ref().unwrap());
                stream.at(16 * 3 * TILE as u64).fill_u128(&mut out);
                out
            })
            .collect();
        let (all, known) = (
            Expander::new(all.into_iter()),
            Expander::new(known.into_iter()),
        );
        let mut at_rating = Vec::new();
        all.tile(3, |_, expanded| {
            at_rating.push((expanded.sum, expanded.weighted))
        });
        let mut at_social = Vec::new();
        known.tile(3, |_, expanded| at_social.push(expanded.weighted));
        assert_eq!((at_rating.len(), at_social.len()), (SYMBOLS, SYMBOLS));
        let group_of = |planes: &Planes, group: usize| -> Vec<u128> {
            places(0, group).map(|(from, _)| planes[from]).collect()
        };
        for (i, ((sum, weighted), received)) in at_rating.iter().zip(&at_social).enumerate() {
            for group in 0..TILE_GROUPS {
                let mut expected = group_of(weighted, group);
                multiply_add(delta[i], &group_of(sum, group), &mut expected);
                assert_eq!(
                    group_of(received, group),
                    expected,
                    "tree {i}, group {group}"
                );
            }
        }
        for group in 0..TILE_GROUPS {
            let (mut sum, mut weighted) = (vec![0; 6], vec![0; 6]);
            for (x, leaf) in (0_u8..).zip(&direct) {
                multiply_add(1, &group_of(leaf, group), &mut sum);
                multiply_add(x, &group_of(leaf, group), &mut weighted);
            }
            assert_eq!(group_of(&at_rating[0].0, group), sum);
            assert_eq!(group_of(&at_rating[0].1, group), weighted);
        }
    }
}
