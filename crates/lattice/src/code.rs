//! Rounding residues to fewer bits, and back ("modulus switch"): to b bits
//! ⌊(x·2^b + ⌊q/2⌋)/q⌋ mod 2^b, back ⌊(code·q + 2^(b−1))/2^b⌋ with q ↦ 0.
//!
//! Decoding after encoding moves a residue by at most q/2^(b+1) + ½.

use rayon::prelude::*;
use s3rec_algebra::AlgebraError;
use s3rec_algebra::packing;

use crate::LatticeError;
use crate::modulus::{MODULUS, MODULUS_BITS};

/// The low 50 bits.
const BELOW: u64 = (1 << MODULUS_BITS) - 1;
/// Codes that a thread decodes at a time.
const AT_ONCE: usize = 1 << 14;

/// How many bits a code has: 2 to 49.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeBits(u32);

impl CodeBits {
    /// Codes of `bits` bits.
    ///
    /// # Errors
    /// [`LatticeError::OutOfRange`].
    pub fn new(what: &'static str, bits: u32) -> Result<Self, LatticeError> {
        if (2..MODULUS_BITS).contains(&bits) {
            return Ok(Self(bits));
        }
        Err(LatticeError::OutOfRange {
            what,
            actual: bits.into(),
            least: 2,
            most: u64::from(MODULUS_BITS) - 1,
        })
    }

    /// The number of bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The code of a residue below q.
    #[must_use]
    pub fn encode(self, residue: u64) -> u64 {
        debug_assert!(residue < MODULUS);
        let dividend = (u128::from(residue) << self.0) + u128::from(MODULUS / 2);
        // dividend = high·2^50 + low = high·q + (16383·high + low), and that rest is below 2^63.
        #[expect(clippy::cast_possible_truncation, reason = "the first is below 2^49")]
        let (high, low) = ((dividend >> MODULUS_BITS) as u64, dividend as u64 & BELOW);
        let rest = high * ((1 << MODULUS_BITS) - MODULUS) + low;
        // Dividing the rest by 2^50 in place of q is low by at most one: 2^13·16383 is below 2^50.
        let estimate = rest >> MODULUS_BITS;
        let code = high + estimate + u64::from(rest - estimate * MODULUS >= MODULUS);
        code & ((1 << self.0) - 1)
    }

    /// The residue that a code stands for.
    #[must_use]
    pub fn decode(self, code: u64) -> u64 {
        debug_assert!(code >> self.0 == 0);
        let scaled = u128::from(code) * u128::from(MODULUS) + (1 << (self.0 - 1));
        #[expect(clippy::cast_possible_truncation, reason = "at most q")]
        let residue = (scaled >> self.0) as u64;
        if residue == MODULUS { 0 } else { residue }
    }

    /// Bytes of `count` packed codes.
    #[must_use]
    pub fn packed_bytes(self, count: usize) -> usize {
        packing::packed_bytes(count, self.0)
    }

    /// Appends the packed codes of residues.
    pub fn pack(self, residues: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
        let codes: Vec<u64> = residues.map(|residue| self.encode(residue)).collect();
        let packed = packing::pack_u64(&codes, self.0, out);
        debug_assert!(packed.is_ok(), "a code is as wide as codes are");
    }

    /// Makes residues their codes, and packs them into a place of exactly the bytes they take: a
    /// part of a message that other threads write the rest of.
    ///
    /// # Errors
    /// [`LatticeError::Length`] for another place.
    pub fn pack_into(self, residues: &mut [u64], out: &mut [u8]) -> Result<(), LatticeError> {
        for residue in residues.iter_mut() {
            *residue = self.encode(*residue);
        }
        let packed = packing::pack_into_u64(residues, self.0, out);
        packed.map_err(|error| self.in_codes(error, residues.len()))
    }

    /// Reads exactly `count` packed codes, as the residues that they stand for.
    ///
    /// # Errors
    /// [`LatticeError::Length`] for other bytes than those of `count` codes,
    /// [`LatticeError::CodeTooWide`] where padding is not zero.
    pub fn unpack(self, bytes: &[u8], count: usize) -> Result<Vec<u64>, LatticeError> {
        let codes = packing::unpack_u64(bytes, self.0, count);
        let mut codes = codes.map_err(|error| self.in_codes(error, count))?;
        codes
            .par_chunks_mut(AT_ONCE)
            .flatten_iter()
            .for_each(|code| *code = self.decode(*code));
        Ok(codes)
    }

    fn in_codes(self, error: AlgebraError, index: usize) -> LatticeError {
        match error {
            AlgebraError::Length { expected, actual } => LatticeError::Length { expected, actual },
            _ => LatticeError::CodeTooWide {
                index,
                bits: self.0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slow(residue: u64, bits: u32) -> u64 {
        let dividend = (u128::from(residue) << bits) + u128::from(MODULUS / 2);
        let code = dividend / u128::from(MODULUS) % (1 << bits);
        u64::try_from(code).unwrap()
    }

    #[test]
    fn edges_encode_as_the_formula_says() {
        for bits in 2..50 {
            let code = CodeBits::new("bits", bits).unwrap();
            for residue in [0, 1, MODULUS / 2, MODULUS / 2 + 1, MODULUS - 2, MODULUS - 1] {
                assert_eq!(
                    code.encode(residue),
                    slow(residue, bits),
                    "{residue} {bits}"
                );
            }
            // Nearer to q than half a step it wraps to 0.
            assert!(code.encode(MODULUS - 1) == 0 || bits == 49);
            assert_eq!(code.decode(0), 0);
        }
        assert!(CodeBits::new("bits", 50).is_err() && CodeBits::new("bits", 1).is_err());
    }

    proptest! {
        #[test]
        fn codes_are_exact_and_near(residue in 0..MODULUS, bits in 2..50u32) {
            let code = CodeBits::new("bits", bits).unwrap();
            let encoded = code.encode(residue);
            prop_assert_eq!(encoded, slow(residue, bits));
            let decoded = code.decode(encoded);
            let distance = decoded.abs_diff(residue);
            let distance = distance.min(MODULUS - distance);
            prop_assert!(distance <= (MODULUS >> (bits + 1)) + 1);
        }
    }

    #[test]
    fn packed_codes_come_back_and_padding_must_be_zero() {
        let code = CodeBits::new("bits", 21).unwrap();
        let residues: Vec<u64> = (0..99).map(|i| i * (MODULUS / 100)).collect();
        let mut bytes = Vec::new();
        code.pack(residues.iter().copied(), &mut bytes);
        assert_eq!(bytes.len(), code.packed_bytes(99));
        let mut in_parts = vec![0; bytes.len()];
        let (first, rest) = in_parts.split_at_mut(code.packed_bytes(64));
        code.pack_into(&mut residues[..64].to_vec(), first).unwrap();
        code.pack_into(&mut residues[64..].to_vec(), rest).unwrap();
        assert!(matches!(
            code.pack_into(&mut residues.clone(), rest),
            Err(LatticeError::Length { .. })
        ));
        assert_eq!(in_parts, bytes);
        let back = code.unpack(&bytes, 99).unwrap();
        for (back, residue) in back.iter().zip(&residues) {
            assert!(back.abs_diff(*residue) <= (MODULUS >> 22) + 1);
        }
        assert!(code.unpack(&bytes[1..], 99).is_err());
        *bytes.last_mut().unwrap() |= 0x80;
        assert!(matches!(
            code.unpack(&bytes, 99),
            Err(LatticeError::CodeTooWide { .. })
        ));
    }
}
