//! Exact bytes and operations of a retrieval, predicted from its public sizes.

use crate::expand::{SELECTOR_BYTES, UNIT_LEVELS};
use crate::parameters::{BODY_BITS, KEY_LEVELS, MASK_BITS, POLYNOMIAL_SIZE, PirParameters};

/// Bytes of a public seed on the wire.
pub(crate) const SEED_BYTES: usize = 32;

/// What a retrieval costs; every number is exact, and tests hold them against counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PirCost {
    /// Hash seed and mask seed, client to server, once.
    pub header_bytes: u64,
    /// Key switching keys, client to server, once.
    pub key_bytes: u64,
    /// Query ciphertexts, client to server, once.
    pub query_bytes: u64,
    /// Answers to one round, server to client.
    pub answer_bytes: u64,
    /// Encryptions of the client, keys and queries together, once.
    pub encryptions: u64,
    /// Decryptions of the client in one round.
    pub decryptions: u64,
    /// Key switches of one expansion.
    pub key_switches: u64,
    /// Products of a selector with a row polynomial in one round, two multiplications each.
    pub products: u64,
    /// Bytes of all expanded selectors; the server keeps what its memory holds.
    pub selector_bytes: u64,
}

impl PirCost {
    /// Everything the client uploads, once for all rounds.
    #[must_use]
    pub fn upload_bytes(&self) -> u64 {
        self.header_bytes + self.key_bytes + self.query_bytes
    }

    /// Both directions for `rounds` rounds of answers.
    #[must_use]
    pub fn total_bytes(&self, rounds: u64) -> u64 {
        self.upload_bytes() + rounds * self.answer_bytes
    }
}

/// Predicts the cost of a retrieval (section 3.2).
#[must_use]
pub fn cost(parameters: &PirParameters) -> PirCost {
    let polynomial_bytes = 8 * POLYNOMIAL_SIZE as u64;
    let levels = u64::from(parameters.expansion_levels());
    let selectors = parameters.selectors() as u64;
    PirCost {
        header_bytes: 2 * SEED_BYTES as u64,
        key_bytes: levels * u64::from(KEY_LEVELS) * polynomial_bytes,
        query_bytes: parameters.query_ciphertexts() as u64 * polynomial_bytes,
        answer_bytes: (0..parameters.groups())
            .map(|group| group_bytes(parameters, group) as u64)
            .sum(),
        encryptions: levels * u64::from(KEY_LEVELS) + parameters.query_ciphertexts() as u64,
        decryptions: (0..parameters.groups())
            .map(|group| group_ciphertexts(parameters, group) as u64)
            .sum(),
        key_switches: key_switches(parameters, selectors),
        products: selectors * row_polynomials(parameters) as u64,
        selector_bytes: selectors * SELECTOR_BYTES as u64,
    }
}

/// Polynomials of a row, the last perhaps partly filled.
pub(crate) fn row_polynomials(parameters: &PirParameters) -> usize {
    (parameters.row_bytes() as usize).div_ceil(POLYNOMIAL_SIZE)
}

/// Bytes of an answer ciphertext of which `used` body coefficients are sent.
pub(crate) fn ciphertext_bytes(used: usize) -> usize {
    mask_bytes() + body_bytes(used)
}

/// Bytes of an answer's mask.
pub(crate) fn mask_bytes() -> usize {
    (POLYNOMIAL_SIZE * MASK_BITS as usize).div_ceil(8)
}

/// Bytes of `used` body coefficients.
pub(crate) fn body_bytes(used: usize) -> usize {
    (used * BODY_BITS as usize).div_ceil(8)
}

/// Ciphertexts of one group of answers.
fn group_ciphertexts(parameters: &PirParameters, group: u32) -> usize {
    let full = parameters.group_buckets(group).len() * parameters.full_polynomials();
    full + usize::from(parameters.tail_bytes() > 0)
}

/// Bytes of one group of answers: each bucket's full ciphertexts, then the shared tail.
pub(crate) fn group_bytes(parameters: &PirParameters, group: u32) -> usize {
    let buckets = parameters.group_buckets(group).len();
    let full = buckets * parameters.full_polynomials() * ciphertext_bytes(POLYNOMIAL_SIZE);
    match parameters.tail_bytes() as usize {
        0 => full,
        tail => full + ciphertext_bytes(buckets * tail),
    }
}

/// Key switches that expand `selectors` coefficients in units of 256: each unit's path from the
/// root, then its inner nodes, subtrees without a selector left out.
fn key_switches(parameters: &PirParameters, selectors: u64) -> u64 {
    let unit_levels = parameters.expansion_levels().min(UNIT_LEVELS);
    let path = u64::from(parameters.expansion_levels() - unit_levels);
    let slots = 1_u64 << unit_levels;
    let full = selectors / slots * (path + slots - 1);
    let rest = selectors % slots;
    if rest == 0 {
        return full;
    }
    // j levels below the unit's root, the nodes above a wanted leaf number ⌈rest / 2^(8−j)⌉.
    let partial: u64 = (0..unit_levels)
        .map(|level| rest.div_ceil(slots >> level))
        .sum();
    full + path + partial
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_rows_cost_what_the_issue_allows() {
        let parameters = PirParameters::new(100_000, 7_168, 512).unwrap();
        let cost = cost(&parameters);
        assert_eq!(cost.key_bytes, 11 * 7 * 16_384);
        assert_eq!(cost.query_bytes, 147 * 16_384);
        assert_eq!(cost.encryptions, 11 * 7 + 147);
        // 871 buckets of three polynomials, and a shared tail for each of 436 groups.
        assert_eq!(cost.decryptions, 3 * 871 + 436);
        let everything = 100_000 * 7_168;
        assert!(10 * cost.total_bytes(1) <= everything, "{cost:?}");
    }
}
