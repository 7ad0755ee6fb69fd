//! Discrete Gaussian noise over a [`Stream`].
//!
//! - [`Tails`]: small standard deviations, for the errors of ciphertexts and keys. Inversion by
//!   a table of tails that is read whole for every sample, so that time says nothing.
//! - [`Wide`]: standard deviation 2^h exactly, for the release noise η: the sampler of Canonne,
//!   Kamath and Steinke (NeurIPS 2020, algorithms 1 to 3) with t = σ = 2^h, where every probability
//!   is decided by random bits alone. Its time depends on the noise it draws.

use s3rec_algebra::Stream;
use zeroize::Zeroize;

/// Words drawn from the stream at a time.
const WORDS_AT_ONCE: usize = 256;

/// Tails of a narrow discrete Gaussian: entry i is P(|x| > i) in units of 2^−63.
pub struct Tails(Vec<u64>);

/// Standard deviations that a table reaches: beyond them lies less than 2^−95.
const REACH: f64 = 11.4;

impl Tails {
    /// For a standard deviation from 1 to 64. Each entry is within 2^−52 of itself, relatively,
    /// so that samples are within 2^−50 of the distribution.
    #[must_use]
    pub fn new(deviation: f64) -> Self {
        debug_assert!((1.0..=64.0).contains(&deviation));
        let weight = |x: f64| (-(x * x) / (2.0 * deviation * deviation)).exp();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 730"
        )]
        let last = (REACH * deviation).ceil() as u32;
        // From the far end, where the terms are small.
        let mut tails: Vec<f64> = Vec::with_capacity(last as usize);
        let mut tail = 0.0;
        for x in (1..=last).rev() {
            tail += 2.0 * weight(f64::from(x));
            tails.push(tail);
        }
        let total = tail + 1.0;
        tails.reverse();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "probabilities in units of 2^-63"
        )]
        let units = |tail: f64| (tail / total * 63f64.exp2()).round() as u64;
        Self(tails.into_iter().map(units).collect())
    }

    /// Fills `out`; 8 bytes of stream each.
    pub fn fill(&self, stream: &mut Stream, out: &mut [i64]) {
        let mut words = [0; 64];
        for out in out.chunks_mut(words.len()) {
            let words = &mut words[..out.len()];
            stream.fill_u64(words);
            let mut magnitudes = [0i64; 64];
            for &tail in &self.0 {
                for (magnitude, &word) in magnitudes.iter_mut().zip(&*words) {
                    // Both below 2^63: compared as signed numbers, which vectors can.
                    *magnitude += i64::from((word >> 1).cast_signed() < tail.cast_signed());
                }
            }
            for ((out, &magnitude), &word) in out.iter_mut().zip(&magnitudes).zip(&*words) {
                let sign = (word & 1).cast_signed();
                *out = (magnitude ^ -sign) + sign;
            }
            magnitudes.zeroize();
        }
        words.zeroize();
    }
}

/// A source of discrete Gaussian noise of standard deviation 2^h exactly.
pub struct Wide {
    /// h, 0 to 48.
    deviation_bits: u32,
    words: Words,
}

impl Wide {
    /// Noise of standard deviation 2^`deviation_bits`, at most 2^48, from `stream`.
    #[must_use]
    pub fn new(deviation_bits: u32, stream: Stream) -> Self {
        debug_assert!(deviation_bits <= 48);
        Self {
            deviation_bits,
            words: Words::new(stream),
        }
    }

    /// The next sample.
    pub fn sample(&mut self) -> i64 {
        let h = self.deviation_bits;
        loop {
            // Discrete Laplace with parameter 2^h (algorithm 2).
            let low = self.words.next() & ((1 << h) - 1);
            if !self.words.bernoulli_exp_fraction(low.into(), h) {
                continue;
            }
            let mut high = 0u64;
            while self.words.bernoulli_exp_one() {
                high += 1;
            }
            // Each step has probability 1/e: 2^14 of them never come.
            let magnitude = low + (high.min(1 << 14) << h);
            let is_negative = self.words.next() & 1 == 1;
            if is_negative && magnitude == 0 {
                continue;
            }
            // Kept with probability exp(−(|y| − σ)²/(2σ²)) (algorithm 3 with t = σ).
            let offset = u128::from(magnitude.abs_diff(1 << h));
            let square = offset * offset;
            if self.words.bernoulli_exp(square, 2 * h + 1) {
                let value = magnitude.cast_signed();
                return if is_negative { -value } else { value };
            }
        }
    }
}

/// Random words, a buffer at a time.
struct Words {
    stream: Stream,
    buffer: [u64; WORDS_AT_ONCE],
    used: usize,
}

impl Drop for Words {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

impl Words {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: [0; WORDS_AT_ONCE],
            used: WORDS_AT_ONCE,
        }
    }

    #[inline]
    fn next(&mut self) -> u64 {
        if self.used == WORDS_AT_ONCE {
            self.stream.fill_u64(&mut self.buffer);
            self.used = 0;
        }
        let word = self.buffer[self.used % WORDS_AT_ONCE];
        self.used += 1;
        word
    }

    /// True with probability exp(−numerator/2^bits).
    fn bernoulli_exp(&mut self, numerator: u128, bits: u32) -> bool {
        for _ in 0..numerator >> bits {
            if !self.bernoulli_exp_one() {
                return false;
            }
        }
        let fraction = numerator & ((1 << bits) - 1);
        self.bernoulli_exp_fraction(fraction, bits)
    }

    /// True with probability exp(−1) (algorithm 1).
    fn bernoulli_exp_one(&mut self) -> bool {
        let mut k = 1;
        while self.one_in(k) {
            k += 1;
        }
        k % 2 == 1
    }

    /// True with probability exp(−numerator/2^bits), the fraction being below one (algorithm 1).
    fn bernoulli_exp_fraction(&mut self, numerator: u128, bits: u32) -> bool {
        let mut k = 1;
        while self.fraction(numerator, bits) && self.one_in(k) {
            k += 1;
        }
        k % 2 == 1
    }

    /// True with probability numerator/2^bits < 1: a number of that many random bits is below
    /// the numerator. The first word decides nearly always.
    #[inline]
    fn fraction(&mut self, numerator: u128, bits: u32) -> bool {
        if bits == 0 {
            return false;
        }
        let aligned = numerator << (u128::BITS - bits);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let (high, low) = ((aligned >> 64) as u64, aligned as u64);
        let word = self.next();
        word < high || word == high && low > 0 && self.next() < low
    }

    /// True with probability 1/k.
    #[inline]
    fn one_in(&mut self, k: u64) -> bool {
        if k.is_power_of_two() {
            return self.next() & (k - 1) == 0;
        }
        // Words at or above the largest multiple of k are passed over.
        let rest = (u64::MAX % k + 1) % k;
        loop {
            let word = self.next();
            if word <= u64::MAX - rest {
                return word.is_multiple_of(k);
            }
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests cut known values short"
)]
mod tests {
    use s3rec_algebra::Seed;

    use super::*;

    fn stream(tag: u8) -> Stream {
        Stream::new(&Seed::from_bytes([tag; 32]))
    }

    fn density(x: i64, deviation: f64) -> f64 {
        (-((x * x) as f64) / (2.0 * deviation * deviation)).exp()
    }

    /// χ² of counts against the density over −reach … reach, with the tails left out.
    fn chi_square(samples: &[i64], deviation: f64, reach: i64) -> f64 {
        let total: f64 = (-2000..=2000).map(|x| density(x, deviation)).sum();
        (-reach..=reach)
            .map(|x| {
                let expected = samples.len() as f64 * density(x, deviation) / total;
                let actual = samples.iter().filter(|&&sample| sample == x).count() as f64;
                (actual - expected).powi(2) / expected
            })
            .sum()
    }

    #[test]
    fn narrow_samples_follow_their_distribution() {
        for (tag, deviation) in [(1, 4.0), (2, 8.0), (3, 1.5)] {
            let mut samples = vec![0; 200_003];
            Tails::new(deviation).fill(&mut stream(tag), &mut samples);
            let cells = 2 * (3.0 * deviation) as i64 + 1;
            let statistic = chi_square(&samples, deviation, (3.0 * deviation) as i64);
            // χ² of k cells has mean k and deviation √(2k).
            let limit = cells as f64 + 5.0 * (2.0 * cells as f64).sqrt();
            assert!(statistic < limit, "{deviation}: {statistic} over {cells}");
        }
    }

    #[test]
    fn wide_samples_of_small_deviation_follow_their_distribution() {
        for (tag, bits) in [(4, 0), (5, 1), (6, 2), (7, 3)] {
            let mut noise = Wide::new(bits, stream(tag));
            let samples: Vec<i64> = (0..100_000).map(|_| noise.sample()).collect();
            let deviation = f64::from(bits).exp2();
            let reach = (3.0 * deviation) as i64;
            let cells = 2 * reach + 1;
            let statistic = chi_square(&samples, deviation, reach);
            let limit = cells as f64 + 5.0 * (2.0 * cells as f64).sqrt();
            assert!(statistic < limit, "2^{bits}: {statistic} over {cells}");
        }
    }

    #[test]
    fn wide_samples_have_the_moments_of_a_gaussian() {
        for (tag, bits) in [(8, 20), (9, 35), (10, 40), (11, 48)] {
            let mut noise = Wide::new(bits, stream(tag));
            let deviation = f64::from(bits).exp2();
            let count = 100_000;
            let (mut mean, mut variance, mut fourth) = (0.0, 0.0, 0.0);
            for _ in 0..count {
                let x = noise.sample() as f64 / deviation;
                mean += x;
                variance += x * x;
                fourth += x.powi(4);
            }
            let count = f64::from(count);
            // Standard errors: 0.0032, 0.0045, 0.031.
            assert!((mean / count).abs() < 0.016, "{mean}");
            assert!((variance / count - 1.0).abs() < 0.023, "{variance}");
            assert!((fourth / count - 3.0).abs() < 0.16, "{fourth}");
        }
    }
}
