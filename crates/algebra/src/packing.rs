//! Values of any width from 1 to 128 bits, packed without gaps, least significant bit first.
//!
//! Decoders are strict: the exact number of bytes, zero padding, nothing else. The caller has
//! bounded the count, so a decoder allocates what the caller asked for, never what a peer says.

use rayon::prelude::*;

use crate::AlgebraError;

/// Values that a thread packs or unpacks at a time: a multiple of eight, so that they begin and
/// end at whole bytes whatever their width.
const AT_ONCE: usize = 1 << 14;

/// Bytes of `count` values of `width_bits` bits.
///
/// # Panics
/// When the result does not fit `usize`.
#[must_use]
pub fn packed_bytes(count: usize, width_bits: u32) -> usize {
    (count * width_bits as usize).div_ceil(8)
}

/// Appends `values`, `width_bits` ≤ 64 bits each, to `out`.
///
/// # Errors
/// [`AlgebraError::ValueOutOfRing`] when a value is wider; `out` is then unchanged.
pub fn pack_u64(values: &[u64], width_bits: u32, out: &mut Vec<u8>) -> Result<(), AlgebraError> {
    let start = out.len();
    out.resize(start + packed_bytes(values.len(), width_bits), 0);
    let (_, packed) = out.split_at_mut(start);
    let written = pack_into_u64(values, width_bits, packed);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// As [`pack_u64`] into a place of exactly the bytes it takes.
///
/// # Errors
/// [`AlgebraError::ValueOutOfRing`] when a value is wider, [`AlgebraError::Length`] for another
/// place; nothing is written then.
pub fn pack_into_u64(
    values: &[u64],
    width_bits: u32,
    packed: &mut [u8],
) -> Result<(), AlgebraError> {
    check_below(values, u64::MAX >> (u64::BITS - width_bits), width_bits)?;
    let expected = packed_bytes(values.len(), width_bits);
    if packed.len() != expected {
        return Err(AlgebraError::Length {
            expected,
            actual: packed.len(),
        });
    }
    packed
        .par_chunks_mut(packed_bytes(AT_ONCE, width_bits))
        .zip(values.par_chunks(AT_ONCE))
        .for_each(|(packed, values)| match width_bits {
            32 => write_words(values, packed),
            _ => {
                let mut writer = Writer::new(packed);
                for &value in values {
                    writer.push(value, width_bits);
                }
                writer.finish();
            }
        });
    Ok(())
}

/// Appends `values`, `width_bits` ≤ 128 bits each, to `out`.
///
/// # Errors
/// [`AlgebraError::ValueOutOfRing`] when a value is wider; `out` is then unchanged.
pub fn pack_u128(values: &[u128], width_bits: u32, out: &mut Vec<u8>) -> Result<(), AlgebraError> {
    let limit = u128::MAX >> (u128::BITS - width_bits);
    if let Some(index) = values.iter().position(|&value| value > limit) {
        return Err(AlgebraError::ValueOutOfRing {
            bits: width_bits,
            index,
        });
    }
    let start = out.len();
    out.resize(start + packed_bytes(values.len(), width_bits), 0);
    let (_, packed) = out.split_at_mut(start);
    let mut writer = Writer::new(packed);
    for &value in values {
        let low_bits = width_bits.min(64);
        writer.push(low_u64(value), low_bits);
        if width_bits > 64 {
            writer.push(low_u64(value >> 64), width_bits - 64);
        }
    }
    writer.finish();
    Ok(())
}

/// Reads exactly `count` values of `width_bits` ≤ 64 bits, and nothing behind them.
///
/// # Errors
/// [`AlgebraError::Length`] or [`AlgebraError::Padding`].
pub fn unpack_u64(bytes: &[u8], width_bits: u32, count: usize) -> Result<Vec<u64>, AlgebraError> {
    check(bytes, width_bits, count)?;
    let mut values = vec![0; count];
    values
        .par_chunks_mut(AT_ONCE)
        .zip(bytes.par_chunks(packed_bytes(AT_ONCE, width_bits)))
        .try_for_each(|(values, bytes)| unpack_range_u64(bytes, width_bits, 0, values))?;
    Ok(values)
}

/// Reads exactly `count` values of `width_bits` ≤ 128 bits, and nothing behind them.
///
/// # Errors
/// [`AlgebraError::Length`] or [`AlgebraError::Padding`].
pub fn unpack_u128(bytes: &[u8], width_bits: u32, count: usize) -> Result<Vec<u128>, AlgebraError> {
    check(bytes, width_bits, count)?;
    let mut values = vec![0; count];
    unpack_range_u128(bytes, width_bits, 0, &mut values)?;
    Ok(values)
}

/// Checks that `bytes` is a packing of exactly `count` values, without reading them.
///
/// # Errors
/// [`AlgebraError::Length`] or [`AlgebraError::Padding`].
pub fn check(bytes: &[u8], width_bits: u32, count: usize) -> Result<(), AlgebraError> {
    let expected = packed_bytes(count, width_bits);
    if bytes.len() != expected {
        return Err(AlgebraError::Length {
            expected,
            actual: bytes.len(),
        });
    }
    let used_bits = count * width_bits as usize % 8;
    match bytes.last() {
        Some(last) if used_bits > 0 && last >> used_bits != 0 => Err(AlgebraError::Padding),
        _ => Ok(()),
    }
}

/// Reads values `first..first + out.len()` of a packing, 64 bits wide at most.
///
/// # Errors
/// [`AlgebraError::Length`] when `bytes` ends before them.
pub fn unpack_range_u64(
    bytes: &[u8],
    width_bits: u32,
    first: usize,
    out: &mut [u64],
) -> Result<(), AlgebraError> {
    let mut reader = Reader::new(bytes, width_bits, first, out.len())?;
    if width_bits == 32 {
        // The reader stands at the first whole word.
        let (words, _) = reader.rest.as_chunks::<4>();
        for (value, word) in out.iter_mut().zip(words) {
            *value = u64::from(u32::from_le_bytes(*word));
        }
        return Ok(());
    }
    for value in out {
        *value = reader.next(width_bits);
    }
    Ok(())
}

/// The width of nearly every opening: whole words, which the compiler writes as vectors.
fn write_words(values: &[u64], packed: &mut [u8]) {
    let (words, _) = packed.as_chunks_mut::<4>();
    for (word, &value) in words.iter_mut().zip(values) {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be narrower")]
        let value = value as u32;
        *word = value.to_le_bytes();
    }
}

/// Refuses values above `limit`, all ones of `width_bits`.
pub(crate) fn check_below(values: &[u64], limit: u64, width_bits: u32) -> Result<(), AlgebraError> {
    // Without an early end the compiler looks at several at a time.
    if values.iter().fold(0, |all, value| all | value) <= limit {
        return Ok(());
    }
    let index = values.iter().position(|&value| value > limit);
    Err(AlgebraError::ValueOutOfRing {
        bits: width_bits,
        index: index.unwrap_or_default(),
    })
}

/// Reads values `first..first + out.len()` of a packing, 128 bits wide at most.
///
/// # Errors
/// [`AlgebraError::Length`] when `bytes` ends before them.
pub fn unpack_range_u128(
    bytes: &[u8],
    width_bits: u32,
    first: usize,
    out: &mut [u128],
) -> Result<(), AlgebraError> {
    let mut reader = Reader::new(bytes, width_bits, first, out.len())?;
    if width_bits <= 64 {
        for value in out {
            *value = u128::from(reader.next(width_bits));
        }
    } else {
        for value in out {
            let low = reader.next(64);
            *value = u128::from(low) | u128::from(reader.next(width_bits - 64)) << 64;
        }
    }
    Ok(())
}

/// Whole 64-bit words leave as soon as they are full.
struct Writer<'a> {
    /// What is not written yet; callers give exactly as many bytes as they will push.
    rest: &'a mut [u8],
    pending: u64,
    pending_bits: u32,
}

impl<'a> Writer<'a> {
    fn new(out: &'a mut [u8]) -> Self {
        Self {
            rest: out,
            pending: 0,
            pending_bits: 0,
        }
    }

    fn write(&mut self, word: u64, bytes: usize) {
        let (head, rest) = std::mem::take(&mut self.rest).split_at_mut(bytes);
        head.copy_from_slice(&word.to_le_bytes()[..bytes]);
        self.rest = rest;
    }

    /// `value` is below 2^`bits`, 1 ≤ `bits` ≤ 64.
    fn push(&mut self, value: u64, bits: u32) {
        let joined = u128::from(self.pending) | u128::from(value) << self.pending_bits;
        let joined_bits = self.pending_bits + bits;
        if joined_bits >= 64 {
            self.write(low_u64(joined), 8);
            self.pending = low_u64(joined >> 64);
            self.pending_bits = joined_bits - 64;
        } else {
            self.pending = low_u64(joined);
            self.pending_bits = joined_bits;
        }
    }

    fn finish(mut self) {
        let bytes = self.pending_bits.div_ceil(8) as usize;
        self.write(self.pending, bytes);
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    pending: u64,
    pending_bits: u32,
}

impl<'a> Reader<'a> {
    fn new(
        bytes: &'a [u8],
        width_bits: u32,
        first: usize,
        count: usize,
    ) -> Result<Self, AlgebraError> {
        let expected = packed_bytes(first + count, width_bits);
        let start_bit = first * width_bits as usize;
        let short = AlgebraError::Length {
            expected,
            actual: bytes.len(),
        };
        if bytes.len() < expected {
            return Err(short);
        }
        let rest = bytes.get(start_bit / 8..).ok_or(short)?;
        let mut reader = Self {
            rest,
            pending: 0,
            pending_bits: 0,
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 7 bits of the first byte belong to the value before"
        )]
        let within = (start_bit % 8) as u32;
        if within > 0 {
            reader.next(within);
        }
        Ok(reader)
    }

    /// The next 1 ≤ `bits` ≤ 64 bits; zeros behind the end, which `new` excluded.
    fn next(&mut self, bits: u32) -> u64 {
        let mask = u64::MAX >> (64 - bits);
        if self.pending_bits >= bits {
            let value = self.pending & mask;
            self.pending = if bits == 64 { 0 } else { self.pending >> bits };
            self.pending_bits -= bits;
            return value;
        }
        let word = self.refill();
        let joined = u128::from(self.pending) | u128::from(word) << self.pending_bits;
        let value = low_u64(joined) & mask;
        self.pending = low_u64(joined >> bits);
        self.pending_bits = self.pending_bits + 64 - bits;
        value
    }

    fn refill(&mut self) -> u64 {
        if let Some((word, rest)) = self.rest.split_first_chunk::<8>() {
            self.rest = rest;
            return u64::from_le_bytes(*word);
        }
        let mut word = [0; 8];
        let (head, _) = word.split_at_mut(self.rest.len().min(8));
        head.copy_from_slice(self.rest);
        self.rest = &[];
        u64::from_le_bytes(word)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low_u64(value: u128) -> u64 {
    value as u64
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "tests cut known values short"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn threads_leave_no_seam() {
        for width in [1, 7, 31, 32, 33, 64] {
            let values: Vec<u64> = (0..3 * AT_ONCE as u64 + 5)
                .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - width))
                .collect();
            let (mut whole, mut in_pieces) = (Vec::new(), Vec::new());
            pack_u64(&values, width, &mut whole).unwrap();
            for piece in values.chunks(64) {
                pack_u64(piece, width, &mut in_pieces).unwrap();
            }
            assert_eq!(whole, in_pieces);
            assert_eq!(unpack_u64(&whole, width, values.len()).unwrap(), values);
        }
    }

    proptest! {
        #[test]
        fn values_survive(width in 1u32..=128, values in prop::collection::vec(any::<u128>(), 0..70)) {
            let values: Vec<u128> = values.iter().map(|v| v >> (128 - width)).collect();
            let mut bytes = vec![0xaa];
            pack_u128(&values, width, &mut bytes).unwrap();
            prop_assert_eq!(bytes.len() - 1, packed_bytes(values.len(), width));
            let packed = &bytes[1..];
            prop_assert_eq!(&unpack_u128(packed, width, values.len()).unwrap(), &values);
            for first in [0, values.len() / 3, values.len()] {
                let mut part = vec![0; values.len() - first];
                unpack_range_u128(packed, width, first, &mut part).unwrap();
                prop_assert_eq!(&part, &values[first..]);
            }
            if width <= 64 {
                let narrow: Vec<u64> = values.iter().map(|&v| v as u64).collect();
                let mut again = Vec::new();
                pack_u64(&narrow, width, &mut again).unwrap();
                prop_assert_eq!(&again, packed);
                prop_assert_eq!(unpack_u64(packed, width, narrow.len()).unwrap(), narrow);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_reproduced(
            width in 1u32..=128, count in 0usize..40, bytes in prop::collection::vec(any::<u8>(), 0..90),
        ) {
            if let Ok(values) = unpack_u128(&bytes, width, count) {
                let mut again = Vec::new();
                pack_u128(&values, width, &mut again).unwrap();
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn layout_is_little_endian_without_gaps() {
        let mut bytes = Vec::new();
        pack_u64(&[0x3, 0x1f, 0x155], 9, &mut bytes).unwrap();
        // 27 bits: 000000011 | 000011111 << 9 | 101010101 << 18.
        let joined = 0x3u32 | 0x1f << 9 | 0x155 << 18;
        assert_eq!(bytes, joined.to_le_bytes());
    }

    #[test]
    fn faults_are_named() {
        let mut bytes = Vec::new();
        pack_u64(&[1, 2, 3], 33, &mut bytes).unwrap();
        let length = |actual| AlgebraError::Length {
            expected: 13,
            actual,
        };
        assert_eq!(unpack_u64(&bytes[..12], 33, 3), Err(length(12)));
        let mut trailing = bytes.clone();
        trailing.push(0);
        assert_eq!(unpack_u64(&trailing, 33, 3), Err(length(14)));
        *bytes.last_mut().unwrap() |= 0x80;
        assert_eq!(unpack_u64(&bytes, 33, 3), Err(AlgebraError::Padding));
        assert_eq!(
            pack_u64(&[5, 1 << 33], 33, &mut Vec::new()),
            Err(AlgebraError::ValueOutOfRing { bits: 33, index: 1 })
        );
        assert_eq!(
            pack_u128(&[1 << 120], 120, &mut Vec::new()),
            Err(AlgebraError::ValueOutOfRing {
                bits: 120,
                index: 0
            })
        );
    }
}
