//! Distributions over a [`Stream`]: uniform, binary, TUniform. Branch-free in the values drawn.

use zeroize::Zeroizing;

use crate::{RingBits, Stream};

impl Stream {
    /// Uniform elements of Z_{2^ℓ}; 8 bytes of stream each.
    pub fn fill_ring(&mut self, ring: RingBits, out: &mut [u64]) {
        self.fill_u64(out);
        for value in out {
            *value = ring.reduce(*value);
        }
    }

    /// Uniform bits, one in each of `out`; one bit of stream each, rounded up to a byte.
    pub fn fill_binary(&mut self, out: &mut [u8]) {
        let mut bytes = Zeroizing::new(vec![0u8; out.len().div_ceil(8)]);
        self.fill_bytes(&mut bytes);
        for (bits, &byte) in std::iter::zip(out.chunks_mut(8), bytes.iter()) {
            for (i, bit) in bits.iter_mut().enumerate() {
                *bit = (byte >> i) & 1;
            }
        }
    }

    /// TUniform(b) as tfhe defines it: −2^b and 2^b with weight 2^−(b+2) each, every integer
    /// between them with weight 2^−(b+1). [`tuniform_bytes`] bytes of stream each.
    ///
    /// # Panics
    /// When b exceeds 61.
    pub fn fill_tuniform(&mut self, noise_bits: u32, out: &mut [i64]) {
        assert!(noise_bits <= 61, "TUniform({noise_bits}) does not fit i64");
        if tuniform_bytes(noise_bits) == 1 {
            let mut bytes = Zeroizing::new(vec![0u8; out.len()]);
            self.fill_bytes(&mut bytes);
            for (value, &byte) in std::iter::zip(out, bytes.iter()) {
                *value = tuniform(noise_bits, u64::from(byte));
            }
        } else {
            let mut words = Zeroizing::new(vec![0u64; out.len()]);
            self.fill_u64(&mut words);
            for (value, &word) in std::iter::zip(out, words.iter()) {
                *value = tuniform(noise_bits, word);
            }
        }
    }
}

/// Bytes of stream that [`Stream::fill_tuniform`] takes for each value, for seeking.
#[must_use]
pub const fn tuniform_bytes(noise_bits: u32) -> usize {
    if noise_bits <= 6 { 1 } else { 8 }
}

/// Folds b + 2 uniform bits: 2^(b+2) values in pairs onto 2^(b+1) + 1, the ends alone.
fn tuniform(noise_bits: u32, uniform: u64) -> i64 {
    let kept = (uniform & ((1 << (noise_bits + 2)) - 1)).cast_signed();
    (kept >> 1) + (kept & 1) - (1 << noise_bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    fn stream(tag: u8) -> Stream {
        Stream::new(&Seed::from_bytes([tag; 32]))
    }

    #[test]
    fn tuniform_hits_every_weight_exactly() {
        for b in [0u32, 1, 4, 5, 6] {
            let mut counts = vec![0u32; (2usize << b) + 1];
            for word in 0..1u64 << (b + 2) {
                let value = tuniform(b, word | 1 << 63);
                counts[usize::try_from(value + (1 << b)).unwrap()] += 1;
            }
            assert_eq!((counts[0], *counts.last().unwrap()), (1, 1));
            assert!(counts[1..counts.len() - 1].iter().all(|&count| count == 2));
        }
    }

    #[test]
    fn tuniform_has_the_variance_of_its_formula() {
        // (2^(2b+1) + 1)/6, tfhe's `TUniform::variance` times q².
        for (tag, b) in [(1, 4u32), (2, 5), (3, 30)] {
            let n = 1_000_000;
            let mut draws = vec![0i64; n];
            stream(tag).fill_tuniform(b, &mut draws);
            let mean = draws.iter().map(|&x| x as f64).sum::<f64>() / n as f64;
            let variance = draws
                .iter()
                .map(|&x| (x as f64 - mean).powi(2))
                .sum::<f64>()
                / n as f64;
            let expected = ((2.0 * f64::from(b) + 1.0).exp2() + 1.0) / 6.0;
            assert!(
                (variance / expected - 1.0).abs() < 0.005,
                "b {b}: {variance} {expected}"
            );
            assert!(
                mean.abs() < 5.0 * (expected / n as f64).sqrt(),
                "b {b}: mean {mean}"
            );
            assert!(draws.iter().all(|x| x.abs() <= 1 << b));
        }
    }

    #[test]
    fn bits_are_balanced_and_ring_values_fill_the_ring() {
        let mut bits = vec![0u8; 1_000_003];
        stream(4).fill_binary(&mut bits);
        assert!(bits.iter().all(|&bit| bit < 2));
        let ones = bits.iter().map(|&bit| u64::from(bit)).sum::<u64>() as f64;
        assert!((ones - 500_001.5).abs() < 5.0 * 500.0, "{ones}");

        let ring = RingBits::new(41).unwrap();
        let mut values = vec![0u64; 100_000];
        stream(5).fill_ring(ring, &mut values);
        let highest = values.iter().fold(0, |seen, value| seen | value);
        assert_eq!(highest, ring.mask());
        // Chi-square over the top 6 bits: 63 degrees of freedom, mean 63, deviation 11.2.
        let mut counts = [0f64; 64];
        for value in values {
            counts[(value >> 35) as usize] += 1.0;
        }
        let expected = 100_000.0 / 64.0;
        let chi: f64 = counts
            .iter()
            .map(|c| (c - expected).powi(2) / expected)
            .sum();
        assert!((20.0..120.0).contains(&chi), "{chi}");
    }
}
