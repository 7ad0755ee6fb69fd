//! Sizes of everything, from the two numbers of ids.

use super::bits::GROUP;
use super::code::{PLANES, SYMBOLS};
use super::expand::TILE_GROUPS;
use super::tree::DEPTH;
use super::{base_ot, check, okvs};
use crate::{MAX_CHUNK_BYTES, PsiError, Sizes};

/// Bytes of a group's columns.
pub(super) const GROUP_BYTES: usize = PLANES * 16;
/// Groups of a message: whole tiles.
pub(super) const CHUNK_GROUPS: usize = MAX_CHUNK_BYTES / GROUP_BYTES / TILE_GROUPS * TILE_GROUPS;
/// Base transfers: one for each level of each tree.
pub(super) const TRANSFERS: usize = SYMBOLS * DEPTH;
/// Bytes of the answer to one transfer: an element, and a level's two sums.
pub(super) const ANSWER_BYTES: usize = 96;
/// Labels of a message that a party sends.
const LABELS_PER_CHUNK: usize = 1 << 15;

/// How long every message is. Public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    sizes: Sizes,
    segment: u32,
}

impl Layout {
    /// For so many ids.
    #[must_use]
    pub fn new(sizes: Sizes) -> Self {
        let segment = okvs::segment(sizes.rating());
        Self { sizes, segment }
    }

    /// n₀ and n₁.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Most ids of its choice that a P0 that deviates can bring, m: what a limit on ids asked about
    /// counts.
    ///
    /// h has 64 bits, so among N candidates there may be up to m·64/(64 − log₂(e·N/m)) ids that one
    /// p fits (first moment over all sets of them), which are not P0's to choose: for N = 2^30 about
    /// 41 % more than m at 4,096 announced, 28 % at 10^5, 21 % at 10^6.
    #[must_use]
    pub fn most_ids(&self) -> u64 {
        // Places of p, and those that fill the last group up.
        (self.data_groups() * GROUP) as u64
    }

    /// Bytes of P1's request.
    #[must_use]
    pub fn request_bytes(&self) -> usize {
        TRANSFERS * base_ot::REQUEST_BYTES
    }

    /// Bytes of P0's answer.
    #[must_use]
    pub fn answer_bytes(&self) -> usize {
        TRANSFERS * ANSWER_BYTES
    }

    /// Bytes of all columns.
    #[must_use]
    pub fn columns_bytes(&self) -> usize {
        self.groups() * GROUP_BYTES
    }

    /// Bytes of the check.
    #[must_use]
    pub fn check_bytes(&self) -> usize {
        check::BYTES
    }

    /// Bytes of all labels.
    #[must_use]
    pub fn labels_bytes(&self) -> usize {
        self.sizes.label_bytes() * self.sizes.social() as usize
    }

    /// Bytes of the claims: a bit for each of P1's places, padding bits zero, then the proof.
    #[must_use]
    pub fn claims_bytes(&self) -> usize {
        self.sizes.social_bitmap_bytes() + 32
    }

    /// Bytes from P0 to P1, framing aside.
    #[must_use]
    pub fn bytes_to_social(&self) -> u64 {
        let all = [
            self.answer_bytes(),
            self.columns_bytes(),
            self.check_bytes(),
            self.claims_bytes(),
        ];
        all.iter().map(|bytes| *bytes as u64).sum()
    }

    /// Bytes from P1 to P0, framing aside.
    #[must_use]
    pub fn bytes_to_rating(&self) -> u64 {
        (self.request_bytes() + self.labels_bytes()) as u64
    }

    /// Messages of columns, the check and the labels: for showing progress.
    #[must_use]
    pub fn messages(&self) -> u64 {
        let columns = self.groups().div_ceil(CHUNK_GROUPS);
        let labels = (self.sizes.social() as usize).div_ceil(LABELS_PER_CHUNK);
        (columns + 1 + labels) as u64
    }

    pub(super) fn segment(&self) -> u32 {
        self.segment
    }

    fn data_groups(&self) -> usize {
        (3 * self.segment as usize + okvs::DENSE).div_ceil(GROUP)
    }

    /// Groups of rows, with those of the check at the end.
    pub(super) fn groups(&self) -> usize {
        self.data_groups() + check::KEYS
    }

    /// Groups of the message that begins with group `first`.
    pub(super) fn groups_from(&self, first: usize) -> usize {
        (self.groups() - first.min(self.groups())).min(CHUNK_GROUPS)
    }

    /// Labels of the message that begins with place `first`.
    pub(super) fn labels_from(&self, first: usize) -> usize {
        let all = self.sizes.social() as usize;
        (all - first.min(all)).min(LABELS_PER_CHUNK)
    }

    /// Refuses a message that is not as long as it must be.
    pub(super) fn expect(
        what: &'static str,
        bytes: &[u8],
        expected: usize,
    ) -> Result<(), PsiError> {
        match bytes.len() == expected {
            true => Ok(()),
            false => Err(PsiError::Length {
                what,
                expected,
                actual: bytes.len(),
            }),
        }
    }
}

const _: () = assert!(CHUNK_GROUPS > 0 && LABELS_PER_CHUNK * 11 <= MAX_CHUNK_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_IDS;

    #[test]
    fn a_million_on_both_sides_takes_40_bytes_an_id() {
        let layout = Layout::new(Sizes::new(1_000_000, 1_000_000).unwrap());
        assert_eq!(layout.bytes_to_social(), 29_704_296);
        assert_eq!(layout.bytes_to_rating(), 10_012_288);
    }

    #[test]
    fn messages_are_within_the_most_and_add_up() {
        for (rating, social) in [
            (0, 0),
            (1, 1),
            (5_000, 70_000),
            (1_000_000, 3),
            (MAX_IDS, MAX_IDS),
        ] {
            let layout = Layout::new(Sizes::new(rating, social).unwrap());
            let (mut first, mut messages) = (0, 1);
            while layout.groups_from(first) > 0 {
                messages += 1;
                assert!(layout.groups_from(first) * GROUP_BYTES <= MAX_CHUNK_BYTES);
                assert_eq!(first % TILE_GROUPS, 0);
                first += layout.groups_from(first);
            }
            assert_eq!(first * GROUP_BYTES, layout.columns_bytes());
            let mut first = 0;
            while layout.labels_from(first) > 0 {
                messages += 1;
                assert!(
                    layout.labels_from(first) * layout.sizes().label_bytes() <= MAX_CHUNK_BYTES
                );
                first += layout.labels_from(first);
            }
            assert_eq!(first as u64, social);
            assert_eq!(layout.messages(), messages);
            assert!(layout.most_ids() >= rating);
        }
    }
}
