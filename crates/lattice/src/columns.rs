//! The transform over the places of a pack, at every point (page `noised_opening`, section 3, "Prepare").
//!
//! | symbol | meaning |
//! |---|---|
//! | s, n | slots of a user, places of a pack: n = N/s |
//! | τ | X → X^(1+2s), which leaves X^n alone; of order n on the slots for s ≥ 2 (3 has half of it) |
//! | a_k | the a-part of the row at place k |
//! | α_j | (1/n)·Σ_k X^k·τ^j(a_k), the part of the pack that is under τ^j of the key |
//! | β_j | τ^(−j)(α_j) = (1/n)·Σ_k X^(k·(1+2s)^(−j))·a_k |
//!
//! At the point ω^e, with (1+2s)^(−j) = 1 + 2s·t_j modulo 2N, β_j is 1/n times Σ_k ρ^(k·e·t_j)·b_k,
//! where b_k = X^k·a_k at that point and ρ = ω^(2s) has order n. So one transform of size n over
//! the places serves all j: entry e·t_j mod n of it is β_j.

use zeroize::{Zeroize, Zeroizing};

use crate::LatticeError;
use crate::modulus::{self, multiply, power, reduce};
use crate::polynomial::{Coefficients, DEGREE, Polynomial};
use crate::transform::Transform;
use s3rec_algebra::vectors::dispatch;

/// Points worked on at a time: n times as many values stay in the core's own cache.
const AT_ONCE: usize = 32;

/// The plan for one number of slots.
pub struct Columns {
    slots: usize,
    places: usize,
    /// Roots of each level, one after the other.
    roots: Box<[f64]>,
    /// t_j for each j.
    turns: Box<[usize]>,
    /// 1/(n·N), which makes β_j ready for the inverse transform.
    scale: f64,
}

/// The polynomials of a pack at the points: X^k·a_k before [`Columns::transform`], β_j/N after it.
pub struct Pack {
    rows: Box<[f64]>,
    places: usize,
}

impl Drop for Pack {
    fn drop(&mut self) {
        self.rows.zeroize();
    }
}

impl Pack {
    /// β_j/N at the points.
    #[must_use]
    pub fn part(&self, j: usize) -> &[f64] {
        debug_assert!(j < self.places);
        &self.rows[j * DEGREE..(j + 1) * DEGREE]
    }
}

impl Columns {
    /// For `slots` slots a user: a power of two from 2 to 64. With one slot the powers of τ are too
    /// few: their sum leaves more of a row than its slot, a linear map of it that nothing hides.
    ///
    /// # Errors
    /// [`LatticeError::OutOfRange`].
    pub fn new(transform: &Transform, slots: usize) -> Result<Self, LatticeError> {
        let is_power = slots.is_power_of_two() && slots <= 64;
        if !is_power || order(1 + 2 * slots) != DEGREE / slots {
            return Err(LatticeError::OutOfRange {
                what: "the number of slots (a power of two)",
                actual: slots as u64,
                least: 2,
                most: 64,
            });
        }
        let places = DEGREE / slots;
        let root = transform.root(2 * slots as u64);
        let mut roots = Vec::with_capacity(places);
        let mut half = 1;
        while half < places {
            let step = (places / 2 / half) as u64;
            roots.extend((0..half as u64).map(|j| modulus::centred(power(root, step * j)) as f64));
            half *= 2;
        }
        // (1+2s)^−1 modulo 2N, by its order.
        let generator = 1 + 2 * slots;
        let mut inverse = 1;
        for _ in 1..places {
            inverse = inverse * generator % (2 * DEGREE);
        }
        let mut turns = Vec::with_capacity(places);
        let mut of_j = 1;
        for _ in 0..places {
            turns.push((of_j - 1) / (2 * slots));
            of_j = of_j * inverse % (2 * DEGREE);
        }
        let scale = modulus::inverse(modulus::product(places as u64, DEGREE as u64));
        Ok(Self {
            slots,
            places,
            roots: roots.into_boxed_slice(),
            turns: turns.into_boxed_slice(),
            scale: modulus::centred(scale) as f64,
        })
    }

    /// s.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// n.
    #[must_use]
    pub fn places(&self) -> usize {
        self.places
    }

    /// The exponent of τ: 1 + 2s.
    #[must_use]
    pub fn generator(&self) -> usize {
        1 + 2 * self.slots
    }

    /// An empty place for a pack, to be used many times.
    #[must_use]
    pub fn pack(&self) -> Pack {
        Pack {
            rows: vec![0.0; self.places * DEGREE].into_boxed_slice(),
            places: self.places,
        }
    }

    /// Puts X^`place`·a_place into its place of the pack.
    pub fn put(
        &self,
        transform: &Transform,
        pack: &mut Pack,
        place: usize,
        polynomial: &Polynomial<Coefficients>,
    ) {
        debug_assert!(place < self.places);
        let row = self.row_of(place);
        transform.forward_into(&polynomial.values, &mut pack.rows[row * DEGREE..][..DEGREE]);
    }

    /// Leaves a place of the pack without a row.
    pub fn clear(&self, pack: &mut Pack, place: usize) {
        let row = self.row_of(place);
        pack.rows[row * DEGREE..][..DEGREE].fill(0.0);
    }

    /// The transform takes its input in turned order.
    fn row_of(&self, place: usize) -> usize {
        match self.places {
            1 => 0,
            places => place.reverse_bits() >> (usize::BITS - places.trailing_zeros()),
        }
    }

    /// From X^k·a_k to β_j/N, at all points.
    pub fn transform(&self, transform: &Transform, pack: &mut Pack) {
        let mut scratch = Zeroizing::new(vec![0.0; self.places * AT_ONCE]);
        let exponents = transform.exponents();
        for first in (0..DEGREE).step_by(AT_ONCE) {
            let rows = &mut pack.rows;
            let exponents = &exponents[first..first + AT_ONCE];
            let block = &mut scratch[..];
            dispatch(
                transform.arch(),
                #[inline(always)]
                || {
                    for (block, row) in block
                        .chunks_exact_mut(AT_ONCE)
                        .zip(rows.chunks_exact(DEGREE))
                    {
                        for (value, &from) in block.iter_mut().zip(&row[first..first + AT_ONCE]) {
                            *value = reduce(from);
                        }
                    }
                    self.levels(block);
                    let mut entries = [0; AT_ONCE];
                    for (row, &turn) in rows.chunks_exact_mut(DEGREE).zip(&self.turns) {
                        for (entry, &exponent) in entries.iter_mut().zip(exponents) {
                            *entry = (exponent as usize * turn) & (self.places - 1);
                        }
                        let row = &mut row[first..first + AT_ONCE];
                        for (point, (value, &entry)) in row.iter_mut().zip(&entries).enumerate() {
                            *value = block[entry * AT_ONCE + point];
                        }
                        for value in row {
                            *value = reduce(multiply(*value, self.scale));
                        }
                    }
                },
            );
        }
    }

    /// The levels of the transform over the places, on points side by side. Ranges as in
    /// [`crate::transform`]: every third level reduces.
    #[inline(always)]
    fn levels(&self, block: &mut [f64]) {
        let mut roots = &self.roots[..];
        let (mut half, mut level) = (1, 1u32);
        while half < self.places {
            let (of_level, rest) = roots.split_at(half);
            roots = rest;
            for group in block.chunks_exact_mut(2 * half * AT_ONCE) {
                let (upper, lower) = group.split_at_mut(half * AT_ONCE);
                let pairs = upper
                    .chunks_exact_mut(AT_ONCE)
                    .zip(lower.chunks_exact_mut(AT_ONCE));
                for ((upper, lower), &root) in pairs.zip(of_level) {
                    for (upper, lower) in upper.iter_mut().zip(lower) {
                        let turned = multiply(*lower, root);
                        let straight = if u32::is_multiple_of(level, 3) {
                            reduce(*upper)
                        } else {
                            *upper
                        };
                        *upper = straight + turned;
                        *lower = straight - turned;
                    }
                }
            }
            half *= 2;
            level += 1;
        }
    }
}

/// The least power of the odd number `unit` that is 1 modulo 2N.
fn order(unit: usize) -> usize {
    let (mut power, mut order) = (unit, 1);
    while power != 1 {
        power = power * unit % (2 * DEGREE);
        order += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use s3rec_algebra::PublicSeed;

    use super::*;
    use crate::polynomial::{Points, Sum, Summand};
    use crate::transform::{Automorphism, transform};

    fn uniform(tag: usize) -> Polynomial<Coefficients> {
        let tag = u8::try_from(tag % 251).unwrap();
        Polynomial::uniform(&PublicSeed::from_bytes([tag; 32]))
    }

    /// β_j by its definition, for some j and points.
    #[test]
    fn parts_are_those_of_the_definition() {
        let transform = transform();
        for slots in [16, 8, 4, 2, 64] {
            let columns = Columns::new(transform, slots).unwrap();
            let (places, generator) = (columns.places(), columns.generator());
            let mut pack = columns.pack();
            // Only some places hold a row, so that the slow side stays fast.
            let rows: Vec<usize> = [0, 1, places / 2, places - 1].to_vec();
            for &place in &rows {
                let mut sum = Sum::default();
                sum.add_shifted(&Summand::of(&uniform(place + slots)), place);
                let mut shifted = Polynomial::zero();
                sum.write(&mut shifted);
                columns.put(transform, &mut pack, place, &shifted);
            }
            columns.transform(transform, &mut pack);
            let inverse_generator = {
                let mut inverse = 1;
                while inverse * generator % (2 * DEGREE) != 1 {
                    inverse += 2;
                }
                inverse
            };
            for j in [0, 1, 2, places - 1] {
                let mut power_of_x = 1;
                for _ in 0..j {
                    power_of_x = power_of_x * inverse_generator % (2 * DEGREE);
                }
                let mut sum = Sum::default();
                for &place in &rows {
                    let shift = place * power_of_x % (2 * DEGREE);
                    sum.add_shifted(&Summand::of(&uniform(place + slots)), shift);
                }
                let mut expected = Polynomial::zero();
                sum.write(&mut expected);
                let part = Polynomial::of(pack.part(j).into());
                let mut actual = Polynomial::zero();
                transform.inverse(&part, &mut actual);
                let scaled: Vec<u64> = actual
                    .to_residues()
                    .into_iter()
                    .map(|value| modulus::product(value, places as u64))
                    .collect();
                assert_eq!(scaled, expected.to_residues(), "{slots} {j}");
            }
        }
    }

    /// The trace: parts turned by τ^j and added up leave the slots of each row, at its place.
    #[test]
    fn parts_add_up_to_the_pack() {
        for slots in [2, 4, 8, 16, 32, 64] {
            parts_add_up(slots);
        }
    }

    #[test]
    fn slots_whose_automorphism_has_another_order_are_refused() {
        for slots in [0, 1, 3, 128] {
            assert!(Columns::new(transform(), slots).is_err(), "{slots}");
        }
        assert_eq!((order(3), order(5), order(129)), (1024, 1024, 32));
    }

    fn parts_add_up(slots: usize) {
        let transform = transform();
        let columns = Columns::new(transform, slots).unwrap();
        let (slots, places) = (columns.slots(), columns.places());
        let mut pack = columns.pack();
        let rows: Vec<_> = (0..places).map(|place| uniform(place + 3)).collect();
        for (place, row) in rows.iter().enumerate() {
            let mut sum = Sum::default();
            sum.add_shifted(&Summand::of(row), place);
            let mut shifted = Polynomial::zero();
            sum.write(&mut shifted);
            columns.put(transform, &mut pack, place, &shifted);
        }
        columns.transform(transform, &mut pack);
        let automorphism = Automorphism::new(transform, columns.generator());
        let mut sum = Polynomial::<Points>::zero();
        for j in (0..places).rev() {
            let mut turned = Polynomial::zero();
            automorphism.of_points(&sum, &mut turned);
            transform.add(&mut turned, pack.part(j));
            sum = turned;
        }
        let mut packed = Polynomial::zero();
        transform.inverse(&sum, &mut packed);
        for (place, row) in rows.iter().enumerate() {
            for slot in 0..slots {
                let expected = row.centred(places * slot);
                assert_eq!(packed.centred(place + places * slot), expected);
            }
        }
    }
}
