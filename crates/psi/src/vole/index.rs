//! P0's labels, to find P1's among.

use rayon::prelude::*;
use zeroize::Zeroizing;

/// A tag: its first bytes are the label.
pub(super) type Tag = [u8; 32];

/// Tags by their labels: open addressing, at most half full.
pub(super) struct Index {
    label_bytes: usize,
    tags: Zeroizing<Vec<Tag>>,
    /// Upper half: a part of the label; lower half: number of the tag + 1. Zero: free.
    slots: Vec<u64>,
    shift: u32,
}

impl Index {
    /// Of labels of `label_bytes`.
    pub(super) fn new(label_bytes: usize, tags: Zeroizing<Vec<Tag>>) -> Self {
        let slots = (2 * tags.len()).next_power_of_two().max(2);
        let mut index = Self {
            label_bytes,
            tags,
            slots: vec![0; slots],
            shift: u64::BITS - slots.trailing_zeros(),
        };
        for (number, tag) in (1_u64..).zip(index.tags.iter()) {
            let key = key(&tag[..label_bytes]);
            let mut at = index.first(key);
            while index.slots[at] != 0 {
                at = (at + 1) % slots;
            }
            index.slots[at] = key << 32 | number;
        }
        index
    }

    /// The tag whose number is given.
    pub(super) fn tag(&self, number: u32) -> &Tag {
        &self.tags[number as usize]
    }

    /// For each of the labels, the number of the tag that begins like it; of several the first.
    pub(super) fn find(&self, labels: &[u8]) -> Vec<Option<u32>> {
        labels
            .par_chunks(self.label_bytes)
            .with_min_len(256)
            .map(|label| self.find_one(label))
            .collect()
    }

    fn find_one(&self, label: &[u8]) -> Option<u32> {
        let key = key(label);
        let mut at = self.first(key);
        while self.slots[at] != 0 {
            let number =
                u32::try_from(self.slots[at] & u64::from(u32::MAX)).unwrap_or(u32::MAX) - 1;
            let is_alike = self.slots[at] >> 32 == key & u64::from(u32::MAX);
            if is_alike && self.tag(number)[..self.label_bytes] == *label {
                return Some(number);
            }
            at = (at + 1) % self.slots.len();
        }
        None
    }

    fn first(&self, key: u64) -> usize {
        // Fibonacci hashing: short labels do not fill the upper bits.
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> self.shift).unwrap_or(0)
    }
}

fn key(label: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (byte, from) in bytes.iter_mut().zip(label) {
        *byte = *from;
    }
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: u32, rest: u8) -> Tag {
        let mut tag = [rest; 32];
        tag[..4].copy_from_slice(&number.to_le_bytes());
        tag
    }

    #[test]
    fn labels_are_found_by_all_their_bytes() {
        for label_bytes in [5, 8, 10] {
            let tags = (0..1_000).map(|number| tag(number, 1)).collect();
            let index = Index::new(label_bytes, Zeroizing::new(tags));
            let asked = [tag(7, 1), tag(999, 1), tag(1_000, 1), tag(7, 2)];
            let labels: Vec<u8> = asked
                .iter()
                .flat_map(|tag| tag[..label_bytes].to_vec())
                .collect();
            assert_eq!(index.find(&labels), [Some(7), Some(999), None, None]);
        }
        // All in one of two places, as alike as the index itself tells apart.
        let one = Index::new(10, Zeroizing::new(vec![tag(7, 1)]));
        for rest in 2..100 {
            assert_eq!(one.find(&tag(7, rest)[..10]), [None]);
        }
        let none = Index::new(5, Zeroizing::new(Vec::new()));
        assert_eq!(none.find(&[1; 10]), [None, None]);
    }

    #[test]
    fn a_label_of_two_ids_is_the_first_ones() {
        let mut other = tag(3, 1);
        other[31] = 9;
        let index = Index::new(10, Zeroizing::new(vec![tag(3, 1), other]));
        assert_eq!(index.find(&tag(3, 1)[..10]), [Some(0)]);
        assert_eq!(index.find(&tag(4, 1)[..10]), [None]);
    }
}
