//! One group of answers on the wire: rounding, sharing tails, packing.
//!
//! ```text
//! for each bucket of the group: its full ciphertexts; then the shared tail, if rows have one
//! ciphertext: N mask values of 17 bits ‖ the used body values of 12 bits, padded with zeros
//! ```

use s3rec_algebra::packing;

use crate::cost::{ciphertext_bytes, mask_bytes};
use crate::error::PirError;
use crate::parameters::{BODY_BITS, MASK_BITS, POLYNOMIAL_SIZE, PirParameters};

/// An answer ciphertext at full precision.
pub(crate) struct WideCiphertext {
    pub(crate) mask: Vec<u64>,
    pub(crate) body: Vec<u64>,
}

impl WideCiphertext {
    pub(crate) fn zero() -> Self {
        Self {
            mask: vec![0; POLYNOMIAL_SIZE],
            body: vec![0; POLYNOMIAL_SIZE],
        }
    }

    /// self += other.
    pub(crate) fn add(&mut self, other: &Self) {
        self.add_shifted(other, 0);
    }

    /// self += X^shift·other.
    fn add_shifted(&mut self, other: &Self, shift: usize) {
        for (sum, term) in [(&mut self.mask, &other.mask), (&mut self.body, &other.body)] {
            for (i, &value) in term.iter().enumerate() {
                let target = i + shift;
                if target < POLYNOMIAL_SIZE {
                    sum[target] = sum[target].wrapping_add(value);
                } else {
                    let slot = &mut sum[target - POLYNOMIAL_SIZE];
                    *slot = slot.wrapping_sub(value);
                }
            }
        }
    }

    /// Appends the ciphertext rounded to 17 and 12 bits, `used` body coefficients of it.
    fn encode(&self, used: usize, bytes: &mut Vec<u8>) {
        pack_rounded(&self.mask, MASK_BITS, bytes);
        pack_rounded(&self.body[..used], BODY_BITS, bytes);
    }
}

/// Rounds to the nearest multiple of 2^(64−bits), modulo 2^64, and packs the top bits.
fn pack_rounded(values: &[u64], bits: u32, bytes: &mut Vec<u8>) {
    let half = 1 << (63 - bits);
    let rounded: Vec<u64> = values
        .iter()
        .map(|value| value.wrapping_add(half) >> (64 - bits))
        .collect();
    // Unwrap safety: a shift by 64 − bits leaves no more than `bits` bits.
    packing::pack_u64(&rounded, bits, bytes).expect("rounded values fit");
}

/// Encodes a group from each of its buckets' ciphertexts, one for each row polynomial.
///
/// Bucket j's tail goes to coefficients j·r onwards, r the bytes of a tail.
pub(crate) fn encode_group(
    parameters: &PirParameters,
    buckets: &[Vec<WideCiphertext>],
    bytes: &mut Vec<u8>,
) {
    let full = parameters.full_polynomials();
    for ciphertext in buckets.iter().flat_map(|bucket| bucket.iter().take(full)) {
        ciphertext.encode(POLYNOMIAL_SIZE, bytes);
    }
    let tail_bytes = parameters.tail_bytes() as usize;
    if tail_bytes > 0 {
        let mut shared = WideCiphertext::zero();
        for (slot, tail) in buckets.iter().map(|bucket| bucket.get(full)).enumerate() {
            if let Some(tail) = tail {
                shared.add_shifted(tail, slot * tail_bytes);
            }
        }
        shared.encode(buckets.len() * tail_bytes, bytes);
    }
}

/// An answer ciphertext as sent: 17-bit mask, 12-bit body.
pub(crate) struct SentCiphertext {
    pub(crate) mask: Vec<u64>,
    pub(crate) body: Vec<u64>,
}

impl SentCiphertext {
    /// Takes a ciphertext with `used` body coefficients off the front of `bytes`.
    ///
    /// # Errors
    /// [`PirError::Length`] when `bytes` is too short, [`PirError::Padding`] for set padding.
    pub(crate) fn decode(bytes: &mut &[u8], used: usize) -> Result<Self, PirError> {
        let expected = ciphertext_bytes(used);
        let Some((ciphertext, rest)) = bytes.split_at_checked(expected) else {
            return Err(PirError::Length {
                part: "answer ciphertext",
                expected: expected as u64,
                actual: bytes.len() as u64,
            });
        };
        *bytes = rest;
        let (mask, body) = ciphertext.split_at(mask_bytes());
        let not_canonical = |_| PirError::Padding {
            part: "answer ciphertext",
        };
        Ok(Self {
            mask: packing::unpack_u64(mask, MASK_BITS, POLYNOMIAL_SIZE).map_err(not_canonical)?,
            body: packing::unpack_u64(body, BODY_BITS, used).map_err(not_canonical)?,
        })
    }
}
