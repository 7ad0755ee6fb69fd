//! BLAKE3 of long messages on all cores: the same digest as on one.
//!
//! BLAKE3 is a tree over pieces of 1,024 bytes; subtrees are hashed side by side and merged as the
//! paper (O'Connor et al. 2020, section 2.1) orders them, left parts being full powers of two.

use std::ops::Range;

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root,
};
use blake3::{Hash, Hasher};

/// Bytes that one thread hashes at a time: a power of two, far more than it costs to hand over.
const AT_ONCE: u64 = 1 << 18;

/// The digest of `bytes`.
pub(crate) fn of_bytes(bytes: &[u8]) -> Hash {
    of_parts(bytes.len() as u64, |range, hasher| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "within the length of the slice"
        )]
        let range = range.start as usize..range.end as usize;
        hasher.update(&bytes[range]);
    })
}

/// The digest of a message of `length` bytes of which `feed` gives any part: parts begin at
/// multiples of 2^18 bytes.
pub(crate) fn of_parts(length: u64, feed: impl Fn(Range<u64>, &mut Hasher) + Sync) -> Hash {
    if length <= AT_ONCE {
        let mut hasher = Hasher::new();
        feed(0..length, &mut hasher);
        return hasher.finalize();
    }
    let (left, right) = halves(0..length, &feed);
    merge_subtrees_root(&left, &right, Mode::Hash)
}

type Halves = (ChainingValue, ChainingValue);

fn halves(range: Range<u64>, feed: &(impl Fn(Range<u64>, &mut Hasher) + Sync)) -> Halves {
    let middle = range.start + left_subtree_len(range.end - range.start);
    rayon::join(
        || subtree(range.start..middle, feed),
        || subtree(middle..range.end, feed),
    )
}

fn subtree(range: Range<u64>, feed: &(impl Fn(Range<u64>, &mut Hasher) + Sync)) -> ChainingValue {
    if range.end - range.start <= AT_ONCE {
        let mut hasher = Hasher::new();
        hasher.set_input_offset(range.start);
        feed(range, &mut hasher);
        return hasher.finalize_non_root();
    }
    let (left, right) = halves(range, feed);
    merge_subtrees_non_root(&left, &right, Mode::Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_one_thread() {
        let long: Vec<u8> = (0..5 * AT_ONCE + 9)
            .map(|at| u8::try_from(at * 7 % 251).unwrap())
            .collect();
        let step = usize::try_from(AT_ONCE).unwrap();
        for length in [
            0,
            1,
            1024,
            step - 1,
            step,
            step + 1,
            2 * step,
            3 * step + 1025,
            long.len(),
        ] {
            let bytes = &long[..length];
            assert_eq!(of_bytes(bytes), blake3::hash(bytes), "{length} bytes");
        }
    }
}
