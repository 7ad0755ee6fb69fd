//! P0's labels, to find P1's among.

use rayon::prelude::*;

use super::secrets::Secrets;

/// A tag: its first bytes are the label.
pub(super) type Tag = [u8; 32];

/// Stretches of slots that threads fill, at most, and the least slots of one.
const STRETCHES: usize = 64;
const LEAST_STRETCH: usize = 1 << 10;
/// Tags that one thread sorts by stretches.
const SORTED_BY_ONE: u32 = 1 << 14;

/// Tags by their labels: open addressing, at most half full.
pub(super) struct Index {
    label_bytes: usize,
    tags: Secrets<Tag>,
    /// Upper half: a part of the label; lower half: number of the tag + 1. Zero: free.
    slots: Vec<u64>,
    shift: u32,
}

impl Index {
    /// Of labels of `label_bytes`.
    pub(super) fn new(label_bytes: usize, tags: Secrets<Tag>) -> Self {
        let slots = (2 * tags.len()).next_power_of_two().max(2);
        let mut index = Self {
            label_bytes,
            tags,
            slots: vec![0; slots],
            shift: u64::BITS - slots.trailing_zeros(),
        };
        for number in index.fill_stretches() {
            let key = index.key(number);
            let mut at = index.first(key);
            while index.slots[at] != 0 {
                at = (at + 1) % slots;
            }
            index.slots[at] = slot(key, number);
        }
        index
    }

    /// Puts every tag into its stretch of the slots, each filled by one thread in the tags' order;
    /// gives those that found no free slot before its end, in their order.
    fn fill_stretches(&mut self) -> Vec<u32> {
        let mut slots = std::mem::take(&mut self.slots);
        let stretch = (slots.len() / STRETCHES)
            .max(LEAST_STRETCH)
            .min(slots.len());
        let stretches = slots.len() / stretch;
        let this = &*self;
        // Tags are at most 2^24.
        let count = u32::try_from(this.tags.len()).unwrap_or(u32::MAX);
        let parts = (0..count.div_ceil(SORTED_BY_ONE))
            .into_par_iter()
            .map(|part| {
                let first = part * SORTED_BY_ONE;
                let mut sorted = vec![Vec::new(); stretches];
                for number in first..count.min(first + SORTED_BY_ONE) {
                    sorted[this.first(this.key(number)) / stretch].push(number);
                }
                sorted
            });
        let parts: Vec<Vec<Vec<u32>>> = parts.collect();
        let filled = slots.par_chunks_mut(stretch).enumerate();
        let left = filled.flat_map_iter(|(place, slots)| {
            let numbers = parts.iter().flat_map(move |part| &part[place]);
            let mut left = Vec::new();
            for &number in numbers {
                let key = this.key(number);
                let from = this.first(key) - place * stretch;
                match slots[from..].iter_mut().find(|slot| **slot == 0) {
                    Some(free) => *free = slot(key, number),
                    None => left.push(number),
                }
            }
            left
        });
        let mut left: Vec<u32> = left.collect();
        left.sort_unstable();
        self.slots = slots;
        left
    }

    fn key(&self, number: u32) -> u64 {
        key(&self.tag(number)[..self.label_bytes])
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

fn slot(key: u64, number: u32) -> u64 {
    key << 32 | (u64::from(number) + 1)
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
            let index = Index::new(label_bytes, Secrets::new(tags));
            let asked = [tag(7, 1), tag(999, 1), tag(1_000, 1), tag(7, 2)];
            let labels: Vec<u8> = asked
                .iter()
                .flat_map(|tag| tag[..label_bytes].to_vec())
                .collect();
            assert_eq!(index.find(&labels), [Some(7), Some(999), None, None]);
        }
        // All in one of two places, as alike as the index itself tells apart.
        let one = Index::new(10, Secrets::new(vec![tag(7, 1)]));
        for rest in 2..100 {
            assert_eq!(one.find(&tag(7, rest)[..10]), [None]);
        }
        let none = Index::new(5, Secrets::new(Vec::new()));
        assert_eq!(none.find(&[1; 10]), [None, None]);
    }

    /// Whichever stretch a tag falls into, and where one is full to its end.
    #[test]
    fn many_labels_are_found_in_any_stretch() {
        let mut state = 7_u64;
        let mut draw = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            state >> 20
        };
        for count in [3_000_u32, 70_000, 140_000] {
            let mut tags: Vec<Tag> = (0..count).map(|_| tag(0, 1)).collect();
            for tag in &mut tags {
                tag[..8].copy_from_slice(&draw().to_le_bytes());
            }
            // A crowd at the end of a stretch, and one at the end of all: they go on behind it.
            let empty = Index::new(8, Secrets::new(tags.clone()));
            let stretch = (empty.slots.len() / STRETCHES).max(LEAST_STRETCH);
            for end in [stretch - 2, empty.slots.len() - 2] {
                let at = (0_u64..).filter(|key| empty.first(*key) == end);
                for (tag, key) in tags.iter_mut().rev().zip(at.take(20)) {
                    tag[..8].copy_from_slice(&key.to_le_bytes());
                }
                let index = Index::new(8, Secrets::new(tags.clone()));
                let labels: Vec<u8> = tags.iter().flat_map(|tag| tag[..8].to_vec()).collect();
                let mut first = std::collections::HashMap::new();
                for (number, tag) in (0..).zip(&tags) {
                    first.entry(tag).or_insert(number);
                }
                let expected: Vec<_> = tags.iter().map(|tag| first.get(tag).copied()).collect();
                assert!(index.find(&labels) == expected, "{count}");
                assert_eq!(index.find(&[0xff; 8]), [None]);
            }
        }
    }

    #[test]
    fn a_label_of_two_ids_is_the_first_ones() {
        let mut other = tag(3, 1);
        other[31] = 9;
        let index = Index::new(10, Secrets::new(vec![tag(3, 1), other]));
        assert_eq!(index.find(&tag(3, 1)[..10]), [Some(0)]);
        assert_eq!(index.find(&tag(4, 1)[..10]), [None]);
    }
}
