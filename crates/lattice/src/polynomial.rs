//! Polynomials modulo X^N + 1, N = 2048, as coefficients or as values at the N points where
//! X^N = −1. The two forms are types: neither is taken for the other.

use std::marker::PhantomData;

use pulp::Arch;
use s3rec_algebra::{PublicSeed, Stream};
use zeroize::Zeroize;

use crate::LatticeError;
use crate::modulus::{self, MODULUS, MODULUS_BITS};
use s3rec_algebra::vectors::dispatch;

/// N, the number of coefficients.
pub const DEGREE: usize = 2048;

/// The form of a [`Polynomial`] given by its coefficients, from that of X^0 on.
#[derive(Clone, Copy, Debug)]
pub enum Coefficients {}

/// The form of a [`Polynomial`] given by its values, in the order of
/// [`Transform::exponents`](crate::transform::Transform::exponents).
#[derive(Clone, Copy, Debug)]
pub enum Points {}

/// N numbers modulo q, held as integers in doubles. Erased on drop: secrets pass through here.
pub struct Polynomial<Form> {
    pub(crate) values: Box<[f64]>,
    form: PhantomData<Form>,
}

impl<Form> Polynomial<Form> {
    /// All zeros.
    #[must_use]
    pub fn zero() -> Self {
        Self::of(vec![0.0; DEGREE].into_boxed_slice())
    }

    pub(crate) fn of(values: Box<[f64]>) -> Self {
        debug_assert_eq!(values.len(), DEGREE);
        let form = PhantomData;
        Self { values, form }
    }

    /// From N residues below q.
    ///
    /// # Errors
    /// [`LatticeError::Length`], [`LatticeError::CodeTooWide`] for a number that is none.
    pub fn from_residues(residues: &[u64]) -> Result<Self, LatticeError> {
        if residues.len() != DEGREE {
            return Err(LatticeError::Length {
                expected: DEGREE,
                actual: residues.len(),
            });
        }
        if let Some(index) = residues.iter().position(|&value| value >= MODULUS) {
            let bits = MODULUS_BITS;
            return Err(LatticeError::CodeTooWide { index, bits });
        }
        let values = residues.iter().map(|&value| modulus::centred(value) as f64);
        Ok(Self::of(values.collect()))
    }

    /// From integers of less than q/2 in absolute value.
    #[must_use]
    pub fn from_small(values: &[i64]) -> Self {
        let mut polynomial = Self::zero();
        for (place, &value) in polynomial.values.iter_mut().zip(values) {
            *place = value as f64;
        }
        polynomial
    }

    /// The numbers as residues below q.
    #[must_use]
    pub fn to_residues(&self) -> Vec<u64> {
        self.values
            .iter()
            .map(|&value| modulus::to_residue(value))
            .collect()
    }

    /// The number at a place, between −q/2 and q/2.
    #[must_use]
    pub fn centred(&self, place: usize) -> i64 {
        let value = self.values.get(place).copied().unwrap_or_default();
        modulus::centred(modulus::to_residue(value))
    }

    /// Adds small integers, place by place.
    pub fn add_small(&mut self, values: &[i64]) {
        for (place, &value) in self.values.iter_mut().zip(values) {
            *place = modulus::reduce(*place + value as f64);
        }
    }

    /// Uniform numbers from the stream of a public seed: words of 64 bits, little-endian, of
    /// which the low 50 bits count; those at or above q are passed over.
    #[must_use]
    pub fn uniform(seed: &PublicSeed) -> Self {
        let mut stream = Stream::public(seed);
        let mut values = Vec::with_capacity(DEGREE);
        let mut words = [0; 256];
        while values.len() < DEGREE {
            stream.fill_u64(&mut words);
            let drawn = words.iter().map(|word| word & ((1 << MODULUS_BITS) - 1));
            let fitting = drawn.filter(|&word| word < MODULUS);
            values.extend(
                fitting
                    .take(DEGREE - values.len())
                    .map(|value| modulus::centred(value) as f64),
            );
        }
        Self::of(values.into_boxed_slice())
    }
}

impl<Form> Clone for Polynomial<Form> {
    fn clone(&self) -> Self {
        Self::of(self.values.clone())
    }
}

impl<Form> Drop for Polynomial<Form> {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl<Form> std::fmt::Debug for Polynomial<Form> {
    /// The form only: values never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Polynomial").finish_non_exhaustive()
    }
}

/// Coefficients as signed integers: a summand that is added to many sums at any shift.
#[derive(Clone)]
pub struct Summand(Box<[i64]>);

impl Summand {
    /// The coefficients of `polynomial`, between −q/2 and q/2.
    #[must_use]
    pub fn of(polynomial: &Polynomial<Coefficients>) -> Self {
        Self((0..DEGREE).map(|place| polynomial.centred(place)).collect())
    }
}

/// A sum of summands, each times a power of X.
pub struct Sum {
    sums: Box<[i64]>,
    terms: u32,
    arch: Arch,
}

/// Terms of a sum before it is reduced: each is below 2^49, so that 2^12 stay below 2^61.
const TERMS_AT_ONCE: u32 = 1 << 12;

impl Default for Sum {
    fn default() -> Self {
        let sums = vec![0; DEGREE].into_boxed_slice();
        Self {
            sums,
            terms: 0,
            arch: Arch::new(),
        }
    }
}

impl Drop for Sum {
    fn drop(&mut self) {
        self.sums.zeroize();
    }
}

impl Sum {
    /// Empties it.
    pub fn clear(&mut self) {
        self.sums.fill(0);
        self.terms = 0;
    }

    /// Adds X^`shift`·`summand`; `shift` counts modulo 2N.
    pub fn add_shifted(&mut self, summand: &Summand, shift: usize) {
        if self.terms == TERMS_AT_ONCE {
            for sum in &mut self.sums {
                *sum = modulus::fold(*sum).cast_signed();
            }
            self.terms = 2;
        }
        self.terms += 1;
        let (turn, shift) = (shift / DEGREE % 2 == 1, shift % DEGREE);
        // Coefficient i goes to i + shift; past N it comes back with the other sign.
        let (wrapped, straight) = self.sums.split_at_mut(shift);
        let (lower, upper) = summand.0.split_at(DEGREE - shift);
        let (added, taken) = if turn {
            ((wrapped, upper), (straight, lower))
        } else {
            ((straight, lower), (wrapped, upper))
        };
        dispatch(
            self.arch,
            #[inline(always)]
            || {
                for (sum, term) in added.0.iter_mut().zip(added.1) {
                    *sum += term;
                }
                for (sum, term) in taken.0.iter_mut().zip(taken.1) {
                    *sum -= term;
                }
            },
        );
    }

    /// The sum as a polynomial, written over `out`.
    pub fn write(&self, out: &mut Polynomial<Coefficients>) {
        for (place, &sum) in out.values.iter_mut().zip(&self.sums) {
            *place = modulus::to_double(modulus::fold(sum));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(tag: u8) -> Polynomial<Coefficients> {
        Polynomial::uniform(&PublicSeed::from_bytes([tag; 32]))
    }

    #[test]
    fn uniform_numbers_fill_their_range() {
        let residues = uniform(1).to_residues();
        let mean = residues.iter().map(|&value| value as f64).sum::<f64>() / DEGREE as f64;
        // The standard error is q/√(12·N) = 0.0064·q.
        assert!((mean / MODULUS as f64 - 0.5).abs() < 0.035, "{mean}");
        assert!(residues.iter().all(|&value| value < MODULUS));
        assert_eq!(residues, uniform(1).to_residues());
        assert_ne!(residues, uniform(2).to_residues());
    }

    #[test]
    fn numbers_that_are_no_residues_are_refused() {
        let mut residues = vec![MODULUS - 1; DEGREE];
        assert!(Polynomial::<Points>::from_residues(&residues).is_ok());
        residues[7] = MODULUS;
        assert_eq!(
            Polynomial::<Points>::from_residues(&residues).unwrap_err(),
            LatticeError::CodeTooWide { index: 7, bits: 50 }
        );
        assert!(Polynomial::<Points>::from_residues(&residues[1..]).is_err());
    }

    #[test]
    fn sums_turn_round_with_the_other_sign() {
        let polynomial = uniform(3);
        let summand = Summand::of(&polynomial);
        for shift in [
            0,
            1,
            5,
            DEGREE - 1,
            DEGREE,
            DEGREE + 9,
            2 * DEGREE - 1,
            2 * DEGREE,
        ] {
            let mut sum = Sum::default();
            sum.add_shifted(&summand, shift);
            let mut out = Polynomial::zero();
            sum.write(&mut out);
            let mut expected = vec![0; DEGREE];
            for place in 0..DEGREE {
                let target = (place + shift) % (2 * DEGREE);
                let value = polynomial.centred(place);
                if target < DEGREE {
                    expected[target] = modulus::residue(value);
                } else {
                    expected[target - DEGREE] = modulus::residue(-value);
                }
            }
            assert_eq!(out.to_residues(), expected, "{shift}");
        }
    }

    #[test]
    fn long_sums_are_exact() {
        let largest = Polynomial::from_small(&[(MODULUS / 2).cast_signed(); DEGREE]);
        let summand = Summand::of(&largest);
        let mut sum = Sum::default();
        let terms = 3 * u64::from(TERMS_AT_ONCE) + 17;
        for _ in 0..terms {
            sum.add_shifted(&summand, 0);
        }
        let mut out = Polynomial::zero();
        sum.write(&mut out);
        let expected = modulus::product(terms, MODULUS / 2);
        assert!(out.to_residues().iter().all(|&value| value == expected));
    }
}
