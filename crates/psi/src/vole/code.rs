//! The code that ids' values are sent in: Reed-Solomon [32, 11, 22] over F_64, 64 bits a word.
//!
//! A message of 64 bits is eleven symbols of six, least significant first (the last has four);
//! symbol i of its word is the value at point i ∈ F_64 of the polynomial with those coefficients.
//! Degree ten has at most ten roots, so a word other than zero has at least 22 symbols other than
//! zero: 132 bits of Δ in what it is masked by.

use std::sync::OnceLock;

use zeroize::Zeroize;

/// Symbols of a word, one for each small VOLE.
pub(super) const SYMBOLS: usize = 32;
/// Bits of a symbol: F_64 = F_2\[x\]/(x⁶ + x + 1), bit b the coefficient of x^b.
pub(super) const SYMBOL_BITS: usize = 6;
/// Bits of a word.
pub(super) const PLANES: usize = SYMBOLS * SYMBOL_BITS;

/// A word: bit b of symbol i is bit 6·i + b, least significant first.
pub(super) type Row = [u64; 3];

/// a + b, symbol by symbol.
pub(super) fn add(a: Row, b: Row) -> Row {
    [a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2]]
}

/// a·b in F_64, without branches.
pub(super) const fn multiply(a: u8, b: u8) -> u8 {
    let (mut product, mut shifted, mut bit) = (0, a, 0);
    while bit < SYMBOL_BITS {
        product ^= shifted & 0_u8.wrapping_sub(b >> bit & 1);
        let carry = shifted >> (SYMBOL_BITS - 1) & 1;
        shifted = (shifted << 1 & 63) ^ (carry * 0b11);
        bit += 1;
    }
    product
}

/// The word of a message, by symbols.
pub(super) fn word(message: u64) -> [u8; SYMBOLS] {
    let mut points = 0_u8..;
    std::array::from_fn(|_| {
        let point = points.next().unwrap_or_default();
        (0..11).rev().fold(0, |value, coefficient| {
            let symbol = message >> (SYMBOL_BITS * coefficient) & 63;
            multiply(value, point) ^ symbol.to_le_bytes()[0]
        })
    })
}

/// A word's bits in their places.
pub(super) fn pack(symbols: &[u8; SYMBOLS]) -> Row {
    let mut row = [0; 3];
    for (i, symbol) in symbols.iter().enumerate() {
        for bit in 0..SYMBOL_BITS {
            let place = SYMBOL_BITS * i + bit;
            row[place / 64] |= u64::from(symbol >> bit & 1) << (place % 64);
        }
    }
    row
}

/// A linear map from messages to words, by eight tables of 256.
pub(super) struct LinearMap(Box<[[Row; 256]; 8]>);

impl LinearMap {
    /// Encoding.
    pub(super) fn encoding() -> &'static Self {
        static ENCODING: OnceLock<LinearMap> = OnceLock::new();
        ENCODING.get_or_init(|| Self::of(|message| pack(&word(message))))
    }

    /// Encoding, then multiplying symbol i by `delta[i]`.
    pub(super) fn masking(delta: &[u8; SYMBOLS]) -> Self {
        Self::of(|message| {
            let mut symbols = word(message);
            for (symbol, factor) in symbols.iter_mut().zip(delta) {
                *symbol = multiply(*symbol, *factor);
            }
            pack(&symbols)
        })
    }

    fn of(map: impl Fn(u64) -> Row) -> Self {
        let mut tables = Box::new([[[0; 3]; 256]; 8]);
        for (byte, table) in tables.iter_mut().enumerate() {
            for bit in 0..8 {
                let image = map(1 << (8 * byte + bit));
                for low in 0..1 << bit {
                    table[1 << bit | low] = add(image, table[low]);
                }
            }
        }
        Self(tables)
    }

    /// The image of a message.
    pub(super) fn apply(&self, message: u64) -> Row {
        let bytes = message.to_le_bytes();
        let mut row = [0; 3];
        for (table, byte) in self.0.iter().zip(bytes) {
            row = add(row, table[usize::from(byte)]);
        }
        row
    }
}

impl Drop for LinearMap {
    fn drop(&mut self) {
        for table in self.0.iter_mut() {
            table.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngCore, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn f_64_is_a_field() {
        for a in 1..64 {
            let mut seen = 0_u64;
            for b in 0..64 {
                assert_eq!(multiply(a, b), multiply(b, a));
                seen |= 1 << multiply(a, b);
                for c in [1, 2, 37] {
                    assert_eq!(multiply(multiply(a, b), c), multiply(a, multiply(b, c)));
                    assert_eq!(multiply(a, b ^ c), multiply(a, b) ^ multiply(a, c));
                }
            }
            assert_eq!(seen, u64::MAX, "{a} has an inverse");
        }
        // x generates: x^63 = 1 and no sooner.
        let mut power = 1;
        let order = (1..).find(|_| {
            power = multiply(power, 2);
            power == 1
        });
        assert_eq!(order, Some(63));
    }

    #[test]
    fn words_differ_in_22_symbols_and_some_in_no_more() {
        let weight = |message| word(message).iter().filter(|symbol| **symbol != 0).count();
        let mut random = ChaCha20Rng::from_seed([3; 32]);
        for _ in 0..100_000 {
            assert!(weight(random.next_u64()) >= 22);
        }
        for bit in 0..64 {
            assert!(weight(1 << bit) >= 22);
        }
        // Π (X − r) over ten points: the bound is met, and no lower.
        let mut coefficients = [0_u8; 11];
        coefficients[0] = 1;
        for (degree, root) in (1..=10).zip(1..) {
            for i in (0..=degree).rev() {
                let below = if i == 0 { 0 } else { coefficients[i - 1] };
                coefficients[i] = below ^ multiply(coefficients[i], root);
            }
        }
        let product = coefficients
            .iter()
            .rev()
            .fold(0_u64, |message, symbol| message << 6 | u64::from(*symbol));
        assert_eq!(weight(product), 22);
    }

    #[test]
    fn tables_are_the_maps() {
        let delta = std::array::from_fn(|i| u8::try_from((7 * i + 3) % 64).unwrap());
        let masking = LinearMap::masking(&delta);
        let mut random = ChaCha20Rng::from_seed([4; 32]);
        for message in [0, 1, u64::MAX]
            .into_iter()
            .chain((0..100).map(|_| random.next_u64()))
        {
            assert_eq!(LinearMap::encoding().apply(message), pack(&word(message)));
            let mut symbols = word(message);
            for (symbol, factor) in symbols.iter_mut().zip(delta) {
                *symbol = multiply(*symbol, factor);
            }
            assert_eq!(masking.apply(message), pack(&symbols));
        }
    }

    /// Known answers, computed apart from this code (in Python, by products of polynomials).
    #[test]
    fn known_words() {
        assert_eq!(
            word(1 << 6),
            std::array::from_fn(|i| u8::try_from(i).unwrap())
        );
        for (message, expected) in [
            (
                1,
                [0x1041041041041041, 0x4104104104104104, 0x0410410410410410],
            ),
            (
                0x0123456789abcdef,
                [0xe38fdfe5291cde6f, 0x8e7700ebf83802e0, 0xa9b6ec2f2b7ac9f3],
            ),
            (
                u64::MAX,
                [0x2f9545dba10683ff, 0x36296bb820637555, 0x71298d1efafc74bc],
            ),
        ] {
            assert_eq!(pack(&word(message)), expected);
        }
    }
}
