//! From coefficients to values at the N roots of X^N + 1 and back, in doubles.
//!
//! Eleven levels of butterflies with the roots merged in (Longa and Naehrig, CANS 2016). The
//! first five work across 32 rows of 64 coefficients, where each butterfly's root is shared by a
//! whole row; then rows and columns change places, so that the last six find 32 blocks side by
//! side, each with a root of its own. Every level thus works on whole vectors. Values stay in the
//! turned order: [`Transform::exponents`] says which point is where.
//!
//! Range, in multiples of q: a product of a number V with a root (at most ½) is at most
//! 0.5 + 0.19·V. Without reduction V grows 1 → 1.69 → 2.51 → 3.49; every third level reduces the
//! other summand, and begins again at 0.5 + 1.17. So V stays below 4, which `multiply` takes.

use std::sync::OnceLock;

use pulp::Arch;

use crate::modulus::{self, multiply, power, reduce, root_of_unity};
use crate::polynomial::{Coefficients, DEGREE, Points, Polynomial};
use s3rec_algebra::vectors::dispatch;

const LOG_DEGREE: u32 = DEGREE.trailing_zeros();
const ROWS: usize = 32;
const LOG_ROWS: u32 = ROWS.trailing_zeros();
const ROW: usize = DEGREE / ROWS;

/// Products that are added up before they are reduced: with |left| ≤ 4q each is below 1.26q, so that
/// four of them and a reduced sum stay below 8q.
const PRODUCTS: usize = 4;

/// The roots of all levels, and which point is where.
pub struct Transform {
    arch: Arch,
    /// Roots of the first five levels, one a group of rows: level by level.
    across_rows: Box<[f64]>,
    /// Roots of the last six levels: level by level, group by group, one for each of 32 blocks.
    within_blocks: Box<[f64]>,
    inverse_across_rows: Box<[f64]>,
    inverse_within_blocks: Box<[f64]>,
    exponents: Box<[u32]>,
    place_of_exponent: Box<[u32]>,
}

/// The process's transform.
#[must_use]
pub fn transform() -> &'static Transform {
    static TRANSFORM: OnceLock<Transform> = OnceLock::new();
    TRANSFORM.get_or_init(|| Transform::new(Arch::new()))
}

/// Places of `bits` bits in the opposite order.
fn reversed(index: usize, bits: u32) -> usize {
    index.reverse_bits() >> (usize::BITS - bits)
}

impl Transform {
    pub(crate) fn new(arch: Arch) -> Self {
        let root = root_of_unity(2 * DEGREE as u64);
        let forward = |index: usize| power(root, reversed(index, LOG_DEGREE) as u64);
        let (across_rows, within_blocks) = roots(forward);
        let backward = |index| modulus::inverse(forward(index));
        let (inverse_across_rows, inverse_within_blocks) = roots(backward);
        let exponents: Box<[u32]> = (0..DEGREE)
            .map(|place| {
                // Row r and column c have changed places.
                let standard = place % ROWS * ROW + place / ROWS;
                u32::try_from(2 * reversed(standard, LOG_DEGREE) + 1).unwrap_or(u32::MAX)
            })
            .collect();
        let mut place_of_exponent = vec![0; 2 * DEGREE].into_boxed_slice();
        for (place, &exponent) in (0..).zip(&exponents) {
            place_of_exponent[exponent as usize] = place;
        }
        Self {
            arch,
            across_rows,
            within_blocks,
            inverse_across_rows,
            inverse_within_blocks,
            exponents,
            place_of_exponent,
        }
    }

    /// For each place of a polynomial in [`Points`]: the odd e < 2N of its point ω^e.
    #[must_use]
    pub fn exponents(&self) -> &[u32] {
        &self.exponents
    }

    /// ω^`exponent`, ω being the primitive 2N-th root of unity behind the points.
    #[must_use]
    pub fn root(&self, exponent: u64) -> u64 {
        power(root_of_unity(2 * DEGREE as u64), exponent)
    }

    /// Values at the points, written over `out`; below 4q, not reduced.
    pub fn forward(&self, polynomial: &Polynomial<Coefficients>, out: &mut Polynomial<Points>) {
        self.forward_into(&polynomial.values, &mut out.values);
    }

    pub(crate) fn arch(&self) -> Arch {
        self.arch
    }

    pub(crate) fn forward_into(&self, input: &[f64], out: &mut [f64]) {
        dispatch(
            self.arch,
            #[inline(always)]
            || {
                let mut rows = [0.0; DEGREE];
                rows.copy_from_slice(input);
                let mut roots = &self.across_rows[..];
                for level in 0..LOG_ROWS {
                    let (of_level, rest) = roots.split_at(1 << level);
                    roots = rest;
                    let half = DEGREE >> (level + 1);
                    for (pair, &root) in rows.chunks_exact_mut(2 * half).zip(of_level) {
                        let (upper, lower) = pair.split_at_mut(half);
                        forward_shared(upper, lower, root, u32::is_multiple_of(level, 3));
                    }
                }
                turn::<ROWS, ROW>(&rows, out);
                let mut roots = &self.within_blocks[..];
                for level in 0..LOG_DEGREE - LOG_ROWS {
                    let groups = 1 << level;
                    let (of_level, rest) = roots.split_at(groups * ROWS);
                    roots = rest;
                    let half = (ROW >> (level + 1)) * ROWS;
                    for (pair, roots) in out
                        .chunks_exact_mut(2 * half)
                        .zip(of_level.chunks_exact(ROWS))
                    {
                        let (upper, lower) = pair.split_at_mut(half);
                        let is_reducing = (level + LOG_ROWS).is_multiple_of(3);
                        for (upper, lower) in upper
                            .chunks_exact_mut(ROWS)
                            .zip(lower.chunks_exact_mut(ROWS))
                        {
                            forward_own(upper, lower, roots, is_reducing);
                        }
                    }
                }
                erase(&mut rows);
            },
        );
    }

    /// Coefficients of N times the polynomial that has these values (at most q in absolute
    /// value), written over `out`, between −q/2 and q/2. Callers divide by N where it is cheap.
    pub fn inverse(&self, points: &Polynomial<Points>, out: &mut Polynomial<Coefficients>) {
        let (input, out) = (&points.values, &mut out.values);
        dispatch(
            self.arch,
            #[inline(always)]
            || {
                let mut blocks = [0.0; DEGREE];
                blocks.copy_from_slice(input);
                let mut end = self.inverse_within_blocks.len();
                for level in (0..LOG_DEGREE - LOG_ROWS).rev() {
                    let first = end - (ROWS << level);
                    let of_level = &self.inverse_within_blocks[first..end];
                    end = first;
                    let half = (ROW >> (level + 1)) * ROWS;
                    for (pair, roots) in blocks
                        .chunks_exact_mut(2 * half)
                        .zip(of_level.chunks_exact(ROWS))
                    {
                        let (upper, lower) = pair.split_at_mut(half);
                        for (upper, lower) in upper
                            .chunks_exact_mut(ROWS)
                            .zip(lower.chunks_exact_mut(ROWS))
                        {
                            inverse_own(upper, lower, roots);
                        }
                    }
                }
                turn::<ROW, ROWS>(&blocks, out);
                let mut end = self.inverse_across_rows.len();
                for level in (0..LOG_ROWS).rev() {
                    let first = end - (1 << level);
                    let of_level = &self.inverse_across_rows[first..end];
                    end = first;
                    let half = DEGREE >> (level + 1);
                    for (pair, &root) in out.chunks_exact_mut(2 * half).zip(of_level) {
                        let (upper, lower) = pair.split_at_mut(half);
                        inverse_shared(upper, lower, root);
                    }
                }
                erase(&mut blocks);
                for value in &mut *out {
                    *value = reduce(*value);
                }
            },
        );
    }

    /// `sum` += `left`·`right`, point by point, reduced; `left` may be as [`Self::forward`]
    /// leaves it, `right` must be reduced.
    pub fn multiply_add(
        &self,
        sum: &mut Polynomial<Points>,
        left: &Polynomial<Points>,
        right: &Polynomial<Points>,
    ) {
        let (sum, left, right) = (&mut sum.values, &left.values, &right.values);
        dispatch(
            self.arch,
            #[inline(always)]
            || {
                for ((sum, &left), &right) in sum.iter_mut().zip(&**left).zip(&**right) {
                    *sum = reduce(*sum + multiply(left, right));
                }
            },
        );
    }

    /// `sum` += Σ left·right over the pairs: as [`Self::multiply_add`] for each, with fewer passes
    /// and fewer reductions.
    pub fn multiply_add_all(
        &self,
        sum: &mut Polynomial<Points>,
        left: &[Polynomial<Points>],
        right: &[Polynomial<Points>],
    ) {
        debug_assert_eq!(left.len(), right.len());
        for (left, right) in left.chunks(PRODUCTS).zip(right.chunks(PRODUCTS)) {
            let sum = &mut sum.values;
            dispatch(
                self.arch,
                #[inline(always)]
                || match (left, right) {
                    ([a, b, c, d], [e, f, g, h]) => {
                        let first = a.values.iter().zip(&e.values).zip(&b.values).zip(&f.values);
                        let second = c.values.iter().zip(&g.values).zip(&d.values).zip(&h.values);
                        let all = sum.iter_mut().zip(first).zip(second);
                        for ((sum, (((a, e), b), f)), (((c, g), d), h)) in all {
                            let first = multiply(*a, *e) + multiply(*b, *f);
                            let second = multiply(*c, *g) + multiply(*d, *h);
                            *sum = reduce(*sum + (first + second));
                        }
                    }
                    ([a, b, c], [e, f, g]) => {
                        let first = a.values.iter().zip(&e.values).zip(&b.values).zip(&f.values);
                        let second = c.values.iter().zip(&g.values);
                        for ((sum, (((a, e), b), f)), (c, g)) in
                            sum.iter_mut().zip(first).zip(second)
                        {
                            let first = multiply(*a, *e) + multiply(*b, *f);
                            *sum = reduce(*sum + (first + multiply(*c, *g)));
                        }
                    }
                    ([a, b], [e, f]) => {
                        let pairs = a.values.iter().zip(&e.values).zip(&b.values).zip(&f.values);
                        for (sum, (((a, e), b), f)) in sum.iter_mut().zip(pairs) {
                            *sum = reduce(*sum + (multiply(*a, *e) + multiply(*b, *f)));
                        }
                    }
                    _ => {
                        for (left, right) in left.iter().zip(right) {
                            let pairs = left.values.iter().zip(&right.values);
                            for (sum, (&left, &right)) in sum.iter_mut().zip(pairs) {
                                *sum = reduce(*sum + multiply(left, right));
                            }
                        }
                    }
                },
            );
        }
    }

    /// `sum` += `summand`, reduced.
    pub fn add(&self, sum: &mut Polynomial<Points>, summand: &[f64]) {
        let sum = &mut sum.values;
        dispatch(
            self.arch,
            #[inline(always)]
            || {
                for (sum, &summand) in sum.iter_mut().zip(summand) {
                    *sum = reduce(*sum + summand);
                }
            },
        );
    }

    /// Sets it to zero.
    pub fn clear(&self, points: &mut Polynomial<Points>) {
        points.values.fill(0.0);
    }

    /// Times a constant, and reduced: 1/N for an operand of products that are transformed back.
    pub fn scale(&self, points: &mut Polynomial<Points>, factor: u64) {
        let factor = modulus::centred(factor) as f64;
        for value in &mut points.values {
            *value = reduce(multiply(*value, factor));
        }
    }
}

/// Roots of the first levels, and of the last ones in their own order.
fn roots(root: impl Fn(usize) -> u64) -> (Box<[f64]>, Box<[f64]>) {
    let double = |index| modulus::centred(root(index)) as f64;
    let across_rows = (1..ROWS).map(double).collect();
    let mut within_blocks = Vec::with_capacity(DEGREE);
    for level in 0..LOG_DEGREE - LOG_ROWS {
        for group in 0..1 << level {
            // Block r's groups of this level follow those of the blocks before it.
            let of_block = |block: usize| (ROWS << level) + (block << level) + group;
            within_blocks.extend((0..ROWS).map(|block| double(of_block(block))));
        }
    }
    (across_rows, within_blocks.into_boxed_slice())
}

/// Overwrites a copy of what may be secret. In whole vectors, unlike `zeroize`, which would take a
/// tenth of a transform; the values count as read, so that the stores stay.
#[inline(always)]
fn erase(values: &mut [f64; DEGREE]) {
    values.fill(0.0);
    std::hint::black_box(values);
}

/// Rows of `C` become columns.
#[inline(always)]
fn turn<const R: usize, const C: usize>(from: &[f64], to: &mut [f64]) {
    // Four rows at a time keep their cache lines until they are used up.
    for first in (0..R).step_by(4) {
        for column in 0..C {
            for row in first..first + 4 {
                to[column * R + row] = from[row * C + column];
            }
        }
    }
}

#[inline(always)]
fn butterfly(upper: &mut f64, lower: &mut f64, root: f64, is_reducing: bool) {
    let turned = multiply(*lower, root);
    let straight = if is_reducing { reduce(*upper) } else { *upper };
    *upper = straight + turned;
    *lower = straight - turned;
}

#[inline(always)]
fn forward_shared(upper: &mut [f64], lower: &mut [f64], root: f64, is_reducing: bool) {
    for (upper, lower) in upper.iter_mut().zip(lower) {
        butterfly(upper, lower, root, is_reducing);
    }
}

#[inline(always)]
fn forward_own(upper: &mut [f64], lower: &mut [f64], roots: &[f64], is_reducing: bool) {
    for ((upper, lower), &root) in upper.iter_mut().zip(lower).zip(roots) {
        butterfly(upper, lower, root, is_reducing);
    }
}

/// The way back; both results are at most 0.9q.
#[inline(always)]
fn butterfly_back(upper: &mut f64, lower: &mut f64, root: f64) {
    let (sum, difference) = (*upper + *lower, *upper - *lower);
    *upper = reduce(sum);
    *lower = multiply(difference, root);
}

#[inline(always)]
fn inverse_shared(upper: &mut [f64], lower: &mut [f64], root: f64) {
    for (upper, lower) in upper.iter_mut().zip(lower) {
        butterfly_back(upper, lower, root);
    }
}

#[inline(always)]
fn inverse_own(upper: &mut [f64], lower: &mut [f64], roots: &[f64]) {
    for ((upper, lower), &root) in upper.iter_mut().zip(lower).zip(roots) {
        butterfly_back(upper, lower, root);
    }
}

/// The automorphism X → X^g for an odd g: a permutation of the points, and one of the
/// coefficients with signs.
pub struct Automorphism {
    /// Where each point's new value stands.
    points: Box<[u32]>,
    /// Where each coefficient's new value stands.
    coefficients: Box<[u32]>,
    signs: Box<[f64]>,
}

impl Automorphism {
    /// X → X^`power`, `power` odd.
    #[must_use]
    pub fn new(transform: &Transform, power: usize) -> Self {
        debug_assert!(power % 2 == 1);
        let points = transform
            .exponents
            .iter()
            .map(|&exponent| transform.place_of_exponent[exponent as usize * power % (2 * DEGREE)])
            .collect();
        let mut coefficients = vec![0; DEGREE].into_boxed_slice();
        let mut signs = vec![0.0; DEGREE].into_boxed_slice();
        for (place, index) in (0..DEGREE).zip(0..) {
            let target = place * power % (2 * DEGREE);
            coefficients[target % DEGREE] = index;
            signs[target % DEGREE] = if target < DEGREE { 1.0 } else { -1.0 };
        }
        Self {
            points,
            coefficients,
            signs,
        }
    }

    /// The image of a polynomial given at the points, written over `out`.
    pub fn of_points(&self, polynomial: &Polynomial<Points>, out: &mut Polynomial<Points>) {
        for (out, &place) in out.values.iter_mut().zip(&self.points) {
            *out = polynomial.values[place as usize % DEGREE];
        }
    }

    /// The image of a polynomial given by its coefficients, written over `out`.
    pub fn of_coefficients(
        &self,
        polynomial: &Polynomial<Coefficients>,
        out: &mut Polynomial<Coefficients>,
    ) {
        let places = self.coefficients.iter().zip(&self.signs);
        for (out, (&place, &sign)) in out.values.iter_mut().zip(places) {
            *out = sign * polynomial.values[place as usize % DEGREE];
        }
    }
}

#[cfg(test)]
mod tests;
